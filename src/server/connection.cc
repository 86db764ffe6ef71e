// HTTP/1.1 by Boost.Beast: reading requests within limits. Replies are written as they are.

#include "server/connection.h"

#include <sys/socket.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <new>
#include <string_view>
#include <utility>

#include "base/guard.h"
#include "server/http.h"
#include "server/task.h"

namespace thimble::server {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;
using Parser = http::request_parser<http::string_body>;

constexpr std::uint32_t kHeaderBytes = 16 << 10;
constexpr std::size_t kFirstBytes = 4 << 10;
constexpr std::size_t kBufferBytes = 80 << 10;  // The header, and a part of the body.
// What a client still sends when it was refused is read for so long, that it may read the reply.
constexpr auto kLingerTime = std::chrono::seconds(2);
constexpr char kContinue[] = "HTTP/1.1 100 Continue\r\n\r\n";

std::string Text(beast::string_view text) { return {text.data(), text.size()}; }

HttpHead HeadOf(const Parser& parser) {
  const auto& message = parser.get();
  HttpHead head;
  head.method = Text(message.method_string());
  std::string target = Text(message.target());
  // A proxy's client names the host too.
  if (const std::size_t scheme = target.find("://"); !target.starts_with('/') && scheme != std::string::npos) {
    const std::size_t slash = target.find('/', scheme + 3);
    target = slash == std::string::npos ? "/" : target.substr(slash);
  }
  const std::size_t question = target.find('?');
  head.path = PercentDecode(target.substr(0, question), false);
  if (question != std::string::npos) head.query = target.substr(question + 1);
  head.authorization = Text(message[http::field::authorization]);
  head.api_key = Text(message["x-api-key"]);
  head.accept = Text(message[http::field::accept]);
  head.content_encoding = Text(message[http::field::content_encoding]);
  head.request_id = Text(message["x-request-id"]);
  return head;
}

class HttpConnection final : public Connection, public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(Socket socket, App& app, const ServerOptions& options,
                 std::shared_ptr<const TlsCertificate> certificate)
      : stream_(std::move(socket)),
        app_(app),
        options_(options),
        certificate_(std::move(certificate)),
        encrypted_(certificate_ != nullptr) {}

  void Start(std::function<void()> ended) override {
    const auto self = shared_from_this();
    Spawn(
        stream_.get_executor(), [self] { return self->Run(); },
        [self, ended = std::move(ended)] {
          self->Close();
          ended();
        });
  }

  void Stop() override {
    stopping_ = true;
    if (idle_since_) plain().cancel();
  }
  std::optional<Clock::time_point> idle_since() const override { return idle_since_; }

 private:
  // What follows a request, all of whose memory is given back by then.
  enum class Next { kRequest, kLinger, kEnd };

  asio::awaitable<void> Run() {
    Next next = Next::kEnd;
    if (certificate_ == nullptr || co_await Encrypt()) next = Next::kRequest;
    while (!stopping_ && next == Next::kRequest) next = co_await RunOne();
    served_ = true;
    stream_.End();
    if (next == Next::kLinger) co_await Linger();
  }

  // After Run, or what exhausted memory left of it.
  void Close() {
    if (!served_) {
      EndExhausted();
      stream_.End();
    }
    error_code ignored;
    plain().socket().close(ignored);
  }

  Stream::Plain& plain() { return stream_.plain(); }

  // Agrees with the client on keys; may be ended meanwhile as if it were idle.
  asio::awaitable<bool> Encrypt() {
    plain().expires_after(options_.header_timeout);
    idle_since_ = Clock::now();
    const bool encrypted = co_await stream_.Handshake(*std::exchange(certificate_, nullptr));
    idle_since_.reset();
    co_return encrypted;
  }

