// Paints a picture from text. Usage: example-generate MODEL PROMPT OUT.png
import Bantam
import Foundation

let arguments = CommandLine.arguments
var options = GenerationOptions()
options.seed = 7
let pipeline = try TextToImage(Model(path: arguments[1]), options)
let picture = try pipeline.picture(arguments[2])
try Data(picture.png()).write(to: URL(fileURLWithPath: arguments[3]))
