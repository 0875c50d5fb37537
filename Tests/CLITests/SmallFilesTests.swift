import Foundation
import JSON
import TestSupport
import Testing

/// Small files that ask for much: refused before the memory, the disk or the time is spent.
@Suite struct SmallFilesTests {
  /// Runs a command in 1.5 GB of address space, which a file that is believed would need many times over.
  private func inspect(_ arguments: [String]) throws -> Command {
    try Command(script: #"ulimit -v 1500000; exec "$BANTAM" "$@""#, arguments)
  }

  /// A zstd frame of a safetensors header, and then zeros by the block: four bytes for 128 kB. Source: RFC 8878.
  private static func zstdBomb(gigabytes: Int) -> [UInt8] {
    let size = gigabytes << 30
    let header = Array("{\"w\":{\"dtype\":\"U8\",\"shape\":[\(size)],\"data_offsets\":[0,\(size)]}}".utf8)
    let start = little(UInt64(header.count)) + header
    func block(_ type: UInt32, _ size: Int, isLast: Bool = false) -> [UInt8] {
      Array(little(UInt32(size) << 3 | type << 1 | (isLast ? 1 : 0)).prefix(3))
    }
    var bytes: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x78] + block(0, start.count) + start
    let count = size / (128 << 10)
    for number in 0..<count { bytes += block(1, 128 << 10, isLast: number == count - 1) + [0] }
    return bytes
  }

  @Test func zstdThatUnpacksToGigabytesIsRefused() throws {
    let folder = TemporaryFolder()
    let bytes = Self.zstdBomb(gigabytes: 6)
    #expect(bytes.count < 250_000)
    folder.write(bytes, to: "m.safetensors.zst")
    for command in [
      ["inspect", "--health"], ["convert", "-o", folder["x"]], ["quantize", "--encoding", "int8", "-o", folder["x"]],
    ] {
      let done = try inspect([command[0], folder["m.safetensors.zst"]] + command.dropFirst() + ["-q"])
      #expect(done.status == 65 && done.errors.contains("unpack"), "\(command): \(done.status) \(done.errors)")
    }
    #expect(folder.names == ["m.safetensors.zst"])
  }

  @Test func npzThatUnpacksToGigabytesIsRefused() throws {
    let folder = TemporaryFolder()
    let script = """
      exec python3 - "$1" <<'END'
      import sys, zipfile
      header = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }" % (1 << 30)
      header += b" " * ((64 - (10 + len(header) + 1)) % 64) + bytes([10])
      with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as file:
          with file.open("w.npy", "w") as entry:
              entry.write(bytes([0x93]) + b"NUMPY" + bytes([1, 0]) + len(header).to_bytes(2, "little") + header)
              for _ in range(1 << 10): entry.write(bytes(1 << 20))
      END
      """
    #expect(try Command(script: script, [folder["m.npz"]]).status == 0)
    let done = try inspect(["convert", folder["m.npz"], "-o", folder["x"], "-q"])
    #expect(done.status == 65 && done.errors.contains("unpack"), "\(done.status) \(done.errors)")
    #expect(folder.names == ["m.npz"])
  }

  @Test func treesOfNothingAreRefused() throws {
    let folder = TemporaryFolder()
    let nothing = "[" + [String](repeating: "{}", count: 1_300_000).joined(separator: ",") + "]"
    let huge = "[" + [String](repeating: "{}", count: 10_000_000).joined(separator: ",") + "]"
    for text in [nothing, huge] {
      folder.write(SafetensorsFile.bytes([("w", "U8", [1], [1])]), to: "m/model.safetensors")
      folder.write(#"{"a":"# + text + "}", to: "m/config.json")
      // Inspect shows the tensors all the same, and says why the family is not known.
      let opened = try inspect(["inspect", folder["m"]])
      #expect(opened.status == 0 && opened.errors.contains("config.json"), "\(opened.status) \(opened.errors)")
      let converted = try inspect(["convert", folder["m"], "-o", folder["x"], "-q"])
      #expect(converted.status == 65 && converted.errors.contains("config.json"), "\(converted.status)")
      folder.write(#"{"format":1,"encoding":"int8","rules":"# + text + "}", to: "r.json")
      let recipe = try inspect(["quantize", CommandTests.tiny, "--recipe", folder["r.json"], "-o", folder["x"], "-q"])
      #expect(recipe.status == 65 && recipe.errors.contains("r.json"), "\(recipe.status) \(recipe.errors)")
    }
  }

  /// Files of noise and features hold some megabytes at the most; what claims more is not read.
  @Test func noiseThatClaimsMuchIsRefusedUnread() throws {
    let folder = TemporaryFolder()
    let count = 1 << 33
    for (option, name) in [("--noise", "dit.noise.cond"), ("--features", "features")] {
      let header = "{" + SafetensorsFile.entry(name, "F32", [1, 64, count / 64], 0, 4 * count) + "}"
      let path = folder.write(SafetensorsFile.bytes(header: header), to: "n.safetensors")
      #expect(truncate(path, off_t(8 + header.utf8.count + 4 * count)) == 0)
      let prompt = option == "--noise" ? ["a"] : []
      let done = try inspect(
        ["generate", CommandTests.archive] + prompt + [option, path, "-o", folder["x.png"], "-q"])
      #expect(done.status == 65, "\(option): \(done.status) \(done.errors)")
      #expect(folder.names == ["n.safetensors"])
    }
  }

  /// A tower that asks for pictures of 19,000 pixels a side, and one whose patches are enormous.
  @Test(arguments: [[1, 1_830_609, 8], [1, 1 << 24, 8]]) func towersThatAskForMuchAreRefused(shape: [Int]) throws {
    let folder = TemporaryFolder()
    try FileManager.default.copyItem(atPath: CommandTests.tiny, toPath: folder["m"])
    folder.write(PictureFile.png, to: "p.png")
    // The tower's own table of positions, in a file of the same name, made large.
    let script = """
      exec python3 - "$1" \(shape[1]) <<'END'
      import json, os, struct, sys
      folder, count = sys.argv[1], int(sys.argv[2])
      for name in sorted(os.listdir(folder)):
          if not name.endswith(".safetensors"): continue
          path = os.path.join(folder, name)
          data = open(path, "rb").read()
          size = struct.unpack("<Q", data[:8])[0]
          header, body = json.loads(data[8:8 + size]), data[8 + size:]
          for key, entry in header.items():
              if not key.endswith("vision_tower.model.pos_embed"): continue
              width = entry["shape"][2]
              entry["shape"][1] = count
              # The old place closes, so that no byte is without an owner.
              begin, old = entry["data_offsets"]
              body = body[:begin] + body[old:]
              for other in header.values():
                  if "data_offsets" in other and other["data_offsets"][0] >= old:
                      other["data_offsets"] = [place - (old - begin) for place in other["data_offsets"]]
              end = len(body)
              entry["data_offsets"] = [end, end + 2 * width * count]
              text = json.dumps(header).encode()
              with open(path, "wb") as out:
                  out.write(struct.pack("<Q", len(text)) + text + body)
                  out.truncate(8 + len(text) + end + 2 * width * count)
              sys.exit(0)
      sys.exit(9)
      END
      """
    let patched = try Command(script: script, [folder["m"]])
    #expect(patched.status == 0, "\(patched.errors)")
    let done = try inspect(["encode", folder["m"], folder["p.png"], "-o", folder["f"], "-q"])
    #expect(done.status == 65 && done.errors.contains("pos_embed"), "\(done.status) \(done.errors)")
  }
}
