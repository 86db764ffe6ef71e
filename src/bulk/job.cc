// A job from its options to its manifest.

#include "bulk/job.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/path.h"
#include "base/regular_file.h"
#include "bulk/job_value.h"
#include "json/writer.h"

namespace thimble::bulk {
namespace {

// What a process that is killed may lose; and at most this share of the time goes into checkpoints.
constexpr double kCheckpointSeconds = 1, kCheckpointShare = 0.02;

double Now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string PartName(const std::string& name) { return name + ".part"; }
std::string IdsName(const std::string& target) { return target + ".ids.jsonl"; }
std::string SeenName(const std::string& target) { return target + ".seen.part"; }
std::string JournalName(const std::string& target) { return target + ".journal"; }
std::string ManifestName(const std::string& target) { return target + ".manifest.json"; }

// None of the files of a job may be its input.
Status CheckPaths(const std::string& output, const std::string& target, const std::string& input) {
  const std::array inputs = {base::InputFileAt(input)};
  THIMBLE_RETURN_IF_ERROR(base::CheckOutput(output, base::IdentityOf(target), inputs));
  for (const std::string& name : {PartName(target), IdsName(target), PartName(IdsName(target)), SeenName(target),
                                  JournalName(target), ManifestName(target)}) {
    THIMBLE_RETURN_IF_ERROR(base::CheckOutput(name, base::IdentityOf(name), inputs));
  }
  return Status();
}

}  // namespace

Result<Job> Job::Open(const Model& model, const CorpusOptions& options, const Plan& plan) {
  if (options.output.empty()) return Error(Code::kInvalidArgument, "`output`: the name is empty");
  RecordOptions records = {.text_field = options.text_field,
                           .id_field = options.id_field,
                           .batch_texts = options.batch_texts,
                           .batch_bytes = options.batch_bytes,
                           .record_bytes = options.record_bytes};
  THIMBLE_ASSIGN_OR_RETURN(records.format, InputFormatOf(options.input));
  VectorForm form;
  form.precision = options.precision;
  if (options.format.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(form.format, VectorFormatOf(options.output, options.precision));
  } else {
    THIMBLE_ASSIGN_OR_RETURN(form.format, ParseVectorFormat(options.format, options.precision));
  }
  if (form.format == VectorFormat::kJson) {
    return Error(Code::kUnsupported, "`format` json: one array cannot be resumed; use jsonl");
  }
  THIMBLE_ASSIGN_OR_RETURN(form.range, FindCodeRange(model.info(), form.precision, options.vectors));
  const std::string target = base::ResolveTarget(options.output);
  THIMBLE_RETURN_IF_ERROR(CheckPaths(options.output, target, options.input));
  THIMBLE_ASSIGN_OR_RETURN(RecordReader reader, RecordReader::Open(options.input, records));
  if (Result<base::FileStamp> old = base::StampOf(target); !old.ok() && old.status().code() != Code::kNotFound) {
    return old.status();
  }
  Result<Journal> journal = Journal::Open(JournalName(target));
  if (!journal.ok()) {
    const Status& why = journal.status();
    if (why.code() == Code::kNotFound) {
      return Error(why.code(), options.output, ": its folder does not exist; make it, or choose another output");
    }
    return why.code() == Code::kIo ? Error(why.code(), options.output, ": a job needs files beside it: ", why.message())
                                   : why;
  }
  Job job(std::move(reader), *std::move(journal), target);
  job.form_ = form;
  job.dimensions_ = options.vectors.dimensions.value_or(model.dimensions());
  job.has_ids_ = !options.id_field.empty();
  job.input_name_ = options.input;
  job.encoder_.emplace(form, options.vectors.long_texts == LongTexts::kChunk);
  Result<std::string> space = SpaceFingerprint(model.info(), options.vectors, options.precision);
  Status status = space.ok() ? Status() : space.status();
  if (status.ok()) {
    job.space_ = *std::move(space);
    const json::Value value = JobValue(model, options, form, records.format, plan);
    if (options.dedupe) {
      Result<SeenIndex> index = SeenIndex::Create(SeenName(target));
      status = index.ok() ? Status() : index.status();
      if (index.ok()) job.index_.emplace(*std::move(index));
    }
    if (status.ok()) status = job.Begin(value, options.resume);
  }
  if (status.ok()) return job;
  // What was there before stays.
  if (!job.journal_.checkpoint() && !job.has_checkpoint_ && status.code() != Code::kCorrupt) job.Leave(false);
  return status;
}

Status Job::Begin(const json::Value& job, bool resume) {
  const Checkpoint* from = journal_.checkpoint() ? &*journal_.checkpoint() : nullptr;
  if (from != nullptr && from->counts.texts == 0 && !from->complete) from = nullptr;
  job_ = job;
  if (from == nullptr) {
    THIMBLE_RETURN_IF_ERROR(journal_.Begin(job));
    return BeginParts(nullptr);
  }
  const std::string name = JournalName(target_);
  if (!resume) {
    return Error(Code::kInvalidArgument, target_, ": an unfinished job has ", from->counts.texts,
                 " vectors for it; set `resume` to go on, or remove ", name, " to begin anew");
  }
  const std::string difference = JobDifference(journal_.job(), job);
  if (!difference.empty()) {
    return Error(Code::kInvalidArgument, "cannot resume: the job of ", name, " had ", difference,
                 "; go on with the same options and model, or remove it to begin anew");
  }
  THIMBLE_RETURN_IF_ERROR(CheckSizes(*from));
  THIMBLE_RETURN_IF_ERROR(
      reader_.Resume({from->input.bytes, from->counts.texts, from->input_lines, {}}, from->input.hash));
  has_checkpoint_ = true;
  counts_ = resumed_ = from->counts;
  if (from->complete) {
    complete_ = true;
    done_ = *from;
    return Status();
  }
  return BeginParts(from);
}

Status Job::CheckSizes(const Checkpoint& from) const {
  const std::uint64_t row = json_rows() ? 0 : PrecisionBytes(form_.precision, dimensions_);
  const bool fits = json_rows() || (from.counts.texts <= UINT64_MAX / 2 / row &&
                                    from.output.bytes == header_bytes() + from.counts.texts * row);
  const bool ends = !from.complete || from.input.bytes == reader_.file().size();
  const std::uint64_t distinct = index_ ? from.counts.texts - from.counts.duplicates : 0;
  const bool seen = from.seen.bytes / sizeof(SeenRow) == distinct && from.seen.bytes % sizeof(SeenRow) == 0;
  if (fits && ends && seen && (has_sidecar() || from.ids.bytes == 0)) return Status();
  return Error(Code::kCorrupt, JournalName(target_), ": its numbers of texts and bytes contradict each other or the ",
               "input; remove the files of the unfinished job to begin anew");
}

Status Job::BeginParts(const Checkpoint* from) {
  const auto open = [&](std::optional<PartFile>& part, const std::string& name, const PartState& state,
                        std::uint64_t unhashed) -> Status {
    THIMBLE_ASSIGN_OR_RETURN(PartFile file, PartFile::Open(name));
    part.emplace(std::move(file));
    if (from == nullptr) return part->Resume(0, 0, base::Sha256().Hex());
    part->Keep();
    return part->Resume(state.bytes, unhashed, state.hash);
  };
  const Checkpoint none;
  const Checkpoint& state = from == nullptr ? none : *from;
  THIMBLE_RETURN_IF_ERROR(open(output_, PartName(target_), state.output, header_bytes()));
  if (has_sidecar()) THIMBLE_RETURN_IF_ERROR(open(ids_, PartName(IdsName(target_)), state.ids, 0));
  if (index_) {
    THIMBLE_RETURN_IF_ERROR(open(seen_, SeenName(target_), state.seen, 0));
    SeenRow row;
    for (std::uint64_t at = 0; at < state.seen.bytes; at += sizeof row) {
      THIMBLE_RETURN_IF_ERROR(seen_->ReadAt(at, {reinterpret_cast<char*>(&row), sizeof row}));
      THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> before, index_->FindOrAdd(row.key));
      if (before || row.bytes > state.output.bytes || row.offset > state.output.bytes - row.bytes) {
        return Error(Code::kCorrupt, seen_->path(), ": text ", at / sizeof row,
                     " is not one of the output's; remove the ", "files of the unfinished job to begin anew");
      }
    }
  }
  if (from == nullptr && header_bytes() > 0) {
    THIMBLE_RETURN_IF_ERROR(output_->AppendUnhashed(NpyHeader(0, dimensions_, form_.precision)));
  }
  written_ = reader_.begin();
  next_checkpoint_ = Now() + kCheckpointSeconds;
  return Status();
}

