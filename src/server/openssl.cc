// Finds OpenSSL and its functions.

#include "base/error.h"
#include "base/shared_library.h"
#include "server/tls.h"

namespace thimble::server {
namespace {

#if defined(__APPLE__)
constexpr const char* kNames[] = {"libssl.3.dylib"};
constexpr const char* kAdvice = "install openssl@3 (Homebrew)";
#else
constexpr const char* kNames[] = {"libssl.so.3"};
constexpr const char* kAdvice = "install libssl3 (Debian, Ubuntu, Alpine) or openssl-libs (Fedora)";
#endif

Result<OpenSsl> Load() {
  const Result<void*> library = base::LoadSharedLibrary(kNames);
  if (!library.ok()) {
    return Error(Code::kUnsupported, "TLS needs OpenSSL 3: ", kAdvice, ", or put a proxy in front (",
                 library.status().message(), ")");
  }
  OpenSsl ssl;
  std::string missing;
#define THIMBLE_FIND_FUNCTION(name, symbol, result, parameters) \
  if (!base::FindFunction(*library, symbol, ssl.name)) missing = symbol;
  THIMBLE_OPENSSL_FUNCTIONS(THIMBLE_FIND_FUNCTION)
#undef THIMBLE_FIND_FUNCTION
  if (!missing.empty()) {
    return Error(Code::kUnsupported, "the OpenSSL of this system lacks ", missing, ": ", kAdvice);
  }
  return ssl;
}

}  // namespace

std::string OpenSsl::Reason() const {
  const char* text = reason(last_error());
  return text == nullptr ? "no reason given" : text;
}

Result<const OpenSsl*> LoadOpenSsl() {
  static const Result<OpenSsl> library = Load();
  if (!library.ok()) return library.status();
  return &*library;
}

}  // namespace thimble::server
