import ArgumentParser
import Documents
import JSONText
import PictureComparison
import Pictures
import Tensors

struct GridCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "grid",
    abstract: "Put pictures in rows and columns, with labels, into one.",
    discussion: """
      Pictures are PNG, JPEG or WebP, of any sizes, and are taken row by row. What is too long for a label is shortened in its middle.

      EXAMPLES
        bantam grid f32.png bf16.png int8.png -o modes.png --labels f32,bf16,int8
        bantam grid a1.png a2.png b1.png b2.png -o seeds.png --columns 2 --labels "seed 1,seed 2" --row-labels int8,int4
      """)

  @Argument(help: "The pictures.")
  var pictures: [String]

  @Option(name: .shortAndLong, help: "The PNG file to write.")
  var output: String

  @Option(help: "Pictures of a row. (default: as many as there are labels, or as near to a square as can be)")
  var columns: Int?

  @Option(help: ArgumentHelp("A label for each column.", valueName: "list"))
  var labels: String?

  @Option(help: ArgumentHelp("A label for each row.", valueName: "list"))
  var rowLabels: String?

  @Flag(help: "Print a JSON document.")
  var json = false

  @Flag(name: .shortAndLong, help: "No notes.")
  var quiet = false

  func validate() throws {
    if let columns, columns < 1 { throw ValidationError("--columns takes a number from 1 on") }
  }

  func run() throws {
    let (labels, rowLabels) = (Self.labels(labels), Self.labels(rowLabels))
    let square = Int(Double(pictures.count).squareRoot().rounded(.up))
    let columns = columns ?? (labels.isEmpty ? square : labels.count)
    let read = try pictures.map { try InputPicture.read($0, quiet: quiet) }
    try OutputFile.check(output, form: .png)
    let grid = try PictureGrid(read, columns: columns, columnLabels: labels, rowLabels: rowLabels)
    let file = try AtomicOutputFile(path: output)
    let picture = try grid.picture()
    let settings: JSONValue = .members([
      "pictures": .array(pictures.map { .string(Folder.split($0).name) }), "columns": .int(grid.columnCount),
    ])
    try file.commit(picture.png(notes: ["Software": "bantam \(bantamVersion)", "bantam": settings.text()]))
    if json {
      var document = Document(schema: "bantam.grid.1")
      document.data("file", .string(output))
      for (key, value) in [
        ("width", picture.width), ("height", picture.height), ("columns", grid.columnCount), ("rows", grid.rowCount),
      ] { document.data(key, .int(value)) }
      Terminal.print(json: document)
    } else if !quiet {
      Terminal.say("\(output): \(picture.width) x \(picture.height)")
    }
  }

  /// Labels may have spaces in them, and may be empty.
  private static func labels(_ list: String?) -> [String] {
    list.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) } ?? []
  }
}
