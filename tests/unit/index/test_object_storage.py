"""An index in object storage: a server of buckets on this machine, and the damage that a bucket can have."""

from __future__ import annotations

import json

import pytest
from buckets import Storage, copy_objects
from random_videos import new_index, random_video, rows_of

from centerclip.cli import main
from centerclip.index import VideoIndex


class Bucket:
    """A copy of an index in a bucket of its own, and its objects."""

    def __init__(self, storage: Storage, name: str, original: str) -> None:
        self._storage = storage
        self._name = storage.bucket(name)
        copy_objects(storage.client, original, self._name)
        self.index = VideoIndex(f"s3://{self._name}/index", create=False)

    def objects(self, pattern: str) -> list[str]:
        """Return the names that contain a pattern, in order."""
        return self._storage.objects(self._name, pattern)

    def delete(self, name: str) -> None:
        self._storage.client.delete_object(Bucket=self._name, Key=name)

    def empty(self, name: str) -> None:
        self._storage.client.put_object(Bucket=self._name, Key=name, Body=b"")


@pytest.fixture(scope="module")
def made() -> list[str]:
    """The name of a bucket with an index of two videos, once the first test has made it."""
    return []


@pytest.fixture
def bucket(storage: Storage, made: list[str], request: pytest.FixtureRequest) -> Bucket:
    if not made:
        name = storage.bucket("two videos in object storage")
        index = new_index(f"s3://{name}/index", random_video("/v/0.mp4"))
        with index.writer() as writer:
            writer.add([random_video("/v/1.mp4")])
            writer.finish()
        made.append(name)
    return Bucket(storage, request.node.name, made[0])


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, tuple[int, str]], str]:
    """Run `centerclip repair`; return its code, each table's rows and state, and its errors."""
    code = main(["repair", "--json", *args])
    out, err = capsys.readouterr()
    reports = map(json.loads, out.splitlines())
    return code, {report["table"]: (report["rows"], report["state"]) for report in reports}, err


GOOD = {
    "windows": (4, "good"),
    "pictures": (8, "good"),
    "videos": (2, "good"),
    "cues": (0, "good"),
    "transcripts": (0, "good"),
    "meta": (4, "good"),
}


def test_a_good_index(bucket: Bucket, capsys: pytest.CaptureFixture[str]) -> None:
    for check in (["--check"], []):
        assert run(capsys, "--index", bucket.index.location, *check)[:2] == (0, GOOD)
    assert len(rows_of(VideoIndex(bucket.index.location, create=False))) == 4


@pytest.mark.parametrize(
    ("table", "harm"), [("windows", "delete"), ("pictures", "empty"), ("videos", "delete")]
)
def test_rows_that_cannot_be_read_are_dropped(
    bucket: Bucket, table: str, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    getattr(bucket, harm)(bucket.objects(f"{table}.lance/data/")[0])
    index = ("--index", bucket.index.location)
    code, tables, err = run(capsys, "--check", *index)
    assert (code, tables) == (1, GOOD | {table: (GOOD[table][0], "damaged")})
    assert "To mend it: centerclip repair" in err
    code, tables, err = run(capsys, *index)
    halves = {name: (rows // 2, "mended" if name == table else "good") for name, (rows, _) in GOOD.items()}
    assert (code, tables) == (0, halves | {"meta": GOOD["meta"]})
    assert "To encode files again that lost something" in err
    assert run(capsys, "--check", *index)[0] == 0
    (left,) = bucket.index.videos()
    lost = random_video("/v/1.mp4" if left.info.path.name == "0.mp4" else "/v/0.mp4")
    with bucket.index.writer() as writer:
        writer.add([lost])
        writer.finish()
    assert run(capsys, "--check", *index)[:2] == (0, GOOD)


def test_an_older_state_is_used_if_the_newest_is_gone(
    bucket: Bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    newest = bucket.objects("windows.lance/_versions/.*manifest")[0]  # their numbers descend
    bucket.delete(newest)
    index = ("--index", bucket.index.location)
    code, tables, _ = run(capsys, "--check", *index)
    assert (code, tables["windows"], tables["videos"]) == (1, (2, "good"), (2, "damaged"))
    code, tables, _ = run(capsys, *index)
    assert (code, tables["windows"], tables["videos"]) == (0, (2, "good"), (1, "mended"))
    assert run(capsys, "--check", *index)[0] == 0


@pytest.mark.parametrize("table", ["windows", "meta"])
def test_what_cannot_be_mended(bucket: Bucket, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    bucket.empty(bucket.objects(f"{table}.lance/_versions/.*manifest")[0])
    for check in (["--check"], []):
        code, tables, err = run(capsys, "--index", bucket.index.location, *check)
        assert (code, tables) == (1, {})
        (line,) = err.splitlines()
        assert line.startswith(f"error: the index {bucket.index.location} can't be mended: ")
        assert line.endswith("restore the index from a backup, or delete it and index the videos again")
