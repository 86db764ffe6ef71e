// The control groups that a process is in, from /proc/self/cgroup and /proc/self/mountinfo.

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/control_groups.h"

namespace thimble::base {
namespace {

// Calls visit(line) for each line of the file, without its end. A line of 4 KiB or more is passed over: no path of the
// system is that long.
template <typename Visit>
void ForEachLine(const std::string& path, const Visit& visit) {
  std::FILE* file = std::fopen(path.c_str(), "re");
  if (file == nullptr) return;
  char line[4096];
  bool whole = true;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    std::string_view text(line);
    const bool ends = text.ends_with('\n');
    if (ends) text.remove_suffix(1);
    if (whole && (ends || std::feof(file) != 0)) visit(text);
    whole = ends;
  }
  std::fclose(file);
}

// Takes what is before the next `separator` off the front of `text`, and the separator.
std::string_view TakeField(std::string_view& text, char separator) {
  const std::string_view field = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(field.size() + 1, text.size()));
  return field;
}

bool Lists(std::string_view list, std::string_view item) {
  while (!list.empty()) {
    if (TakeField(list, ',') == item) return true;
  }
  return false;
}

// A path of mountinfo, where "\040" stands for a space.
std::string Unescaped(std::string_view text) {
  std::string path;
  auto digit = [&](std::size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '7' ? text[i] - '0' : -1; };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && digit(i + 1) >= 0 && digit(i + 2) >= 0 && digit(i + 3) >= 0) {
      path += static_cast<char>(digit(i + 1) * 64 + digit(i + 2) * 8 + digit(i + 3));
      i += 3;
    } else {
      path += text[i];
    }
  }
  return path;
}

// The way down from the group `top`, which is mounted, to the group `path` in or below it, "" or "/..."; nullopt when
// it is elsewhere. Both are seen from the namespace of this process.
std::optional<std::string> WayDown(std::string top, std::string path) {
  // The mount of a group around the namespace, "/..", shows only that group: how the namespace is called there cannot
  // be told.
  if (top.starts_with("/..")) {
    return top.find_first_not_of("/.") == std::string::npos ? std::optional<std::string>("") : std::nullopt;
  }
  if (top == "/") top.clear();
  if (path == "/") path.clear();
  if (path.starts_with("/..") || !path.starts_with(top)) return std::nullopt;
  path.erase(0, top.size());
  return path.empty() || path.front() == '/' ? std::optional(path) : std::nullopt;
}

}  // namespace

std::vector<ControlGroup> ControlGroupsOf(std::string_view controller, const std::string& root) {
  // The groups of this process by version, as paths in the trees of groups.
  std::optional<std::string> paths[3];
  ForEachLine(root + "/proc/self/cgroup", [&](std::string_view line) {  // "0::/path", or "4:cpu,cpuacct:/path".
    TakeField(line, ':');
    const std::string_view controllers = TakeField(line, ':');
    if (controllers.empty()) paths[2] = line;
    if (Lists(controllers, controller)) paths[1] = line;
  });
  std::vector<ControlGroup> groups;
  ForEachLine(root + "/proc/self/mountinfo", [&](std::string_view line) {
    // "31 23 0:24 /top /sys/fs/cgroup/cpu rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct".
    std::string_view fields[5];
    for (std::string_view& field : fields) field = TakeField(line, ' ');
    const std::size_t dash = line.find(" - ");
    if (dash == std::string_view::npos) return;
    line.remove_prefix(dash + 3);
    const std::string_view type = TakeField(line, ' ');
    TakeField(line, ' ');
    const int version = type == "cgroup2" ? 2 : type == "cgroup" && Lists(line, controller) ? 1 : 0;
    if (!paths[version]) return;
    std::optional<std::string> way = WayDown(Unescaped(fields[3]), *paths[version]);
    if (!way) return;
    const std::string mount = root + Unescaped(fields[4]);
    for (;;) {
      groups.push_back({version, mount + *way});
      const std::size_t slash = way->rfind('/');
      if (slash == std::string::npos) return;
      way->resize(slash);
    }
  });
  return groups;
}

}  // namespace thimble::base
