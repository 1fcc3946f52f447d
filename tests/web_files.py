"""A web server of files for tests: it counts the bytes that it sends, and fails as servers do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any


@dataclass
class WebFiles:
    """The server's folder and state.

    Attributes:
        ranges: whether it answers requests for ranges with them.
        head: whether it knows HEAD.
        tags: whether it sends ETags.
        down: it answers every request with 503.
        break_after: the next answer breaks off after so many bytes.
        change_after: a file is written over after so many requests for bytes.
        redirects: where a path redirects to.
        asked: the requests, as method, path and range.
        sent_bytes: of all bodies.
    """

    folder: Path
    url: str = ""
    ranges: bool = True
    head: bool = True
    tags: bool = True
    down: bool = False
    break_after: int | None = None
    change_after: tuple[int, Path] | None = None
    redirects: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    sent_bytes: int = 0

    def address(self, name: str) -> str:
        return f"{self.url}/{name}"


@contextmanager
def web_files(folder: Path) -> Iterator[WebFiles]:
    state = WebFiles(folder)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer(405 if not state.head else 200)

        def do_GET(self) -> None:
            self.answer(200)

        def answer(self, code: int) -> None:
            path, asked = self.path.partition("?")[0], self.headers.get("Range", "")
            state.asked.append((self.command, self.path, asked))
            if state.down or code != 200:
                return self.refuse(503 if state.down else code)
            if path in state.redirects:
                return self.refuse(302, ("Location", state.redirects[path]))
            file = state.folder / path.lstrip("/")
            if not file.is_file():
                return self.refuse(404)
            if state.change_after is not None and self.command == "GET":
                left, changed = state.change_after
                state.change_after = (left - 1, changed) if left else None
                if not left:
                    changed.write_bytes(bytes(reversed(changed.read_bytes())))
            content = file.read_bytes()
            span = re.fullmatch(r"bytes=(\d+)-(\d+)", asked) if state.ranges else None
            start, end = (int(span[1]), min(int(span[2]) + 1, len(content))) if span else (0, len(content))
            self.send_response(206 if span else 200)
            if span:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
            self.send_header("Content-Length", str(end - start))
            if state.tags:
                self.send_header("ETag", f'"{blake2b(content, digest_size=8).hexdigest()}"')
            self.send_header("Last-Modified", formatdate(file.stat().st_mtime, usegmt=True))
            self.end_headers()
            if self.command == "HEAD":
                return None
            body = content[start:end]
            if state.break_after is not None:
                body, state.break_after = body[: state.break_after], None
                self.close_connection = True
            state.sent_bytes += len(body)
            self.wfile.write(body)
            return None

        def refuse(self, code: int, *headers: tuple[str, str]) -> None:
            self.send_response(code)
            for name, value in (*headers, ("Content-Length", "0")):
                self.send_header(name, value)
            self.end_headers()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass  # clients close connections

    with Server(("127.0.0.1", 0), Handler) as server:
        state.url = f"http://127.0.0.1:{server.server_port}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
