"""Files on web servers, by the package httpx.

A server may redirect, but neither to another host in a private network nor from https to http: otherwise
whoever controls a public address could make this machine read from servers that only it can reach.
"""

from __future__ import annotations

import ipaddress
import netrc
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from threading import Lock
from time import monotonic, sleep
from typing import Any, TypeVar
from urllib.request import getproxies

from centerclip.remote.access import ChangedError, NoRangesError
from centerclip.remote.address import Address, Status, request_url

__all__ = ["WEB", "Web"]

_T = TypeVar("_T")
_TRIES = 4
BACKOFF_SECONDS = 0.5
_SECONDS = 30.0
_REDIRECTS = 5
_SLOWEST = 10_000
"""Bytes per second. A server that sends less, after `_SECONDS`, is given up."""
_ODD = frozenset({400, 403, 405, 501})
"""How servers answer HEAD that know GET only, or whose signature is for GET."""
_SIZE = re.compile(r"\d{1,18}", re.ASCII)
_RANGE = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})", re.ASCII)


class _BusyError(ConnectionError):
    """Worth another try."""

    def __init__(self, reason: str) -> None:
        super().__init__(5, reason)


class Web:
    """See `Source`. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._client: Any = None

    def status(self, address: Address) -> Status:
        def look() -> Status:
            with self._answer("HEAD", address) as answer:
                if answer.status_code not in _ODD and (found := _status(answer)):
                    _check(answer)
                    return found
            with self._answer("GET", address, {"Range": "bytes=0-0"}) as answer:
                _check(answer)
                if found := _status(answer):
                    return found
            raise OSError(5, "its server doesn't say how large it is")

        return _retried(look)

    def read(self, address: Address, status: Status, start: int, length: int) -> bytes:
        def read() -> bytes:
            with self._answer("GET", address, {"Range": f"bytes={start}-{start + length - 1}"}) as answer:
                if answer.status_code == 416:
                    raise ChangedError
                _check(answer)
                _compare(answer, status)
                span = _RANGE.fullmatch(answer.headers.get("content-range", ""))
                whole = answer.status_code == 200 and (start, length) == (0, status.size_bytes)
                if not whole and (answer.status_code != 206 or span is None):
                    raise NoRangesError
                if span and (int(span[1]), int(span[2]) + 1) != (start, start + length):
                    raise OSError(5, "its server sends other ranges than it is asked for")
                data = bytearray()
                for piece in _body(answer):
                    data += piece
                    if len(data) > length:
                        raise OSError(5, "its server sends other ranges than it is asked for")
                if len(data) < length:
                    raise _BusyError("the connection broke off")
                return bytes(data)

        return _retried(read)

    def whole(self, address: Address, status: Status) -> Iterator[bytes]:
        with _translated(), self._answer("GET", address) as answer:
            _check(answer)
            _compare(answer, status)
            yield from _body(answer)

    def below(self, address: Address) -> Iterator[Address]:
        raise NotImplementedError("web servers don't list")

    @contextmanager
    def _answer(self, method: str, address: Address, headers: dict[str, str] | None = None) -> Iterator[Any]:
        """Request an address, and follow redirects within the rules; the body isn't read yet."""
        import httpx

        url = httpx.URL(request_url(address))
        first, auth = url, _auth(url)
        for _ in range(_REDIRECTS + 1):
            request = self._http().build_request(
                method, url, headers={"Accept-Encoding": "identity", **(headers or {})}
            )
            answer = self._http().send(request, stream=True, auth=auth)
            try:
                if url != first and not _may_follow(first, url, answer):
                    raise OSError(5, "its server redirects to a private network")
                if not answer.is_redirect:
                    yield answer
                    return
                target = url.join(answer.headers["location"])
            finally:
                answer.close()
            if target.scheme not in {"http", "https"} or (url.scheme, target.scheme) == ("https", "http"):
                raise OSError(5, f"its server redirects from {url.scheme} to {target.scheme}")
            if not _may_follow(first, target):
                raise OSError(5, "its server redirects to a private network")
            same = (target.host, target.port) == (first.host, first.port)
            url, auth = target, auth if same else None
        raise OSError(5, "its server redirects without end")

    def _http(self) -> Any:
        import httpx

        with self._lock:
            if self._client is None:
                limits = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=20)
                self._client = httpx.Client(
                    timeout=httpx.Timeout(_SECONDS, connect=10.0), limits=limits, follow_redirects=False
                )
            return self._client


