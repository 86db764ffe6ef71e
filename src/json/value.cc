// Ownership and search of JSON values.

#include "json/value.h"

#include <algorithm>

namespace thimble::json {

Value::Value(Array value) : array_(new Array(std::move(value))), type_(Type::kArray) {}
Value::Value(Object value) : object_(new Object(std::move(value))), type_(Type::kObject) {}

Value::Value(const Value& other) : Value() {
  switch (other.type_) {
    case Type::kString:
      string_ = new std::string(*other.string_);
      break;
    case Type::kArray:
      array_ = new Array(*other.array_);
      break;
    case Type::kObject:
      object_ = new Object(*other.object_);
      break;
    default:
      unsigned_ = other.unsigned_;
  }
  type_ = other.type_;
}

void Value::Destroy() noexcept {
  if (type_ == Type::kString) delete string_;
  if (type_ == Type::kArray) delete array_;
  if (type_ == Type::kObject) delete object_;
}

const char* Value::Kind() const {
  constexpr const char* kKinds[] = {"null",     "a boolean", "a number", "a number",
                                    "a number", "a string",  "an array", "an object"};
  return kKinds[static_cast<std::size_t>(type_)];
}

double Value::number() const {
  if (type_ == Type::kUnsigned) return static_cast<double>(unsigned_);
  if (type_ == Type::kNegative) return static_cast<double>(static_cast<std::int64_t>(unsigned_));
  return fraction_;
}

bool Value::empty() const { return is_null() || (is_array() && array_->empty()) || (is_object() && object_->empty()); }

const Value* Value::Find(std::string_view key) const { return is_object() ? object_->Find(key) : nullptr; }

const Value* Value::FindSet(std::string_view key) const {
  const Value* found = Find(key);
  return found == nullptr || found->is_null() ? nullptr : found;
}

Object::Object(std::initializer_list<Member> members) : members_(members), sorted_(members.size() < 2) {}

const Value* Object::Find(std::string_view key) const {
  const auto found =
      sorted_ ? std::lower_bound(members_.begin(), members_.end(), key,
                                 [](const Member& member, auto wanted) { return member.key < wanted; })
              : std::find_if(members_.begin(), members_.end(), [&](const Member& member) { return member.key == key; });
  return found == members_.end() || found->key != key ? nullptr : &found->value;
}

Value& Object::operator[](std::string_view key) {
  const Value* found = Find(key);
  return found == nullptr ? Append(std::string(key)) : const_cast<Value&>(*found);
}

Value& Object::Append(std::string key) {
  sorted_ &= members_.empty() || members_.back().key < key;
  return members_.emplace_back(Member{std::move(key), {}}).value;
}

const std::string* Object::Sort() {
  if (sorted_) return nullptr;
  std::sort(members_.begin(), members_.end(), [](const Member& a, const Member& b) { return a.key < b.key; });
  const auto twice = std::adjacent_find(members_.begin(), members_.end(),
                                        [](const Member& a, const Member& b) { return a.key == b.key; });
  sorted_ = twice == members_.end();
  return sorted_ ? nullptr : &twice->key;
}

}  // namespace thimble::json