Status Job::Add(const Batch& batch, const Vectors& vectors) {
  between_batches_ = false;
  const RecordBatch& records = batch.records;
  std::size_t own = 0;
  for (std::size_t i = 0; i < records.texts.size(); ++i) {
    row_.clear();
    if (json_rows()) row_ += '{';
    if (json_rows() && has_ids_) row_.append("\"id\":").append(records.ids[i]);
    const std::size_t begin = row_.size();
    SeenRow seen;
    if (index_ && batch.same[i] != 0) {
      const std::uint64_t at = (batch.same[i] - 1) * sizeof seen;
      THIMBLE_RETURN_IF_ERROR(seen_->ReadAt(at, {reinterpret_cast<char*>(&seen), sizeof seen}));
      row_.resize(begin + seen.bytes);
      THIMBLE_RETURN_IF_ERROR(output_->ReadAt(seen.offset, std::span(row_).subspan(begin)));
      ++counts_.duplicates;
    } else {
      const Report& report = vectors.reports[own];
      const auto vector = std::span(vectors.values).subspan(own++ * dimensions_, dimensions_);
      THIMBLE_RETURN_IF_ERROR(encoder_->Append(row_, vector, {report.tokens, report.truncated, report.chunks}));
      if (index_) {
        seen.key = batch.keys[i];
        seen.offset = output_->size() + begin;
        seen.bytes = static_cast<std::uint32_t>(row_.size() - begin);
      }
      seen.tokens = report.tokens & 0x7FFFFFFF;
      seen.truncated = report.truncated;
      if (index_) THIMBLE_RETURN_IF_ERROR(seen_->Append({reinterpret_cast<const char*>(&seen), sizeof seen}));
    }
    if (json_rows()) row_ += '\n';
    THIMBLE_RETURN_IF_ERROR(output_->Append(row_));
    if (ids_) THIMBLE_RETURN_IF_ERROR(ids_->Append(records.ids[i] + "\n"));
    ++counts_.texts;
    counts_.tokens += seen.tokens;
    counts_.truncated += seen.truncated;
    counts_.empty += records.texts[i].empty();
  }
  written_ = records.end;
  between_batches_ = true;
  return Status();
}

