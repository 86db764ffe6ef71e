// The stack machine that pickles are programs of, with the opcodes that state dicts are made of.

#include "convert/pickle.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "convert/file_reader.h"
#include "convert/pickle_opcodes.h"

namespace thimble::convert {
namespace {

// A checkpoint of 16384 tensors takes some 1.5 MiB and 300000 values; these bound the memory and the work that a
// hostile file makes.
constexpr std::uint64_t kMaxPickleBytes = 16 << 20;
constexpr std::size_t kMaxValues = 1 << 20, kMaxItems = 1 << 22, kMaxStack = 1 << 20, kMaxMarks = 64;
constexpr std::uint64_t kMaxMemo = 1 << 20, kMaxTextBytes = 64 << 10, kMaxGlobalBytes = 256;

}  // namespace

class PickleMachine : PickleOpcodes {
 public:
  PickleMachine(FileReader& reader, std::span<const PickleGlobal> globals) : reader_(reader), start_(reader.offset()) {
    pickle_.globals_ = globals;
    none_ = Add({});
    false_ = Add({.kind = Kind::kBool, .integer = 0});
    true_ = Add({.kind = Kind::kBool, .integer = 1});
  }

  Result<Pickle> Run() {
    std::uint8_t opcode = 0;
    THIMBLE_RETURN_IF_ERROR(ReadByte(&opcode));
    if (opcode != kProto) return Corrupt("expected the pickle to begin with opcode PROTO, found ", OpcodeText(opcode));
    std::uint8_t protocol = 0;
    THIMBLE_RETURN_IF_ERROR(ReadByte(&protocol));
    if (protocol < 2 || protocol > 5) return Unsupported("expected pickle protocol 2 to 5, found ", protocol);
    while (true) {
      at_ = reader_.offset();
      if (at_ - start_ > kMaxPickleBytes) return TooMuch("bytes in the pickle", kMaxPickleBytes);
      THIMBLE_RETURN_IF_ERROR(ReadByte(&opcode));
      if (opcode == kStop) break;
      THIMBLE_RETURN_IF_ERROR(Step(opcode));
      if (pickle_.values_.size() > kMaxValues) return TooMuch("values", kMaxValues);
      if (items_ > kMaxItems) return TooMuch("items of tuples, lists and dicts", kMaxItems);
      if (stack_.size() > kMaxStack) return TooMuch("values on the stack", kMaxStack);
    }
    if (stack_.size() != 1 || !marks_.empty()) {
      return Corrupt("the pickle ends with ", stack_.size(), " values on the stack, expected 1");
    }
    pickle_.root_ = stack_[0];
    return std::move(pickle_);
  }

 private:
  using Kind = Pickle::Kind;
  using Ref = Pickle::Ref;

  template <typename... Parts>
  Status Fail(Code code, const Parts&... parts) const {
    return Error(code, reader_.path(), ": byte ", at_, ": ", parts...);
  }
  template <typename... Parts>
  Status Corrupt(const Parts&... parts) const {
    return Fail(Code::kCorrupt, parts...);
  }
  template <typename... Parts>
  Status Unsupported(const Parts&... parts) const {
    return Fail(Code::kUnsupported, parts...);
  }
  Status TooMuch(std::string_view what, std::uint64_t limit) const {
    return Corrupt("more than ", limit, " ", what, " are not allowed");
  }

  // Reading the operands of opcodes.
  Status ReadByte(std::uint8_t* byte) { return reader_.Read(std::as_writable_bytes(std::span(byte, 1))); }
  Status ReadInteger(std::size_t bytes, std::uint64_t* value) {
    std::array<std::byte, 8> buffer;
    THIMBLE_RETURN_IF_ERROR(reader_.Read(std::span(buffer).first(bytes)));
    *value = LittleEndian(std::span(buffer).first(bytes));
    return Status();
  }
  // A length of `length_bytes` bytes, and so many bytes.
  Status ReadText(std::size_t length_bytes, Kind kind, Ref* ref) {
    std::uint64_t length = 0;
    THIMBLE_RETURN_IF_ERROR(ReadInteger(length_bytes, &length));
    if (length > kMaxTextBytes) return TooMuch("bytes in a string", kMaxTextBytes);
    std::string& text = pickle_.text_;
    const std::size_t begin = text.size();
    text.resize(begin + length);
    THIMBLE_RETURN_IF_ERROR(reader_.Read(std::as_writable_bytes(std::span(text).subspan(begin))));
    *ref = Add({.kind = kind, .begin = static_cast<std::uint32_t>(begin), .count = static_cast<std::uint32_t>(length)});
    return Status();
  }
  Status ReadLine(std::string* line) {
    std::uint8_t byte = 0;
    for (line->clear();; line->push_back(static_cast<char>(byte))) {
      THIMBLE_RETURN_IF_ERROR(ReadByte(&byte));
      if (byte == '\n') return Status();
      if (line->size() == kMaxGlobalBytes) return TooMuch("bytes in the name of a global", kMaxGlobalBytes);
    }
  }

