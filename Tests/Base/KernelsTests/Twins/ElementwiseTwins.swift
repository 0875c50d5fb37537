extension Twin {
  static func sumTwo(_ x: [Float], _ y: [Float]) -> [Float] { zip(x, y).map { $0 + $1 } }

  static func sumThree(_ x: [Float], _ y: [Float], _ z: [Float]) -> [Float] {
    x.indices.map { (x[$0] + y[$0]) + z[$0] }
  }
  static func multiplyAdd(_ x: [Float], _ y: [Float], _ factor: [Float]) -> [Float] {
    x.indices.map { x[$0].addingProduct(y[$0], factor[$0]) }
  }

  static func combine(_ x: [Float], _ p: Float, _ y: [Float], _ q: Float) -> [Float] {
    x.indices.map { (p * x[$0]).addingProduct(q, y[$0]) }
  }

  static func rotateHalves(_ x: [Float], _ cosine: [Float], _ sine: [Float]) -> [Float] {
    let half = cosine.count
    let turned = (0..<half).map { turn(x[$0], x[half + $0], cosine[$0], sine[$0]) }
    return turned.map(\.0) + turned.map(\.1)
  }

  static func rotatePairs(_ x: [Float], _ cosine: [Float], _ sine: [Float]) -> [Float] {
    cosine.indices.flatMap { index in
      let turned = turn(x[2 * index], x[2 * index + 1], cosine[index], sine[index])
      return [turned.0, turned.1]
    }
  }

  /// A point of the plane, turned; every operation is rounded.
  private static func turn(_ a: Float, _ b: Float, _ cosine: Float, _ sine: Float) -> (Float, Float) {
    (a * cosine - b * sine, b * cosine + a * sine)
  }
}
