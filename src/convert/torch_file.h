// The weights in a file that torch.save wrote, such as pytorch_model.bin: a zip archive, or the older row of pickles.

#ifndef THIMBLE_CONVERT_TORCH_FILE_H_
#define THIMBLE_CONVERT_TORCH_FILE_H_

#include <memory>
#include <string>

#include "convert/weight_file.h"
#include "thimble/status.h"

namespace thimble::convert {

// Opens a state dict: a dict or OrderedDict of names and tensors, nothing else. Its pickle is read as data and never
// executed. Tensors of every type are listed; those of float64 (rounded to float), float32, float16 and bfloat16 can be
// read. kNotFound, kIo; kUnsupported for other objects, globals, opcodes and layouts, each by name; kCorrupt for what
// contradicts itself.
Result<std::unique_ptr<WeightFile>> OpenTorchFile(const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TORCH_FILE_H_
