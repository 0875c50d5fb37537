import Glibc
import Tensors

/// The local cache of the Hugging Face hub. Read only: nothing is fetched, nothing is written.
///
/// Source: huggingface_hub, "Understand caching": `models--ORG--NAME/{refs,blobs,snapshots/REVISION}`.
public enum HubCache {
  /// The cache folder: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `XDG_CACHE_HOME` or `~/.cache`, then `huggingface/hub`.
  public static func folder(environment: (String) -> String? = environmentValue) -> String {
    if let path = environment("HF_HUB_CACHE") { return path }
    if let home = environment("HF_HOME") { return Folder.join(home, "hub") }
    let cache = environment("XDG_CACHE_HOME") ?? Folder.join(environment("HOME") ?? ".", ".cache")
    return Folder.join(cache, "huggingface/hub")
  }

  /// Whether a text has the form of a repository id, `organisation/name`.
  public static func isRepositoryID(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        !part.isEmpty && !part.hasPrefix(".") && !part.contains("--")
          && part.utf8.allSatisfy {
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 | 0x20 || (0x30...0x39) ~= $0 || "-_.".utf8.contains($0)
          }
      }
  }

  /// The snapshot folder of a repository's main revision.
  /// - Throws: ``CheckpointError`` when the cache does not hold it.
  public static func snapshot(of repository: String, in cache: String) throws(CheckpointError) -> String {
    let base = Folder.join(cache, "models--" + repository.split(separator: "/").joined(separator: "--"))
    guard Folder.exists(base) else { throw .notInCache(repository: repository, cache: cache) }
    let reference = Folder.join(base, "refs/main")
    guard Folder.hasFile(reference) else { return try onlySnapshot(base, repository) }
    let bytes: [UInt8]
    do { bytes = try ReadableFile(path: reference).contents(limit: 4096) } catch { throw .file(error) }
    let text = String(decoding: bytes, as: UTF8.self)
    let revision = String(text.prefix { !$0.isWhitespace })
    guard Folder.isPlainName(revision), revision.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .badReference(repository: repository, text: text)
    }
    let path = Folder.join(base, "snapshots/" + revision)
    guard Folder.exists(path) else { throw .snapshotMissing(repository: repository, revision: revision) }
    return path
  }

  private static func onlySnapshot(_ base: String, _ repository: String) throws(CheckpointError) -> String {
    let snapshots = Folder.join(base, "snapshots")
    let names = (try? Folder.names(in: snapshots)) ?? []
    guard names.count == 1 else { throw .snapshotMissing(repository: repository, revision: "of refs/main") }
    return Folder.join(snapshots, names[0])
  }

  public static func environmentValue(_ name: String) -> String? {
    guard let value = getenv(name), value[0] != 0 else { return nil }
    return String(cString: value)
  }
}
