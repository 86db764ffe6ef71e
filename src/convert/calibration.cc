// Sequences for calibration.

#include "convert/calibration.h"

#include <algorithm>
#include <random>

#include "base/error.h"
#include "base/regular_file.h"
#include "convert/text_sequences.h"

namespace thimble::convert {
namespace {

// Texts tell which inputs go together, random ids reach what a few texts leave out; much more of them would outweigh
// the texts.
constexpr std::size_t kRandomTokens = 4096;
constexpr std::uint32_t kSeed = 1;
constexpr std::size_t kRandomLengths[] = {16, 32, 64, 128, 256};
constexpr std::size_t kUnseenStride = 16;  // Every 16th sequence is kept for the check.

constexpr std::string_view kCalibrationText =
#include "convert/texts/calibration.txt"
    ;
constexpr std::string_view kReceiptText =
#include "convert/texts/receipt.txt"
    ;

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace

std::vector<std::string_view> CalibrationTexts() { return Lines(kCalibrationText); }
std::vector<std::string_view> ReceiptTexts() { return Lines(kReceiptText); }

Result<CalibrationSet> MakeCalibration(const text::Tokenizer& tokenizer, std::size_t vocabulary, std::size_t longest,
                                       const std::string& file) {
  CalibrationSet set;
  std::vector<std::int32_t> ids(longest);
  auto add = [&](std::size_t index, std::span<const std::int32_t> sequence, std::size_t second) {
    (index % kUnseenStride == kUnseenStride - 1 ? set.unseen : set.fit).Add(sequence, second);
  };

  // The special tokens around a text are those of the empty one.
  const std::size_t special = tokenizer.Encode({}, {}, ids).tokens;
  std::vector<std::int32_t> around(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(special));
  const std::size_t before = (special + 1) / 2;
  std::mt19937 random(kSeed);
  std::size_t tokens = 0;
  for (std::size_t i = 0; tokens < kRandomTokens; ++i) {
    const std::size_t length = std::min(kRandomLengths[i % std::size(kRandomLengths)], longest);
    for (std::size_t t = 0; t < length; ++t) {
      const bool own = t >= before && t + (special - before) < length;
      ids[t] = own          ? static_cast<std::int32_t>(random() % vocabulary)
               : t < before ? around[t]
                            : around[special - (length - t)];
    }
    // Of a model for pairs, in two halves.
    const text::TableSpan<std::uint32_t> middle = tokenizer.middle();
    const std::size_t half = length / 2;
    const bool pair = !middle.empty() && half + middle.size() + special <= length;
    for (std::size_t k = 0; pair && k < middle.size(); ++k) ids[half + k] = static_cast<std::int32_t>(middle[k]);
    add(i, std::span(ids).first(length), pair ? half + middle.size() : length);
    tokens += length;
  }
  set.description = std::to_string(tokens) + " tokens of random ids (seed " + std::to_string(kSeed) + "), ";

  std::string contents;
  if (!file.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(base::RegularFile opened, base::RegularFile::Open(file));
    contents.resize(std::min<std::uint64_t>(opened.size(), kMaxFileBytes));
    THIMBLE_RETURN_IF_ERROR(opened.ReadAt(0, std::as_writable_bytes(std::span(contents))));
  }
  const std::vector<std::string_view> lines = file.empty() ? CalibrationTexts() : Lines(contents);
  tokens = 0;
  THIMBLE_ASSIGN_OR_RETURN(TextSequences sequences, TextSequences::Create(tokenizer, longest));
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const TextSequence sequence = sequences.Next(lines, i);
    const std::size_t length = sequence.ids.size();
    if (tokens + length > kMaxTextTokens) break;
    if (length == special) continue;
    add(i, sequence.ids, sequence.second);
    tokens += length;
  }
  if (tokens == 0) return Error(Code::kInvalidArgument, file, ": no text to calibrate on");
  set.description += std::to_string(tokens) + " tokens of " + (file.empty() ? "built-in texts" : "a file");
  return set;
}

}  // namespace thimble::convert
