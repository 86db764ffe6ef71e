#!/usr/bin/env python3
"""Runs the container's program in a chroot with its files alone, as the container's user: docker/check.py ROOTFS

Root only. Embeds a text over HTTP, with and without the key, compares the vector with that of the command line, and ends
the server as a container's engine does."""

import base64
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time
import urllib.error
import urllib.request

NOBODY = 65534
PORT = 18080
TEXT = "The cat sleeps."
# For a start, a reply and the end, in seconds.
PATIENCE = 60


def start(rootfs, *arguments, **options):
    def enter():
        os.chroot(rootfs)
        os.chdir("/")
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)

    environment = {"THIMBLE_HOME": "/models", "THIMBLE_API_KEYS": "secret"}
    return subprocess.Popen(["/thimble", *arguments], preexec_fn=enter, env=environment, **options)


def call(path, body=None, key="secret"):
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", method="POST" if body else "GET",
                                     data=json.dumps(body).encode() if body else None,
                                     headers={"authorization": "Bearer " + key, "content-type": "application/json"})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE) as reply:
        return json.load(reply)


def main():
    rootfs = sys.argv[1]
    # What the image's CMD says, on a port of this check's own.
    command = re.search(r'^CMD (.*)$', open(os.path.dirname(__file__) + "/Containerfile").read(), re.MULTILINE)[1]
    arguments = [argument.replace("8080", str(PORT)) for argument in json.loads(command)]
    server = start(rootfs, *arguments, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                call("/v1/models")
                break
            except OSError as error:
                if server.poll() is not None:
                    sys.exit(f"check: the server ended with {server.returncode}")
                if time.monotonic() > until:
                    sys.exit(f"check: no reply within {PATIENCE} s: {error}")
                time.sleep(0.05)
        reply = call("/v1/embeddings",
                     {"model": "all-MiniLM-L6-v2", "input": TEXT, "encoding_format": "base64"})
        data = base64.b64decode(reply["data"][0]["embedding"])
        served = struct.unpack(f"<{len(data) // 4}f", data)
        embed = start(rootfs, "embed", "-m", "all-MiniLM-L6-v2", "--format", "f32", TEXT, stdout=subprocess.PIPE)
        output, _ = embed.communicate(timeout=PATIENCE)
        if output != data:
            sys.exit(f"check: the server's vector {served[:3]} differs from the command line's")
        try:
            call("/v1/models", key="wrong")
            sys.exit("check: a wrong key was accepted")
        except urllib.error.HTTPError as error:
            if error.code != 401:
                sys.exit(f"check: a wrong key: status {error.code}, expected 401")
        server.send_signal(signal.SIGTERM)
        if server.wait(timeout=PATIENCE) != 0:
            sys.exit(f"check: SIGTERM ended the server with {server.returncode}, expected 0")
    finally:
        server.kill()
    print(f"check: {len(served)} values, as those of the command line; a wrong key refused; ended with 0")


if __name__ == "__main__":
    main()
