// An exact search: one pass over the vectors, then the places of the best texts.

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/error.h"
#include "sync/store.h"

namespace thimble::sync {
namespace {

struct Best {
  double cosine;
  TextHash hash;
  std::int64_t text;
};
// By hash where cosines are equal, so that the history of a store does not matter.
bool RanksBefore(const Best& a, const Best& b) { return a.cosine != b.cosine ? a.cosine > b.cosine : a.hash < b.hash; }

// The best texts that are in a chunk, first the best.
Result<std::vector<Best>> BestTexts(Store& store, std::span<const float> wanted, std::size_t top) {
  THIMBLE_ASSIGN_OR_RETURN(Statement texts, store.database().Prepare("SELECT id, hash, vector FROM texts"));
  THIMBLE_ASSIGN_OR_RETURN(Statement in_chunk, store.database().Prepare("SELECT 1 FROM chunks WHERE text = ? LIMIT 1"));
  std::vector<Best> best;  // A heap whose front ranks last.
  std::vector<float> vector(wanted.size());
  for (;;) {
    THIMBLE_ASSIGN_OR_RETURN(const bool row, texts.Step());
    if (!row) break;
    const std::span<const std::byte> bytes = texts.Bytes(2);
    if (bytes.size() != vector.size() * sizeof(float)) {
      return Error(Code::kCorrupt, store.database().path(), ": text ", texts.Integer(0), ": expected a vector of ",
                   vector.size() * sizeof(float), " bytes, found ", bytes.size(), "; --rebuild makes the store anew");
    }
    std::memcpy(vector.data(), bytes.data(), bytes.size());
    Best found{std::inner_product(wanted.begin(), wanted.end(), vector.begin(), 0.0), {}, texts.Integer(0)};
    const std::span<const std::byte> hash = texts.Bytes(1);
    std::copy_n(hash.begin(), std::min(hash.size(), found.hash.size()), found.hash.begin());
    if (best.size() == top && !RanksBefore(found, best.front())) continue;
    // A sync may have removed its chunks, and the text is still to go.
    THIMBLE_ASSIGN_OR_RETURN(const bool used, in_chunk.Bind(found.text).Step());
    in_chunk.Reset();
    if (!used) continue;
    if (best.size() == top) {
      std::pop_heap(best.begin(), best.end(), RanksBefore);
      best.pop_back();
    }
    best.push_back(std::move(found));
    std::push_heap(best.begin(), best.end(), RanksBefore);
  }
  std::sort_heap(best.begin(), best.end(), RanksBefore);
  return best;
}

}  // namespace

Result<std::vector<Match>> Search(Store& store, std::span<const float> wanted, std::size_t top) {
  Transaction transaction(store.database());  // Both passes see the same state.
  THIMBLE_RETURN_IF_ERROR(transaction.BeginReading());
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<Best> best, BestTexts(store, wanted, top));
  THIMBLE_ASSIGN_OR_RETURN(
      Statement places,
      store.database().Prepare("SELECT path, first_line, last_line, heading, texts.text FROM chunks "
                               "JOIN files ON files.id = chunks.file JOIN texts ON texts.id = chunks.text "
                               "WHERE chunks.text = ? ORDER BY path, ordinal"));
  std::vector<Match> matches;
  for (const Best& text : best) {
    places.Bind(text.text);
    while (matches.size() < top) {
      THIMBLE_ASSIGN_OR_RETURN(const bool row, places.Step());
      if (!row) break;
      matches.push_back({text.cosine, std::string(places.Text(0)), static_cast<std::size_t>(places.Integer(1)),
                         static_cast<std::size_t>(places.Integer(2)), std::string(places.Text(3)),
                         std::string(places.Text(4))});
    }
    places.Reset();
  }
  return matches;
}

}  // namespace thimble::sync
