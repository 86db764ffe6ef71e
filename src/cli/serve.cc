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
  std::string dtype;
  int unload_after = 300;
  int idle_exit = 0;
  int idle_timeout = 60;
  int header_timeout = 10;
  int transfer_timeout = 60;
  OpenFlags open;
};

// Those named, or every one that is there: those of `dtype`, or q8, first, which then have the plain names.
Result<std::vector<server::ModelName>> FindModels(const Flags& flags, const OpenOptions& options) {
  std::vector<server::ModelName> models;
  for (const std::string& name : flags.models) {
    THIMBLE_RETURN_IF_ERROR(OpenOrConvert(name, flags.dtype, options).status());
    models.push_back({name, flags.dtype});
  }
  if (!models.empty()) return models;
  THIMBLE_ASSIGN_OR_RETURN(std::vector<NamedModel> kept, ListModels());
  const std::string first = flags.dtype.empty() ? "q8" : flags.dtype;
  std::stable_partition(kept.begin(), kept.end(), [&](const NamedModel& model) { return model.dtype == first; });
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
  AddOption(app, "-m,--model", flags.models, "MODEL", "Model to serve, as in thimble embed; may be repeated")
      ->allow_extra_args(false);
  AddOption(app, "--dtype", flags.dtype, "NAME", kDtypeHelp);
  flags.open.AddTo(app);
  AddOption(app, "--listen", options.listen, "WHERE",
            "HOST:PORT or unix:PATH; 127.0.0.1:8080 if not given; may be repeated")
      ->allow_extra_args(false);
  AddOption(app, "--api-key-file", options.api_key_file, "FILE",
            "File with one API key per line; each request needs one of them");
  CLI::Option* certificate =
      AddOption(app, "--tls-cert", options.tls_certificate_file, "FILE",
                "File of PEM certificates, the server's own first: speak HTTPS on every address; needs OpenSSL 3");
  CLI::Option* key =
      AddOption(app, "--tls-key", options.tls_key_file, "FILE", "File with the PEM key of the first certificate")
          ->needs(certificate);
  certificate->needs(key);
  AddOption(app, "--unload-after", flags.unload_after, "SECONDS",
            "Seconds after which an idle model is unloaded; -1 for never")
      ->check(CLI::Range(-1, 86400, "-1 to 86400"))
      ->capture_default_str();
  AddOption(app, "--idle-exit", flags.idle_exit, "SECONDS", "Exit if nothing was embedded for this long")
      ->check(seconds);
  AddSize(app, "--max-body", options.max_body, "Size limit of a request body")->default_str("8MB");
  AddOption(app, "--max-items", options.max_items, "N", "Most texts in a request")
      ->check(Positive())
      ->capture_default_str();
  AddOption(app, "--max-request-tokens", options.max_request_tokens, "N",
            "Token limit of a request, over all its texts")
      ->check(Positive())
      ->capture_default_str();
  AddSize(app, "--max-queue", options.max_queue, "Memory limit of waiting requests, at most a quarter of --max-memory")
      ->default_str("64MB");
  AddOption(app, "--max-connections", options.max_connections, "N", "Most simultaneous connections")
      ->check(Positive())
      ->capture_default_str();
  AddOption(app, "--idle-timeout", flags.idle_timeout, "SECONDS", "Time limit of a connection without a request")
      ->check(seconds)
      ->capture_default_str();
  AddOption(app, "--header-timeout", flags.header_timeout, "SECONDS",
            "Time limit of a request header and of a TLS handshake")
      ->check(seconds)
      ->capture_default_str();
  AddOption(app, "--transfer-timeout", flags.transfer_timeout, "SECONDS",
            "Time limit of a request body, and of a reply")
      ->check(seconds)
      ->capture_default_str();
  embedder.AddTo(app);
  embedder.AddCacheTo(app);
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("serve", RunServer(options, flags, embedder));
}

}  // namespace thimble::cli
