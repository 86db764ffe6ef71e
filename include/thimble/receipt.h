// What a model file records about its making and its accuracy, and whether it still gives the vectors that it gave
// then.
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

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

// Written by the converter.
struct Receipt {
  std::string source_sha256;       // Of the file of weights that the model was made from, in hexadecimal digits.
  std::string tokenizer_sha256;    // Of its tokenizer.json.
  std::string recipe;              // How the weights are kept and how they were rounded.
  std::string calibration;         // What the rounding was fitted to.
  std::vector<std::string> notes;  // What was assumed, or is not as the source has it.
  std::size_t texts = 0;           // Texts of thimble's own that the cosines are over.
  double cosine_mean = 0;          // Of their vectors to those in fp32: the mean,
  double cosine_p1 = 0;            // the first percentile
  double cosine_min = 0;           // and the least.
  std::size_t goldens = 0;         // Texts whose vectors the file holds.
};

// Unset when the file has none: it is a mock, or was made by an older converter. kCorrupt when it is malformed.
Result<std::optional<Receipt>> ReadReceipt(const Model& model);

// What Verify found.
struct Verification {
  // A text whose vector is not the one that the file holds.
  struct Difference {
    std::string text;
    double largest = 0;  // Largest difference of a component; NaN when one is not a number.
  };
  std::size_t goldens = 0;              // Texts compared.
  std::vector<Difference> differences;  // Those that differ in a bit.
  bool weights_match = false;           // Whether the weights match the recorded hash.

  bool ok() const { return weights_match && differences.empty(); }
};

// Reads the whole file for its hash, embeds the receipt's texts on this machine and compares the vectors bit by bit.
// kNotFound when the file has no receipt, kCorrupt when it is malformed, and the errors of Embedder.
Result<Verification> Verify(std::shared_ptr<const Model> model);

}  // namespace thimble

#endif  // THIMBLE_RECEIPT_H_
