// The two containers of torch.save, where the bytes of storages are in them, and the elements of tensors as floats.

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/regular_file.h"
#include "convert/file_reader.h"
#include "convert/pickle.h"
#include "convert/torch_state_dict.h"
#include "convert/weight_file.h"
#include "convert/zip_file.h"

namespace thimble::convert {
namespace {

// Where the bytes of a storage are in the file.
struct Place {
  std::uint64_t begin = 0, bytes = 0;
};

// Bytes of storages that are read in any order, through blocks that are kept. Their number is a prime, and beyond that
// of the rows of most matrices: the blocks that hold a column then have slots of their own, whatever the stride.
class BlockCache {
 public:
  // A multiple of the bytes of every element, which therefore is in one block.
  static constexpr std::uint64_t kBlockBytes = 512;

  // The byte at `offset` of a storage, and those up to the end of its block. Valid until the next call. Storages must
  // not overlap.
  Result<const std::byte*> At(const base::RegularFile& file, const Place& storage, std::uint64_t offset) {
    if (blocks_.empty()) {
      blocks_.resize(kBlocks * kBlockBytes);
      held_.resize(kBlocks);
    }
    const std::uint64_t in_block = offset % kBlockBytes, slot = offset / kBlockBytes % kBlocks;
    const std::uint64_t begin = storage.begin + (offset - in_block);
    std::byte* block = &blocks_[slot * kBlockBytes];
    if (held_[slot] != begin) {
      held_[slot] = 0;
      const std::uint64_t count = std::min(kBlockBytes, storage.bytes - (offset - in_block));
      THIMBLE_RETURN_IF_ERROR(file.ReadAt(begin, std::span(block, count)));
      held_[slot] = begin;
    }
    return block + in_block;
  }

 private:
  static constexpr std::uint64_t kBlocks = 8191;
  std::vector<std::byte> blocks_;
  std::vector<std::uint64_t>
      held_;  // Where in the file the block of each slot begins; 0, where no storage is, for none.
};

void ToFloats(TorchType::Form form, const std::byte* bytes, std::span<float> out) {
  if (form == TorchType::kFloat32) {
    std::memcpy(out.data(), bytes, out.size_bytes());
  } else if (form == TorchType::kFloat64) {
    for (std::size_t i = 0; i < out.size(); ++i) {
      double value;
      std::memcpy(&value, bytes + 8 * i, 8);
      out[i] = static_cast<float>(value);
    }
  } else {
    Widen(bytes, form == TorchType::kFloat16, out);
  }
}

class TorchFile : public WeightFile {
 public:
  // `places` are those of the tensors' storages, which they must be as long as.
  TorchFile(base::RegularFile file, std::vector<TorchTensor> tensors, std::vector<Place> places)
      : WeightFile(file.path()), file_(std::move(file)), stored_(std::move(tensors)), places_(std::move(places)) {
    for (const TorchTensor& tensor : stored_) tensors_.push_back({tensor.name, tensor.shape});
  }

  Status Read(std::size_t index, std::uint64_t first, std::span<float> out) override {
    const TorchTensor& tensor = stored_[index];
    assert(first <= tensor.elements && out.size() <= tensor.elements - first);
    if (tensor.type->form == TorchType::kOther) {
      return Error(Code::kUnsupported, path_, ": tensor \"", tensor.name,
                   "\": expected float64, float32, float16 or bfloat16, found ", tensor.type->name);
    }
    while (!out.empty()) {
      const std::size_t count = std::min<std::size_t>(out.size(), kChunk);
      buffer_.resize(count * tensor.type->bytes);
      THIMBLE_RETURN_IF_ERROR(RowMajor(tensor) ? ReadRun(tensor, places_[index], first)
                                               : Gather(tensor, places_[index], first));
      ToFloats(tensor.type->form, buffer_.data(), out.first(count));
      first += count;
      out = out.subspan(count);
    }
    return Status();
  }

