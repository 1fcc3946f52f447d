"""A server whose index is deleted and created again in the same place while it runs."""

from __future__ import annotations

import shutil
from pathlib import Path

from serving import Served, fill, serve_library, tiny_encoder
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex


def make_again(served: Served, encoder: VideoEncoder, *names: str) -> VideoIndex:
    """Delete the index, and index these videos with this model in its place."""
    shutil.rmtree(served.index.location)
    folder = served.folder.parent / "others"
    folder.mkdir(exist_ok=True)
    for at, name in enumerate(names):
        make_video(folder / name, frames=40 + 10 * at)
    index = VideoIndex(served.index.location)
    fill(encoder, index, folder)
    return index


def hits(served: Served) -> set[str]:
    answer = served.http.get("/api/search", params={"q": "a red car"})
    assert answer.status_code == 200, answer.text
    return {hit["name"] for hit in answer.json()["hits"]}


def test_it_searches_the_new_index_and_does_not_mix_models(tmp_path: Path) -> None:
    with serve_library(tmp_path) as served:
        old = hits(served)
        assert "blue.mp4" in old
        make_again(served, served.encoder, "new.mp4")
        assert hits(served) == {"new.mp4"}
        assert served.http.get("/api/stats").json()["videos"] == 1

        other = make_again(served, tiny_encoder(seed=1), "new.mp4", "newer.mp4")
        before = [video.info.path for video in other.videos()]
        for path, params in (("/api/search", {"q": "a red car"}), ("/api/search", {"q": "something else"})):
            answer = served.http.get(path, params=params)
            assert answer.status_code == 409
            assert "was made by" in answer.text
        assert served.http.get("/api/stats").json()["videos"] == 2
        job = served.http.post("/api/index", json={}).json()["job"]
        events = served.http.get(f"/api/index/{job}/events").text
        assert '"state":"failed"' in events
        assert "was made by" in events
        assert [video.info.path for video in VideoIndex(other.location).videos()] == before
