"""What an index is bound to, where it may be, and what it knows about its videos."""

import json
import math
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import lancedb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from random_videos import CARD, EMBED_SIZE, new_index, random_units, random_video

from centerclip.errors import FingerprintError, IndexStoreError, QueryError
from centerclip.index import FileStamp, ModelCard, VideoIndex, reading
from centerclip.index.head import FORMAT, HEAD
from centerclip.records import Failed, Window

AWKWARD = ["/v/it's.mp4", '/v/"50%" off_.mp4', "/v/Küche 日本 🎬.mp4", "/v/back\\slash.mp4", "/v/--;drop.mp4"]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> VideoIndex:
    videos = [random_video(path, windows=1 + at) for at, path in enumerate(AWKWARD)]
    broken = Failed(Path("/v/broken.mp4"), "no frames")
    return new_index(tmp_path_factory.mktemp("filled") / "index", *videos, broken)


@pytest.fixture
def index(filled: VideoIndex, tmp_path: Path) -> VideoIndex:
    """A copy that a test may change."""
    shutil.copytree(filled.location, tmp_path / "index")
    return VideoIndex(tmp_path / "index", create=False)


def test_a_new_index_is_empty_and_created_when_bound(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path / "a" / "b")
    assert index.model is None
    assert (len(index), index.version, index.videos(), index.failed()) == (0, 0, [], [])
    assert index.search(np.ones(3))[0].windows == ()
    assert index.windows("x") == []
    assert (index.picture("x", 0.0), index.id, index.roots) == (None, None, ())
    assert not (tmp_path / "a").exists()
    index.bind(CARD)
    assert VideoIndex(tmp_path / "a" / "b", create=False).model == CARD


def test_a_card_of_an_earlier_version_means_the_center() -> None:
    written = json.loads(CARD.to_json())
    del written["sampling"]
    assert ModelCard.from_json(json.dumps(written)).sampling == "center"


def test_a_missing_index_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(IndexStoreError, match=r"centerclip index PATH"):
        VideoIndex(tmp_path / "none", create=False)
    for use in (
        VideoIndex.stats,
        lambda index: index.check("x"),
        lambda index: index.export(tmp_path),
        lambda index: index.writer().__enter__(),
    ):
        with pytest.raises(IndexStoreError, match=r"centerclip index PATH"):
            use(VideoIndex(tmp_path / "none"))


def test_another_model_is_refused_with_the_remedy(index: VideoIndex) -> None:
    with pytest.raises(
        FingerprintError, match=r"made by tiny .*--model tiny --schedule B6-4,49 --reducer kmedoids.*--index"
    ):
        index.bind(replace(CARD, fingerprint="ffff", name="other"))
    with pytest.raises(FingerprintError, match="windows of 12 seconds, not 20: use --window 12"):
        index.bind(replace(CARD, window_seconds=20.0))
    with pytest.raises(FingerprintError, match=r"with 'center' sampling.*use --sampling center, or another"):
        index.bind(replace(CARD, sampling="cheapest"))
    with pytest.raises(FingerprintError, match="in floats only, not in int8: leave out --precision int8, or"):
        index.bind(replace(CARD, precision="int8"))
    index.bind(CARD)


def test_an_int8_index_also_takes_floats_and_stays_one(tmp_path: Path) -> None:
    card = replace(CARD, precision="int8")
    index = new_index(tmp_path, card=card)
    index.bind(CARD)  # from a GPU, which has no int8
    index.check(CARD.fingerprint)
    assert index.model == card
    index.bind(card)


def test_a_folder_with_other_files_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "holiday.mp4").write_bytes(b"film")
    with pytest.raises(IndexStoreError, match=r"isn't an index: it contains other files \('holiday\.mp4'\)"):
        VideoIndex(tmp_path)
    with pytest.raises(IndexStoreError, match="is a file"):
        VideoIndex(tmp_path / "holiday.mp4")
    lancedb.connect(tmp_path / "tables").create_table("recipes", data=[{"a": 1}])
    with pytest.raises(IndexStoreError, match=r"recipes\.lance"):
        VideoIndex(tmp_path / "tables")


