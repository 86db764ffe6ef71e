// The record of a model file about its conversion and accuracy, and a check that it still produces the same vectors
// as at that time.
//
//   auto verification = thimble::Verify(*model);
//   if (verification.ok() && verification->ok()) std::puts("as converted");

#ifndef THIMBLE_RECEIPT_H_
#define THIMBLE_RECEIPT_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// How alike the vectors of texts are that have nothing to do with each other: cosines of such texts are near 0 for one
// model and near 0.8 for another, so that a score means something only beside them.
struct UnrelatedCosines {
  struct Quantile {
    double share = 0;   // Of the pairs, from 0 (the least cosine) to 1 (the greatest),
    double cosine = 0;  // below this.
  };
  std::size_t pairs = 0;  // Of built-in texts on different subjects, in each language that the tokenizer knows.
  std::vector<Quantile> quantiles;  // Both ascending.
};

// The percentile of a cosine of vectors of the model's full length: the percentage, 0 to 100, of unrelated pairs that
// are less alike. Between two quantiles it is linear. Above all of N pairs it is 100 N / (N + 1), because the next pair
// may be above; NaN for NaN, and without quantiles.
THIMBLE_API double Percentile(const UnrelatedCosines& unrelated, double cosine);

// Written by the converter.
struct Receipt {
  std::string source_sha256;       // Of the source file of weights, in hexadecimal digits.
  std::string tokenizer_sha256;    // Of its tokenizer.json.
  std::string recipe;              // How the weights are stored and were rounded.
  std::string calibration;         // The texts that rounding was optimised for.
  std::vector<std::string> notes;  // Assumptions about the source, and deviations from it.
  std::size_t texts = 0;           // Number of built-in texts for the cosines.
  double cosine_mean = 0;          // Cosine of their vectors to those in fp32: the mean,
  double cosine_p1 = 0;            // the first percentile
  double cosine_min = 0;           // and the minimum. Of a reranker, of the vectors that its scores are made of, for
                                   // pairs of texts,
  // and this is the largest difference of their raw scores to those in fp32; unset for an embedding model.
  std::optional<double> score_error_max;
  std::size_t goldens = 0;  // Number of texts whose vectors the file stores.

  // Unset for a file from an older converter.
  std::optional<UnrelatedCosines> unrelated;
};

// Unset if there is none: for a mock, or a file from an older converter. kCorrupt if it is malformed.
THIMBLE_API Result<std::optional<Receipt>> ReadReceipt(const Model& model);

// What Verify found.
struct Verification {
  // A text whose vector differs from the one in the file.
  struct Difference {
    std::string text;
    double largest = 0;  // Largest difference of a component; NaN if one is not a number.
  };
  std::size_t goldens = 0;              // Texts compared.
  std::vector<Difference> differences;  // Those that differ in at least one bit.
  bool weights_match = false;           // Whether the weights match the recorded hash.

  bool ok() const { return weights_match && differences.empty(); }
};

// Reads the whole file to compute its hash, embeds the texts of the receipt and compares the vectors bit by bit.
// kNotFound if the file has no receipt, kCorrupt if it is malformed, and the errors of Embedder.
THIMBLE_API Result<Verification> Verify(std::shared_ptr<const Model> model);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RECEIPT_H_
