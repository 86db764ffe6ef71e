// Tests of the division of tiles.

#include "model/schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace thimble::model {
namespace {

constexpr std::size_t kBlock = 64;

// How often each row of each output of a step is computed, the steps of all layers one after the other; of attention an
// output is a head. Also checks that inputs of a product are made before it, once.
std::vector<std::vector<int>> Work(const Program& program, const Schedule& schedule, std::size_t rows) {
  std::vector<std::vector<int>> work;
  std::vector<int> inputs;
  auto add = [&](const Step& step, std::size_t layer, Range some_rows, Range outputs) {
    const std::size_t index = layer * program.layer.size() + static_cast<std::size_t>(&step - program.layer.data());
    const std::size_t width = std::max<std::size_t>(step.outputs, 1);
    ASSERT_LE(index, work.size()) << "a step before the one before it";
    if (index == work.size()) work.emplace_back(rows * width);
    for (std::size_t row = some_rows.begin; row < some_rows.end; ++row) {
      for (std::size_t n = outputs.begin; n < outputs.end; ++n) ++work[index][row * width + n];
    }
  };
  for (std::size_t task = 1; task < schedule.count(); ++task) {
    for (std::size_t i = 0; i < schedule.Parts(task); ++i) {
      const Part part = schedule.At(task, i);
      switch (part.kind) {
        case Part::Kind::kEmbed:
          ADD_FAILURE() << "embeds twice";
          break;
        case Part::Kind::kHead:
          add(part.steps[0], part.layer, {0, 1}, {part.head, part.head + 1});
          break;
        case Part::Kind::kInputs:
          if (i == 0) inputs.assign(rows, 0);
          for (std::size_t row = part.rows.begin; row < part.rows.end; ++row) ++inputs[row];
          break;
        case Part::Kind::kOutputs:
          EXPECT_EQ(part.rows.size(), rows);
          EXPECT_TRUE(!part.steps[0].quantizes() || inputs == std::vector<int>(rows, 1));
          add(part.steps[0], part.layer, part.rows, part.outputs);
          break;
        case Part::Kind::kRows:
          for (const Step& step : part.steps) {
            add(step, part.layer, part.rows, {0, std::max<std::size_t>(step.outputs, 1)});
          }
          break;
      }
    }
  }
  return work;
}

TEST(Schedule, EveryStepIsDoneOnceForEachRowInTheOrderOfTheProgram) {
  const Program program({.hidden = 192, .layers = 2, .heads = 3, .intermediate = 320});
  for (std::size_t rows : {1, 7, 8, 9, 16, 17, 64, 65, 200}) {
    for (std::size_t crew : {0, 1, 2, 3, 5, 16}) {
      for (WantedRows wanted : {WantedRows::kAll, WantedRows::kFirst}) {
        SCOPED_TRACE(std::to_string(rows) + " rows, crew " + std::to_string(crew));
        const std::size_t sequences = std::min<std::size_t>(rows, 3);
        const Schedule schedule(program, {.rows = rows, .sequences = sequences, .block = kBlock, .wanted = wanted},
                                crew);
        const auto work = Work(program, schedule, rows);
        ASSERT_EQ(work.size(), 2 * program.layer.size());
        for (std::size_t i = 0; i < work.size(); ++i) {
          const Step& step = program.layer[i % program.layer.size()];
          const bool first = wanted == WantedRows::kFirst && i >= program.layer.size();
          const std::size_t done = step.kind == Step::Kind::kAttention
                                       ? program.architecture.heads
                                       : (first ? sequences : rows) * std::max<std::size_t>(step.outputs, 1);
          EXPECT_EQ(std::count(work[i].begin(), work[i].end(), 1), static_cast<std::ptrdiff_t>(done)) << step.name;
          EXPECT_EQ(std::count(work[i].begin(), work[i].end(), 0), static_cast<std::ptrdiff_t>(work[i].size() - done));
        }
      }
    }
  }
}

}  // namespace
}  // namespace thimble::model
