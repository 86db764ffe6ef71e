// Processes on Windows: their memory, processors, threads and locks, which are files that only one process can have
// open, asked for again and again so that waiting can be ended; and what the system lacks. It has no fork(), its
// signals do not end processes, and it removes the files of locks itself.

// clang-format off: the second needs the first.
#include <windows.h>
#include <psapi.h>
// clang-format on

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fork.h"
#include "base/guard.h"
#include "base/keep_loaded.h"
#include "base/leftover.h"
#include "base/path.h"
#include "base/processors.h"
#include "base/thread.h"
#include "base/windows_error.h"
#include "thimble/memory.h"

namespace thimble::inline v0_1 {
namespace {

// How many processors of `mask` are in the highest efficiency class, which means the fastest, among them; 0 if the
// system does not say.
Result<std::size_t> PerformanceProcessors(DWORD_PTR mask) {
  DWORD bytes = 0;
  GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &bytes);
  std::vector<std::byte> cores(bytes);
  std::byte* next = cores.data();
  if (!GetLogicalProcessorInformationEx(RelationProcessorCore,
                                        reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(next), &bytes)) {
    return std::size_t{0};
  }
  BYTE highest = 0;
  int count = 0;
  for (const std::byte* const end = next + bytes; next != end;) {
    const auto& core = *reinterpret_cast<const SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(next);
    next += core.Size;
    const int processors = std::popcount(core.Processor.GroupMask[0].Mask & mask);
    if (processors == 0 || core.Processor.EfficiencyClass < highest) continue;
    if (core.Processor.EfficiencyClass > highest) count = 0;
    highest = core.Processor.EfficiencyClass;
    count += processors;
  }
  return static_cast<std::size_t>(count);
}

constexpr std::chrono::milliseconds kPause{50};

struct Call {
  void* (*function)(void*);
  void* argument;
};

DWORD WINAPI Run(void* parameter) {
  const std::unique_ptr<Call> call(static_cast<Call*>(parameter));
  call->function(call->argument);
  return 0;
}

}  // namespace

std::size_t MemoryLimit() {
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<std::size_t>(status.ullTotalPhys) : 0;
}

Result<ProcessMemory> MeasureMemory(int process) {
  const HANDLE handle = process == 0
                            ? GetCurrentProcess()
                            : OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(process));
  if (handle == nullptr) return Error(Code::kNotFound, "process ", process, " cannot be opened");
  PROCESS_MEMORY_COUNTERS_EX counters = {};
  const bool found =
      K32GetProcessMemoryInfo(handle, reinterpret_cast<PROCESS_MEMORY_COUNTERS*>(&counters), sizeof counters);
  const Status failure = found ? Status() : WindowsError("cannot read the memory of", "the process");
  if (process != 0) CloseHandle(handle);
  if (!failure.ok()) return failure;
  // The system has no share of a shared page; the working set stands for it.
  return ProcessMemory{.rss_bytes = counters.WorkingSetSize,
                       .pss_bytes = counters.WorkingSetSize,
                       .private_bytes = counters.PrivateUsage,
                       .peak_rss_bytes = counters.PeakWorkingSetSize,
                       .data_bytes = counters.PrivateUsage};
}

std::size_t UsableProcessors() {
  DWORD_PTR process = 0, system = 0;
  // 0 where the process has processors of several groups.
  if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &system) || process == 0) {
    return std::max(1u, std::thread::hardware_concurrency());
  }
  // Machines with several groups of processors, which `process` does not name, have one kind of cores.
  if (GetActiveProcessorGroupCount() == 1) {
    const auto performance = Guarded([&] { return PerformanceProcessors(process); });
    if (performance.ok() && *performance > 0) return *performance;
  }
  return static_cast<std::size_t>(std::popcount(process));
}

void KeepLoaded() {
  static const char here = 0;
  HMODULE module = nullptr;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, &here, &module);
}

std::uint32_t ForkNumber() { return 0; }
ForkMutex::ForkMutex() = default;
ForkMutex::~ForkMutex() = default;

Leftover::Leftover(const std::string&) {}
Leftover::~Leftover() = default;
void RemoveLeftovers() {}

Result<FileLock> FileLock::Acquire(const std::string& path, const std::function<bool()>& go_on) {
  for (;;) {
    const HANDLE handle = CreateFileW(WidePath(path).c_str(), GENERIC_WRITE, 0, nullptr, OPEN_ALWAYS,
                                      FILE_ATTRIBUTE_NORMAL | FILE_FLAG_DELETE_ON_CLOSE, nullptr);
    if (handle != INVALID_HANDLE_VALUE) return FileLock(path, reinterpret_cast<std::intptr_t>(handle));
    const DWORD error = GetLastError();
    if (error == ERROR_PATH_NOT_FOUND) {
      std::error_code failure;
      std::filesystem::create_directories(ToPath(path).parent_path(), failure);
      if (!failure) continue;
      return Error(Code::kIo, "cannot lock ", path, ": ", failure.message());
    }
    if (error != ERROR_SHARING_VIOLATION && error != ERROR_ACCESS_DENIED) return WindowsError("cannot lock", path);
    if (!go_on()) return Error(Code::kIo, "waiting for another process was aborted");
    std::this_thread::sleep_for(kPause);
  }
}

FileLock::FileLock(FileLock&& other) noexcept : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ != -1) CloseHandle(reinterpret_cast<HANDLE>(file_));
}

Status Thread::Start(void* (*function)(void*), void* argument, std::size_t stack_bytes) {
  auto call = std::make_unique<Call>(Call{function, argument});
  thread_ = CreateThread(nullptr, stack_bytes, Run, call.get(), STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  running_ = thread_ != nullptr;
  if (!running_) return Error(Code::kOutOfMemory, "the system refused a thread (error ", GetLastError(), ")");
  call.release();
  fork_ = ForkNumber();
  return Status();
}

void Thread::Join() {
  if (!running_) return;
  WaitForSingleObject(thread_, INFINITE);
  CloseHandle(thread_);
  running_ = false;
}

}  // namespace thimble::inline v0_1