  Ref Add(const Pickle::Value& value) {
    pickle_.values_.push_back(value);
    return static_cast<Ref>(pickle_.values_.size() - 1);
  }
  Ref AddFixed(Kind kind, std::span<const Ref> items) {
    const std::size_t begin = pickle_.items_.size();
    pickle_.items_.insert(pickle_.items_.end(), items.begin(), items.end());
    items_ += items.size();
    return Add(
        {.kind = kind, .begin = static_cast<std::uint32_t>(begin), .count = static_cast<std::uint32_t>(items.size())});
  }
  Ref AddContainer(Kind kind, bool ordered) {
    pickle_.containers_.emplace_back();
    return Add({.kind = kind, .ordered = ordered, .begin = static_cast<std::uint32_t>(pickle_.containers_.size() - 1)});
  }
  std::vector<Ref>& Container(Ref ref) { return pickle_.containers_[pickle_.values_[ref].begin]; }
  Kind KindOf(Ref ref) const { return pickle_.values_[ref].kind; }

  // How many values are above the last mark: those that an opcode may take.
  std::size_t Available() const { return stack_.size() - (marks_.empty() ? 0 : marks_.back()); }
  Status Need(std::size_t count) const {
    if (Available() >= count) return Status();
    return Corrupt("needs ", count, " values on the stack, found ", Available());
  }
  Status Push(Ref ref) {
    stack_.push_back(ref);
    return Status();
  }
  Ref Pop() {
    const Ref ref = stack_.back();
    stack_.pop_back();
    return ref;
  }
  // All above the last mark, which is taken away with them; valid until something is pushed.
  Status PopMark(std::span<const Ref>* items) {
    if (marks_.empty()) return Corrupt("needs a mark on the stack, found none");
    const std::size_t begin = marks_.back();
    marks_.pop_back();
    popped_.assign(stack_.begin() + static_cast<std::ptrdiff_t>(begin), stack_.end());
    stack_.resize(begin);
    *items = popped_;
    return Status();
  }

