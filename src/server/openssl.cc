// Finds OpenSSL and its functions.

#include "server/openssl.h"

#include "base/error.h"
#include "base/shared_library.h"

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
  const Result<void*> library = LoadSharedLibrary(kNames);
  if (!library.ok()) {
    return Error(Code::kUnsupported, "TLS needs OpenSSL 3: ", kAdvice, ", or put a proxy in front (",
                 library.status().message(), ")");
  }
  OpenSsl ssl;
  std::string missing;
  const auto find = [&](const char* name, auto& function) {
    if (!FindFunction(*library, name, function)) missing = name;
  };
  find("TLS_server_method", ssl.server_method);
  find("SSL_CTX_new", ssl.ctx_new);
  find("SSL_CTX_free", ssl.ctx_free);
  find("SSL_CTX_ctrl", ssl.ctx_ctrl);
  find("SSL_CTX_set_default_passwd_cb", ssl.ctx_set_password);
  find("SSL_CTX_use_certificate_chain_file", ssl.ctx_use_chain_file);
  find("SSL_CTX_use_PrivateKey_file", ssl.ctx_use_key_file);
  find("SSL_CTX_check_private_key", ssl.ctx_check_key);
  find("SSL_new", ssl.ssl_new);
  find("SSL_free", ssl.ssl_free);
  find("SSL_set_bio", ssl.set_bio);
  find("SSL_set_accept_state", ssl.set_accept_state);
  find("SSL_do_handshake", ssl.handshake);
  find("SSL_read", ssl.read);
  find("SSL_peek", ssl.peek);
  find("SSL_write", ssl.write);
  find("SSL_shutdown", ssl.shutdown);
  find("SSL_get_error", ssl.get_error);
  find("BIO_new", ssl.bio_new);
  find("BIO_s_mem", ssl.bio_memory);
  find("BIO_free", ssl.bio_free);
  find("BIO_read", ssl.bio_read);
  find("BIO_write", ssl.bio_write);
  find("ERR_clear_error", ssl.clear_errors);
  find("ERR_peek_last_error", ssl.last_error);
  find("ERR_reason_error_string", ssl.reason);
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