  // Serves one request.
  asio::awaitable<Next> RunOne() {
    writing_ = false;
    if (buffer_.size() == 0 && !co_await AwaitFirst()) co_return Next::kEnd;
    plain().expires_after(options_.header_timeout);
    Parser parser;
    parser.header_limit(kHeaderBytes);
    parser.body_limit(boost::none);
    error_code error;
    co_await http::async_read_header(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_return co_await AnswerBroken(error) ? Next::kLinger : Next::kEnd;
    }
    const ExchangePtr exchange = exchange_ = app_.Begin(HeadOf(parser));
    const bool has_body = parser.chunked() || parser.content_length().value_or(0) > 0;
    if (!exchange->reply) co_await ReadBody(parser, exchange);
    if (!exchange->reply && !parser.is_done()) {  // The client has gone, or is too slow.
      Finish(0, false);
      co_return Next::kEnd;
    }
    const bool refused = exchange->reply.has_value();
    if (!refused) {
      exchange->body = std::move(parser.get().body());
      if (!co_await Work(exchange)) {
        Finish(0, false);
        co_return Next::kEnd;
      }
    }
    const bool keep = parser.get().keep_alive() && !exchange->reply->close && !stopping_ && !(refused && has_body);
    const std::size_t written = co_await Write(exchange, keep);
    Finish(written, written > 0);
    if (written == 0) co_return Next::kEnd;
    if (refused && has_body) co_return Next::kLinger;
    co_return keep ? Next::kRequest : Next::kEnd;
  }

