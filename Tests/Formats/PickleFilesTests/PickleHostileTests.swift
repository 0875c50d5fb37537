import PickleFiles
import Tensors
import Testing
import TestSupport

/// One pickle for each rule that is broken, with the error that it must give.
@Suite struct PickleHostileTests {
  typealias Rule = (rule: String, bytes: [UInt8], error: String)

  /// Text and numbers as the bytes of a pickle.
  static func bytes(_ parts: Any...) -> [UInt8] {
    parts.flatMap { part -> [UInt8] in
      switch part {
      case let text as String: Array(text.utf8)
      case let byte as Int: [UInt8(truncatingIfNeeded: byte)]
      case let bytes as [UInt8]: bytes
      default: preconditionFailure("text, a byte or bytes")
      }
    }
  }

  static let stack: [Rule] = [
    ("empty", [], "truncated"),
    ("no STOP", bytes("N"), "truncated"),
    ("opcode 0xFF", bytes(0xFF), "unknownOpcode"),
    ("opcode 0", bytes(0), "unknownOpcode"),
    ("opcode of a later protocol", bytes(0x99), "unknownOpcode"),
    ("protocol 6", bytes(0x80, 6, "N."), "unknownProtocol"),
    ("protocol cut", bytes(0x80), "truncated"),
    ("STOP with nothing", bytes("."), "stackEmpty"),
    ("POP with nothing", bytes("0N."), "stackEmpty"),
    ("DUP with nothing", bytes("2."), "stackEmpty"),
    ("STOP with a mark only", bytes("(."), "stackEmpty"),
    ("APPEND with nothing", bytes("a."), "stackEmpty"),
    ("APPEND with a value only", bytes("Na."), "stackEmpty"),
    ("APPEND onto a number", bytes("K", 1, "Na."), "notAContainer"),
    ("APPEND onto a tuple", bytes(")Na."), "notAContainer"),
    ("APPEND onto a dict", bytes("}Na."), "notAContainer"),
    ("APPENDS without a mark", bytes("]N", "e."), "noMark"),
    ("APPENDS onto None", bytes("N(Ne."), "notAContainer"),
    ("ADDITEMS without a mark", bytes(0x8F, 0x90, "."), "noMark"),
    ("ADDITEMS onto a dict", bytes("}(N", 0x90, "."), "notAContainer"),
    ("TUPLE without a mark", bytes("t."), "noMark"),
    ("LIST without a mark", bytes("l."), "noMark"),
    ("DICT without a mark", bytes("d."), "noMark"),
    ("FROZENSET without a mark", bytes(0x91, "."), "noMark"),
    ("POP_MARK without a mark", bytes("1."), "noMark"),
    ("OBJ without a mark", bytes("o."), "noMark"),
    ("INST without a mark", bytes("icollections\nOrderedDict\n."), "noMark"),
    ("TUPLE1 with nothing", bytes(0x85, "."), "stackEmpty"),
    ("TUPLE2 with one", bytes("N", 0x86, "."), "stackEmpty"),
    ("TUPLE3 with two", bytes("NN", 0x87, "."), "stackEmpty"),
    ("TUPLE2 across a mark", bytes("N(N", 0x86, "."), "stackEmpty"),
    ("SETITEM with one", bytes("}Ns."), "stackEmpty"),
    ("SETITEM onto a list", bytes("]NNs."), "notAContainer"),
    ("SETITEM onto text", bytes("U", 1, "aNNs."), "notAContainer"),
    ("SETITEMS without a mark", bytes("}NNu."), "noMark"),
    ("SETITEMS with an odd number", bytes("}(NNNu."), "oddItems"),
    ("SETITEMS onto a tuple", bytes(")(NNu."), "notAContainer"),
    ("DICT with an odd number", bytes("(Nd."), "oddItems"),
    ("BUILD with nothing", bytes("b."), "stackEmpty"),
    ("BUILD onto a list", bytes("]}b."), "notAContainer"),
    ("BUILD onto a number", bytes("K", 1, "}b."), "notAContainer"),
    ("pairs into an object that has items", bytes("ccollections\nOrderedDict\n)R(NeNNs."), "notAContainer"),
    ("1001 marks", [UInt8](repeating: 0x28, count: 1001) + bytes("N."), "tooDeep"),
  ]

