"""A Hugging Face hub on loopback, for tests: models from folders, and faults on demand.

Large files are as on the real hub: /resolve/ redirects to another host, here 127.0.0.2, where ranges work.

As a program it serves one folder, prints its address, and then a line of JSON for each request:

    fake_hub.py FOLDER REPOSITORY [BYTES_PER_SECOND]
"""

import dataclasses
import hashlib
import http.server
import json
import pathlib
import re
import sys
import threading
import time
import typing
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".onnx")


@dataclasses.dataclass
class Request:
    """One that came. `number` counts those of this path, from 1; `sent` are the bytes of the answer's body."""
    host: str
    path: str
    query: str
    headers: dict
    number: int
    status: int = 0
    sent: int = 0


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict = dataclasses.field(default_factory=dict)
    body: bytes = b""
    length: typing.Optional[int] = None       # Content-Length where it is to be untrue.
    send: typing.Optional[int] = None         # Bytes of the body after which the connection ends.
    hold: typing.Optional[threading.Event] = None  # What to wait for before it ends.
    rate: typing.Optional[int] = None         # Bytes a second.


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, host, hub):
        self.hub = hub
        super().__init__((host, 0), Handler)
        self.url = f"http://{host}:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        hub = self.server.hub
        path, _, query = self.path.partition("?")
        with hub.lock:
            number = 1 + sum(other.path == path for other in hub.requests)
            request = Request(self.server.server_address[0], path, query,
                              {key.lower(): value for key, value in self.headers.items()}, number)
            hub.requests.append(request)
        answer = hub.fault(request) or hub.answer(request)
        request.status = answer.status
        body = answer.body if answer.send is None else answer.body[:answer.send]
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        step = len(body) if answer.rate is None else max(1, answer.rate // 50)
        for begin in range(0, len(body), max(1, step)):
            piece = body[begin:begin + step]
            self.wfile.write(piece)
            request.sent += len(piece)
            if answer.rate:
                time.sleep(len(piece) / answer.rate)
        if answer.hold:
            answer.hold.wait(60)
        if answer.send is not None or answer.length is not None:
            self.close_connection = True
        hub.served(request)


class FakeHub:
    """`repositories` maps ORGANISATION/NAME to {file: bytes}. `fault` may answer a request in the hub's place."""

    def __init__(self, repositories, cdn_host="127.0.0.2"):
        self.repositories = repositories
        self.fault = lambda request: None
        self.served = lambda request: None
        self.rate = None
        self.ranges = True
        self.lock = threading.Lock()
        self.requests = []
        self.hub = Server("127.0.0.1", self)
        self.cdn = Server(cdn_host, self)
        self.url = self.hub.url

    def close(self):
        for server in (self.hub, self.cdn):
            server.shutdown()
            server.server_close()

    def of(self, suffix):
        """The requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(suffix)]

    def listing(self, repository):
        siblings = []
        for name, data in self.repositories[repository].items():
            entry = {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
            if name.endswith(LARGE):
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {"id": repository, "sha": COMMIT, "siblings": siblings, "tags": ["test"], "private": False}

    def answer(self, request):
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", request.path)
        if api:
            repository, revision = api[1], urllib.parse.unquote(api[2])
            if repository not in self.repositories:
                return Answer(401, {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}')
            if revision not in ("main", "refs/pr/1", COMMIT):
                return Answer(404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}')
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(self.listing(repository)).encode())
        file = re.fullmatch(r"/(cdn/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path)
        if not file or file[3] != COMMIT or file[4] not in self.repositories.get(file[2], {}):
            return Answer(404)
        data = self.repositories[file[2]][file[4]]
        if file[4].endswith(LARGE) and not file[1]:
            return Answer(302, {"Location": self.cdn.url + "/cdn" + request.path, "X-Linked-Size": str(len(data)),
                                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"'})
        return self.ranged(data, request)

    def ranged(self, data, request):
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        wanted = re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", ""))
        if not self.ranges or not wanted or request.headers.get("if-range", etag) != etag:
            return Answer(200, {"ETag": etag}, data, rate=self.rate)
        begin = int(wanted[1])
        if begin >= len(data):
            return Answer(416, {"Content-Range": f"bytes */{len(data)}"})
        return Answer(206, {"ETag": etag, "Content-Range": f"bytes {begin}-{len(data) - 1}/{len(data)}"}, data[begin:],
                      rate=self.rate)


def read_folder(folder):
    folder = pathlib.Path(folder)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main(folder, repository, rate=None):
    hub = FakeHub({repository: read_folder(folder)})
    hub.rate = rate and int(rate)

    def log(request):
        with hub.lock:
            print(json.dumps(dataclasses.asdict(request)), flush=True)
    hub.served = log
    print(hub.url, flush=True)
    sys.stdin.read()  # Until whoever started it ends.


if __name__ == "__main__":
    main(*sys.argv[1:])
