/// Qwen2.5's chat form, as text.
public enum ChatTemplate {
  public struct Message: Sendable, Equatable {
    public let role: String
    /// Text, with ``image`` where a picture stands.
    public let content: String

    public init(role: String, content: String) {
      self.role = role
      self.content = content
    }
  }

  /// What stands for a picture in a message.
  public static let image = "<|vision_start|><|image_pad|><|vision_end|>"

  /// The text of a conversation. A conversation without a system message gets the default one.
  public static func text(_ messages: [Message], addsGenerationPrompt: Bool) -> String {
    var text = ""
    if messages.first?.role != "system" { text += "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" }
    for message in messages { text += "<|im_start|>\(message.role)\n\(message.content)<|im_end|>\n" }
    return addsGenerationPrompt ? text + "<|im_start|>assistant\n" : text
  }
}
