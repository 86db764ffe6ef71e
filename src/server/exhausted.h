// What the server does while memory is exhausted: it waits, and sends a reply that was prepared in advance.

#ifndef THIMBLE_SERVER_EXHAUSTED_H_
#define THIMBLE_SERVER_EXHAUSTED_H_

#include <chrono>
#include <thread>

namespace thimble::server {

// For a thread that can neither continue nor hand over its work until others release memory.
inline void WaitForMemory() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

// The reply to a request that ended before it had one of its own.
inline constexpr char kExhausted[] =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    "connection: close\r\n\r\n"
    "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":null},"
    "\"detail\":\"out of memory\"}";

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_EXHAUSTED_H_
