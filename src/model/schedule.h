// Who does which part of a tile: its way through the embedding and the layers as tasks, and each task in parts that the
// threads of a crew take.

#ifndef THIMBLE_MODEL_SCHEDULE_H_
#define THIMBLE_MODEL_SCHEDULE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "model/program.h"

namespace thimble::model {

// Which vectors of a tile are wanted. For the first of each sequence alone, the last layer computes little more than
// its keys and values.
enum class WantedRows { kAll, kFirst };

struct Range {
  std::size_t begin = 0, end = 0;
  std::size_t size() const { return end - begin; }
};

// What one thread does in one go.
struct Part {
  enum class Kind : std::uint8_t {
    kEmbed,    // The embeddings of `rows`.
    kHead,     // Attention, of head `head`.
    kRows,     // `steps` for `rows`, which need nothing of other rows.
    kInputs,   // Of few rows in all: makes those in `rows` the int8 inputs of a product,
    kOutputs,  // and computes `outputs` of it for all of `rows`.
  };
  Kind kind = Kind::kEmbed;
  std::size_t layer = 0;
  std::span<const Step> steps = {};  // One, except for kRows.
  std::size_t head = 0;
  Range rows = {};
  Range outputs = {};
  bool first_rows = false;  // Whether only the first row of each sequence is left to do; `rows` then counts those.
};

// Tasks 0 to count(), one after the other; parts of a task in any order.
class Schedule {
 public:
  struct Tile {
    std::size_t rows = 0, sequences = 0;
    std::size_t block = 0;  // Rows that the inner buffer of a thread has room for.
    WantedRows wanted = WantedRows::kAll;
  };
  // For at most `crew` threads. The program must outlive it.
  Schedule(const Program& program, const Tile& tile, std::size_t crew);

  // Threads that find enough to do.
  std::size_t members() const { return members_; }
  std::size_t count() const { return 1 + (layers_ - 1) * tasks_.count + last_tasks_.count; }
  std::size_t Parts(std::size_t task) const { return PartsOf(Whole(task)); }
  Part At(std::size_t task, std::size_t part) const;

 private:
  struct Tasks {
    std::array<Part, 12> list;
    std::size_t count = 0;
  };
  // Of a layer. With `by_outputs` each product is shared by its outputs.
  static Tasks TasksOf(const Program& program, bool by_outputs);
  // A task before it is divided.
  Part Whole(std::size_t task) const;
  std::size_t PartsOf(const Part& whole) const;

  const Program& program_;
  const Tile tile_;
  const std::size_t layers_;
  std::size_t members_ = 1;
  std::size_t row_parts_ = 1;
  Tasks tasks_;       // Of a layer,
  Tasks last_tasks_;  // and of the last.
};

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_SCHEDULE_H_
