// Lines of JSON on standard error.

#ifndef THIMBLE_SERVER_LOG_H_
#define THIMBLE_SERVER_LOG_H_

#include <string>

namespace thimble::server {

// {"time":...,FIELDS}: `fields` is JSON without its braces. Never waits: a line that nobody takes is dropped.
void LogLine(const std::string& fields);
// {"time":...,"event":EVENT,"text":TEXT}
void LogEvent(const std::string& event, const std::string& text);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_LOG_H_