WEB = Web()


def _body(answer: Any) -> Iterator[bytes]:
    """Yield what is sent; raises `OSError` if that is so little that it would take for ever."""
    begun, count = monotonic(), 0
    for piece in answer.iter_raw():
        yield piece
        count += len(piece)
        if monotonic() - begun > _SECONDS + count / _SLOWEST:
            raise OSError(5, f"its server sends next to nothing ({count:,} bytes in {_SECONDS:g} seconds)")


def _status(answer: Any) -> Status | None:
    """Return what an answer says about the whole file; None if it doesn't say how large it is."""
    span = _RANGE.fullmatch(answer.headers.get("content-range", ""))
    size = span[3] if span else answer.headers.get("content-length", "")
    if not _SIZE.fullmatch(size) or answer.headers.get("content-encoding", "identity") != "identity":
        return None
    modified = 0.0
    with suppress(KeyError, ValueError, TypeError):
        modified = max(0.0, parsedate_to_datetime(answer.headers["last-modified"]).timestamp())
    with suppress(KeyError):
        return Status(int(size), modified, answer.headers["etag"].removeprefix("W/").strip('"'))
    return Status(int(size), modified, "")


def _check(answer: Any) -> None:
    code = answer.status_code
    if code < 300:
        return
    if code in {404, 410}:
        raise FileNotFoundError(2, "it isn't there")
    if code in {401, 403}:
        raise OSError(
            13, f"its server refuses access ({code}); put a password into ~/.netrc, or sign the address"
        )
    if code == 429 or code >= 500:
        raise _BusyError(f"its server failed ({code})")
    raise OSError(5, f"its server answers {code}")


def _compare(answer: Any, status: Status) -> None:
    """Make sure that an answer is about the file that was looked at."""
    found = _status(answer)
    if found is not None and (found.size_bytes, found.version) != (status.size_bytes, status.version):
        raise ChangedError


def _retried(do: Callable[[], _T]) -> _T:
    """Try several times while a server is busy or the connection breaks."""
    for more in range(_TRIES - 1, -1, -1):
        try:
            with _translated():
                return do()
        except ConnectionError:
            if not more:
                raise
            sleep(BACKOFF_SECONDS * 2 ** (_TRIES - 1 - more))
    raise AssertionError("unreachable")


@contextmanager
def _translated() -> Iterator[None]:
    import httpx

    try:
        yield
    except (httpx.TransportError, httpx.InvalidURL) as error:
        # Its own message may contain the address with its signature, so only the kind is told.
        what = "it takes too long" if isinstance(error, httpx.TimeoutException) else type(error).__name__
        raise ConnectionError(5, f"its server can't be reached ({what})") from None


def _auth(url: Any) -> tuple[str, str] | None:
    """Return the user and password that ~/.netrc has for a host."""
    with suppress(OSError, netrc.NetrcParseError):
        if not url.userinfo and (found := netrc.netrc().authenticators(url.host)):
            return found[0], found[2] or ""
    return None


def _may_follow(first: Any, target: Any, answer: Any = None) -> bool:
    """Whether a redirect may be followed: to the same server, or to a host that is public.

    Args:
        first, target: what was asked for, and where it led.
        answer: of the target, whose connection is looked at, because names may be resolved in another way
            from one moment to the next.
    """
    if (target.host, target.port) == (first.host, first.port):
        return True  # maybe by https instead of http, each at its default port
    if answer is None:
        try:
            found = _look_up(target.host)
        except (OSError, UnicodeError):
            return bool(getproxies())  # a proxy may know the name; nothing else can reach it
        return all(map(_is_public, found))
    if getproxies():
        return True  # the connection is the proxy's
    stream = answer.extensions.get("network_stream")
    peer = stream.get_extra_info("server_addr") if stream is not None else None
    return peer is not None and _is_public(str(peer[0]))


def _look_up(host: str) -> list[str]:
    return [str(each[4][0]) for each in socket.getaddrinfo(host, None)]


def _is_public(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_global)
