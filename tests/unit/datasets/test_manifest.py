"""Manifests in all three formats."""

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from centerclip.datasets import Dataset, load_dataset
from centerclip.errors import DatasetError

ROWS = [
    {"path": "a.mp4", "caption": "a cat, asleep", "start": None, "end": None, "split": "train"},
    {"path": "in/b.mkv", "caption": "rain", "start": 1.5, "end": 4.0, "split": "train"},
    {"path": "a.mp4", "caption": "it naps", "start": None, "end": None, "split": "train"},
    {"path": "in/b.mkv", "caption": "sun", "start": 4.0, "end": None, "split": "train"},
    {"path": "c.mp4", "caption": "a dog", "start": None, "end": 3.0, "split": "test"},
]


def manifest(table: Path, videos: Path | None, split: str = "all") -> Dataset:
    return load_dataset("manifest", split, annotations=table, videos=videos)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for name in ("a.mp4", "in/b.mkv", "c.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def write(folder: Path, suffix: str, rows: list[dict[str, object]]) -> Path:
    path = folder / f"manifest{suffix}"
    if suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_formats_agree(folder: Path, suffix: str) -> None:
    path = write(folder, suffix, ROWS)
    dataset = manifest(path, None, "train")
    assert [(v.id, v.path, v.start_seconds, v.end_seconds) for v in dataset.videos] == [
        ("a.mp4", folder / "a.mp4", None, None),
        ("in/b.mkv#t=1.5,4", folder / "in/b.mkv", 1.5, 4.0),
        ("in/b.mkv#t=4", folder / "in/b.mkv", 4.0, None),
    ]
    assert [(c.text, c.video) for c in dataset.captions] == [
        ("a cat, asleep", 0), ("it naps", 0), ("rain", 1), ("sun", 2),
    ]  # fmt: skip
    assert manifest(folder, None, "test").videos[0].id == "c.mp4#t=0,3"
    assert len(manifest(path, folder, "all").captions) == 5


def test_windows_a_millisecond_apart_have_different_ids(folder: Path) -> None:
    rows = [
        {"path": "a.mp4", "caption": "x", "start": start, "end": 99999.5} for start in (12345.678, 12345.679)
    ]
    ids = [video.id for video in manifest(write(folder, ".csv", rows), None).videos]
    assert ids == ["a.mp4#t=12345.678,99999.5", "a.mp4#t=12345.679,99999.5"]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_two_columns_are_enough(folder: Path, suffix: str) -> None:
    path = write(folder, suffix, [{"path": "a.mp4", "caption": "a cat", "license": "mine"}])
    assert manifest(path, None).captions[0].text == "a cat"
    with pytest.raises(DatasetError, match=r"manifest\S+ has no column 'split', so it has no split 'val'"):
        manifest(path, None, "val")
    with pytest.raises(DatasetError, match="no rows of split 'val'; its splits are test, train, and all"):
        manifest(write(folder, ".csv", ROWS), None, "val")


def test_paths_start_from_the_folder_of_videos(folder: Path, tmp_path: Path) -> None:
    path = write(folder / "in", ".csv", [{"path": "a.mp4", "caption": "a cat"}])
    assert manifest(path, folder).videos[0].path == folder / "a.mp4"
    with pytest.raises(DatasetError, match=r"1 of 1 videos are not in .*/in: a\.mp4"):
        manifest(path, None)
    absolute = write(folder / "in", ".csv", [{"path": str(folder / "a.mp4"), "caption": "a cat"}])
    assert manifest(absolute, None).videos[0].path == folder / "a.mp4"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"caption": " "}, r"caption is"),
        ({"path": ""}, r"path is"),
        ({"start": "soon"}, "start is 'soon'; it must be a number of seconds"),
        ({"start": "-1"}, "start is '-1'"),
        ({"end": "nan"}, "end is 'nan'"),
        ({"end": "inf"}, "end is 'inf'"),
        ({"start": "3", "end": "3"}, "end is 3 and start 3; end must come after start"),
    ],
)
def test_wrong_rows_are_named(folder: Path, suffix: str, row: dict[str, str], message: str) -> None:
    good = {"path": "a.mp4", "caption": "a cat", "start": "", "end": ""}
    path = write(folder, suffix, [good, good | row])
    with pytest.raises(DatasetError, match=rf"manifest{suffix}, (line [23]|row 2): {message}"):
        manifest(path, None)


def test_missing_columns_are_named(folder: Path) -> None:
    with pytest.raises(DatasetError, match=r"manifest\.csv has no column caption"):
        manifest(write(folder, ".csv", [{"path": "a.mp4", "text": "x"}]), None)
    with pytest.raises(DatasetError, match=r"line 1: caption is None; it must be a text"):
        manifest(write(folder, ".jsonl", [{"path": "a.mp4", "text": "x"}]), None)
    with pytest.raises(DatasetError, match=r"row 1: caption is 3"):
        manifest(write(folder, ".parquet", [{"path": "a.mp4", "caption": 3}]), None)


def test_files_that_are_not_manifests(folder: Path) -> None:
    for name, content, message in (
        ("m.jsonl", b'{"path"', "line 1: not JSON"),
        ("m.jsonl", b"[1]", "line 1: not an object"),
        ("m.parquet", b"PAR1", "not a valid Parquet file"),
        ("m.tsv", b"", r"m\.tsv is not a manifest: give a \.csv"),
        ("m.csv", b"", "has no column path, caption"),
    ):
        (folder / name).write_bytes(content)
        with pytest.raises(DatasetError, match=message):
            manifest(folder / name, None)
    with pytest.raises(DatasetError, match=r"nowhere\.csv: can't be read"):
        manifest(folder / "nowhere.csv", None)
    with pytest.raises(DatasetError, match=r"nowhere\.parquet is not a valid Parquet file"):
        manifest(folder / "nowhere.parquet", None)
    with pytest.raises(DatasetError, match=r"has no manifest\.csv or"):
        manifest(folder / "in", None)
