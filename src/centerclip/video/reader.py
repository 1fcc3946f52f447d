"""`VideoReader`: the frames of a file, decoded by a worker process."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Recorded, Sampling, VideoInfo, Window
from centerclip.remote import Address, absolute, as_place
from centerclip.remote.access import current
from centerclip.video.files import content_id
from centerclip.video.process import BUDGET_SECONDS, BUDGET_SECONDS_PER_MEGABYTE, CrashError, Decoders, Worker
from centerclip.video.windows import instants

__all__ = [
    "VideoReader",
    "ask_once",
    "borrowed",
    "find_gpu",
    "named",
    "place",
    "read_recorded",
    "read_still",
    "stop_readers",
]

_SHARED = Decoders()
_T = TypeVar("_T")


def stop_readers() -> None:
    """End the workers of all readers without `decoders` of their own, and of excerpts and pictures.

    Whoever waits for them in another thread gets a `StoppedError`.
    """
    global _SHARED
    stopped, _SHARED = _SHARED, Decoders()
    stopped.stop()


def read_still(path: Path, edge: int) -> NDArray[np.uint8]:
    """Open a picture file of a common format; of an animation, the first picture.

    Args:
        path: the file.
        edge: a picture is reduced while it is read if its sides keep this length.

    Returns:
        [H, W, 3] uint8 RGB, upright by its EXIF orientation, in memory shared with a worker.

    Raises:
        VideoError: it can't be read, has more than 8192 x 8192 pixels, or would take minutes to decode.
    """
    return ask_once(path, lambda worker, place: worker.picture({"do": "still", "edge": edge, **place}))


def read_recorded(path: Path, decoders: Decoders | None = None) -> Recorded | None:
    """Read when a file was recorded, without indexing its packets; None if it doesn't say.

    Args:
        path: the file.
        decoders: where the worker comes from.

    Raises:
        VideoError: it isn't a video.
    """
    answer = ask_once(path, lambda worker, place: worker.ask({"do": "recorded", **place})[0], decoders)
    return _recorded(answer["recorded"])


def _recorded(fact: Any) -> Recorded | None:
    if fact is None:
        return None
    seconds, zone = fact
    return Recorded(float(seconds), None if zone is None else int(zone))


@contextmanager
def borrowed(decoders: Decoders | None = None) -> Iterator[Worker]:
    """Take a worker, and give it back."""
    decoders = decoders or _SHARED
    worker = decoders.take()
    try:
        yield worker
    finally:
        decoders.give_back(worker)


def find_gpu(number: int) -> str:
    """Return the kind of GPU that decodes videos, such as `cuda`.

    Raises:
        VideoError: there is no such GPU, or it can't decode; the message says why.
    """
    try:
        with borrowed() as worker:
            return str(worker.ask({"do": "find gpu", "number": number})[0]["kind"])
    except CrashError as error:
        raise VideoError(str(error)) from None


def ask_once(path: Path, ask: Callable[[Worker, dict[str, Any]], _T], decoders: Decoders | None = None) -> _T:
    """Ask a worker for something about a file.

    Args:
        path: the file.
        ask: gets a worker, and what every request says: where the file is, and how long decoding it may keep
            a processor busy.
        decoders: where the worker comes from.

    Raises:
        VideoError: the worker crashes, breaks a limit or can't decode the file.
        StoppedError: `stop_readers` was called meanwhile.
    """
    with borrowed(decoders) as worker:
        try:
            return ask(worker, place(path))
        except (CrashError, VideoError) as error:
            raise named(path, error) from None


class VideoReader:
    """An open video file; use it in a `with` block and from one thread at a time.

    A worker process decodes it, within limits (`centerclip.video.process`). If the worker crashes, another
    one continues; if that crashes too, the file is to blame. Where decoding on a GPU fails, the CPU decodes.

    Args:
        path: any file that FFmpeg can read.
        decoders: where the worker comes from, to stop it from another thread.
        packets: what `packets` of another reader of the file returned; saves scanning it again.

    Raises:
        VideoError: no frame can be decoded; the message says why.
    """

    def __init__(
        self, path: str | os.PathLike[str], decoders: Decoders | None = None, packets: bytes = b""
    ) -> None:
        self.path = as_place(path)
        self._decoders = decoders or _SHARED
        self._known = packets
        self._crashes = 0
        self._gpu = self._decoders.gpu
        self._worker = self._decoders.take()
        try:
            self._facts = self._open()
        except BaseException:
            self._decoders.give_back(self._worker)
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        try:
            if self._worker.reusable:
                self._worker.ask({"do": "close"})
        except (CrashError, VideoError):
            pass  # it wasn't needed any more
        finally:
            self._decoders.give_back(self._worker)

    @property
    def info(self) -> VideoInfo:
        """Metadata of the file; each call hashes the content."""
        status = self.path.stat()
        facts = self._facts
        return VideoInfo(
            path=self.path,
            video_id=content_id(self.path),
            duration_seconds=self.duration_seconds,
            width=int(facts["width"]),
            height=int(facts["height"]),
            frame_rate=float(facts["frame_rate"]),
            codec=str(facts["codec"]),
            size_bytes=status.st_size,
            modified_seconds=status.st_mtime,
            recorded=_recorded(facts["recorded"]),
        )

    @property
    def duration_seconds(self) -> float:
        """Time from the start of the first frame to the end of the last."""
        return float(self._facts["duration_seconds"])

    @property
    def frames(self) -> int:
        """Number of frames with a time of their own."""
        return int(self._facts["frames"])

    @property
    def random_access(self) -> bool:
        """Whether reading a frame decodes only its group of pictures, so that several readers can share the
        work."""
        return bool(self._facts["random_access"])

    def scene_cuts(self) -> list[float]:
        """Likely scene cuts in seconds, guessed from the key frames."""
        return [float(cut) for cut in self._facts["scene_cuts"]]

    def packets(self) -> bytes:
        """Return the positions of all packets, for another reader of this file."""
        return self._ask({"do": "packets"})[1]

    def choose(self, windows: Sequence[Window], frames: int, sampling: Sampling) -> NDArray[np.float64]:
        """Choose at which instants to look at windows, one for each of their equal strides.

        Args:
            windows: W stretches of the file, at least one, in time order, without overlap.
            frames: T, strides per window, at least 1.
            sampling: which frame represents a stride.

        Returns:
            [W * T] seconds, not descending, for `frames_at`.

        Raises:
            ValueError: `frames` below 1, or a window that is empty or not finite.
            VideoError: the decoder crashes or breaks a limit.
        """
        centers = np.concatenate([instants(window, frames) for window in windows])
        if sampling == "center":
            return centers
        spans = [(window.start_seconds, window.end_seconds) for window in windows]
        request = {"do": "choose", "windows": spans, "frames": frames, "sampling": sampling}
        return np.array(self._ask(request)[0]["seconds"], np.float64).reshape(centers.shape)

    def frames_at(
        self, seconds: Sequence[float] | NDArray[np.float64]
    ) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Yield the frame shown at each instant, decoding as little as possible.

        Exhaust one iterator before requesting another. Memory doesn't grow with the number of instants unless
        the pictures are kept.

        Args:
            seconds: ascending, counted from the first frame. Earlier instants show the first frame, later
                ones the last.

        Yields:
            The frame's time in seconds from the first frame, and its picture: [H, W, 3] uint8, upright RGB.
            Instants that show the same frame share one array. The array is in memory shared with the worker,
            which uses it again once neither the array nor a view of it is left.

        Raises:
            ValueError: instants that descend or aren't finite.
            VideoError: the decoder crashes or breaks a limit.
        """
        wanted = np.asarray(seconds, np.float64)
        if not np.isfinite(wanted).all() or (np.diff(wanted) < 0).any():
            raise ValueError("seconds must be finite and ascend")
        return self._frames_at(wanted.tolist())

    def _frames_at(self, seconds: list[float]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        given = 0
        while given < len(seconds):
            try:
                for shown in self._worker.frames(seconds[given:]):
                    given += 1
                    yield shown
            except CrashError as error:
                self._recover(error)
            except VideoError as error:
                raise named(self.path, error) from None

    def _open(self) -> dict[str, Any]:
        while True:
            try:
                return self._worker.ask({"do": "open", "gpu": self._gpu, **place(self.path)}, self._known)[0]
            except VideoError as error:
                if self._gpu is not None:
                    self._gpu = None  # which decodes less than the CPU, and may be used up
                    continue
                raise named(self.path, error) from None
            except CrashError as error:
                self._replace(error)

    def _ask(self, message: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        """Ask the worker for something about the open file, once more if it crashes."""
        while True:
            try:
                return self._worker.ask(dict(message))
            except VideoError as error:
                raise named(self.path, error) from None
            except CrashError as error:
                self._recover(error)

    def _recover(self, error: CrashError) -> None:
        self._replace(error)
        self._open()

    def _replace(self, error: CrashError) -> None:
        """Go on with another worker after the first crash; blame the file for the second."""
        self._crashes += 1
        self._gpu = None
        if self._crashes > 1:
            raise named(self.path, error) from None
        self._decoders.give_back(self._worker)
        self._worker = self._decoders.take()


def place(path: Path) -> dict[str, Any]:
    """Return where a file is, how long decoding it may keep a processor busy, and the bytes of an address."""
    source: dict[str, Any] = {}
    try:
        if isinstance(path, Address):
            source["source"] = current().blocks(path)
        megabytes = path.stat().st_size >> 20
    except OSError as error:
        if isinstance(path, Address):
            raise VideoError(f"{path}: can't be read ({error.strerror})") from error
        megabytes = 0  # opening it will tell
    budget = BUDGET_SECONDS + BUDGET_SECONDS_PER_MEGABYTE * megabytes
    return {"path": str(absolute(path)), "budget_seconds": budget, **source}


def named(path: Path, error: Exception) -> VideoError:
    """Return an error that names the file as the caller did."""
    reason = str(error).removeprefix(f"{os.path.abspath(path)}: ").removeprefix(f"{path}: ")
    return VideoError(f"{path}: {reason}")
