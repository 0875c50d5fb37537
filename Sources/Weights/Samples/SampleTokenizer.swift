import JSONText
import Tokenization

/// The added tokens of a release, in the order of their ids.
struct SpecialTokens {
  /// Token and whether it is special.
  static let all: [(text: String, isSpecial: Bool)] = [
    ("<|endoftext|>", true), ("<|im_start|>", true), ("<|im_end|>", true), ("<|object_ref_start|>", true),
    ("<|object_ref_end|>", true), ("<|box_start|>", true), ("<|box_end|>", true), ("<|quad_start|>", true),
    ("<|quad_end|>", true), ("<|vision_start|>", true), ("<|vision_end|>", true), ("<|vision_pad|>", true),
    ("<|image_pad|>", true), ("<|video_pad|>", true), ("<tool_call>", false), ("</tool_call>", false),
    ("<|fim_prefix|>", false), ("<|fim_middle|>", false), ("<|fim_suffix|>", false), ("<|fim_pad|>", false),
    ("<|repo_name|>", false), ("<|file_sep|>", false), ("[IMG]", true), ("[/IMG]", true), ("<image>", true),
  ]

  let firstID: Int

  func id(of token: String) -> Int { firstID + Self.all.firstIndex { $0.text == token }! }
}

/// A byte-level BPE tokenizer, trained on a few sentences, in the files of a Qwen2 release.
struct SampleTokenizer {
  let vocabulary: [String]
  let merges: [(String, String)]
  let tokens: SpecialTokens
  var size: Int { tokens.firstID + SpecialTokens.all.count }

  init(mergeCount: Int, firstSpecialID: Int?) {
    var vocabulary = ByteAlphabet.scalars.sorted().map { String($0) }
    merges = Self.train(mergeCount: mergeCount)
    vocabulary += merges.map { $0.0 + $0.1 }
    let first = firstSpecialID ?? vocabulary.count
    // Entries that no text reaches, so that ids are those of the release.
    for id in vocabulary.count..<max(first, vocabulary.count) { vocabulary.append("\u{120}\u{120}filler\(id)") }
    self.vocabulary = vocabulary
    tokens = SpecialTokens(firstID: first)
  }

  private static func train(mergeCount: Int) -> [(String, String)] {
    // A word is a run of letters with the space before it, or a single other character.
    var counts: [String: Int] = [:]
    for sentence in corpus {
      var word = ""
      func flush() {
        if !word.isEmpty { counts[word, default: 0] += 1 }
        word = ""
      }
      for character in sentence {
        if character == " " { flush() } else if !character.isLetter { flush() }
        word.append(character)
        if !character.isLetter && character != " " { flush() }
      }
      flush()
    }
    var words = counts.sorted { $0.key < $1.key }.map { word, count in
      (parts: word.utf8.map { String(ByteAlphabet.scalars[Int($0)]) }, count: count)
    }
    var merges: [(String, String)] = []
    var known = Set(ByteAlphabet.scalars.map { String($0) })
    while merges.count < mergeCount {
      var pairs: [[String]: Int] = [:]
      for word in words {
        for (a, b) in zip(word.parts, word.parts.dropFirst()) { pairs[[a, b], default: 0] += word.count }
      }
      let candidates = pairs.filter { !known.contains($0.key[0] + $0.key[1]) }
      guard let best = candidates.max(by: { ($0.value, $1.key[0], $1.key[1]) < ($1.value, $0.key[0], $0.key[1]) })
      else { break }
      let (a, b) = (best.key[0], best.key[1])
      merges.append((a, b))
      known.insert(a + b)
      for index in words.indices where words[index].parts.count > 1 {
        var merged: [String] = []
        for part in words[index].parts {
          if part == b, merged.last == a { merged[merged.count - 1] = a + b } else { merged.append(part) }
        }
        words[index].parts = merged
      }
    }
    return merges
  }

  /// Sentences of many shapes and a few scripts.
  private static let corpus: [String] = {
    let things = [
      "lantern", "harbour", "kitten", "violin", "orchard", "glacier", "teacup", "railway", "meadow", "comet",
      "sparrow", "fountain", "notebook", "castle", "umbrella", "desert",
    ]
    let qualities = [
      "quiet", "golden", "weathered", "tiny", "brilliant", "crooked", "misty", "painted", "ancient",
      "gentle", "scarlet", "hollow", "frozen", "curious",
    ]
    let scenes = [
      "beside the old stone wall", "under a violet evening sky", "near the window of a cafe",
      "in a field of tall grass", "on a wooden table with soft light", "across the river at dawn",
      "behind the market square", "inside a glass greenhouse", "below the mountain pass",
    ]
    let styles = [
      "watercolour", "photograph, 50mm", "pencil sketch", "oil on canvas", "macro shot, high detail",
      "isometric drawing", "black and white film",
    ]
    var lines: [String] = []
    for (i, thing) in things.enumerated() {
      for (j, quality) in qualities.enumerated() {
        let scene = scenes[(2 * i + j) % scenes.count]
        lines.append("A \(quality) \(thing) \(scene), \(styles[(i + 3 * j) % styles.count]).")
        lines.append("We've seen \(3 * i + j) \(thing)s; they're \(quality), aren't they? It'll cost \(7 * j + i)%.")
      }
    }
    lines += [
      "system\n", "user\n", "assistant\n", "You are a helpful assistant.",
      "Please generate image based on the following caption: ", "Please reconstruct the given image.",
      "What is in the picture? Describe the colours and the background.",
      "func area(width: Int, height: Int) -> Int {\n    return width * height\n}\n",
      "Ein stiller Hafen am Morgen, über den Dächern liegt Nebel.", "Une tasse de thé posée près de la fenêtre.",
      "Тихая гавань на рассвете.", "窓のそばに小さな灯りがある。", "山下的小船和金色的灯。", "조용한 항구의 아침.",
      "🙂🚲🌋 ✨",
    ]
    return lines
  }()

