// Headings of Markdown and reStructuredText.

#include "sync/headings.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/error.h"

namespace thimble::sync {
namespace {

constexpr std::size_t kMaxTitleBytes = 400;

std::string_view TrimmedLine(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(kBlank) + 1 - begin);
}

// Cut before a character that would not be whole.
std::string Title(std::string_view text) {
  text = TrimmedLine(text);
  if (text.size() > kMaxTitleBytes) {
    std::size_t end = kMaxTitleBytes;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text = text.substr(0, end);
  }
  return std::string(text);
}

// The character that a line consists of, when it is one of `allowed`; else 0.
char UnderlineOf(std::string_view line, std::string_view allowed) {
  line = TrimmedLine(line);
  if (line.empty() || allowed.find(line[0]) == std::string_view::npos) return 0;
  return line.find_first_not_of(line[0]) == std::string_view::npos ? line[0] : 0;
}

// The level of a line "# Title", which may be indented by three spaces; 0 for others.
std::size_t HashLevel(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || begin > 3) return 0;
  const std::size_t end = std::min(line.find_first_not_of('#', begin), line.size());
  const std::size_t level = end - begin;
  if (level < 1 || level > 6) return 0;
  return end == line.size() || line[end] == ' ' || line[end] == '\t' || line[end] == '\r' ? level : 0;
}

std::string HashTitle(std::string_view line) {
  line = TrimmedLine(line);
  line = TrimmedLine(line.substr(std::min(line.find_first_not_of('#'), line.size())));
  // Hashes at the end close the heading if a space is before them.
  const std::size_t last = line.find_last_not_of('#');
  if (last != std::string_view::npos && last + 1 < line.size() && line[last] == ' ') line = line.substr(0, last);
  return Title(line);
}

// "```" or "~~~" or more of them, at the beginning of a line; empty for others.
std::string_view FenceOf(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos || begin > 3 || (line[begin] != '`' && line[begin] != '~')) return {};
  const std::size_t end = std::min(line.find_first_not_of(line[begin], begin), line.size());
  return end - begin >= 3 ? line.substr(begin, end - begin) : std::string_view();
}

struct Line {
  std::string_view text;  // Without its end.
  std::size_t begin = 0, end = 0;
};

Line NextLine(std::string_view document, std::size_t begin) {
  const std::size_t newline = document.find('\n', begin);
  if (newline == std::string_view::npos) return {document.substr(begin), begin, document.size()};
  return {document.substr(begin, newline - begin), begin, newline + 1};
}

// Whether a line begins a list, a quotation, a table or code, whose lines are no titles.
bool IsOtherBlock(std::string_view line) {
  return line.starts_with("    ") || line.starts_with('\t') ||
         std::string_view("-*+>|").find(TrimmedLine(line)[0]) != std::string_view::npos;
}

Status MarkdownHeadings(std::string_view document, const std::function<Status(Heading)>& take) {
  std::string_view fence;
  bool front_matter = false;
  Line paragraph;         // The line before this one,
  std::size_t lines = 0;  // and how many lines its paragraph has so far; 0 where it is in none.
  for (std::size_t at = 0; at < document.size();) {
    const Line line = NextLine(document, at);
    const std::string_view text = TrimmedLine(line.text);
    const bool first = at == 0;
    at = line.end;
    const std::size_t lines_above = std::exchange(lines, 0);
    if (front_matter || (first && text == "---")) {
      front_matter = first || text != "---";
      continue;
    }
    const std::string_view mark = FenceOf(line.text);
    if (!fence.empty()) {
      if (!mark.empty() && mark[0] == fence[0] && mark.size() >= fence.size() && mark == text) fence = {};
      continue;
    }
    if (!mark.empty()) {
      fence = mark;
      continue;
    }
    if (const std::size_t level = HashLevel(line.text); level > 0) {
      THIMBLE_RETURN_IF_ERROR(take({line.begin, line.end, level, HashTitle(line.text)}));
    } else if (const char under = UnderlineOf(line.text, "=-"); under != 0 && lines_above == 1) {
      THIMBLE_RETURN_IF_ERROR(take({paragraph.begin, line.end, under == '=' ? 1u : 2u, Title(paragraph.text)}));
    } else if (!text.empty() && (lines_above > 0 || !IsOtherBlock(line.text))) {
      paragraph = line;
      lines = lines_above + 1;
    }
  }
  return Status();
}

Status RstHeadings(std::string_view document, const std::function<Status(Heading)>& take) {
  constexpr std::string_view kMarks = "=-`:'\"~^_*+#<>.";
  std::string styles;  // Marks in the order of their first use; one above the title too is another style.
  Line above, before;  // The two lines before this one.
  for (std::size_t at = 0; at < document.size();) {
    const Line line = NextLine(document, at);
    at = line.end;
    const char under = UnderlineOf(line.text, kMarks);
    const std::string_view title = TrimmedLine(above.text);
    if (under != 0 && !title.empty() && UnderlineOf(above.text, kMarks) == 0 &&
        TrimmedLine(line.text).size() >= std::min<std::size_t>(title.size(), 4) &&
        TrimmedLine(line.text).size() * 2 >= title.size() && !line.text.starts_with(' ')) {
      const bool over = UnderlineOf(before.text, kMarks) == under;
      const char style = static_cast<char>(over ? under | 0x80 : under);
      std::size_t level = styles.find(style);
      if (level == std::string::npos) {
        level = styles.size();
        styles += style;
      }
      THIMBLE_RETURN_IF_ERROR(take({over ? before.begin : above.begin, line.end, level + 1, Title(above.text)}));
      above = before = {};
      continue;
    }
    before = above;
    above = line;
  }
  return Status();
}

}  // namespace

bool FormatOf(std::string_view name, Format& format) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return false;
  std::string ending(name.substr(dot + 1));
  for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (ending == "txt" || ending == "text") {
    format = Format::kPlain;
  } else if (ending == "md" || ending == "markdown") {
    format = Format::kMarkdown;
  } else if (ending == "rst") {
    format = Format::kRst;
  } else {
    return false;
  }
  return true;
}

Status FindHeadings(std::string_view document, Format format, const std::function<Status(Heading)>& take) {
  if (format == Format::kMarkdown) return MarkdownHeadings(document, take);
  if (format == Format::kRst) return RstHeadings(document, take);
  return Status();
}

}  // namespace thimble::sync
