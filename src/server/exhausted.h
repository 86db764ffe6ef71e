// What the server does while memory is exhausted: it waits, and it answers with what was made before.

#ifndef THIMBLE_SERVER_EXHAUSTED_H_
#define THIMBLE_SERVER_EXHAUSTED_H_

#include <chrono>
#include <thread>

namespace thimble::server {

// For a thread that cannot go on, nor hand on its work, without memory that others give back.
inline void WaitForMemory() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }

// The reply to a request that ended before it had one of its own.
inline constexpr char kExhausted[] =
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
    "connection: close\r\n\r\n"
    "{\"error\":{\"message\":\"out of memory\",\"type\":\"server_error\",\"param\":null,\"code\":null},"
    "\"detail\":\"out of memory\"}";

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_EXHAUSTED_H_
