// What the pickle of a state dict says of its tensors: names, element types, and views of storages.

#ifndef THIMBLE_CONVERT_TORCH_STATE_DICT_H_
#define THIMBLE_CONVERT_TORCH_STATE_DICT_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert/pickle.h"
#include "thimble/status.h"

namespace thimble::convert {

struct TorchType {
  std::string_view name;  // As torch calls it.
  std::uint64_t bytes = 0;
  enum Form : std::uint8_t { kFloat64, kFloat32, kFloat16, kBFloat16, kOther } form = kOther;
};

struct TorchStorage {
  std::string key;
  const TorchType* type = nullptr;  // Static.
  std::uint64_t bytes = 0;
};

// Element (i, j, ...) is element offset + i * strides[0] + j * strides[1] + ... of the storage, and lies in it.
struct TorchTensor {
  std::string name;
  const TorchType* type = nullptr;  // Static.
  TorchStorage storage;
  std::vector<std::uint64_t> shape, strides;
  std::uint64_t offset = 0;
  std::uint64_t elements = 0;
};

// The classes and functions that such a pickle may name.
std::span<const PickleGlobal> TorchGlobals();

// Of a value of kind kPersistent. kCorrupt, or kUnsupported when it is something else.
Result<TorchStorage> ReadTorchStorage(const Pickle& pickle, Pickle::Ref ref, const std::string& path);

// The tensors of a dict, in its order, under distinct names of printable ASCII. kUnsupported when the pickle is another
// object or holds one, and for tensors whose values are not simply those of a storage; kCorrupt.
Result<std::vector<TorchTensor>> ReadTorchStateDict(const Pickle& pickle, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TORCH_STATE_DICT_H_
