"""What a Ray worker runs: encode a shard of files, and say at least every few seconds how far it is.

Imports nothing heavy at first, so that a node answers soon.
"""

from __future__ import annotations

import os
import queue
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

from centerclip.distributed.recipe import Recipe, differences, node_name, versions_of
from centerclip.errors import CenterCLIPError, ClusterError
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.remote import as_place

__all__ = ["Refusal", "Step", "encode_shard"]

HEARTBEAT_SECONDS = 2.0
"""How often a task answers, with whatever was encoded meanwhile, also nothing."""
_STEP_RESULTS = 16
"""So many results are a step at once."""

_ENCODERS: dict[str, Any] = {}
"""The encoder that this process made last, by the address of its recipe: a process runs many tasks."""


@dataclass(slots=True)
class Step:
    """What a task has encoded since its last step, and whether it has its encoder by now."""

    ready: bool = False
    results: list[EncodedVideo | Failed] = field(default_factory=list)
    windows: list[tuple[VideoInfo, Window]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node can't do the work at all, in words for the owner of the cluster."""

    reason: str


def encode_shard(
    files: Sequence[tuple[str, int | None]], recipe: Sequence[Any], versions: Mapping[str, str], backend: str
) -> Iterator[Step | Refusal]:
    """Encode files.

    Args:
        files: the path of each, and its size in bytes as the driver sees it; None if it can't see it, or if
            it is at an address.
        recipe: holds a reference to a `Recipe`, so that versions are compared before it is loaded.
        versions: the driver's, which this node has to have as well.
        backend: of the encoder.

    Yields:
        One result per file in the end, in no particular order. The first step is empty.
    """
    if different := differences(versions, versions_of(backend)):
        yield Refusal(f"the node {node_name()} has {different}. Install the driver's versions on all nodes")
        return
    yield Step()
    here: list[Item] = []
    step = Step()
    for name, size_bytes in files:
        path = as_place(name)
        if reason := _unlike(path, size_bytes):
            step.results.append(Failed(path, reason))
        else:
            here.append(Item(path))
    if step.results:
        yield step
    if here:
        yield from _steps(recipe[0], here)


def _unlike(path: Path, size_bytes: int | None) -> str:
    """Say how a file isn't what the driver sees under its name; "" if it is, or if decoding will tell."""
    if size_bytes is None:
        return ""
    try:
        found = os.stat(path).st_size
    except OSError as error:
        what = f"the node {node_name()} can't see it ({error.strerror})"
    else:
        if found == size_bytes:
            return ""
        what = f"on the node {node_name()} it has {found:,} bytes instead of {size_bytes:,}"
    return f"{what}; mount its folder at the same path on all nodes, then add --retry-failed"


def _steps(recipe: Any, items: Sequence[Item]) -> Iterator[Step]:
    """Encode in a thread, and yield what it has done meanwhile in steps."""
    done: queue.Queue[Any] = queue.Queue()
    """Results, the windows of each step, an error, and None at the end."""
    ready, stop = Event(), Event()

    def encode() -> None:
        try:
            encoder = _encoder(recipe)
            ready.set()
            results = encoder.embed(items, ordered=False, on_step=done.put, should_stop=stop.is_set)
            with closing(results):
                for result in results:
                    done.put(result)
            done.put(None)
        except CenterCLIPError as error:
            done.put(ClusterError(f"the node {node_name()} can't do the work: {error}"))
        except BaseException as error:
            done.put(error)

    thread = Thread(target=encode, name="centerclip-encode", daemon=True)
    thread.start()
    try:
        while True:
            step, ends = _gather(done)
            step.ready = ready.is_set()
            yield step
            if ends:
                return
    finally:
        stop.set()
        thread.join()


def _gather(done: queue.Queue[Any]) -> tuple[Step, bool]:
    """Take what is done in a while; return also whether that was the end."""
    step, until = Step(), time.monotonic() + HEARTBEAT_SECONDS
    while len(step.results) < _STEP_RESULTS:
        try:
            found = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if found is None:
            return step, True
        if isinstance(found, BaseException):
            raise found
        if isinstance(found, EncodedVideo | Failed):
            step.results.append(found)
        else:
            step.windows += found
    return step, False


def _encoder(recipe: Any) -> Any:
    """Return the encoder that a reference to a recipe stands for."""
    import ray

    key = recipe.hex()
    if key not in _ENCODERS:
        _ENCODERS.clear()
        try:
            made: Recipe = ray.get(recipe)
        except ray.exceptions.RaySystemError as error:  # an object can't be made again
            reason = str(error).strip().splitlines()[0]
            raise ClusterError(
                f"it can't load the model ({reason}); install what the model is made of on all nodes"
            ) from error
        _ENCODERS[key] = made.encoder()
    return _ENCODERS[key]
