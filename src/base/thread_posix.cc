// POSIX threads: std::thread reports failure by an exception, which the core does not use.

#include "base/error.h"
#include "base/thread.h"

namespace thimble::inline v0_1 {

Status Thread::Start(void* (*function)(void*), void* argument, std::size_t stack_bytes) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, stack_bytes);
  const int error = pthread_create(&thread_, &attributes, function, argument);
  pthread_attr_destroy(&attributes);
  running_ = error == 0;
  return running_ ? Status() : Error(Code::kOutOfMemory, "the system refused a thread (error ", error, ")");
}

void Thread::Join() {
  if (running_) pthread_join(thread_, nullptr);
  running_ = false;
}

}  // namespace thimble::inline v0_1
