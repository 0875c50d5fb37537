/// The data of this folder that the program needs at run time, built into it.
public enum Formats {
  /// Family maps by name: which source tensor becomes which part of which component (families.md).
  public static var families: [(name: String, json: [UInt8])] {
    [("blip3o", PackageResources.blip3o_json)]
  }
}
