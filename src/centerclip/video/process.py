"""Worker processes that decode, so that a file which crashes, hangs or bloats its decoder harms nothing else.

A worker is limited in memory, processor time, and the time it may be silent. It is asked for one thing at a
time. Idle workers are kept for the next file.
"""

from __future__ import annotations

import atexit
import fcntl
import mmap
import os
import signal
import socket
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from threading import Lock
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.video.channel import Channel, ClosedError, Message

__all__ = ["CrashError", "Decoders", "StoppedError", "Worker"]

SILENT_SECONDS = 60.0
"""A worker that says nothing for this long hangs. It reports each picture, and otherwise every second as long
as packets go through."""
BUDGET_SECONDS = 120
BUDGET_SECONDS_PER_MEGABYTE = 60
"""How long a file may keep a processor busy, which grows with its size: decoding every frame of a film of
2 Mbit/s in AV1 takes 3 s per MB, of a screen recording 12."""

START = "from centerclip.video.worker import main"
"""What a worker runs."""
_NONSENSE = (ClosedError, KeyError, ValueError, IndexError, TypeError)
"""What an answer that no sound worker gives leads to."""
_KEPT_BYTES = 256 << 20
"""An idle worker with more shared memory isn't kept."""


class CrashError(Exception):
    """The decoder has crashed; it may be for a reason outside of the file."""


class StoppedError(Exception):
    """The worker was stopped from outside."""


class _Slots:
    """Memory shared with a worker: one file per picture. A slot is free again when nobody has its picture."""

    def __init__(self) -> None:
        self._files: list[int] = []
        self._maps: list[mmap.mmap | None] = []
        self._free: deque[int] = deque()

    def take(self) -> tuple[int, list[int]]:
        """Return the number of a slot for the worker to fill, and its file if the worker doesn't know it."""
        with suppress(IndexError):
            return self._free.popleft(), []
        self._files.append(_shared_file())
        self._maps.append(None)
        return len(self._files) - 1, [self._files[-1]]

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def picture(self, slot: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return what a worker has written, [H, W, 3], without copying it."""
        size = height * width * 3
        memory = self._maps[slot]
        if memory is None or len(memory) < size:
            if os.fstat(self._files[slot]).st_size < size:
                raise ClosedError
            memory = self._maps[slot] = mmap.mmap(self._files[slot], size)
        pixels = np.frombuffer(memory, np.uint8, size)
        # All views of the picture refer to this array, so when it goes, they have gone.
        weakref.finalize(pixels, self.give_back, slot).atexit = False
        return pixels.reshape(height, width, 3)

    @property
    def size_bytes(self) -> int:
        return sum(len(memory) for memory in self._maps if memory is not None)

    def close(self) -> None:
        """Close the files; pictures stay valid."""
        for file in self._files:
            os.close(file)
        self._files.clear()
        self._maps.clear()


class Worker:
    """A worker process."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._channel = Channel(ours)
        self._slots = _Slots()
        self._writable = 0
        """Number of slots that the worker may write to."""
        self._streaming: object = None
        """Stands for the request whose frames are being sent."""
        program = f"import sys; sys.path[:] = {sys.path!r}; {START}; main({theirs.fileno()})"
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                process_group=0,  # Ctrl-C in a terminal reaches only its foreground group
            )
        self.stopped = False

    def ask(self, message: Message, data: bytes = b"") -> tuple[Message, bytes]:
        """Send a request, and wait for its answer.

        Raises:
            VideoError: the file can't be decoded, or breaks a limit; the message is the reason.
            CrashError: the worker has died; it may be for another reason.
            StoppedError: somebody has stopped the worker.
        """
        try:
            self._abandon()
            self._channel.send(message, data)
            return self._answer()
        except ClosedError:
            raise self._death() from None

    def picture(self, message: Message) -> NDArray[np.uint8]:
        """Send a request that is answered by one picture, [H, W, 3] uint8; raises as `ask` does."""
        try:
            self._abandon()
            self._channel.send(message)
            answer = self._shown() or {}
            return self._slots.picture(int(answer["slot"]), *map(int, answer["size"]))
        except _NONSENSE:
            raise self._death() from None

    def frames(self, seconds: Sequence[float]) -> Iterator[tuple[float, NDArray[np.uint8]]]:
        """Ask for frames of the open file as `DirectReader.frames_at` returns them; raises as `ask` does.

        The worker decodes the next picture meanwhile.
        """
        picture = np.empty(0, np.uint8)
        try:
            self._abandon()
            self._channel.send({"do": "frames", "seconds": list(seconds)})
            request = self._streaming = object()
            while self._streaming is request and (shown := self._shown()) is not None:
                if "slot" in shown:
                    picture = self._slots.picture(int(shown["slot"]), *map(int, shown["size"]))
                yield float(shown["seconds"]), picture
        except _NONSENSE:
            raise self._death() from None

    def _shown(self) -> Message | None:
        """Return the next frame, None after the last; the worker goes on with the one after it."""
        if not self._writable:
            slot, files = self._slots.take()
            self._channel.send({"slot": slot}, files=files)
            self._writable += 1
        answer, _ = self._answer()
        self._writable -= "slot" in answer
        if "end" in answer:
            self._streaming = None
            return None
        return answer

    def _abandon(self) -> None:
        """If frames are still being sent, stop the worker from sending more."""
        if self._streaming is not None:
            self._channel.send({"abandon": True})
            with suppress(VideoError):
                while (shown := self._shown()) is not None:
                    if "slot" in shown:
                        self._slots.give_back(int(shown["slot"]))

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
            if "failed" in answer:
                self._streaming = None
                raise VideoError(str(answer["failed"]))
            if "died" in answer:
                raise VideoError("decoding it takes too much memory")
            if "alive" not in answer:
                return answer, data

    def _death(self) -> Exception:
        """Return the error that tells why the worker has gone."""
        self.kill()
        if self.stopped:
            return StoppedError()
        code = self._process.returncode
        if code == -signal.SIGXCPU:
            return VideoError("decoding it takes too much processor time")
        name = (signal.strsignal(-code) or f"signal {-code}") if code < 0 else f"exit code {code}"
        return CrashError(f"its decoder crashed ({name})")


class Decoders:
    """The workers of one user, who may stop them all at once."""

    _idle: ClassVar[deque[Worker]] = deque()
    """Of all users."""

    def __init__(self) -> None:
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

    def __reduce__(self) -> tuple[type[Decoders], tuple[()]]:
        return Decoders, ()  # another process has its own workers


def _shared_file() -> int:
    """Make a file in memory. The worker may enlarge but not shrink it, since reading it here would crash."""
    if not hasattr(os, "memfd_create"):  # macOS
        with tempfile.TemporaryFile() as unnamed:
            return os.dup(unnamed.fileno())
    file = os.memfd_create("centerclip", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return file


os.register_at_fork(after_in_child=Decoders.forget_idle)
atexit.register(Decoders.end_idle)
