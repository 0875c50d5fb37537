import Kernels

/// Cosines and sines by which pairs of channels turn.
public struct RotaryTable: @unchecked Sendable {
  // Unchecked: the activations are only read.
  /// How the channels of a head pair up.
  public enum Pairing: Sendable {
    /// Channel i with channel i + d/2.
    case halves
    /// Channel 2i with channel 2i + 1.
    case neighbours
  }

  public let cosine: Activation
  public let sine: Activation
  public let pairing: Pairing

  /// - Parameters:
  ///   - cosine, sine: `[positions, d/2]`.
  public init(cosine: Activation, sine: Activation, pairing: Pairing) {
    precondition(cosine.count == sine.count)
    self.cosine = cosine
    self.sine = sine
    self.pairing = pairing
  }
}

extension Execution {
  private func elementOperation(_ path: String, _ x: Activation, cost: Int, inputs: Int = 1) -> NetworkOperation {
    NetworkOperation(
      path: path, kind: .elementwise, operationCount: cost * x.count, weightByteCount: 0,
      activationByteCount: (inputs + 1) * x.byteCount)
  }

  /// Turns all heads of x by the angles of their positions. Source: Su et al., "RoFormer".
  /// - Parameter x: `[batch, n, heads * d]`, in place.
  public func rotate(_ path: String, _ x: Activation, by table: RotaryTable, heads: Int) throws {
    let half = table.cosine.channels
    precondition(x.channels == heads * half * 2 && table.cosine.rowCount == x.pixelCount)
    try perform(
      NetworkOperation(
        path: path, kind: .rotation, operationCount: 3 * x.count, weightByteCount: 0,
        activationByteCount: 2 * x.byteCount + 2 * table.cosine.byteCount),
      inputs: [x], output: x
    ) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        for row in rows {
          let position = row % x.pixelCount
          let (cosine, sine) = (table.cosine.row(position), table.sine.row(position))
          for head in 0..<heads {
            let values = x.row(row) + head * half * 2
            switch table.pairing {
            case .halves: Elementwise.rotateHalves(values, cosine: cosine, sine: sine, half: half)
            case .neighbours: Elementwise.rotatePairs(values, cosine: cosine, sine: sine, half: half)
            }
          }
        }
      }
    }
  }

  /// Applies a function value by value, in place.
  public func apply(_ function: Elementwise.Function, _ path: String, to x: Activation) throws {
    try perform(elementOperation(path, x, cost: 8), inputs: [x], output: x) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        Elementwise.apply(
          function, to: .init(start: x.row(rows.lowerBound), count: rows.count * x.channels))
      }
    }
  }

  /// `gate = silu(gate) * value`. Source: Shazeer, "GLU Variants Improve Transformer".
  public func siluGate(_ path: String, gate: Activation, value: Activation) throws {
    precondition(gate.count == value.count)
    try perform(elementOperation(path, gate, cost: 9, inputs: 2), inputs: [gate, value], output: gate) {
      parallelRows(gate.rowCount, columns: gate.channels) { rows in
        let start = gate.row(rows.lowerBound)
        Elementwise.siluGate(
          out: start, gate: start, value: value.row(rows.lowerBound), count: rows.count * gate.channels)
      }
    }
  }

  /// `out = both[0..<n] * gelu(both[n..<2n])` by row: GEGLU. Source: Shazeer, "GLU Variants Improve Transformer".
  public func geluGate(_ path: String, both: Activation, into out: Activation) throws {
    precondition(both.channels == 2 * out.channels && both.rowCount == out.rowCount)
    try perform(elementOperation(path, both, cost: 9), inputs: [both], output: out) {
      parallelRows(out.rowCount, columns: both.channels) { rows in
        for row in rows {
          Elementwise.geluGate(
            out: out.row(row), gate: both.row(row) + out.channels, value: both.row(row), count: out.channels)
        }
      }
    }
  }

  /// `x += y`.
  public func add(_ path: String, _ y: Activation, to x: Activation) throws {
    precondition(x.count == y.count)
    try perform(elementOperation(path, x, cost: 1, inputs: 2), inputs: [x, y], output: x) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        Elementwise.add(y.row(rows.lowerBound), to: x.row(rows.lowerBound), count: rows.count * x.channels)
      }
    }
  }

  /// `out = x + y`.
  /// - Parameter out: like both; may be y.
  func add(_ path: String, _ x: Activation, _ y: Activation, into out: Activation) throws {
    precondition(x.count == y.count && out.count == x.count)
    try perform(elementOperation(path, x, cost: 1, inputs: 2), inputs: [x, y], output: out) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        let first = rows.lowerBound
        Elementwise.sum(y.row(first), x.row(first), into: out.row(first), count: rows.count * x.channels)
      }
    }
  }

  /// `x += y * factor`, the factor one row for all tokens of a sample.
  /// - Parameter factor: `[batch, channels]`.
  public func add(_ path: String, _ y: Activation, times factor: Activation, to x: Activation) throws {
    precondition(x.count == y.count && factor.channels == x.channels && factor.rowCount == x.batch)
    try perform(elementOperation(path, x, cost: 2, inputs: 2), inputs: [x, y, factor], output: x) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        for row in rows {
          Elementwise.add(
            y.row(row), times: factor.row(row / x.pixelCount), to: x.row(row), count: x.channels)
        }
      }
    }
  }

  /// Adds one row to all pixels of a sample.
  /// - Parameter summand: `[batch, channels]`.
  public func addToPixels(_ path: String, _ summand: Activation, to x: Activation) throws {
    precondition(summand.channels == x.channels && summand.rowCount == x.batch)
    try perform(elementOperation(path, x, cost: 1), inputs: [x, summand], output: x) {
      parallelRows(x.rowCount, columns: x.channels) { rows in
        for row in rows { Elementwise.add(summand.row(row / x.pixelCount), to: x.row(row), count: x.channels) }
      }
    }
  }

  /// Adds `y`, each head times its own factor: `x[head] += factor[head] * y[head]`.
  /// - Parameter factors: `heads` values.
  public func addHeads(_ path: String, _ y: Activation, factors: [Float], to x: Activation) throws {
    precondition(x.count == y.count && x.channels % factors.count == 0)
    try perform(elementOperation(path, x, cost: 2, inputs: 2), inputs: [x, y], output: x) {
      let width = x.channels / factors.count
      parallelRows(x.rowCount, columns: x.channels) { rows in
        for row in rows {
          for (head, factor) in factors.enumerated() {
            Elementwise.combine(
              x.row(row) + head * width, times: 1, with: y.row(row) + head * width, times: factor, count: width)
          }
        }
      }
    }
  }

  /// Runs of rows in another order.
  /// - Parameters:
  ///   - order: for each run of the result, the number of the run of x that it is.
  ///   - grain: rows of a run.
  ///   - out: like x, overwritten.
  public func gather(_ path: String, _ x: Activation, _ order: [Int], grain: Int, into out: Activation) throws {
    precondition(x.count == out.count && order.count * grain == x.rowCount)
    try perform(elementOperation(path, out, cost: 0), inputs: [x], output: out) {
      for (place, source) in order.enumerated() {
        out.row(place * grain).update(from: x.row(source * grain), count: grain * x.channels)
      }
    }
  }

  /// One of several parts of equal width, side by side in the channels.
  /// - Parameter out: `[rows, width]`, overwritten.
  public func part(_ path: String, of x: Activation, number: Int, into out: Activation) throws {
    precondition(x.rowCount == out.rowCount && (number + 1) * out.channels <= x.channels)
    try perform(elementOperation(path, out, cost: 0), inputs: [x], output: out) {
      for row in 0..<out.rowCount {
        out.row(row).update(from: x.row(row) + number * out.channels, count: out.channels)
      }
    }
  }

  /// Channels of a, then channels of b.
  public func concatenate(_ path: String, _ a: Activation, _ b: Activation, into out: Activation) throws {
    precondition(a.rowCount == b.rowCount && out.rowCount == a.rowCount && out.channels == a.channels + b.channels)
    try perform(elementOperation(path, out, cost: 0), inputs: [a, b], output: out) {
      parallelRows(out.rowCount, columns: out.channels) { rows in
        for row in rows {
          out.row(row).update(from: a.row(row), count: a.channels)
          (out.row(row) + a.channels).update(from: b.row(row), count: b.channels)
        }
      }
    }
  }

  /// `out = x * factor`.
  public func scale(_ path: String, _ x: Activation, by factor: Float, into out: Activation) throws {
    precondition(x.count == out.count)
    try perform(elementOperation(path, x, cost: 1), inputs: [x], output: out) {
      for index in 0..<x.count { out.base[index] = x.base[index] * factor }
    }
  }

  /// One step of Euler's method with guidance between the two samples of a batch: both samples of x move by
  /// `delta * (other + guidance * (conditional - other))`. Source: Ho and Salimans, "Classifier-Free Diffusion Guidance".
  /// - Parameters:
  ///   - x, slope: a batch of 2; the samples of x are equal and stay so.
  ///   - conditional: the sample of `slope` that saw the condition.
  public func guidedStep(
    _ path: String, _ x: Activation, _ slope: Activation, conditional: Int, guidance: Float, by delta: Float
  ) throws {
    precondition(x.batch == 2 && slope.count == x.count && (0...1).contains(conditional))
    try perform(elementOperation(path, x, cost: 3, inputs: 2), inputs: [x, slope], output: x.sample(0)) {
      let count = x.count / 2
      let (seen, other) = (slope.sample(conditional).base, slope.sample(1 - conditional).base)
      for index in 0..<count {
        let value = x.base[index] + delta * (other[index] + guidance * (seen[index] - other[index]))
        x.base[index] = value
        x.base[count + index] = value
      }
    }
  }

  /// The mean over all tokens of each sample.
  /// - Parameter out: `[batch, channels]`, overwritten.
  public func meanOfTokens(_ path: String, _ x: Activation, into out: Activation) throws {
    precondition(out.rowCount == x.batch && out.channels == x.channels)
    try perform(elementOperation(path, x, cost: 1), inputs: [x], output: out) {
      for sample in 0..<x.batch {
        for channel in 0..<x.channels {
          var sum = 0.0
          for token in 0..<x.pixelCount { sum += Double(x.row(sample * x.pixelCount + token)[channel]) }
          out.row(sample)[channel] = Float(sum / Double(x.pixelCount))
        }
      }
    }
  }

  /// Fills memory outside of any operation, such as inputs.
  public func fill(_ x: Activation, _ body: (UnsafeMutableBufferPointer<Float>) -> Void) {
    if !isPlanning { body(x.values) }
  }
}
