import CKernels

/// Instructions of this machine that the kernels make use of; fewer where `BANTAM_ISA` asks for it.
public struct InstructionSets: OptionSet, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let crc32c = InstructionSets(rawValue: UInt32(CK_ISA_CRC32C))
  public static let avx2 = InstructionSets(rawValue: UInt32(CK_ISA_AVX2))
  public static let avx512 = InstructionSets(rawValue: UInt32(CK_ISA_AVX512))
  public static let avx512VNNI = InstructionSets(rawValue: UInt32(CK_ISA_AVX512_VNNI))
  public static let avx512BF16 = InstructionSets(rawValue: UInt32(CK_ISA_AVX512_BF16))

  public static let avxVNNI = InstructionSets(rawValue: UInt32(CK_ISA_AVX_VNNI))
  public static let neonDotProduct = InstructionSets(rawValue: UInt32(CK_ISA_NEON_DOTPROD))
  public static let neonI8MM = InstructionSets(rawValue: UInt32(CK_ISA_NEON_I8MM))

  public static var current: InstructionSets { InstructionSets(rawValue: ck_isa()) }

  /// As processors' papers spell them.
  public var names: [String] {
    [
      (Self.crc32c, "CRC32C"), (.avx2, "AVX2"), (.avxVNNI, "AVX-VNNI"), (.avx512, "AVX-512"),
      (.avx512VNNI, "AVX-512 VNNI"),
      (.avx512BF16, "AVX-512 BF16"), (.neonDotProduct, "NEON dot product"),
      (.neonI8MM, "NEON I8MM"),
    ].filter { contains($0.0) }.map(\.1)
  }
}
