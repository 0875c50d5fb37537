import JSONText
import Tensors

/// The rules of the `.bantam` format, one case for each way to break one. Section numbers are those of formats/bantam.md.
public enum ArchiveError: ReportingError, Equatable {
  case file(FileError)
  // Section 3: superblocks.
  case tooShort(path: String, byteCount: Int)
  case notAnArchive(path: String, looksLike: String)
  case textModeDamage(path: String)
  case bigEndian(path: String)
  case superblocksDamaged(path: String)
  case unknownVersion(path: String, major: Int)
  case reservedNotZero(path: String, part: String)
  case unknownFeature(path: String, feature: String)
  case badFeatureText(path: String)
  case badParameter(path: String, name: String, value: Int)
  case generationZero(path: String)
  case truncated(path: String, missingByteCount: Int)
  case tableOutOfBounds(path: String, table: String)
  case indexTooLarge(path: String, byteCount: Int)
  case tableDamaged(path: String, table: String)
  // Section 4: the index.
  case badIndexMagic(path: String)
  case badSectionTable(path: String, rule: String)
  case sectionTwice(path: String, section: String)
  case sectionMissing(path: String, section: String)
  case unknownSection(path: String, section: String)
  case sectionOutOfBounds(path: String, section: String)
  case strideTooSmall(path: String, section: String, stride: Int)
  // Section 5: records.
  case badReference(path: String, record: String, field: String)
  case badText(path: String, record: String)
  case textTooLong(path: String, record: String, field: String)
  /// All texts together claim more than the text table can honestly mean.
  case textsTooLong(path: String)
  case unknownDType(path: String, tensor: TensorName, code: Int)
  case rankTooLarge(path: String, tensor: TensorName, rank: Int)
  case sizeOverflow(path: String, tensor: TensorName)
  case nameTwice(path: String, name: TensorName)
  case emptyName(path: String, record: String)
  case componentsNotInOrder(path: String, component: String)
  case badAlias(path: String, tensor: TensorName, rule: String)
  case planeMissing(path: String, tensor: TensorName)
  case planeSize(path: String, tensor: TensorName, expected: Int, found: Int)
  case planeOutOfBounds(path: String, tensor: TensorName)
  case planeMisaligned(path: String, tensor: TensorName, offset: Int)
  case overlap(path: String, first: String, second: String)
  case sumCount(path: String, name: String, expected: Int, found: Int)
  case badBlobName(path: String, name: String)
  case badMetadata(path: String, rule: String)
  case badLayout(path: String, index: Int)
  case badSourceRange(path: String, tensor: TensorName)
  // Reading and asking.
  case chunkDamaged(path: String, name: String, offset: Int)
  case unknownEncoding(path: String, tensor: TensorName, encoding: String)
  case unknownLayout(path: String, tensor: TensorName)
  case noSuchTensor(path: String, name: String, nearest: [String])

