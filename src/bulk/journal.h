// What is known of an unfinished job: which one it is, and up to where its files are good.
//
// OUTPUT.journal has two checkpoints of kSlotBytes, written in turns so that one is whole whatever happens, and after
// them the job as a JSON object. A checkpoint is a JSON object and spaces; "check" is the hash of the job and of what
// is before it.

#ifndef THIMBLE_BULK_JOURNAL_H_
#define THIMBLE_BULK_JOURNAL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/leftover.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::bulk {

inline constexpr std::size_t kSlotBytes = 2048;
inline constexpr std::size_t kMaxJobBytes = 64 << 10;

struct PartState {
  std::uint64_t bytes = 0;
  std::string hash;
};

struct Counts {
  std::uint64_t texts = 0, tokens = 0, truncated = 0, empty = 0, duplicates = 0;
};

struct Checkpoint {
  bool complete = false;  // Whether only names are left to give.
  Counts counts;
  std::uint64_t input_lines = 0;
  PartState input, output, ids, seen;
};

// Move-only; Thread-compatible. Locks the file, so that one job at a time writes an output.
class Journal {
 public:
  // Makes the file where there is none. kOverloaded while another process has it; kCorrupt when both checkpoints are
  // damaged.
  static Result<Journal> Open(const std::string& path);

  Journal(Journal&&) noexcept = default;
  Journal& operator=(Journal&&) = delete;

  // The newest whole one, if there is one, and its job.
  const std::optional<Checkpoint>& checkpoint() const { return checkpoint_; }
  const json::Value& job() const { return job_; }

  // Forgets what is there.
  Status Begin(const json::Value& job);
  // Returns when it is on the disk.
  Status Write(const Checkpoint& checkpoint);
  void Remove();

 private:
  Journal(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Status Read();

  std::string path_;
  base::Descriptor file_;
  base::Leftover leftover_;  // Until the first checkpoint.
  json::Value job_;
  std::string job_text_;
  std::uint64_t sequence_ = 0;
  std::optional<Checkpoint> checkpoint_;
};

// The checkpoint in a slot after the job `job_text`; unset when it is not whole. `sequence` counts them.
std::optional<Checkpoint> ReadSlot(std::string_view slot, std::string_view job_text, std::uint64_t& sequence);
std::string WriteSlot(const Checkpoint& checkpoint, std::string_view job_text, std::uint64_t sequence);

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_JOURNAL_H_
