// Making batches, and taking them apart.

#include "server/batcher.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "server/http.h"

namespace thimble::server {
namespace {

using std::chrono::nanoseconds;
using std::chrono::steady_clock;

// The weight of a batch in the measured speed.
constexpr double kNewWeight = 0.1;
// Texts of fewer bytes than these fill a tile badly, so that they are not shared between threads.
constexpr std::size_t kLeastShare = 160;

bool SameOptions(const VectorOptions& a, const VectorOptions& b) {
  return a.pooling == b.pooling && a.normalize == b.normalize && a.prompt_name == b.prompt_name &&
         a.dimensions == b.dimensions && a.long_texts == b.long_texts && a.chunk_overlap == b.chunk_overlap;
}

std::size_t DimensionsOf(const EmbedWork& work) {
  return work.options.dimensions.value_or(work.model->info.dimensions);
}

std::size_t Bytes(const EmbedWork& work, std::size_t begin, std::size_t end) {
  std::size_t bytes = 0;
  for (std::size_t i = begin; i < end; ++i) bytes += work.texts[i].size() + 1;
  return bytes;
}

}  // namespace

Batcher::Batcher(Embed embed, runtime::Executor& executor, const Limits& limits)
    : embed_(std::move(embed)), executor_(executor), limits_(limits) {}

Status Batcher::StartRunner() {
  return executor_.Submit(std::make_shared<CallJob>([this] {
    do {
      RunOne();
    } while (GoOn());
  }));
}

Status Batcher::Submit(const std::shared_ptr<EmbedWork>& work) {
  const std::size_t bytes = Bytes(*work, 0, work->texts.size());
  work->vectors.resize(work->texts.size() * DimensionsOf(*work));
  work->reports.resize(work->texts.size());
  std::lock_guard lock(mutex_);
  work->queued_ = steady_clock::now();
  for (std::size_t text = 0; text < work->texts.size() && runners_ < limits_.threads; ++text) {
    Status status = StartRunner();
    if (!status.ok() && runners_ == 0) return status;
    if (!status.ok()) break;
    ++runners_;
  }
  queue_.push_back(work);
  waiting_texts_ += work->texts.size();
  waiting_bytes_ += bytes;
  return Status();
}

void Batcher::Cancel(const std::shared_ptr<EmbedWork>& work) {
  {
    std::lock_guard lock(mutex_);
    const auto found = std::find(queue_.begin(), queue_.end(), work);
    if (found == queue_.end()) return;  // Done, or all its texts are at work.
    queue_.erase(found);
    waiting_texts_ -= work->texts.size() - work->next_;
    waiting_bytes_ -= Bytes(*work, work->next_, work->texts.size());
    work->over_ = true;
    work->status = Status(Code::kOverloaded, "cancelled");
    if (work->at_work_ > 0) return;
  }
  std::exchange(work->done, nullptr)();
}

bool Batcher::GoOn() {
  std::lock_guard lock(mutex_);
  if (queue_.empty()) {
    --runners_;
    return false;
  }
  return !base::Guarded([&] { return StartRunner(); }).ok();
}

void Batcher::TakeTexts(const std::shared_ptr<EmbedWork>& work, std::size_t most, std::vector<Part>& parts,
                        std::size_t& texts, std::size_t& bytes) {
  const std::size_t begin = work->next_;
  std::size_t end = begin;
  for (; end < work->texts.size() && texts < limits_.texts; ++end) {
    const std::size_t more = work->texts[end].size() + 1;
    if (texts > 0 && bytes + more > most) break;
    ++texts;
    bytes += more;
  }
  if (begin == end) return;
  if (begin == 0) work->waited = steady_clock::now() - work->queued_;
  parts.push_back({work, begin, end});
  work->next_ = end;
  ++work->at_work_;
  waiting_texts_ -= end - begin;
  waiting_bytes_ -= Bytes(*work, begin, end);
}

std::vector<Batcher::Part> Batcher::TakeBatch() {
  std::vector<Part> parts;
  if (queue_.empty()) return parts;
  parts.reserve(std::min(queue_.size(), limits_.texts));  // Nothing else here allocates.
  std::size_t texts = 0, bytes = 0;
  // A thread that comes free a moment later finds its share.
  const std::size_t threads = std::max<std::size_t>(limits_.threads, 1);
  const std::size_t most = std::min(limits_.bytes, std::max(kLeastShare, (waiting_bytes_ + threads - 1) / threads));
  const std::shared_ptr<EmbedWork> first = queue_.front();
  for (const std::shared_ptr<EmbedWork>& work : queue_) {
    if (texts >= limits_.texts || bytes >= most) break;
    if (work->model == first->model && SameOptions(work->options, first->options)) {
      TakeTexts(work, most, parts, texts, bytes);
    }
  }
  const bool left = first->next_ < first->texts.size();
  if (left) std::rotate(queue_.begin(), queue_.begin() + 1, queue_.end());
  std::erase_if(queue_, [](const auto& work) { return work->next_ == work->texts.size(); });
  ++batches_;
  batch_texts_ += texts;
  return parts;
}

Status Batcher::EmbedParts(std::span<const Part> parts, nanoseconds& load) {
  const EmbedWork& first = *parts[0].work;
  const std::size_t dimensions = DimensionsOf(first);
  VectorOptions options = first.options;
  options.first_index = parts[0].begin;
  std::vector<std::string_view> texts;
  for (const Part& part : parts) {
    for (std::size_t i = part.begin; i < part.end; ++i) texts.push_back(part.work->texts[i]);
  }
  if (parts.size() == 1) {
    EmbedWork& work = *parts[0].work;
    return embed_(*work.model, texts, options,
                  std::span(work.vectors).subspan(parts[0].begin * dimensions, texts.size() * dimensions),
                  std::span(work.reports).subspan(parts[0].begin, texts.size()), load);
  }
  std::vector<float> vectors(texts.size() * dimensions);
  std::vector<Report> reports(texts.size());
  THIMBLE_RETURN_IF_ERROR(embed_(*first.model, texts, options, vectors, reports, load));
  std::size_t from = 0;
  for (const Part& part : parts) {
    const std::size_t count = part.end - part.begin;
    std::copy_n(vectors.data() + from * dimensions, count * dimensions,
                part.work->vectors.data() + part.begin * dimensions);
    std::copy_n(reports.data() + from, count, part.work->reports.data() + part.begin);
    from += count;
  }
  return Status();
}

void Batcher::Finish(Part& part) {
  EmbedWork& work = *part.work;
  --work.at_work_;
  if (!part.status.ok() && !work.over_) {
    work.over_ = true;
    work.status = std::move(part.status);
    const auto found = std::find(queue_.begin(), queue_.end(), part.work);
    if (found != queue_.end()) {
      queue_.erase(found);
      waiting_texts_ -= work.texts.size() - work.next_;
      waiting_bytes_ -= Bytes(work, work.next_, work.texts.size());
    }
  }
  part.is_last = work.at_work_ == 0 && (work.over_ || work.next_ == work.texts.size());
}

bool Batcher::RunOne() {
  std::vector<Part> parts;
  const Status taken = base::Guarded([&] {
    std::lock_guard lock(mutex_);
    parts = TakeBatch();
    return Status();
  });
  if (!taken.ok()) WaitForMemory();
  if (parts.empty()) return false;
  std::size_t bytes = 0;
  for (const Part& part : parts) bytes += Bytes(*part.work, part.begin, part.end);
  const auto begin = steady_clock::now();
  nanoseconds load = {};
  Status together = base::Guarded([&] { return EmbedParts(parts, load); });
  if (!together.ok() && parts.size() > 1) {
    // One request's fault is not another's.
    for (Part& part : parts) part.status = base::Guarded([&] { return EmbedParts({&part, 1}, load); });
  } else {
    parts[0].status = std::move(together);
  }
  const std::chrono::duration<double> took = steady_clock::now() - begin - load;
  {
    std::lock_guard lock(mutex_);
    const double measured = took.count() / static_cast<double>(bytes);
    seconds_per_byte_ += (seconds_per_byte_ == 0 ? 1 : kNewWeight) * (measured - seconds_per_byte_);
    for (Part& part : parts) {
      part.work->load += load;
      Finish(part);
    }
  }
  for (const Part& part : parts) {
    if (part.is_last) std::exchange(part.work->done, nullptr)();
  }
  return true;
}

Batcher::Stats Batcher::stats() const {
  std::lock_guard lock(mutex_);
  return {.requests = queue_.size(),
          .texts = waiting_texts_,
          .batches = batches_,
          .batch_texts = batch_texts_,
          .seconds_left = static_cast<double>(waiting_bytes_) * seconds_per_byte_ /
                          static_cast<double>(std::max<std::size_t>(limits_.threads, 1))};
}

}  // namespace thimble::server