  static let operands: [Rule] = [
    ("memo 7 unset", bytes("h", 7, "."), "memoUnset"),
    ("memo unset, in decimal", bytes("g7\n."), "memoUnset"),
    ("memo unset, long", bytes("j", little(UInt32(70_000)), "."), "memoUnset"),
    ("memo over the limit", bytes("Nr", little(UInt32(Limits.pickleMemoCount)), "."), "memoTooLarge"),
    ("memo 2^32 - 1", bytes("Nr", little(UInt32.max), "."), "memoTooLarge"),
    ("memo over the limit, in decimal", bytes("Np99999999999\n."), "memoTooLarge"),
    ("memo below 0", bytes("Np-1\n."), "badNumber"),
    ("memo by text", bytes("Npx\n."), "badNumber"),
    ("memo of nothing", bytes("q", 0, "."), "stackEmpty"),
    ("MEMOIZE of nothing", bytes(0x94, "."), "stackEmpty"),
    ("BININT cut", bytes("J", 1, 2, 3), "truncated"),
    ("BININT1 cut", bytes("K"), "truncated"),
    ("BININT2 cut", bytes("M", 1), "truncated"),
    ("BINFLOAT cut", bytes("G", 1, 2), "truncated"),
    ("LONG1 cut", bytes(0x8A, 9, 1), "truncated"),
    ("LONG4 below 0", bytes(0x8B, little(Int32(-1)), "."), "badLength"),
    ("LONG4 past the end", bytes(0x8B, little(Int32.max), "."), "truncated"),
    ("BINUNICODE past the end", bytes("X", little(UInt32.max), "a."), "truncated"),
    ("BINUNICODE cut", bytes("X", 1, 0), "truncated"),
    ("SHORT_BINUNICODE past the end", bytes(0x8C, 9, "a."), "truncated"),
    ("BINUNICODE8 of 2^63", bytes(0x8D, little(UInt64(1) << 63), "."), "badLength"),
    ("BINUNICODE8 of 2^63 - 1", bytes(0x8D, little(UInt64(Int.max)), "."), "truncated"),
    ("BINUNICODE8 right in the low 32 bits", bytes(0x8D, little(UInt64(1) << 32 | 1), "a."), "truncated"),
    ("BINSTRING below 0", bytes("T", little(Int32(-2)), "."), "badLength"),
    ("BINSTRING past the end", bytes("T", little(Int32(9)), "a."), "truncated"),
    ("SHORT_BINSTRING past the end", bytes("U", 9, "a."), "truncated"),
    ("BINBYTES past the end", bytes("B", little(UInt32(9)), "a."), "truncated"),
    ("SHORT_BINBYTES past the end", bytes("C", 9, "a."), "truncated"),
    ("BINBYTES8 of 2^64 - 1", bytes(0x8E, little(UInt64.max), "."), "badLength"),
    ("BYTEARRAY8 past the end", bytes(0x96, little(UInt64(1) << 40), "."), "truncated"),
    ("FRAME cut", bytes(0x95, 1, 2), "truncated"),
    ("INT without its end", bytes("I12"), "truncated"),
    ("INT of text", bytes("Iabc\n."), "badNumber"),
    ("INT beyond 64 bits", bytes("I99999999999999999999\n."), "badNumber"),
    ("LONG of a thousand digits", bytes("L" + String(repeating: "9", count: 1000) + "L\n."), "badNumber"),
    ("LONG of nothing", bytes("LL\n."), "badNumber"),
    ("FLOAT of text", bytes("Fabc\n."), "badNumber"),
    ("FLOAT of a thousand digits", bytes("F" + String(repeating: "1", count: 1000) + "\n."), "badNumber"),
    ("STRING without quotes", bytes("Sabc\n."), "badText"),
    ("STRING with one quote", bytes("S'\n."), "badText"),
    ("STRING with an unknown escape", bytes("S'\\q'\n."), "badText"),
    ("STRING with half an escape", bytes("S'\\x1'\n."), "badText"),
    ("UNICODE with half an escape", bytes("V\\u12\n."), "badText"),
    ("UNICODE with a surrogate", bytes("V\\ud800\n."), "badText"),
    ("UNICODE beyond Unicode", bytes("V\\U00110000\n."), "badText"),
    ("persistent id without its end", bytes("Pabc"), "truncated"),
    ("BINPERSID of nothing", bytes("Q."), "stackEmpty"),
  ]

