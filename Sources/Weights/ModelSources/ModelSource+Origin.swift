import Checkpoints
import Encodings
import Tensors

extension ModelSource {
  /// Where a tensor lies in the release that it belongs to.
  package struct Origin {
    /// Path below the release's root.
    package let file: String
    /// Its name there.
    package let name: TensorName
    package let offset: Int
  }

  /// The place that a `.bantam` file records of a tensor, or the one that it has in a source of another form.
  package func origin(of number: Int) -> Origin {
    let tensor = tensors[number]
    guard let archive else {
      // Shards may lie below the folder of their index, which says where they belong.
      let file = Folder.join(tensor.folder, Folder.split(tensor.file).name)
      return Origin(file: file, name: tensor.info.name, offset: tensor.offset)
    }
    guard let source = archive.index.tensors[number].source else {
      return Origin(file: "model.safetensors", name: tensor.info.name, offset: 0)
    }
    return Origin(file: archive.index.sourceFiles[source.file].path, name: source.name, offset: source.offset)
  }

  /// A tensor with its planes as they are stored; nil where its bytes lie in no encoding: plain elements of a checkpoint, what another
  /// program's decoder gives, and what can only be listed.
  package func encoded(_ number: Int) -> EncodedTensor? {
    switch storage {
    case .archive(let archive): archive.encoded(number)
    case .checkpoint(let checkpoint):
      if case .decoded(let stored as EncodedTensor) = checkpoint.entries[number].content { stored } else { nil }
    }
  }

  /// Whether a tensor repeats another one of the file, whose number this is.
  package func repeated(_ number: Int) -> Int? { archive?.index.tensors[number].aliasOf }
}
