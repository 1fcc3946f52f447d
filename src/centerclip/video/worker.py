"""The other side of `centerclip.video.process`: a process that decodes files for this one, within limits.

It imports little, because each process pays for it. It ends when its parent does, whatever it is doing, as
long as the decoder runs outside of Python's lock.
"""

from __future__ import annotations

import json
import mmap
import os
import resource
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple
from pathlib import Path
from queue import SimpleQueue
from threading import Thread

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Cue, Sampling, Track, Window
from centerclip.video.channel import Channel, ClosedError, Message
from centerclip.video.cued import Reader, open_reader
from centerclip.video.packet_index import PacketIndex

__all__ = ["main"]

_MEMORY_BYTES = 3 << 30
"""Of addresses, which is more than the memory in use: decoding 8192 x 8192 pixels takes 1.5 GB."""
_BEAT_SECONDS = 1.0

_Grant = tuple[int, int | None]
"""The number of a slot that may be written to, and its file if it is new."""


class _Slots:
    """Files shared with the parent, into which pictures are written; the parent says when."""

    def __init__(self) -> None:
        self.granted: SimpleQueue[_Grant] = SimpleQueue()
        self._files: dict[int, int] = {}
        self._maps: dict[int, mmap.mmap] = {}
        self.last = 0

    def place(self, height: int, width: int) -> NDArray[np.uint8]:
        """Wait for a slot, and return it as the array of a picture."""
        self.last, file = self.granted.get()
        if file is not None:
            self._files[self.last] = file
        size = height * width * 3
        known = self._maps.get(self.last)
        if known is None or len(known) < size:
            if os.fstat(self._files[self.last]).st_size < size:
                os.ftruncate(self._files[self.last], size)
            known = self._maps[self.last] = mmap.mmap(self._files[self.last], size)
        return np.frombuffer(known, np.uint8, size).reshape(height, width, 3)


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._slots = _Slots()
        self._asked: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()
        self._reader: Reader | None = None
        self._pieces: Iterator[NDArray[np.float32]] = iter(())
        """Of the sound that is being read."""
        self._beat = time.monotonic()
        self._abandoned = False

    def serve(self) -> None:
        """Do what the parent asks for, until it ends."""
        Thread(target=self._listen, daemon=True).start()
        tasks: dict[str, Callable[..., None]] = {
            "open": self._open,
            "packets": self._packets,
            "choose": self._choose,
            "frames": self._frames,
            "close": self._close,
            "excerpt": self._excerpt,
            "still": self._still,
            "sidecar": self._sidecar,
            "subtitles": self._subtitles,
            "sound": self._sound,
            "more sound": self._more_sound,
        }
        while True:
            message, data = self._asked.get()
            try:
                tasks[message.pop("do")](data, **message)
            except VideoError as error:
                self._channel.send({"failed": str(error)})
            except MemoryError:
                self._channel.send({"died": "memory"})
                os._exit(1)
            except ClosedError:
                os._exit(0)
            except Exception as error:  # decoders may raise anything on damaged bytes
                self._channel.send({"failed": f"unexpected {type(error).__name__} while decoding: {error}"})

    def _listen(self) -> None:
        with suppress(ClosedError):
            while True:
                message, data, files = self._channel.receive()
                if "slot" in message:
                    self._slots.granted.put((message["slot"], files[0] if files else None))
                elif "abandon" in message:
                    self._abandoned = True
                else:
                    self._asked.put((message, data))
        os._exit(0)  # the parent has gone

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._beat > _BEAT_SECONDS:
            self._beat = now
            self._channel.send({"alive": True})

    def _open(self, data: bytes, path: str, budget_seconds: int) -> None:
        _limit_processor_time(budget_seconds)
        packets = PacketIndex.from_bytes(data) if data else None
        self._reader = open_reader(Path(path), packets, self._tick)
        facts = self._reader.facts
        self._channel.send({name: getattr(facts, name) for name in facts.__slots__})

    def _packets(self, data: bytes) -> None:
        assert self._reader is not None
        packets = self._reader.packets
        self._channel.send({}, b"" if packets is None else packets.to_bytes())

    def _choose(
        self, data: bytes, windows: list[tuple[float, float]], frames: int, sampling: Sampling
    ) -> None:
        assert self._reader is not None
        chosen = self._reader.choose([Window(start, end) for start, end in windows], frames, sampling)
        self._channel.send({"seconds": chosen.tolist()})

    def _frames(self, data: bytes, seconds: list[float]) -> None:
        assert self._reader is not None
        self._abandoned = False
        before: NDArray[np.uint8] | None = None
        for at, picture in self._reader.frames_at(seconds, self._slots.place):
            message: Message = {"seconds": at}
            if picture is not before:
                before, message["slot"], message["size"] = picture, self._slots.last, picture.shape[:2]
            self._channel.send(message)
            if self._abandoned:
                break
        self._channel.send({"end": True})

    def _excerpt(
        self, data: bytes, path: str, target: str, start: float, end: float, budget_seconds: int
    ) -> None:
        from centerclip.video.excerpt import encode_excerpt  # indexing doesn't need it

        _limit_processor_time(budget_seconds)
        encode_excerpt(Path(path), Path(target), start=start, end=end, tick=self._tick)
        self._channel.send({})

    def _still(self, data: bytes, path: str, edge: int, budget_seconds: int) -> None:
        from centerclip.video.still import open_still  # indexing doesn't need it

        sizes: list[tuple[int, int]] = []

        def place(height: int, width: int) -> NDArray[np.uint8]:
            sizes.append((height, width))
            return self._slots.place(height, width)

        _limit_processor_time(budget_seconds)
        open_still(Path(path), edge, place)
        self._channel.send({"slot": self._slots.last, "size": sizes[0]})

    def _sidecar(self, data: bytes, path: str, budget_seconds: int) -> None:
        from centerclip.subtitles.sidecars import read_subtitle_file

        _limit_processor_time(budget_seconds)
        self._channel.send({}, _written(read_subtitle_file(Path(path))))

    def _subtitles(self, data: bytes, path: str, budget_seconds: int) -> None:
        from centerclip.video.streams import read_subtitle_streams

        _limit_processor_time(budget_seconds)
        tracks = read_subtitle_streams(Path(path), self._tick)
        self._channel.send({}, _written(tracks))

    def _sound(self, data: bytes, path: str, piece_seconds: float, budget_seconds: int) -> None:
        from centerclip.video.streams import read_sound

        _limit_processor_time(budget_seconds)
        self._pieces = read_sound(Path(path), piece_seconds, self._tick)
        self._more_sound(data)

    def _more_sound(self, data: bytes) -> None:
        piece = next(self._pieces, None)
        self._channel.send({"sound": piece is not None}, b"" if piece is None else piece.tobytes())

    def _close(self, data: bytes) -> None:
        self._pieces = iter(())
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._channel.send({})


def _written(found: Sequence[Cue] | Sequence[Track]) -> bytes:
    """Write cues as lists, which take less room than objects."""
    return json.dumps([astuple(one) for one in found]).encode()


def _limit_memory() -> None:
    _limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # if memory runs out, Linux should end this process, not its parent
        Path("/proc/self/oom_score_adj").write_text("500")


def _limit_processor_time(budget_seconds: int) -> None:
    """Let the kernel end this process if it computes for longer from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + budget_seconds)


def _limit(kind: int, most: int) -> None:
    with suppress(ValueError, OSError):  # macOS doesn't limit addresses
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(descriptor: int) -> None:
    """Serve the parent at the other end of a socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _limit_memory()
    _Worker(Channel(socket.socket(fileno=descriptor))).serve()
