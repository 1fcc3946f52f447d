"""How this process reaches objects: over the network, or in a worker by asking its parent.

Looks at objects, lists them and reads them. What goes wrong is an `OSError` whose `strerror` says what, in
words for the owner of the index: `FileNotFoundError` only if the store says that the object isn't there,
`ChangedError` if it isn't the one that was looked at.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from threading import Lock
from typing import Protocol

from centerclip.remote.address import Address, Status
from centerclip.remote.blocks import Blocks

__all__ = ["Access", "ChangedError", "NoRangesError", "Source", "current", "source_of", "use"]

_KEPT = 4
"""Objects whose blocks are kept."""


class ChangedError(OSError):
    """The object isn't the one that was looked at."""

    def __init__(self) -> None:
        super().__init__(116, "it was changed meanwhile; run the command again")


class NoRangesError(OSError):
    """The server sends whole files only."""

    def __init__(self) -> None:
        super().__init__(
            95, "its server sends whole files only, not ranges of bytes: it can be indexed, but not played"
        )


class Source(Protocol):
    """A kind of store."""

    def status(self, address: Address) -> Status:
        """Look at an object."""

    def read(self, address: Address, status: Status, start: int, length: int) -> bytes:
        """Return a range of the object that was looked at; raises `NoRangesError` if it can't be had."""

    def whole(self, address: Address, status: Status) -> Iterator[bytes]:
        """Yield the whole object that was looked at, in pieces."""

    def below(self, address: Address) -> Iterator[Address]:
        """Yield the objects below an address in order; they know their status."""


class Access(Protocol):
    """What an `Address` needs."""

    def status(self, address: Address) -> Status:
        """Look at an object."""

    def blocks(self, address: Address) -> Blocks:
        """Return an object's bytes."""


class _Network:
    """Access of a process that may use the network."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, Status], Blocks] = OrderedDict()

    def status(self, address: Address) -> Status:
        return source_of(address).status(address)

    def blocks(self, address: Address) -> Blocks:
        status = address.status()
        key = str(address), status
        with self._lock:
            if key not in self._kept:
                source = source_of(address)

                def fetch(start: int, length: int) -> bytes:
                    return source.read(address, status, start, length)

                self._kept[key] = Blocks(status.size_bytes, fetch)
                if len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(key)
            return self._kept[key]


_used: list[Access] = [_Network()]


def current() -> Access:
    """Return how this process reaches objects."""
    return _used[-1]


def use(access: Access) -> None:
    """Reach objects in another way from now on."""
    _used[:] = [access]


def source_of(address: Address) -> Source:
    """Return the store of an address."""
    if address.listable:
        from centerclip.remote.buckets import BUCKETS

        return BUCKETS
    from centerclip.remote.web import WEB

    return WEB