def test_an_empty_folder_and_hidden_files_are_fine(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").touch()
    new_index(tmp_path)
    VideoIndex(str(tmp_path), create=False)


def test_an_interrupted_creation_starts_over(tmp_path: Path) -> None:
    for name in ("windows", "meta"):  # killed before the first commit of a table
        (tmp_path / f"{name}.lance" / "data").mkdir(parents=True)
        (tmp_path / f"{name}.lance" / "data" / "rows.lance").write_bytes(b"half")
    lancedb.connect(tmp_path).create_table("videos", schema=pa.schema([("of_another_size", pa.int8())]))
    assert len(new_index(tmp_path, random_video("/v/a.mp4"))) == 2


def test_rows_of_an_unknown_model_are_not_touched(tmp_path: Path) -> None:
    lancedb.connect(tmp_path).create_table("windows", data=[{"vector": [1.0]}])
    with pytest.raises(IndexStoreError, match="holds a table windows with rows"):
        VideoIndex(tmp_path).bind(CARD)
    assert lancedb.connect(tmp_path).open_table("windows").count_rows() == 1


@pytest.mark.parametrize(
    ("number", "remedy"),
    [("1", "centerclip index PATH --index NEW"), (str(FORMAT + 1), "upgrade centerclip")],
)
def test_another_format_is_refused_with_the_remedy(index: VideoIndex, number: str, remedy: str) -> None:
    head = Path(index.location, HEAD)
    head.write_text(json.dumps(json.loads(head.read_text()) | {"format": number}))
    check_format(index.location, number, remedy)
    head.unlink()
    index._store.newest("meta").update(where="key = 'format'", values={"value": number})
    check_format(index.location, number, remedy)


def check_format(location: str, number: str, remedy: str) -> None:
    with pytest.raises(IndexStoreError, match=f"has format {number}, .* reads formats 2 and 3: .*{remedy}"):
        VideoIndex(location)


def test_a_damaged_index_is_a_one_line_error(index: VideoIndex) -> None:
    for file in Path(index.location, "windows.lance", "_versions").iterdir():
        file.unlink()
    with pytest.raises(
        IndexStoreError, match="its table windows can't be read. Run `centerclip re"
    ) as caught:
        len(VideoIndex(index.location))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", AWKWARD)
def test_awkward_paths_are_kept_and_can_be_searched(index: VideoIndex, path: str) -> None:
    wanted = random_video(path).windows[0].vector
    literal = path.replace("'", "''")
    found = index.search(wanted, top=1, where=f"path = '{literal}'")[0].windows
    assert [str(window.path) for window in found] == [path]
    assert index.picture(f"id-{path}", 0.0) == f"jpeg {path} 0 0".encode()
    assert len(index.windows(f"id-{path}")) == 1 + AWKWARD.index(path)


def test_windows_of_a_video_are_complete_and_in_time_order(index: VideoIndex) -> None:
    video = random_video(AWKWARD[3], windows=4)
    stored = index.windows(video.info.video_id)
    assert [window.window for window in stored] == [encoded.window for encoded in video.windows]
    for window in stored:
        assert (window.path, window.video_id) == (video.info.path, video.info.video_id)
        assert window.duration_seconds == video.info.duration_seconds
        assert math.isnan(window.score)
    for window, encoded in zip(stored, video.windows, strict=True):
        np.testing.assert_array_equal(window.vector, encoded.vector)
        np.testing.assert_allclose(window.segments, encoded.segments, atol=0.006)  # stored as int8
        np.testing.assert_array_equal(window.bounds, encoded.bounds)
    (second,) = index.windows(video.info.video_id, 12.0)
    assert second.window.start_seconds == 12.0
    assert index.windows(video.info.video_id, 13.0) == []


def test_times_are_rounded_to_milliseconds_and_windows_still_touch(tmp_path: Path) -> None:
    third = 100 / 3
    first, second = random_video("/v/a.mp4").windows
    first = replace(first, window=Window(0, third), bounds=np.array([0, 6.5, 7.50049, 8.5, third]))
    second = replace(second, window=Window(third, 2 * third), bounds=np.linspace(third, 2 * third, 5))
    index = new_index(tmp_path, replace(random_video("/v/a.mp4"), windows=(first, second)))
    before, after = index.windows("id-/v/a.mp4")
    assert before.window == Window(0.0, 33.333)
    assert before.bounds.tolist() == [0.0, 6.5, 7.5, 8.5, 33.333]
    assert after.window.start_seconds == after.bounds[0] == 33.333
    (found,) = index.windows("id-/v/a.mp4", third)
    assert found.window == after.window


def test_a_video_is_found_by_its_content(index: VideoIndex) -> None:
    found = index.video(f"id-{AWKWARD[0]}")
    assert found is not None
    assert str(found.info.path) == AWKWARD[0]
    assert index.video("none") is None
    assert VideoIndex(f"{index.location}-new").video("none") is None


@pytest.mark.parametrize(
    ("seconds", "at", "later"),
    [(0.0, 0, 0), (4.99, 0, 0), (5.0, 0, 5), (11.9, 0, 5), (12.0, 12, 0), (30.0, 24, 5), (999.0, 36, 5)],
)
def test_the_picture_is_the_one_shown_at_that_instant(
    index: VideoIndex, seconds: float, at: int, later: int
) -> None:
    expected = f"jpeg {AWKWARD[3]} {at // 12} {later}".encode()
    assert index.picture(f"id-{AWKWARD[3]}", seconds) == expected
    assert index.picture("none", seconds) is None


def test_the_first_picture_is_shown_before_its_start(index: VideoIndex) -> None:
    index._store.newest("pictures").delete("start_ms = 0")
    index._store.commit()
    assert index.picture(f"id-{AWKWARD[3]}", 0.0) == f"jpeg {AWKWARD[3]} 0 5".encode()


def test_videos_are_listed_by_path_in_pages(index: VideoIndex) -> None:
    everything = index.videos()
    paths = [str(video.info.path) for video in everything]
    assert paths == sorted([*AWKWARD, "/v/broken.mp4"])
    assert index.videos(offset=2, limit=3) == everything[2:5]
    many = [video for video in everything if video.windows > 3]
    assert index.videos("state = 'done' and windows > 3", limit=10) == many
    (broken,) = index.failed()
    assert (str(broken.info.path), broken.reason, broken.windows) == ("/v/broken.mp4", "no frames", 0)


@pytest.mark.parametrize("where", ["nope = 3", "path =", "path ~~ 3", "1=1; drop table x", "count(path) > 1"])
def test_the_error_of_a_bad_condition_names_the_columns(index: VideoIndex, where: str) -> None:
    with pytest.raises(QueryError, match="columns path, video_id, duration_seconds") as caught:
        index.search(random_units(0), where=where)
    assert repr(where) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(QueryError, match=r"columns path, .* state, reason, windows"):
        index.videos(where)


def test_an_empty_condition_is_no_condition(index: VideoIndex) -> None:
    assert len(index.search(random_units(0), top=99, where="")[0].windows) == 15
    assert len(index.videos("")) == 6


@pytest.mark.parametrize(
    "vector", [np.zeros(EMBED_SIZE), np.full(EMBED_SIZE, np.nan), np.full(EMBED_SIZE, np.inf), np.ones(3)]
)
def test_a_vector_without_direction_is_refused(index: VideoIndex, vector: np.ndarray) -> None:
    with pytest.raises(QueryError):
        index.search(vector)


def test_stats_add_up(index: VideoIndex) -> None:
    stats = index.stats()
    assert stats.model == CARD
    assert (stats.videos, stats.windows, stats.failed, stats.footage_seconds) == (5, 15, 1, 15 * 12.0)
    assert (stats.location, stats.search, stats.version) == (index.location, "exact", index.version)
    on_disk = sum(file.stat().st_size for file in Path(index.location).rglob("*") if file.is_file())
    assert stats.size_bytes == on_disk
    Path(index.location, "gone").symlink_to("nothing")
    assert index.stats().size_bytes == on_disk


def test_export_is_read_by_numpy_and_parquet(index: VideoIndex, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert index.export(out) == 15
    vectors = np.load(out / "img_emb" / "img_emb_0.npy")
    rows = pq.read_table(out / "metadata" / "metadata_0.parquet").to_pylist()
    assert vectors.shape == (15, EMBED_SIZE)
    for vector, row in zip(vectors, rows, strict=True):
        assert row["image_path"] == row["path"]
        (window,) = index.windows(row["video_id"], row["start_ms"] / 1000)
        np.testing.assert_array_equal(vector, window.vector)
    with pytest.raises(IndexStoreError, match="already exists"):
        index.export(out)
    (tmp_path / "file").touch()
    with pytest.raises(IndexStoreError, match="can't be written"):
        index.export(tmp_path / "file")


def test_relative_and_home_locations_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert VideoIndex("x").location == str(tmp_path / "x")
    assert VideoIndex("~/y").location == str(tmp_path / "y")
    assert VideoIndex(f"file://{tmp_path}/z").location == os.path.join(tmp_path, "z")


def test_folders_are_those_of_all_files(tmp_path: Path) -> None:
    index = VideoIndex(tmp_path / "index")
    assert index.folders() == []
    index.bind(CARD)
    with index.writer() as writer:
        writer.add([random_video(path) for path in ("/a.mp4", "/v/b.mp4", "/v/c\n/d.mp4", "/v/c\n/e.mp4")])
    assert sorted(index.folders()) == [Path("/"), Path("/v"), Path("/v/c\n")]


def test_folders_follow_every_kind_of_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    folders_of = reading._folders_of

    def count(paths: Any) -> set[str]:
        read.append(len(paths))
        return folders_of(paths)

    monkeypatch.setattr(reading, "_folders_of", count)
    index = new_index(tmp_path / "index", random_video("/v/0.mp4"), random_video("/w/1.mp4"))

    def folders() -> list[str]:
        return sorted(map(str, index.folders()))

    assert folders() == ["/v", "/w"]
    with index.writer() as writer:
        writer.add([random_video("/x/2.mp4")])
        assert folders() == ["/v", "/w", "/x"]
        assert read == [2, 1]
        writer.add([random_video("/v/0.mp4", seed=1, modified=3.0)])  # as many rows as before
        assert folders() == ["/v", "/w", "/x"]
        moved = random_video("/w/1.mp4").info
        writer.move(moved.path, FileStamp(Path("/y/1.mp4"), moved.size_bytes, moved.modified_seconds))
        assert folders() == ["/v", "/x", "/y"]
        writer.remove([Path("/x/2.mp4")])
        writer.add([random_video("/z/3.mp4")])
        assert folders() == ["/v", "/y", "/z"]
        writer.finish()
    assert folders() == ["/v", "/y", "/z"]
