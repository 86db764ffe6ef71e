// HTML of the state, the box, and the script that renews the figures where scripts run.

#include "server/page.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

namespace thimble::server {

const char kPagePolicy[] =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; form-action "
    "'self'; "
    "base-uri 'none'; frame-ancestors 'none'";

namespace {

constexpr char kStart[] = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>thimble</title>
<style>
:root { color-scheme: light dark; --line: #8884; --dim: #777; --fill: #2a7de1; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; }
.dim { color: var(--dim); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); }
th { font-weight: 600; color: var(--dim); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
meter { width: 100%; height: 1rem; }
textarea, select, button { font: inherit; width: 100%; box-sizing: border-box; padding: .4rem; margin: .25rem 0; }
button { width: auto; padding: .4rem 1rem; }
output { display: block; font-size: 2rem; font-variant-numeric: tabular-nums; }
</style>
)";

constexpr char kScript[] = R"(<script>
setInterval(async () => {
  if (document.hidden) return;
  try {
    const reply = await fetch('/', { headers: { accept: 'text/html' } });
    const page = new DOMParser().parseFromString(await reply.text(), 'text/html');
    const state = page.getElementById('state');
    if (state) document.getElementById('state').replaceWith(state);
  } catch {}
}, 2000);
</script>
)";

std::string Escape(const std::string& text) {
  constexpr std::pair<char, const char*> kEscapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
  std::string out;
  for (char c : text) {
    const auto* found =
        std::find_if(std::begin(kEscapes), std::end(kEscapes), [c](auto& one) { return one.first == c; });
    out += found == std::end(kEscapes) ? std::string(1, c) : found->second;
  }
  return out;
}

template <typename... Values>
std::string Format(const char* format, Values... values) {
  char text[64];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string Megabytes(std::size_t bytes) { return Format("%.1f MB", static_cast<double>(bytes) * 1e-6); }

std::string Milliseconds(double seconds) {
  return seconds == 0 ? "none yet" : "under " + Format("%g", seconds * 1000) + " ms";
}

std::string Row(const std::string& name, const std::string& value) {
  return "<tr><th>" + name + "<td class=n>" + value + "\n";
}

std::string Uptime(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  return std::to_string(whole / 3600) +
         Format(" h %02u min %02u s", static_cast<unsigned>(whole / 60 % 60), static_cast<unsigned>(whole % 60));
}

const ModelStats* Loaded(const PoolStats& pool, const ServedModel& model) {
  for (const ModelStats& stats : pool.models) {
    if (stats.name == model.opened.name && (stats.dtype.empty() || stats.dtype == model.opened.dtype)) return &stats;
  }
  return nullptr;
}

std::string State(const PageState& state) {
  const PoolStats& pool = state.gauges.pool;
  const Metrics::Summary& counts = state.counts;
  std::string out = "<div id=state>\n<p class=dim>version " + Escape(state.version) + ", up " +
                    Uptime(state.uptime_seconds) +
                    "\n<h2>Models</h2>\n<table>\n<tr><th>name<th>dtype<th "
                    "class=n>dimensions<th class=n>tokens<th>state<th class=n>own memory\n";
  for (const auto& model : state.catalogue.models()) {
    const ModelStats* loaded = Loaded(pool, *model);
    out += "<tr><td>" + Escape(model->id) + "<td>" + Escape(model->info.dtype) + "<td class=n>" +
           std::to_string(model->info.dimensions) + "<td class=n>" + std::to_string(model->info.max_tokens) + "<td>" +
           (loaded == nullptr ? "not loaded"
            : loaded->pinned  ? "loaded, kept"
                              : "loaded") +
           "<td class=n>" + (loaded == nullptr ? "" : Megabytes(loaded->private_bytes)) + "\n";
  }
  out += "</table>\n<h2>Memory</h2>\n<p>" + Megabytes(pool.used_memory) + " of " + Megabytes(pool.max_memory) +
         " taken, at most " + Megabytes(pool.peak_memory) + " so far\n<meter max=" + std::to_string(pool.max_memory) +
         " value=" + std::to_string(pool.used_memory) + "></meter>\n<h2>Requests</h2>\n<table>\n";
  out += Row("answered", std::to_string(counts.requests));
  out += Row("texts embedded", std::to_string(counts.texts));
  out += Row("tokens embedded", std::to_string(counts.tokens));
  out += Row("waiting", std::to_string(state.gauges.batcher.requests));
  out += Row("open connections", std::to_string(state.gauges.connections));
  out += Row("half of the embeddings took", Milliseconds(counts.median));
  out += Row("99 of 100 took", Milliseconds(counts.p99));
  return out + "</table>\n</div>\n";
}

std::string Box(const PageState& state) {
  std::string out = "<h2>How alike are two texts?</h2>\n<form method=get action=\"/\">\n<select name=model>\n";
  for (const auto& model : state.catalogue.models()) {
    const std::string id = Escape(model->id);
    out += "<option value=\"" + id + "\"" + (model->id == state.model ? " selected" : "") + ">" + id + "</option>\n";
  }
  out += "</select>\n<textarea name=a rows=2 required placeholder=\"a text\">" + Escape(state.first) +
         "</textarea>\n<textarea name=b rows=2 required placeholder=\"another text\">" + Escape(state.second) +
         "</textarea>\n<button>Compare</button>\n</form>\n";
  if (state.cosine) out += "<output>" + Format("%.4f", *state.cosine) + "</output><p class=dim>cosine similarity\n";
  if (!state.error.empty()) out += "<p role=alert>" + Escape(state.error) + "\n";
  return out;
}

}  // namespace

std::string StatePage(const PageState& state) {
  return kStart + ("<h1>thimble</h1>\n" + State(state)) + Box(state) + kScript + "</html>\n";
}

}  // namespace thimble::server
