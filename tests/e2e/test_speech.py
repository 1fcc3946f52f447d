"""What is said, from subtitle files to hits: the installed command, and a real server."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from command_line import Run, in_terminal, without_escapes
from serving import Served, running, tiny_encoder
from subtitled import srt, vtt
from videos import make_video
from whisper_models import HEARD, make_spoken, make_whisper, speech

from centerclip.client import Client
from centerclip.index import VideoIndex
from centerclip.indexing import sync
from centerclip.records import Track
from centerclip.serve import ServerSettings, create_app
from centerclip.speech import Recognizer
from centerclip.subtitles import parse_subtitles


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`film.mp4` with English and German subtitles, and `silent.mp4`."""
    folder = tmp_path_factory.mktemp("said")
    make_video(folder / "film.mp4", frames=60, options={"bf": "0"})
    make_video(folder / "silent.mp4", frames=30, texture=False)
    (folder / "film.en.srt").write_text(srt((1.0, 2.0, "We <i>are</i>\nengaged"), (4.0, 5.0, "Goodbye")))
    (folder / "film.de.vtt").write_text(vtt((1.0, 2.0, "Wir sind verlobt")))
    return folder


@pytest.fixture(scope="module")
def served(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    encoder = tiny_encoder()
    index = VideoIndex(tmp_path_factory.mktemp("index") / "index")
    list(sync(index, [library], encoder))
    settings = ServerSettings(port=0, folders=(library,))
    app = create_app(index, encoder, settings)
    with running(app, settings) as address, httpx.Client(base_url=address, timeout=60) as http:
        yield Served(http, app, library, index, encoder)


def test_the_command_reads_and_finds_what_is_said(
    run: Run, model: Path, library: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(library, tmp_path / "videos"))
    (folder / "silent.srt").write_bytes(b"\0\1\2" * 500)
    first = run("index", folder, "--index", tmp_path / "i", "--model", model)
    assert first.code == 3
    assert "Read what is said in 1 video: 3 cues." in first.err
    assert "silent.srt: " in first.err
    rows = [row for row in first.rows if row[0] == "heard"]
    assert [(Path(row[1]).name, row[2]) for row in rows] == [("film.mp4", "3"), ("silent.mp4", "0")]
    assert run("index", folder, "--index", tmp_path / "i").code == 0  # listed once
    assert run("index", "--retry-failed", "--index", tmp_path / "i").code == 3
    (folder / "silent.srt").unlink()
    assert run("index", folder, "--index", tmp_path / "i").code == 0

    found = run("search", 'spoken:"we are engaged"', "--index", tmp_path / "i")
    (row,) = found.rows
    assert (Path(row[0]).name, row[1:3], row[5]) == ("film.mp4", ["0.50", "2.50"], "We are engaged")
    (hit,) = run("search", "spoken:verlobt", "--index", tmp_path / "i", "--json").records
    assert hit["reasons"] == ["said"]
    assert hit["said"] == [
        {"start": 1.0, "end": 2.0, "text": "Wir sind verlobt", "language": "de", "source": "film.de.vtt"}
    ]
    plain = run("search", "engaged", "--index", tmp_path / "i", "--json", "--tail").records
    assert "said" in plain[0]["reasons"]
    seen = run("search", "seen:engaged", "--index", tmp_path / "i", "--json", "--tail").records
    assert seen[0]["reasons"] == ["seen"]
    assert "cues\t3" in run("info", "--index", tmp_path / "i").out

    script = "import sys; from centerclip.cli import main; sys.exit(main(sys.argv[1:]))"
    shown = without_escapes(in_terminal(script, "search", "spoken:engaged", "--index", tmp_path / "i"))
    assert "0:01.0 “We are engaged”" in shown


def test_what_a_speech_model_hears_is_found_and_a_stopped_run_continues(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whisper, place = make_whisper(tmp_path / "whisper"), tmp_path / "i"
    (videos := tmp_path / "videos").mkdir()
    for seed, name in ((0, "one.mp4"), (2, "two.mp4")):
        make_spoken(videos / name, speech(3.0, seed=seed))
    make_video(videos / "silent.mp4", frames=20)
    assert "Read what is said" not in run("index", videos, "--index", place, "--model", "nano").err

    listen, heard = Recognizer.listen, []

    def listen_and_stop(self: Recognizer, path: Path, **options: Any) -> Track | None:
        track = listen(self, path, **options)
        if path.name != "silent.mp4":
            os.kill(os.getpid(), signal.SIGINT)
        return track

    def listen_and_note(self: Recognizer, path: Path, **options: Any) -> Track | None:
        heard.append(path.name)
        return listen(self, path, **options)

    monkeypatch.setattr(Recognizer, "listen", listen_and_stop)
    stopped = run("index", videos, "--index", place, "--speech", whisper)
    assert stopped.code == 130, stopped.err
    monkeypatch.setattr(Recognizer, "listen", listen_and_note)
    resumed = run("index", videos, "--index", place, "--speech", whisper)
    assert resumed.code == 0, resumed.err
    rows = [Path(row[1]).name for done in (stopped, resumed) for row in done.rows if row[0] == "heard"]
    assert sorted(rows) == ["one.mp4", "two.mp4"]
    assert "one.mp4" not in heard or "one.mp4" not in stopped.out  # nothing is heard twice

    again = run("index", videos, "--index", place, "--speech", whisper)
    assert "heard" not in {row[0] for row in again.rows}
    found = run("search", f"spoken:{HEARD}", "--index", place, "--json").records
    assert {Path(hit["path"]).name for hit in found} == {"one.mp4", "two.mp4"}
    assert found[0]["said"][0]["source"] == "model whisper"
    assert 0 <= found[0]["said"][0]["start"] < 3


def test_speech_needs_a_model_before_any_work(run: Run, library: Path, tmp_path: Path) -> None:
    refused = run("index", library, "--index", tmp_path / "i", "--speech", tmp_path / "gone")
    assert refused.code == 1
    assert refused.err.count("\n") == 1
    assert "there is no speech model at" in refused.err
    assert not (tmp_path / "i").exists()


def test_without_words_the_remedy_is_named(run: Run, indexed: Path) -> None:
    refused = run("search", "spoken:hello", "--index", indexed)
    assert refused.code == 1
    assert "put subtitles beside the videos" in refused.err


def test_the_server_says_why_a_moment_was_found(served: Served) -> None:
    answer = served.http.get("/api/search", params={"q": "spoken:engaged"}).json()
    (hit,) = answer["hits"]
    assert (hit["name"], hit["start"], hit["end"], hit["reasons"]) == ("film.mp4", 0.5, 2.5, ["said"])
    assert hit["said"][0]["text"] == "We are\nengaged"
    content = served.id_of("film.mp4")
    assert hit["subtitles"] == f"/media/{content}/subtitles.vtt"
    plain = served.http.get("/api/search", params={"q": "engaged"}).json()["hits"]
    assert "said" in plain[0]["reasons"]
    assert {one["subtitles"] != "" for one in plain if one["name"] == "silent.mp4"} <= {False}
    assert served.http.get("/api/search", params={"q": "seen:engaged"}).json()["hits"][0]["said"] == []
    assert served.http.get("/api/stats").json()["cues"] == 3


def test_cues_and_subtitles_of_a_video(served: Served) -> None:
    content, silent = served.id_of("film.mp4"), served.id_of("silent.mp4")
    cues = served.http.get(f"/api/videos/{content}/cues").json()["cues"]
    assert [(cue["start"], cue["text"]) for cue in cues] == [
        (1.0, "Wir sind verlobt"),
        (1.0, "We are\nengaged"),
        (4.0, "Goodbye"),
    ]
    assert served.http.get(f"/api/videos/{silent}/cues").json()["cues"] == []
    assert served.http.get(f"/api/videos/{'0' * 32}/cues").status_code == 404
    video = served.http.get(f"/api/videos/{content}").json()
    text = served.http.get(video["subtitles"])
    assert text.headers["content-type"] == "text/vtt; charset=utf-8"
    assert [cue.text for cue in parse_subtitles(text.content, ".vtt")] == ["Wir sind verlobt"]
    english = served.http.get(video["subtitles"], params={"source": "film.en.srt"})
    assert [cue.text for cue in parse_subtitles(english.content, ".vtt")] == ["We are\nengaged", "Goodbye"]
    assert served.http.get(video["subtitles"], params={"source": "x"}).status_code == 404
    assert served.http.get(f"/media/{silent}/subtitles.vtt").status_code == 404
    assert served.http.get(f"/api/videos/{silent}").json()["subtitles"] == ""
    listed = served.http.get("/api/videos").json()["videos"]
    assert [video["subtitles"] != "" for video in listed] == [True, False]


def test_a_curve_of_spoken_words_has_only_moments(served: Served) -> None:
    content = served.id_of("film.mp4")
    curve = served.http.get(f"/api/videos/{content}/curve", params={"q": "spoken:engaged"}).json()
    assert (curve["times"], curve["scores"]) == ([], [])
    assert [(moment["start"], moment["end"]) for moment in curve["moments"]] == [(0.5, 2.5)]


def test_conditions_of_visitors_hold_for_words(served: Served) -> None:
    def names(**params: object) -> list[str]:
        answer = served.http.get("/api/search", params={"q": "spoken:engaged", **params})
        return [hit["name"] for hit in answer.json()["hits"]]

    assert names(where="path like '%film%'") == ["film.mp4"]
    assert names(where="path like '%silent%'") == []
    assert names(min_duration=100) == []


def test_the_client_knows_what_is_said(served: Served) -> None:
    with Client(str(served.http.base_url)) as client:
        (hit,) = client.search("spoken:engaged").hits
        assert hit.reasons == ["said"]
        assert client.subtitles(hit).startswith("WEBVTT")
        assert len(client.cues(hit.video_id).cues) == 3


def test_a_job_reports_subtitles_that_it_cannot_read(served: Served) -> None:
    broken = served.folder / "film.fr.srt"
    broken.touch()
    try:
        job = served.http.post("/api/index", json={}).json()["job"]
        with served.http.stream("GET", f"/api/index/{job}/events") as events:
            last = [json.loads(line[6:]) for line in events.iter_lines() if line.startswith("data: ")][-1]
        assert (last["state"], last["states"]["heard"]) == ("done", 1)
        assert last["failures"] == [{"name": "film.mp4", "reason": "film.fr.srt: is empty"}]
    finally:
        broken.unlink()
