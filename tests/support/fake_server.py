"""What the servers on loopback of the tests share: each serves from a thread of its own until it is closed."""

import http.server
import threading


class Server(http.server.ThreadingHTTPServer):
    """Serves at `url`, on a free port of the host. A handler finds `owner` at its `server`."""
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host, handler, owner):
        self.owner = owner
        super().__init__((host, 0), handler)
        self.url = f"http://{host}:{self.server_port}"
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def handle_error(self, request, client_address):
        """Clients that go away are part of the tests."""

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass
