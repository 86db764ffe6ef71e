// How close the vectors of each dtype come to those of fp32.
//
//   bench_quality DATA FP32_MODEL MODEL...
//
// DATA is a csv of first,second,score without a header, or any other file with one text a line. Prints for each model
// the cosine to fp32 over all distinct texts, and with scores the rank correlation with them. Exit code 1 when a model
// falls below the limit of its dtype.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/embedder.h"

namespace thimble {
namespace {

struct Data {
  std::vector<std::string> texts;
  struct Pair {
    std::size_t first, second;
    double score;
  };
  std::vector<Pair> pairs;
};

// One record of a csv file; quotes may hold commas, line breaks and doubled quotes.
bool ReadRecord(std::istream& file, std::vector<std::string>& fields) {
  fields.assign(1, "");
  bool quoted = false, any = false;
  for (int c; (c = file.get()) != EOF;) {
    any = true;
    if (c == '"') {
      if (quoted && file.peek() == '"') {
        fields.back() += static_cast<char>(file.get());
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else if (c == '\n' && !quoted) {
      return true;
    } else if (c != '\r' || quoted) {
      fields.back() += static_cast<char>(c);
    }
  }
  return any;
}

bool ReadData(const std::string& path, Data& data) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return false;
  std::map<std::string, std::size_t> known;
  auto index = [&](const std::string& text) {
    auto [entry, added] = known.try_emplace(text, data.texts.size());
    if (added) data.texts.push_back(text);
    return entry->second;
  };
  if (!path.ends_with(".csv")) {
    for (std::string line; std::getline(file, line);) index(line);
    return true;
  }
  std::vector<std::string> fields;
  while (ReadRecord(file, fields)) {
    if (fields.size() != 3) return false;
    data.pairs.push_back({index(fields[0]), index(fields[1]), std::strtod(fields[2].c_str(), nullptr)});
  }
  return true;
}

// Ranks from 1; equals share their mean.
std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t begin = 0, end; begin < order.size(); begin = end) {
    for (end = begin; end < order.size() && values[order[end]] == values[order[begin]];) ++end;
    for (std::size_t i = begin; i < end; ++i) ranks[order[i]] = static_cast<double>(begin + end + 1) / 2;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const auto count = static_cast<double>(a.size());
  double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / count;
  double mean_b = std::accumulate(b.begin(), b.end(), 0.0) / count;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

double Cosine(const float* a, const float* b, std::size_t dimensions) {
  double ab = std::inner_product(a, a + dimensions, b, 0.0);
  double aa = std::inner_product(a, a + dimensions, a, 0.0);
  double bb = std::inner_product(b, b + dimensions, b, 0.0);
  return ab / std::sqrt(aa * bb);
}

double Spearman(const Data& data, const std::vector<float>& vectors, std::size_t dimensions) {
  std::vector<double> cosines, scores;
  for (const Data::Pair& pair : data.pairs) {
    cosines.push_back(Cosine(&vectors[pair.first * dimensions], &vectors[pair.second * dimensions], dimensions));
    scores.push_back(pair.score);
  }
  return 100 * Correlation(Ranks(cosines), Ranks(scores));
}

struct Vectors {
  ModelInfo info;
  std::vector<float> values;
};

Result<Vectors> Embed(const std::string& path, const Data& data) {
  auto model = Model::Open(path);
  if (!model.ok()) return model.status();
  auto embedder = Embedder::Create(*model);
  if (!embedder.ok()) return embedder.status();
  Vectors vectors{(*model)->info(), std::vector<float>(data.texts.size() * embedder->dimensions())};
  std::vector<std::string_view> views(data.texts.begin(), data.texts.end());
  Status status = embedder->EmbedBatch(views, vectors.values);
  if (!status.ok()) return status;
  return vectors;
}

struct Limit {
  std::string_view dtype;
  double mean, first_percentile, least;
};
constexpr Limit kLimits[] = {
    {"q8", .9994, .998, .995}, {"q6", .9975, .992, .985}, {"q4", .98, -1, -1}, {"q4-small", .975, -1, -1}};

int Run(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: bench_quality DATA FP32_MODEL MODEL...\n");
    return 2;
  }
  Data data;
  if (!ReadData(argv[1], data) || data.texts.empty()) {
    std::fprintf(stderr, "bench_quality: %s: expected lines of text, or a csv of first,second,score\n", argv[1]);
    return 1;
  }
  std::printf("%zu texts, %zu scored pairs\n", data.texts.size(), data.pairs.size());
  std::printf("%-8s %12s  %-28s %10s %8s\n", "dtype", "file bytes", "cosine to fp32: mean p1 min", "Spearman",
              "change");
  Vectors reference;
  double reference_spearman = 0;
  bool good = true;
  for (int i = 2; i < argc; ++i) {
    auto vectors = Embed(argv[i], data);
    if (!vectors.ok()) {
      std::fprintf(stderr, "bench_quality: %s\n", vectors.status().message().c_str());
      return 1;
    }
    const std::size_t dimensions = vectors->info.dimensions;
    double spearman = data.pairs.empty() ? 0 : Spearman(data, vectors->values, dimensions);
    if (i == 2) {
      reference = *vectors;
      reference_spearman = spearman;
    }
    if (dimensions != reference.info.dimensions) {
      std::fprintf(stderr, "bench_quality: %s: %zu dimensions, the reference has %zu\n", argv[i], dimensions,
                   reference.info.dimensions);
      return 1;
    }
    std::vector<double> cosines;
    for (std::size_t t = 0; t < data.texts.size(); ++t) {
      cosines.push_back(Cosine(&vectors->values[t * dimensions], &reference.values[t * dimensions], dimensions));
    }
    std::sort(cosines.begin(), cosines.end());
    double mean = std::accumulate(cosines.begin(), cosines.end(), 0.0) / static_cast<double>(cosines.size());
    double first_percentile = cosines[cosines.size() / 100];
    std::printf("%-8s %12zu  %.6f %.6f %.6f   ", vectors->info.dtype.c_str(), vectors->info.file_bytes, mean,
                first_percentile, cosines.front());
    if (data.pairs.empty()) {
      std::printf("%10s %8s\n", "-", "-");
    } else {
      std::printf("%10.3f %+8.3f\n", spearman, spearman - reference_spearman);
    }
    for (const Limit& limit : kLimits) {
      if (limit.dtype != vectors->info.dtype) continue;
      // Written so that a NaN fails.
      bool within = mean >= limit.mean && first_percentile >= limit.first_percentile && cosines.front() >= limit.least;
      if (!within) std::printf("       below the limits of %s\n", vectors->info.dtype.c_str());
      good = good && within;
    }
  }
  return good ? 0 : 1;
}

}  // namespace
}  // namespace thimble

int main(int argc, char** argv) { return thimble::Run(argc, argv); }
