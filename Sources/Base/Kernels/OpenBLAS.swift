import Glibc

/// OpenBLAS, loaded when it is asked for.
///
/// Debian's build picks its core by a table of processors that ends before today's: unknown ones get its slowest. The core is
/// therefore named through OPENBLAS_CORETYPE before the library is loaded; a value that the user has set stays.
public final class OpenBLAS: Sendable {
  private typealias Product =
    @convention(c) (
      Int32, Int32, Int32, Int32, Int32, Int32, Float, UnsafePointer<Float>?, Int32, UnsafePointer<Float>?, Int32,
      Float,
      UnsafeMutablePointer<Float>?, Int32
    ) -> Void

  private typealias Factor =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>, UnsafePointer<Int32>,
      UnsafeMutablePointer<Int32>, Int
    ) -> Void
  private typealias Inverse =
    @convention(c) (
      UnsafePointer<CChar>, UnsafePointer<CChar>, UnsafePointer<Int32>, UnsafeMutablePointer<Double>,
      UnsafePointer<Int32>, UnsafeMutablePointer<Int32>, Int, Int
    ) -> Void

  /// The library, or nil where there is none.
  public static let shared: OpenBLAS? = OpenBLAS()

  /// The core that the library says it uses.
  public let coreName: String
  private let product: Product
  private let factor: Factor?
  private let inverse: Inverse?

  private init?() {
    guard Self.hasRoom else { return nil }
    // It would make threads when it is loaded, and end the program where it is given none.
    setenv("OPENBLAS_NUM_THREADS", "1", 1)
    if let core = Self.wantedCore { setenv("OPENBLAS_CORETYPE", core, 0) }
    guard let library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL),
      let product = dlsym(library, "cblas_sgemm"), let name = dlsym(library, "openblas_get_corename"),
      let setThreads = dlsym(library, "openblas_set_num_threads")
    else { return nil }
    self.product = unsafeBitCast(product, to: Product.self)
    factor = dlsym(library, "dpotrf_").map { unsafeBitCast($0, to: Factor.self) }
    inverse = dlsym(library, "dtrtri_").map { unsafeBitCast($0, to: Inverse.self) }
    coreName = String(cString: unsafeBitCast(name, to: (@convention(c) () -> UnsafePointer<CChar>).self)())
    // The callers share the work among their own threads.
    unsafeBitCast(setThreads, to: (@convention(c) (Int32) -> Void).self)(1)
  }

  /// The library takes 128 MB of addresses for each thread that calls it, and asks for them again and again, for ever, where it is
  /// refused them: it is left alone where the system may refuse.
  private static var hasRoom: Bool {
    [__rlimit_resource_t(RLIMIT_AS.rawValue), __rlimit_resource_t(RLIMIT_DATA.rawValue)].allSatisfy { resource in
      var limit = rlimit()
      return getrlimit(resource, &limit) == 0 && limit.rlim_cur == ~0
    }
  }

  /// What suits the instructions of this machine; nil leaves the choice to the library.
  private static var wantedCore: String? {
    let found = InstructionSets.current
    if found.contains(.avx512) { return "SkylakeX" }
    if found.contains(.avx2) { return "Haswell" }
    return nil
  }

  /// `c = a b^T`, or `c += a b^T`, on the calling thread.
  /// - Parameters:
  ///   - a: `[rows, aStride]`, `depth` of each row used.
  ///   - b: `[columns, bStride]`, `depth` of each row used.
  ///   - c: `[rows, cStride]`, `columns` of each row written.
  public func multiply(
    rows: Int, columns: Int, depth: Int, a: UnsafePointer<Float>, aStride: Int, b: UnsafePointer<Float>, bStride: Int,
    c: UnsafeMutablePointer<Float>, cStride: Int, adding: Bool
  ) {
    precondition(rows >= 0 && columns >= 0 && depth >= 0 && aStride >= depth && bStride >= depth && cStride >= columns)
    // Row-major; a as it is, b turned.
    product(
      101, 111, 112, Int32(rows), Int32(columns), Int32(depth), 1, a, Int32(aStride), b, Int32(bStride),
      adding ? 1 : 0, c, Int32(cStride))
  }

  /// Writes the inverse of the upper triangular R whose R R^T a symmetric matrix is, by LAPACK's dpotrf and dtrtri.
  /// - Parameter matrix: `[size, size]`; the result's lower triangle is undefined.
  /// - Returns: false where the matrix is not positive definite, or the library has no LAPACK; the matrix is then lost.
  func inverseOfFactor(_ matrix: inout [Double], size: Int) -> Bool {
    precondition(matrix.count == size * size && size <= 1 << 15)
    guard let factor, let inverse else { return false }
    var (order, info) = (Int32(size), Int32(0))
    // Rows and columns in reverse order: what is lower there is upper here. LAPACK's columns are our rows.
    matrix.reverse()
    matrix.withUnsafeMutableBufferPointer { factor("L", &order, $0.baseAddress!, &order, &info, 1) }
    guard info == 0 else { return false }
    matrix.withUnsafeMutableBufferPointer { inverse("L", "N", &order, $0.baseAddress!, &order, &info, 1, 1) }
    // Column-major lower (i, j) lies at j * size + i, which reversed is row-major (size - 1 - j, size - 1 - i).
    matrix.reverse()
    for row in 0..<size {
      for column in row + 1..<max(size, row + 1) {
        matrix[row * size + column] = matrix[column * size + row]
      }
    }
    return info == 0
  }
}