Status Job::MaybeCheckpoint() {
  const double begin = Now();
  if (begin < next_checkpoint_) return output_->Flush();
  THIMBLE_RETURN_IF_ERROR(WriteCheckpoint(false));
  const double end = Now();
  next_checkpoint_ = end + std::max(kCheckpointSeconds, (end - begin) / kCheckpointShare);
  return Status();
}

Status Job::WriteCheckpoint(bool complete) {
  Checkpoint now;
  now.complete = complete;
  now.counts = counts_;
  now.input_lines = written_.lines;
  now.input = {written_.bytes, base::Sha256(written_.hash).Hex()};
  const auto state = [](std::optional<PartFile>& part, PartState& to) -> Status {
    if (!part) return Status();
    THIMBLE_RETURN_IF_ERROR(part->Sync());
    to = {part->size(), part->Hash()};
    return Status();
  };
  THIMBLE_RETURN_IF_ERROR(reader_.CheckUnchanged());
  THIMBLE_RETURN_IF_ERROR(state(output_, now.output));
  THIMBLE_RETURN_IF_ERROR(state(ids_, now.ids));
  THIMBLE_RETURN_IF_ERROR(state(seen_, now.seen));
  THIMBLE_RETURN_IF_ERROR(journal_.Write(now));
  if (!has_checkpoint_) {
    for (std::optional<PartFile>* part : {&output_, &ids_, &seen_}) {
      if (*part) (*part)->Keep();
    }
  }
  has_checkpoint_ = true;
  if (complete) done_ = now;
  return Status();
}

Status Job::Finish(const Position& end) {
  if (!complete_) {
    written_ = end;
    THIMBLE_RETURN_IF_ERROR(output_->Flush());
    if (header_bytes() > 0) {
      THIMBLE_RETURN_IF_ERROR(output_->WriteAt(0, NpyHeader(counts_.texts, dimensions_, form_.precision)));
    }
    THIMBLE_RETURN_IF_ERROR(WriteCheckpoint(true));
  }
  return FinishNames(*done_);
}

