// Requests of clients: HTTP by the parser and with the limits of the server, then its routes and dialects.

#include <fcntl.h>
#include <unistd.h>

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "json/parse.h"
#include "server/app.h"
#include "tests/fuzz/fuzz.h"

namespace thimble::fuzz {
namespace {

namespace http = boost::beast::http;

constexpr std::uint32_t kHeaderBytes = 16 << 10;  // As in server/connection.cc.
constexpr auto kTimeLimit = std::chrono::seconds(30);

server::App& TheApp() {
  static server::App* app = [] {
    server::ServerOptions options;
    static const MemoryFolder folder;
    const_cast<MemoryFolder&>(folder).Write("model.safetensors", ModelBytes());
    options.models = {{folder.path() + "/model.safetensors", ""}, {"mock-hashed", ""}};
    options.max_items = 16;
    options.max_request_tokens = 4096;
    options.max_body = 1 << 20;
    auto made = server::App::Create(options);
    Check(made.ok(), "the server starts");
    return made->release();
  }();
  return *app;
}

std::string Text(boost::beast::string_view text) { return {text.data(), text.size()}; }

// Answers, as server/connection.cc would have it done.
void Answer(server::HttpHead head, std::string body) {
  server::App& app = TheApp();
  const server::ExchangePtr exchange = app.Begin(std::move(head));
  if (!exchange->reply && app.HoldBody(exchange, body.size())) {
    exchange->body = std::move(body);
    // Shared, because the thread that notifies may be slower than the one that waits.
    struct Done {
      std::mutex mutex;
      std::condition_variable changed;
      bool done = false;
    };
    const auto state = std::make_shared<Done>();
    app.Run(exchange, [state] {
      std::lock_guard lock(state->mutex);
      state->done = true;
      state->changed.notify_one();
    });
    std::unique_lock lock(state->mutex);
    Check(state->changed.wait_for(lock, kTimeLimit, [&] { return state->done; }), "a request is answered in time");
  }
  Check(exchange->reply.has_value(), "a request is answered");
  const server::HttpReply& reply = *exchange->reply;
  Check(reply.status >= 200 && reply.status < 600, "the status is one");
  for (const auto& [name, value] : reply.headers) {
    Check((name + value).find_first_of("\r\n") == std::string::npos, "a header is one line");
  }
  if (reply.content_type == "application/json" && !reply.body.empty()) {
    Check(json::Parse(reply.body, "the reply").ok(), "a reply is JSON, without numbers that are not finite");
  }
  // Its line in the log goes nowhere: there are thousands a second.
  static const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), standard_error = dup(STDERR_FILENO);
  dup2(nowhere, STDERR_FILENO);
  app.Finish(exchange, reply.body.size(), true);
  dup2(standard_error, STDERR_FILENO);
}

}  // namespace

void RunServer(std::string_view input) {
  http::request_parser<http::string_body> parser;
  parser.header_limit(kHeaderBytes);
  parser.body_limit(boost::none);
  parser.eager(true);
  boost::system::error_code error;
  // In parts, as they come from a socket; what the parser does not take yet comes again.
  for (std::size_t begin = 0, end = input.size() / 2; begin < input.size() && !parser.is_done(); end = input.size()) {
    begin += parser.put(boost::asio::buffer(input.data() + begin, end - begin), error);
    if (error == http::error::need_more && end != input.size()) continue;
    if (error || end == input.size()) break;
  }
  if (!parser.is_header_done()) return;
  const auto& message = parser.get();
  server::HttpHead head;
  head.method = Text(message.method_string());
  const std::string target = Text(message.target());
  const std::size_t question = target.find('?');
  head.path = server::PercentDecode(target.substr(0, question), false);
  if (question != std::string::npos) head.query = target.substr(question + 1);
  head.authorization = Text(message[http::field::authorization]);
  head.api_key = Text(message["x-api-key"]);
  head.accept = Text(message[http::field::accept]);
  head.request_id = Text(message["x-request-id"]);
  Answer(std::move(head), std::move(parser.get().body()));
}

}  // namespace thimble::fuzz
