"""What may be set about the web application: where it listens, who may come in, and its bounds."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import platformdirs

from centerclip.errors import ConfigError

__all__ = ["Settings"]

_MEBIBYTE = 1 << 20
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class Settings:
    """How to serve.

    Attributes:
        host: the address that is listened on.
        port: 0 lets the system choose.
        token: who comes in must show it; None lets everybody in, on a loopback address only.
        folders: what `POST /api/index` brings up to date; where none is given, the top folders of what
            is indexed. Also what paths are told relative to.
        cache_folder: for clips made for browsers and the state of index jobs; None is a folder of the
            index's own in the platform's place for caches.
        max_upload_bytes, max_query_length, max_hits: bounds on what a request may ask for.
        waiting: requests that may wait for a thread, beyond which they are told to come back later.
        search_seconds, upload_seconds, clip_seconds: how long a search, the arrival of an upload and the
            making of a clip or picture may take.
        clip_cache_bytes: what the clips on the disk may take together.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    folders: tuple[Path, ...] = ()
    cache_folder: Path | None = None
    max_upload_bytes: int = 32 * _MEBIBYTE
    max_query_length: int = 500
    max_hits: int = 240
    waiting: int = 256
    search_seconds: float = 20.0
    upload_seconds: float = 30.0
    clip_seconds: float = 60.0
    clip_cache_bytes: int = 1024 * _MEBIBYTE

    def __post_init__(self) -> None:
        if not self.token and not self.local:
            raise ConfigError(
                f"host {self.host} can be reached by other machines, so visitors must show a token: set "
                "CENTERCLIP_TOKEN to a secret of your own, or serve on 127.0.0.1"
            )
        if self.token and (len(self.token) < _SHORTEST_TOKEN or not self.token.isascii()):
            raise ConfigError(
                f"the token must have at least {_SHORTEST_TOKEN} ASCII characters: "
                "`openssl rand -hex 16` makes one"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the host."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def cache_for(self, location: str) -> Path:
        """The cache folder for the index at a location."""
        if self.cache_folder is not None:
            return self.cache_folder
        name = blake2b(location.encode(), digest_size=6).hexdigest()
        return platformdirs.user_cache_path("centerclip", appauthor=False) / f"serve-{name}"