Status Job::Rename(const std::string& part, const std::string& name, std::uint64_t bytes) {
  if (base::IdentityOf(part)) {
    THIMBLE_ASSIGN_OR_RETURN(std::string said, base::TakeNameOf(part, name));
    if (!said.empty()) remark = std::move(said);
  }
  THIMBLE_ASSIGN_OR_RETURN(const base::FileStamp stamp, base::StampOf(name));
  if (stamp.size == bytes) return Status();
  return Error(Code::kCorrupt, name, ": expected ", bytes, " bytes, found ", stamp.size,
               "; remove the files of the unfinished job to begin anew");
}

Status Job::FinishNames(const Checkpoint& done) {
  std::string output_hash = done.output.hash;
  if (complete_ || header_bytes() > 0) {
    const std::string part = PartName(target_);
    THIMBLE_ASSIGN_OR_RETURN(const base::RegularFile file,
                             base::RegularFile::Open(base::IdentityOf(part) ? part : target_));
    if (complete_) {  // By an earlier process.
      THIMBLE_ASSIGN_OR_RETURN(const std::string found, base::Sha256OfFile(file, header_bytes(), done.output.bytes));
      if (found != done.output.hash) {
        return Error(Code::kCorrupt, file.path(),
                     ": its bytes are not those that were written; remove the files of the ",
                     "unfinished job to begin anew");
      }
    }
    // The hash so far leaves out the header.
    if (header_bytes() > 0) {
      THIMBLE_ASSIGN_OR_RETURN(output_hash, base::Sha256OfFile(file, 0, file.size()));
    }
  }
  THIMBLE_RETURN_IF_ERROR(Rename(PartName(target_), target_, done.output.bytes));
  if (has_sidecar()) THIMBLE_RETURN_IF_ERROR(Rename(PartName(IdsName(target_)), IdsName(target_), done.ids.bytes));
  THIMBLE_RETURN_IF_ERROR(WriteManifest(done, output_hash));
  std::error_code none;
  std::filesystem::remove(base::ToPath(SeenName(target_)), none);
  journal_.Remove();
  return Status();
}

Status Job::WriteManifest(const Checkpoint& done, const std::string& output_hash) {
  const auto file = [](const std::string& path, const PartState& state, const std::string& hash) {
    return json::Object{{"path", path}, {"bytes", state.bytes}, {"sha256", hash}};
  };
  const bool bits = form_.precision == Precision::kBinary || form_.precision == Precision::kUbinary;
  json::Object manifest = {
      {"thimble", THIMBLE_VERSION},
      {"fingerprint", space_},
      {"shape", json::Array{done.counts.texts, bits ? PrecisionBytes(form_.precision, dimensions_) : dimensions_}},
      {"texts", done.counts.texts},
      {"tokens", done.counts.tokens},
      {"truncated", done.counts.truncated},
      {"empty", done.counts.empty},
      {"duplicates", done.counts.duplicates},
      {"input", file(input_name_, done.input, done.input.hash)},
      {"output", file(target_.substr(target_.rfind('/') + 1), done.output, output_hash)}};
  if (has_sidecar()) {
    const std::string name = IdsName(target_);
    manifest.Append("ids") = file(name.substr(name.rfind('/') + 1), done.ids, done.ids.hash);
  }
  manifest.Append("job") = job_;
  std::string text = "{\n";
  for (const auto& [key, value] : manifest) {
    if (text.size() > 2) text += ",\n";
    text += "  " + json::Value(key).Text() + ": " + value.Text();
  }
  text += "\n}\n";
  THIMBLE_ASSIGN_OR_RETURN(base::AtomicFile out, base::AtomicFile::Create(ManifestName(target_)));
  THIMBLE_RETURN_IF_ERROR(out.Write(std::as_bytes(std::span(text))));
  return out.Commit();
}

bool Job::Leave(bool stopped) {
  // A job that was stopped, or has gone on for a while, loses nothing that a whole batch has given.
  if ((stopped || has_checkpoint_) && between_batches_ && output_ && !done_ && counts_.texts > 0) {
    static_cast<void>(WriteCheckpoint(false).ok());
  }
  if (has_checkpoint_) return true;
  for (std::optional<PartFile>* part : {&output_, &ids_, &seen_}) {
    if (*part) (*part)->Remove();
  }
  journal_.Remove();
  return false;
}

}  // namespace thimble::bulk
