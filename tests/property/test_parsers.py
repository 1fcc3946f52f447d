"""Whatever reads text or files from outside gives a value or a one-line error."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from command_line import RECIPE
from hypothesis import given, settings
from hypothesis import strategies as st
from subtitled import ass, srt, vtt
from thorough import THOROUGH

from centerclip import TokenSchedule
from centerclip.clustering.reducers import parse_reducer
from centerclip.datasets import load_dataset
from centerclip.errors import CenterCLIPError
from centerclip.index import ModelCard, VideoIndex
from centerclip.index.head import HEAD
from centerclip.lab.study.config import load_study
from centerclip.search import parse_query
from centerclip.subtitles import write_webvtt
from centerclip.subtitles.sidecars import read_subtitle_file
from centerclip.training.config import load_config

EXAMPLES = 5000 if THOROUGH else 40

TEXTS: dict[str, tuple[Callable[[str], Any], list[str]]] = {
    "schedule": (TokenSchedule.parse, ["B6-4,49", "B3-6,49;B9-3,49", "none", "fast", "B2-4,16@0.5"]),
    "query": (parse_query, ["a dog", "2:cake + ./x.jpg", 'beach + "sun - set" - people', "-people", "10:30"]),
    "reducer": (parse_reducer, ["kmedoids", "kmedoids(metric=cosine)", "spectral(graph=knn,sigma=2.0)"]),
}

_MSRVTT = {
    "videos": [{"video_id": f"video{n}", "split": split} for n, split in enumerate(("train", "test"))],
    "sentences": [{"caption": "a dog", "video_id": f"video{n}"} for n in (0, 1)],
}
_ACTIVITYNET = {"v_a": {"duration": 9.5, "timestamps": [[0, 4.5]], "sentences": ["A man."]}}
_DIDEMO = [{"video": "a_b.mp4", "description": "the dog", "times": [[0, 0]], "dl_link": "x"}]
_HEAD = {
    "format": "2",
    "id": "0a",
    "model": json.dumps(asdict(ModelCard("f", "nano", "none", "kmedoids", 12, 4, 12.0, "float"))),
    "roots": '["/v"]',
    "versions": {"windows": 3},
}
_LSMDC = "1004_Juno_00.32.58.318\t00.32.58.318\t00.33.02.110\t00.32.58.318\t00.33.02.110\tShe stands.\n"


def read_subtitles(folder: Path) -> None:
    """Read subtitle files; whatever is in them, the cues are in order, finite, bounded and without markup."""
    for name in ("a.srt", "a.vtt", "a.ass"):
        cues = read_subtitle_file(folder / name)
        starts = [cue.start_seconds for cue in cues]
        assert starts == sorted(set(starts))
        for cue in cues:
            assert 0 <= cue.start_seconds < cue.end_seconds < 1e6
            assert 0 < len(cue.text) <= 2000
            assert cue.text.replace("\n", "").isprintable()
        write_webvtt(cues)


FILES: dict[str, tuple[Callable[[Path], Any], dict[str, bytes]]] = {
    "recipe": (lambda folder: load_config(folder / "a.toml"), {"a.toml": RECIPE.encode()}),
    "study": (
        lambda folder: load_study(folder / "a.toml"),
        {"a.toml": Path("configs/studies/reducers.toml").resolve().read_bytes()},
    ),
    "msrvtt": (
        lambda folder: load_dataset("msrvtt", "train", annotations=folder, videos=folder),
        {"MSRVTT_data.json": json.dumps(_MSRVTT).encode()},
    ),
    "msrvtt 1k-A": (
        lambda folder: load_dataset("msrvtt", "1k-A", annotations=folder, videos=folder),
        {"MSRVTT_JSFUSION_test.csv": b'key,vid_key,video_id,sentence\nret0,msr7,video7,"a dog, running"\n'},
    ),
    "msvd": (
        lambda folder: load_dataset("msvd", "test", annotations=folder, videos=folder),
        {
            "raw-captions.pkl": pickle.dumps({"a_1_2": [["a", "cat"]]}, protocol=2),
            "test_list.txt": b"a_1_2\n",
        },
    ),
    "activitynet": (
        lambda folder: load_dataset("activitynet", "val1", annotations=folder, videos=folder),
        {"val_1.json": json.dumps(_ACTIVITYNET).encode()},
    ),
    "didemo": (
        lambda folder: load_dataset("didemo", "test", annotations=folder, videos=folder),
        {"test_data.json": json.dumps(_DIDEMO).encode()},
    ),
    "lsmdc": (
        lambda folder: load_dataset("lsmdc", "test", annotations=folder, videos=folder),
        {"LSMDC16_challenge_1000_publictect.csv": _LSMDC.encode()},
    ),
    "index": (
        lambda folder: VideoIndex(folder, create=False).model,
        {HEAD: json.dumps(_HEAD).encode()},
    ),
    "subtitles": (
        read_subtitles,
        {
            "a.srt": srt((0.0, 1.5, "<i>We</i> are"), (1.0, 2.0, "engaged &amp; happy")).encode(),
            "a.vtt": vtt((0.0, 1.5, "one<00:01.000><c> two</c>"), (1.5, 2.0, "three")).encode("utf-16"),
            "a.ass": ass((0.0, 1.5, r"{\an8}We are\Nengaged"), (1.0, 2.0, r"{\p1}m 0 0{\p0}")).encode(),
        },
    ),
    "manifest of lines": (
        lambda folder: load_dataset(str(folder / "m.jsonl"), "test", videos=folder),
        {"m.jsonl": b'{"video": "a.mp4", "caption": "a dog", "start": 0, "end": 2.5, "split": "test"}\n'},
    ),
    "manifest of columns": (
        lambda folder: load_dataset(str(folder / "m.csv"), "test", videos=folder),
        {"m.csv": b"video,caption,start,end,split\na.mp4,a dog,0,2.5,test\n"},
    ),
}

_PIECES = [
    b"\0", b"-1", b"1e999", b"NaN", b"null", b"[" * 2000, b"(" * 500, b'"', b"'", b"\\", b"\xff", b"\n",
    b"\r", b"9" * 400, b"{}", b"../", b"/", b":", b";", b",", b"=", b"\xe2\x80\xae", b"\xef\xbb\xbf",
    b" " * 300,
]  # fmt: skip


@st.composite
def edited(draw: st.DrawFn, sound: bytes) -> bytes:
    """Cut, repeat and insert pieces of sound content, or replace it."""
    content = sound
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = draw(st.integers(start, min(len(content), start + 40)))
        piece = draw(st.sampled_from(_PIECES) | st.binary(max_size=8) | st.just(content[start:end] * 3))
        content = content[:start] + piece + content[end:]
    return content


def check(read: Callable[[], Any]) -> None:
    try:
        read()
    except CenterCLIPError as error:
        message = str(error)
        assert message
        assert "\n" not in message


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parse, sound = TEXTS[name]
    for text in sound:
        check(lambda text=text: parse(text))  # type: ignore[misc]

    @settings(max_examples=EXAMPLES, derandomize=not THOROUGH)
    @given(st.sampled_from(sound).flatmap(lambda text: edited(text.encode())) | st.binary(max_size=60))
    def run(content: bytes) -> None:
        check(lambda: parse(content.decode("utf-8", "surrogateescape")))

    run()


@pytest.mark.parametrize("name", FILES)
def test_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    read, files = FILES[name]

    def write(changed: dict[str, bytes]) -> None:
        for file, content in {**files, **changed}.items():
            (tmp_path / file).write_bytes(content)

    @settings(max_examples=EXAMPLES, derandomize=not THOROUGH)
    @given(
        st.sampled_from(list(files.items())).flatmap(
            lambda item: st.tuples(st.just(item[0]), edited(item[1]))
        )
    )
    def run(change: tuple[str, bytes]) -> None:
        write(dict([change]))
        check(lambda: read(tmp_path))

    write({})
    check(lambda: read(tmp_path))
    run()
