// Reading the calls by which torch.load would rebuild tensors. Their arguments are those of torch/_utils.py.

#include "convert/torch_state_dict.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "convert/file_reader.h"
#include "format/safetensors.h"

namespace thimble::convert {
namespace {

using Kind = Pickle::Kind;
using Ref = Pickle::Ref;

constexpr std::array kTypes = {
    TorchType{"float64", 8, TorchType::kFloat64},
    TorchType{"float32", 4, TorchType::kFloat32},
    TorchType{"float16", 2, TorchType::kFloat16},
    TorchType{"bfloat16", 2, TorchType::kBFloat16},
    TorchType{"int64", 8},
    TorchType{"int32", 4},
    TorchType{"int16", 2},
    TorchType{"int8", 1},
    TorchType{"uint8", 1},
    TorchType{"bool", 1},
    TorchType{"complex64", 8},
    TorchType{"complex128", 16},
    TorchType{"uint16", 2},
    TorchType{"uint32", 4},
    TorchType{"uint64", 8},
    TorchType{"complex32", 4},
    TorchType{"float8_e4m3fn", 1},
    TorchType{"float8_e5m2", 1},
    TorchType{"float8_e4m3fnuz", 1},
    TorchType{"float8_e5m2fnuz", 1},
    TorchType{"float8_e8m0fnu", 1},
};

constexpr int TypeIndex(std::string_view name) {
  int index = 0;
  while (kTypes[static_cast<std::size_t>(index)].name != name) ++index;
  return index;
}

// Tags of globals: a function, an index in kTypes behind kStorage or kType, or kClass.
enum Tag {
  kOrderedDict,
  kRebuildTensor,
  kRebuildTensorV2,
  kRebuildTensorV3,
  kRebuildParameter,
  kRebuildParameterWithState,
  kRebuildFromTypeV2,
  kClass,
  kStorage = 100,
  kType = 200,
};

constexpr PickleGlobal Function(std::string_view name, Tag tag) {
  return {"torch._utils", name, PickleGlobal::kFunction, tag};
}
constexpr PickleGlobal Storage(std::string_view module, std::string_view name, std::string_view type) {
  return {module, name, PickleGlobal::kName, kStorage + TypeIndex(type)};
}

constexpr std::array kObjects = {
    PickleGlobal{"collections", "OrderedDict", PickleGlobal::kOrderedDict, kOrderedDict},
    Function("_rebuild_tensor", kRebuildTensor),
    Function("_rebuild_tensor_v2", kRebuildTensorV2),
    Function("_rebuild_tensor_v3", kRebuildTensorV3),
    Function("_rebuild_parameter", kRebuildParameter),
    Function("_rebuild_parameter_with_state", kRebuildParameterWithState),
    PickleGlobal{"torch._tensor", "_rebuild_from_type_v2", PickleGlobal::kFunction, kRebuildFromTypeV2},
    PickleGlobal{"torch", "Tensor", PickleGlobal::kName, kClass},
    PickleGlobal{"torch.nn.parameter", "Parameter", PickleGlobal::kName, kClass},
    Storage("torch", "DoubleStorage", "float64"),
    Storage("torch", "FloatStorage", "float32"),
    Storage("torch", "HalfStorage", "float16"),
    Storage("torch", "BFloat16Storage", "bfloat16"),
    Storage("torch", "LongStorage", "int64"),
    Storage("torch", "IntStorage", "int32"),
    Storage("torch", "ShortStorage", "int16"),
    Storage("torch", "CharStorage", "int8"),
    Storage("torch", "ByteStorage", "uint8"),
    Storage("torch", "BoolStorage", "bool"),
    Storage("torch", "ComplexFloatStorage", "complex64"),
    Storage("torch", "ComplexDoubleStorage", "complex128"),
    Storage("torch", "UntypedStorage", "uint8"),
    Storage("torch.storage", "UntypedStorage", "uint8"),
};

constexpr auto kGlobals = [] {
  std::array<PickleGlobal, kObjects.size() + kTypes.size()> globals;
  std::copy(kObjects.begin(), kObjects.end(), globals.begin());
  for (std::size_t i = 0; i < kTypes.size(); ++i) {
    globals[kObjects.size() + i] = {"torch", kTypes[i].name, PickleGlobal::kName, kType + static_cast<int>(i)};
  }
  return globals;
}();

// A parameter of a tensor with attributes is three calls in one another.
constexpr int kMaxCalls = 4;
constexpr std::size_t kMaxAttributes = 256;
// A pickle says a string once and may mean it often.
constexpr std::size_t kMaxNameBytes = 512;

class Reader {
 public:
  Reader(const Pickle& pickle, const std::string& path) : pickle_(pickle), path_(path) {}

