// Anonymous mappings and those of files, on POSIX systems.

#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <optional>

#include "base/arena.h"
#include "base/error.h"
#include "base/file_map.h"

namespace thimble::base {
namespace {

// Mappings that handlers of signals find. Those beyond are missing from their messages.
constexpr std::size_t kMostListed = 64;
std::array<std::atomic<const MappedFile*>, kMostListed> listed;

void Replace(const MappedFile* from, const MappedFile* to) {
  for (std::atomic<const MappedFile*>& place : listed) {
    const MappedFile* expected = from;
    if (place.compare_exchange_strong(expected, to)) return;
  }
}

}  // namespace

Result<Mapping> Mapping::Create(std::size_t size) {
  void* address = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (address == MAP_FAILED) return Error(Code::kOutOfMemory, "the system refused ", size, " bytes of scratch memory");
  Mapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(address), size};
  return mapping;
}

void Mapping::Release() {
  if (bytes_.empty()) return;
#if defined(__linux__)
  madvise(bytes_.data(), bytes_.size(), MADV_DONTNEED);
#else
  // Elsewhere that call is a hint; new pages in the place of the old ones are not.
  mmap(bytes_.data(), bytes_.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
#endif
}

Mapping::~Mapping() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

Result<FileMap> FileMap::Of(RegularFile file) {
  const std::string& path = file.path();
  if (file.size() == 0) return Error(Code::kCorrupt, path, ": the file is empty");
  void* address = mmap(nullptr, file.size(), PROT_READ, MAP_SHARED, static_cast<int>(file.handle()), 0);
  if (address == MAP_FAILED) {
    const bool unsupported = errno == ENODEV;
    const Status failure = SystemError(errno, "cannot map", path);
    if (!unsupported) return failure;
    return Error(Code::kIo, failure.message(), ": its file system does not map files; set `load` of a model to copy");
  }
  const std::span<const std::byte> bytes(static_cast<const std::byte*>(address), file.size());
  FileMap map(std::move(file), bytes);
  map.listed_.reset(new MappedFile{bytes, map.file_.path(), map.file_.handle(), map.file_.stamp()});
  Replace(nullptr, map.listed_.get());
  return map;
}

FileMap::~FileMap() {
  if (bytes_.empty() || is_copy()) return;
  if (listed_ != nullptr) Replace(listed_.get(), nullptr);
  munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFault FindMappedFault(const void* address) {
  MappedFault found;
  for (const std::atomic<const MappedFile*>& place : listed) {
    const MappedFile* file = place.load();
    if (file == nullptr) continue;
    const auto* byte = static_cast<const std::byte*>(address);
    const bool here = byte >= file->bytes.data() && byte < file->bytes.data() + file->bytes.size();
    const std::optional<OpenFile> now = Describe(file->handle);
    const bool written = now && now->stamp.WrittenSince(file->stamp);
    if (!here && !written) continue;
    found = {file->path.c_str(), file->stamp.size, now ? now->stamp.size : 0, written};
    if (here) return found;
  }
  return found;
}

}  // namespace thimble::base