  static let calls: [Rule] = [
    ("os.system", bytes("cos\nsystem\n(S'true'\ntR."), "globalRefused"),
    ("posix.system", bytes("cposix\nsystem\n."), "globalRefused"),
    ("nt.system", bytes("cnt\nsystem\n."), "globalRefused"),
    ("builtins.eval", bytes("cbuiltins\neval\n."), "globalRefused"),
    ("builtins.exec", bytes("cbuiltins\nexec\n."), "globalRefused"),
    ("builtins.getattr", bytes("cbuiltins\ngetattr\n."), "globalRefused"),
    ("builtins.__import__", bytes("cbuiltins\n__import__\n."), "globalRefused"),
    ("__builtin__.apply", bytes("c__builtin__\napply\n."), "globalRefused"),
    ("subprocess.Popen on the stack", bytes(0x8C, 10, "subprocess", 0x8C, 5, "Popen", 0x93, "."), "globalRefused"),
    ("an instance of os.system", bytes("(S'true'\nios\nsystem\n."), "globalRefused"),
    ("runpy", bytes("crunpy\n_run_code\n."), "globalRefused"),
    ("functools.partial", bytes("cfunctools\npartial\n."), "globalRefused"),
    ("operator.attrgetter", bytes("coperator\nattrgetter\n."), "globalRefused"),
    ("importlib", bytes("cimportlib\nimport_module\n."), "globalRefused"),
    ("webbrowser", bytes("cwebbrowser\nopen\n."), "globalRefused"),
    ("a nested pickle", bytes("cpickle\nloads\n."), "globalRefused"),
    ("torch.load through a storage", bytes("ctorch.storage\n_load_from_bytes\n."), "globalRefused"),
    ("torch.hub", bytes("ctorch.hub\nload\n."), "globalRefused"),
    ("an attribute of a module that is allowed", bytes("ctorch\n_utils._rebuild_tensor_v2\n."), "globalRefused"),
    ("a name with a space", bytes("ctorch\nFloatStorage \n."), "globalRefused"),
    ("an empty name", bytes("c\n\n."), "globalRefused"),
    ("the same in another normalisation", bytes("ctorch\nＦloatStorage\n."), "globalRefused"),
    ("GLOBAL of one line", bytes("cos\n"), "truncated"),
    ("GLOBAL that is not UTF-8", bytes("c", 0xFF, "\nx\n."), "badText"),
    ("GLOBAL of 70,000 bytes", bytes("c" + String(repeating: "a", count: 70_000) + "\nx\n."), "badText"),
    ("STACK_GLOBAL of numbers", bytes("K", 1, "K", 2, 0x93, "."), "globalNotText"),
    ("STACK_GLOBAL of nothing", bytes(0x93, "."), "stackEmpty"),
    ("a call of a number", bytes("K", 1, ")R."), "callRefused"),
    ("a call of text", bytes("U", 2, "os)R."), "callRefused"),
    ("a call of what a call gave", bytes("ccollections\nOrderedDict\n)R)R."), "callRefused"),
    ("a call with a list", bytes("ccollections\nOrderedDict\n]R."), "callRefused"),
    ("a call with a number", bytes("ccollections\nOrderedDict\nK", 1, "R."), "callRefused"),
    ("NEWOBJ of text", bytes("U", 1, "a)", 0x81, "."), "callRefused"),
    ("NEWOBJ_EX with too little", bytes(")", 0x92, "."), "stackEmpty"),
    ("NEWOBJ_EX of a dict", bytes("})}", 0x92, "."), "callRefused"),
    ("OBJ of a number", bytes("(K", 1, "o."), "callRefused"),
    ("OBJ of nothing", bytes("(o."), "stackEmpty"),
    ("EXT1", bytes(0x82, 1, "."), "extensionRefused"),
    ("EXT2", bytes(0x83, 1, 0, "."), "extensionRefused"),
    ("EXT4", bytes(0x84, 1, 0, 0, 0, "."), "extensionRefused"),
    ("NEXT_BUFFER", bytes(0x97, "."), "outOfBand"),
    ("READONLY_BUFFER", bytes("N", 0x98, "."), "outOfBand"),
  ]

