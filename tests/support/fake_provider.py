"""An embedding provider on loopback, for tests: speaks every dialect of dialects.json, and misbehaves on demand.

As a program it prints one line of JSON, {"url": ..., "other": ...}, and serves until its standard input ends. `other` is the
same server on another host, 127.0.0.2, which no client may send a key to.

Vectors: with digest = SHA-256 of the UTF-8 bytes of the text, after "TYPE: " where the request has the input type TYPE,
v[i] = (digest[i mod 32] - 128) / 128, of 8 values or as many as the request asks for. A text has as many tokens as bytes.

Faults: the path begins with /fault/NAME[:COUNT[:TAG]]/, and the first COUNT requests with that beginning (all of them if COUNT
is absent or empty) get the fault. TAG distinguishes tests that use the same fault. FAULTS lists the names.

    GET  /control/log   every request so far: host, method, path, headers, body, status, and fault where it had one
    POST /control       {"key": KEY} the key asked for from now on; {"texts": N} most texts of a request; {"clear": true}
                        empties the log and the counts
"""

import base64
import email.utils
import gzip
import hashlib
import json
import re
import socket
import struct
import sys
import threading
import time

import fake_server

DIMENSIONS = 8
MODEL = "fake-model"
MOST_BODY = 64 << 20
# Of one request, by dialect.
MOST_TEXTS = {"openai": 2048, "tei": 32, "ollama": 100000, "cohere": 96, "voyage": 1000, "jina": 2048}


def vector(text, dimensions=DIMENSIONS):
    digest = hashlib.sha256(text.encode()).digest()
    return [(digest[i % 32] - 128) / 128 for i in range(dimensions)]


def tokens(texts):
    return sum(len(text.encode()) for text in texts)


class Refusal(Exception):
    """What a dialect answers to a request that it does not take."""

    def __init__(self, status, message, headers=None):
        super().__init__(message)
        self.status, self.message, self.headers = status, message, headers or {}


class Call:
    """A request to embed, whatever its dialect."""

    def __init__(self, dialect, body):
        names = {"openai": ("input", "dimensions", None, "encoding_format"), "tei": ("inputs", "dimensions", "prompt_name", None),
                 "ollama": ("input", "dimensions", None, None), "cohere": ("texts", "output_dimension", "input_type", "embedding_types"),
                 "voyage": ("input", "output_dimension", "input_type", "encoding_format"),
                 "jina": ("input", "dimensions", "task", "embedding_type")}[dialect]
        texts, dimensions, self.kind, encoding = (body.get(name) if name else None for name in names)
        self.dialect = dialect
        self.texts = [texts] if isinstance(texts, str) else texts
        if not isinstance(self.texts, list) or not all(isinstance(text, str) for text in self.texts):
            raise Refusal(422, f"{names[0]}: expected texts")
        self.dimensions = dimensions or DIMENSIONS
        if not isinstance(self.dimensions, int) or not 0 < self.dimensions <= 4096:
            raise Refusal(400, f"{names[1]}: expected 1 to 4096")
        self.base64 = encoding in ("base64", ["base64"])
        self.model = body.get("model", MODEL)
        if dialect != "tei" and not isinstance(body.get("model"), str):
            raise Refusal(400, "model: expected a name")
        if dialect == "cohere" and self.kind is None:
            raise Refusal(400, "valid input_type must be provided with the provided model")
        if dialect == "openai" and "" in self.texts:
            raise Refusal(400, "'$.input' is invalid.")

    def vectors(self):
        return [vector(f"{self.kind}: {text}" if self.kind else text, self.dimensions) for text in self.texts]


def encoded(values, call):
    """A vector as the reply has it; what is no number stays a list."""
    if not call.base64 or not all(isinstance(value, float) for value in values):
        return values
    return base64.b64encode(struct.pack(f"<{len(values)}f", *(value if abs(value) < 1e38 else float("inf") for value in values))).decode()


def items(call, vectors, indices):
    return [{"object": "embedding", "index": index, "embedding": encoded(values, call)} for index, values in zip(indices, vectors)]


def reply(call, vectors, indices):
    """(headers, body) in the call's dialect."""
    count = tokens(call.texts)
    if call.dialect == "tei":
        return {"x-compute-tokens": str(count)}, vectors
    if call.dialect == "ollama":
        return {}, {"model": call.model, "embeddings": vectors, "total_duration": 1000, "prompt_eval_count": count}
    if call.dialect == "cohere":
        kind = "base64" if call.base64 else "float"
        return {}, {"id": "1", "response_type": "embeddings_by_type", "embeddings": {kind: [encoded(v, call) for v in vectors]},
                    "texts": call.texts, "meta": {"api_version": {"version": "2"}, "billed_units": {"input_tokens": count}}}
    usage = {"total_tokens": count} if call.dialect == "voyage" else {"prompt_tokens": count, "total_tokens": count}
    return {}, {"object": "list", "data": items(call, vectors, indices), "model": call.model, "usage": usage}


