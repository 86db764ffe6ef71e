// Converts a folder in the layout of Hugging Face into a model file.
//
//   thimble::Status status = thimble::ConvertModel("./all-MiniLM-L6-v2", "all-MiniLM-L6-v2-q8.safetensors");
//   if (!status.ok()) return status;
//   auto model = thimble::Model::Open("all-MiniLM-L6-v2-q8.safetensors");
//
// Link thimble::convert. Nothing here uses the network; hub.h downloads models, and keeps what it makes of them.

#ifndef THIMBLE_CONVERT_H_
#define THIMBLE_CONVERT_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

struct ConvertOptions {
  // "fp32", "fp16", "q8", "q6", "q4" or "q4-small". q6 keeps 6 bits of the weights, q4 and q4-small 4; the first two
  // keep the word table in 6 bits and the last layer in 8, q4-small 4 and the attention of the last layer.
  std::string dtype = "q8";
  std::string name = {};  // Stored in the file; empty means the last component of the folder's path.
  // [ORGANISATION/]NAME of a model that thimble may have built-in pooling, normalisation, limit and prompts for, which
  // apply where the folder and the following state none; empty means `name`.
  std::string known_as = {};
  // For a folder that does not state its pooling; it is an error to contradict it. `normalize` unset means as built in
  // if `pooling` is, else false.
  std::optional<Pooling> pooling = {};
  std::optional<bool> normalize = {};
  // Also converts a folder that does not state its pooling; every call must then set it.
  bool unstated_pooling = false;
  std::vector<std::pair<std::string, std::string>> metadata = {};  // Keys and values to store in the file as well.
  // Whether the weights of q8, q6, q4 and q4-small are rounded so that outputs change least on calibration texts: the
  // lines of `calibration_file`, or built-in texts if it is empty. Otherwise each weight is rounded by itself, which
  // takes less time.
  bool calibrate = true;
  std::string calibration_file = {};
  // Worker threads. 0 means the processors that the affinity and the control groups of the process allow, of hybrid
  // ones the performance cores, at most 8. The file does not depend on it.
  std::size_t threads = 0;
  // Called with the completed share, from 0 to 1, from the thread that called ConvertModel, after each matrix; may be
  // empty. Returning false aborts the conversion.
  std::function<bool(double)> progress = {};
  // Called with a human-readable sentence for each assumption, and for what is not as the folder has it; may be empty.
  std::function<void(std::string_view)> note = {};
};

// Reads the folder `source` (docs/folders.md) and writes the model file `output`, which appears only when it is
// complete. The same folder and options give the same file on every instruction set with fused multiply-add. Needs
// memory for one layer, for what calibration knows of its inputs, and for the activations of all texts, but never for
// the whole model. Thread-safe.
//
// kInvalidArgument for a file as source, an unknown dtype, a calibration file without calibration, options that
// contradict the folder, and if `output` is a file that a conversion of `source` reads, by whatever path or link;
// kNotFound for a missing file; kCorrupt for a malformed one; kUnsupported for an architecture, activation, tokenizer
// or size that thimble does not run, and for a folder whose pooling is unknown; the message names the file and the
// field or tensor. kIo if a file cannot be read or written, and if `progress` aborted the conversion; kOutOfMemory.
THIMBLE_API Status ConvertModel(const std::string& source, const std::string& output,
                                const ConvertOptions& options = {});

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_CONVERT_H_
