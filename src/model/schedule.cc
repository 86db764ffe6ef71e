// Dividing a tile.

#include "model/schedule.h"

#include <algorithm>

namespace thimble::model {
namespace {

// Rows that a matrix product needs to run at full speed.
constexpr std::size_t kFullRows = 8;
// Outputs that a thread takes at a time: a whole tile of the widest instruction set.
constexpr std::size_t kOutputStep = kernels::kMaxTileStrips * kernels::kStrip;

// Part `part` of `parts` of 0 to `count`, in whole steps as far as they go.
Range Share(std::size_t count, std::size_t step, std::size_t part, std::size_t parts) {
  const std::size_t steps = (count + step - 1) / step;
  return {std::min(count, steps * part / parts * step), std::min(count, steps * (part + 1) / parts * step)};
}

}  // namespace

Schedule::Schedule(const Program& program, const Tile& tile, std::size_t crew)
    : program_(program), tile_(tile), layers_(program.architecture.layers) {
  // Several parts of rows have enough for full speed, and fit into a block.
  const std::size_t most = (tile.rows + kFullRows - 1) / kFullRows, least = (tile.rows + tile.block - 1) / tile.block;
  // More members than that would find too little to do in a task.
  members_ = std::max<std::size_t>(1, std::min(crew, 2 * most));
  if (members_ > 1) row_parts_ = std::min(most, std::max(members_, least));
  const bool by_outputs = members_ > 1 && tile.rows < members_ * kFullRows && tile.rows <= tile.block;
  tasks_ = TasksOf(program, by_outputs);
  last_tasks_ = TasksOf(program, by_outputs && tile.wanted == WantedRows::kAll);
}

Schedule::Tasks Schedule::TasksOf(const Program& program, bool by_outputs) {
  Tasks tasks;
  const std::span<const Step> steps = program.layer;
  auto add = [&](Part::Kind kind, std::size_t first, std::size_t end) {
    tasks.list[tasks.count++] = {.kind = kind, .steps = steps.subspan(first, end - first)};
  };
  for (std::size_t i = 0, end; i < steps.size(); i = end) {
    end = i + 1;
    if (steps[i].kind == Step::Kind::kAttention) {
      add(Part::Kind::kHead, i, end);
    } else if (by_outputs && steps[i].kind == Step::Kind::kLinear) {
      if (steps[i].quantizes()) add(Part::Kind::kInputs, i, end);
      add(Part::Kind::kOutputs, i, end);
    } else {
      // A product of the stream waits for all threads: inner rows share their memory with the context.
      while (!by_outputs && end < steps.size() &&
             (steps[end].kind == Step::Kind::kNorm || steps[end].in != Buffer::kStream)) {
        ++end;
      }
      add(Part::Kind::kRows, i, end);
    }
  }
  return tasks;
}

Part Schedule::Whole(std::size_t task) const {
  if (task == 0) return {.rows = {0, tile_.rows}};
  const std::size_t layer = std::min((task - 1) / tasks_.count, layers_ - 1);
  const bool last = layer + 1 == layers_;
  Part whole = (last ? last_tasks_ : tasks_).list[task - 1 - layer * tasks_.count];
  whole.layer = layer;
  whole.first_rows = last && tile_.wanted == WantedRows::kFirst;
  whole.rows = {0, whole.first_rows ? tile_.sequences : tile_.rows};
  return whole;
}

std::size_t Schedule::PartsOf(const Part& whole) const {
  if (whole.kind == Part::Kind::kHead) return program_.architecture.heads;
  if (whole.kind == Part::Kind::kOutputs) return std::min(members_, whole.steps[0].outputs / kernels::kStrip);
  return whole.first_rows ? 1 : row_parts_;
}

Part Schedule::At(std::size_t task, std::size_t part) const {
  Part share = Whole(task);
  const std::size_t parts = PartsOf(share);
  if (share.kind == Part::Kind::kHead) {
    share.head = part;
  } else if (share.kind == Part::Kind::kOutputs) {
    share.outputs = Share(share.steps[0].outputs, kOutputStep, part, parts);
  } else {
    share.rows = Share(share.rows.end, 1, part, parts);
  }
  return share;
}

}  // namespace thimble::model
