"""Worker processes that decode, so that a file which crashes, hangs or bloats its decoder harms nothing else.

A worker is limited in memory, processor time, and the time it may be silent. It is asked for one thing at a
time. Idle workers are kept for the next file.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.remote import Blocks
from centerclip.video.channel import Channel, ClosedError, Message
from centerclip.video.sharing import Slots, start_worker

__all__ = ["CrashError", "Decoders", "StoppedError", "Worker"]

SILENT_SECONDS = 60.0
"""A worker that says nothing for this long hangs. It reports each picture, and otherwise every second as long
as packets go through."""
BUDGET_SECONDS = 120
BUDGET_SECONDS_PER_MEGABYTE = 60
"""How long a file may keep a processor busy, which grows with its size: decoding every frame of a film of
2 Mbit/s in AV1 takes 3 s per MB, of a screen recording 12."""

_NONSENSE = (ClosedError, KeyError, ValueError, IndexError, TypeError)
"""What an answer that no sound worker gives leads to."""
_MOST_READ = 64 << 20
"""More bytes at once are no sound worker's request."""
_KEPT_BYTES = 256 << 20
"""An idle worker with more shared memory isn't kept."""


class CrashError(Exception):
    """The decoder has crashed; it may be for a reason outside of the file."""


class StoppedError(Exception):
    """The worker was stopped from outside."""