  Result<TorchStorage> ReadStorage(Ref ref) const {
    const Ref id = pickle_.items(ref)[0];
    if (pickle_.kind(id) != Kind::kTuple) return Corrupt("a persistent identifier is no tuple");
    const std::span<const Ref> fields = pickle_.items(id);
    if (fields.empty() || Text(fields[0]) != "storage") {
      return Unsupported("a persistent identifier other than that of a storage");
    }
    // The legacy format has a sixth: a view of another storage, as torch before 0.4 had them.
    if (fields.size() == 6 && pickle_.kind(fields[5]) != Kind::kNone) return Unsupported("a storage that is a view");
    if (fields.size() != 5 && fields.size() != 6) {
      return Corrupt("a storage of ", fields.size(), " fields, expected 5 or 6");
    }
    TorchStorage storage;
    storage.type = Type(fields[1], kStorage);
    const auto key = Text(fields[2]);
    const auto elements = Size(fields[4]);
    if (storage.type == nullptr || !key || !elements) {
      return Corrupt("a storage, expected its class, key, location and size");
    }
    if (key->size() > kMaxNameBytes) return Corrupt("a storage key of more than ", kMaxNameBytes, " bytes");
    storage.key = *key;
    const auto bytes = base::CheckedMul(*elements, storage.type->bytes);
    if (!bytes) return Corrupt("storage \"", Printable(*key), "\" has ", *elements, " elements, whose bytes overflow");
    storage.bytes = *bytes;
    return storage;
  }

  Result<std::vector<TorchTensor>> ReadStateDict() {
    if (pickle_.kind(pickle_.root()) != Kind::kDict) {
      return Unsupported("expected a state dict, that is a dict of tensors, found ", KindName(pickle_.root()));
    }
    const std::span<const Ref> items = pickle_.items(pickle_.root());
    if (items.size() / 2 > format::kMaxTensors) {
      return Corrupt(items.size() / 2, " tensors, at most ", format::kMaxTensors, " are allowed");
    }
    std::vector<TorchTensor> tensors(items.size() / 2);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto name = Text(items[2 * i]);
      if (!name) return Unsupported("expected names as keys of the state dict, found ", KindName(items[2 * i]));
      tensor_ = Printable(*name);
      if (name->empty() || name->size() > kMaxNameBytes || !std::all_of(name->begin(), name->end(), IsPrintable)) {
        return Unsupported("expected a name of 1 to ", kMaxNameBytes, " characters of printable ASCII");
      }
      tensors[i].name = *name;
      THIMBLE_RETURN_IF_ERROR(ReadTensor(items[2 * i + 1], &tensors[i]));
    }
    std::vector<std::string_view> names;
    for (const TorchTensor& tensor : tensors) names.push_back(tensor.name);
    const auto twice = FindTwice(std::move(names));
    if (!twice) return tensors;
    tensor_ = Printable(*twice);
    return Corrupt("the name appears twice");
  }

 private:
  template <typename... Parts>
  Status Fail(Code code, const Parts&... parts) const {
    const std::string where = tensor_.empty() ? "" : "tensor \"" + tensor_ + "\": ";
    return Error(code, path_, ": ", where, parts...);
  }
  template <typename... Parts>
  Status Corrupt(const Parts&... parts) const {
    return Fail(Code::kCorrupt, parts...);
  }
  template <typename... Parts>
  Status Unsupported(const Parts&... parts) const {
    return Fail(Code::kUnsupported, parts...);
  }