  Status Step(std::uint8_t opcode) {
    std::uint64_t number = 0;
    Ref ref = 0;
    std::span<const Ref> items;
    switch (opcode) {
      case kFrame:  // The bytes of a frame are opcodes like all others.
        return ReadInteger(8, &number);
      case kMark:
        if (marks_.size() == kMaxMarks) return TooMuch("nested marks", kMaxMarks);
        marks_.push_back(stack_.size());
        return Status();
      case kNone:
        return Push(none_);
      case kNewTrue:
        return Push(true_);
      case kNewFalse:
        return Push(false_);
      case kBinInt:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(4, &number));
        return PushInteger(static_cast<std::int32_t>(number));
      case kBinInt1:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(1, &number));
        return PushInteger(static_cast<std::int64_t>(number));
      case kBinInt2:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(2, &number));
        return PushInteger(static_cast<std::int64_t>(number));
      case kLong1:
        return PushLong();
      case kBinFloat:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(8, &number));
        return Push(Add({.kind = Kind::kFloat}));
      case kShortBinString:
      case kShortBinUnicode:
        THIMBLE_RETURN_IF_ERROR(ReadText(1, Kind::kText, &ref));
        return Push(ref);
      case kBinUnicode:
        THIMBLE_RETURN_IF_ERROR(ReadText(4, Kind::kText, &ref));
        return Push(ref);
      case kEmptyTuple:
        return Push(AddFixed(Kind::kTuple, {}));
      case kTuple1:
      case kTuple2:
      case kTuple3: {
        const std::size_t count = static_cast<std::size_t>(opcode - kTuple1) + 1;
        THIMBLE_RETURN_IF_ERROR(Need(count));
        ref = AddFixed(Kind::kTuple, std::span(stack_).last(count));
        stack_.resize(stack_.size() - count);
        return Push(ref);
      }
      case kTuple:
        THIMBLE_RETURN_IF_ERROR(PopMark(&items));
        return Push(AddFixed(Kind::kTuple, items));
      case kEmptyList:
        return Push(AddContainer(Kind::kList, false));
      case kEmptyDict:
        return Push(AddContainer(Kind::kDict, false));
      case kAppend:
      case kSetItem: {
        const std::size_t count = opcode == kAppend ? 1 : 2;
        THIMBLE_RETURN_IF_ERROR(Need(count));
        popped_.assign(stack_.end() - static_cast<std::ptrdiff_t>(count), stack_.end());
        stack_.resize(stack_.size() - count);
        return Extend(opcode == kAppend ? Kind::kList : Kind::kDict, popped_);
      }
      case kAppends:
        THIMBLE_RETURN_IF_ERROR(PopMark(&items));
        return Extend(Kind::kList, items);
      case kSetItems:
        THIMBLE_RETURN_IF_ERROR(PopMark(&items));
        return Extend(Kind::kDict, items);
      case kBinPut:
      case kLongBinPut:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(opcode == kBinPut ? 1 : 4, &number));
        return Put(number);
      case kMemoize:
        return Put(memoized_);
      case kBinGet:
      case kLongBinGet:
        THIMBLE_RETURN_IF_ERROR(ReadInteger(opcode == kBinGet ? 1 : 4, &number));
        if (number >= memo_.size() || memo_[number] == kNoRef) return Corrupt("nothing is in the memo at ", number);
        return Push(memo_[number]);
      case kGlobal: {
        std::string module, name;
        THIMBLE_RETURN_IF_ERROR(ReadLine(&module));
        THIMBLE_RETURN_IF_ERROR(ReadLine(&name));
        return PushGlobal(module, name);
      }
      case kStackGlobal: {
        THIMBLE_RETURN_IF_ERROR(Need(2));
        const Ref name = Pop(), module = Pop();
        if (KindOf(name) != Kind::kText || KindOf(module) != Kind::kText) {
          return Corrupt("the names of a global are no strings");
        }
        return PushGlobal(pickle_.text(module), pickle_.text(name));
      }
      case kBinPersId:
        THIMBLE_RETURN_IF_ERROR(Need(1));
        ref = Pop();
        ref = AddFixed(Kind::kPersistent, std::span(&ref, 1));
        pickle_.persistent_.push_back(ref);
        return Push(ref);
      case kReduce:
        return Reduce();
      case kBuild:
        return Build();
      default:
        return Unsupported(OpcodeText(opcode), " of a pickle is refused: no state dict of tensors needs it");
    }
  }

  Status PushInteger(std::int64_t value) { return Push(Add({.kind = Kind::kInteger, .integer = value})); }

  Status PushLong() {
    Ref ref = 0;
    THIMBLE_RETURN_IF_ERROR(ReadText(1, Kind::kLong, &ref));
    const std::string_view bytes = pickle_.text(ref);
    if (bytes.size() > 8) return Push(ref);
    std::uint64_t value = LittleEndian(std::as_bytes(std::span(bytes)));
    const bool negative = !bytes.empty() && static_cast<std::uint8_t>(bytes.back()) > 127;
    if (negative && bytes.size() < 8) value |= ~std::uint64_t{0} << 8 * bytes.size();
    return PushInteger(static_cast<std::int64_t>(value));
  }

  // Puts `items` behind those of the list or dict on the stack.
  Status Extend(Kind kind, std::span<const Ref> items) {
    THIMBLE_RETURN_IF_ERROR(Need(1));
    if (KindOf(stack_.back()) != kind) return Unsupported("items are put into what is no list or dict");
    if (kind == Kind::kDict && items.size() % 2 != 0) return Corrupt("a key without a value");
    std::vector<Ref>& container = Container(stack_.back());
    container.insert(container.end(), items.begin(), items.end());
    items_ += items.size();
    return Status();
  }

  Status Put(std::uint64_t index) {
    THIMBLE_RETURN_IF_ERROR(Need(1));
    if (index >= kMaxMemo) return TooMuch("places in the memo", kMaxMemo);
    if (index >= memo_.size()) memo_.resize(index + 1, kNoRef);
    if (memo_[index] == kNoRef) ++memoized_;
    memo_[index] = stack_.back();
    return Status();
  }

  Status PushGlobal(std::string_view module, std::string_view name) {
    const std::span<const PickleGlobal> globals = pickle_.globals_;
    const auto found = std::find_if(globals.begin(), globals.end(), [&](const PickleGlobal& global) {
      return global.module == module && global.name == name;
    });
    if (found == globals.end()) {
      return Unsupported("the pickle names ", Printable(module), ".", Printable(name),
                         ", which is refused: only what a state dict of tensors needs is read, and nothing is called");
    }
    return Push(Add({.kind = Kind::kGlobal, .integer = found - globals.begin()}));
  }

  Status Reduce() {
    THIMBLE_RETURN_IF_ERROR(Need(2));
    const Ref arguments = Pop(), function = Pop();
    if (KindOf(function) != Kind::kGlobal) return Unsupported("a call of what is no function is refused");
    if (KindOf(arguments) != Kind::kTuple) return Corrupt("the arguments of a call are no tuple");
    const PickleGlobal& global = pickle_.global(function);
    switch (global.role) {
      case PickleGlobal::kName:
        return Unsupported("a call of ", global.module, ".", global.name, " is refused");
      case PickleGlobal::kFunction:
        return Push(AddFixed(Kind::kCall, std::array{function, arguments}));
      case PickleGlobal::kOrderedDict:
        break;
    }
    const Ref dict = AddContainer(Kind::kDict, true);
    const std::span<const Ref> given = pickle_.items(arguments);
    if (given.empty()) return Push(dict);
    // As Python 2 writes it.
    if (given.size() > 1 || KindOf(given[0]) != Kind::kList) return Unsupported("expected an OrderedDict of a list");
    for (const Ref pair : pickle_.items(given[0])) {
      const bool sequence = KindOf(pair) == Kind::kList || KindOf(pair) == Kind::kTuple;
      if (!sequence || pickle_.items(pair).size() != 2) return Corrupt("expected an OrderedDict of pairs");
      const std::span<const Ref> items = pickle_.items(pair);
      Container(dict).insert(Container(dict).end(), items.begin(), items.end());
      items_ += items.size();
      if (items_ > kMaxItems) break;  // Run refuses it.
    }
    return Push(dict);
  }

  // Only the notes on versions that modules leave at their state dicts.
  Status Build() {
    THIMBLE_RETURN_IF_ERROR(Need(2));
    const Ref state = Pop(), object = stack_.back();
    if (KindOf(object) != Kind::kDict || !pickle_.values_[object].ordered || KindOf(state) != Kind::kDict) {
      return Unsupported("opcode BUILD of a pickle is refused but for attributes of an OrderedDict");
    }
    const std::span<const Ref> items = pickle_.items(state);
    if (items.size() == 2 && KindOf(items[0]) == Kind::kText && pickle_.text(items[0]) == "_metadata") return Status();
    return Unsupported("opcode BUILD of a pickle is refused for attributes other than _metadata");
  }

  static constexpr Ref kNoRef = ~Ref{0};

  FileReader& reader_;
  const std::uint64_t start_;
  std::uint64_t at_ = start_;  // Where the opcode at work is.
  Pickle pickle_;
  std::vector<Ref> stack_, memo_, popped_;
  std::vector<std::size_t> marks_;
  std::uint64_t memoized_ = 0;  // Places in the memo that are taken.
  std::size_t items_ = 0;       // Of tuples, lists and dicts together.
  Ref none_ = 0, false_ = 0, true_ = 0;
};

Result<Pickle> Pickle::Read(FileReader& reader, std::span<const PickleGlobal> globals) {
  return PickleMachine(reader, globals).Run();
}

}  // namespace thimble::convert
