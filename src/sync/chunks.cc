// Candidates for the ends of chunks, the best among them, and what is too long after that.

#include "sync/chunks.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "base/error.h"

namespace thimble::sync {
namespace {

// Bytes on either side of a place that decide between places of one kind.
constexpr std::size_t kContextBytes = 32;
// A word of more bytes may end within, at one of about so many bytes.
constexpr std::size_t kLongWordBytes = 64;
constexpr std::uint64_t kInWordEvery = 16;
// A token has fewer bytes on average in any text but white space: more are divided without counting.
constexpr std::size_t kMaxBytesPerToken = 64;

enum Kind : std::uint64_t { kInWord, kWord, kLine, kSentence, kParagraph };

// A place where a chunk may end.
struct Place {
  std::size_t at = 0;      // Bytes before it.
  std::uint64_t rank = 0;  // The kind, and below it a hash of the text around.
};

bool IsBlank(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r' || letter == '\f' || letter == '\v';
}
bool IsInside(char letter) { return (static_cast<unsigned char>(letter) & 0xC0) == 0x80; }

// FNV-1a, and a mixer, because its upper bits vary little for short texts.
std::uint64_t HashAround(std::string_view section, std::size_t at) {
  const std::size_t begin = at - std::min(at, kContextBytes), end = std::min(section.size(), at + kContextBytes);
  std::uint64_t hash = 0xcbf29ce484222325 + (at - begin);
  for (std::size_t i = begin; i < end; ++i) {
    hash = (hash ^ static_cast<unsigned char>(section[i])) * 0x100000001b3;
  }
  hash ^= hash >> 33;
  hash *= 0xff51afd7ed558ccd;
  hash ^= hash >> 33;
  return hash;
}

constexpr int kKindShift = 60;

// Whether a sentence ends before `at`: a full stop, question or exclamation mark, and what closes quotations.
bool EndsSentence(std::string_view section, std::size_t at) {
  while (at > 0 && std::string_view("\"')]*_").find(section[at - 1]) != std::string_view::npos) --at;
  if (at == 0) return false;
  if (std::string_view(".!?").find(section[at - 1]) != std::string_view::npos) return true;
  const std::string_view last = section.substr(at - std::min<std::size_t>(at, 3), 3);
  return last == "\xe2\x80\xa6" || last == "\xe2\x80\x9d";  // An ellipsis, and a closing quotation mark.
}

// The full stop, question and exclamation mark of Chinese and Japanese, behind which no space follows.
bool EndsWideSentence(std::string_view section, std::size_t at) {
  const std::string_view last = section.substr(at - std::min<std::size_t>(at, 3), 3);
  return last == "\xe3\x80\x82" || last == "\xef\xbc\x81" || last == "\xef\xbc\x9f";
}

// Calls take(place) for each place of a section, in order. Places are at the beginnings of words, and within long ones.
template <typename Take>
void ForEachPlace(std::string_view section, Take&& take) {
  std::size_t word = 0;
  for (std::size_t at = 0; at < section.size();) {
    if (IsBlank(section[at])) {
      const std::size_t end = at;
      std::size_t lines = 0;
      for (; at < section.size() && IsBlank(section[at]); ++at) lines += section[at] == '\n';
      word = at;
      if (end == 0 || at == section.size()) continue;
      const Kind kind = lines > 1 ? kParagraph : EndsSentence(section, end) ? kSentence : lines == 1 ? kLine : kWord;
      take(Place{at, std::uint64_t{kind} << kKindShift | HashAround(section, at) >> 4});
      continue;
    }
    if (at > word && !IsInside(section[at])) {
      if (EndsWideSentence(section, at)) {
        take(Place{at, std::uint64_t{kSentence} << kKindShift | HashAround(section, at) >> 4});
        word = at;
      } else if (at - word >= kLongWordBytes) {
        const std::uint64_t hash = HashAround(section, at);
        if (hash % kInWordEvery == 0) take(Place{at, std::uint64_t{kInWord} << kKindShift | hash >> 4});
      }
    }
    ++at;
  }
}

// Calls take(at) for the places of a section where chunks end: those that outrank all others within `radius`, of equals
// the first. The ends of the section outrank everything.
template <typename Take>
void FindEnds(std::string_view section, std::size_t radius, Take&& take) {
  if (section.size() <= 2 * radius) return;
  // Places within `radius` before the last one, without those that a later one outranks.
  struct Candidate {
    Place place;
    bool best;  // Whether it outranks those before it.
  };
  std::deque<Candidate> open;
  const auto close_before = [&](std::size_t at) {  // Places that nothing behind can outrank any more.
    while (!open.empty() && open.front().place.at + radius < at) {
      const Candidate& first = open.front();
      if (first.best) take(first.place.at);
      open.pop_front();
    }
  };
  ForEachPlace(section, [&](const Place& place) {
    if (place.at < radius || section.size() - place.at < radius) return;
    close_before(place.at);
    while (!open.empty() && open.back().place.rank < place.rank) open.pop_back();
    open.push_back({place, open.empty()});
  });
  close_before(section.size() + radius + 1);
}

class Cutter {
 public:
  Cutter(std::string_view document, const ChunkLimits& limits, const std::function<Status(Chunk)>& take)
      : document_(document), limits_(limits), take_(take) {}