  public var report: ErrorReport {
    func bad(
      _ path: String, _ problem: String, _ expected: String? = nil, _ found: String? = nil, _ hint: String? = nil
    ) -> ErrorReport {
      ErrorReport(.badData, at: path, problem, expected: expected, found: found, hint: hint)
    }
    let again = "The file is damaged: copy or convert it again"
    switch self {
    case .file(let error): return error.report
    case .tooShort(let path, let count):
      return bad(path, "is too short for a .bantam file", "at least 8192 bytes", "\(count)", again)
    case .notAnArchive(let path, let looksLike): return bad(path, "is not a .bantam file", nil, looksLike)
    case .textModeDamage(let path):
      return bad(path, "was changed by a transfer in text mode", nil, nil, "Copy it again in binary mode")
    case .bigEndian(let path): return bad(path, "is written in big-endian order", "little-endian")
    case .superblocksDamaged(let path): return bad(path, "both superblocks are damaged", nil, nil, again)
    case .unknownVersion(let path, let major):
      return bad(path, "has a format version that this program does not know", "1", "\(major)", "Use a newer bantam")
    case .reservedNotZero(let path, let part): return bad(path, "reserved bytes of the \(part) are not zero")
    case .unknownFeature(let path, let feature):
      return bad(
        path, "needs feature '\(feature)', which this program lacks", nil, nil, "Use a newer bantam")
    case .badFeatureText(let path): return bad(path, "the list of features is malformed")
    case .badParameter(let path, let name, let value):
      return bad(path, "superblock field '\(name)' is out of range", nil, "\(value)")
    case .generationZero(let path): return bad(path, "the superblock's generation is 0", "at least 1")
    case .truncated(let path, let missing):
      return bad(path, "is cut: \(missing) bytes are missing", nil, nil, "Copy it again")
    case .tableOutOfBounds(let path, let table): return bad(path, "the \(table) lies outside the file")
    case .indexTooLarge(let path, let count):
      return bad(path, "the index is over the limit", "at most \(Limits.archiveIndexByteCount) bytes", "\(count)")
    case .tableDamaged(let path, let table): return bad(path, "the \(table) is damaged", nil, nil, again)
    case .badIndexMagic(let path): return bad(path, "the index does not start with its mark", "BTMINDEX")
    case .badSectionTable(let path, let rule): return bad(path, "the section table is malformed: \(rule)")
    case .sectionTwice(let path, let section): return bad(path, "section '\(section)' occurs twice")
    case .sectionMissing(let path, let section): return bad(path, "section '\(section)' is missing")
    case .unknownSection(let path, let section):
      return bad(
        path, "needs section '\(section)', which this program does not know", nil, nil, "Use a newer bantam")
    case .sectionOutOfBounds(let path, let section):
      return bad(path, "section '\(section)' lies outside the index")
    case .strideTooSmall(let path, let section, let stride):
      return bad(path, "records of section '\(section)' are too short", nil, "\(stride) bytes")
    case .badReference(let path, let record, let field):
      return bad(path, "\(record): field '\(field)' points outside its table")
    case .badText(let path, let record): return bad(path, "\(record): text is not UTF-8")
    case .textTooLong(let path, let record, let field):
      return bad(path, "\(record): text of field '\(field)' is too long", "at most \(Limits.nameByteCount) bytes")
    case .textsTooLong(let path): return bad(path, "texts of the index overlap beyond sense")
    case .unknownDType(let path, let tensor, let code):
      return bad(path, "tensor '\(tensor)' has an unknown dtype", nil, "code \(code)")
    case .rankTooLarge(let path, let tensor, let rank):
      return bad(path, "tensor '\(tensor)' has too many dimensions", "at most \(Limits.rank)", "\(rank)")
    case .sizeOverflow(let path, let tensor): return bad(path, "the size of tensor '\(tensor)' overflows")
    case .nameTwice(let path, let name): return bad(path, "name '\(name)' occurs twice")
    case .emptyName(let path, let record): return bad(path, "\(record): the name is empty")
    case .componentsNotInOrder(let path, let component):
      return bad(path, "component '\(component)' does not hold the tensors that follow the one before it")
    case .badAlias(let path, let tensor, let rule): return bad(path, "alias '\(tensor)' \(rule)")
    case .planeMissing(let path, let tensor): return bad(path, "tensor '\(tensor)' lacks the planes of its encoding")
    case .planeSize(let path, let tensor, let expected, let found):
      return bad(path, "a plane of tensor '\(tensor)' does not fit its shape", "\(expected) bytes", "\(found)")
    case .planeOutOfBounds(let path, let tensor):
      return bad(path, "a plane of tensor '\(tensor)' lies outside the payload")
    case .planeMisaligned(let path, let tensor, let offset):
      return bad(path, "a plane of tensor '\(tensor)' is not aligned", nil, "byte \(offset)")
    case .overlap(let path, let first, let second):
      return bad(path, "'\(first)' and '\(second)' overlap")
    case .sumCount(let path, let name, let expected, let found):
      return bad(path, "'\(name)' has the wrong number of checksums", "\(expected)", "\(found)")
    case .badBlobName(let path, let name): return bad(path, "file name '\(name)' would lead elsewhere")
    case .badMetadata(let path, let rule): return bad(path, "the metadata table is malformed: \(rule)")
    case .badLayout(let path, let index): return bad(path, "layout \(index) is out of range")
    case .badSourceRange(let path, let tensor):
      return bad(path, "the recorded source range of tensor '\(tensor)' overflows")
    case .chunkDamaged(let path, let name, let offset):
      return ErrorReport(
        .badData, at: path, "'\(name)' is damaged near byte \(offset)",
        hint: "Copy the file again, or convert the source again")
    case .unknownEncoding(let path, let tensor, let encoding):
      return bad(
        path, "tensor '\(tensor)' has an encoding that this program does not know", nil, "'\(encoding)'",
        "Use a newer bantam")
    case .unknownLayout(let path, let tensor):
      return bad(
        path, "tensor '\(tensor)' has a layout that this program does not know", nil, nil, "Use a newer bantam")
    case .noSuchTensor(let path, let name, let nearest):
      return ErrorReport(
        .noInput, at: path, "holds no tensor '\(name)'",
        hint: nearest.isEmpty ? nil : "Nearest: " + nearest.joined(separator: ", "))
    }
  }
}