 private:
  static constexpr std::size_t kChunk = 16384;  // Elements.

  static bool RowMajor(const TorchTensor& tensor) {
    std::uint64_t stride = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
      if (tensor.shape[i] != 1 && tensor.strides[i] != stride) return false;
      stride *= tensor.shape[i];
    }
    return true;
  }

  // Both fill the buffer with elements from `first` on.
  Status ReadRun(const TorchTensor& tensor, const Place& place, std::uint64_t first) {
    return file_.ReadAt(place.begin + (tensor.offset + first) * tensor.type->bytes, buffer_);
  }

  Status Gather(const TorchTensor& tensor, const Place& place, std::uint64_t first) {
    const std::size_t rank = tensor.shape.size(), width = tensor.type->bytes;
    std::vector<std::uint64_t> index(rank);
    std::uint64_t element = tensor.offset;
    for (std::size_t i = rank; i-- > 0; first /= tensor.shape[i]) {
      index[i] = first % tensor.shape[i];
      element += index[i] * tensor.strides[i];
    }
    for (std::size_t at = 0; at < buffer_.size(); at += width) {
      THIMBLE_ASSIGN_OR_RETURN(const std::byte* bytes, cache_.At(file_, place, element * width));
      std::memcpy(&buffer_[at], bytes, width);
      for (std::size_t i = rank; i-- > 0;) {
        element += tensor.strides[i];
        if (++index[i] < tensor.shape[i]) break;
        element -= tensor.shape[i] * tensor.strides[i];
        index[i] = 0;
      }
    }
    return Status();
  }

  base::RegularFile file_;
  std::vector<TorchTensor> stored_;  // As tensors_.
  std::vector<Place> places_;        // Of their storages.
  std::vector<std::byte> buffer_;
  BlockCache cache_;
};

using Places = std::unordered_map<std::string, Place>;

Result<std::unique_ptr<WeightFile>> Finish(base::RegularFile file, std::vector<TorchTensor> tensors,
                                           const Places& storages, std::string_view prefix) {
  std::vector<Place> places;
  for (const TorchTensor& tensor : tensors) {
    const auto found = storages.find(std::string(prefix) + tensor.storage.key);
    if (found == storages.end()) {
      return Error(Code::kCorrupt, file.path(), ": tensor \"", tensor.name, "\": its storage \"",
                   Printable(tensor.storage.key), "\" is missing");
    }
    if (found->second.bytes < tensor.storage.bytes) {
      return Error(Code::kCorrupt, file.path(), ": tensor \"", tensor.name, "\": its storage \"",
                   Printable(tensor.storage.key), "\" has ", found->second.bytes, " bytes, expected ",
                   tensor.storage.bytes);
    }
    places.push_back(found->second);
  }
  return std::unique_ptr<WeightFile>(new TorchFile(std::move(file), std::move(tensors), std::move(places)));
}

// The archive of torch.save since torch 1.6: PREFIX/data.pkl, PREFIX/data/KEY for each storage, and notes.
class Archive {
 public:
  explicit Archive(base::RegularFile file) : file_(std::move(file)) {}

  Result<std::unique_ptr<WeightFile>> Open() {
    THIMBLE_ASSIGN_OR_RETURN(std::vector<ZipEntry> entries, ReadZipDirectory(file_));
    const std::size_t slash = entries[0].name.find('/');
    if (slash == std::string::npos) return NoTorch();
    prefix_ = entries[0].name.substr(0, slash + 1);
    for (ZipEntry& entry : entries) entries_.emplace(std::move(entry.name), Place{entry.begin, entry.bytes});
    if (Find("constants.pkl") != nullptr) {
      return Error(Code::kUnsupported, file_.path(), ": expected a state dict, found a TorchScript archive");
    }
    THIMBLE_RETURN_IF_ERROR(CheckNotes());
    const Place* place = Find("data.pkl");
    if (place == nullptr) return NoTorch();
    FileReader reader(file_, place->begin, place->begin + place->bytes);
    THIMBLE_ASSIGN_OR_RETURN(const Pickle pickle, Pickle::Read(reader, TorchGlobals()));
    THIMBLE_ASSIGN_OR_RETURN(std::vector<TorchTensor> tensors, ReadTorchStateDict(pickle, file_.path()));
    return Finish(std::move(file_), std::move(tensors), entries_, prefix_ + "data/");
  }