  // Ends a request for which memory was exhausted, with a reply if none was begun.
  void EndExhausted() {
    if (!writing_ && !encrypted_) {
      ::send(plain().socket().native_handle(), kExhausted, sizeof kExhausted - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    [[maybe_unused]] const Status logged = base::Guarded([&] {
      if (exchange_ != nullptr) Finish(0, false);
      return Status();
    });
  }

  void Finish(std::size_t written, bool sent) { app_.Finish(std::exchange(exchange_, nullptr), written, sent); }

  // Waits for the first bytes of a request, with no more than a small buffer.
  asio::awaitable<bool> AwaitFirst() {
    buffer_ = beast::flat_buffer(kBufferBytes);
    plain().expires_after(options_.idle_timeout);
    idle_since_ = Clock::now();
    error_code error;
    const std::size_t count = co_await stream_.async_read_some(buffer_.prepare(kFirstBytes),
                                                               asio::redirect_error(asio::use_awaitable, error));
    idle_since_.reset();
    buffer_.commit(count);
    co_return !error;
  }

  // Whether there was something to answer.
  asio::awaitable<bool> AnswerBroken(error_code error) {
    if (error.category() != make_error_code(http::error::bad_method).category()) co_return false;
    if (error == http::error::end_of_stream || error == http::error::partial_message) co_return false;
    const bool too_large = error == http::error::header_limit || error == http::error::buffer_overflow;
    const ExchangePtr exchange = exchange_ = app_.BeginBroken(
        too_large
            ? Problem{.fault = Fault::kHeadTooLarge,
                      .message = "the header of the request has more than " + std::to_string(kHeaderBytes) + " bytes"}
            : Problem{.fault = Fault::kBadRequest, .message = "not an HTTP request: " + error.message()});
    const std::size_t written = co_await Write(exchange, false);
    Finish(written, written > 0);
    co_return true;
  }

  // Reads the body as memory is granted for it; the exchange has a reply where it may not go on.
  asio::awaitable<void> ReadBody(Parser& parser, const ExchangePtr& exchange) {
    const std::uint64_t length = parser.content_length().value_or(0);
    if (length > app_.max_body()) co_return RefuseBody(exchange);
    if (parser.is_done()) co_return;
    parser.body_limit(app_.max_body());  // Which refuses a chunk by its header.
    plain().expires_after(options_.transfer_timeout);
    error_code error;
    if (beast::iequals(parser.get()[http::field::expect], "100-continue")) {
      co_await asio::async_write(stream_, asio::buffer(kContinue, sizeof kContinue - 1),
                                 asio::redirect_error(asio::use_awaitable, error));
    }
    std::size_t held = 0;
    while (!error && !parser.is_done()) {
      co_await http::async_read_some(stream_, buffer_, parser, asio::redirect_error(asio::use_awaitable, error));
      if (error == http::error::body_limit) co_return RefuseBody(exchange);
      const std::size_t size = parser.get().body().size();
      if (size > held && !app_.HoldBody(exchange, size - held)) co_return;
      held = size;
    }
    if (error && error.category() == make_error_code(http::error::bad_method).category() &&
        error != http::error::partial_message && error != http::error::end_of_stream) {
      app_.Fail(exchange, {.fault = Fault::kBadRequest, .message = "a broken body: " + error.message()});
      exchange->reply->close = true;
    }
  }

  void RefuseBody(const ExchangePtr& exchange) {
    app_.Fail(exchange, {.fault = Fault::kBodyTooLarge,
                         .message = "the body has more than " + std::to_string(app_.max_body()) + " bytes"});
  }

  // Has the request answered; false when the client went meanwhile.
  asio::awaitable<bool> Work(const ExchangePtr& exchange) {
    plain().expires_never();
    gone_ = done_ = false;
    // Bytes that are there already are of the next request, and nothing is seen behind them.
    if (buffer_.size() == 0) WatchForEnd(exchange);
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        [this, &exchange](auto handler) {
          auto shared = std::make_shared<decltype(handler)>(std::move(handler));
          app_.Run(exchange, [shared, executor = stream_.get_executor()] {
            const auto post = [&] {
              asio::post(executor, [shared] { std::move (*shared)(); });
              return Status();
            };
            while (!base::Guarded(post).ok()) WaitForMemory();
          });
        },
        asio::use_awaitable);
    done_ = true;
    if (watching_) {
      error_code ignored;
      plain().socket().cancel(ignored);
      // Before the next request, which has a watch of its own.
      while (watching_) co_await asio::post(stream_.get_executor(), asio::use_awaitable);
    }
    co_return !gone_;
  }

  void WatchForEnd(const ExchangePtr& exchange) {
    plain().socket().async_wait(Socket::wait_read, [this, self = shared_from_this(), exchange](error_code error) {
      watching_ = false;
      if (error || done_) return;
      const Stream::Look look = stream_.LookAhead();
      if (look == Stream::Look::kNothing) return WatchForEnd(exchange);
      gone_ = look == Stream::Look::kGone;
      if (gone_) app_.Cancel(exchange);
    });
    watching_ = true;
  }

  // The number of bytes written; 0 when the client did not take them all.
  asio::awaitable<std::size_t> Write(const ExchangePtr& exchange, bool keep) {
    const HttpReply& reply = *exchange->reply;
    std::string head = "HTTP/1.1 " + std::to_string(reply.status) + ' ' +
                       Text(http::obsolete_reason(static_cast<http::status>(reply.status))) +
                       (reply.body.empty() ? "" : "\r\ncontent-type: " + reply.content_type) +
                       "\r\ncontent-length: " + std::to_string(reply.body.size()) +
                       "\r\nx-request-id: " + exchange->id + (keep ? "\r\n" : "\r\nconnection: close\r\n");
    for (const auto& [name, value] : reply.headers) head += name + ": " + value + "\r\n";
    head += "\r\n";
    const bool without_body = exchange->head.method == "HEAD";
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head),
                                                       without_body ? asio::const_buffer() : asio::buffer(reply.body)};
    plain().expires_after(options_.transfer_timeout);
    writing_ = true;
    error_code error;
    const std::size_t written =
        co_await asio::async_write(stream_, buffers, asio::redirect_error(asio::use_awaitable, error));
    co_return error ? 0 : written;
  }

  asio::awaitable<void> Linger() {
    error_code error;
    plain().expires_after(kLingerTime);
    buffer_.clear();
    while (!error) {
      co_await plain().async_read_some(buffer_.prepare(kFirstBytes), asio::redirect_error(asio::use_awaitable, error));
    }
  }

  Stream stream_;
  App& app_;
  const ServerOptions& options_;
  std::shared_ptr<const TlsCertificate> certificate_;  // Until it was used.
  beast::flat_buffer buffer_;
  std::optional<Clock::time_point> idle_since_;
  ExchangePtr exchange_;  // The request, until it is finished.
  const bool encrypted_;
  bool stopping_ = false;
  bool served_ = false;   // To the end, with memory.
  bool writing_ = false;  // The reply may have been written in part.
  bool watching_ = false;
  bool gone_ = false;  // The client of the request at work,
  bool done_ = false;  // or the work.
};

}  // namespace

std::shared_ptr<Connection> Connection::Create(Socket socket, App& app, const ServerOptions& options,
                                               std::shared_ptr<const TlsCertificate> certificate) {
  return std::make_shared<HttpConnection>(std::move(socket), app, options, std::move(certificate));
}

}  // namespace thimble::server
