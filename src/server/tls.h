// TLS 1.2 and 1.3 in memory: who uses it moves the bytes.

#ifndef THIMBLE_SERVER_TLS_H_
#define THIMBLE_SERVER_TLS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "thimble/status.h"

// OpenSSL's types, of which only addresses are used.
struct ssl_ctx_st;
struct ssl_st;
struct bio_st;

namespace thimble::server {

// The functions of OpenSSL 3 that are used here: name, symbol, result and parameters, as its ABI is, so that building
// needs no headers of it. set_bio takes both over.
#define THIMBLE_OPENSSL_FUNCTIONS(F)                                                                 \
  F(server_method, "TLS_server_method", const void*, ())                                             \
  F(ctx_new, "SSL_CTX_new", ssl_ctx_st*, (const void* method))                                       \
  F(ctx_free, "SSL_CTX_free", void, (ssl_ctx_st*))                                                   \
  F(ctx_ctrl, "SSL_CTX_ctrl", long, (ssl_ctx_st*, int command, long number, void* pointer))          \
  F(ctx_set_password, "SSL_CTX_set_default_passwd_cb", void,                                         \
    (ssl_ctx_st*, int (*callback)(char* text, int size, int writing, void* data)))                   \
  F(ctx_use_chain_file, "SSL_CTX_use_certificate_chain_file", int, (ssl_ctx_st*, const char* file))  \
  F(ctx_use_key_file, "SSL_CTX_use_PrivateKey_file", int, (ssl_ctx_st*, const char* file, int type)) \
  F(ctx_check_key, "SSL_CTX_check_private_key", int, (const ssl_ctx_st*))                            \
  F(ssl_new, "SSL_new", ssl_st*, (ssl_ctx_st*))                                                      \
  F(ssl_free, "SSL_free", void, (ssl_st*))                                                           \
  F(set_bio, "SSL_set_bio", void, (ssl_st*, bio_st * in, bio_st * out))                              \
  F(set_accept_state, "SSL_set_accept_state", void, (ssl_st*))                                       \
  F(handshake, "SSL_do_handshake", int, (ssl_st*))                                                   \
  F(read, "SSL_read", int, (ssl_st*, void* bytes, int count))                                        \
  F(peek, "SSL_peek", int, (ssl_st*, void* bytes, int count))                                        \
  F(write, "SSL_write", int, (ssl_st*, const void* bytes, int count))                                \
  F(shutdown, "SSL_shutdown", int, (ssl_st*))                                                        \
  F(get_error, "SSL_get_error", int, (const ssl_st*, int result))                                    \
  F(bio_new, "BIO_new", bio_st*, (const void* method))                                               \
  F(bio_memory, "BIO_s_mem", const void*, ())                                                        \
  F(bio_free, "BIO_free", int, (bio_st*))                                                            \
  F(bio_read, "BIO_read", int, (bio_st*, void* bytes, int count))                                    \
  F(bio_write, "BIO_write", int, (bio_st*, const void* bytes, int count))                            \
  F(clear_errors, "ERR_clear_error", void, ())                                                       \
  F(last_error, "ERR_peek_last_error", unsigned long, ())                                            \
  F(reason, "ERR_reason_error_string", const char*, (unsigned long error))

// OpenSSL 3, loaded when a certificate is given, so that a server without one and the rest of the command line pay
// nothing for it.
struct OpenSsl {
#define THIMBLE_DECLARE_FUNCTION(name, symbol, result, parameters) result(*name) parameters = nullptr;
  THIMBLE_OPENSSL_FUNCTIONS(THIMBLE_DECLARE_FUNCTION)
#undef THIMBLE_DECLARE_FUNCTION

  // What the last call of this thread failed for.
  std::string Reason() const;
};

// Loads it once; it stays until the process ends. Thread-safe. kUnsupported when it is not installed.
Result<const OpenSsl*> LoadOpenSsl();

// A certificate and its key. Immutable and Thread-safe.
class TlsCertificate {
 public:
  // From files of PEM: the server's certificate, with those between it and the root behind it, and its key without a
  // password. kUnsupported without OpenSSL, kNotFound for a file that cannot be read, kInvalidArgument for what is in
  // them.
  static Result<std::shared_ptr<const TlsCertificate>> Load(const std::string& certificate_file,
                                                            const std::string& key_file);
  TlsCertificate(const TlsCertificate&) = delete;
  TlsCertificate& operator=(const TlsCertificate&) = delete;
  ~TlsCertificate() { ssl_.ctx_free(context_); }

 private:
  friend class TlsSession;
  TlsCertificate(const OpenSsl& ssl, ssl_ctx_st* context) : ssl_(ssl), context_(context) {}

  const OpenSsl& ssl_;
  ssl_ctx_st* const context_;
};

// The server's end of one connection. Thread-compatible.
class TlsSession {
 public:
  enum class State {
    kDone,
    kMore,    // The client has to send more.
    kEnd,     // It says that nothing more comes.
    kBroken,  // What it sent is no TLS, or not what was agreed.
  };

  // Null when there is no memory.
  static std::unique_ptr<TlsSession> Create(const TlsCertificate& certificate);
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  ~TlsSession() { ssl_.ssl_free(session_); }

  // Bytes of the client, encrypted.
  void Feed(std::span<const std::byte> bytes);
  // Gets bytes for the client, encrypted. There may be some after each of the functions below; 0 when there are none.
  std::size_t Take(std::span<std::byte> bytes);

  State Handshake();
  // Gets a part of what the client said. `count` is 0 unless it is done.
  State Read(std::span<std::byte> bytes, std::size_t& count);
  // Whether Read would get something.
  State Peek();
  // Says all of it to the client.
  State Write(std::span<const std::byte> bytes);
  // Says that nothing more comes.
  void End();

 private:
  TlsSession(const OpenSsl& ssl, ssl_st* session, bio_st* in, bio_st* out)
      : ssl_(ssl), session_(session), in_(in), out_(out) {}
  State StateOf(int result);

  const OpenSsl& ssl_;
  ssl_st* const session_;
  bio_st* const in_;  // Both belong to the session.
  bio_st* const out_;
  bool broken_ = false;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_TLS_H_
