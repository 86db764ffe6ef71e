// How far two vector spaces agree on the same texts: can an index of the vectors of one be kept when queries come from
// the other?

#ifndef THIMBLE_SYNC_SPACES_H_
#define THIMBLE_SYNC_SPACES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "thimble/status.h"

namespace thimble::sync {

// Of more texts, so many are drawn; and of more than kMaxQueries of these, so many are the queries, whose neighbours
// are looked for among all that were drawn.
inline constexpr std::size_t kMaxTexts = 20'000;
inline constexpr std::size_t kMaxQueries = 1'000;
inline constexpr std::size_t kNeighbours = 10;

// Draws `count` of `all` in order, the same ones each time.
class Sample {
 public:
  Sample(std::uint64_t all, std::uint64_t count) : left_(all), wanted_(count < all ? count : all) {}
  // Whether the next one is drawn.
  bool Next();

 private:
  std::uint64_t left_, wanted_;
  std::uint64_t state_ = 1;  // The seed.
};

// Vectors of one space in a temporary file, so that memory does not depend on their number. Move-only.
class VectorFile {
 public:
  static Result<VectorFile> Create(std::size_t dimensions);

  std::size_t dimensions() const { return dimensions_; }
  std::size_t size() const { return size_; }
  Status Append(std::span<const float> vectors);
  // Rows from `first` on.
  Status Read(std::size_t first, std::span<float> vectors) const;

 private:
  VectorFile(std::FILE* file, std::size_t dimensions) : file_(file, &std::fclose), dimensions_(dimensions) {}
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  std::size_t dimensions_;
  std::size_t size_ = 0;
};

// Quantiles of the cosine of a text's vectors in both spaces.
struct CosineSummary {
  double mean = 0, p50 = 0, p5 = 0, p1 = 0, least = 0;
};

struct Comparison {
  std::size_t texts = 0, queries = 0, neighbours = 0;
  std::optional<CosineSummary> cosine = {};  // Where the spaces have the same dimensions.
  // |A(q) & B(q)| / k, where A(q) and B(q) are the k texts that are most alike to q in each space: the mean over q.
  double overlap = 0;
  // max(0, rank of t among q's neighbours in B - rank in A), for the k texts t of A(q): mean over q and t, and the
  // least number that 95 % do not exceed.
  double rank_loss = 0, rank_loss_p95 = 0;
  // As `overlap`, of A(q) with the k texts whose vectors in A are most alike to the vector of q in B: what an index of
  // A finds for queries of B. Where the spaces have the same dimensions.
  std::optional<double> kept_overlap = {};
};

// `a` and `b` hold unit vectors of the same texts in the same order, at least two. A text is no neighbour of itself; of
// equally near ones the earlier is nearer. Exact, in blocks; memory in proportion to the queries. kIo, kCorrupt.
Result<Comparison> Compare(const VectorFile& a, const VectorFile& b);

}  // namespace thimble::sync

#endif  // THIMBLE_SYNC_SPACES_H_
