"""Subtitles and sound in a file, as worker processes read them."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest
from subtitled import add_subtitles, make_talking, srt
from videos import make_audio, make_video

from centerclip.errors import VideoError
from centerclip.records import Cue
from centerclip.video import VideoReader, hearing, read_sidecar, read_streams, sound_pieces

CUES = ((0.5, 1.5, "Hello <i>world</i>"), (2.0, 3.0, "next"))


@pytest.mark.parametrize(("codec", "suffix"), [("subrip", ".mkv"), ("ass", ".mkv"), ("mov_text", ".mp4")])
def test_text_streams_in_seconds_from_the_first_frame(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_video(tmp_path / f"plain{suffix}", options={"bf": "0"})
    path = add_subtitles(tmp_path / f"subtitled{suffix}", source, CUES, codec=codec)
    (track,) = read_streams(path)
    assert (track.source, track.language) == ("stream 1", "en")
    assert track.cues == (Cue(0.5, 1.5, "Hello world"), Cue(2.0, 3.0, "next"))
    assert read_streams(source) == []


def test_a_stream_begins_with_the_first_frame(tmp_path: Path) -> None:
    """Reordered frames make the first picture of a Matroska file appear late."""
    source = make_video(tmp_path / "late.mkv", options={"bf": "2"})
    path = add_subtitles(tmp_path / "subtitled.mkv", source, CUES)
    with av.open(path) as container:
        late = container.streams.video[0].start_time / 1000
    assert late > 0.05
    (track,) = read_streams(path)
    assert track.cues[0].start_seconds == pytest.approx(0.5 - late)


def test_a_cue_without_duration_lasts_until_the_next(tmp_path: Path) -> None:
    source = make_video(tmp_path / "plain.mkv", options={"bf": "0"})
    path = add_subtitles(tmp_path / "x.mkv", source, [(0.5, 0.5, "one"), (1.0, 1.0, "two")])
    (track,) = read_streams(path)
    assert track.cues == (Cue(0.5, 1.0, "one"), Cue(1.0, 3.0, "two"))


def test_a_file_that_is_no_video_has_a_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    for path in (tmp_path / "bad.mp4", make_audio(tmp_path / "sound.mp4"), tmp_path / "gone.mp4"):
        with pytest.raises(VideoError, match=rf"^{path}: \S"):
            read_streams(path)
    with pytest.raises(VideoError, match="bad.mp4: is not a video"):
        list(sound_pieces(tmp_path / "bad.mp4"))


def test_a_sidecar_is_parsed_by_a_worker(tmp_path: Path) -> None:
    (tmp_path / "film.srt").write_text(srt((1.0, 2.0, "Hi")))
    assert read_sidecar(tmp_path / "film.srt") == [Cue(1.0, 2.0, "Hi")]
    (tmp_path / "empty.srt").touch()
    os.mkfifo(tmp_path / "pipe.srt")
    for name, reason in (("empty", "is empty"), ("pipe", "isn't a file"), ("gone", "No such file")):
        with pytest.raises(VideoError, match=rf"^{tmp_path}/{name}.srt: .*{reason}"):
            read_sidecar(tmp_path / f"{name}.srt")


def test_sound_is_decoded_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hearing, "SOUND_PIECE_SECONDS", 2.0)
    path = make_talking(tmp_path / "talking.mp4", [False, True, True, False, True])
    pieces = list(sound_pieces(path))
    assert [len(piece) for piece in pieces[:2]] == [32_000, 32_000]
    sound = np.concatenate(pieces)
    assert sound.dtype == np.float32
    assert abs(len(sound) - 5 * 16_000) < 2000
    seconds = [float(np.abs(sound[at * 16_000 + 2000 : (at + 1) * 16_000 - 2000]).mean()) for at in range(5)]
    assert [loudness > 0.3 for loudness in seconds] == [False, True, True, False, True]


def test_a_video_without_sound_is_silent(tmp_path: Path) -> None:
    assert list(sound_pieces(make_video(tmp_path / "silent.mp4"))) == []


def test_a_worker_serves_frames_after_sound_that_nobody_took(tmp_path: Path) -> None:
    path = make_talking(tmp_path / "talking.mp4", [True] * 3)
    pieces = sound_pieces(path)
    next(pieces)
    pieces.close()
    with VideoReader(path) as reader:
        assert reader.frames == 30