  std::optional<std::string_view> Text(Ref ref) const {
    if (pickle_.kind(ref) != Kind::kText) return std::nullopt;
    return pickle_.text(ref);
  }
  std::optional<std::uint64_t> Size(Ref ref) const {
    if (pickle_.kind(ref) != Kind::kInteger || pickle_.integer(ref) < 0) return std::nullopt;
    return static_cast<std::uint64_t>(pickle_.integer(ref));
  }
  std::optional<std::vector<std::uint64_t>> Sizes(Ref ref) const {
    if (pickle_.kind(ref) != Kind::kTuple || pickle_.items(ref).size() > format::kMaxRank) return std::nullopt;
    std::vector<std::uint64_t> sizes;
    for (const Ref item : pickle_.items(ref)) {
      const auto size = Size(item);
      if (!size) return std::nullopt;
      sizes.push_back(*size);
    }
    return sizes;
  }
  // Of a global with a tag behind `base`; else null.
  const TorchType* Type(Ref ref, int base) const {
    if (pickle_.kind(ref) != Kind::kGlobal) return nullptr;
    const int index = pickle_.global(ref).tag - base;
    const bool known = index >= 0 && static_cast<std::size_t>(index) < kTypes.size();
    return known ? &kTypes[static_cast<std::size_t>(index)] : nullptr;
  }

  std::string KindName(Ref ref) const {
    const Kind kind = pickle_.kind(ref);
    if (kind == Kind::kGlobal) {
      return std::string(pickle_.global(ref).module) + "." + std::string(pickle_.global(ref).name);
    }
    // By Kind.
    static constexpr const char* kNames[] = {"None",    "a bool", "an int", "an int", "a float",  "a string",
                                             "a tuple", "a list", "a dict", "",       "a tensor", "a storage"};
    static_assert(std::size(kNames) == static_cast<std::size_t>(Kind::kPersistent) + 1);
    return kNames[static_cast<std::size_t>(kind)];
  }

  Status ReadTensor(Ref ref, TorchTensor* tensor) const {
    if (pickle_.kind(ref) == Kind::kDict) {
      return Unsupported("expected a tensor, found a dict: a checkpoint that wraps its state dict is not read");
    }
    if (pickle_.kind(ref) != Kind::kCall) return Unsupported("expected a tensor, found ", KindName(ref));
    return ReadCall(pickle_.items(ref)[0], pickle_.items(ref)[1], 1, tensor);
  }

  Status ReadCall(Ref function, Ref arguments, int depth, TorchTensor* tensor) const {
    const PickleGlobal& global = pickle_.global(function);
    const std::span<const Ref> args = pickle_.items(arguments);
    auto counts = [&](std::size_t least, std::size_t most) { return args.size() >= least && args.size() <= most; };
    if (depth > kMaxCalls) return Corrupt("more than ", kMaxCalls, " calls in one another");
    switch (global.tag) {
      case kRebuildTensor:
        if (counts(4, 4)) return ReadView(args, std::nullopt, std::nullopt, tensor);
        break;
      case kRebuildTensorV2:
        if (counts(6, 7)) return ReadView(args, std::nullopt, Optional(args, 6), tensor);
        break;
      case kRebuildTensorV3:
        if (counts(7, 8)) return ReadView(args, args[6], Optional(args, 7), tensor);
        break;
      case kRebuildParameter:
      case kRebuildParameterWithState: {
        const std::size_t expected = global.tag == kRebuildParameter ? 3 : 4;
        if (!counts(expected, expected)) break;
        if (pickle_.kind(args[0]) != Kind::kCall) return Corrupt("a parameter of ", KindName(args[0]));
        if (expected == 4) THIMBLE_RETURN_IF_ERROR(CheckState(args[3]));
        const std::span<const Ref> call = pickle_.items(args[0]);
        return ReadCall(call[0], call[1], depth + 1, tensor);
      }
      case kRebuildFromTypeV2: {
        if (!counts(4, 4)) break;
        const bool known = pickle_.kind(args[0]) == Kind::kGlobal &&
                           pickle_.global(args[0]).role == PickleGlobal::kFunction &&
                           pickle_.kind(args[1]) == Kind::kGlobal && pickle_.global(args[1]).tag == kClass &&
                           pickle_.kind(args[2]) == Kind::kTuple;
        if (!known) return Corrupt("malformed arguments of ", global.name);
        THIMBLE_RETURN_IF_ERROR(CheckState(args[3]));
        return ReadCall(args[0], args[2], depth + 1, tensor);
      }
      default:
        break;
    }
    return Corrupt(args.size(), " arguments of ", global.name);
  }

