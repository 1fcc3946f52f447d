"""`Address`: the place of a video that isn't a local file, usable where a path is."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from centerclip.errors import VideoError

__all__ = [
    "Address",
    "Status",
    "absolute",
    "as_place",
    "is_address",
    "may_exist",
    "parse_place",
    "request_url",
]

_WRITTEN = re.compile(r"(s3|gs|az|https?)://", re.IGNORECASE)
_SHORTENED = re.compile(r"(s3|gs|az|https?):[/\\]")
"""As a path of the system holds it: with one separator."""
_OTHER = re.compile(r"([a-z][a-z0-9+.-]+)://", re.IGNORECASE)
_SECRET = re.compile(
    r"x-(amz|goog|oss|cos|ms)-|(aws|google)?accesskeyid|.*(signature|token|secret|passw|api.?key|credential)"
    r"|.*(?<!as)(?<!de)(?<!re)sign(?!al|if|up|in)|sig$|auth(?!ors?$)|expires$|policy$|key-pair-id$"
    r"|s[eprtv]$|sks|skv|ske|skt|skoid|sktid|spr$",
    re.IGNORECASE,
)
"""Query parameters that grant access or limit it in time: those of signed addresses, and what looks alike."""
if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())  # which of the two this system has
_requested: dict[str, str] = {}
"""Addresses with what was removed from them, which is never written anywhere."""


@dataclass(frozen=True, slots=True)
class Status:
    """What a store says about an object; `tag` is its ETag without quotes, "" if it has none."""

    size_bytes: int
    modified_seconds: float
    tag: str

    @property
    def version(self) -> float:
        """The time of modification in whole seconds; the fraction stands for the tag.

        With the size it tells versions apart like a file's time does, also if they are of the same second.
        """
        seconds = float(int(self.modified_seconds))
        if not self.tag:
            return seconds
        mark = int.from_bytes(blake2b(self.tag.encode(), digest_size=3).digest()) >> 4
        return seconds + (mark + 1) / (1 << 21)  # exact in a float64


class Address(_Path):
    """An address as a path, so that it has a name, a suffix and parents, and can be looked at and opened.

    Written in one way only: without credentials, see `parse_place`. What a listing said, or the first look,
    is remembered with the object; make another to look again.
    """

    status_known: Status | None = None

    def __str__(self) -> str:
        text: str = super().__str__()
        if not _SHORTENED.match(text):
            return text  # a part of an address, relative to another
        return text.replace(os.sep, "/").replace(":/", "://", 1)

    def __fspath__(self) -> str:
        return str(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return Address, (str(self),)

    @property
    def scheme(self) -> str:
        return str(self).partition(":")[0]

    @property
    def container(self) -> str:
        """The bucket, or the web server with its port."""
        return str(self.parts[1]) if len(self.parts) > 1 else ""

    @property
    def key(self) -> str:
        """What follows the container: `videos/a.mp4`."""
        return "/".join(self.parts[2:])

    @property
    def listable(self) -> bool:
        """Whether what is below it can be listed: web servers have no common way."""
        return self.scheme not in {"http", "https"}

    @property
    def suffix(self) -> str:
        name = self.name if self.listable else self.name.partition("?")[0]
        return os.path.splitext(name)[1]

    @property
    def stem(self) -> str:
        name = self.name if self.listable else unquote(self.name.partition("?")[0])
        return os.path.splitext(name)[0]

    def absolute(self) -> Address:
        return self

    def status(self) -> Status:
        """Look at what is there; raises `OSError`, and `FileNotFoundError` only if the store says so."""
        if self.status_known is None:
            from centerclip.remote.access import current

            self.status_known = current().status(self)
        return self.status_known

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Return the size and time of a file, see `status`."""
        status = self.status()
        size, time = status.size_bytes, status.version
        whole = int(time)
        mode = stat.S_IFREG | 0o444
        return os.stat_result((mode, 0, 0, 1, 0, 0, size, whole, whole, whole, time, time, time))

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> BinaryIO:  # type: ignore[override]
        """Open the object for reading bytes; what is read is fetched in blocks."""
        if mode != "rb":
            raise ValueError(f"{self}: can only be read, in mode rb")
        from centerclip.remote.access import current
        from centerclip.remote.blocks import RangeFile

        return RangeFile(current().blocks(self), self.name)  # type: ignore[return-value]


def is_address(path: object) -> bool:
    """Whether a place is an address."""
    return isinstance(path, Address)


def as_place(text: str | os.PathLike[str]) -> Path:
    """Return what is stored of a place, or what a program names, as a path or as an `Address`."""
    if isinstance(text, Path):
        return text
    text = os.fspath(text)
    return Address(text) if "://" in text and _WRITTEN.match(text) else Path(text)


def absolute(path: str | os.PathLike[str]) -> Path:
    """Return a place independent of the working folder; an address is."""
    place = as_place(path)
    return place if isinstance(place, Address) else Path(os.path.abspath(place))


def parse_place(text: str | os.PathLike[str]) -> Path:
    """Read a place that a person gave: a path, or an address, which is written in the one way it is stored.

    Names of hosts become lower case, and default ports, fragments, user names, passwords and parameters that
    grant access are removed. This process goes on to use them.

    Raises:
        VideoError: it is an address of an unknown kind, or has empty parts.
    """
    text = os.fspath(text)
    if not _WRITTEN.match(text):
        if (other := _OTHER.match(text)) and other[1].lower() != "file":
            raise VideoError(
                f"{_without_password(text)}: can't be read: an address begins with s3://, gs://, az://, "
                "http:// or https://"
            )
        return Path(text.removeprefix("file://")) if other else as_place(text)
    scheme, _, rest = text.partition("://")
    scheme = scheme.lower()
    written = f"{scheme}://{rest.rstrip('/')}" if scheme[:4] != "http" else _web_address(text)
    _, *parts = written.partition("://")[2].split("/")
    if not written.partition("://")[2] or {"", ".", ".."} & set(parts):
        raise VideoError(f"{written}: has an empty part, or one of dots, so it can't be told from others")
    if scheme[:4] == "http" and written != text:
        _requested[written] = text
    return Address(written)


def request_url(address: Address) -> str:
    """Return what to request for a web address: as it was given to this process, or else as it is stored."""
    return _requested.get(str(address), str(address))


def may_exist(path: Path) -> bool:
    """Whether a file is there. An address counts as there, because looking takes a request."""
    return is_address(path) or os.path.exists(path)


def _web_address(text: str) -> str:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise VideoError(f"{_without_password(text)}: isn't a web address ({error})") from None
    if not host:
        raise VideoError(f"{_without_password(text)}: names no host")
    if parts.path.endswith("/") or not parts.path:
        raise VideoError(f"{_without_password(text)}: a web server's folder can't be listed: name its files")
    host = f"[{host}]" if ":" in host else host
    if port not in {None, 80 if parts.scheme.lower() == "http" else 443}:
        host = f"{host}:{port}"
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
    kept = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _SECRET.match(pair[0])]
    return urlunsplit((parts.scheme.lower(), host, path, urlencode(kept), ""))


def _without_password(text: str) -> str:
    return re.sub(r"://[^/@]*@", "://", text).partition("?")[0]
