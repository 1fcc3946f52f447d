"""Videos on a web server: indexed, found, cut, played and served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from command_line import Run, assert_refused
from serving import fill, running, tiny_encoder
from videos import make_video
from web_files import WebFiles, web_files

from centerclip.cli import playing
from centerclip.index import VideoIndex
from centerclip.remote import web
from centerclip.serve import ServerSettings, create_app


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    folder = tmp_path / "site"
    folder.mkdir()
    make_video(folder / "a.mp4")
    make_video(folder / "secret.mp4", frames=20)
    with web_files(folder) as state:
        yield state


def test_command_line(
    run: Run, site: WebFiles, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, address = tmp_path / "index", site.address("a.mp4")
    command = ("index", "--index", place, "--model", model, "--spool", tmp_path / "spool")
    done = run(*command, f"{address}?token=hidden")
    assert (done.code, done.rows) == (0, [["indexed", address, "1", ""]])
    assert "hidden" not in done.out + done.err
    assert "Up to date: 1 video unchanged." in run(*command, address).err

    found = run("search", "x", "--index", place, "--json", "--clips", tmp_path / "clips").records[0]
    assert (found["path"], found["missing"]) == (address, False)
    assert Path(found["clip"]).stat().st_size > 0
    lists = ("--csv", tmp_path / "list.csv", "--otio", tmp_path / "l.otio")
    assert run("search", "x", "--index", place, *lists).code == 0
    assert address in (tmp_path / "list.csv").read_text()
    assert f'"target_url": "{address}"' in (tmp_path / "l.otio").read_text()
    assert run("search", "x", "--index", place, "--where", f"path = '{address}'").rows[0][0] == address

    played: list[list[str]] = []
    monkeypatch.setattr(playing, "find_player", lambda _: "mpv")
    monkeypatch.setattr("centerclip.cli.outlets.find_player", lambda _: "mpv")

    def play(command: list[str], **_: Any) -> SimpleNamespace:
        played.append(command)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(playing.subprocess, "run", play)
    assert run("search", "x", "--index", place, "--play").code == 0
    assert played[0][-1] == address

    assert_refused(run, f"{address} can't be watched", *command, address, "--watch", code=2)
    assert_refused(run, "a web server's folder can't be listed", *command, f"{site.url}/")
    gone = run("remove", address, "--index", place)
    assert (gone.code, gone.out) == (0, f"{address}\n")
    assert VideoIndex(place).roots == ()


def test_server(site: WebFiles, tmp_path: Path) -> None:
    index = VideoIndex(tmp_path / "index")
    fill(tiny_encoder(), index, site.address("a.mp4"))  # type: ignore[arg-type]
    settings = ServerSettings(port=0, cache_folder=tmp_path / "cache")
    content = (site.folder / "a.mp4").read_bytes()
    (video,) = index.videos()
    app = create_app(index, tiny_encoder(), settings)
    with running(app, settings) as served, httpx.Client(base_url=served, timeout=60) as http:
        hit = http.get("/api/search", params={"q": "x"}).json()["hits"][0]
        assert (hit["name"], hit["folder"], hit["missing"]) == ("a.mp4", "", False)
        assert site.url not in http.get("/api/search", params={"q": "x"}).text
        media = hit["media"]
        whole = http.get(media)
        assert (whole.status_code, whole.content) == (200, content)
        part = http.get(media, headers={"Range": "bytes=10-19"})
        assert (part.status_code, part.content) == (206, content[10:20])
        assert part.headers["content-range"] == f"bytes 10-19/{len(content)}"
        end = http.get(media, headers={"Range": "bytes=-5", "If-Range": part.headers["etag"]})
        assert end.content == content[-5:]
        assert http.get(media, headers={"Range": "bytes=0-1", "If-Range": '"other"'}).status_code == 200
        assert http.get(media, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
        head = http.head(media)
        assert (head.headers["content-length"], head.content) == (str(len(content)), b"")
        assert len(http.get(hit["excerpt"]).content) > 100
        assert len(http.get(hit["clip"]).content) > 100
        assert http.get(hit["thumbnail"]).headers["content-type"] == "image/jpeg"

        asked = len(site.asked)
        for path in (f"/media/{site.address('secret.mp4')}", "/media/" + "0" * 32):
            assert http.get(path).status_code == 404
        assert len(site.asked) == asked

        site.down = True
        answer = http.get(media)
        assert answer.status_code == 503
        assert "a.mp4 can't be read at the moment: its server failed (503)" in answer.text
        site.down = False
        make_video(site.folder / "a.mp4", frames=15)
        assert "was changed after it was indexed" in http.get(media).json()["error"]["message"]
        (site.folder / "a.mp4").unlink()
        gone = http.get(media)
        assert (gone.status_code, site.url in gone.text) == (410, False)
    assert video.state == "done"
