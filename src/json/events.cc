// Passes the parser's events on.

#include "json/events.h"

#include <nlohmann/json.hpp>
#include <utility>

namespace thimble::json {
namespace {

class Parser : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit Parser(Events& events) : events_(events) {}

  std::optional<std::size_t> bad_byte() const { return bad_byte_; }

  bool null() override { return events_.Scalar(nullptr); }
  bool boolean(bool value) override { return events_.Scalar(value); }
  bool number_integer(number_integer_t value) override { return events_.Scalar(value); }
  bool number_unsigned(number_unsigned_t value) override { return events_.Scalar(value); }
  bool number_float(number_float_t value, const string_t&) override { return events_.Scalar(value); }
  bool string(string_t& value) override { return events_.Scalar(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // Not in JSON text.
  bool start_object(std::size_t) override { return events_.BeginObject(); }
  bool key(string_t& value) override { return events_.Key(std::move(value)); }
  bool end_object() override { return events_.EndObject(); }
  bool start_array(std::size_t) override { return events_.BeginArray(); }
  bool end_array() override { return events_.EndArray(); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    bad_byte_ = position;
    return false;
  }

 private:
  Events& events_;
  std::optional<std::size_t> bad_byte_;
};

}  // namespace

std::optional<std::size_t> Read(std::string_view text, Events& events) {
  Parser parser(events);
  nlohmann::json::sax_parse(text, &parser);
  return parser.bad_byte();
}

}  // namespace thimble::json
