"""Addresses as paths: written in one way, without what grants access."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest

from centerclip.errors import VideoError
from centerclip.index.schema import is_storable, stored_path
from centerclip.remote import Address, absolute, as_place, parse_place
from centerclip.remote.address import Status, request_url


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("s3://bucket/videos/", "s3://bucket/videos"),
        ("S3://bucket/a b?c#1.mp4", "s3://bucket/a b?c#1.mp4"),
        ("HTTPS://Example.org:443/a%20b ü.mp4#t=5", "https://example.org/a%20b%20%C3%BC.mp4"),
        ("http://[::1]:8080/a.mp4", "http://[::1]:8080/a.mp4"),
        ("https://h/a.mp4?id=1/2&sig=x&X-Amz-Signature=y&token=z", "https://h/a.mp4?id=1%2F2"),
        ("https://h/a.mp4?urlSign=x&sign=y&signed_by=z&Authorization=a&access_token=b", "https://h/a.mp4"),
        (
            "https://h/a.mp4?design=3&signal=4&author=x&assigned=5",
            "https://h/a.mp4?design=3&signal=4&author=x&assigned=5",
        ),
        ("https://user:secret@h/a.mp4", "https://h/a.mp4"),
    ],
)
def test_written_in_one_way(given: str, written: str) -> None:
    place = parse_place(given)
    assert str(place) == stored_path(place) == written
    assert (str(parse_place(place)), str(as_place(written))) == (written, written)
    assert isinstance(place, Address)
    assert is_storable(place)
    assert "secret" not in repr(place)
    assert request_url(place) == (given if given.lower().startswith("http") and given != written else written)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("ftp://user:secret@host/a.mp4", "an address begins with s3://"),
        ("s3://bucket//a.mp4", "empty part"),
        ("s3://bucket/a/../b.mp4", "one of dots"),
        ("s3://", "empty part"),
        ("https://host/videos/", "folder can't be listed: name its files"),
        ("https://host", "folder can't be listed: name its files"),
        ("http:///a.mp4", "names no host"),
        ("http://h:x/a.mp4", "isn't a web address"),
    ],
)
def test_wrong_addresses(given: str, reason: str) -> None:
    with pytest.raises(VideoError, match=reason) as error:
        parse_place(given)
    assert "secret" not in str(error.value)


def test_is_a_path() -> None:
    top = parse_place("s3://bucket/videos")
    file = top / "day 1" / "a.b.MP4"
    assert isinstance(file, Address)
    assert (file.name, file.stem, file.suffix, file.container) == ("a.b.MP4", "a.b", ".MP4", "bucket")
    assert (str(file.parent), file.key) == ("s3://bucket/videos/day 1", "videos/day 1/a.b.MP4")
    assert file.is_relative_to(top)
    assert file.relative_to(top).as_posix() == "day 1/a.b.MP4"
    assert not file.is_relative_to(Path("/videos"))
    assert pickle.loads(pickle.dumps(file)) == file
    assert {file, Address(str(file))} == {file}
    assert absolute(file) is file
    assert absolute("a.mp4") == Path.cwd() / "a.mp4"
    web = parse_place("https://h/my%20film.mp4?id=1.5")
    assert (web.suffix, web.stem) == (".mp4", "my film")


def test_local_paths_stay_what_they_are(tmp_path: Path) -> None:
    assert parse_place(f"file://{tmp_path}/a.mp4") == tmp_path / "a.mp4"
    for text in ("a.mp4", "/x/s3://y", "s3:/bucket/x", "C:x"):
        assert type(as_place(text)) is type(Path())
    assert as_place(tmp_path) is tmp_path


def test_versions_differ_by_time_or_tag() -> None:
    versions = [Status(5, time, tag).version for time in (0.0, 1.7e9 + 0.9, 1.8e9) for tag in ("", "a", "b")]
    assert len(set(versions)) == 9
    assert all(float(f"{version!r}") == version for version in versions)
    assert int(versions[4]) == int(versions[3]) == 1_700_000_000
    assert sys.float_info.mant_dig == 53
