"""How files are cut into shards, and what becomes of the files of a lost one."""

from __future__ import annotations

from pathlib import Path

import pytest

from centerclip.distributed.shards import Shard, cut_shards
from centerclip.records import Failed, Item

PATHS = [Path(name) for name in ("a.mp4", "b.mp4", "c.mp4")]


def result_of(path: Path) -> Failed:
    return Failed(path, "any")


def ready_shard(*paths: Path, crashes: int = 0) -> Shard:
    shard = Shard.of(paths, crashes)
    shard.ready = True
    return shard


def test_a_shard_has_few_files_or_bytes(tmp_path: Path) -> None:
    small = [Item(tmp_path / f"{number}.mp4") for number in range(20)]
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.truncate(300_000_000)  # takes no room
    cut = [list(shard.left) for shard in cut_shards([*small, Item(large), *small[:2]])]
    assert [len(paths) for paths in cut] == [16, 5, 2]
    assert [path for paths in cut for path in paths] == [
        item.path for item in (*small, Item(large), *small[:2])
    ]


def test_items_are_taken_when_their_shard_is() -> None:
    taken = []

    def items() -> object:
        for number in range(40):
            taken.append(number)
            yield Item(Path(f"{number}.mp4"))

    shards = cut_shards(items())  # type: ignore[arg-type]
    next(shards)
    assert len(taken) == 16


def test_each_file_has_one_result() -> None:
    shard = Shard.of(PATHS)
    assert shard.take([result_of(PATHS[1])]) == [result_of(PATHS[1])]
    assert shard.take([result_of(PATHS[1]), result_of(Path("other.mp4"))]) == []
    assert list(shard.left) == [PATHS[0], PATHS[2]]


def test_what_is_left_of_a_lost_node_is_tried_together() -> None:
    shard = ready_shard(*PATHS)
    shard.take([result_of(PATHS[0])])
    ((again,), given_up) = shard.again(crashed=False)
    assert (list(again.left), given_up) == (PATHS[1:], [])


def test_files_are_given_up_only_after_two_crashes_alone() -> None:
    alone, given_up = ready_shard(*PATHS).again(crashed=True)
    assert ([list(shard.left) for shard in alone], given_up) == ([[path] for path in PATHS], [])
    alone[0].ready = True
    (once_more,), given_up = alone[0].again(crashed=True)
    assert given_up == []
    once_more.ready = True
    assert once_more.again(crashed=True) == ([], [PATHS[0]])


def test_a_worker_that_ends_before_it_encodes_is_not_the_files_fault() -> None:
    shard = Shard.of(PATHS[:1])
    for _ in range(4):
        (shard,), given_up = shard.again(crashed=True)
        assert given_up == []
    with pytest.raises(OverflowError):
        shard.again(crashed=True)


def test_a_file_that_ends_whole_nodes_is_given_up_in_the_end() -> None:
    shards, lost = [ready_shard(*PATHS[:2])], 0
    given_up: list[Path] = []
    while shards:
        shard = shards.pop()
        shard.ready = True
        again, hopeless = shard.again(crashed=False)
        shards, given_up, lost = [*shards, *again], [*given_up, *hopeless], lost + 1
    assert (sorted(given_up), lost) == (PATHS[:2], 5 + 2 * 10)


def test_a_task_is_silent_only_while_somebody_listens() -> None:
    """The driver may be late itself: it writes, or waits for another node."""
    shard = Shard.of(PATHS)
    assert not shard.is_silent(90, at=1000.0)  # it hasn't begun
    shard.heard = 1000.0
    assert not shard.is_silent(90, at=1090.0)
    assert shard.is_silent(90, at=1091.0)


def test_nothing_is_tried_again_without_files() -> None:
    shard = ready_shard(PATHS[0])
    shard.take([result_of(PATHS[0])])
    assert shard.again(crashed=True) == ([], [])
