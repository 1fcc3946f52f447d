"""The other side of `centerclip.video.process`: a process that decodes files for this one, within limits.

It imports little, because each process pays for it. It ends when its parent does, whatever it is doing, as
long as the decoder runs outside of Python's lock.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import astuple
from fractions import Fraction
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.records import Cue, Sampling, Track, Window
from centerclip.remote import Address, Blocks, as_place
from centerclip.remote.access import use
from centerclip.remote.address import Status
from centerclip.video.channel import SECRET_BYTES, Channel, ClosedError, Message
from centerclip.video.cued import Reader, open_reader
from centerclip.video.hardware import find_gpu, use_gpu
from centerclip.video.packet_index import PacketIndex
from centerclip.video.packets import open_video
from centerclip.video.recorded import recorded_of

__all__ = ["main"]

resource: Any = import_module("resource") if find_spec("resource") else None
"""None on Windows, which has no limits of this kind."""

_MEMORY_BYTES = 3 << 30
"""Of addresses, which is more than the memory in use: decoding 8192 x 8192 pixels takes 1.5 GB."""
_BEAT_SECONDS = 1.0

_Grant = tuple[int, int | None]
"""The number of a slot that may be written to, and its file if it is new."""


class _Slots:
    """Files shared with the parent, into which pictures are written; the parent says when.

    A slot without a file is memory of this process, whose content is sent to the parent.
    """

    def __init__(self) -> None:
        self.granted: SimpleQueue[_Grant] = SimpleQueue()
        self._files: dict[int, int] = {}
        self._maps: dict[int, mmap.mmap] = {}
        self.last = 0
        self._private: NDArray[np.uint8] | None = None

    def place(self, height: int, width: int) -> NDArray[np.uint8]:
        """Wait for a slot, and return it as the array of a picture."""
        self.last, file = self.granted.get()
        if file is not None:
            self._files[self.last] = file
        size = height * width * 3
        if self.last not in self._files:
            self._private = np.empty((height, width, 3), np.uint8)
            return self._private
        known = self._maps.get(self.last)
        if known is None or len(known) < size:
            if os.fstat(self._files[self.last]).st_size < size:
                os.ftruncate(self._files[self.last], size)
            known = self._maps[self.last] = mmap.mmap(self._files[self.last], size)
        return np.frombuffer(known, np.uint8, size).reshape(height, width, 3)

    def take_private(self) -> bytes:
        """Return the picture to send to the parent; nothing if it shares memory."""
        sent, self._private = b"" if self._private is None else self._private.tobytes(), None
        return sent


class _Parent:
    """Access to the file in question if it is at an address: the parent reads it."""

    def __init__(self, channel: Channel, size_bytes: int) -> None:
        self._channel = channel
        self._size = size_bytes
        self._blocks = Blocks(size_bytes, self._fetch)
        self.answers: SimpleQueue[bytes | None] = SimpleQueue()

    def status(self, address: Address) -> Status:
        return Status(self._size, 0.0, "")

    def blocks(self, address: Address) -> Blocks:
        return self._blocks

    def _fetch(self, start: int, length: int) -> bytes:
        self._channel.send({"read": [start, length]})
        data = self.answers.get()
        if data is None:
            raise OSError(5, "can't be read")  # the parent knows why
        return data


class _Worker:
    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._slots = _Slots()
        self._asked: SimpleQueue[tuple[Message, bytes]] = SimpleQueue()
        self._reader: Reader | None = None
        self._pieces: Iterator[NDArray[np.float32]] = iter(())
        """Of the sound that is being read."""
        self._parent: _Parent | None = None
        self._beat = time.monotonic()
        self._abandoned = False
        self._budget_ends: float | None = None
        """In processor time, where the kernel doesn't limit it."""

    def serve(self) -> None:
        """Do what the parent asks for, until it ends."""
        Thread(target=self._listen, daemon=True).start()
        tasks: dict[str, Callable[..., None]] = {
            "find gpu": self._find_gpu,
            "open": self._open,
            "packets": self._packets,
            "choose": self._choose,
            "frames": self._frames,
            "close": self._close,
            "excerpt": self._excerpt,
            "clip": self._clip,
            "media": self._media,
            "part": self._part,
            "join": self._join,
            "still": self._still,
            "recorded": self._recorded,
            "sidecar": self._sidecar,
            "subtitles": self._subtitles,
            "sound": self._sound,
            "more sound": self._more_sound,
        }
        while True:
            message, data = self._asked.get()
            try:
                if (seconds := message.pop("budget_seconds", None)) is not None:
                    self._budget_ends = _limit_processor_time(seconds)
                if (size_bytes := message.pop("remote_bytes", None)) is not None:
                    self._parent = _Parent(self._channel, size_bytes)
                    use(self._parent)
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
                elif "bytes" in message:
                    if self._parent is not None:
                        self._parent.answers.put(data if message["bytes"] else None)
                elif "abandon" in message:
                    self._abandoned = True
                else:
                    self._asked.put((message, data))
        os._exit(0)  # the parent has gone

    def _tick(self) -> None:
        now = time.monotonic()
        if now - self._beat > _BEAT_SECONDS:
            self._beat = now
            if self._budget_ends is not None and time.process_time() > self._budget_ends:
                self._channel.send({"died": "processor time"})
                os._exit(1)
            self._channel.send({"alive": True})

    def _find_gpu(self, data: bytes, number: int) -> None:
        _allow_all_addresses()
        self._channel.send({"kind": find_gpu(number)})

    def _open(self, data: bytes, path: str, gpu: int | None = None) -> None:
        if gpu is not None:
            _allow_all_addresses()
        use_gpu(gpu)
        packets = PacketIndex.from_bytes(data) if data else None
        self._reader = open_reader(as_place(path), packets, self._tick)
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
            self._channel.send(message, self._slots.take_private())
            if self._abandoned:
                break
        self._channel.send({"end": True})

    def _excerpt(self, data: bytes, path: str, target: str, start: float, end: float) -> None:
        from centerclip.video.excerpt import encode_excerpt  # indexing doesn't need these

        encode_excerpt(as_place(path), Path(target), start=start, end=end, tick=self._tick)
        self._channel.send({})

    def _clip(self, data: bytes, path: str, target: str, start: float, end: float, comment: str) -> None:
        from centerclip.video.clip import encode_clip

        span: dict[str, Any] = {"start": start, "end": end}
        made = encode_clip(as_place(path), Path(target), **span, comment=comment, tick=self._tick)
        self._channel.send(made)

    def _media(self, data: bytes, path: str) -> None:
        from centerclip.video.describing import read_media

        with open_reader(as_place(path), None, self._tick) as reader:
            self._channel.send(read_media(reader).to_message())

    def _part(
        self, data: bytes, path: str, target: str, start: float, end: float, size: list[int], rate: str
    ) -> None:
        from centerclip.video.reel import encode_part

        height, width = size
        encode_part(
            as_place(path),
            Path(target),
            start=start,
            end=end,
            size=(height, width),
            rate=Fraction(rate),
            tick=self._tick,
        )
        self._channel.send({})

    def _join(self, data: bytes, path: str, parts: list[str], target: str) -> None:
        from centerclip.video.reel import join_parts

        join_parts([Path(part) for part in parts], Path(target), self._tick)
        self._channel.send({})

    def _still(self, data: bytes, path: str, edge: int) -> None:
        from centerclip.video.still import open_still  # indexing doesn't need it

        sizes: list[tuple[int, int]] = []

        def place(height: int, width: int) -> NDArray[np.uint8]:
            sizes.append((height, width))
            return self._slots.place(height, width)

        open_still(Path(path), edge, place)
        message: Message = {"slot": self._slots.last, "size": sizes[0]}
        self._channel.send(message, self._slots.take_private())

    def _recorded(self, data: bytes, path: str) -> None:
        container, stream = open_video(as_place(path))
        try:
            found = recorded_of(container, stream)
        finally:
            container.close()
        self._channel.send({"recorded": None if found is None else [found.seconds, found.zone_minutes]})

    def _sidecar(self, data: bytes, path: str) -> None:
        from centerclip.subtitles.sidecars import read_subtitle_file

        self._channel.send({}, _written(read_subtitle_file(Path(path))))

    def _subtitles(self, data: bytes, path: str) -> None:
        from centerclip.video.streams import read_subtitle_streams

        tracks = read_subtitle_streams(as_place(path), self._tick)
        self._channel.send({}, _written(tracks))

    def _sound(self, data: bytes, path: str, piece_seconds: float) -> None:
        from centerclip.video.streams import read_sound

        self._pieces = read_sound(as_place(path), piece_seconds, self._tick)
        self._more_sound(data)

    def _more_sound(self, data: bytes) -> None:
        piece = next(self._pieces, None)
        self._channel.send({"sound": piece is not None}, b"" if piece is None else piece.tobytes())

    def _close(self, data: bytes) -> None:
        self._pieces = iter(())
        use_gpu(None)
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._channel.send({})