def error_body(dialect, status, message):
    if dialect == "openai":
        return {"error": {"message": message, "type": "invalid_request_error" if status < 500 else "server_error", "param": None, "code": None}}
    if dialect == "tei":
        return {"error": message, "error_type": "Validation" if status < 424 else "Overloaded" if status == 429 else "Backend"}
    if dialect == "ollama":
        return {"error": message}
    if dialect == "cohere":
        return {"id": "1", "message": message}
    return {"detail": message}


def storm(headers):
    def fault(handler, call):
        raise Refusal(429, "too many requests", headers())
    return fault


def status(code):
    def fault(handler, call):
        raise Refusal(code, f"the server had error {code}")
    return fault


def shaped(change):
    """A fault of a reply whose HTTP is right. `change` gets and returns (vectors, indices)."""
    def fault(handler, call):
        headers, body = reply(call, *change(call.vectors(), list(range(len(call.texts)))))
        handler.answer(200, body, headers)
    return fault


def last_value(value):
    return shaped(lambda vectors, indices: (vectors[:-1] + [vectors[-1][:-1] + [value]], indices))


def raw(body, content="application/json", headers=None):
    return lambda handler, call: handler.answer(200, body, {"content-type": content, **(headers or {})})


def whole(call):
    headers, body = reply(call, call.vectors(), range(len(call.texts)))
    return json.dumps(body).encode()


def reset(part):
    """Sends this part of the reply, and resets the connection."""
    def fault(handler, call):
        body = whole(call)
        if part > 0:
            handler.head(200, {"content-length": str(len(body))})
            handler.wfile.write(body[:int(part * len(body))])
            handler.wfile.flush()
        # On close the kernel sends RST and not FIN.
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.end()
    return fault


