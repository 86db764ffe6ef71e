// Pairs of texts on different subjects.

#include "convert/unrelated.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace thimble::convert {
namespace {

// Lines of languages, between which a line is empty.
constexpr std::string_view kUnrelatedText =
#include "convert/texts/unrelated.txt"
    ;
// Of English, German, French, Spanish, Russian, Chinese and Japanese: between what English tokenizers
// (4.6, 2.8, 3.0, 2.9, 1.2, 1.0, 1.0) and multilingual ones make of these texts.
constexpr double kLeastToken[] = {3.2, 3.2, 3.2, 3.2, 2.2, 1.1, 1.1};
// Tokens, at least, for each that stands for what the tokenizer does not know.
constexpr std::size_t kKnownPerUnknown = 20;

// Beginnings of characters in UTF-8.
std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::vector<UnrelatedTexts> AllUnrelatedTexts() {
  std::vector<UnrelatedTexts> all(1);
  std::string_view rest = kUnrelatedText;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (end > 0) {
      all.back().texts.push_back(rest.substr(0, end));
    } else {
      all.emplace_back();
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  for (std::size_t i = 0; i < all.size(); ++i) all[i].least_token = kLeastToken[i];
  return all;
}

UnrelatedSequences MakeUnrelated(const text::Tokenizer& tokenizer, std::size_t max_tokens) {
  const std::vector<UnrelatedTexts> all = AllUnrelatedTexts();
  std::vector<std::int32_t> ids(max_tokens);
  const std::size_t special = tokenizer.Encode({}, {}, ids).tokens;
  const auto encode = [&](const UnrelatedTexts& language, Sequences& sequences) {
    std::size_t characters = 0, tokens = 0, unknown = 0;
    for (std::string_view text : language.texts) {
      const std::size_t length = tokenizer.Encode({}, text, ids).tokens;
      sequences.Add(std::span(ids).first(length));
      characters += Characters(text);
      tokens += length - special;
      for (std::size_t t = 0; t < length; ++t) {
        unknown += static_cast<std::uint32_t>(ids[t]) == tokenizer.kind().unknown_id() ? 1 : 0;
      }
    }
    return kKnownPerUnknown * unknown <= tokens &&
           static_cast<double>(characters) >= language.least_token * static_cast<double>(tokens);
  };
  UnrelatedSequences unrelated;
  for (const UnrelatedTexts& language : all) {
    Sequences sequences;
    if (!encode(language, sequences)) continue;
    unrelated.counts.push_back(sequences.lengths.size());
    unrelated.sequences.Add(sequences);
  }
  if (unrelated.counts.empty()) {
    encode(all.front(), unrelated.sequences);
    unrelated.counts.push_back(all.front().texts.size());
  }
  return unrelated;
}

std::vector<double> UnrelatedCosines(std::span<const float> vectors, std::span<const std::size_t> counts,
                                     std::size_t dimensions) {
  std::vector<double> lengths, cosines;
  const auto dot = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < dimensions; ++k) {
      sum += double{vectors[i * dimensions + k]} * vectors[j * dimensions + k];
    }
    return sum;
  };
  for (std::size_t i = 0; i * dimensions < vectors.size(); ++i) lengths.push_back(std::sqrt(dot(i, i)));
  std::size_t first = 0;
  for (const std::size_t count : counts) {
    for (std::size_t i = first; i < first + count; ++i) {
      for (std::size_t j = first; j < i; ++j) {
        const double product = lengths[i] * lengths[j];
        cosines.push_back(product > 0 ? dot(i, j) / product : 0);
      }
    }
    first += count;
  }
  std::sort(cosines.begin(), cosines.end());
  return cosines;
}

double Quantile(std::span<const double> ascending, double share) {
  const double place = share * static_cast<double>(ascending.size() - 1);
  const auto at = static_cast<std::size_t>(place);
  const double low = ascending[at], high = ascending[std::min(at + 1, ascending.size() - 1)];
  return low + (place - static_cast<double>(at)) * (high - low);
}

}  // namespace thimble::convert
