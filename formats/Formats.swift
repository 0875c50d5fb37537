/// The data of this folder that the program needs at run time, built into it.
public enum Formats {
  /// Family maps by name: which source tensor becomes which part of which component (families.md).
  public static var families: [(name: String, json: [UInt8])] {
    [
      ("blip3o", PackageResources.blip3o_json), ("blip3o-next", PackageResources.blip3o_next_json),
      ("siglip2-sana", PackageResources.siglip2_sana_json),
    ]
  }

  /// Name maps by name: how a family's tensors are called in another program's layout (names.md).
  public static var names: [(name: String, json: [UInt8])] {
    [("qwen2vl", PackageResources.qwen2vl_json)]
  }
}
