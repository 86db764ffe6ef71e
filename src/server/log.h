// Lines of JSON on standard error.

#ifndef THIMBLE_SERVER_LOG_H_
#define THIMBLE_SERVER_LOG_H_

#include <string>

#include "json/value.h"

namespace thimble::server {

// {"time":...,FIELDS}. Never waits: a line that nobody takes is dropped.
void LogLine(const json::Object& fields);
// {"time":...,"event":EVENT,"text":TEXT}
void LogEvent(const std::string& event, const std::string& text);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_LOG_H_
