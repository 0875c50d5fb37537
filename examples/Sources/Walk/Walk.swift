// Quantizes a release, compares the result with it, and paints from it. Usage: example-walk FOLDER OUTPUT.bantam PROMPT PICTURE.png
import Bantam
import Foundation

@main
enum Example {
  static func main() throws {
    let (folder, file, prompt, picture) = (arguments[1], arguments[2], arguments[3], arguments[4])
    let source = try ModelSource(path: folder)
    let options = ConversionOptions(recipe: QuantizationRecipe(defaultEncoding: .int4))
    try Converter.run(ConversionPlan(source: source, options: options), to: file)

    let diff = try WeightDiff(source, ModelSource(path: file), resources: Resources())
    let worst = diff.rows.compactMap(\.values?.sqnrDecibels).min() ?? .infinity
    print("\(diff.rows.count) tensors, the worst at \(worst) dB")

    let painter = try TextToImage(Model(path: file))
    try Data(painter.picture(prompt).png()).write(to: URL(filePath: picture))
  }

  private static var arguments: [String] { CommandLine.arguments }
}
