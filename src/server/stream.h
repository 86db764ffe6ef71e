// The bytes of one connection, encrypted or not, for Boost.Beast's functions.

#ifndef THIMBLE_SERVER_STREAM_H_
#define THIMBLE_SERVER_STREAM_H_

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <cerrno>
#include <exception>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

#include "server/tls.h"

namespace thimble::server {

// For one thread, with at most one read or write under way.
class Stream {
 private:
  static constexpr std::size_t kPieceBytes = 4 << 10;
  // Encrypted as one, which makes a piece of it at most. Its memory stays with a connection that waits.
  static constexpr std::size_t kRecordBytes = kPieceBytes - 256;

  static auto Redirect(boost::system::error_code& error) {
    return boost::asio::redirect_error(boost::asio::use_awaitable, error);
  }

 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Plain = boost::beast::basic_stream<boost::asio::generic::stream_protocol>;
  using executor_type = Plain::executor_type;
  using error_code = boost::system::error_code;

  explicit Stream(Socket socket) : plain_(std::move(socket)) {}

  // Waits for the client's first bytes and agrees with it on keys; false where that failed. Everything is encrypted
  // from then on.
  boost::asio::awaitable<bool> Handshake(const TlsCertificate& certificate) {
    std::array<std::byte, kPieceBytes> bytes;
    error_code error;
    const std::size_t count = co_await plain_.async_read_some(boost::asio::buffer(bytes), Redirect(error));
    if (error) co_return false;
    tls_ = TlsSession::Create(certificate);  // Not before, so that who is silent holds nothing.
    if (tls_ == nullptr) co_return false;
    tls_->Feed(std::span(bytes).first(count));
    for (;;) {
      const TlsSession::State state = tls_->Handshake();
      if (co_await Flush()) co_return false;
      if (state != TlsSession::State::kMore) co_return state == TlsSession::State::kDone;
      if (co_await Receive()) co_return false;
    }
  }

  enum class Look { kNothing, kBytes, kGone };
  // What the client sent meanwhile. Does not wait.
  Look LookAhead() {
    std::array<std::byte, kPieceBytes> bytes;
    const ssize_t count = ::recv(plain_.socket().native_handle(), bytes.data(), tls_ == nullptr ? 1 : bytes.size(),
                                 MSG_DONTWAIT | (tls_ == nullptr ? MSG_PEEK : 0));
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return Look::kNothing;
    if (count <= 0) return Look::kGone;
    if (tls_ == nullptr) return Look::kBytes;
    tls_->Feed(std::span(bytes).first(static_cast<std::size_t>(count)));
    const TlsSession::State state = tls_->Peek();
    if (state == TlsSession::State::kMore) return Look::kNothing;
    return state == TlsSession::State::kDone ? Look::kBytes : Look::kGone;
  }

  // Says that nothing more comes.
  void End() {
    if (tls_ != nullptr) {
      tls_->End();
      std::array<std::byte, kPieceBytes> bytes;
      const std::size_t count = tls_->Take(bytes);
      ::send(plain_.socket().native_handle(), bytes.data(), count, MSG_DONTWAIT);  // Or not, where there is no room.
    }
    error_code ignored;
    plain_.socket().shutdown(Socket::shutdown_send, ignored);
  }

  // The stream below, with its timer.
  Plain& plain() { return plain_; }
  executor_type get_executor() { return plain_.get_executor(); }

  template <typename Token>
  using Initiated = typename boost::asio::async_result<std::decay_t<Token>, void(error_code, std::size_t)>::return_type;

  template <typename Buffers, typename Token>
  Initiated<Token> async_read_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& to) {
          if (tls_ == nullptr) return plain_.async_read_some(to, std::move(handler));
          Spawn(Read(FirstOf<boost::asio::mutable_buffer>(to)), std::move(handler));
        },
        token, buffers);
  }

  template <typename Buffers, typename Token>
  Initiated<Token> async_write_some(const Buffers& buffers, Token&& token) {
    return boost::asio::async_initiate<Token, void(error_code, std::size_t)>(
        [this](auto handler, const Buffers& from) {
          if (tls_ == nullptr) return plain_.async_write_some(from, std::move(handler));
          Spawn(Write(FirstOf<boost::asio::const_buffer>(from)), std::move(handler));
        },
        token, buffers);
  }

 private:
  using Count = std::pair<error_code, std::size_t>;

  // The first that is not empty.
  template <typename Buffer, typename Buffers>
  static Buffer FirstOf(const Buffers& buffers) {
    for (auto next = boost::asio::buffer_sequence_begin(buffers); next != boost::asio::buffer_sequence_end(buffers);
         ++next) {
      if (Buffer buffer(*next); buffer.size() > 0) return buffer;
    }
    return Buffer();
  }

  template <typename Handler>
  void Spawn(boost::asio::awaitable<Count> work, Handler handler) {
    boost::asio::co_spawn(get_executor(), std::move(work),
                          [handler = std::move(handler)](const std::exception_ptr& failure, Count count) mutable {
                            if (failure) count = {boost::asio::error::no_memory, 0};
                            std::move(handler)(count.first, count.second);
                          });
  }

  boost::asio::awaitable<Count> Read(boost::asio::mutable_buffer to) {
    if (to.size() == 0) co_return Count();
    for (;;) {
      std::size_t count = 0;
      const TlsSession::State state = tls_->Read({static_cast<std::byte*>(to.data()), to.size()}, count);
      if (const error_code error = co_await Flush()) co_return Count(error, 0);  // It may have had to answer.
      if (state == TlsSession::State::kDone) co_return Count(error_code(), count);
      if (state == TlsSession::State::kEnd) co_return Count(boost::asio::error::eof, 0);
      if (state == TlsSession::State::kBroken) co_return Count(boost::asio::error::connection_aborted, 0);
      if (const error_code error = co_await Receive()) co_return Count(error, 0);
    }
  }

  boost::asio::awaitable<Count> Write(boost::asio::const_buffer from) {
    const std::size_t count = std::min(from.size(), kRecordBytes);
    if (count == 0) co_return Count();
    const TlsSession::State state = tls_->Write({static_cast<const std::byte*>(from.data()), count});
    if (const error_code error = co_await Flush()) co_return Count(error, 0);
    if (state != TlsSession::State::kDone) co_return Count(boost::asio::error::connection_aborted, 0);
    co_return Count(error_code(), count);
  }

  boost::asio::awaitable<error_code> Receive() {
    std::array<std::byte, kPieceBytes> bytes;
    error_code error;
    const std::size_t count = co_await plain_.async_read_some(boost::asio::buffer(bytes), Redirect(error));
    tls_->Feed(std::span(bytes).first(count));
    co_return error;
  }

  boost::asio::awaitable<error_code> Flush() {
    std::array<std::byte, kPieceBytes> bytes;
    error_code error;
    while (!error) {
      const std::size_t count = tls_->Take(bytes);
      if (count == 0) break;
      co_await boost::asio::async_write(plain_, boost::asio::buffer(bytes.data(), count), Redirect(error));
    }
    co_return error;
  }

  Plain plain_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_STREAM_H_
