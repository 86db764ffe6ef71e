// The receipt of a model file: how exact its vectors are on texts of our own, and some of these vectors.

#ifndef THIMBLE_CONVERT_RECEIPT_H_
#define THIMBLE_CONVERT_RECEIPT_H_

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/thread_team.h"
#include "convert/forward.h"
#include "convert/head_source.h"
#include "format/writer.h"
#include "kernels/kernels.h"
#include "text/tokenizer.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::convert {

// Bytes that a receipt takes in the header of a model file, at most.
inline constexpr std::size_t kReceiptHeaderBytes = 2048;

// What is known of the receipt before the model file is read again.
struct ReceiptFacts {
  std::string source_sha256, tokenizer_sha256, recipe, calibration;
  bool pairs = false;  // Of a model for pairs, which has neither codes nor cosines.
};

// The sequences of ReceiptTexts(), cut at `max_tokens`; of a tokenizer of pairs each with the next one, where those
// whose vectors the file stores make a ring. kOutOfMemory.
Result<Sequences> ReceiptSequences(const text::Tokenizer& tokenizer, std::size_t max_tokens);

// What a model gives for sequences, [sequences][dimensions].
struct ReceiptVectors {
  std::vector<float> vectors;   // Or raw scores.
  std::vector<float> features;  // Of a model for pairs what its scores are made of: cosines tell nothing of scores.
};

// In fp32, those of the sequences of a forward pass that is through, of which number `first` is the receipt's first.
// kOutOfMemory.
Result<ReceiptVectors> ExactVectorsOf(const Forward& forward, std::size_t first, std::size_t hidden,
                                      const HeadSource& head, bool normalize, const kernels::Kernels& kernels,
                                      bool pairs);

// Adds the tensors of a receipt, which come last, and room in the header.
void DeclareReceipt(std::size_t dimensions, format::Layout* layout);

// Writes the receipt of a file whose other tensors are complete, and the hash of those. `exact` is what
// ReceiptTexts() give.
Status WriteReceipt(const ReceiptFacts& facts, const ReceiptVectors& exact, const kernels::Kernels& kernels,
                    base::ThreadTeam& team, format::Writer* writer);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_RECEIPT_H_
