import PickleFiles
import Tensors

/// The globals that a checkpoint's pickle may name. All stay names: those that stand for tensors are understood, the
/// others are data of a training run that is passed over.
enum TorchGlobals {
  static let rebuildTensor = PickleGlobal("torch._utils", "_rebuild_tensor")
  static let rebuildTensor2 = PickleGlobal("torch._utils", "_rebuild_tensor_v2")
  static let rebuildTensor3 = PickleGlobal("torch._utils", "_rebuild_tensor_v3")
  static let rebuildParameter = PickleGlobal("torch._utils", "_rebuild_parameter")
  static let rebuildParameterWithState = PickleGlobal("torch._utils", "_rebuild_parameter_with_state")
  static let rebuildFromType = PickleGlobal("torch._tensor", "_rebuild_from_type_v2")
  static let size = PickleGlobal("torch", "Size")

  static func allows(_ global: PickleGlobal) -> Bool { all.contains(global) }

  /// The element type of a storage class. Source: PyTorch, `torch/storage.py`.
  static func storageType(_ global: PickleGlobal) -> DType? {
    guard ["torch", "torch.cuda"].contains(global.module) else { return nil }
    return storages[global.name]
  }

  /// Whether a global is the class of storages that know bytes only.
  static func isUntyped(_ global: PickleGlobal) -> Bool {
    global == PickleGlobal("torch.storage", "UntypedStorage") || global == PickleGlobal("torch", "UntypedStorage")
  }

  /// Whether a global makes a NumPy array.
  static func isArray(_ global: PickleGlobal) -> Bool {
    global.module.hasPrefix("numpy") && ["_reconstruct", "ndarray"].contains(global.name)
  }

  /// The element type that a `torch.dtype` names.
  static func dtype(_ global: PickleGlobal) -> DType? { global.module == "torch" ? dtypes[global.name] : nil }

  private static let storages: [String: DType] = [
    "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16, "LongStorage": .i64,
    "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8, "ByteStorage": .u8, "BoolStorage": .bool,
    "ComplexFloatStorage": .c64,
  ]

  private static let dtypes: [String: DType] = [
    "float64": .f64, "float32": .f32, "float16": .f16, "bfloat16": .bf16, "int64": .i64, "int32": .i32,
    "int16": .i16, "int8": .i8, "uint8": .u8, "uint16": .u16, "uint32": .u32, "uint64": .u64, "bool": .bool,
    "complex64": .c64, "float8_e4m3fn": .f8E4M3, "float8_e5m2": .f8E5M2, "float8_e4m3fnuz": .f8E4M3FNUZ,
    "float8_e5m2fnuz": .f8E5M2FNUZ, "float8_e8m0fnu": .f8E8M0,
  ]

  private static let inert: [String: [String]] = [
    "torch._utils": [
      "_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_parameter",
      "_rebuild_parameter_with_state",
    ],
    "torch._tensor": ["_rebuild_from_type_v2"],
    "torch": ["Size", "Tensor", "device", "UntypedStorage"],
    "torch.nn.parameter": ["Parameter"],
    "torch.storage": ["UntypedStorage", "TypedStorage"],
    "torch.serialization": ["_get_layout"],
    "collections": ["OrderedDict", "defaultdict", "Counter"],
    "builtins": basicTypes, "__builtin__": basicTypes,
    "argparse": ["Namespace"], "types": ["SimpleNamespace"],
    "pathlib": ["PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath"],
    "datetime": ["datetime", "timedelta", "date"],
    "_codecs": ["encode"], "copyreg": ["_reconstructor"], "copy_reg": ["_reconstructor"],
    "numpy": ["ndarray", "dtype"],
    "numpy.core.multiarray": ["_reconstruct", "scalar"], "numpy._core.multiarray": ["_reconstruct", "scalar"],
    "deepspeed.runtime.zero.config": ["ZeroStageEnum"],
    "deepspeed.runtime.fp16.loss_scaler": ["LossScaler", "DynamicLossScaler"],
    "deepspeed.utils.tensor_fragment": ["fragment_address", "tensor_fragment"],
    "torch.torch_version": ["TorchVersion"],
    "pytorch_lightning.callbacks.model_checkpoint": ["ModelCheckpoint"],
    "pytorch_lightning.utilities.parsing": ["AttributeDict"],
    "lightning_fabric.utilities.data": ["AttributeDict"], "lightning.fabric.utilities.data": ["AttributeDict"],
  ]

  private static let basicTypes = [
    "set", "frozenset", "dict", "list", "tuple", "int", "float", "complex", "str", "bytes", "bytearray", "bool",
    "object", "long", "unicode", "slice", "range",
  ]

  private static let all: Set<PickleGlobal> = {
    var all: Set<PickleGlobal> = []
    for (module, names) in inert { for name in names { all.insert(PickleGlobal(module, name)) } }
    for name in storages.keys { for module in ["torch", "torch.cuda"] { all.insert(PickleGlobal(module, name)) } }
    for name in dtypes.keys { all.insert(PickleGlobal("torch", name)) }
    return all
  }()
}
