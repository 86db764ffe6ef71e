// Python pickles of protocols 2 to 5, read as data: what a pickle would call is written down, and nothing is called.

#ifndef THIMBLE_CONVERT_PICKLE_H_
#define THIMBLE_CONVERT_PICKLE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "convert/file_reader.h"
#include "thimble/status.h"

namespace thimble::convert {

// A class or function of Python that a pickle may name. Every other one is refused.
struct PickleGlobal {
  std::string_view module, name;
  enum Role : std::uint8_t {
    kName,         // It may not be called.
    kFunction,     // A call of it is a value of kind kCall.
    kOrderedDict,  // A call of it, with nothing or a list of pairs, is a value of kind kDict.
  } role = kName;
  int tag = 0;  // For the caller.
};

// The values of one pickle. They refer to each other by number, so that neither depth nor cycles matter until somebody
// follows them. Thread-compatible.
class Pickle {
 public:
  using Ref = std::uint32_t;
  enum class Kind : std::uint8_t {
    kNone,
    kBool,
    kInteger,  // Of at most 64 bits.
    kLong,     // A longer one: its bytes, little-endian, as text.
    kFloat,    // Its value is not kept.
    kText,
    kTuple,
    kList,
    kDict,  // Items: keys and values in turn. A key may appear twice.
    kGlobal,
    kCall,        // Items: the function, which is a kGlobal, and the arguments, which are a kTuple.
    kPersistent,  // Items: the identifier.
  };

  // Reads up to the end of a pickle and leaves `reader` behind it. kUnsupported, naming it and its byte in the file,
  // for an opcode or a global beyond those that state dicts are made of; kCorrupt for what is no pickle, is cut short
  // or exceeds a limit; kIo.
  static Result<Pickle> Read(FileReader& reader, std::span<const PickleGlobal> globals);

  Ref root() const { return root_; }
  Kind kind(Ref ref) const { return values_[ref].kind; }
  // Of kBool and kInteger.
  std::int64_t integer(Ref ref) const { return values_[ref].integer; }
  // Of kText and kLong.
  std::string_view text(Ref ref) const {
    return std::string_view(text_).substr(values_[ref].begin, values_[ref].count);
  }
  std::span<const Ref> items(Ref ref) const {
    const Value& value = values_[ref];
    if (value.kind == Kind::kList || value.kind == Kind::kDict) return containers_[value.begin];
    return std::span(items_).subspan(value.begin, value.count);
  }
  // Of kGlobal.
  const PickleGlobal& global(Ref ref) const { return globals_[static_cast<std::size_t>(values_[ref].integer)]; }
  // All values of kind kPersistent.
  std::span<const Ref> persistent() const { return persistent_; }

 private:
  friend class PickleMachine;

  struct Value {
    Kind kind = Kind::kNone;
    bool ordered = false;     // Of a kDict: an OrderedDict.
    std::uint32_t begin = 0;  // In text_ or items_, or the index in containers_.
    std::uint32_t count = 0;
    std::int64_t integer = 0;  // Of a kGlobal: its index.
  };

  std::span<const PickleGlobal> globals_;
  std::vector<Value> values_;
  std::string text_;
  std::vector<Ref> items_;
  std::vector<std::vector<Ref>> containers_;  // Of lists and dicts, which grow.
  std::vector<Ref> persistent_;
  Ref root_ = 0;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_PICKLE_H_