 private:
  Status NoTorch() const {
    return Error(Code::kCorrupt, file_.path(), ": a zip archive, but not of torch.save: it has no data.pkl");
  }

  const Place* Find(std::string_view name) const {
    const auto found = entries_.find(prefix_ + std::string(name));
    return found == entries_.end() ? nullptr : &found->second;
  }

  // The bytes of a short entry; empty when it is absent.
  Result<std::string> Note(std::string_view name) const {
    constexpr std::uint64_t kMaxBytes = 64;
    std::string text;
    const Place* place = Find(name);
    if (place == nullptr) return text;
    text.resize(std::min(place->bytes, kMaxBytes));
    THIMBLE_RETURN_IF_ERROR(file_.ReadAt(place->begin, std::as_writable_bytes(std::span(text))));
    return text;
  }

  Status CheckNotes() const {
    THIMBLE_ASSIGN_OR_RETURN(const std::string order, Note("byteorder"));
    if (Find("byteorder") != nullptr && order != "little") {
      return Error(Code::kUnsupported, file_.path(), ": expected byte order \"little\", found \"", Printable(order),
                   "\"");
    }
    // What torch reads is 1 to 10.
    THIMBLE_ASSIGN_OR_RETURN(const std::string note, Note(Find("version") != nullptr ? "version" : ".data/version"));
    std::string_view version = note;
    if (version.ends_with('\n')) version.remove_suffix(1);
    const bool known = version == "10" || (version.size() == 1 && version[0] >= '1' && version[0] <= '9');
    if (known || version.empty()) return Status();
    return Error(Code::kUnsupported, file_.path(), ": expected a torch archive of version 1 to 10, found \"",
                 Printable(version), "\"");
  }

  base::RegularFile file_;
  Places entries_;  // By name.
  std::string prefix_;
};

// The file of torch.save before torch 1.6: pickles of a magic number, a version, the system, the object and the keys of
// its storages; then in their order, for each the number of its elements in 8 bytes, and the elements.
class LegacyFile {
 public:
  explicit LegacyFile(base::RegularFile file) : file_(std::move(file)) {}

  Result<std::unique_ptr<WeightFile>> Open() {
    FileReader reader(file_, 0, file_.size());
    THIMBLE_RETURN_IF_ERROR(ReadPreface(reader));
    THIMBLE_ASSIGN_OR_RETURN(const Pickle object, Pickle::Read(reader, TorchGlobals()));
    THIMBLE_ASSIGN_OR_RETURN(std::vector<TorchTensor> tensors, ReadTorchStateDict(object, file_.path()));
    THIMBLE_ASSIGN_OR_RETURN(const Pickle keys, Pickle::Read(reader, {}));
    THIMBLE_ASSIGN_OR_RETURN(const Places places, FindStorages(object, keys, reader.offset()));
    return Finish(std::move(file_), std::move(tensors), places, "");
  }

 private:
  using Kind = Pickle::Kind;

