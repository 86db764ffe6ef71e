// Dividing a tile.

#include "model/schedule.h"

#include <algorithm>

namespace thimble::inline v0_1 {
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
  auto add = [&](Part::Kind kind, std::size_t first, std::size_t end) {
    tasks.list[tasks.count++] = {kind, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(end)};
  };
  const std::vector<Step>& steps = program.layer;
  for (std::size_t i = 0, end; i < steps.size(); i = end) {
    end = i + 1;
    if (steps[i].kind == Step::Kind::kAttention) {
      add(Part::Kind::kHead, i, end);
    } else if (by_outputs && steps[i].kind == Step::Kind::kLinear) {
      // A norm has made the stream's rows inputs already.
      if (steps[i].in != Buffer::kStream) add(Part::Kind::kInputs, i, end);
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

std::size_t Schedule::LayerOf(std::size_t task) const { return std::min((task - 1) / tasks_.count, layers_ - 1); }

const Schedule::Task& Schedule::TaskOf(std::size_t task) const {
  const std::size_t layer = LayerOf(task);
  return (layer + 1 < layers_ ? tasks_ : last_tasks_).list[task - 1 - layer * tasks_.count];
}

bool Schedule::FirstRows(std::size_t task) const {
  return tile_.wanted == WantedRows::kFirst && task > 0 && LayerOf(task) + 1 == layers_;
}

std::size_t Schedule::Parts(std::size_t task) const {
  if (task == 0) return row_parts_;
  const Task& one = TaskOf(task);
  if (one.kind == Part::Kind::kHead) return program_.architecture.heads;
  if (one.kind == Part::Kind::kOutputs) return std::min(members_, program_.layer[one.first].outputs / kernels::kStrip);
  return FirstRows(task) ? 1 : row_parts_;
}

Part Schedule::At(std::size_t task, std::size_t part) const {
  const std::size_t parts = Parts(task);
  Part out;
  out.first_rows = FirstRows(task);
  out.rows = {0, out.first_rows ? tile_.sequences : tile_.rows};
  if (task > 0) {
    const Task& one = TaskOf(task);
    out.kind = one.kind;
    out.layer = LayerOf(task);
    out.steps = std::span(program_.layer).subspan(one.first, one.end - one.first);
  }
  if (out.kind == Part::Kind::kHead) {
    out.head = part;
  } else if (out.kind == Part::Kind::kOutputs) {
    out.outputs = Share(out.steps[0].outputs, kOutputStep, part, parts);
  } else {
    out.rows = Share(out.rows.end, 1, part, parts);
  }
  return out;
}

}  // namespace thimble::inline v0_1