  // MARK: Files

  private static let chatTemplate =
    "{%- if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}"
    + "{%- endif %}{%- for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    + "{%- if message['content'] is string %}{{ message['content'] }}{%- else %}"
    + "{%- for item in message['content'] %}"
    + "{%- if item['type'] == 'image' or 'image' in item %}{{ '<|vision_start|><|image_pad|><|vision_end|>' }}"
    + "{%- elif item['type'] == 'video' or 'video' in item %}{{ '<|vision_start|><|video_pad|><|vision_end|>' }}"
    + "{%- elif 'text' in item %}{{ item['text'] }}{%- endif %}{%- endfor %}{%- endif %}"
    + "{{ '<|im_end|>\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}"

  /// Relative path and content of each file.
  var files: [(path: String, bytes: [UInt8])] {
    let vocabularyJSON = JSONValue.object(vocabulary.enumerated().map { .init($1, .int($0)) })
    let mergeText = "#version: 0.2\n" + merges.map { "\($0.0) \($0.1)\n" }.joined()
    func json(_ value: JSONValue, indent: Int? = 2) -> [UInt8] { Array((value.text(indent: indent) + "\n").utf8) }
    return [
      ("tokenizer.json", json(tokenizerJSON(vocabularyJSON))),
      ("vocab.json", json(vocabularyJSON, indent: nil)),
      ("merges.txt", Array(mergeText.utf8)),
      ("added_tokens.json", json(.object(SpecialTokens.all.map { .init($0.text, .int(tokens.id(of: $0.text))) }))),
      ("tokenizer_config.json", json(tokenizerConfig)),
      ("special_tokens_map.json", json(specialTokensMap)),
    ]
  }

  private func tokenizerJSON(_ vocabulary: JSONValue) -> JSONValue {
    let byteLevel: JSONValue = .members([
      "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": false,
    ])
    return .members([
      "version": "1.0", "truncation": .null, "padding": .null,
      "added_tokens": .array(
        SpecialTokens.all.map { token in
          .members([
            "id": .int(tokens.id(of: token.text)), "content": .string(token.text), "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false, "special": .bool(token.isSpecial),
          ])
        }),
      "normalizer": .members(["type": "NFC"]),
      "pre_tokenizer": .members([
        "type": "Sequence",
        "pretokenizers": .array([
          .members([
            "type": "Split", "pattern": .members(["Regex": .string(QwenSplitPattern.text)]), "behavior": "Isolated",
            "invert": false,
          ]), byteLevel,
        ]),
      ]),
      "post_processor": byteLevel, "decoder": byteLevel,
      "model": .members([
        "type": "BPE", "dropout": .null, "unk_token": .null, "continuing_subword_prefix": .null,
        "end_of_word_suffix": .null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
        "vocab": vocabulary, "merges": .array(merges.map { [.string($0.0), .string($0.1)] }),
      ]),
    ])
  }

  private static let newTokens = ["[IMG]", "[/IMG]", "<image>"]

  private var tokenizerConfig: JSONValue {
    .members([
      "add_bos_token": false, "add_prefix_space": false,
      "added_tokens_decoder": .object(
        SpecialTokens.all.map { token in
          .init(
            String(tokens.id(of: token.text)),
            .members([
              "content": .string(token.text), "lstrip": false, "normalized": false, "rstrip": false,
              "single_word": false, "special": .bool(token.isSpecial),
            ]))
        }),
      "additional_special_tokens": .array(Self.newTokens.map { .string($0) }), "bos_token": .null,
      "chat_template": .string(Self.chatTemplate), "clean_up_tokenization_spaces": false,
      "eos_token": "<|im_end|>", "errors": "replace", "extra_special_tokens": .object([]),
      "model_max_length": 512, "pad_token": "<|endoftext|>", "padding_side": "right",
      "split_special_tokens": false, "tokenizer_class": "Qwen2Tokenizer", "unk_token": .null,
    ])
  }

  private var specialTokensMap: JSONValue {
    func entry(_ text: String) -> JSONValue {
      .members([
        "content": .string(text), "lstrip": false, "normalized": false, "rstrip": false, "single_word": false,
      ])
    }
    return .members([
      "additional_special_tokens": .array(Self.newTokens.map(entry)), "eos_token": entry("<|im_end|>"),
      "pad_token": entry("<|endoftext|>"),
    ])
  }
}
