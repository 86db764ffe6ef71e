// Finds libcurl and its functions.

#include "net/curl_library.h"

#include <dlfcn.h>

#include <string>

#include "base/error.h"

namespace thimble::net {
namespace {

#if defined(__APPLE__)
constexpr const char* kNames[] = {"libcurl.4.dylib"};
constexpr const char* kAdvice = "it is a part of macOS";
#else
constexpr const char* kNames[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
constexpr const char* kAdvice = "install libcurl4 (Debian, Ubuntu) or libcurl (Alpine, Fedora)";
#endif

#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Node.js exports an OpenSSL of its own, which is not the one that libcurl was built with. The sanitizers refuse it.
constexpr int kFlags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#else
constexpr int kFlags = RTLD_NOW | RTLD_LOCAL;
#endif

template <typename Function>
bool Find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

Result<CurlLibrary> Load() {
  void* library = nullptr;
  std::string why;
  for (const char* name : kNames) {
    library = dlopen(name, kFlags);
    if (library != nullptr) break;
    const char* error = dlerror();
    why += (why.empty() ? "" : "; ") + std::string(error == nullptr ? name : error);
  }
  if (library == nullptr) {
    return Error(Code::kUnsupported, "HTTP needs libcurl: ", kAdvice, " (", why, ")");
  }
  CurlLibrary curl;
  if (!Find(library, "curl_global_init", curl.global_init) || !Find(library, "curl_easy_init", curl.easy_init) ||
      !Find(library, "curl_easy_setopt", curl.easy_setopt) || !Find(library, "curl_easy_perform", curl.easy_perform) ||
      !Find(library, "curl_easy_getinfo", curl.easy_getinfo) || !Find(library, "curl_easy_reset", curl.easy_reset) ||
      !Find(library, "curl_easy_cleanup", curl.easy_cleanup) ||
      !Find(library, "curl_easy_strerror", curl.easy_strerror) ||
      !Find(library, "curl_slist_append", curl.slist_append) ||
      !Find(library, "curl_slist_free_all", curl.slist_free_all)) {
    return Error(Code::kUnsupported, "libcurl on this system is too old: ", kAdvice);
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
