// Turns a release folder into one native file. Usage: example-convert FOLDER OUTPUT
import Bantam

@main
enum Example {
  static func main() throws {
    let arguments = CommandLine.arguments
    let source = try ModelSource(path: arguments[1])
    let plan = try ConversionPlan(source: source, options: ConversionOptions(components: ["llm", "vision"]))
    print("writes \(plan.outputByteCount) bytes")
    try Converter.run(plan, to: arguments[2])
  }
}
