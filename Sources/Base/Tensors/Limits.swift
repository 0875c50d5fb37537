/// Bounds on what a file may ask for. Each is tested at the limit and one past it.
public enum Limits {
  /// Bytes of a safetensors header, as in the reference reader.
  public static let safetensorsHeaderByteCount = 100_000_000
  /// Bytes of an index of shards, of a tokenizer's files, and of any other file beside the weights.
  public static let companionByteCount = 64 << 20
  /// Bytes of a config, a recipe, or the metadata of a `.bantam` file: what is held as a tree.
  public static let configByteCount = 4 << 20
  /// Values of such a tree, members' names counted.
  public static let jsonValueCount = 250_000
  /// Nesting of JSON values.
  public static let jsonDepth = 64
  /// Dimensions of a tensor.
  public static let rank = 64
  /// Bytes of a tensor's name.
  public static let nameByteCount = 65_535
  /// Tensors in one source.
  public static let tensorCount = 10_000_000
  /// Bytes that all tensors of one `.bantam` file may claim together, whatever their encoding.
  public static let claimedByteCount = 1 << 56
  /// Bytes of all texts of the index of a `.bantam` file together, each distinct place counted once: so many times the text table,
  /// and a little for small ones.
  public static func archiveTextByteCount(table: Int) -> Int { 4 * table + 1 << 20 }
  /// Bytes of the index of a `.bantam` file.
  public static let archiveIndexByteCount = 1 << 30
  /// Entries of a zip archive.
  public static let zipEntryCount = 1_000_000
  /// Bytes of the directory of a zip archive: what that many entries with names of usual length take.
  public static let zipDirectoryByteCount = 64 << 20
  /// Bytes of an entry's name.
  public static let zipNameByteCount = 4_096
  /// Bytes of a pickle.
  public static let pickleByteCount = 256 << 20
  /// Highest number of a pickle's memo.
  public static let pickleMemoCount = 10_000_000
  /// Nesting of a pickle's values.
  public static let pickleDepth = 1_000
  /// Instructions of a pickle.
  public static let pickleInstructionCount = 8_000_000
  /// Bytes of a line of text in a pickle of protocol 0.
  public static let pickleLineByteCount = 65_536
  /// Bytes that the values of a pickle may take, beyond the pickle itself.
  public static let pickleValueByteCount = 48 << 20
  /// How many times a view may repeat the elements of its storage.
  public static let viewExpansion = 1_024
  /// How many times its size a file may unpack to, beyond ``unpackedFreeByteCount``. Weights gain less than 2, zeros thousands.
  public static let unpackedRatio = 200
  /// Bytes that any file may unpack to.
  public static let unpackedFreeByteCount = 64 << 20
  /// Bytes of a safetensors header in a compressed file.
  public static let packedHeaderByteCount = 16 << 20
  /// Metadata keys of a GGUF file.
  public static let ggufKeyCount = 1 << 16
  /// Tensors of a GGUF file.
  public static let ggufTensorCount = 1 << 18
  /// Bytes of the header of a GGUF file that is written: vocabularies take some megabytes.
  public static let ggufHeaderByteCount = 256 << 20
  /// Bytes of a tensor's name in a GGUF file that is written: what ggml holds, without the zero behind it.
  public static let ggufNameByteCount = 63
  /// Dimensions of a tensor in a GGUF file.
  public static let ggufRank = 4
  /// Bytes of a string in a GGUF file.
  public static let ggufStringByteCount = 1 << 30
  /// Files of a split GGUF model.
  public static let ggufSplitCount = 10_000
}
