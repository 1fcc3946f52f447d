"""How a worker process is started, and how its pictures reach this process.

Where open files can be passed to another process, pictures are in shared memory. On Windows they can't be:
there a worker connects over the loopback and sends its pictures.
"""

from __future__ import annotations

import mmap
import os
import re
import secrets
import socket
import subprocess
import sys
import tempfile
import weakref
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centerclip.errors import VideoError
from centerclip.video.channel import SECRET_BYTES, ClosedError

__all__ = ["SHARES_FILES", "START", "Slots", "start_worker"]

SHARES_FILES = hasattr(socket, "send_fds") and os.name == "posix"
"""Whether open files, and with them memory, can be shared with a worker."""
START = "from centerclip.video.worker import main"
"""What a worker runs."""
_CONNECT_SECONDS = 60.0
_SECRET = re.compile(r"^(AWS|AZURE|GOOGLE|GCP)_|TOKEN|SECRET|PASSWORD|API_?KEY|CREDENTIAL|PROXY")


class Slots:
    """Memory shared with a worker: one file per picture. A slot is free again when nobody has its picture.

    Without sharing, a slot is only a number, and a picture comes with the answer.
    """

    def __init__(self) -> None:
        self._shared = SHARES_FILES
        self._files: list[int] = []
        self._maps: list[mmap.mmap | None] = []
        self._free: deque[int] = deque()

    def take(self) -> tuple[int, list[int]]:
        """Return the number of a slot for the worker to fill, and its file if the worker doesn't know it."""
        if not self._shared:
            return 0, []
        with suppress(IndexError):
            return self._free.popleft(), []
        self._files.append(_shared_file())
        self._maps.append(None)
        return len(self._files) - 1, [self._files[-1]]

    def give_back(self, slot: int) -> None:
        self._free.append(slot)

    def picture(self, slot: int, height: int, width: int, sent: bytes) -> NDArray[np.uint8]:
        """Return what a worker has written, [H, W, 3], without copying it, or what it has sent."""
        size = height * width * 3
        if not self._shared:
            if len(sent) != size:
                raise ClosedError
            return np.frombuffer(bytearray(sent), np.uint8).reshape(height, width, 3)
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


def _harmless(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out what grants access to anything: a worker reads files that may be hostile."""
    return {name: value for name, value in environment.items() if not _SECRET.search(name.upper())}


def _start(arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    program = f"import sys; sys.path[:] = {sys.path!r}; {START}; main({arguments})"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**_harmless(os.environ), "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        **more,
    )


def start_worker() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker; return its process and this process's end of their connection.

    Raises:
        VideoError: it doesn't start.
    """
    return _start_with_socket() if SHARES_FILES else _start_by_loopback()


def _start_with_socket() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker that inherits one end of a connection."""
    ours, theirs = socket.socketpair()
    with theirs:
        # Ctrl-C in a terminal reaches only its foreground group.
        more: dict[str, Any] = {"pass_fds": [theirs.fileno()], "process_group": 0}
        return _start(str(theirs.fileno()), stdin=subprocess.DEVNULL, **more), ours


def _start_by_loopback() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start a worker that connects to this process, and proves by a secret that it is the one."""
    secret = secrets.token_bytes(SECRET_BYTES)
    new_group = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)  # Windows: Ctrl-C doesn't reach it
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(_CONNECT_SECONDS)
        address = server.getsockname()
        process = _start(f"address={address!r}", stdin=subprocess.PIPE, creationflags=new_group)
        try:
            assert process.stdin is not None
            with process.stdin as pipe:
                pipe.write(secret)
            while True:
                end, _ = server.accept()
                end.settimeout(_CONNECT_SECONDS)
                if secrets.compare_digest(end.recv(SECRET_BYTES, socket.MSG_WAITALL), secret):
                    return process, end
                end.close()
        except OSError:
            process.kill()
            process.wait()
            raise VideoError("no process that decodes could be started; try again") from None


def _shared_file() -> int:
    """Make a file in memory. The worker may enlarge but not shrink it, since reading it here would crash."""
    if not hasattr(os, "memfd_create"):  # macOS
        with tempfile.TemporaryFile() as unnamed:
            return os.dup(unnamed.fileno())
    import fcntl

    file = os.memfd_create("centerclip", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
    return file