def short_body(handler, call):
    body = whole(call)
    handler.head(200, {"content-length": str(len(body))})
    handler.wfile.write(body[:len(body) // 2])
    handler.end()


def slow(handler, call):
    body = whole(call)
    handler.head(200, {"content-length": str(len(body))})
    for byte in body:
        handler.wfile.write(bytes([byte]))
        time.sleep(0.05)


def endless_body(handler, call):
    handler.head(200, {"connection": "close"})
    while True:
        handler.wfile.write(b" " * 65536)


def endless_vector(handler, call):
    handler.head(200, {"connection": "close"})
    handler.wfile.write(b'{"data":[{"index":0,"embedding":[0.5')
    while True:
        handler.wfile.write(b",0.5" * 16384)


def endless_headers(handler, call):
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(10 ** 9):
        handler.wfile.write(b"x-header-%d: %s\r\n" % (number, b"a" * 1000))


def hang(handler, call):
    handler.server.owner.ended.wait(30)
    handler.end()


def redirect(handler, call):
    handler.answer(307, b"", {"location": handler.server.owner.other.url + handler.path})


def zipped(handler, call):
    handler.answer(200, gzip.compress(whole(call)), {"content-encoding": "gzip"})


def bomb(handler, call):
    handler.answer(200, gzip.compress(b" " * (64 << 20), 1), {"content-encoding": "gzip"})


FAULTS = {
    "reset-before": reset(0), "reset-within": reset(0.5), "short-body": short_body,
    "truncated-json": lambda handler, call: handler.answer(200, whole(call)[:-5]),
    "storm": storm(dict), "storm-ms": storm(lambda: {"retry-after-ms": "20"}), "storm-seconds": storm(lambda: {"retry-after": "1"}),
    "storm-date": storm(lambda: {"retry-after": email.utils.formatdate(time.time() + 2, usegmt=True)}),
    "storm-hour": storm(lambda: {"retry-after": "3600"}), "storm-nonsense": storm(lambda: {"retry-after": "-x", "retry-after-ms": "nan"}),
    "status-400": status(400), "status-401": status(401), "status-408": status(408), "status-409": status(409),
    "status-413": status(413), "status-422": status(422), "status-500": status(500), "status-503": status(503),
    "wrong-order": shaped(lambda vectors, indices: (vectors[::-1], indices[::-1])),
    "duplicate-index": shaped(lambda vectors, indices: (vectors, [0] * len(indices))),
    "missing-item": shaped(lambda vectors, indices: (vectors[:-1], indices[:-1])),
    "extra-item": shaped(lambda vectors, indices: (vectors + vectors[:1], indices + [len(indices)])),
    "nan": last_value(float("nan")), "huge": last_value(1e39), "null": last_value(None), "string": last_value("0.5"),
    "one-short": shaped(lambda vectors, indices: (vectors[:-1] + [vectors[-1][:-1]], indices)),
    "all-short": shaped(lambda vectors, indices: ([values[:-1] for values in vectors], indices)),
    "html": raw(b"<!DOCTYPE html><html><body>Sign in</body></html>", "text/html"), "empty": raw(b""), "deep": raw(b"[" * 100000),
    "wrong-type": raw(b'{"data": "none", "embeddings": 7}'), "slow": slow, "endless-body": endless_body,
    "endless-vector": endless_vector, "endless-headers": endless_headers, "hang": hang, "redirect": redirect, "gzip": zipped,
    "bomb": bomb,
}


class Handler(fake_server.Handler):
    disable_nagle_algorithm = True

    def head(self, code, headers):
        self.record["status"] = code
        self.send_response(code)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def answer(self, code, body, headers=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.head(code, {"content-length": str(len(data)), **(headers or {})})
        self.wfile.write(data)

    def end(self):
        """The connection closes without more of a reply."""
        self.close_connection = True

    def do_GET(self):
        self.serve(None)

    def do_POST(self):
        length = self.headers.get("content-length", "")
        if not length.isdigit() or int(length) > MOST_BODY:
            self.record = {}
            self.close_connection = True
            self.answer(413, {"error": "the body is too large or of unknown length"})
            return
        self.serve(self.rfile.read(int(length)))

    def serve(self, data):
        provider = self.server.owner
        self.record = {}
        if self.path.startswith("/control"):
            self.answer(200, provider.control(json.loads(data)) if data else provider.log)
            return
        try:
            body = json.loads(data) if data else None
        except ValueError:
            body = None
        self.record = {"host": self.server.server_address[0], "method": self.command, "path": self.path,
                       "headers": {name.lower(): value for name, value in self.headers.items()}, "body": body, "status": 0}
        path, fault = provider.begin(self.record)
        dialect = dialect_of(path, body)
        try:
            self.route(dialect, path, body, fault)
        except Refusal as refusal:
            self.answer(refusal.status, error_body(dialect, refusal.status, refusal.message), refusal.headers)

    def route(self, dialect, path, body, fault):
        provider = self.server.owner
        if dialect is None:
            raise Refusal(404, f"{path}: not found")
        if provider.key and self.headers.get("authorization") != f"Bearer {provider.key}":
            raise Refusal(401, "the key is wrong")
        most = min(provider.texts or MOST_TEXTS[dialect], MOST_TEXTS[dialect])
        if path.endswith("/info"):
            self.answer(200, {"model_id": MODEL, "max_input_length": 512, "max_client_batch_size": most})
            return
        if not isinstance(body, dict):
            raise Refusal(400, "the body is no JSON object")
        call = Call(dialect, body)
        if len(call.texts) > most:
            raise Refusal(400, f"batch size {len(call.texts)} > maximum allowed batch size {most}")
        if fault:
            fault(self, call)
            return
        headers, answer = reply(call, call.vectors(), range(len(call.texts)))
        self.answer(200, answer, headers)


def dialect_of(path, body):
    """Of a request, by its path and, where three dialects have the same one, its fields."""
    for end, dialect in (("/info", "tei"), ("/api/embed", "ollama"), ("/v2/embed", "cohere"), ("/embed", "tei")):
        if path.endswith(end):
            return dialect
    if not path.endswith("/embeddings"):
        return None
    if isinstance(body, dict) and "truncation" in body:
        return "voyage"
    return "jina" if isinstance(body, dict) and "embedding_type" in body else "openai"


class FakeProvider:
    def __init__(self):
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.key = None
        self.texts = None
        self.log = []
        self.counts = {}
        self.server = fake_server.Server("127.0.0.1", Handler, self)
        self.other = fake_server.Server("127.0.0.2", Handler, self)
        self.url = self.server.url

    def close(self):
        self.ended.set()
        for server in (self.server, self.other):
            server.close()

    def control(self, order):
        with self.lock:
            self.key = order.get("key", self.key)
            self.texts = order.get("texts", self.texts)
            if order.get("clear"):
                self.log, self.counts = [], {}
        return {}

    def begin(self, record):
        """Notes a request; (path without the fault's part, the fault or None)."""
        found = re.match(r"/fault/([\w-]+)(?::(\d*))?(?::[^/]*)?(?=/)", record["path"])
        with self.lock:
            self.log.append(record)
            if not found:
                return record["path"], None
            path = record["path"][found.end():]
            if path.endswith("/info"):
                return path, None
            number = self.counts[found[0]] = self.counts.get(found[0], 0) + 1
            if found[2] and number > int(found[2]):
                return path, None
            record["fault"] = found[1]
            return path, FAULTS[found[1]]


def main():
    provider = FakeProvider()
    print(json.dumps({"url": provider.url, "other": provider.other.url}), flush=True)
    sys.stdin.read()
    provider.close()


if __name__ == "__main__":
    main()
