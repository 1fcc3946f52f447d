"""Helpers that run commands, in this process or in a terminal of their own."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RECIPE = """
output = "run"
validate_every = 4
checkpoint_every = 3
[model]
schedule = "B2-2,4"
frames = 4
temporal = true
architecture = {image_size = 32, vision_width = 16, vision_blocks = 4, vision_heads = 2, \
vision_mlp_width = 16, text_width = 16, text_blocks = 1, text_heads = 2, text_mlp_width = 16, \
embed_size = 16, vocabulary = 300}
[data]
dataset = "toy-world"
videos = "toy"
[optimization]
steps = 30
batch_size = 4
learning_rate = 1e-3
ema = 0.9
"""
"""A tiny model, trained on a rendered toy world in `toy`."""


@dataclass(frozen=True)
class Done:
    """A command's exit code and output."""

    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[list[str]]:
        """The fields of each line of piped output."""
        return [line.split("\t") for line in self.out.splitlines()]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The objects of `--json` output."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Done]
"""Runs a command line, given as separate arguments."""


def assert_refused(run: Run, message: str, *args: str | Path, code: int = 1) -> None:
    """Assert that a command prints one line of error with `message`, and nothing else."""
    done = run(*args)
    assert message in done.err, (args, done.err)
    assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), (args, done.err)
    assert done.err.startswith("error: ")


def in_terminal(script: str, *args: str | Path, width: int = 80) -> str:
    """Return what a Python script writes to a terminal of `width` columns; the script must succeed."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, width))
    misleading = ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS")
    env = {name: value for name, value in os.environ.items() if name not in misleading}
    command = [sys.executable, "-c", script, *map(str, args)]
    with subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, env={**env, "TERM": "xterm-256color"}
    ) as process:
        os.close(terminal)
        written = b""
        while piece := _read(controller):
            written += piece
    os.close(controller)
    assert process.returncode == 0, written.decode()
    return written.decode()


def without_escapes(text: str) -> str:
    """Remove colors, links and cursor movements."""
    return re.sub(r"\x1b\]8;.*?\x1b\\|\x1b\[[0-9;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


def _read(controller: int) -> bytes:
    try:
        return os.read(controller, 65536)
    except OSError:  # on Linux, the other side is closed
        return b""
