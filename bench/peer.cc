// thimble among its peers: a process that loads a model and answers what bench/peers/compare.py asks.
//
//   bench_peer MODEL THREADS
//
// Requests and answers are JSON objects, one a line; the protocol is in bench/peers/serve.py. Beyond it, an answer to
// "time" of ids has the floor of the same moment in milliseconds (one core's, over the threads), and "tokenize" times
// the tokenizer alone.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/forward.h"
#include "format/reader.h"
#include "thimble/embedder.h"
#include "thimble/rerank.h"

namespace thimble::bench {
namespace {

using Json = nlohmann::json;
using Texts = std::vector<std::string_view>;

struct Peer {
  const model::Weights& weights;
  const kernels::Kernels& kernels;
  std::size_t threads;
  std::optional<Embedder> embedder;  // One of both.
  std::optional<Reranker> reranker;
  std::vector<float> vectors;
};

// Milliseconds of each call, until there are `least` of them and `seconds` are over; and what `floor`, in seconds, says
// then, unless it is empty.
Json Time(const Json& request, const std::function<double()>& floor, const std::function<void()>& call) {
  const double seconds = request.at("seconds");
  const std::size_t least = request.at("least"), warm = request.at("warm");
  for (std::size_t i = 0; i < warm; ++i) call();
  Json times = Json::array(), floors = Json::array();
  for (double begin = Now(); times.size() < least || Now() - begin < seconds;) {
    const double before = floor ? floor() : 0;
    const double start = Now();
    call();
    times.push_back((Now() - start) * 1e3);
    if (floor) floors.push_back(std::min(before, floor()) * 1e3);
  }
  return {{"ms", std::move(times)}, {"floor_ms", std::move(floors)}};
}

Texts TextsOf(const Json& request) {
  Texts texts;
  for (const Json& text : request.at("texts")) texts.push_back(text.get_ref<const std::string&>());
  return texts;
}

// Floats for a text, or for a pair.
std::size_t WidthOf(const Peer& peer) {
  return peer.embedder ? peer.embedder->dimensions() : peer.reranker->num_scores();
}

void Run(Peer& peer, const Json& request, std::span<const std::string_view> texts, std::span<float> vectors) {
  if (peer.reranker.has_value() != request.contains("query")) {
    throw std::runtime_error("query: expected with a cross-encoder, and only there");
  }
  const Status status = peer.embedder ? peer.embedder->EmbedBatch(texts, vectors)
                                      : peer.reranker->Rank(request["query"].get_ref<const std::string&>(), texts,
                                                            vectors, {}, {.raw_scores = true});
  if (!status.ok()) throw std::runtime_error(status.message());
}

Json TimeIds(Peer& peer, const Json& request) {
  const Json& rows = request.at("ids");
  std::vector<std::int32_t> ids;
  for (const Json& row : rows) ids.insert(ids.end(), row.begin(), row.end());
  const Shape shape = {.sequences = rows.size(), .tokens = rows.at(0).size()};
  if (ids.size() != shape.sequences * shape.tokens) throw std::runtime_error("ids: expected rows of one length");
  const auto vocabulary = static_cast<std::int32_t>(peer.weights.info.vocabulary);
  if (std::any_of(ids.begin(), ids.end(), [&](std::int32_t id) { return id < 0 || id >= vocabulary; })) {
    throw std::runtime_error("ids: expected 0 to " + std::to_string(vocabulary - 1));
  }
  Forward forward(peer.weights, peer.kernels, shape, std::move(ids), peer.threads);
  const Floor floor(peer.weights, peer.kernels.name);
  std::function<double()> measure;
  if (peer.weights.int8 && floor.known()) {
    measure = [&] { return floor.Measure(shape) / static_cast<double>(peer.threads); };
  }
  return Time(request, measure, [&] { forward.Run(); });
}

Json TimeTexts(Peer& peer, const Json& request) {
  const Texts texts = TextsOf(request);
  peer.vectors.resize(texts.size() * WidthOf(peer));
  return Time(request, nullptr, [&] { Run(peer, request, texts, peer.vectors); });
}

Json Tokenize(Peer& peer, const Json& request) {
  const Texts texts = TextsOf(request);
  std::vector<std::int32_t> ids((peer.embedder ? peer.embedder->plan() : peer.reranker->plan()).max_tokens);
  return Time(request, nullptr, [&] {
    for (std::string_view text : texts) peer.weights.tokenizer.Encode({}, text, ids);
  });
}

Json EmbedAll(Peer& peer, const Json& request) {
  const Texts texts = TextsOf(request);
  const std::size_t batch = request.at("batch"), width = WidthOf(peer);
  peer.vectors.resize(texts.size() * width);
  const double begin = Now();
  for (std::size_t i = 0; i < texts.size(); i += batch) {
    const std::size_t count = std::min(batch, texts.size() - i);
    Run(peer, request, std::span(texts).subspan(i, count), std::span(peer.vectors).subspan(i * width, count * width));
  }
  const double seconds = Now() - begin;
  std::ofstream out(request.at("file").get<std::string>(), std::ios::binary);
  out.write(reinterpret_cast<const char*>(peer.vectors.data()),
            static_cast<std::streamsize>(peer.vectors.size() * sizeof(float)));
  return {{"seconds", seconds}};
}

Json Answer(Peer& peer, const Json& request) {
  const std::string task = request.at("do");
  if (task == "time") return request.contains("ids") ? TimeIds(peer, request) : TimeTexts(peer, request);
  if (task == "tokenize") return Tokenize(peer, request);
  if (task == "embed") return EmbedAll(peer, request);
  throw std::runtime_error("do: expected time, tokenize or embed; found " + task);
}

int Fail(const Status& status) {
  std::cout << Json{{"error", status.message()}} << std::endl;
  return 1;
}

int Main(int count, char** arguments) {
  if (count != 3) {
    std::fputs("usage: bench_peer MODEL THREADS\n", stderr);
    return 2;
  }
  const std::size_t threads = std::strtoull(arguments[2], nullptr, 10);
  auto kernels = kernels::ChooseKernels();
  if (!kernels.ok()) return Fail(kernels.status());
  auto reader = format::Reader::Open(arguments[1]);
  if (!reader.ok()) return Fail(reader.status());
  auto weights = model::Weights::Load(*reader);
  if (!weights.ok()) return Fail(weights.status());
  auto model = Model::Open(arguments[1]);
  if (!model.ok()) return Fail(model.status());
  Peer peer = {*weights, **kernels, threads, {}, {}, {}};
  if (weights->program.architecture.pairs) {
    auto reranker = Reranker::Create(*model, {.threads = threads});
    if (!reranker.ok()) return Fail(reranker.status());
    peer.reranker = *std::move(reranker);
  } else {
    auto embedder = Embedder::Create(*model, {.threads = threads});
    if (!embedder.ok()) return Fail(embedder.status());
    peer.embedder = *std::move(embedder);
  }
  std::cout << Json{{"version", std::string((*kernels)->name)}, {"ids", true}, {"batches", true}} << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    Json answer;
    try {
      answer = Answer(peer, Json::parse(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::cout << answer << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace thimble::bench

int main(int argc, char** argv) { return thimble::bench::Main(argc, argv); }
