import ArgumentParser
import Evidence

/// Bounds that the models must keep.
struct BoundOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Exit with 1 when a mean KL divergence is higher.", valueName: "nats"))
  var maxKl: Double?

  @Option(help: ArgumentHelp("Exit with 1 when fewer first choices agree, in percent.", valueName: "percent"))
  var minTop1: Double?

  @Option(help: ArgumentHelp("Exit with 1 when the features' SQNR is lower.", valueName: "dB"))
  var minFeatures: Double?

  @Option(help: ArgumentHelp("Exit with 1 when the latents' SQNR is lower.", valueName: "dB"))
  var minLatents: Double?

  @Option(help: ArgumentHelp("Exit with 1 when a picture's PSNR is lower.", valueName: "dB"))
  var minPsnr: Double?

  @Option(help: ArgumentHelp("Exit with 1 when a picture's SSIM is lower.", valueName: "0 to 1"))
  var minSsim: Double?

  var gates: EvidenceReport.Gates {
    var gates = EvidenceReport.Gates()
    (gates.maxKL, gates.minTop1) = (maxKl, minTop1.map { $0 / 100 })
    (gates.minFeatures, gates.minLatents) = (minFeatures, minLatents)
    (gates.minPSNR, gates.minSSIM) = (minPsnr, minSsim)
    return gates
  }
}
