import Glibc
import JSONText
import Kernels
import Tensors

/// Changes the metadata of a `.bantam` file in place: a few kilobytes are written, the payload is not touched.
///
/// The new table goes behind the committed end, is synced, and only then does the older superblock make it count. A stop
/// at any moment leaves the file as it was or as it will be.
public enum ArchiveEditor {
  /// - Parameter change: gives the new metadata object from the old one.
  /// - Throws: ``ArchiveError`` or ``FileError``.
  public static func edit(path: String, _ change: (JSONValue) throws -> JSONValue) throws {
    let descriptor = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else {
      throw errno == ENOENT
        ? FileError.missing(path: path, code: errno)
        : FileError.cannotCreate(path: path, code: errno, reason: "cannot be opened for writing")
    }
    defer { close(descriptor) }
    // The lock comes before the reading: what is read must still hold when it is written.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw FileError.badOutput(path: path, reason: "is being edited by another process")
    }
    let archive = try Archive(path: path)
    let old = archive.superblock
    let table = MetadataTable(previous: old.metadata, json: try change(archive.metadata)).encoded()
    guard table.count <= Limits.configByteCount else {
      throw FileError.tooLarge(path: path, byteCount: table.count, limit: Limits.configByteCount)
    }
    guard old.generation < Int.max, old.fileByteCount < Int.max - Limits.configByteCount - 4096 else {
      throw ArchiveError.badParameter(path: path, name: "generation", value: old.generation)
    }
    let offset = roundUp(old.fileByteCount, to: old.geometry.smallAlignment)
    let padding = [UInt8](repeating: 0, count: offset - old.fileByteCount)
    try write(padding + table, to: descriptor, at: old.fileByteCount, path)
    guard ftruncate(descriptor, off_t(offset + table.count)) == 0, fsync(descriptor) == 0 else {
      throw FileError.writeFailed(path: path, code: errno)
    }
    var new = old
    new.generation += 1
    new.fileByteCount = offset + table.count
    new.metadata = .init(offset: offset, byteCount: table.count, digest: SHA256.of(table))
    let pages = try Archive.superblockPages(of: archive.file)
    // The page that does not hold the current superblock; B where both do.
    let slot = try Superblock.isSound(pages[0]) && Superblock(pages[0], path: path).generation == old.generation ? 1 : 0
    try write(new.encoded(), to: descriptor, at: slot * Superblock.byteCount, path)
    guard fsync(descriptor) == 0 else { throw FileError.writeFailed(path: path, code: errno) }
  }

  private static func write(_ bytes: [UInt8], to descriptor: Int32, at offset: Int, _ path: String) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw .writeFailed(path: path, code: errno) }
      done += count
    }
  }
}
