// The operators of ONNX that onnx_eval.h knows, on arrays of doubles.

#ifndef THIMBLE_CONVERT_ONNX_OPS_H_
#define THIMBLE_CONVERT_ONNX_OPS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "convert/onnx_eval.h"

namespace thimble::convert {

// Elements of one array at most: a mask of 512 by 512 tokens has a quarter of them.
inline constexpr std::int64_t kMaxArrayElements = 1 << 20;

// What the node makes of `inputs`, of which those left out are nullptr: its outputs, or nullopt where the operator or a
// form of it is unknown, the inputs do not fit, or an output would be too large. `work` is lowered by the elements that
// are computed, and what would take more than there is left is not computed.
std::optional<std::vector<OnnxArray>> RunOnnxNode(const OnnxGraph& graph, const GraphNode& node,
                                                  const std::vector<const OnnxArray*>& inputs, std::int64_t* work);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_OPS_H_
