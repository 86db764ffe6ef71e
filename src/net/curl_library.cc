// Finds libcurl and its functions.

#include "net/curl_library.h"

#include "base/error.h"
#include "base/shared_library.h"

namespace thimble::net {
namespace {

#if defined(__APPLE__)
constexpr const char* kNames[] = {"libcurl.4.dylib"};
constexpr const char* kAdvice = "it is a part of macOS";
#else
constexpr const char* kNames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
constexpr const char* kAdvice = "install libcurl4 (Debian, Ubuntu) or libcurl (Alpine, Fedora)";
#endif

Result<CurlLibrary> Load() {
  const Result<void*> library = LoadSharedLibrary(kNames);
  if (!library.ok()) {
    return Error(Code::kUnsupported, "HTTP needs libcurl: ", kAdvice, " (", library.status().message(), ")");
  }
  CurlLibrary curl;
  bool whole = true;
#define THIMBLE_FIND_FUNCTION(name) whole &= FindFunction(*library, "curl_" #name, curl.name);
  THIMBLE_CURL_FUNCTIONS(THIMBLE_FIND_FUNCTION)
#undef THIMBLE_FIND_FUNCTION
  if (!whole) {
    return Error(Code::kUnsupported, "the libcurl of this system lacks functions: ", kAdvice);
  }
  if (curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) return Error(Code::kIo, "libcurl could not be initialised");
  return curl;
}

}  // namespace

Result<const CurlLibrary*> LoadCurl() {
  static const Result<CurlLibrary> library = Load();
  if (!library.ok()) return library.status();
  return &*library;
}

}  // namespace thimble::net
