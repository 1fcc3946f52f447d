"""A server returns the memory of earlier versions of its index."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from random_videos import CARD, random_video

from centerclip.index import VideoIndex
from centerclip.serve.library import Library
from centerclip.serve.memory import return_freed_memory


def memory_bytes() -> int:
    return 1024 * int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1])  # type: ignore[index]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_change_of_the_index_returns_what_was_freed(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path / "index")
    index.bind(CARD)
    library = Library(index)
    library.folders()
    return_freed_memory()  # otherwise, what other tests have freed would be used
    start = memory_bytes()
    kept = []

    def fill_a_heap() -> None:
        kept.append([bytearray(20_000) for _ in range(2500)][-1])  # the last one holds back the others

    threads = [Thread(target=fill_a_heap) for _ in range(4)]  # 200 MB
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert memory_bytes() > start + 150e6
    with index.writer() as writer:
        writer.add([random_video("/v/a.mp4")])
    library.folders()
    assert memory_bytes() < start + 100e6


HOLD_BACK = """
import re
from pathlib import Path
from threading import Barrier, Thread
from centerclip.serve.memory import bound_heaps, return_freed_memory

def memory_bytes():
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

def use_a_heap():
    all_at_once.wait()
    for _ in range(3):
        b"x" * 20_000_000
    all_at_once.wait()

bound_heaps()
before = memory_bytes()
all_at_once = Barrier(6)
threads = [Thread(target=use_a_heap) for _ in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
return_freed_memory()
print(memory_bytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_heaps_do_not_hold_back_as_much_as_their_largest_block() -> None:
    done = subprocess.run([sys.executable, "-c", HOLD_BACK], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 30e6  # 6 x 20 MB otherwise


def test_arrow_does_not_hold_back_memory_of_its_own() -> None:
    code = (
        "import centerclip.cli as cli; print(cli.main(['serve', '--index', '/nowhere/at/all']))\n"
        "import pyarrow; print(pyarrow.default_memory_pool().backend_name)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARROW_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    assert done.stdout.split() == ["1", "system"]
