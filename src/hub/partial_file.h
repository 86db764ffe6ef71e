// A file that is being downloaded: what is there of it survives the process.

#ifndef THIMBLE_HUB_PARTIAL_FILE_H_
#define THIMBLE_HUB_PARTIAL_FILE_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hub/listing.h"
#include "net/http.h"
#include "thimble/status.h"

namespace thimble::hub {

// PATH.part, and PATH.etag with the entity tag that it has on the server. Move-only; Thread-compatible.
class PartialFile final : public net::HttpSink {
 public:
  // Goes on with what is there. kIo or kNotFound when it cannot be opened.
  static Result<PartialFile> Open(const std::string& path, const HubFile& file,
                                  std::function<void(std::uint64_t)> on_bytes);
  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile() override;

  std::uint64_t size() const { return size_; }
  const std::string& etag() const { return etag_; }
  // Whether it is as long as the hub says.
  bool HasAll() const { return file_.size == size_; }
  // Whether an error was one of writing.
  bool disk_failed() const { return disk_failed_; }

  Status Begin(const net::HttpAnswer& answer) override;
  Status Write(std::span<const std::byte> bytes) override;

  // How it differs in size or hash from what the hub states; empty when it does not. `linked_etag` is the hash where
  // the hub did not state one before.
  Result<std::string> Difference(std::string_view linked_etag) const;
  // Forgets what is there.
  Status Clear();
  // Gives the file its name.
  Status Finish();

 private:
  PartialFile(std::string path, const HubFile& file, std::function<void(std::uint64_t)> on_bytes)
      : path_(std::move(path)), file_(file), on_bytes_(std::move(on_bytes)) {}
  Status SetSize(std::uint64_t size);
  Status KeepEtag(const std::string& etag);

  std::string path_;
  HubFile file_;
  std::function<void(std::uint64_t)> on_bytes_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::string etag_;
  bool disk_failed_ = false;
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_PARTIAL_FILE_H_
