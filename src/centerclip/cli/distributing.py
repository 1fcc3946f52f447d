"""`--ray` and `--shard`: indexing on several machines."""

from __future__ import annotations

import atexit
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import typer

from centerclip.cli.formats import count
from centerclip.cli.output import note
from centerclip.cli.progress import waiting
from centerclip.errors import ClusterError

if TYPE_CHECKING:
    from centerclip.embedding import VideoEncoder
    from centerclip.indexing import Encoder

__all__ = ["LastWords", "encoding_on", "parse_shard"]

_LISTENER = "import sys; sys.stdin.read() or sys.stderr.write(sys.argv[1])"
_LAST_WORDS = (
    "error: the run was ended from outside: by a signal, or by Ray because its cluster is lost. What was "
    "reported is kept; run the same command to continue\n"
)


def parse_shard(
    text: str | None, ctx: typer.Context, *, apart_from: Mapping[str, bool]
) -> tuple[int, int] | None:
    """Parse `--shard`.

    Args:
        text: such as 2/8.
        ctx: for errors.
        apart_from: options that it excludes, and whether each was given.

    Raises:
        BadParameter: it isn't of this form, or can't be combined.
    """
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    numbers = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= numbers[0] <= numbers[1]:
        raise typer.BadParameter(
            f"{text!r} is not the number of a part and how many there are, such as 1/4",
            ctx,
            param_hint="--shard",
        )
    for name, given in apart_from.items():
        if given:
            raise typer.BadParameter(f"--shard and {name} exclude each other", ctx, param_hint="--shard")
    return numbers


@contextmanager
def encoding_on(address: str | None, encoder: VideoEncoder, workers: int | None) -> Iterator[Encoder]:
    """Give the encoder itself, or one that works on the cluster at an address.

    Raises:
        ClusterError: Ray isn't installed, or the cluster can't be reached.
    """
    if address is None:
        yield encoder
        return
    from centerclip.distributed import Cluster, RayEncoder

    with waiting(f"Connecting to Ray ({address})"):
        cluster = Cluster(address)
    words = LastWords()
    try:
        remote = RayEncoder(encoder, cluster, workers=workers)
        note(f"Encoding on {count(cluster.nodes, 'node')}, {count(remote.slots, 'task')} at a time")
        yield remote
    except ClusterError as error:
        if not cluster.is_lost:
            raise
        note(str(error), lead="error: ", style="red")
        _end_at_once(words)  # before Ray does, which would leave the last words to be said as well
    finally:
        try:
            cluster.close()
        finally:
            if cluster.is_lost:
                atexit.register(_end_at_once, words)
            else:
                words.unsay()


class LastWords:
    """What is printed on stderr if the program ends without calling `unsay`.

    Ray ends a program whose cluster is lost from a thread of its own, so another process has to say so.
    """

    def __init__(self) -> None:
        self._listener = subprocess.Popen(
            [sys.executable, "-ISc", _LISTENER, _LAST_WORDS],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C isn't for it
        )

    def unsay(self) -> None:
        """Say nothing."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._listener.communicate(b".", timeout=5)


def _end_at_once(words: LastWords) -> None:
    """End with an error, since what Ray does at the end of a process crashes without its cluster."""
    words.unsay()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
