"""Web servers: what they may do to this machine, and what they do wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import httpx
import pytest
from web_files import WebFiles, web_files

from centerclip.remote import Address, web
from centerclip.remote.access import ChangedError


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebFiles]:
    monkeypatch.setattr(web, "BACKOFF_SECONDS", 0.0)
    (tmp_path / "a.mp4").write_bytes(bytes(range(256)) * 4000)
    with web_files(tmp_path) as state:
        yield state


@pytest.fixture
def address(site: WebFiles) -> Address:
    return Address(site.address("a.mp4"))


def test_reads_ranges_through_few_blocks(site: WebFiles, address: Address) -> None:
    content = (site.folder / "a.mp4").read_bytes()
    with address.open("rb") as file:
        for place, size in ((0, 10), (600_000, 5), (599_990, 20), (len(content) - 3, 10), (262_140, 4)):
            file.seek(place)
            assert file.read(size) == content[place : place + size]
        assert [span for method, _, span in site.asked if method == "GET"] == [
            "bytes=0-262143",
            "bytes=524288-786431",
            f"bytes=786432-{len(content) - 1}",
        ]
        file.seek(0)
        assert file.read() == content
    assert site.sent_bytes == len(content)


def test_redirects(site: WebFiles, address: Address, monkeypatch: pytest.MonkeyPatch) -> None:
    site.redirects["/b.mp4"] = "/a.mp4"
    assert Address(site.address("b.mp4")).status() == address.status()
    site.redirects["/loop.mp4"] = "/loop.mp4"
    with pytest.raises(OSError, match="redirects without end"):
        Address(site.address("loop.mp4")).status()
    with web_files(site.folder) as other:
        site.redirects["/c.mp4"] = other.address("a.mp4")
        with pytest.raises(OSError, match="redirects to a private network"):
            Address(site.address("c.mp4")).status()
        assert other.asked == []
        # A name that is public when it is looked up, and private when it is connected to.
        monkeypatch.setattr(web, "_look_up", lambda _: ["8.8.8.8"])
        with pytest.raises(OSError, match="redirects to a private network"):
            Address(site.address("c.mp4")).status()
        assert other.sent_bytes == 0
    site.redirects["/d.mp4"] = "file:///etc/passwd"
    with pytest.raises(OSError, match="redirects from http to file"):
        Address(site.address("d.mp4")).status()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fe80::1%eth0", "::ffff:192.168.0.1", "x"]
)
def test_private_hosts(host: str) -> None:
    assert not web._is_public(host)
    assert web._is_public("93.184.216.34")


def test_only_a_missing_file_is_missing(site: WebFiles) -> None:
    with pytest.raises(FileNotFoundError):
        Address(site.address("gone.mp4")).status()
    site.down = True
    with pytest.raises(OSError, match="its server failed \\(503\\)") as error:
        Address(site.address("gone.mp4")).status()
    assert not isinstance(error.value, FileNotFoundError)
    with pytest.raises(OSError, match="its server can't be reached \\(ConnectError\\)"):
        Address("http://127.0.0.1:9/a.mp4").status()


def test_a_server_that_sends_next_to_nothing_is_not_waited_for(
    site: WebFiles, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = iter(range(0, 10**6, 40))
    status = address.status()
    monkeypatch.setattr(web, "monotonic", lambda: next(seconds))
    with pytest.raises(OSError, match="its server sends next to nothing"):
        web.WEB.read(address, status, 0, 100)
    assert len([span for method, _, span in site.asked if method == "GET"]) == 1  # nor asked again
    with pytest.raises(OSError, match="its server sends next to nothing"):
        list(web.WEB.whole(address, status))


@pytest.mark.parametrize("size", ["9" * 19, "9" * 5000, "-1", "٣"])
def test_a_size_that_no_file_has(
    site: WebFiles, address: Address, size: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lie(self: object, method: str, address: Address, headers: object = None) -> object:
        return nullcontext(httpx.Response(206, headers={"Content-Range": f"bytes 0-0/{size}".encode()}))

    monkeypatch.setattr(web.Web, "_answer", lie)
    with pytest.raises(OSError, match="its server doesn't say how large it is"):
        address.status()


def test_broken_connection_is_tried_again(site: WebFiles, address: Address) -> None:
    site.break_after = 100
    with address.open("rb") as file:
        assert file.read(5) == bytes(range(5))


def test_changed_file_is_not_mixed(site: WebFiles, address: Address) -> None:
    with address.open("rb") as file:
        file.read(5)
        (site.folder / "a.mp4").write_bytes(bytes(1_024_000))
        file.seek(500_000)
        with pytest.raises(ChangedError, match="changed meanwhile"):
            file.read(5)
