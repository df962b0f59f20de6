"""A local server that does what servers on the internet do on bad days."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = hashlib.shake_128(b"content").digest(600_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


@dataclass
class Server:
    """`cut`: bytes after which a reply breaks off, reply by reply; `slow`: seconds per 10 kB."""

    port: int = 0
    content: bytes = CONTENT
    ranges: bool = True
    status: int = 200
    kind: str = "application/octet-stream"
    location: str = ""
    silent: bool = False
    slow: float = 0.0
    cut: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/file.bin"


@contextlib.contextmanager
def serving(**settings):
    server = Server(**settings)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *words):
            pass

        def do_GET(self):
            with server.lock:
                server.requests.append(self.headers.get("Range", ""))
                limit = server.cut.pop(0) if server.cut else None
            if server.silent:
                time.sleep(20)
                return
            if server.location:
                self.send_response(302)
                self.send_header("Location", server.location)
                self.end_headers()
                return
            if server.status != 200:
                self.send_error(server.status)
                return
            self._reply(limit)

        def _reply(self, limit):
            asked = self.headers.get("Range")
            start = int(asked[len("bytes=") : -1]) if asked and server.ranges else 0
            body = server.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Type", server.kind)
            self.send_header("Content-Length", str(len(body)))
            if start:
                total = len(server.content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.end_headers()
            body = body[:limit]
            step = 10_000 if server.slow else len(body) or 1
            with contextlib.suppress(OSError):
                for first in range(0, len(body), step):
                    self.wfile.write(body[first : first + step])
                    with server.lock:
                        server.sent += len(body[first : first + step])
                    time.sleep(server.slow)

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            pass

    http = Quiet(("127.0.0.1", 0), Handler)
    server.port = http.server_address[1]
    threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
