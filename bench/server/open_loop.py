"""Sends requests at times of their own, whatever the server does: open_loop.py PORT BODIES RATE SECONDS

BODIES is a file of request bodies, one a line, used in turn. Times between requests are exponential, the same in every run,
and a latency is counted from the time at which a request was due, so that it includes what it waited for a connection.
Prints one line of JSON. wrk cannot do this: its connections wait for the server.
"""

import collections
import gc
import json
import pathlib
import random
import select
import socket
import sys
import time

CONNECTIONS = 64
# How long replies may take after the last request, in seconds.
PATIENCE = 60
PATH = "/v1/embeddings"


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.due = None

    def fileno(self):
        return self.socket.fileno()

    def send(self, request, due):
        self.due, self.reply, self.left = due, b"", None
        self.socket.sendall(request)

    def read(self):
        """The status when the reply is complete, or None. 0 when the connection ended."""
        part = self.socket.recv(1 << 16)
        if not part:
            return 0
        self.reply += part
        head, end, body = self.reply.partition(b"\r\n\r\n")
        if not end:
            return None
        lines = head.lower().split(b"\r\n")
        length = next(int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:"))
        return int(lines[0].split()[1]) if len(body) >= length else None


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def main():
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[3]), float(sys.argv[4])
    requests = [f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
                for body in pathlib.Path(sys.argv[2]).read_bytes().splitlines()]
    chance = random.Random(5)
    schedule, at = [], 0
    while (at := at + chance.expovariate(rate)) < seconds:
        schedule.append(at)
    idle = collections.deque(Connection(port) for _ in range(CONNECTIONS))
    busy, latencies, errors, refused, sent = [], [], 0, 0, 0
    gc.disable()  # A pause of this client would count as the server's.
    start = time.perf_counter()
    while sent < len(schedule) or busy:
        now = time.perf_counter() - start
        if now > seconds + PATIENCE:
            errors += len(busy) + len(schedule) - sent
            break
        while sent < len(schedule) and schedule[sent] <= now and idle:
            connection = idle.popleft()
            connection.send(requests[sent % len(requests)], schedule[sent])
            busy.append(connection)
            sent += 1
        wait = max(0, schedule[sent] - (time.perf_counter() - start)) if sent < len(schedule) and idle else 1
        for connection in select.select(busy, [], [], wait)[0]:
            status = connection.read()
            if status is None:
                continue
            busy.remove(connection)
            if status == 0:
                errors += 1
                connection = Connection(port)
            elif status == 200:
                latencies.append((time.perf_counter() - start - connection.due) * 1e3)
            elif status in (429, 503):
                refused += 1
            else:
                errors += 1
            idle.append(connection)
    result = {"rate": rate, "ok": len(latencies), "refused": refused, "errors": errors}
    if latencies:
        result |= {"p50_ms": percentile(latencies, 0.5), "p99_ms": percentile(latencies, 0.99)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
