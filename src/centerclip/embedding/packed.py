"""Frames of data set items in a Lance table, on disk or in object storage, so that videos needn't be there.

A table has a row per video: its id, its number of frames, and their pixels. The same frames are read as from
a cache (`embedding.frames`), so a run on a table equals a run with a cache bit for bit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from centerclip.embedding.frames import FileFrames, spread
from centerclip.errors import ConfigError, VideoError
from centerclip.index.sql import reason_of
from centerclip.preprocessing import Preprocessing
from centerclip.records import Item

__all__ = ["PackedFrames", "pack_frames"]

_ABOUT = b"centerclip"
_SCHEMA = pa.schema([("id", pa.string()), ("count", pa.int32()), ("frames", pa.large_binary())])
_BATCH_BYTES = 64 * 2**20
"""Bytes of frames per write. Each write makes a file and a version."""


class PackedFrames:
    """The frames of a table, a `FrameSource`; safe to use from several threads.

    Videos are found by their ids in the data set. Each read is one request for the whole row.

    Args:
        place: of the table: a folder, or an address such as `s3://bucket/frames.lance`, whose keys and
            endpoint are read from the usual variables (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT` and others).

    Raises:
        ConfigError: there is no such table.
    """

    def __init__(self, place: str) -> None:
        table = _open(place)
        if table is None:
            raise ConfigError(f"no table of frames at {place}: write one with centerclip pack")
        about = (table.schema.metadata or {}).get(_ABOUT)
        if about is None:
            raise ConfigError(f"{place} is not a table of frames: write one with centerclip pack")
        self._place, self._table = place, table
        self._about = json.loads(about)
        found = table.search().select(["id", "count"]).with_row_id(True).limit(table.count_rows()).to_arrow()
        ids, counts, rows = (found[name].to_pylist() for name in ("id", "count", "_rowid"))
        self._rows = dict(zip(ids, zip(rows, counts, strict=True), strict=True))

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the videos in the table."""
        return frozenset(self._rows)

    @property
    def kept(self) -> int:
        """Maximum number of frames per video."""
        kept: int = self._about["kept"]
        return kept

    def check(self, preprocessing: Preprocessing, frames: int) -> None:
        """Check that a model can use the frames.

        Raises:
            ConfigError: they were resized for another model, or are fewer than `frames`.
        """
        ours, needed = self._about["preprocessing"], _describe(preprocessing, self.kept)["preprocessing"]
        if ours != needed or self.kept < frames:
            raise ConfigError(
                f"{self._place} has {self.kept} frames per video for {ours}, but {frames} are needed for "
                f"{needed}: pack them again, into another table"
            )

    def read(self, item: Item, frames: int, rng: np.random.Generator | None = None) -> Tensor:
        """See `FrameSource.read`; chooses from the kept frames."""
        if item.id not in self._rows:
            raise VideoError(f"{item.id} is not in {self._place}: add it with centerclip pack")
        row, count = self._rows[item.id]
        with _reaching(self._place):
            found = self._table.take_row_ids([row]).select(["frames"]).to_arrow()
        pixels = np.frombuffer(found["frames"][0].as_buffer(), np.uint8)
        pictures = pixels.reshape(count, 3, *self._about["preprocessing"]["image_size"])
        return torch.from_numpy(pictures[spread(count, frames, rng)])


def pack_frames(
    place: str,
    items: Sequence[Item],
    preprocessing: Preprocessing,
    *,
    kept: int,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Add items' frames to a table, which is made if necessary. Items that it has are skipped.

    So an interrupted call can be repeated. Only one process may write at a time.

    Args:
        place: as in `PackedFrames`.
        items: with unique ids; the same id is the same video.
        preprocessing: of the model.
        kept: frames per video.
        workers: threads that decode.
        progress: called with (videos done, videos in total).

    Returns:
        The number of added videos.

    Raises:
        VideoError: a file can't be decoded; the ones before it were added.
        ConfigError: the table is for another model or number of frames, or can't be made.
    """
    schema = _SCHEMA.with_metadata({_ABOUT: json.dumps(_describe(preprocessing, kept)).encode()})
    table = _open(place)
    if table is None:
        folder, name = _split(place)
        with _reaching(place):
            table = lancedb.connect(folder).create_table(name, schema=schema)
    else:
        packed = PackedFrames(place)
        packed.check(preprocessing, kept)
        if packed.kept != kept:
            raise ConfigError(
                f"{place} has {packed.kept} frames per video, not {kept}: choose another table, or as many"
            )
        items = [item for item in items if item.id not in packed.ids]
    files = FileFrames(preprocessing)
    size = kept * 3 * preprocessing.image_size[0] * preprocessing.image_size[1]
    step, done = max(1, _BATCH_BYTES // size), 0
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        for start in range(0, len(items), step):
            batch, rows = items[start : start + step], []
            try:
                for item, frames in zip(batch, pool.map(lambda i: files.read(i, kept), batch), strict=True):
                    pixels = frames.numpy().tobytes()
                    rows.append({"id": item.id, "count": len(frames), "frames": pixels})
                    done += 1
                    if progress is not None:
                        progress(done, len(items))
            finally:  # keep what was decoded before an error
                if rows:
                    with _reaching(place):
                        table.add(pa.Table.from_pylist(rows, schema=schema))
    return done


def _describe(preprocessing: Preprocessing, kept: int) -> dict[str, Any]:
    # Through JSON, so that tuples and lists compare equal.
    described: dict[str, Any] = json.loads(json.dumps({"kept": kept, "preprocessing": asdict(preprocessing)}))
    return described


def _split(place: str) -> tuple[str, str]:
    """Split the address of a table into its folder and its name; Lance adds the ending."""
    folder, _, name = place.rstrip("/").rpartition("/")
    if not name.removesuffix(".lance") or not place.endswith(".lance"):
        raise ConfigError(f"{place} is no address of a table: it must end with .lance, as in frames.lance")
    return folder or ".", name.removesuffix(".lance")


def _open(place: str) -> Any:
    """Open a table, or return None if there is none."""
    folder, name = _split(place)
    if "://" not in place and not Path(place).exists():
        return None  # connecting would make the folder
    with _reaching(place):
        try:
            return lancedb.connect(folder).open_table(name)
        except ValueError as error:
            if "was not found" in str(error):
                return None
            raise


@contextmanager
def _reaching(place: str) -> Iterator[None]:
    """Turn errors of Lance into a `ConfigError`."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:  # the three kinds lancedb raises
        told = re.search("<Message>(.*?)</Message>", str(error))  # by an object store
        reason = told[1] if told else reason_of(error)
        raise ConfigError(
            f"the table {place} can't be used ({reason}): check its address, and for object storage "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and AWS_ENDPOINT"
        ) from error
