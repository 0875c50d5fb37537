import ModelSources
import Tensors

/// Carries out an export plan: tensors stream through small buffers on all threads.
///
/// Memory does not depend on the model's size, and the output's bytes do not depend on the number of threads.
public enum Exporter {
  /// Writes the planned file or folder. The path bears the old content, or none, until the new one is whole.
  /// - Parameter path: the file or folder to make. A folder is replaced where an earlier export made it.
  /// - Throws: ``FileError``, ``ResourcesError``, or what reading the source throws.
  public static func run(_ plan: ExportPlan, to path: String, resources: Resources) throws {
    try resources.checkMemory()
    let writer = PlanWriter(
      plan: plan, resources: resources, buffers: try (0..<resources.threadCount).map { _ in try StreamBuffers() })
    if plan.isOneFile {
      try writer.write(plan.files[0], to: path) {
        try resources.cancellation.check()
        try plan.source.checkUnchanged()
      }
      return
    }
    let folder = try AtomicOutputFolder(path: path)
    do {
      try folder.reserve(byteCount: plan.outputByteCount)
      // The folder writes the marker itself.
      for file in plan.files where file.path != AtomicOutputFolder.markerName {
        try writer.write(file, to: try folder.place(for: file.path)) {}
      }
      try resources.cancellation.check()
      try plan.source.checkUnchanged()
      try folder.commit()
    } catch {
      folder.discard()
      throw error
    }
  }
}

private struct PlanWriter: Sendable {
  let plan: ExportPlan
  let resources: Resources
  /// Those of each thread.
  let buffers: [StreamBuffers]

  /// - Parameter lastCheck: before the file takes its name.
  func write(_ file: ExportPlan.File, to path: String, lastCheck: () throws -> Void) throws {
    let output = try AtomicOutputFile(path: path)
    do {
      try output.reserve(byteCount: file.byteCount)
      switch file.content {
      case .bytes(let bytes): try output.write(bytes, at: 0)
      case .companion:
        // One that has gone or grown since is found by the check that nothing has changed.
        try output.write(plan.source.companion(file.path) ?? [], at: 0)
      case .tensors(let header):
        try output.write(header, at: 0)
        try Workers.run(threadCount: resources.threadCount, itemCount: file.tensors.count) { worker, item in
          let tensor = file.tensors[item]
          try write(tensor, to: output, buffers[worker])
          output.startWriting(offset: tensor.offset, count: tensor.byteCount)
        }
      }
      try lastCheck()
      try output.commit(byteCount: file.byteCount)
    } catch {
      output.discard()
      throw error
    }
  }

  private func write(_ tensor: ExportPlan.Tensor, to output: AtomicOutputFile, _ buffers: StreamBuffers) throws {
    switch tensor.form {
    case .values(let dtype):
      try ValueStream(source: plan.source, number: tensor.number, dtype: dtype)
        .write(to: output, at: tensor.offset, buffers, resources)
    case .stored(let stored):
      try BlockStream(tensor: stored).copy(to: output, at: tensor.offset, buffers, resources)
    case .blocks(let stored, let blocks):
      try BlockStream(tensor: stored).write(blocks, to: output, at: tensor.offset, buffers, resources)
    }
  }
}
