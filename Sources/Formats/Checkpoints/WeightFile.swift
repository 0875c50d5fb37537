import GGUF
import Tensors
import ZipFiles

/// One file of weights, whatever its layout: recognised by its first bytes, never by its name alone.
struct WeightFile {
  let file: Checkpoint.File
  let entries: [Checkpoint.Entry]
  /// What the user should know about how the file was taken.
  private(set) var notes: [String] = []

  /// - Parameters:
  ///   - path: as the user is to see it.
  ///   - relativePath: below the checkpoint's root.
  init(path: String, relativePath: String, folder: String, fileIndex: Int) throws(CheckpointError) {
    let file: ReadableFile
    let kind: FileKind
    do {
      file = try ReadableFile(path: path)
      kind = try FileKind(of: file)
    } catch { throw .file(error) }
    let place = (folder: folder, fileIndex: fileIndex)
    func made(
      _ source: any ByteSource, _ format: String, _ metadata: [Checkpoint.Metadatum] = []
    ) -> Checkpoint.File {
      Checkpoint.File(relativePath: relativePath, source: source, format: format, metadata: metadata)
    }
    let isNamedSafetensors = path.hasSuffix(".safetensors")
    switch kind {
    case _ where isNamedSafetensors && kind.mayBeDamagedSafetensors, .safetensors:
      // A damaged header is told as such, with the rule that it breaks.
      let header: SafetensorsHeader
      do { header = try SafetensorsHeader(file: file) } catch { throw .safetensors(path: path, error) }
      self.file = made(file, "safetensors", header.metadata.map(Checkpoint.Metadatum.init))
      entries = header.entries(place)
    case .zstd:
      let (source, header): (SpooledFile, SafetensorsHeader)
      do throws(SafetensorsError) {
        source = try ZstdDecoder.unpacked(file)
        header = try SafetensorsHeader(file: source, limit: Limits.packedHeaderByteCount)
      } catch { throw .safetensors(path: path, error) }
      self.file = made(source, "safetensors in zstd", header.metadata.map(Checkpoint.Metadatum.init))
      entries = header.entries(place)
    case .zip:
      let archive: ZipArchive
      do { archive = try ZipArchive(file) } catch { throw .zip(path: path, error) }
      if NumPyArchive.isOne(archive) {
        self.file = made(file, "NumPy npz")
        (entries, notes) = try NumPyArchive.entries(archive, path: path, place)
      } else {
        do throws(TorchError) {
          let torch = try TorchFile(file, archive: archive)
          (entries, notes) = try torch.state(place)
        } catch { throw .torch(path: path, error) }
        self.file = made(file, "PyTorch zip")
      }
    case .pickle:
      do throws(TorchError) {
        let torch = try TorchFile(legacy: file)
        (entries, notes) = try torch.state(place)
      } catch { throw .torch(path: path, error) }
      self.file = made(file, "PyTorch, before zip")
    case .gguf:
      do throws(GGUFError) {
        let header = try GGUFHeader(file)
        entries = header.entries(file, place)
        self.file = made(file, "GGUF \(header.version)", header.metadata.map(Checkpoint.Metadatum.init))
      } catch { throw .gguf(path: path, error) }
    case .npy:
      entries = [try NumPyArchive.entry(of: file, path: path, place)]
      self.file = made(file, "NumPy npy")
    default: throw .notACheckpoint(path: path, looksLike: kind.words.looksLike, hint: kind.words.hint)
    }
  }
}

extension SafetensorsHeader {
  fileprivate func entries(_ place: (folder: String, fileIndex: Int)) -> [Checkpoint.Entry] {
    entries.map { Checkpoint.Entry(info: $0.info, folder: place.folder, fileIndex: place.fileIndex, offset: $0.offset) }
  }
}

extension Checkpoint.Metadatum {
  fileprivate init(_ pair: (key: [UInt8], value: [UInt8])) {
    self.init(key: pair.key, value: String(decoding: pair.value, as: UTF8.self))
  }

  fileprivate init(_ datum: GGUFHeader.Metadatum) {
    self.init(key: datum.key, value: datum.value.words)
  }
}