  Status ReadPreface(FileReader& reader) const {
    constexpr std::string_view kMagic("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
    THIMBLE_ASSIGN_OR_RETURN(const Pickle magic, Pickle::Read(reader, {}));
    if (magic.kind(magic.root()) != Kind::kLong || magic.text(magic.root()) != kMagic) {
      return Error(Code::kCorrupt, file_.path(), ": a pickle, but not of torch.save: its magic number is missing");
    }
    THIMBLE_ASSIGN_OR_RETURN(const Pickle version, Pickle::Read(reader, {}));
    if (version.kind(version.root()) != Kind::kInteger || version.integer(version.root()) != 1001) {
      return Error(Code::kUnsupported, file_.path(), ": expected version 1001 of the format of torch.save");
    }
    THIMBLE_ASSIGN_OR_RETURN(const Pickle system, Pickle::Read(reader, {}));
    if (system.kind(system.root()) != Kind::kDict) {
      return Error(Code::kCorrupt, file_.path(), ": expected a dict about the system that saved the file");
    }
    const std::span<const Pickle::Ref> items = system.items(system.root());
    for (std::size_t i = 0; i < items.size(); i += 2) {
      if (system.kind(items[i]) != Kind::kText || system.text(items[i]) != "little_endian") continue;
      if (system.kind(items[i + 1]) == Kind::kBool && system.integer(items[i + 1]) == 1) continue;
      return Error(Code::kUnsupported, file_.path(), ": expected little-endian, found another byte order");
    }
    return Status();
  }

  Result<Places> FindStorages(const Pickle& object, const Pickle& keys, std::uint64_t offset) const {
    std::unordered_map<std::string, const TorchType*> types;
    for (const Pickle::Ref ref : object.persistent()) {
      THIMBLE_ASSIGN_OR_RETURN(const TorchStorage storage, ReadTorchStorage(object, ref, file_.path()));
      if (types.emplace(storage.key, storage.type).first->second == storage.type) continue;
      return Error(Code::kUnsupported, file_.path(), ": storage \"", Printable(storage.key), "\" of two element types");
    }
    if (keys.kind(keys.root()) != Kind::kList) {
      return Error(Code::kCorrupt, file_.path(), ": expected a list of the keys of storages");
    }
    Places places;
    for (const Pickle::Ref ref : keys.items(keys.root())) {
      const std::string key(keys.kind(ref) == Kind::kText ? keys.text(ref) : "");
      const auto type = types.find(key);
      if (type == types.end()) {
        return Error(Code::kCorrupt, file_.path(), ": storage \"", Printable(key), "\" of no tensor");
      }
      std::array<std::byte, 8> count;
      if (file_.size() - offset < count.size()) return CutShort(key, "8 bytes", offset);
      THIMBLE_RETURN_IF_ERROR(file_.ReadAt(offset, count));
      offset += count.size();
      const auto bytes = base::CheckedMul(LittleEndian(count), type->second->bytes);
      if (!bytes || *bytes > file_.size() - offset) {
        return CutShort(key, std::to_string(LittleEndian(count)) + " elements", offset);
      }
      if (!places.emplace(key, Place{offset, *bytes}).second) {
        return Error(Code::kCorrupt, file_.path(), ": storage \"", Printable(key), "\" appears twice");
      }
      offset += *bytes;
    }
    return places;
  }

  Status CutShort(std::string_view key, std::string_view what, std::uint64_t offset) const {
    return Error(Code::kCorrupt, file_.path(), ": storage \"", Printable(key), "\" needs ", what, " at byte ", offset,
                 ", the file has ", file_.size(), " bytes");
  }

  base::RegularFile file_;
};

}  // namespace

Result<std::unique_ptr<WeightFile>> OpenTorchFile(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  std::array<std::byte, 4> first = {};
  if (file.size() >= first.size()) THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, first));
  constexpr std::uint64_t kZipMark = 0x04034b50;
  constexpr std::byte kPickleMark{0x80};
  if (LittleEndian(first) == kZipMark) return Archive(std::move(file)).Open();
  if (first[0] == kPickleMark) return LegacyFile(std::move(file)).Open();
  return Error(Code::kCorrupt, path, ": expected a file of torch.save, found neither a zip archive nor a pickle");
}

}  // namespace thimble::convert
