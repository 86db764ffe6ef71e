// An HTTP server of embeddings that speaks the APIs of OpenAI, TEI, Ollama, Cohere, Voyage and Jina.

#ifndef THIMBLE_SERVER_SERVER_H_
#define THIMBLE_SERVER_SERVER_H_

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "server/catalogue.h"
#include "thimble/pool.h"

namespace thimble::server {

struct ServerOptions {
  std::vector<ModelName> models = {};
  // As Listener::Open takes them. An address that other machines can reach needs a key.
  std::vector<std::string> listen = {};
  PoolOptions pool = {};
  std::string api_key_file = {};
  // As TlsCertificate::Load takes them. Both are empty where nothing is encrypted.
  std::string tls_certificate_file = {};
  std::string tls_key_file = {};
  std::size_t max_body = 8 << 20;  // Bytes of a request.
  std::size_t max_items = 2048;    // Texts of a request.
  std::size_t max_request_tokens = 2048 * 512;
  std::size_t max_queue = 64 << 20;  // Bytes of all requests that wait, at most a quarter of the pool's budget.
  std::size_t max_connections = 1024;
  std::chrono::seconds idle_timeout = std::chrono::seconds(60);      // Of a connection without a request.
  std::chrono::seconds header_timeout = std::chrono::seconds(10);    // From its first byte to the end of the header.
  std::chrono::seconds transfer_timeout = std::chrono::seconds(60);  // Of the body, and of the reply.
  std::optional<std::chrono::seconds> idle_exit = {};                // Ends when nothing was asked for so long.
  std::string version = {};
};

// Serves until SIGTERM or SIGINT, or until idle_exit; then what was accepted is answered first, and a second signal
// ends the process at once. Says on standard error where it listens, and writes one line of JSON there for each
// request. To be called once in a process, with SIGPIPE ignored. kInvalidArgument for options that cannot work, the
// errors of OpenModel and Listener::Open.
Status Serve(const ServerOptions& options);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_SERVER_H_
