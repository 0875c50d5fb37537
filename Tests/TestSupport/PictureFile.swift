import Foundation

/// A picture by hand: 64 x 64 pixels of one red, as PNG.
public enum PictureFile {
  public static let png = [UInt8](
    Data(
      base64Encoded:
        "iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAT0lEQVR42u3PQQkAAAgEsEtiMBMbywi+hcEKLFP9WgQEBAQE"
        + "BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQELgtXzQEt9EQNoQAAAABJRU5ErkJggg=="
    )!)
}
