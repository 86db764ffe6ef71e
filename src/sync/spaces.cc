// Neighbours in two spaces, block by block.

#include "sync/spaces.h"

#include <algorithm>
#include <cerrno>
#include <cmath>

#include "base/error.h"

namespace thimble::sync {
namespace {

constexpr std::size_t kBlockRows = 128;

// Eight sums, which the compiler keeps in registers; one order on every machine.
double Dot(std::span<const float> a, std::span<const float> b) {
  float sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= a.size(); i += 8) {
    for (std::size_t k = 0; k < 8; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  for (const float part : sums) sum += static_cast<double>(part);
  return sum;
}

struct Neighbour {
  double cosine;
  std::size_t text;
};
bool IsNearer(const Neighbour& a, const Neighbour& b) {
  return a.cosine != b.cosine ? a.cosine > b.cosine : a.text < b.text;
}

// The nearest so far, first the nearest.
class Nearest {
 public:
  explicit Nearest(std::size_t most) : most_(most) {}
  void Add(const Neighbour& found) {
    if (all_.size() == most_ && !IsNearer(found, all_.back())) return;
    if (all_.size() == most_) all_.pop_back();
    all_.insert(std::upper_bound(all_.begin(), all_.end(), found, IsNearer), found);
  }
  const std::vector<Neighbour>& all() const { return all_; }
  std::size_t CountCommon(const Nearest& other) const {
    return static_cast<std::size_t>(std::count_if(all_.begin(), all_.end(), [&](const Neighbour& mine) {
      return std::any_of(other.all_.begin(), other.all_.end(),
                         [&](const Neighbour& theirs) { return theirs.text == mine.text; });
    }));
  }

 private:
  std::size_t most_;
  std::vector<Neighbour> all_;
};

struct Query {
  Query(std::size_t index, std::size_t most) : text(index), in_a(most), in_b(most), kept(most) {}
  std::size_t text;
  Nearest in_a, in_b;
  Nearest kept;                    // In A, to the vector in B.
  std::vector<Neighbour> targets;  // in_a with the cosines in B,
  std::vector<std::size_t> ranks;  // and how many are nearer in B.
};

// Calls take(row, vector) for each vector of a file.
template <typename Take>
Status ForEachVector(const VectorFile& file, Take&& take) {
  std::vector<float> block(kBlockRows * file.dimensions());
  for (std::size_t first = 0; first < file.size(); first += kBlockRows) {
    const std::size_t rows = std::min(kBlockRows, file.size() - first);
    THIMBLE_RETURN_IF_ERROR(file.Read(first, std::span(block).first(rows * file.dimensions())));
    for (std::size_t row = 0; row < rows; ++row) {
      take(first + row, std::span<const float>(block).subspan(row * file.dimensions(), file.dimensions()));
    }
  }
  return Status();
}

Result<CosineSummary> CompareTexts(const VectorFile& a, const VectorFile& b) {
  std::vector<double> cosines;
  std::vector<float> other(b.dimensions());
  Status status;
  THIMBLE_RETURN_IF_ERROR(ForEachVector(a, [&](std::size_t row, std::span<const float> vector) {
    if (status.ok()) status = b.Read(row, other);
    cosines.push_back(Dot(vector, other));
  }));
  THIMBLE_RETURN_IF_ERROR(status);
  CosineSummary summary;
  for (const double cosine : cosines) summary.mean += cosine / static_cast<double>(cosines.size());
  std::sort(cosines.begin(), cosines.end());
  const auto quantile = [&](double share) {
    return cosines[static_cast<std::size_t>(share * static_cast<double>(cosines.size() - 1))];
  };
  summary.p50 = quantile(0.5);
  summary.p5 = quantile(0.05);
  summary.p1 = quantile(0.01);
  summary.least = cosines.front();
  return summary;
}

class Comparer {
 public:
  Comparer(const VectorFile& a, const VectorFile& b) : a_(a), b_(b), comparable_(a.dimensions() == b.dimensions()) {}

  Result<Comparison> Run() {
    const std::size_t most = std::min(kNeighbours, a_.size() - 1);
    Sample sample(a_.size(), kMaxQueries);
    for (std::size_t i = 0; i < a_.size(); ++i) {
      if (sample.Next()) queries_.emplace_back(i, most);
    }
    THIMBLE_RETURN_IF_ERROR(ReadQueries(a_, query_a_));
    THIMBLE_RETURN_IF_ERROR(ReadQueries(b_, query_b_));
    THIMBLE_RETURN_IF_ERROR(
        ForEachVector(a_, [&](std::size_t row, std::span<const float> vector) { TakeA(row, vector); }));
    THIMBLE_RETURN_IF_ERROR(FindTargets());
    THIMBLE_RETURN_IF_ERROR(
        ForEachVector(b_, [&](std::size_t row, std::span<const float> vector) { TakeB(row, vector); }));
    Comparison comparison = Summary(most);
    if (comparable_) {
      THIMBLE_ASSIGN_OR_RETURN(comparison.cosine, CompareTexts(a_, b_));
    }
    return comparison;
  }

 private:
  Status ReadQueries(const VectorFile& file, std::vector<float>& vectors) const {
    vectors.resize(queries_.size() * file.dimensions());
    for (std::size_t q = 0; q < queries_.size(); ++q) {
      THIMBLE_RETURN_IF_ERROR(
          file.Read(queries_[q].text, std::span(vectors).subspan(q * file.dimensions(), file.dimensions())));
    }
    return Status();
  }
  std::span<const float> OfA(std::size_t q) const {
    return std::span(query_a_).subspan(q * a_.dimensions(), a_.dimensions());
  }
  std::span<const float> OfB(std::size_t q) const {
    return std::span(query_b_).subspan(q * b_.dimensions(), b_.dimensions());
  }

  void TakeA(std::size_t row, std::span<const float> vector) {
    for (std::size_t q = 0; q < queries_.size(); ++q) {
      if (queries_[q].text == row) continue;
      queries_[q].in_a.Add({Dot(OfA(q), vector), row});
      if (comparable_) queries_[q].kept.Add({Dot(OfB(q), vector), row});
    }
  }
  Status FindTargets() {
    std::vector<float> vector(b_.dimensions());
    for (std::size_t q = 0; q < queries_.size(); ++q) {
      for (const Neighbour& near : queries_[q].in_a.all()) {
        THIMBLE_RETURN_IF_ERROR(b_.Read(near.text, vector));
        queries_[q].targets.push_back({Dot(OfB(q), vector), near.text});
      }
      queries_[q].ranks.resize(queries_[q].targets.size());
    }
    return Status();
  }
  void TakeB(std::size_t row, std::span<const float> vector) {
    for (std::size_t q = 0; q < queries_.size(); ++q) {
      Query& query = queries_[q];
      if (query.text == row) continue;
      const Neighbour found{Dot(OfB(q), vector), row};
      query.in_b.Add(found);
      for (std::size_t i = 0; i < query.targets.size(); ++i) query.ranks[i] += IsNearer(found, query.targets[i]);
    }
  }

  Comparison Summary(std::size_t most) const {
    Comparison comparison{.texts = a_.size(), .queries = queries_.size(), .neighbours = most};
    std::vector<std::size_t> losses;
    std::size_t common = 0, kept = 0;
    for (const Query& query : queries_) {
      common += query.in_a.CountCommon(query.in_b);
      kept += query.in_a.CountCommon(query.kept);
      for (std::size_t i = 0; i < query.ranks.size(); ++i)
        losses.push_back(query.ranks[i] - std::min(query.ranks[i], i));
    }
    const auto all = static_cast<double>(losses.size());
    comparison.overlap = static_cast<double>(common) / all;
    if (comparable_) comparison.kept_overlap = static_cast<double>(kept) / all;
    for (const std::size_t loss : losses) comparison.rank_loss += static_cast<double>(loss) / all;
    std::sort(losses.begin(), losses.end());
    comparison.rank_loss_p95 = static_cast<double>(losses[(losses.size() * 95 + 99) / 100 - 1]);
    return comparison;
  }

  const VectorFile& a_;
  const VectorFile& b_;
  const bool comparable_;
  std::vector<Query> queries_;
  std::vector<float> query_a_, query_b_;
};

Status FileError(const char* what) { return SystemError(errno, what, "a temporary file"); }

}  // namespace

bool Sample::Next() {
  // SplitMix64.
  std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
  mixed ^= mixed >> 31;
  const bool drawn = left_ > 0 && (wanted_ == left_ || (mixed >> 11) % left_ < wanted_);
  left_ -= left_ > 0;
  wanted_ -= drawn;
  return drawn;
}

Result<VectorFile> VectorFile::Create(std::size_t dimensions) {
  std::FILE* file = std::tmpfile();
  if (file == nullptr) return FileError("cannot make");
  return VectorFile(file, dimensions);
}

Status VectorFile::Append(std::span<const float> vectors) {
  if (std::fseek(file_.get(), 0, SEEK_END) != 0 ||
      std::fwrite(vectors.data(), sizeof(float), vectors.size(), file_.get()) != vectors.size() ||
      std::fflush(file_.get()) != 0) {
    return FileError("cannot write");
  }
  size_ += vectors.size() / dimensions_;
  return Status();
}

Status VectorFile::Read(std::size_t first, std::span<float> vectors) const {
  if (std::fseek(file_.get(), static_cast<long>(first * dimensions_ * sizeof(float)), SEEK_SET) != 0 ||
      std::fread(vectors.data(), sizeof(float), vectors.size(), file_.get()) != vectors.size()) {
    return FileError("cannot read");
  }
  return Status();
}

Result<Comparison> Compare(const VectorFile& a, const VectorFile& b) { return Comparer(a, b).Run(); }

}  // namespace thimble::sync
