// TLS 1.2 and 1.3 in memory: who uses it moves the bytes.

#ifndef THIMBLE_SERVER_TLS_H_
#define THIMBLE_SERVER_TLS_H_

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "server/openssl.h"
#include "thimble/status.h"

namespace thimble::server {

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