  /// Little bytes that ask for much.
  static let mass: [Rule] = [
    ("4 million lists", [UInt8](repeating: 0x5D, count: 4 << 20), "tooManyValues"),
    ("2 million values on the stack", [UInt8](repeating: 0x4E, count: 2 << 20), "tooManyValues"),
    ("4 million items", bytes("]") + (0..<4 << 20).flatMap { _ in [0x4E, 0x61] }, "tooManyValues"),
    (
      "a million memo numbers far apart",
      bytes("N") + (0..<UInt32(1_100_000)).flatMap { [0x72] + little($0 * 9 + 9) },
      "tooManyValues"
    ),
    (
      "a million strings to unescape",
      (0..<1 << 20).flatMap { _ in bytes("V", String(repeating: "é", count: 20), "\n0") }, "tooManyValues"
    ),
  ]

  @Test(arguments: stack.indices) func refusesStack(index: Int) throws { try Self.check(Self.stack[index]) }
  @Test(arguments: operands.indices) func refusesOperand(index: Int) throws { try Self.check(Self.operands[index]) }
  @Test(arguments: calls.indices) func refusesCall(index: Int) throws { try Self.check(Self.calls[index]) }
  @Test(arguments: mass.indices) func refusesMass(index: Int) throws { try Self.check(Self.mass[index]) }

  static let allowed: Set<PickleGlobal> = [
    .init("collections", "OrderedDict"), .init("torch", "FloatStorage"), .init("torch._utils", "_rebuild_tensor_v2"),
  ]

  static func read(_ bytes: [UInt8]) throws -> PickleDocument {
    let document = try PickleDocument(PickleBytes(bytes), allows: allowed.contains)
    try document.checkEnd()
    return document
  }

  static func check(_ item: Rule) throws {
    HostileFiles.keep(ZipFile([.init("archive/data.pkl", item.bytes)]).bytes(), rule: item.rule, ending: "bin")
    do {
      _ = try read(item.bytes)
      Issue.record("\(item.rule): accepted")
    } catch { #expect(caseName(error) == item.error, "\(item.rule): \(error)") }
  }

  @Test func bytesBehindTheEndAreRefused() throws {
    #expect(throws: PickleError.trailingBytes(offset: 2)) { try Self.read(Self.bytes("N.", 0)) }
  }

  @Test func everyPrefixOfAPickleIsRefused() throws {
    let whole = Self.bytes(0x80, 2, "}q", 0, "(X", little(UInt32(1)), "aK", 1, "U", 1, "b](K", 2, "M", 1, 1, "eu.")
    _ = try Self.read(whole)
    for count in whole.indices { #expect(throws: PickleError.self) { try Self.read(Array(whole[..<count])) } }
  }

  @Test func aValueThatHoldsItselfIsReadWithoutEnd() throws {
    let document = try Self.read(Self.bytes("]q", 0, "h", 0, "a."))
    #expect(document.sequence(document.root) == [document.root])
  }

  @Test func mutantsEndInAnErrorOrADocument() throws {
    let whole = Self.bytes(
      0x80, 2, "ccollections\nOrderedDict\n)R(X", little(UInt32(1)), "aK", 1, "U", 1, "b](K", 2, "M", 1, 1, "e", 0x85,
      "u.")
    _ = try Self.read(whole)
    var generator = SeededGenerator(11)
    for _ in 0..<20_000 { _ = try? Self.read(generator.mutant(of: whole)) }
  }
}
