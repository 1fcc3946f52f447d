"""After a power cut, or with files that a faulty disk damaged, nothing that was reported is lost."""

from __future__ import annotations

import os
import shutil
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import index_run
import pytest
from damage import DAMAGES, empty, halve, newest, zero
from index_run import content
from random_videos import CARD, random_video
from test_kill import Folders, check_rerun, check_summary, folders, run_and_kill
from thorough import THOROUGH

from centerclip.index import VideoIndex, Writer, examine, repair
from centerclip.index.head import HEAD
from centerclip.records import EncodedVideo, Failed

__all__ = ["folders"]  # a fixture


def _copy(file: str, copy: str) -> None:
    with suppress(FileNotFoundError):  # another commit runs at the same time
        shutil.copy2(file, copy)


class Disk:
    """Knows which files a power cut would keep: those whose content and whose name were synced."""

    def __init__(self) -> None:
        self._content: set[tuple[int, int]] = set()
        self._names: set[str] = set()

    def sync(self, name: str) -> None:
        if os.path.isdir(name):
            self._names.update(str(each) for each in Path(name).iterdir())
        else:
            self._content.add(self._key(name))

    def keeps(self, path: Path) -> bool:
        """Whether a name is in a synced folder."""
        return str(path) in self._names

    def lose(self) -> None:
        """Forget all files, because they were deleted."""
        self._content.clear()
        self._names.clear()

    @contextmanager
    def watching(self) -> Iterator[None]:
        fsync = os.fsync

        def watched(handle: int) -> None:
            fsync(handle)
            self.sync(os.readlink(f"/proc/self/fd/{handle}"))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", watched)
            yield

    def cut(self, location: Path, to: Path, damage: Callable[[Path], None], *, ahead: bool) -> int:
        """Copy an index as a power cut would leave it; return how many files it loses or damages.

        Args:
            ahead: whether the disk had written names and manifests already, but not the rest.
        """
        shutil.copytree(location, to, copy_function=_copy)
        count = 0
        for copy in [each for each in to.rglob("*") if each.is_file() and each.stat().st_size]:
            file, above = location / copy.relative_to(to), copy.relative_to(to).parents
            if ahead and copy.suffix == ".manifest":
                continue
            path = {str(file), *(str(location / each) for each in list(above)[:-1])}
            if not ahead and not path <= self._names:
                copy.unlink()
            elif self._key(file) not in self._content:
                damage(copy)
            else:
                continue
            count += 1
        return count

    @staticmethod
    def _key(name: str | Path) -> tuple[int, int]:
        with suppress(FileNotFoundError):
            stat = os.stat(name)
            return stat.st_ino, stat.st_mtime_ns
        return 0, 0


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see what is synced")
def test_a_power_cut_at_any_commit_keeps_all_that_was_reported(folders: Folders, tmp_path: Path) -> None:
    disk, location = Disk(), tmp_path / "index"
    shutil.copytree(folders.before, location)
    for each in [location, *location.rglob("*")]:
        disk.sync(str(each))
    lost: dict[Path, int] = {}
    reported: set[str] = set()
    cuts: dict[Path, set[str]] = {}

    def cut(count: int) -> None:
        if THOROUGH or count % 6 == 1:
            for ahead in (True, False) if THOROUGH else [count % 4 == 1]:
                copy = tmp_path / f"{count}-{ahead}"
                lost[copy] = disk.cut(location, copy, DAMAGES[count % 3], ahead=ahead)
                cuts[copy] = set(reported)

    def report(self: Writer, results: Sequence[EncodedVideo | Failed]) -> list[EncodedVideo | Failed]:
        done = add(self, results)
        reported.update(str(each.path) for each in done if isinstance(each, EncodedVideo))
        return done

    add = Writer.add
    with disk.watching(), index_run.count_commits(cut), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Writer, "add", report)
        index_run.second_run(str(location))
    assert sum(count > 0 for count in lost.values()) > len(lost) / 2
    for copy, paths in cuts.items():
        rows = content(copy)
        windows = Counter(row["path"] for row in rows["windows"])
        done = {row["path"]: row["windows"] for row in rows["videos"] if row["windows"]}
        assert windows == done  # the tables agree
        assert paths <= done.keys()
        check_rerun(copy, folders)


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to see what is synced")
def test_a_new_index_is_durable_even_if_another_was_there(tmp_path: Path) -> None:
    """The new one's manifests have the same names."""
    disk, index = Disk(), VideoIndex(tmp_path / "folder" / "index")
    with disk.watching():
        for round_, cut in enumerate((tmp_path / "first", tmp_path / "second")):
            disk.sync(str(tmp_path))
            index.bind(CARD)
            with index.writer() as writer:
                writer.add([random_video(f"/v/{round_}.mp4")])
            assert disk.keeps(Path(index.location))
            assert disk.keeps(Path(index.location).parent)
            disk.cut(Path(index.location), cut, zero, ahead=False)
            assert [video.info.path.stem for video in VideoIndex(cut).videos()] == [str(round_)]
            assert {report.state for report in examine(cut)} == {"good"}
            shutil.rmtree(tmp_path / "folder")
            disk.lose()


