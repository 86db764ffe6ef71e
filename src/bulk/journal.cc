// Checkpoints as text.

#include "bulk/journal.h"

#include <algorithm>
#include <string_view>

#include "base/sha256.h"
#include "json/parse.h"
#include "json/writer.h"

namespace thimble::bulk {
namespace {

constexpr std::string_view kCheck = ",\"check\":\"";

json::Value PartValue(const PartState& part) { return json::Object{{"bytes", part.bytes}, {"sha256", part.hash}}; }

bool ReadNumber(const json::Value& from, std::string_view key, std::uint64_t& number) {
  const json::Value* value = from.Find(key);
  if (value == nullptr || !value->is_unsigned()) return false;
  number = value->integer();
  return true;
}

bool ReadPart(const json::Value& from, std::string_view key, PartState& part) {
  const json::Value* value = from.Find(key);
  if (value == nullptr || !ReadNumber(*value, "bytes", part.bytes)) return false;
  const json::Value* hash = value->Find("sha256");
  if (hash == nullptr || !hash->is_string()) return false;
  part.hash = hash->string();
  return true;
}

std::string CheckOf(std::string_view job_text, std::string_view text) {
  base::Sha256 hash;
  hash.Update(job_text);
  hash.Update(text);
  return hash.Hex();
}

}  // namespace

std::string WriteSlot(const Checkpoint& checkpoint, std::string_view job_text, std::uint64_t sequence) {
  std::string text;
  const Counts& counts = checkpoint.counts;
  json::Writer(text)
      .Open('{')
      .Member("sequence", sequence)
      .Member("complete", checkpoint.complete)
      .Member("texts", counts.texts)
      .Member("tokens", counts.tokens)
      .Member("truncated", counts.truncated)
      .Member("empty", counts.empty)
      .Member("duplicates", counts.duplicates)
      .Member("input_lines", checkpoint.input_lines)
      .Member("input", PartValue(checkpoint.input))
      .Member("output", PartValue(checkpoint.output))
      .Member("ids", PartValue(checkpoint.ids))
      .Member("seen", PartValue(checkpoint.seen));
  const std::string check = CheckOf(job_text, text);
  text.append(kCheck).append(check).append("\"}");
  text.resize(kSlotBytes - 1, ' ');
  return text + '\n';
}

std::optional<Checkpoint> ReadSlot(std::string_view slot, std::string_view job_text, std::uint64_t& sequence) {
  const std::size_t check = slot.rfind(kCheck);
  if (check == std::string_view::npos) return std::nullopt;
  if (slot.substr(check + kCheck.size(), base::Sha256::kHexDigits) != CheckOf(job_text, slot.substr(0, check))) {
    return std::nullopt;
  }
  const Result<json::Value> value = json::Parse(slot, "checkpoint");
  Checkpoint result;
  Counts& counts = result.counts;
  if (!value.ok()) return std::nullopt;
  const json::Value* complete = value->Find("complete");
  if (complete == nullptr || !complete->is_boolean()) return std::nullopt;
  result.complete = complete->boolean();
  const bool whole = ReadNumber(*value, "sequence", sequence) && ReadNumber(*value, "texts", counts.texts) &&
                     ReadNumber(*value, "tokens", counts.tokens) && ReadNumber(*value, "truncated", counts.truncated) &&
                     ReadNumber(*value, "empty", counts.empty) && ReadNumber(*value, "duplicates", counts.duplicates) &&
                     ReadNumber(*value, "input_lines", result.input_lines) && ReadPart(*value, "input", result.input) &&
                     ReadPart(*value, "output", result.output) && ReadPart(*value, "ids", result.ids) &&
                     ReadPart(*value, "seen", result.seen);
  if (!whole || std::max({counts.truncated, counts.empty, counts.duplicates}) > counts.texts) return std::nullopt;
  return result;
}

}  // namespace thimble::bulk
