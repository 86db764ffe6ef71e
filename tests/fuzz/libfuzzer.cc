// One target for libFuzzer, which THIMBLE_FUZZ_TARGET names.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/fuzz.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

const thimble::fuzz::Target& TheTarget() {
  static const thimble::fuzz::Target& target = []() -> const thimble::fuzz::Target& {
    const char* name = std::getenv("THIMBLE_FUZZ_TARGET");
    for (const thimble::fuzz::Target& each : thimble::fuzz::Targets()) {
      if (name != nullptr && std::strcmp(each.name, name) == 0) return each;
    }
    std::fprintf(stderr, "fuzz: THIMBLE_FUZZ_TARGET names no target\n");
    std::exit(2);
  }();
  return target;
}

std::string_view View(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  TheTarget().run(View(data, size));
  return 0;
}

// Half of the changes are of the target's own form.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  const thimble::fuzz::Target& target = TheTarget();
  if (seed % 2 == 0) return LLVMFuzzerMutate(data, size, most);
  const std::string changed =
      (target.mutate != nullptr ? target.mutate : thimble::fuzz::MutateBytes)(View(data, size), seed / 2);
  if (changed.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
