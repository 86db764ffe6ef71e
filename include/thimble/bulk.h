// Embeds a file of texts of any size into a file of vectors, in memory that does not depend on the size, and continues
// where a killed process stopped.
//
//   thimble::CorpusOptions options;
//   options.input = "corpus.csv";
//   options.output = "vectors.npy";
//   options.resume = true;
//   auto report = thimble::EmbedCorpus(*model, options);
//   if (!report.ok()) return report.status();
//   std::printf("%llu vectors\n", static_cast<unsigned long long>(report->texts));
//
// docs/bulk.md describes the files. Not on Windows.

#ifndef THIMBLE_BULK_H_
#define THIMBLE_BULK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "thimble/embedder.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

struct CorpusOptions {
  // A regular file. Its name decides what it is: .jsonl has a JSON string or object in each line; .csv and .tsv follow
  // RFC 4180 with a header; of anything else each line is a text.
  std::string input;
  std::string text_field = "text";  // Of the JSON objects, or the column, that has the text.
  // Of the JSON objects, or the column, that has the id. Empty means no ids. They are written into the rows of jsonl,
  // and for other formats into OUTPUT.ids.jsonl, one JSON value a line.
  std::string id_field;

  // The file to write. Beside it are OUTPUT.manifest.json, and until it is complete OUTPUT.part and OUTPUT.journal.
  std::string output;
  // "jsonl", "npy", "f32" or "raw"; empty means what the name of `output` ends in, and jsonl for other names.
  std::string format;
  Precision precision = Precision::kFloat32;

  EmbedderOptions embedder;
  VectorOptions vectors;  // first_index is ignored.

  // Goes on with an unfinished job for this output, which must have had the same options, model and input up to there.
  // Begins anew where there is none.
  bool resume = false;
  // Embeds equal texts once. What was seen is in OUTPUT.seen.part, 32 bytes for each distinct text, and in a temporary
  // file without a name in the same folder, 96 bytes or less.
  bool dedupe = false;

  // Of the batches on their way; at most three of texts and two of vectors exist at a time.
  std::size_t batch_texts = 256;
  std::size_t batch_bytes = 128 << 10;
  // Longest JSON line or CSV record; a longer one is kCorrupt.
  std::size_t record_bytes = 4 << 20;
};

struct CorpusProgress {
  std::uint64_t texts = 0;          // Embedded, those of the job that is resumed included.
  std::uint64_t resumed_texts = 0;  // Of them, those of earlier processes.
  std::uint64_t input_bytes = 0;    // Read for these texts.
  std::uint64_t resumed_bytes = 0;  // Of them, those of earlier processes.
  std::uint64_t input_size = 0;
};

struct CorpusReport {
  bool complete = false;  // Whether all is written. Otherwise the caller stopped the job, which can be resumed.
  std::uint64_t texts = 0;
  std::uint64_t resumed_texts = 0;
  std::uint64_t tokens = 0;      // Embedded, those of a duplicate counted again.
  std::uint64_t truncated = 0;   // Texts of which only a part was embedded.
  std::uint64_t empty = 0;       // Texts without a byte.
  std::uint64_t duplicates = 0;  // Texts copied from an equal one, with `dedupe`.
  Plan plan;                     // Of the embedder.
  std::string remark;            // A sentence for people; mostly empty.
};

// Reads, embeds and writes at the same time, with two threads beside those of the embedder. `progress`, if set, is
// called after each batch on the caller's thread; its false ends the job, which can be resumed.
//
// About once a second what is done so far is on the disk, so that a process that is killed loses that second. After an
// error the job can be resumed if it took longer; the message then says so. The output gets its name when it is
// complete.
//
// kInvalidArgument for options out of range, an output that is also read, an unfinished job without `resume`, and one
// with other options, model or input, which the message names; kOverloaded while another process writes the same
// output; kCorrupt for a record that cannot be read, with its number and line, and for a damaged journal; kIo when the
// input changes meanwhile or the system refuses; kUnsupported for Parquet and Arrow; the errors of Embedder::Create and
// Embedder::EmbedBatch.
THIMBLE_API Result<CorpusReport> EmbedCorpus(std::shared_ptr<const Model> model, const CorpusOptions& options,
                                             const std::function<bool(const CorpusProgress&)>& progress = {});

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BULK_H_
