"""What earlier versions wrote opens, or is refused with the remedy: one of each format is in `tests/formats`.

The indexes hold `/v/a.mp4` (two windows), `/v/b.mp4` (one) and `/v/broken.mp4`, which failed, made by
`random_videos`. `index-2` is an early one of its format, `index-2-last` a late one. The models are
`clip_model()` with the schedule B2-4,8 and 4 frames; the second has a temporal embedding. Add a file with
each new format, and never change one.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from damage import zero
from random_videos import random_units, random_video
from tiny_models import clip_model, clip_tokenizer

from centerclip import CenterCLIP
from centerclip.errors import IndexStoreError
from centerclip.index import FileStamp, VideoIndex, examine, repair, summarize
from centerclip.index.head import FORMAT
from centerclip.index.versions import manifests
from centerclip.records import Cue, Track, Transcript

SAVED = Path(__file__).parents[1] / "formats"


def unpack(name: str, folder: Path) -> Path:
    with zipfile.ZipFile(SAVED / f"{name}.zip") as archive:
        archive.extractall(folder / name)
    return folder / name


def test_every_format_of_an_index_is_here() -> None:
    assert {path.stem[:7] for path in SAVED.glob("index-*")} == {f"index-{n}" for n in range(1, FORMAT + 1)}


def test_an_index_of_format_1_is_refused_with_the_remedy_and_left_alone(tmp_path: Path) -> None:
    location = unpack("index-1", tmp_path)
    before = {path: path.read_bytes() for path in location.rglob("*") if path.is_file()}
    for use in (VideoIndex, repair, lambda place: summarize(str(place), create=False)):
        with pytest.raises(
            IndexStoreError, match=r"has format 1, .* index into a new folder with `centerclip"
        ):
            use(location)
    assert {path: path.read_bytes() for path in location.rglob("*") if path.is_file()} == before


def test_an_index_of_format_2_is_read_and_written(tmp_path: Path) -> None:
    index = VideoIndex(unpack("index-2", tmp_path), create=False)
    check_content(index)
    # It has no tables of what is said yet.
    found = {report.table: (report.rows, report.state) for report in examine(index.location)}
    assert found["cues"] == found["transcripts"] == (0, "good")
    assert (len(index.spoken), index.spoken.cues("id-/v/a.mp4"), index.spoken.transcripts()) == (0, [], {})
    info = random_video("/v/c.mp4", windows=3).info
    said = Transcript((Track("c.srt", "en", (Cue(0.0, 1.0, "hello"),)),), (), "1")
    with index.writer() as writer:
        writer.add([random_video("/v/c.mp4", windows=3)])
        writer.add_transcripts([(info, said)])
        assert writer.finish().stats.windows == 6
    assert [cue.text for cue in index.spoken.cues("id-/v/c.mp4")] == ["hello"]
    assert repair(index.location)[-2].rows == 1


@pytest.mark.parametrize(
    ("name", "types"), [("index-2-last", ["float", "list"]), ("index-3", ["halffloat", "binary"])]
)
def test_an_index_goes_on_storing_embeddings_as_its_format_does(
    tmp_path: Path, name: str, types: list[str]
) -> None:
    index = VideoIndex(unpack(name, tmp_path), create=False)
    check_content(index)
    assert index.spoken.cues("id-/v/a.mp4")[0].text == "hello"
    before = index.windows("id-/v/a.mp4")
    moved, copied = (FileStamp(Path(f"/v/{name}.mp4"), 1, 1.0) for name in ("moved", "copied"))
    with index.writer() as writer:
        writer.add([random_video("/v/c.mp4", windows=3), random_video("/v/b.mp4", segments=2)])
        writer.copy([(Path("/v/a.mp4"), copied)])
        writer.move(Path("/v/a.mp4"), moved)
        assert writer.finish().stats.windows == 9
    for path in (moved.path, copied.path):  # nothing was rounded again
        spans = [(path, window.window.start_seconds, window.window.end_seconds) for window in before]
        for old, new in zip(before, index.windows_at(spans), strict=True):
            assert new is not None
            np.testing.assert_array_equal(new.vector, old.vector)
            np.testing.assert_array_equal(new.segments, old.segments)
    assert types_of(index) == types
    for file in manifests(index.location, "windows").values():
        zero(file)
    repair(index.location)  # makes the table again
    with index.writer() as writer:
        writer.add([random_video("/v/b.mp4")])
    assert (len(index), types_of(index)) == (2, types)


def check_content(index: VideoIndex) -> None:
    assert [(str(video.info.path), video.windows) for video in index.videos()] == [
        ("/v/a.mp4", 2),
        ("/v/b.mp4", 1),
        ("/v/broken.mp4", 0),
    ]
    assert index.failed()[0].reason == "no frames"
    assert index.roots == (Path("/v"),)
    stored = random_video("/v/a.mp4", windows=2).windows[1]
    (found,) = index.search(stored.vector, top=1)[0].windows
    assert (found.path, found.window) == (Path("/v/a.mp4"), stored.window)
    exact = random_units(sum(b"/v/a.mp4"), 2)[1]
    is_old = types_of(index)[0] == "float"
    np.testing.assert_array_equal(found.vector, exact if is_old else exact.astype(np.float16))
    np.testing.assert_allclose(found.segments, stored.segments, atol=1e-3 if is_old else 6e-3)
    assert index.picture("id-/v/a.mp4", 0.0) == stored.pictures[0][1].replace(b" 1 0", b" 0 0")


def types_of(index: VideoIndex) -> list[str]:
    """Return how a vector's numbers and a window's segments are stored."""
    schema = index._store.table("windows").schema
    return [str(schema.field("vector").type.value_type), str(schema.field("segments").type).split("<")[0]]


@pytest.mark.parametrize("number", [1, 2])
def test_a_model_of_every_format_is_loaded(number: int, tmp_path: Path) -> None:
    model = CenterCLIP.from_pretrained(unpack(f"model-{number}", tmp_path))
    made = CenterCLIP(
        clip_model(), "B2-4,8", frames=4, tokenizer=clip_tokenizer(), temporal=True if number == 2 else None
    )
    assert (str(model.schedule), model.frames, model.temporal is not None) == ("B2-4,8", 4, number == 2)
    frames = torch.randn(1, 4, 3, 16, 16)
    with torch.inference_mode():
        assert torch.equal(model.encode_video(frames), made.eval().encode_video(frames))
    assert model.fingerprint() == made.fingerprint()
