// Calibration: watches the inputs of a layer's matrices over sample texts, and rounds the matrices so that their
// outputs change least.

#ifndef THIMBLE_CONVERT_CALIBRATOR_H_
#define THIMBLE_CONVERT_CALIBRATOR_H_

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/thread_team.h"
#include "convert/forward.h"
#include "convert/gptq.h"
#include "kernels/kernels.h"

namespace thimble::convert {

// What became of a model's matrices.
struct CalibrationReport {
  std::size_t matrices = 0;          // Rounded by GPTQ,
  std::size_t rows = 0;              // with so many rows,
  std::size_t guarded = 0;           // of which so many kept their plain rounding.
  std::vector<std::string> refused;  // Matrices whose plain rounding was no worse on texts that GPTQ had not seen.
};

// Thread-compatible. Holds the moments of one layer's inputs.
class Calibrator {
 public:
  // Sequences of a Forward below `fit` are what GPTQ sees, those from there to `end` what it is checked on; later ones
  // are not calibration.
  Calibrator(const model::Program& program, std::size_t fit, std::size_t end, const kernels::Kernels& kernels,
             base::ThreadTeam& team);

  // To be given to Forward::Run for one layer after the other.
  void Watch(std::size_t matrix, std::size_t first, const float* x, std::size_t rows);
  // Forgets the last layer.
  void Begin();
  // The rows of a matrix of the layer that was last watched.
  Result<QuantizedMatrix> Quantize(std::size_t matrix, const MatrixSource& source);

  const CalibrationReport& report() const { return report_; }

 private:
  struct Seen {
    Moments moments;
    std::vector<float> unseen;  // Inputs for the check, [tokens][width].
  };
  // Sum over rows and unseen tokens of the squared errors of the outputs.
  double OutputError(std::span<const float> weights, const QuantizedMatrix& matrix, std::span<const float> unseen,
                     std::size_t inputs);

  std::size_t fit_, end_;
  const kernels::Kernels& kernels_;
  base::ThreadTeam& team_;
  std::vector<Seen> seen_;
  CalibrationReport report_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CALIBRATOR_H_
