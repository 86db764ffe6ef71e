// Writes a model file's tensors in their order, and runs the forward pass beside them.

#ifndef THIMBLE_CONVERT_MODEL_WRITER_H_
#define THIMBLE_CONVERT_MODEL_WRITER_H_

#include <functional>

#include "convert/calibrator.h"
#include "convert/forward.h"
#include "convert/job.h"
#include "format/writer.h"
#include "thimble/status.h"

namespace thimble::convert {

// Writes all tensors of LayoutOf but the receipt's. `forward` is through afterwards; `calibrator` is null for plain
// rounding; `progress` is as in Options. Returns the first failure.
Status WriteModel(Job& job, Forward& forward, Calibrator* calibrator, const std::function<void(double)>& progress,
                  format::Writer* writer);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_MODEL_WRITER_H_
