"""Speech recognition, with a model in place of faster-whisper's at the border of that package."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from subtitled import make_talking
from videos import make_video

from centerclip.errors import ModelError, VideoError
from centerclip.records import Cue
from centerclip.speech import Recognizer, recognition

WITHOUT = pytest.mark.skipif(
    importlib.util.find_spec("faster_whisper") is None, reason="needs the extra `speech`"
)


class FakeWhisper:
    """Says how loud each second of sound is."""

    made: ClassVar[list[FakeWhisper]] = []

    def __init__(self, name: str, device: str) -> None:
        self.name, self.device = name, device
        self.languages: list[str | None] = []
        self.lengths: list[float] = []
        FakeWhisper.made.append(self)

    def transcribe(self, sound: np.ndarray, *, language: str | None, vad_filter: bool) -> tuple[Any, Any]:
        assert sound.dtype == np.float32
        assert vad_filter
        self.languages.append(language)
        self.lengths.append(len(sound) / 16_000)

        def segments() -> Iterator[Any]:
            for second in range(len(sound) // 16_000):
                part = sound[second * 16_000 + 2000 : (second + 1) * 16_000 - 2000]
                if np.abs(part).mean() > 0.1:
                    yield SimpleNamespace(start=second + 0.1, end=second + 0.9, text=" loud ")
            yield SimpleNamespace(start=0.0, end=1.0, text="  ")

        return segments(), SimpleNamespace(language="en")


@pytest.fixture
def whisper(monkeypatch: pytest.MonkeyPatch) -> list[FakeWhisper]:
    module = ModuleType("faster_whisper")
    module.WhisperModel = FakeWhisper  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", module)
    FakeWhisper.made.clear()
    return FakeWhisper.made


def test_what_is_heard_becomes_cues(tmp_path: Path, whisper: list[FakeWhisper]) -> None:
    path = make_talking(tmp_path / "talking.mp4", [False, True, False, True])
    recognizer = Recognizer("small", device="cuda:1")
    track = recognizer.listen(path)
    assert track is not None
    assert (track.source, track.language) == ("model small", "en")
    assert track.cues == (Cue(1.1, 1.9, "loud"), Cue(3.1, 3.9, "loud"))
    assert (whisper[0].name, whisper[0].device) == ("small", "cuda")


def test_long_sound_is_heard_in_pieces_that_end_where_it_is_quiet(
    tmp_path: Path, whisper: list[FakeWhisper], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognition, "_PIECE_SECONDS", 6)
    monkeypatch.setattr(recognition, "_QUIET_SECONDS", 4)
    monkeypatch.setattr("centerclip.video.hearing.SOUND_PIECE_SECONDS", 1.5)
    loud = [True, True, True, False, True, True, True, True]
    recognizer = Recognizer("small")
    track = recognizer.listen(make_talking(tmp_path / "talking.mp4", loud))
    assert track is not None
    first, *_ = whisper[0].lengths
    assert 3 < first < 4  # in the silence
    assert sum(whisper[0].lengths) == pytest.approx(8, abs=0.2)
    assert whisper[0].languages == [None, "en"]
    assert all(0 <= cue.start_seconds < 8 for cue in track.cues)
    assert [cue.start_seconds for cue in track.cues] == sorted({cue.start_seconds for cue in track.cues})


def test_a_silent_and_a_broken_file(tmp_path: Path, whisper: list[FakeWhisper]) -> None:
    recognizer = Recognizer("small")
    track = recognizer.listen(make_video(tmp_path / "silent.mp4"))
    assert track is not None
    assert track.cues == ()
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    with pytest.raises(VideoError, match="bad.mp4: is not a video"):
        recognizer.listen(tmp_path / "bad.mp4")


def test_it_stops_on_request(tmp_path: Path, whisper: list[FakeWhisper]) -> None:
    path = make_talking(tmp_path / "talking.mp4", [True] * 3)
    assert Recognizer("small").listen(path, should_stop=lambda: True) is None


def test_without_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ModelError, match=r"pip install 'centerclip\[speech\]'"):
        Recognizer("small")


@WITHOUT
def test_a_model_that_is_missing_or_incomplete_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own errors, on one line and with the remedy."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "empty").mkdir()
    wrong = {
        str(tmp_path / "gone"): "there is no speech model at .*gone",
        "~/no-such-model": "there is no speech model at ~/no-such-model",
        str(tmp_path / "empty"): r"empty can't be loaded \(Unable to open file 'model.bin'",
        "no-such-size": r"no-such-size can't be loaded \(Invalid model size 'no-such-size'\)",
        "nobody/no-such-model": "nobody/no-such-model can't be loaded",
    }
    for name, reason in wrong.items():
        with pytest.raises(ModelError, match=rf"{reason}.*: give the folder of a downloaded") as caught:
            Recognizer(name)
        assert "\n" not in str(caught.value)