  static std::optional<Ref> Optional(std::span<const Ref> args, std::size_t index) {
    return index < args.size() ? std::optional(args[index]) : std::nullopt;
  }

  // Attributes of a tensor leave its values as they are, but for these, which are views of the values.
  Status CheckState(Ref state) const {
    std::span<const Ref> dicts(&state, 1);
    if (pickle_.kind(state) == Kind::kTuple) dicts = pickle_.items(state);  // Those of __dict__ and of __slots__.
    if (dicts.size() > 2) return Corrupt("attributes in ", dicts.size(), " dicts, expected at most 2");
    for (const Ref dict : dicts) {
      if (pickle_.kind(dict) == Kind::kNone) continue;
      if (pickle_.kind(dict) != Kind::kDict) return Corrupt("attributes in ", KindName(dict), ", expected a dict");
      const std::span<const Ref> items = pickle_.items(dict);
      if (items.size() > 2 * kMaxAttributes) {
        return Corrupt(items.size() / 2, " attributes, at most ", kMaxAttributes, " are allowed");
      }
      for (std::size_t i = 0; i < items.size(); i += 2) {
        const auto name = Text(items[i]);
        if (name && *name != "data" && *name != "real" && *name != "imag") continue;
        return Unsupported("attribute ", name ? Printable(*name) : KindName(items[i]), " set on a tensor");
      }
    }
    return Status();
  }

  // `args` begin with storage, offset, sizes and strides.
  Status ReadView(std::span<const Ref> args, std::optional<Ref> type, std::optional<Ref> metadata,
                  TorchTensor* tensor) const {
    if (pickle_.kind(args[0]) != Kind::kPersistent) return Corrupt("a view of ", KindName(args[0]));
    THIMBLE_ASSIGN_OR_RETURN(tensor->storage, ReadStorage(args[0]));
    tensor->type = type ? Type(*type, kType) : tensor->storage.type;
    if (tensor->type == nullptr) return Corrupt("expected an element type, found ", KindName(*type));
    // Bits that negate or conjugate the values.
    if (metadata && pickle_.kind(*metadata) != Kind::kNone &&
        (pickle_.kind(*metadata) != Kind::kDict || !pickle_.items(*metadata).empty())) {
      return Unsupported("its metadata change its values");
    }
    auto offset = Size(args[1]);
    auto shape = Sizes(args[2]), strides = Sizes(args[3]);
    if (!offset || !shape || !strides || shape->size() != strides->size()) {
      return Corrupt("expected an offset, and a shape and strides of at most ", format::kMaxRank, " lengths");
    }
    tensor->offset = *offset;
    tensor->shape = *std::move(shape);
    tensor->strides = *std::move(strides);
    return CheckBounds(tensor);
  }

  Status CheckBounds(TorchTensor* tensor) const {
    const auto elements = base::CheckedProduct(tensor->shape);
    if (!elements || !base::CheckedMul(*elements, sizeof(double))) {
      return Corrupt("shape ", format::ShapeText(tensor->shape), " overflows");
    }
    tensor->elements = *elements;
    if (*elements == 0) return Status();
    std::optional<std::uint64_t> last = tensor->offset;
    for (std::size_t i = 0; i < tensor->shape.size() && last; ++i) {
      const auto step = base::CheckedMul(tensor->shape[i] - 1, tensor->strides[i]);
      last = step ? base::CheckedAdd(*last, *step) : std::nullopt;
    }
    const std::uint64_t available = tensor->storage.bytes / tensor->type->bytes;
    if (last && *last < available) return Status();
    return Corrupt("shape ", format::ShapeText(tensor->shape), " with strides ", format::ShapeText(tensor->strides),
                   " at element ", tensor->offset, " leaves its storage of ", available, " elements");
  }

  const Pickle& pickle_;
  const std::string& path_;
  std::string tensor_;  // At work, for messages.
};

}  // namespace

std::span<const PickleGlobal> TorchGlobals() { return kGlobals; }

Result<TorchStorage> ReadTorchStorage(const Pickle& pickle, Pickle::Ref ref, const std::string& path) {
  return Reader(pickle, path).ReadStorage(ref);
}

Result<std::vector<TorchTensor>> ReadTorchStateDict(const Pickle& pickle, const std::string& path) {
  return Reader(pickle, path).ReadStateDict();
}

}  // namespace thimble::convert
