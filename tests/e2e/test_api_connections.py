"""Connections that never finish a request must not keep others out: real sockets, slow and half requests."""

from __future__ import annotations

import logging
import resource
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from unittest.mock import Mock

import httpx
import pytest
from serving import Served, serve_library
from uvicorn.protocols.http.h11_impl import H11Protocol

from centerclip.serve.connections import SparseWarnings, StallWatch, connection_limit

HALF = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
UPLOAD = b"POST /api/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
LIMIT = 8
PAGES = 2000
"""Whose answers don't fit into the system's buffers."""


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve_library(tmp_path_factory.mktemp("impatient"), head_seconds=0.3) as served:
        yield served


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server for few connections, which waits for ever."""
    folder = tmp_path_factory.mktemp("small")
    with serve_library(folder, head_seconds=600.0, max_connections=LIMIT) as served:
        yield served


@contextmanager
def connected(address: str | httpx.URL, sent: bytes = b"") -> Iterator[socket.socket]:
    url = httpx.URL(address)
    with socket.create_connection((url.host, url.port or 80), timeout=60) as connection:
        connection.sendall(sent)
        yield connection


def read_all(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    with suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


def drip(connection: socket.socket) -> None:
    """Send a byte now and then until the server closes."""
    for _ in range(1000):
        connection.sendall(b"x")
        with suppress(TimeoutError):
            connection.recv(65536)


def ask(address: str | httpx.URL) -> int:
    return httpx.get(httpx.URL(address).join("/healthz"), timeout=60).status_code


def test_half_requests_are_closed(impatient: Served) -> None:
    with ExitStack() as stack:
        halves = [
            stack.enter_context(connected(impatient.http.base_url, sent)) for sent in (HALF, HALF[:1]) * 10
        ]
        assert ask(impatient.http.base_url) == 200
        for half in halves:
            head, _, body = read_all(half).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 408 ")
            assert b"content-security-policy: " in head
            assert b'"code":"request_too_slow"' in body


def test_a_connection_without_a_request_is_closed_without_an_answer(impatient: Served) -> None:
    with connected(impatient.http.base_url) as silent:
        assert read_all(silent) == b""


def test_sending_slowly_gives_no_more_time(impatient: Served) -> None:
    """Neither in the first request's head, nor in the next one's, nor in a body that nobody reads."""
    unread = WHOLE.replace(b"\r\n\r\n", b"\r\nContent-Length: 999999\r\n\r\n")
    for begin in (HALF, WHOLE + HALF, unread):
        with connected(impatient.http.base_url, begin) as slow:
            slow.settimeout(0.02)
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                drip(slow)


def test_a_connection_may_rest_between_requests(impatient: Served) -> None:
    with connected(impatient.http.base_url, WHOLE) as kept:
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        for _ in range(2):
            with connected(impatient.http.base_url, HALF) as clock:
                read_all(clock)  # takes as long as a head may
        kept.sendall(WHOLE)
        while b"HTTP/1.1 200 OK" not in (answer := kept.recv(65536)):
            assert answer  # the rest of the first one


def test_a_client_that_stops_reading_is_disconnected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
    lose = H11Protocol.connection_lost

    def connection_lost(protocol: H11Protocol, error: Exception | None) -> None:
        lose(protocol, error)
        lost.put(protocol.client)

    monkeypatch.setattr(H11Protocol, "connection_lost", connection_lost)
    page = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with (
        serve_library(tmp_path, stall_seconds=0.1) as served,
        connected(served.http.base_url, page * PAGES) as deaf,
    ):
        while lost.get(timeout=60) != deaf.getsockname():
            pass  # another connection
        assert read_all(deaf).count(b"HTTP/1.1 200 ") < PAGES
        assert ask(served.http.base_url) == 200


@pytest.mark.parametrize(
    ("waiting", "ends"), [((9, 8, 7, 0), False), ((9, 9), True), ((9, 8, 8), True), ((9, 10), True)]
)
def test_only_a_client_that_reads_nothing_is_disconnected(waiting: tuple[int, ...], ends: bool) -> None:
    """Each number is how many bytes wait when the time is up once more."""
    transport, loop = Mock(), Mock()
    watch = StallWatch(transport, loop, seconds=5)
    for place, count in enumerate(waiting):
        transport.get_write_buffer_size = Mock(return_value=count)
        if place == 0:
            watch.start()
        elif count == 0:
            watch.stop()
            loop.call_later.return_value.cancel.assert_called_once()
        else:
            assert not transport.abort.called
            seconds, check, before = loop.call_later.call_args.args
            assert seconds == 5
            check(before)
    assert transport.abort.called == ends


def test_a_request_is_answered_however_many_half_ones_there_are(small: Served) -> None:
    with ExitStack() as stack:
        kept = stack.enter_context(connected(small.http.base_url, WHOLE))
        assert kept.recv(65536).startswith(b"HTTP/1.1 200 ")
        halves = [stack.enter_context(connected(small.http.base_url, HALF)) for _ in range(5 * LIMIT)]
        assert ask(small.http.base_url) == 200
        for half in halves[: 4 * LIMIT]:  # the oldest had to go
            assert read_all(half) == b""
        kept.sendall(WHOLE)  # half requests went first
        assert kept.recv(65536)


def test_when_all_connections_are_at_work_the_next_is_turned_away(small: Served) -> None:
    begun = UPLOAD + b"Expect: 100-continue\r\nContent-Length: 999\r\n\r\n"
    with ExitStack() as stack:
        for _ in range(LIMIT):
            busy = stack.enter_context(connected(small.http.base_url, begun))
            assert busy.recv(65536).startswith(b"HTTP/1.1 100 ")  # the application waits for the body
        with connected(small.http.base_url) as late:
            answer = read_all(late)
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"x-content-type-options: nosniff" in answer
    assert ask(small.http.base_url) == 200


SCRIPT = """
import resource, sys
from pathlib import Path
folder, tests = sys.argv[1:]
sys.path.insert(0, tests)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
from centerclip.serve import ServerSettings, create_app
from serving import running, serve_library
with serve_library(Path(folder)) as library:
    pass
