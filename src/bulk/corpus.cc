// Three threads: one reads, the caller's embeds, one writes.

#include <array>
#include <mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/guard.h"
#include "base/thread.h"
#include "bulk/channel.h"
#include "bulk/job.h"
#include "thimble/bulk.h"

namespace thimble::bulk {
namespace {

// Of each of the two threads; a record is parsed on one.
constexpr std::size_t kStackBytes = base::Thread::kStackBytes + (64 << 10);

// A batch with its vectors; the last one of all has no texts.
struct Finished {
  Batch* batch = nullptr;
  Vectors* vectors = nullptr;
};

class Pipeline {
 public:
  Pipeline(Job& job, Embedder& embedder, const CorpusOptions& options)
      : job_(job), embedder_(embedder), vector_options_(options.vectors) {
    for (Batch& batch : batches_) free_batches_.Push(&batch);
    for (std::size_t i = 0; i < finished_.size(); ++i) {
      finished_[i].vectors = &vectors_[i];
      free_vectors_.Push(&finished_[i]);
    }
  }

  // Returns whether all is read and written, or false when `progress` stopped it. `end` is then the end of the input.
  Result<bool> Run(const std::function<bool(const CorpusProgress&)>& progress, Position& end) {
    base::Thread reader, writer;
    Status started = reader.Start(&Pipeline::ReadAll, this, kStackBytes);
    if (started.ok()) started = writer.Start(&Pipeline::WriteAll, this, kStackBytes);
    if (!started.ok()) Fail(started);
    const Status embedded = base::Guarded([&] { return EmbedAll(progress); });
    if (!embedded.ok()) Fail(embedded);
    if (stopped_) CloseReader();
    writer.Join();
    CloseReader();
    reader.Join();
    if (!status_.ok()) return status_;
    end = end_;
    return !stopped_;
  }

 private:
  void Fail(const Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (status_.ok()) status_ = status;
    }
    CloseReader();
    free_vectors_.Close();
    finished_batches_.Close();
  }
  void CloseReader() {
    free_batches_.Close();
    read_batches_.Close();
  }

  static void* ReadAll(void* self) {
    auto& pipeline = *static_cast<Pipeline*>(self);
    const Status status = base::Guarded([&] { return pipeline.Read(); });
    if (!status.ok()) pipeline.Fail(status);
    return nullptr;
  }
  static void* WriteAll(void* self) {
    auto& pipeline = *static_cast<Pipeline*>(self);
    const Status status = base::Guarded([&] { return pipeline.Write(); });
    if (!status.ok()) pipeline.Fail(status);
    return nullptr;
  }

  Status Read() {
    while (Batch* batch = free_batches_.Pop()) {
      THIMBLE_RETURN_IF_ERROR(job_.reader().Next(batch->records));
      const bool last = batch->records.texts.empty();
      read_batches_.Push(batch);
      if (last) break;
    }
    return Status();
  }

  Status Write() {
    while (Finished* done = finished_batches_.Pop()) {
      if (done->batch == nullptr) break;
      THIMBLE_RETURN_IF_ERROR(job_.Add(*done->batch, *done->vectors));
      free_batches_.Push(done->batch);
      free_vectors_.Push(done);
      THIMBLE_RETURN_IF_ERROR(job_.MaybeCheckpoint());
    }
    return Status();
  }

  Status EmbedAll(const std::function<bool(const CorpusProgress&)>& progress) {
    CorpusProgress state = {.texts = job_.resumed().texts,
                            .resumed_texts = job_.resumed().texts,
                            .input_bytes = job_.begin().bytes,
                            .resumed_bytes = job_.resumed().texts > 0 ? job_.begin().bytes : 0,
                            .input_size = job_.reader().file().size()};
    while (Batch* batch = read_batches_.Pop()) {
      if (batch->records.texts.empty()) {
        end_ = batch->records.end;
        break;
      }
      Finished* finished = free_vectors_.Pop();
      if (finished == nullptr) return Status();
      THIMBLE_RETURN_IF_ERROR(Embed(*batch, *finished->vectors));
      state.texts += batch->records.texts.size();
      state.input_bytes = batch->records.end.bytes;
      finished->batch = batch;
      finished_batches_.Push(finished);
      stopped_ = progress && !progress(state);
      if (stopped_) break;
    }
    finished_batches_.Push(&last_);
    return Status();
  }

