"""A Hugging Face hub on loopback, for tests: models from folders, and faults on demand.

Large files are as on the real hub: /resolve/ redirects to another host, here 127.0.0.2, where ranges work.

As a program it serves one folder, prints its address, and then a line of JSON for each request:

    fake_hub.py FOLDER REPOSITORY [BYTES_PER_SECOND]
"""

import dataclasses
import hashlib
import json
import pathlib
import re
import sys
import threading
import time
import typing
import urllib.parse

import fake_server

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LARGE = (".safetensors", ".onnx", ".bin", "_data")


@dataclasses.dataclass
class Request:
    """One that came. `number` counts those of this path, from 1; `sent` are the bytes of the answer's body."""
    host: str
    path: str
    query: str
    headers: dict
    number: int
    method: str = "GET"
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


class Handler(fake_server.Handler):
    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.owner
        path, _, query = self.path.partition("?")
        with hub.lock:
            number = 1 + sum(other.path == path for other in hub.requests)
            request = Request(self.server.server_address[0], path, query,
                              {key.lower(): value for key, value in self.headers.items()}, number, self.command)
            hub.requests.append(request)
        answer = hub.fault(request) or hub.answer(request)
        request.status = answer.status
        body = answer.body if answer.send is None else answer.body[:answer.send]
        self.send_response(answer.status)
        for key, value in answer.headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(answer.body) if answer.length is None else answer.length))
        self.end_headers()
        if self.command == "HEAD":
            body = b""
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
    """`repositories` maps ORGANISATION/NAME to {file: bytes}, which is what main holds. `branches` maps it to more of
    {revision: (commit, {file: bytes})}, main among them when it has moved. Names compare without case, as on the real hub.
    `fault` may answer a request in the hub's place."""

    def __init__(self, repositories, cdn_host="127.0.0.2"):
        self.repositories = repositories
        self.branches = {}
        self.fault = lambda request: None
        self.served = lambda request: None
        self.rate = None
        self.ranges = True
        self.lock = threading.Lock()
        self.requests = []
        self.hub = fake_server.Server("127.0.0.1", Handler, self)
        self.cdn = fake_server.Server(cdn_host, Handler, self)
        self.url = self.hub.url

    def close(self):
        for server in (self.hub, self.cdn):
            server.close()

    def of(self, suffix):
        """The requests whose path ends so."""
        return [request for request in self.requests if request.path.endswith(suffix)]

    def find(self, repository):
        """The name as the hub writes it, or None."""
        return next((name for name in self.repositories if name.lower() == repository.lower()), None)

    def revisions(self, repository):
        files = self.repositories[repository]
        return {"main": (COMMIT, files), "refs/pr/1": (COMMIT, files), **self.branches.get(repository, {})}

    def at(self, repository, revision):
        """(commit, files) of a branch, a tag or a commit, or None."""
        revisions = self.revisions(repository)
        commits = {COMMIT: self.repositories[repository], **{commit: files for commit, files in revisions.values()}}
        return revisions.get(revision) or ((revision, commits[revision]) if revision in commits else None)

    def listing(self, repository, revision="main"):
        commit, files = self.at(repository, revision)
        siblings = []
        for name, data in files.items():
            entry = {"rfilename": name, "size": len(data), "blobId": hashlib.sha1(data).hexdigest()}
            if name.endswith(LARGE):
                entry["lfs"] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        return {"id": repository, "sha": commit, "siblings": siblings, "tags": ["test"], "private": False}

    def tree(self, repository, revision):
        """What huggingface_hub asks for in place of a listing."""
        files = []
        for entry in self.listing(repository, revision)["siblings"]:
            files.append({"type": "file", "oid": entry["blobId"], "size": entry["size"], "path": entry["rfilename"]})
            if "lfs" in entry:
                files[-1]["lfs"] = {"oid": entry["lfs"]["sha256"], "size": entry["size"], "pointerSize": 134}
        return files

    def answer(self, request):
        api = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(?:revision|tree)/([^/]+)", request.path)
        if api:
            repository, revision = self.find(api[1]), urllib.parse.unquote(api[2])
            if repository is None:
                return Answer(401, {"X-Error-Code": "RepoNotFound"}, b'{"error": "Repository not found"}')
            if self.at(repository, revision) is None:
                return Answer(404, {"X-Error-Code": "RevisionNotFound"}, b'{"error": "Invalid rev id"}')
            what = self.tree if "/tree/" in request.path else self.listing
            return Answer(200, {"Content-Type": "application/json"}, json.dumps(what(repository, revision)).encode())
        file = re.fullmatch(r"/(cdn/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", request.path)
        repository = file and self.find(file[2])
        found = repository and self.at(repository, urllib.parse.unquote(file[3]))
        name = file and urllib.parse.unquote(file[4])
        if not found or name not in found[1]:
            return Answer(404, {"X-Error-Code": "EntryNotFound"})
        data = found[1][name]
        if name.endswith(LARGE) and not file[1]:
            return Answer(302, {"Location": self.cdn.url + "/cdn" + request.path, "X-Linked-Size": str(len(data)),
                                "X-Linked-ETag": f'"{hashlib.sha256(data).hexdigest()}"', "X-Repo-Commit": found[0]})
        answer = self.ranged(data, request)
        answer.headers["X-Repo-Commit"] = found[0]
        return answer

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