def _written(found: Sequence[Cue] | Sequence[Track]) -> bytes:
    """Write cues as lists, which take less room than objects."""
    return json.dumps([astuple(one) for one in found]).encode()


def _limit_memory() -> None:
    if resource is None:
        return
    _limit(resource.RLIMIT_AS, _MEMORY_BYTES)
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # if memory runs out, Linux should end this process, not its parent
        Path("/proc/self/oom_score_adj").write_text("500")


def _allow_all_addresses() -> None:
    """Lift the limit for good: a GPU's driver takes the addresses of all memory there is, and keeps them."""
    if resource is not None:
        with suppress(ValueError, OSError):
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (hard, hard))


def _limit_processor_time(budget_seconds: int) -> float | None:
    """Let the kernel end this process if it computes for longer from now on.

    Returns:
        None, or the processor time at which it should end itself because the kernel won't.
    """
    if resource is None:
        return time.process_time() + budget_seconds
    used = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + budget_seconds)
    return None


def _limit(kind: int, most: int) -> None:
    with suppress(ValueError, OSError):  # macOS doesn't limit addresses
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def main(descriptor: int | None = None, *, address: tuple[str, int] | None = None) -> None:
    """Serve the parent at the other end of a socket: an inherited one, or one to connect to."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
    _limit_memory()
    if address is None:
        end = socket.socket(fileno=descriptor)
    else:
        end = socket.create_connection(address)
        end.sendall(sys.stdin.buffer.read(SECRET_BYTES))
        end.settimeout(None)
    _Worker(Channel(end)).serve()
