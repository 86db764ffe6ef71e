// Computes small parts of an ONNX graph, to find out what they are: a part is an attention, an activation, a pooling
// when it gives the numbers that one gives, however an exporter has written it.

#ifndef THIMBLE_CONVERT_ONNX_EVAL_H_
#define THIMBLE_CONVERT_ONNX_EVAL_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/onnx_graph.h"

namespace thimble::convert {

// Integers and truth values are kept as the doubles that they are.
struct OnnxArray {
  std::vector<std::int64_t> shape;
  std::vector<double> data;
  bool integers = false;  // Or truth values.

  std::int64_t size() const { return static_cast<std::int64_t>(data.size()); }
};

// Thread-compatible. Whatever it is given, it does a bounded amount of work in a bounded amount of memory.
class OnnxEvaluator {
 public:
  // `work` is what is left of the work that one file may cause, in elements.
  OnnxEvaluator(const OnnxGraph& graph, std::int64_t* work) : graph_(graph), work_(*work) {}

  // What the value is taken to be; what makes it is then not looked at.
  void Set(OnnxValue value, OnnxArray array) { Set(value, std::make_shared<const OnnxArray>(std::move(array))); }
  void Set(OnnxValue value, std::shared_ptr<const OnnxArray> array) { known_[value] = std::move(array); }

  // nullptr, and failure() and failed() say why, where it rests on a value that is not set, or on an operator that is
  // unknown here.
  const OnnxArray* Evaluate(OnnxValue value);

  const std::string& failure() const { return failure_; }
  OnnxValue failed() const { return failed_; }

 private:
  bool Run(const GraphNode& node);
  bool Constant(OnnxValue value);

  const OnnxGraph& graph_;
  std::int64_t& work_;
  std::unordered_map<OnnxValue, std::shared_ptr<const OnnxArray>> known_;
  std::string failure_;
  OnnxValue failed_ = kNoValue;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_EVAL_H_
