// The files of a job: which they are, how they go on, and how they become the output.

#ifndef THIMBLE_BULK_JOB_H_
#define THIMBLE_BULK_JOB_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bulk/journal.h"
#include "bulk/part_file.h"
#include "bulk/records.h"
#include "bulk/seen.h"
#include "bulk/vector_rows.h"
#include "json/value.h"
#include "thimble/bulk.h"
#include "thimble/status.h"

namespace thimble::bulk {

// One batch on its way.
struct Batch {
  RecordBatch records;
  // With `dedupe`: of each text its key, and the number of the equal one before it plus 1, or 0.
  std::vector<TextKey> keys;
  std::vector<std::uint64_t> same;
};
// The vectors of the texts of a batch that are no duplicates.
struct Vectors {
  std::vector<float> values;
  std::vector<Report> reports;
};

// Move-only; Thread-compatible.
class Job {
 public:
  // Takes the lock, and finds out where to go on. Nothing is written before. The errors of EmbedCorpus.
  static Result<Job> Open(const Model& model, const CorpusOptions& options, const Plan& plan);

  RecordReader& reader() { return reader_; }
  const Counts& counts() const { return counts_; }
  const Counts& resumed() const { return resumed_; }
  const Position& begin() const { return reader_.begin(); }
  // Of the texts before; unset without `dedupe`.
  std::optional<SeenIndex>& index() { return index_; }
  bool complete() const { return complete_; }

  // Appends the rows of a batch.
  Status Add(const Batch& batch, const Vectors& vectors);
  // Writes a checkpoint when it is time.
  Status MaybeCheckpoint();
  // All records were read up to `end`: completes the files, and gives them their names.
  Status Finish(const Position& end);
  // What is left after a failure or a stop: returns whether it can be resumed. Removes it where there is too little.
  bool Leave(bool stopped);

  std::string remark;

 private:
  Job(RecordReader reader, Journal journal, std::string target)
      : reader_(std::move(reader)), journal_(std::move(journal)), target_(std::move(target)) {}
  Status Begin(const json::Value& job, bool resume);
  Status BeginParts(const Checkpoint* from);
  Status CheckSizes(const Checkpoint& from) const;
  Status WriteCheckpoint(bool complete);
  Status Rename(const std::string& part, const std::string& name, std::uint64_t bytes);
  Status WriteManifest(const Checkpoint& done, const std::string& output_hash);
  Status FinishNames(const Checkpoint& done);
  bool json_rows() const { return form_.format == VectorFormat::kJsonl; }
  bool has_sidecar() const { return has_ids_ && !json_rows(); }
  std::uint64_t header_bytes() const { return form_.format == VectorFormat::kNpy ? kNpyHeaderBytes : 0; }

  RecordReader reader_;
  Journal journal_;
  const std::string target_;
  std::string input_name_, space_;
  json::Value job_;
  VectorForm form_;
  std::size_t dimensions_ = 0;
  bool has_ids_ = false;
  std::optional<RowEncoder> encoder_;
  std::optional<PartFile> output_, ids_, seen_;
  std::optional<SeenIndex> index_;
  Counts counts_, resumed_;
  Position written_;
  bool between_batches_ = true, complete_ = false, has_checkpoint_ = false;
  std::optional<Checkpoint> done_;  // Found complete.
  double next_checkpoint_ = 0;      // In seconds of the steady clock.
  std::string row_;                 // Reused.
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_JOB_H_