for limit in map(int, sys.stdin):
    settings = ServerSettings(
        port=0, cache_folder=Path(folder, "cache"), head_seconds=2.0, max_connections=limit or None
    )
    with running(create_app(library.index, library.encoder, settings), settings) as address:
        print(address, flush=True)
        sys.stdin.readline()
    print("stopped", flush=True)
"""


def test_300_half_requests_at_256_file_handles(tmp_path: Path) -> None:
    """The limit is chosen by the server; or too high, so that handles run out."""
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-u", "-W", "ignore", "-c", SCRIPT, str(tmp_path), tests]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, bufsize=1
        ) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        read = 0
        for limit in (0, 5000):
            server.stdin.write(f"{limit}\n")
            address = server.stdout.readline().strip()
            with ExitStack() as stack:
                halves = [stack.enter_context(connected(address, HALF)) for _ in range(300)]
                assert ask(address) == 200
                for half in halves:
                    read_all(half)  # each is closed at last
            assert httpx.get(f"{address}/api/search?q=a", timeout=60).status_code == 200
            server.stdin.write("stop\n")
            assert server.stdout.readline() == "stopped\n"
            written = (tmp_path / "log").read_text()[read:]
            read += len(written)
            assert len(written) < 20_000, written[:2000]
            assert ("out of system resource" in written) == bool(limit)  # the case that is meant occurred
        server.stdin.close()
        assert server.wait(60) == 0


@pytest.mark.parametrize(
    ("handles", "limit"), [(64, 8), (256, 80), (1024, 464), (10**6, 1000), (resource.RLIM_INFINITY, 1000)]
)
def test_the_limit_leaves_file_handles_for_the_rest(
    handles: int, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (handles, handles))
    assert connection_limit() == limit


def test_repeated_warnings_are_dropped_and_errors_are_not() -> None:
    def record(level: int, text: str) -> logging.LogRecord:
        return logging.LogRecord("asyncio", level, "", 0, text, None, None)

    sparse = SparseWarnings(seconds=600)
    accept = "socket.accept() out of system resource\nsocket: "
    passed = [sparse.filter(record(logging.ERROR, accept + str(number))) for number in range(3)]
    passed += [sparse.filter(record(logging.WARNING, "Invalid HTTP request received.")) for _ in range(2)]
    assert passed == [True, False, False, True, False]
    assert all(sparse.filter(record(logging.ERROR, "Exception in ASGI application")) for _ in range(3))
    always = SparseWarnings(seconds=0)
    assert all(always.filter(record(logging.WARNING, "x")) for _ in range(3))