  Status Embed(Batch& batch, Vectors& vectors) {
    const RecordBatch& records = batch.records;
    views_.clear();
    places_.clear();
    batch.keys.clear();
    batch.same.assign(records.texts.size(), 0);
    for (std::size_t i = 0; i < records.texts.size(); ++i) {
      if (records.cut[i] && vector_options_.long_texts == LongTexts::kError) {
        return Error(Code::kInvalidArgument, "texts[", records.first + i, "]: a text of more than ", kMaxTextBytes,
                     " bytes (long_texts is error)");
      }
      if (job_.index()) {
        batch.keys.push_back(KeyOf(records.texts[i], records.cut[i]));
        THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> before, job_.index()->FindOrAdd(batch.keys.back()));
        if (before) batch.same[i] = *before + 1;
      }
      if (batch.same[i] != 0) continue;
      views_.push_back(records.texts[i]);
      places_.push_back(i);
    }
    const std::size_t dimensions = vector_options_.dimensions.value_or(embedder_.dimensions());
    vectors.values.resize(views_.size() * dimensions);
    vectors.reports.resize(views_.size());
    vector_options_.first_index = records.first;
    Status status = embedder_.EmbedBatch(views_, vectors.values, vectors.reports, vector_options_);
    if (!status.ok() && views_.size() < records.texts.size()) {  // For the index in its message.
      for (std::size_t i = 0; i < views_.size(); ++i) {
        vector_options_.first_index = records.first + places_[i];
        THIMBLE_RETURN_IF_ERROR(embedder_.EmbedBatch(std::span(views_).subspan(i, 1),
                                                     std::span(vectors.values).subspan(i * dimensions, dimensions), {},
                                                     vector_options_));
      }
    }
    THIMBLE_RETURN_IF_ERROR(status);
    for (std::size_t i = 0; i < views_.size(); ++i) vectors.reports[i].truncated |= records.cut[places_[i]];
    return Status();
  }

  Job& job_;
  Embedder& embedder_;
  VectorOptions vector_options_;
  std::array<Batch, 3> batches_;
  std::array<Vectors, 2> vectors_;
  std::array<Finished, 2> finished_;
  Finished last_;
  Channel<Batch> free_batches_, read_batches_;
  Channel<Finished> free_vectors_, finished_batches_;
  std::vector<std::string_view> views_;
  std::vector<std::size_t> places_;  // Of each view in its batch.
  Position end_;
  bool stopped_ = false;
  std::mutex mutex_;
  Status status_;  // The first failure.
};

Result<CorpusReport> Embed(std::shared_ptr<const Model> model, const CorpusOptions& options,
                           const std::function<bool(const CorpusProgress&)>& progress) {
  if (options.batch_texts == 0 || options.batch_bytes == 0 || options.record_bytes < kMaxTextBytes) {
    return Error(Code::kInvalidArgument,
                 "expected batches of at least one text and byte, and `record_bytes` of at least ", kMaxTextBytes);
  }
  const Model& info = *model;
  THIMBLE_ASSIGN_OR_RETURN(Embedder embedder, Embedder::Create(std::move(model), options.embedder));
  THIMBLE_ASSIGN_OR_RETURN(Job job, Job::Open(info, options, embedder.plan()));
  CorpusReport report;
  report.plan = embedder.plan();
  Result<bool> ran = true;
  if (!job.complete()) {
    Position end;
    ran = Pipeline(job, embedder, options).Run(progress, end);
    if (ran.ok() && *ran) {
      const Status finished = job.Finish(end);
      if (!finished.ok()) ran = finished;
    }
  } else if (const Status finished = job.Finish({}); !finished.ok()) {
    ran = finished;
  }
  if (!ran.ok()) {
    if (!job.Leave(false)) return ran.status();
    return Error(ran.status().code(), ran.status().message(), "; ", job.counts().texts,
                 " vectors are kept, and `resume` continues after them");
  }
  if (!*ran) job.Leave(true);
  const Counts& counts = job.counts();
  report.complete = *ran;
  report.texts = counts.texts;
  report.resumed_texts = job.resumed().texts;
  report.tokens = counts.tokens;
  report.truncated = counts.truncated;
  report.empty = counts.empty;
  report.duplicates = counts.duplicates;
  report.remark = job.remark;
  return report;
}

}  // namespace
}  // namespace thimble::bulk

namespace thimble::inline v0_1 {

Result<CorpusReport> EmbedCorpus(std::shared_ptr<const Model> model, const CorpusOptions& options,
                                 const std::function<bool(const CorpusProgress&)>& progress) {
  return base::Guarded([&] { return bulk::Embed(std::move(model), options, progress); });
}

}  // namespace thimble::inline v0_1
