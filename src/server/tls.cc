// Certificates and sessions of OpenSSL.

#include "server/tls.h"

#include <fstream>

#include "base/error.h"

namespace thimble::server {
namespace {

// Numbers of OpenSSL's ABI.
constexpr int kPem = 1;                 // SSL_FILETYPE_PEM
constexpr int kSetMode = 33;            // SSL_CTRL_MODE
constexpr int kSetCacheMode = 44;       // SSL_CTRL_SET_SESS_CACHE_MODE
constexpr int kSetMinProtocol = 123;    // SSL_CTRL_SET_MIN_PROTO_VERSION
constexpr long kTls12 = 0x0303;         // TLS1_2_VERSION
constexpr long kReleaseBuffers = 0x10;  // SSL_MODE_RELEASE_BUFFERS
constexpr int kErrorWantRead = 2;       // SSL_ERROR_WANT_READ
constexpr int kErrorZeroReturn = 6;     // SSL_ERROR_ZERO_RETURN

// Instead of asking on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

Status CheckReadable(const std::string& what, const std::string& file) {
  if (std::ifstream in(file); in && in.peek() != std::ifstream::traits_type::eof()) return Status();
  return Error(Code::kNotFound, what, ": cannot read ", file);
}

}  // namespace

Result<std::shared_ptr<const TlsCertificate>> TlsCertificate::Load(const std::string& certificate_file,
                                                                   const std::string& key_file) {
  THIMBLE_ASSIGN_OR_RETURN(const OpenSsl* ssl, LoadOpenSsl());
  THIMBLE_RETURN_IF_ERROR(CheckReadable("TLS certificate", certificate_file));
  THIMBLE_RETURN_IF_ERROR(CheckReadable("TLS key", key_file));
  ssl->clear_errors();
  ssl_ctx_st* context = ssl->ctx_new(ssl->server_method());
  if (context == nullptr) return Error(Code::kOutOfMemory, "TLS: ", ssl->Reason());
  const std::shared_ptr<const TlsCertificate> certificate(new TlsCertificate(*ssl, context));
  ssl->ctx_set_password(context, &NoPassword);
  ssl->ctx_ctrl(context, kSetMinProtocol, kTls12, nullptr);
  ssl->ctx_ctrl(context, kSetMode, kReleaseBuffers, nullptr);  // Of connections that wait.
  ssl->ctx_ctrl(context, kSetCacheMode, 0, nullptr);           // Clients keep their sessions themselves.
  // The key comes first: after a certificate that it does not belong to, it would be refused with another reason.
  if (ssl->ctx_use_key_file(context, key_file.c_str(), kPem) != 1) {
    return Error(Code::kInvalidArgument, "TLS key ", key_file, ": expected a private key in PEM without a password (",
                 ssl->Reason(), ")");
  }
  if (ssl->ctx_use_chain_file(context, certificate_file.c_str()) != 1) {
    return Error(Code::kInvalidArgument, "TLS certificate ", certificate_file,
                 ": expected certificates in PEM, the server's own first (", ssl->Reason(), ")");
  }
  if (ssl->ctx_check_key(context) != 1) {
    return Error(Code::kInvalidArgument, "TLS key ", key_file, ": it does not belong to the certificate in ",
                 certificate_file, "; give the key that this certificate was made for");
  }
  return certificate;
}

std::unique_ptr<TlsSession> TlsSession::Create(const TlsCertificate& certificate) {
  const OpenSsl& ssl = certificate.ssl_;
  ssl_st* session = ssl.ssl_new(certificate.context_);
  bio_st* in = ssl.bio_new(ssl.bio_memory());
  bio_st* out = ssl.bio_new(ssl.bio_memory());
  if (session == nullptr || in == nullptr || out == nullptr) {
    ssl.ssl_free(session);
    ssl.bio_free(in);
    ssl.bio_free(out);
    return nullptr;
  }
  ssl.set_bio(session, in, out);
  ssl.set_accept_state(session);
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, session, in, out));
}

void TlsSession::Feed(std::span<const std::byte> bytes) {
  if (ssl_.bio_write(in_, bytes.data(), static_cast<int>(bytes.size())) != static_cast<int>(bytes.size())) {
    broken_ = true;
  }
}

std::size_t TlsSession::Take(std::span<std::byte> bytes) {
  const int count = ssl_.bio_read(out_, bytes.data(), static_cast<int>(bytes.size()));
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

TlsSession::State TlsSession::StateOf(int result) {
  if (broken_) return State::kBroken;
  if (result > 0) return State::kDone;
  const int error = ssl_.get_error(session_, result);
  if (error == kErrorWantRead) return State::kMore;
  if (error == kErrorZeroReturn) return State::kEnd;
  broken_ = true;
  return State::kBroken;
}

TlsSession::State TlsSession::Handshake() {
  ssl_.clear_errors();
  return StateOf(ssl_.handshake(session_));
}

TlsSession::State TlsSession::Read(std::span<std::byte> bytes, std::size_t& count) {
  ssl_.clear_errors();
  const int result = ssl_.read(session_, bytes.data(), static_cast<int>(bytes.size()));
  count = result > 0 ? static_cast<std::size_t>(result) : 0;
  return StateOf(result);
}

TlsSession::State TlsSession::Peek() {
  ssl_.clear_errors();
  std::byte byte;
  return StateOf(ssl_.peek(session_, &byte, 1));
}

TlsSession::State TlsSession::Write(std::span<const std::byte> bytes) {
  ssl_.clear_errors();
  return StateOf(ssl_.write(session_, bytes.data(), static_cast<int>(bytes.size())));
}

void TlsSession::End() {
  ssl_.clear_errors();
  if (!broken_) ssl_.shutdown(session_);
}

}  // namespace thimble::server