def files_of(folders: Folders, root: Path) -> list[Path]:
    """Return files that the last run made: of each kind and table the newest that counts, or all."""
    location = root / "whole"
    index_files = [file for file in location.rglob("*.*") if file.is_file() and ".lance" in str(file.parent)]
    old = {file.name for file in folders.before.rglob("*")}
    new = [file for file in index_files if file.name not in old]
    if not THOROUGH:
        newest: dict[Path, Path] = {}
        for file in sorted(new, key=lambda file: file.stat().st_mtime_ns):
            newest[file.parent] = file
        new = [file for file in newest.values() if "_transactions" not in str(file)]
    return [file.relative_to(location) for file in [*new, location / HEAD]]


def test_with_any_file_damaged_it_is_read_and_mended(folders: Folders, tmp_path: Path) -> None:
    """Even files that were synced: a disk can be faulty."""
    files = files_of(folders, folders.before.parent)
    assert {file.parts[1] for file in files[:-1]} >= {"data", "_versions", "_deletions", "_indices"}
    mended = 0
    for number, file in enumerate(files):
        for damage in DAMAGES if THOROUGH else [DAMAGES[number % 3]]:
            location = tmp_path / f"{number}-{damage.__name__}"
            shutil.copytree(folders.before.parent / "whole", location)
            damage(location / file)
            check_reading(location)
            found = examine(location)
            reports = repair(location)
            assert [report.state != "good" for report in reports] == [rep.state != "good" for rep in found]
            assert {report.state for report in examine(location)} == {"good"}
            mended += any(report.state == "mended" for report in reports)
            if THOROUGH or number % 4 == 0:
                check_rerun(location, folders)
    assert mended >= len(files) / 2


def check_reading(location: Path) -> None:
    """A reader finds what an older state had, and the summary tells of that state."""
    index = VideoIndex(location, create=False)
    (best,) = index.search(index_run.BEFORE[5].windows[0].vector, top=1)[0].windows
    assert str(best.path) == "/v/5.mp4"
    assert index.picture("id-/v/5.mp4", 0.0) == b"jpeg /v/5.mp4 0 0"
    assert len(index.videos()) >= 9
    check_summary(location)


def test_without_repair_the_next_run_mends_it(folders: Folders, tmp_path: Path) -> None:
    files = files_of(folders, folders.before.parent)
    for number, file in enumerate(files):
        if THOROUGH or number % 3 == 0:
            location = tmp_path / str(number)
            shutil.copytree(folders.before.parent / "whole", location)
            DAMAGES[(number + 1) % 3](location / file)
            check_rerun(location, folders)


def test_killed_at_any_commit_of_a_repair_the_next_one_completes(folders: Folders, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folders.before.parent / "whole", damaged)
    for name in ("windows", "videos"):
        empty(newest(VideoIndex(damaged), name))
    halve(newest(VideoIndex(damaged), "pictures", "data/*"))

    class KilledError(BaseException):
        pass

    target, finished = 0, False

    def stop(count: int) -> None:
        if count == target:
            raise KilledError

    while not finished:
        target += 1 if THOROUGH else 3
        location = tmp_path / str(target)
        shutil.copytree(damaged, location)
        with index_run.count_commits(stop), suppress(KilledError):
            repair(location)
            finished = True
        repair(location)
        assert {report.state for report in examine(location)} == {"good"}
        if THOROUGH or finished:
            check_rerun(location, folders)
    assert target > 5


def test_a_repair_killed_again_and_again_at_any_time(folders: Folders, tmp_path: Path) -> None:
    location = tmp_path / "index"
    shutil.copytree(folders.before.parent / "whole", location)
    empty(newest(VideoIndex(location), "windows"))
    halve(newest(VideoIndex(location), "pictures", "data/*"))
    for after_seconds in (0.03, 0.1, 0.2):
        run_and_kill(location, "repair", after_seconds=after_seconds)
    assert run_and_kill(location, "repair", call=1) in {-signal.SIGKILL, 0}  # 0: it was mended already
    repair(location)
    check_rerun(location, folders)
