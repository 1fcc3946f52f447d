"""Servers of buckets on this machine: moto's, and ones that are faulty in front of it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

__all__ = [
    "KEY",
    "Application",
    "Storage",
    "answering",
    "copy_objects",
    "make_store",
    "serve",
    "without_headers",
]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
KEY = "not-for-your-eyes"
"""The secret key, which no message may show."""


@dataclass(frozen=True)
class Storage:
    """A running server of buckets, and a client of it."""

    address: str
    application: Application
    client: Any

    @property
    def options(self) -> dict[str, str]:
        """What names this server in storage options, whatever the environment says."""
        return {
            "endpoint": self.address,
            "region": "us-east-1",
            "access_key_id": "anything",
            "secret_access_key": KEY,
        }

    def bucket(self, name: str) -> str:
        """Create a bucket named after a test, and return its name."""
        name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        name = name if len(name) < 60 else f"{name[:50].strip('-')}-{zlib.crc32(name.encode())}"
        self.client.create_bucket(Bucket=name)
        return name

    def objects(self, bucket: str, pattern: str = "") -> list[str]:
        """Return the names that contain a pattern, in order."""
        listed = self.client.list_objects_v2(Bucket=bucket).get("Contents", [])
        return sorted(each["Key"] for each in listed if re.search(pattern, each["Key"]))


def make_store() -> Application:
    """Make moto's S3.

    Its `DomainDispatcherApplication`, which serves all of AWS, lists the services' modules for each request,
    and that takes as long as the answer.
    """
    from moto.server import create_backend_app

    made: Application = create_backend_app("s3")
    return made


def copy_objects(client: Any, source: str, target: str) -> None:
    """Copy everything from one bucket to another, in less time than it takes to write an index."""
    for each in client.list_objects_v2(Bucket=source)["Contents"]:
        key = each["Key"]
        client.copy_object(Bucket=target, Key=key, CopySource={"Bucket": source, "Key": key})


@contextmanager
def serve(application: Application) -> Iterator[str]:
    """Serve an application on this machine; yield its address."""

    class Silent(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            pass

    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Silent)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def without_headers(application: Application, *names: str) -> Application:
    """A store that ignores some headers, such as `If-Match`."""
    keys = [f"HTTP_{name.upper().replace('-', '_')}" for name in names]

    def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        return application({key: value for key, value in environ.items() if key not in keys}, start)

    return call


def answering(status: str, code: str, *, method: str = "") -> Callable[[Application], Application]:
    """A store that answers requests, or only those of a method, with an error."""

    def wrap(application: Application) -> Application:
        def call(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            if method and environ["REQUEST_METHOD"] != method:
                return application(environ, start)
            start(status, [("Content-Type", "application/xml")])
            # As Amazon does, repeat what was sent.
            key = f"<StringToSign>{KEY}</StringToSign><Token>{KEY}</Token>"
            return [f"<Error><Code>{code}</Code><Message>Your {KEY} is bad</Message>{key}</Error>".encode()]

        return call

    return wrap
