import Encodings
import JSONText
import Quantization
import Tensors
import Testing

@Suite struct RecipeTests {
  @Test func theLastMatchingRuleWins() {
    let recipe = QuantizationRecipe(
      defaultEncoding: .int4,
      rules: [
        .init(pattern: "llm.*", action: .encode(.int8)), .init(pattern: "llm.layers.0.*", action: .keep),
        .init(pattern: "llm.layers.0.mlp.[ud]*", action: .encode(.int4)),
      ])
    #expect(recipe.rule(for: "llm.norm.weight")?.action == .encode(.int8))
    #expect(recipe.rule(for: "llm.layers.0.self_attn.q_proj.weight")?.action == .keep)
    #expect(recipe.rule(for: "llm.layers.0.mlp.up_proj.weight")?.action == .encode(.int4))
    #expect(recipe.rule(for: "unet.conv_in.weight") == nil)
  }

  @Test func aSavedRecipeReadsBackTheSame() throws {
    let recipe = QuantizationRecipe(
      defaultEncoding: .int8, rules: [.init(pattern: "a*", action: .keep), .init(pattern: "b", action: .encode(.int4))])
    let bytes = Array(recipe.json.text(indent: 2).utf8)
    #expect(try QuantizationRecipe(json: bytes, path: "r") == recipe)
    let rulesOnly = QuantizationRecipe(defaultEncoding: nil, rules: recipe.rules)
    #expect(try QuantizationRecipe(json: Array(rulesOnly.json.text().utf8), path: "r") == rulesOnly)
  }

  static let refused = [
    "{", "[]", "{}", #"{"format":2}"#, #"{"format":1,"encoding":4}"#, #"{"format":1,"encoding":"int3"}"#,
    #"{"format":1,"rules":{}}"#, #"{"format":1,"rules":[{"match":"a"}]}"#,
    #"{"format":1,"rules":[{"match":"a","encoding":"int9"}]}"#,
    #"{"format":1,"rules":[{"match":1,"encoding":"keep"}]}"#,
    #"{"format":1,"rules":[{"match":"a","encoding":"keep","x":1}]}"#, #"{"format":1,"rule":[]}"#,
    #"{"format":1,"format":1}"#,
  ]

  @Test(arguments: refused) func aMalformedRecipeIsRefused(text: String) {
    #expect(throws: RecipeError.self) { try QuantizationRecipe(json: Array(text.utf8), path: "r") }
  }
}