  // Gives the chunks of bytes [begin, end), which have one heading.
  Status Add(std::size_t begin, std::size_t end, const std::string& heading) {
    heading_ = &heading;
    std::size_t from = begin;
    Status status;
    FindEnds(document_.substr(begin, end - begin), limits_.radius, [&](std::size_t at) {
      if (status.ok()) status = AddPart(from, begin + at);
      from = begin + at;
    });
    return status.ok() ? AddPart(from, end) : status;
  }

 private:
  // Gives these bytes, divided until each part is short enough. Halves are never smaller than a quarter, so that the
  // depth is logarithmic.
  Status AddPart(std::size_t begin, std::size_t end) {
    while (begin < end && IsBlank(document_[begin])) ++begin;
    while (begin < end && IsBlank(document_[end - 1])) --end;
    if (begin == end) return Status();
    const std::string_view text = document_.substr(begin, end - begin);
    bool fits = text.size() / kMaxBytesPerToken < limits_.max_tokens;
    if (fits) {
      THIMBLE_ASSIGN_OR_RETURN(const std::size_t tokens, limits_.count_tokens(text));
      fits = tokens <= limits_.max_tokens;
    }
    const std::size_t middle = fits ? 0 : MiddleOf(text);
    if (middle == 0) return Give(begin, end);
    THIMBLE_RETURN_IF_ERROR(AddPart(begin, begin + middle));
    return AddPart(begin + middle, end);
  }

  // The best place of the middle half, else the character in the middle; 0 for a single character.
  static std::size_t MiddleOf(std::string_view text) {
    Place best;
    ForEachPlace(text, [&](const Place& place) {
      if (place.at < text.size() / 4 || text.size() - place.at < text.size() / 4) return;
      if (best.at == 0 || place.rank > best.rank) best = place;
    });
    if (best.at > 0) return best.at;
    std::size_t middle = text.size() / 2;
    while (middle > 0 && IsInside(text[middle])) --middle;
    if (middle > 0) return middle;
    for (middle = 1; middle < text.size() && IsInside(text[middle]);) ++middle;
    return middle == text.size() ? 0 : middle;
  }

  Status Give(std::size_t begin, std::size_t end) {
    CountLines(begin);
    Chunk chunk{begin, end, line_, line_, *heading_};
    CountLines(end);
    chunk.last_line = line_;
    return take_(std::move(chunk));
  }
  void CountLines(std::size_t to) {
    line_ += static_cast<std::size_t>(std::count(document_.begin() + static_cast<std::ptrdiff_t>(counted_),
                                                 document_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    counted_ = to;
  }

  const std::string_view document_;
  const ChunkLimits& limits_;
  const std::function<Status(Chunk)>& take_;
  const std::string* heading_ = nullptr;
  std::size_t line_ = 1, counted_ = 0;
};

// The titles above and of the last heading so far.
class HeadingPath {
 public:
  void Add(Heading heading) {
    while (!path_.empty() && path_.back().level >= heading.level) path_.pop_back();
    path_.push_back(std::move(heading));
  }
  std::string Text() const {
    std::string text;
    for (const Heading& heading : path_) text += (text.empty() ? "" : "\n") + heading.title;
    return text;
  }

 private:
  std::vector<Heading> path_;
};

bool IsAllBlank(std::string_view text) { return std::all_of(text.begin(), text.end(), IsBlank); }

}  // namespace

Status CutChunks(std::string_view document, Format format, const ChunkLimits& limits,
                 const std::function<Status(Chunk)>& take) {
  Cutter cutter(document, limits, take);
  HeadingPath path;
  std::size_t begin = 0;  // Of the section, or of headings without text before it.
  std::size_t text = 0;   // Behind the last heading.
  THIMBLE_RETURN_IF_ERROR(FindHeadings(document, format, [&](Heading heading) {
    Status status;
    if (!IsAllBlank(document.substr(text, heading.begin - text))) {
      status = cutter.Add(begin, heading.begin, path.Text());
      begin = heading.begin;
    }
    text = heading.end;
    path.Add(std::move(heading));
    return status;
  }));
  return cutter.Add(begin, document.size(), path.Text());
}

}  // namespace thimble::sync
