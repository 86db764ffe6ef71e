// JSON as a tree, read or to be written.
//
//   Value reply = Object{{"name", "a"}, {"sizes", Array{1, 2}}};
//   if (const Value* name = reply.Find("name"); name != nullptr && name->is_string()) Use(name->string());
//
// Its destructor allocates nothing, so that a tree can go while an exhausted heap unwinds; that of nlohmann::json
// ends the process then. Destructor and copy call themselves for each level, which the parser limits.

#ifndef THIMBLE_JSON_VALUE_H_
#define THIMBLE_JSON_VALUE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace thimble::json {

class Object;
class Value;
class Writer;
using Array = std::vector<Value>;

class Value {
 public:
  Value() noexcept {}
  Value(std::nullptr_t) noexcept {}
  template <std::same_as<bool> T>
  Value(T value) noexcept : type_(Type::kBoolean) {
    boolean_ = value;
  }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Value(T value) noexcept : type_(std::cmp_less(value, 0) ? Type::kNegative : Type::kUnsigned) {
    unsigned_ = static_cast<std::uint64_t>(value);
  }
  Value(double value) noexcept : type_(Type::kFraction) { fraction_ = value; }
  Value(std::string value) : string_(new std::string(std::move(value))), type_(Type::kString) {}
  Value(std::string_view value) : Value(std::string(value)) {}
  Value(const char* value) : Value(std::string(value)) {}
  Value(Array value);
  Value(Object value);

  Value(const Value& other);
  Value(Value&& other) noexcept : Value() { Swap(other); }
  Value& operator=(Value other) noexcept {
    Swap(other);
    return *this;
  }
  ~Value() {
    if (type_ >= Type::kString) Destroy();
  }

  bool is_null() const { return type_ == Type::kNull; }
  bool is_boolean() const { return type_ == Type::kBoolean; }
  bool is_number() const { return type_ >= Type::kUnsigned && type_ <= Type::kFraction; }
  bool is_unsigned() const { return type_ == Type::kUnsigned; }
  bool is_string() const { return type_ == Type::kString; }
  bool is_array() const { return type_ == Type::kArray; }
  bool is_object() const { return type_ == Type::kObject; }
  const char* Kind() const;  // "a boolean", for messages.

  // Each needs a value of its type; number() takes every number.
  bool boolean() const { return boolean_; }
  std::uint64_t integer() const { return unsigned_; }  // Of is_unsigned().
  double number() const;
  const std::string& string() const { return *string_; }
  std::string& string() { return *string_; }
  const Array& array() const { return *array_; }
  Array& array() { return *array_; }
  const Object& object() const { return *object_; }
  Object& object() { return *object_; }

  // Whether it is this string.
  bool Is(std::string_view text) const { return is_string() && *string_ == text; }
  // Whether it is null, or an array or object without elements.
  bool empty() const;
  // The member of that name; null when there is none or this is no object.
  const Value* Find(std::string_view key) const;
  // The same; null too when it is a JSON null.
  const Value* FindSet(std::string_view key) const;

  // In one line. Invalid UTF-8 becomes U+FFFD.
  std::string Text() const;

 private:
  friend class Writer;
  enum class Type : std::uint8_t { kNull, kBoolean, kUnsigned, kNegative, kFraction, kString, kArray, kObject };

  void Swap(Value& other) noexcept {
    std::swap(unsigned_, other.unsigned_);
    std::swap(type_, other.type_);
  }
  void Destroy() noexcept;

  union {
    std::uint64_t unsigned_ = 0;  // The same bits for a negative number.
    bool boolean_;
    double fraction_;
    std::string* string_;
    Array* array_;
    Object* object_;
  };
  Type type_ = Type::kNull;
};

struct Member {
  std::string key;
  Value value;
};

// Members in the order in which they were added, or sorted by Sort. Finding takes time in proportion to their number
// until they are in order.
class Object {
 public:
  Object() = default;
  Object(std::initializer_list<Member> members);

  std::size_t size() const { return members_.size(); }
  bool empty() const { return members_.empty(); }
  auto begin() const { return members_.begin(); }
  auto end() const { return members_.end(); }

  const Value* Find(std::string_view key) const;
  // Adds null where there is none.
  Value& operator[](std::string_view key);
  // Adds a member, whose key no other may have.
  Value& Append(std::string key);
  // Sorts by key. The key that two members have, or null.
  const std::string* Sort();

 private:
  std::vector<Member> members_;
  bool sorted_ = true;
};

}  // namespace thimble::json

#endif  // THIMBLE_JSON_VALUE_H_
