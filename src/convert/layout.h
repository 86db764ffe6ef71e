// What a model file will hold: the formats and shapes of its tensors, in their order, and its configuration.

#ifndef THIMBLE_CONVERT_LAYOUT_H_
#define THIMBLE_CONVERT_LAYOUT_H_

#include <cstddef>
#include <string>

#include "convert/calibrator.h"
#include "convert/job.h"
#include "convert/matrix_writer.h"
#include "format/writer.h"
#include "model/program.h"

namespace thimble::convert {

// The matrix of a step of a layer.
MatrixSpec SpecOf(const Job& job, std::size_t layer, const model::Step& step);
TableSpec WordsOf(const Job& job);
TableSpec PositionsOf(const Job& job);

// Of the model that the file calls `name`.
format::Layout LayoutOf(const Job& job, const std::string& name);

// What the receipt says of how the weights are kept; `report` is null without calibration.
std::string RecipeOf(const Job& job, const CalibrationReport* report);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_LAYOUT_H_