class Worker:
    """A worker process."""

    def __init__(self) -> None:
        self._slots = Slots()
        self._writable = 0
        """Number of slots that the worker may write to."""
        self._streaming: object = None
        """Stands for the request whose frames are being sent."""
        self._process, end = start_worker()
        self._channel = Channel(end)
        self._source: Blocks | None = None
        """The bytes of the file in question if it is at an address; the worker can read no others."""
        self._left = 0
        """How many more bytes the worker may ask for."""
        self._unread = ""
        """Why bytes of it couldn't be read; "" if they could."""
        self.stopped = False

    def ask(self, message: Message, data: bytes = b"") -> tuple[Message, bytes]:
        """Send a request, and wait for its answer.

        Raises:
            VideoError: the file can't be decoded, or breaks a limit; the message is the reason.
            CrashError: the worker has died; it may be for another reason.
            StoppedError: somebody has stopped the worker.
        """
        try:
            self._request(message, data)
            answer = self._answer()
            self._check_read()
            return answer
        except ClosedError:
            raise self._death() from None

    def picture(self, message: Message) -> NDArray[np.uint8]:
        """Send a request that is answered by one picture, [H, W, 3] uint8; raises as `ask` does."""
        try:
            self._request(message)
            answer, sent = self._shown() or ({}, b"")
            shown = self._picture(answer, sent)
            self._check_read()
            return shown
        except _NONSENSE:
            raise self._death() from None

    def frames(self, seconds: Sequence[float]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Ask for frames of the open file as `DirectReader.frames_at` returns them; raises as `ask` does.

        The worker decodes the next picture meanwhile.
        """
        picture = np.empty(0, np.uint8)
        try:
            self._request({"do": "frames", "seconds": list(seconds)})
            request = self._streaming = object()
            while self._streaming is request and (shown := self._shown()) is not None:
                answer, sent = shown
                if "slot" in answer:
                    picture = self._picture(answer, sent)
                self._check_read()
                yield float(answer["seconds"]), picture
            self._check_read()
        except _NONSENSE:
            raise self._death() from None

    def _picture(self, answer: Message, sent: bytes) -> NDArray[np.uint8]:
        height, width = map(int, answer["size"])
        return self._slots.picture(int(answer["slot"]), height, width, sent)

    def _shown(self) -> tuple[Message, bytes] | None:
        """Return the next frame, None after the last; the worker goes on with the one after it."""
        if not self._writable:
            slot, files = self._slots.take()
            self._channel.send({"slot": slot}, files=files)
            self._writable += 1
        answer, sent = self._answer()
        self._writable -= "slot" in answer
        if "end" in answer:
            self._streaming = None
            return None
        return answer, sent

    def _request(self, message: Message, data: bytes = b"") -> None:
        """Send a request. One that names a file says where its bytes are from, if it isn't a local one."""
        self._abandon()
        if "path" in message:
            source = self._source = message.get("source")
            sizes = {} if source is None else {"remote_bytes": source.size_bytes}
            message = {name: value for name, value in message.items() if name != "source"} | sizes
        self._unread = ""
        self._left = _MOST_READ + 4 * (self._source.size_bytes if self._source else 0)
        self._channel.send(message, data)

    def _check_read(self) -> None:
        """Raise an error if bytes were missing: what the decoder made of the others says nothing."""
        if self._unread:
            raise VideoError(self._unread)

    def _send_bytes(self, span: Any) -> None:
        """Send the worker bytes of the file in question: [offset, length]."""
        try:
            offset, length = map(int, span)
            if self._source is None or length > _MOST_READ or self._left < 0:
                raise ClosedError  # no sound worker asks
            self._left -= length
            data = self._source.read(offset, length)
        except (TypeError, ValueError):
            raise ClosedError from None
        except OSError as error:
            self._unread = f"can't be read ({error.strerror})"
            self._channel.send({"bytes": False})
        else:
            self._channel.send({"bytes": True}, data)

    def _abandon(self) -> None:
        """If frames are still being sent, stop the worker from sending more."""
        if self._streaming is not None:
            self._channel.send({"abandon": True})
            with suppress(VideoError):
                while (shown := self._shown()) is not None:
                    if "slot" in shown[0]:
                        self._slots.give_back(int(shown[0]["slot"]))

    @property
    def reusable(self) -> bool:
        return not self.stopped and self._process.poll() is None and self._slots.size_bytes <= _KEPT_BYTES

    def stop(self) -> None:
        """End the process from any thread; whoever waits for its answer gets a `StoppedError`."""
        self.stopped = True
        self._process.kill()

    def kill(self) -> None:
        """End the process, and release everything but pictures in use."""
        self._process.kill()
        self._process.wait()
        self._channel.close()
        self._slots.close()

    def forget(self) -> None:
        """Release this process's handles without ending the worker, which belongs to the parent process."""
        self._channel.close()
        self._slots.close()

    def _answer(self) -> tuple[Message, bytes]:
        while True:
            try:
                answer, data, files = self._channel.receive(SILENT_SECONDS)
            except TimeoutError:
                self.kill()
                raise VideoError(f"its decoder was silent for {SILENT_SECONDS:g} seconds") from None
            for file in files:
                os.close(file)
            if "read" in answer:
                self._send_bytes(answer["read"])
                continue
            if "failed" in answer:
                self._streaming = None
                raise VideoError(self._unread or str(answer["failed"]))
            if "died" in answer:
                self.kill()  # it is about to end, and mustn't be given to another file until it has
                raise VideoError(f"decoding it takes too much {answer['died']}")
            if "alive" not in answer:
                return answer, data

    def _death(self) -> Exception:
        """Return the error that tells why the worker has gone."""
        self.kill()
        if self.stopped:
            return StoppedError()
        code = self._process.returncode
        if hasattr(signal, "SIGXCPU") and code == -signal.SIGXCPU:
            return VideoError("decoding it takes too much processor time")
        name = (signal.strsignal(-code) or f"signal {-code}") if code < 0 else f"exit code {code}"
        return CrashError(f"its decoder crashed ({name})")


class Decoders:
    """The workers of one user, who may stop them all at once.

    Args:
        gpu: number of the GPU on which the user's files are decoded; None for the CPU.
    """

    _idle: ClassVar[deque[Worker]] = deque()
    """Of all users."""

    def __init__(self, gpu: int | None = None) -> None:
        self.gpu = gpu
        self._lock = Lock()
        self._used: set[Worker] = set()
        self._stopped = False

    def take(self) -> Worker:
        """Return an idle worker or a new one.

        Raises:
            StoppedError: after `stop`.
        """
        worker = self._next_idle() or Worker()
        with self._lock:
            if not self._stopped:
                self._used.add(worker)
                return worker
        worker.kill()
        raise StoppedError

    def give_back(self, worker: Worker) -> None:
        """Keep a worker for the next user, or release it if it has ended."""
        with self._lock:
            self._used.discard(worker)
        if worker.reusable:
            self._idle.append(worker)
        else:
            worker.kill()

    def stop(self) -> None:
        """End all workers in use, whatever they are doing; no more can be taken."""
        with self._lock:
            self._stopped = True
            for worker in self._used:
                worker.stop()

    def _next_idle(self) -> Worker | None:
        with suppress(IndexError):
            while True:
                worker = self._idle.pop()
                if worker.reusable:
                    return worker
                worker.kill()
        return None

    @classmethod
    def forget_idle(cls) -> None:
        """Leave the idle workers to the parent after a fork."""
        while cls._idle:
            cls._idle.pop().forget()

    @classmethod
    def end_idle(cls) -> None:
        while cls._idle:
            cls._idle.pop().kill()

    def __reduce__(self) -> tuple[type[Decoders], tuple[int | None]]:
        return Decoders, (self.gpu,)  # another process has its own workers


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=Decoders.forget_idle)
atexit.register(Decoders.end_idle)
