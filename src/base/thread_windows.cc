// Threads of Windows.

#include <windows.h>

#include <memory>

#include "base/error.h"
#include "base/fork.h"
#include "base/thread.h"

namespace thimble::base {
namespace {

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

}  // namespace thimble::base
