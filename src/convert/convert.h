// Turns a Hugging Face folder into a model file.

#ifndef THIMBLE_CONVERT_CONVERT_H_
#define THIMBLE_CONVERT_CONVERT_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "format/dtypes.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::convert {

using format::Dtype;
using format::DtypeName;
using format::DtypeNames;
using format::ParseDtype;

// What is known of a model beside its source, whose own files come first.
struct Defaults {
  std::optional<Pooling> pooling = {};
  std::optional<bool> normalize = {};
  std::size_t max_tokens = 0;  // 0 is unset.
  std::vector<Prompt> prompts = {};
};

struct Options {
  Dtype dtype = Dtype::kQ8;
  std::string name;        // Stored in the file; empty means NameOf(source).
  Defaults defaults = {};  // Used only where neither the source nor the following say it.
  // For a source that does not say how its tokens are pooled; kInvalidArgument where it says otherwise. `normalize`
  // unset means as known in `defaults` if pooling is from there, else false.
  std::optional<Pooling> pooling = {};
  std::optional<bool> normalize = {};
  // Whether a source that states no pooling is converted: every call must then name the pooling.
  bool unstated_pooling = false;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // More to store in the file.
  // Whether q8, q6, q4 and q4-small are rounded by GPTQ, with calibration on random ids and on the lines of
  // `calibration_file`, or on thimble's own texts where that is empty; else each weight is rounded by itself.
  bool calibrate = true;
  std::string calibration_file = {};
  // 0 means the processors that this process's affinity and control groups allow, of hybrid ones the performance
  // cores, at most 8. The file does not depend on it.
  std::size_t threads = 0;
  // Called with the share of the work that is done, 0 to 1, from the thread that called Convert; may be empty. False
  // ends the conversion: between two calls is the work on one matrix, or on the receipt.
  std::function<bool(double)> progress = {};
  // Called with a sentence for people on each thing that was assumed, or that is not as the source has it; may be
  // empty.
  std::function<void(std::string_view)> note = {};
};

// The last component of a path.
std::string NameOf(const std::string& source);

// kInvalidArgument if `output` is a file of the folder `source` that a conversion reads, by whatever path or link, or
// would be one that the next conversion reads.
Status CheckNotRead(const std::string& source, const std::string& output);

// Reads the folder `source`, in which the first file of WeightCandidates() (folder_files.h) has the weights, and writes
// the model file `output`; nothing is left behind on failure. The same source and options give the same file, on every
// instruction set with fused multiply-add. Needs memory for one layer, for what calibration knows of its inputs, and
// for the activations of all texts, but never for the whole model. kInvalidArgument for a calibration file without
// calibration and where `output` is a file that is read (CheckNotRead), kNotFound for a missing file, kCorrupt for a
// malformed one, kUnsupported for an architecture, activation, tokenizer or size that thimble does not run; the message
// names the file and the field or tensor. kIo when `progress` ended it. Where the folder does not say how its tokens
// are pooled, nothing is assumed: kUnsupported.
Status Convert(const std::string& source, const std::string& output, const Options& options);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CONVERT_H_
