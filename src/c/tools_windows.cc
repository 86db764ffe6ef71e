// What builds without the tools lack.

#include <cstdio>

#include "c/job.h"
#include "c/values.h"

using thimble::c::FailedJob;

namespace {

thimble::Status NotHere(const char* what) {
  return thimble::Status(thimble::Code::kUnsupported,
                         std::string(what) + ": not available on Windows; use it on Linux or macOS");
}

}  // namespace

int thimble_main(int, char**, const char* const*) {
  std::fputs("thimble: the command line is not available on Windows\n", stderr);
  return 1;
}

thimble_code thimble_backend_open(const char*, const thimble_backend_options*, thimble_backend** backend,
                                  thimble_text* error) {
  *backend = nullptr;
  return thimble::c::Give(NotHere("remote backends"), error);
}

void thimble_backend_close(thimble_backend*) {}

thimble_job* thimble_backend_encode(thimble_backend*, const thimble_texts*, const thimble_encode_options*,
                                    thimble_report*) {
  return FailedJob(NotHere("remote backends"));
}

thimble_job* thimble_backend_describe(thimble_backend*) { return FailedJob(NotHere("remote backends")); }

thimble_job* thimble_convert(const char*, const char*, const thimble_convert_options*) {
  return FailedJob(NotHere("converting models"));
}
