"""A proxy in front of the server, which serves the page in a folder of its own site."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

__all__ = ["in_a_folder"]

_HOP = {"connection", "transfer-encoding", "keep-alive"}


@contextmanager
def in_a_folder(address: str, folder: str) -> Iterator[tuple[str, list[str]]]:
    """Serve what is at an address in a folder of another port.

    Yields:
        The folder's address, and the paths of all requests outside of the folder.
    """
    target, strays = urlsplit(address).netloc, []

    class Proxy(BaseHTTPRequestHandler):
        def forward(self) -> None:
            if not self.path.startswith(f"{folder}/"):
                strays.append(self.path)
                self.send_error(404)
                return
            size = int(self.headers.get("Content-Length") or 0)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
            line = http.client.HTTPConnection(target, timeout=60)
            # Like nginx without further settings, it names the server it asks, not itself.
            line.request(
                self.command,
                self.path.removeprefix(folder),
                self.rfile.read(size),
                {**headers, "Host": target},
            )
            answer = line.getresponse()
            self.send_response_only(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in _HOP:
                    self.send_header(name, value)
            self.end_headers()
            try:
                while part := answer.read1(65536):
                    self.wfile.write(part)
            except ConnectionError:
                pass  # the browser has what it wants
            finally:
                line.close()

        do_GET = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass  # a browser that closes a connection

    with Server(("127.0.0.1", 0), Proxy) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}{folder}/", strays
        finally:
            server.shutdown()
            thread.join()
