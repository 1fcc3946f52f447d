"""Opens a file at a moment in mpv or VLC."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from centerclip.errors import ConfigError, VideoError
from centerclip.remote import Address, is_address

__all__ = ["find_player", "play_moment"]

_PLAYERS = ("mpv", "vlc")
_SIGNED_SECONDS = 6 * 3600
_ELSEWHERE = (
    Path("/Applications/VLC.app/Contents/MacOS/VLC"),
    Path(os.environ.get("PROGRAMFILES", r"C:\Program Files"), "VideoLAN", "VLC", "vlc.exe"),
)
"""Where VLC is on macOS and Windows, which don't put it on the PATH."""


def find_player(name: str | None) -> str:
    """Return the path of a player.

    Args:
        name: mpv, vlc or the path of one; None for the first one that is installed.

    Raises:
        ConfigError: it isn't there, or isn't a player that can open a file at a moment.
    """
    if name is not None:
        if _kind(name) is None:
            raise ConfigError(f"{name} is neither mpv nor vlc, which can open a file at a moment")
        found = shutil.which(os.path.expanduser(name)) or next(_installed(name), None)
        if found is None:
            raise ConfigError(f"{name} isn't installed, or isn't on the PATH")
        return found
    for player in _PLAYERS:
        if found := shutil.which(player) or next(_installed(player), None):
            return found
    raise ConfigError("no player found: install mpv or VLC, or name one with --player")


def play_moment(player: str, path: Path, start: float) -> None:
    """Open a file at a moment, and wait until the player is closed.

    Raises:
        VideoError: the file is gone, or the player fails.
    """
    if not (is_address(path) or path.is_file()):
        raise VideoError(f"{path}: was moved or deleted; index its folder again")
    option = "--start" if _kind(player) == "mpv" else "--start-time"
    # Results are on stdout, so what the player says goes to stderr.
    command = [player, f"{option}={start:.3f}", _what(path)]
    code = subprocess.run(command, stdout=sys.stderr.fileno(), check=False).returncode
    if code:
        raise VideoError(f"{path}: {Path(player).name} failed with exit code {code}")


def _what(path: Path) -> str:
    """Return what a player opens: for an object in a bucket, a web address that is valid for a few hours."""
    if not isinstance(path, Address):
        return os.path.abspath(path)
    if not path.listable:
        return str(path)
    from centerclip.remote.buckets import BUCKETS

    try:
        return BUCKETS.sign(path, _SIGNED_SECONDS)
    except OSError as error:
        raise VideoError(f"{path}: can't be played ({error.strerror})") from error


def _kind(player: str) -> str | None:
    stem = Path(player).stem.lower()
    return next((kind for kind in _PLAYERS if stem.startswith(kind)), None)


def _installed(player: str) -> Iterator[str]:
    return (str(path) for path in _ELSEWHERE if player == "vlc" and path.is_file())
