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

// Told the share of the work that is done; a failure ends the work.
using Tell = std::function<Status(double share)>;

// Writes all tensors of LayoutOf but the receipt's. `forward` is through afterwards; `calibrator` is null for plain
// rounding. Returns the first failure.
Status WriteModel(Job& job, Forward& forward, Calibrator* calibrator, const Tell& tell, format::Writer* writer);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_MODEL_WRITER_H_
