// The list of instruction sets and the choice among them.

#include <array>
#include <atomic>
#include <string>

#include "base/environment.h"
#include "base/error.h"
#include "kernels/generic.h"

namespace thimble::kernels {
namespace {

constexpr std::array kAll = {
#if defined(__x86_64__)
    &kAmx,    &kAvx512Vnni, &kAvxVnni, &kAvx512, &kAvx2, &kSse41,
#elif defined(__aarch64__)
    &kNeonI8mm,
    &kNeonDot,
    &kNeon,
#endif
    &kScalar,
};

Result<const Kernels*> Choose() {
  if (const std::string forced = base::Environment("THIMBLE_ISA"); !forced.empty()) {
    Result<const Kernels*> found = FindKernels(forced);
    if (!found.ok()) return Error(found.status().code(), "THIMBLE_ISA: ", found.status().message());
    return found;
  }
  for (const Kernels* kernels : kAll) {
    if (kernels->supported()) return kernels;
  }
  return Error(Code::kUnsupported, "no instruction set of this build runs on this machine");
}

}  // namespace

std::span<const Kernels* const> AllKernels() { return kAll; }

Result<const Kernels*> FindKernels(std::string_view name) {
  std::string names;
  for (const Kernels* kernels : kAll) {
    if (kernels->name == name) {
      if (kernels->supported()) return kernels;
      return Error(Code::kInvalidArgument, "this machine lacks the instruction set \"", name, "\"");
    }
    names += names.empty() ? "" : ", ";
    names += kernels->name;
  }
  return Error(Code::kInvalidArgument, "unknown instruction set \"", name, "\", expected one of ", names);
}

Result<const Kernels*> ChooseKernels() {
  // Threads may choose at the same time, and find the same: a static initialisation that a fork meets would never end
  // in the child.
  static constinit std::atomic<const Kernels*> chosen = nullptr;
  if (const Kernels* known = chosen.load(std::memory_order_acquire)) return known;
  Result<const Kernels*> choice = Choose();
  if (choice.ok()) chosen.store(*choice, std::memory_order_release);
  return choice;
}

}  // namespace thimble::kernels
