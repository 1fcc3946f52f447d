"""The settings of the web application: where it listens, who may use it, and its limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import platformdirs

from centerclip.errors import ConfigError

__all__ = ["ServerSettings"]

_MEBIBYTE = 1 << 20
_SHORTEST_TOKEN = 16


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """How to run the web application.

    Attributes:
        host: the address to listen on.
        port: 0 takes a free one.
        token: visitors must present it; None admits everybody, on a loopback address only.
        folders: what `POST /api/index` indexes, and what visitors see paths relative to. If there are none,
            the folders that were indexed before.
        watch: whether to index changes in the folders by itself.
        poll_seconds: with `watch`, the interval at which to look; None to wait for the system's events. A
            copy of an index in object storage looks for a new version at this interval, every 2 seconds for
            None.
        replica: whether to only read: there are no index jobs.
        drain_seconds: how long to go on as before when the system asks the server to stop (SIGTERM), except
            that it says that it isn't ready, so that a proxy can choose another server.
        cache_folder: for the excerpts made for browsers. If None, a folder for this index in the platform's
            cache folder.
        max_upload_bytes, max_query_length, max_hits: limits on what a request may ask for.
        waiting: maximum number of searches that wait for a thread; beyond it, requests are turned away.
        search_seconds: time limit of a search.
        upload_seconds: time limit for receiving an upload.
        excerpt_seconds: time limit for making an excerpt, clip or picture, and for a search by an upload.
        max_clip_seconds: how long a clip may be.
        max_export_moments, max_export_seconds: how many moments may be exported at once, and how long all
            of them may be.
        head_seconds: time limit for receiving a request's head.
        stall_seconds: how long a client may read nothing of its answer.
        max_connections: maximum number of connections; None for what the process's file handles allow.
        excerpt_cache_bytes: maximum total size of the excerpts and clips on disk.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    folders: tuple[Path, ...] = ()
    watch: bool = False
    poll_seconds: float | None = None
    replica: bool = False
    drain_seconds: float = 0.0
    cache_folder: Path | None = None
    max_upload_bytes: int = 32 * _MEBIBYTE
    max_query_length: int = 500
    max_hits: int = 240
    waiting: int = 256
    search_seconds: float = 20.0
    upload_seconds: float = 30.0
    excerpt_seconds: float = 60.0
    max_clip_seconds: float = 300.0
    max_export_moments: int = 100
    max_export_seconds: float = 1200.0
    head_seconds: float = 10.0
    stall_seconds: float = 60.0
    max_connections: int | None = None
    excerpt_cache_bytes: int = 1024 * _MEBIBYTE

    def __post_init__(self) -> None:
        if self.replica and (self.watch or self.folders):
            raise ConfigError("a replica only reads: leave out --watch and --folder, or --replica")
        if not self.token and not self.local:
            raise ConfigError(
                f"other machines can reach host {self.host}, so visitors must present a token: set "
                "CENTERCLIP_TOKEN to a secret, or serve on 127.0.0.1"
            )
        if self.token and (len(self.token) < _SHORTEST_TOKEN or not self.token.isascii()):
            raise ConfigError(
                f"the token must have at least {_SHORTEST_TOKEN} characters, all ASCII: "
                "`openssl rand -hex 16` makes one"
            )

    @property
    def local(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def names_paths(self) -> bool:
        """Whether visitors may see where files are: only this machine can connect, and there is no token."""
        return self.local and self.token is None

    def cache_for(self, location: str) -> Path:
        """The cache folder of the index at a location."""
        if self.cache_folder is not None:
            return self.cache_folder
        name = blake2b(location.encode(), digest_size=6).hexdigest()
        return platformdirs.user_cache_path("centerclip", appauthor=False) / f"serve-{name}"
