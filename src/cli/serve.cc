// thimble serve: an HTTP server that clients of other embedding services can use.

#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "server/server.h"
#include "thimble/cache.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble serve -m all-MiniLM-L6-v2\n"
    "  thimble serve -m all-MiniLM-L6-v2 -m e5-small-v2 --max-memory 256MB\n"
    "  thimble serve --listen unix:/run/thimble.sock\n"
    "  thimble serve --listen 0.0.0.0:8080 --api-key-file keys.txt\n"
    "  thimble serve --tls-cert cert.pem --tls-key key.pem\n"
    "\n"
    "Paths: /v1/embeddings and /v1/models of OpenAI, Voyage and Jina; /embed, /embed_all, /similarity, /tokenize,\n"
    "/decode and /info of TEI; /api/embed, /api/embeddings, /api/tags, /api/ps, /api/show and /api/version of\n"
    "Ollama; /v1/embed and /v2/embed of Cohere; /health, /metrics, and / as a page for people.\n"
    "Without -m, all models in thimble list are served. A model is loaded with the first request for it.\n"
    "After SIGTERM or SIGINT, the server answers accepted requests and exits; after SIGHUP, it reads keys and\n"
    "certificate again. It takes sockets from systemd (LISTEN_FDS) and notifies it when ready (NOTIFY_SOCKET).\n"
    "THIMBLE_API_KEYS contains keys separated by commas. Each request is logged as one line of JSON on standard\n"
    "error, without its texts.\n";

struct Flags {
  std::vector<std::string> models;
  std::string dtype = "q8";
  int unload_after = 300;
  int idle_exit = 0;
  int idle_timeout = 60;
  int header_timeout = 10;
  int transfer_timeout = 60;
  OpenFlags open;
};

// Those named, or every one that is there: those of `dtype` first, which then have the plain names.
Result<std::vector<server::ModelName>> FindModels(const Flags& flags, const OpenOptions& options) {
  std::vector<server::ModelName> models;
  for (const std::string& name : flags.models) {
    THIMBLE_RETURN_IF_ERROR(OpenOrConvert(name, flags.dtype, options).status());
    models.push_back({name, flags.dtype});
  }
  if (!models.empty()) return models;
  THIMBLE_ASSIGN_OR_RETURN(std::vector<NamedModel> kept, ListModels());
  std::stable_partition(kept.begin(), kept.end(), [&](const NamedModel& model) { return model.dtype == flags.dtype; });
  for (const NamedModel& model : kept) {
    if (!IsModelName(model.name)) continue;
    const std::string name = (model.organisation.empty() ? "" : model.organisation + "/") + model.name;
    const Status status = OpenModel(name, model.dtype, {}, options).status();
    if (status.ok()) {
      models.push_back({name, model.dtype});
    } else {
      Note("serve", "skipped: " + status.message());
    }
  }
  if (models.empty()) {
    return Error(Code::kNotFound, "no model in ", CacheFolder(), "; run thimble pull, or pass -m MODEL");
  }
  return models;
}

Status RunServer(server::ServerOptions& options, const Flags& flags, const EmbedderFlags& embedder) {
  THIMBLE_ASSIGN_OR_RETURN(options.pool.embedder, embedder.Options());
  options.pool.max_memory = std::exchange(options.pool.embedder.max_memory, 0);
  options.pool.unload_after.reset();
  if (flags.unload_after >= 0) options.pool.unload_after = std::chrono::seconds(flags.unload_after);
  if (flags.idle_exit > 0) options.idle_exit = std::chrono::seconds(flags.idle_exit);
  options.idle_timeout = std::chrono::seconds(flags.idle_timeout);
  options.header_timeout = std::chrono::seconds(flags.header_timeout);
  options.transfer_timeout = std::chrono::seconds(flags.transfer_timeout);
  if (options.listen.empty()) options.listen = {"127.0.0.1:8080"};
  options.version = THIMBLE_VERSION;
  THIMBLE_ASSIGN_OR_RETURN(options.pool.open, flags.open.Options());
  THIMBLE_ASSIGN_OR_RETURN(options.models, FindModels(flags, options.pool.open));
  return server::Serve(options);
}

}  // namespace

int RunServe(int argc, char** argv) {
  Flags flags;
  server::ServerOptions options;
  EmbedderFlags embedder;
  Arguments arguments("serve", "Runs an HTTP server that clients of other embedding services can use.", kExamples);
  CLI::App& app = arguments.app();
  const CLI::Range seconds(1, 86400, "1 to 86400");
  app.add_option("-m,--model", flags.models, "Model to serve, as in thimble embed; may be repeated")
      ->type_name("MODEL")
      ->allow_extra_args(false);
  app.add_option("--dtype", flags.dtype, "Dtype of models that are given by name or folder")
      ->type_name("NAME")
      ->capture_default_str();
  flags.open.AddTo(app);
  app.add_option("--listen", options.listen, "HOST:PORT or unix:PATH; 127.0.0.1:8080 if not given; may be repeated")
      ->type_name("WHERE")
      ->allow_extra_args(false);
  app.add_option("--api-key-file", options.api_key_file,
                 "File with one API key per line; each request needs one of them")
      ->type_name("FILE");
  CLI::Option* certificate =
      app.add_option("--tls-cert", options.tls_certificate_file,
                     "File of PEM certificates, the server's own first: speak HTTPS on every address; needs OpenSSL 3")
          ->type_name("FILE");
  CLI::Option* key = app.add_option("--tls-key", options.tls_key_file, "File with the PEM key of the first certificate")
                         ->type_name("FILE")
                         ->needs(certificate);
  certificate->needs(key);
  app.add_flag("--allow-dimensions", options.any_dimensions,
               "Shorten vectors as requested, even if the model was not trained for it");
  app.add_option("--unload-after", flags.unload_after, "Seconds after which an idle model is unloaded; -1 for never")
      ->type_name("SECONDS")
      ->check(CLI::Range(-1, 86400, "-1 to 86400"))
      ->capture_default_str();
  app.add_option("--idle-exit", flags.idle_exit, "Exit if nothing was embedded for this long")
      ->type_name("SECONDS")
      ->check(seconds);
  AddSize(app, "--max-body", options.max_body, "Size limit of a request body")->default_str("8MB");
  app.add_option("--max-items", options.max_items, "Most texts in a request")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--max-request-tokens", options.max_request_tokens, "Token limit of a request, over all its texts")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddSize(app, "--max-queue", options.max_queue, "Memory limit of waiting requests, at most a quarter of --max-memory")
      ->default_str("64MB");
  app.add_option("--max-connections", options.max_connections, "Most simultaneous connections")
      ->type_name("N")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--idle-timeout", flags.idle_timeout, "Time limit of a connection without a request")
      ->type_name("SECONDS")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--header-timeout", flags.header_timeout, "Time limit of a request header and of a TLS handshake")
      ->type_name("SECONDS")
      ->check(seconds)
      ->capture_default_str();
  app.add_option("--transfer-timeout", flags.transfer_timeout, "Time limit of a request body, and of a reply")
      ->type_name("SECONDS")
      ->check(seconds)
      ->capture_default_str();
  embedder.AddTo(app);
  if (auto code = arguments.Parse(argc, argv)) return *code;
  const Status status = RunServer(options, flags, embedder);
  return status.ok() ? kDone : Fail("serve", status);
}

}  // namespace thimble::cli
