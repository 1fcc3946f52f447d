"""Fuzz the parsers by coverage: inputs that reach new code are changed further, until the time is over.

Atheris calls the checks of `tests/property` with its own bytes, each parser in a process of its own. It
begins with sound inputs. `.fuzzing/` keeps the inputs that reached something, so that the next run goes on
from there, and next to them those that failed. Needs Linux on x86-64 with Python 3.11 to 3.13.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

KEPT = Path(".fuzzing")
LONGEST_BYTES = 4096
SLOWEST_SECONDS = 60
"""An input that takes longer is a failure."""
MEMORY_MEGABYTES = 4096

CONDITIONS = (
    "duration_seconds > 0.5 and not (codec = 'h264' or width in (1, 2))",
    "path like '%a\\%_' and modified_seconds between '2026-01-01' and '2026-12-31T12:00:01Z'",
    "reason is not null or -1 <= size_bytes",
)


def targets(folder: Path) -> dict[str, tuple[Callable[[bytes], Any], Iterable[bytes]]]:
    """Return what to call with each input, and inputs to begin with; `folder` is for files of the test."""
    from property import test_condition_properties as conditions
    from property import test_parsers as parsers
    from property import test_search_properties as queries

    def read_text(name: str, content: bytes) -> None:
        parsers.check(lambda: parsers.TEXTS[name][0](content.decode("utf-8", "surrogateescape")))

    def read_file(name: str, changed: str, content: bytes) -> None:
        read, files = parsers.FILES[name]
        for file, sound in files.items():
            (folder / file).write_bytes(content if file == changed else sound)
        parsers.check(lambda: read(folder))

    def search(content: bytes) -> None:
        test = conditions.test_any_text_is_a_condition_or_a_query_error
        test.hypothesis.inner_test(index, content.decode("utf-8", "surrogateescape"))  # type: ignore[attr-defined]

    def ask(content: bytes) -> None:
        test = queries.test_any_text_is_a_query_without_files_or_a_query_error
        test.hypothesis.inner_test(content.decode("utf-8", "surrogateescape"))  # type: ignore[attr-defined]

    index = conditions.drawn_index(folder / "index")
    found: dict[str, tuple[Callable[[bytes], Any], Iterable[bytes]]] = {
        "condition": (search, [text.encode() for text in CONDITIONS]),
        "query without files": (ask, [text.encode() for text in parsers.TEXTS["query"][1]]),
    }
    for name, (_, sound) in parsers.TEXTS.items():
        found[name] = partial(read_text, name), [text.encode() for text in sound]
    for name, (_, files) in parsers.FILES.items():
        for file, content in files.items():
            found[f"{name} {file}"] = partial(read_file, name, file), [content]
    return found


def fuzz(name: str, seconds: int) -> None:
    """Fuzz one parser in this process, which libFuzzer ends."""
    import atheris

    corpus = (KEPT / name.replace(" ", "-")).resolve()
    corpus.mkdir(parents=True, exist_ok=True)
    atheris.enabled_hooks.add("str")  # how far a comparison gets guides the search too
    with tempfile.TemporaryDirectory() as place:
        with atheris.instrument_imports(include=["centerclip", "sqlglot"]):
            target, sound = targets(Path(place))[name]
            for number, content in enumerate(sound):
                target(content)  # imports the rest
                (corpus / f"sound-{number}").write_bytes(content)
        os.chdir(place)  # a text may name a file or a module
        options = {
            "max_total_time": seconds,
            "max_len": LONGEST_BYTES,
            "timeout": SLOWEST_SECONDS,
            "rss_limit_mb": MEMORY_MEGABYTES,
            "artifact_prefix": f"{corpus}-",
            "print_final_stats": 1,
        }
        atheris.Setup(
            [sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], target
        )
        atheris.Fuzz()


def run(name: str, seconds: int) -> tuple[bool, str]:
    """Fuzz one parser in another process; return whether nothing failed, and what to print."""
    done = subprocess.run(
        [sys.executable, __file__, "--seconds", str(seconds), "--one", name],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    tried = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    reached = re.findall(r"cov: (\d+)", done.stdout)
    if done.returncode or not tried or not reached:
        return False, f"{name}: failed\n{done.stdout[-6000:]}"
    return True, f"{name}: {tried[1]} inputs, {reached[-1]} branches reached"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PARSER", help="default: all")
    parser.add_argument("--seconds", type=int, default=600, help="per parser; default 600")
    parser.add_argument("--jobs", type=int, default=2, help="parsers at the same time; default 2")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        fuzz(given.one, given.seconds)
    with tempfile.TemporaryDirectory() as place:
        names = given.names or list(targets(Path(place)))
    with ThreadPoolExecutor(given.jobs) as pool:
        failed = 0
        for is_good, text in pool.map(partial(run, seconds=given.seconds), names):
            print(text, flush=True)
            failed += not is_good
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
