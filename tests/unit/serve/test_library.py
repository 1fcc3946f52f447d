"""Files as visitors know them, settings, index jobs, and the limits of excerpts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from random_videos import CARD, random_video

from centerclip.errors import ConfigError, QueryError
from centerclip.index import VideoIndex
from centerclip.serve.excerpts import ExcerptCache
from centerclip.serve.library import Library
from centerclip.serve.results import Filters
from centerclip.serve.settings import ServerSettings


def library_of(tmp_path: Path, *paths: str, folders: tuple[str, ...] = ()) -> Library:
    index = VideoIndex(tmp_path / "index")
    index.bind(CARD)
    with index.writer() as writer:
        writer.add([random_video(path) for path in paths])
    return Library(index, map(Path, folders))


def test_a_single_folder_has_no_name(tmp_path: Path) -> None:
    library = library_of(tmp_path, "/v/a.mp4", "/v/x/b.mp4", "/v/x/y/c.mp4", folders=("/v",))
    assert library.folders() == ["x", "x/y"]
    assert library.folder_of(Path("/v/x/y/c.mp4")) == "x/y"
    assert library.folder_of(Path("/v/a.mp4")) == ""


def test_several_folders_have_different_names(tmp_path: Path) -> None:
    library = library_of(tmp_path, "/a/clips/1.mp4", "/b/clips/in/2.mp4", folders=("/a/clips", "/b/clips"))
    assert library.folders() == ["clips", "clips (2)/in"]
    for name, found in (("clips", ["1.mp4"]), ("clips (2)", ["2.mp4"]), ("clips (2)/in", ["2.mp4"])):
        assert [video.info.path.name for video in library.index.videos(library.within(name))] == found
    for name in ("in", "clips/..", "clip", "' OR 1=1 --"):
        assert library.index.videos(library.within(name)) == []


def test_jobs_index_only_what_the_owner_of_the_index_gave(tmp_path: Path) -> None:
    library = library_of(tmp_path, "/home/me/v/a/1.mp4", "/home/me/v/a/b/2.mp4", "/home/me/v/c/3.mp4")
    with library.index.writer() as writer:
        writer.add_roots(["/home/me/v/a", "/home/me/v/c"])
    assert library.roots() == [Path("/home/me/v/a"), Path("/home/me/v/c")]  # not the folder around both
    assert library.folders() == ["a", "a/b", "c"]
    assert library.folder_of(Path("/elsewhere/deep/4.mp4")) == "deep"  # never absolute


def test_a_single_file_can_be_the_library(tmp_path: Path) -> None:
    library = library_of(tmp_path, "/v/x/a.mp4", folders=("/v/x/a.mp4",))
    assert library.roots() == [Path("/v/x/a.mp4")]
    assert library.folder_of(Path("/v/x/a.mp4")) == ""
    assert [video.info.path.name for video in library.index.videos(library.within(""))] == ["a.mp4"]


def test_folders_are_removed_from_messages(tmp_path: Path) -> None:
    library = library_of(tmp_path, "/v/x/1.mp4", folders=("/v",))
    library.folders()
    text = library.hide_folders(f"/v/x/1.mp4 is damaged; see {library.index.location}")
    assert text == "x/1.mp4 is damaged; see index"


@pytest.mark.parametrize("text", ["tomorrow", "2026-13-01", "9999999999", "0001-01-01T00:00+99:00"])
def test_invalid_dates_are_rejected(tmp_path: Path, text: str) -> None:
    with pytest.raises(QueryError, match="isn't a date"):
        Filters(after=text).condition(library_of(tmp_path, "/v/1.mp4"))


def test_other_hosts_need_a_token() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.0.0.9"):
        assert ServerSettings(host=host).local
    for host in ("0.0.0.0", "192.168.1.2", "::", "example.org"):
        with pytest.raises(ConfigError, match="CENTERCLIP_TOKEN"):
            ServerSettings(host=host)
        assert not ServerSettings(host=host, token="x" * 16).local
    with pytest.raises(ConfigError, match="at least 16"):
        ServerSettings(token="short")


def test_the_least_recently_used_excerpt_is_deleted_first(tmp_path: Path) -> None:
    for age, name in enumerate(("new", "used", "old")):
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(bytes(100))
        os.utime(path, (1000 - age, 1000 - age))
    cache = ExcerptCache(tmp_path, 200)
    cache._evict(keep=tmp_path / "new.mp4")
    assert {path.stem for path in tmp_path.glob("*.mp4")} == {"new", "used"}
