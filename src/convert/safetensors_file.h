// Weights in a safetensors file.

#ifndef THIMBLE_CONVERT_SAFETENSORS_FILE_H_
#define THIMBLE_CONVERT_SAFETENSORS_FILE_H_

#include <memory>
#include <string>

#include "convert/weight_file.h"
#include "thimble/status.h"

namespace thimble::convert {

// What is read of it does not stay in this process's memory. kNotFound, kIo, or kCorrupt when it is not such a file.
Result<std::unique_ptr<WeightFile>> OpenSafetensorsFile(const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SAFETENSORS_FILE_H_
