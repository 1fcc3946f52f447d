"""The player: its address, its keys, and files that browsers don't play."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from browsing import LAPTOP, PHONE, ZOOMED, Open, cards, faults_by_axe, playing_at, search
from page_server import CAR_QUERY, ROCKET_QUERY, serving
from playwright.sync_api import Page, expect
from serving import fill
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser

NO_CLIPBOARD = "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('only over HTTPS')); }"
REFUSES_SOUND = """{
  const play = HTMLMediaElement.prototype.play;
  HTMLMediaElement.prototype.play = function () {
    return this.muted ? play.call(this) : Promise.reject(new DOMException("no gesture", "NotAllowedError"));
  };
}"""
NEXT_IS_LOADED = """() => {
  const next = document.querySelectorAll("#screen video")[1];
  return next.readyState >= 3 && next.buffered.end(0) > next.duration - 0.2;
}"""
AT = "() => Number(document.getElementById('scrub').value)"


@pytest.fixture(scope="module")
def films(encoder: VideoEncoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of two films that Chromium doesn't play: one in AVI, one in HEVC."""
    folder = tmp_path_factory.mktemp("films")
    (folder / "videos").mkdir()
    make_video(folder / "videos" / "long.avi", codec="mpeg4", frames=400, rate=10, draw=_moving)
    quiet = {"x265-params": "log-level=none"}
    phone = folder / "videos" / "phone.mp4"
    make_video(phone, codec="libx265", frames=40, rate=10, options=quiet, draw=_moving)
    index = VideoIndex(folder / "index")
    fill(encoder, index, folder / "videos")
    with serving(index, encoder, cache_folder=folder / "cache", folders=(folder / "videos",)) as address:
        yield address


def _moving(number: int) -> np.ndarray:
    picture = np.full((48, 64, 3), 90, np.uint8)
    picture[:, number % 60 : number % 60 + 4] = 255
    return picture


def at(page: Page) -> float:
    """Where in the file the player is, in seconds."""
    return float(page.evaluate(AT))


def open_first(page: Page) -> None:
    page.locator(".open").first.click()
    playing_at(page)


def test_the_player_has_an_address_that_back_leaves_and_others_can_open(visit: Open, address: str) -> None:
    page = visit(address).page
    search(page, ROCKET_QUERY)
    before = page.url
    open_first(page)
    assert re.search(r"video=\w+&at=\d", page.url)
    shared = page.url
    page.go_back()
    expect(page.locator("#player")).to_be_hidden()
    assert page.url == before
    expect(cards(page).first).to_be_visible()
    page.go_forward()
    expect(page.locator("#player")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#player")).to_be_hidden()
    page.wait_for_url(before)

    other = visit(shared).page
    expect(other.locator("#player-title")).to_have_text("night/sky.mp4")
    start = float(shared.partition("at=")[2].partition("-")[0])
    assert start - 0.1 <= playing_at(other) <= start + 9
    expect(other.locator("#curve .line")).to_have_count(1)
    other.add_init_script(REFUSES_SOUND)
    other.reload()
    expect(other.locator("#player-note")).to_contain_text("Sound is off until you turn it on")
    playing_at(other)
    expect(other.get_by_role("button", name="Mute")).to_have_attribute("aria-pressed", "true")
    other.get_by_role("button", name="Close").click()
    expect(cards(other).first).to_be_visible()
    other.wait_for_url(lambda url: "video=" not in url)


def test_a_search_right_after_the_player_has_closed_is_kept(visit: Open, address: str) -> None:
    page = visit(address).page
    search(page, ROCKET_QUERY)
    open_first(page)
    page.evaluate(
        """async (words) => {
          const left = new Promise((resolve) => addEventListener("popstate", resolve, { once: true }));
          const player = document.getElementById("player");
          const closed = new Promise((resolve) => player.addEventListener("close", resolve, { once: true }));
          player.close();
          await closed;
          document.getElementById("query").value = words;
          document.getElementById("search").requestSubmit();
          await left;
        }""",
        CAR_QUERY,
    )
    page.wait_for_url(f"**/?q={CAR_QUERY.replace(' ', '+')}")
    expect(page.locator("#heading")).to_contain_text(CAR_QUERY)
    expect(page.get_by_label("Describe the moment")).to_have_value(CAR_QUERY)
    page.go_back()
    expect(page.locator("#heading")).to_contain_text(ROCKET_QUERY)
    expect(page.locator("#player")).to_be_hidden()


def test_the_link_of_a_moment_is_copied(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={CAR_QUERY}", permissions=["clipboard-read", "clipboard-write"]).page
    open_first(page)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#player-note")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url
    page.get_by_role("button", name="Copy path").click()
    expect(page.locator("#player-note")).to_have_text("Path copied")
    path = page.evaluate("navigator.clipboard.readText()")
    assert Path(path).is_absolute()
    assert path.endswith("/town/car.mp4")
    page.evaluate("navigator.clipboard.writeText('')")
    page.evaluate(NO_CLIPBOARD)
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#player-note")).to_have_text("Link copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_keys_seek_shuttle_and_mark_a_moment(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}").page
    open_first(page)
    page.keyboard.press("k")
    page.wait_for_function("() => video.paused")
    begin = at(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_function(f"() => Math.abs(video.currentTime - {begin} - 1) < 0.3")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_function(f"() => Math.abs(video.currentTime - {begin} - 6) < 0.3")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function(f"() => Math.abs(video.currentTime - {begin} - 5) < 0.3")
    assert page.evaluate("video.paused")
    page.keyboard.press("l")
    page.wait_for_function("() => !video.paused && video.playbackRate === 1")
    page.keyboard.press("l")
    page.wait_for_function("() => video.playbackRate === 2")
    expect(page.locator("#speed")).to_have_text("2×")
    page.keyboard.press("k")
    page.wait_for_function("() => video.paused && video.playbackRate === 1")
    there = page.evaluate("video.currentTime")
    page.keyboard.press("j")
    page.wait_for_function(f"() => video.currentTime < {there} - 0.5")
    page.keyboard.press("k")

    page.evaluate("video.currentTime = 2")
    page.wait_for_function(
        "() => !video.seeking && Math.abs(document.getElementById('scrub').value - 2) < 0.1"
    )
    page.keyboard.press("i")
    page.evaluate("video.currentTime = 4")
    page.wait_for_function(
        "() => !video.seeking && Math.abs(document.getElementById('scrub').value - 4) < 0.1"
    )
    page.keyboard.press("o")
    expect(page.locator("#player-range")).to_have_text("0:02.0 – 0:04.0")
    assert "at=2-4" in page.url
    page.keyboard.press("Space")
    page.wait_for_function("() => video.currentTime > 3")
    page.wait_for_function("() => video.currentTime < 2.9")  # it loops
    assert faults_by_axe(page) == []


def test_a_converted_film_runs_on_without_a_stall(visit: Open, films: str) -> None:
    opened = visit(films)
    opened.expected = "ERR_FAILED"
    page = opened.page
    cards(page).filter(has_text="long.avi").locator(".open").click()
    playing_at(page)
    page.wait_for_function(NEXT_IS_LOADED)
    page.route("**/excerpts/**", lambda route: route.abort())  # whatever comes now, is too late
    end = page.evaluate("video.duration")
    assert end < 10, "the first piece is short, so that it begins soon"
    page.evaluate("video.currentTime = video.duration - 0.5")
    page.wait_for_function(f"{AT} > {end} + 0.7")
    assert page.evaluate("[video.error, video.hidden]") == [None, False]
    page.unroute("**/excerpts/**")
    id_ = re.search(r"video=(\w+)", page.url)[1]
    page.route("**/excerpts/*start=16.00&end=28.00", lambda route: route.abort())
    with page.expect_request("**/excerpts/**") as first:
        page.goto(f"{films}/?video={id_}&at=10-30")
    assert "start=10.00&end=16.00" in first.value.url, "a long moment begins soon, too"
    playing_at(page)
    page.keyboard.press("l")
    page.wait_for_function(f"{AT} > 16.2")
    assert page.evaluate("video.playbackRate") == 2, "also after a piece that didn't come in time"
    page.keyboard.press("k")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("j")
    page.wait_for_function(f"{AT} < 14.5")
    page.keyboard.press("k")
    assert ["start=10.00&end=16.00" in url for url in asked] == [True], asked


def test_a_browser_that_plays_hevc_gets_the_file_itself(visit: Open, films: str) -> None:
    page = visit(films).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    cards(page).filter(has_text="phone.mp4").locator(".open").click()
    playing_at(page)
    assert not any("/media/" in url for url in asked)
    assert any("/excerpts/" in url for url in asked)
    page.add_init_script(
        "const before = HTMLMediaElement.prototype.canPlayType;"
        "HTMLMediaElement.prototype.canPlayType = function (type) {"
        "  return type.includes('hvc1') ? 'probably' : before.call(this, type); };"
    )
    page.goto(films)
    asked.clear()
    cards(page).filter(has_text="phone.mp4").locator(".open").click()
    playing_at(page)  # this one claims too much, so it gets excerpts in the end
    assert "/media/" in next(url for url in asked if "/media/" in url or "/excerpts/" in url)


def test_timelines_of_one_query_have_one_scale(visit: Open, address: str) -> None:
    """A video without the query's thing has a low curve, instead of one as high as the best hit's."""
    page = visit(f"{address}/?q={CAR_QUERY}").page
    open_first(page)
    line = page.locator("#curve .line")
    expect(line).to_have_count(1)
    assert _highest(page) <= 10
    boat = next(
        v for v in page.request.get(f"{address}/api/videos").json()["videos"] if v["name"] == "boat.mp4"
    )
    page.goto(f"{address}/?q={CAR_QUERY}&video={boat['video_id']}&at=0-4")
    expect(line).to_have_count(1)
    assert _highest(page) > 35


def _highest(page: Page) -> float:
    """The smallest y of the curve, of 70."""
    points = page.locator("#curve .line").get_attribute("points") or ""
    return min(float(point.split(",")[1]) for point in points.split())


@pytest.mark.parametrize("size", [LAPTOP, PHONE, ZOOMED, {"width": 844, "height": 390}])
def test_every_control_of_the_player_is_in_view(visit: Open, address: str, size: dict[str, int]) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}", viewport=size).page
    open_first(page)
    expect(page.locator("#moments button").first).to_be_visible()
    expect(page.locator("#player-title")).to_have_attribute("title", "night/sky.mp4")
    page.evaluate("document.getElementById('player-title').textContent = 'a/long name '.repeat(20)")
    for name in (
        "close",
        "copy-link",
        "copy-path",
        "copy-times",
        "download",
        "like",
        "select",
        "play",
        "mute",
        "full",
        "scrub",
        "set-in",
        "set-out",
        "loop",
        "tokens",
    ):
        box = page.locator(f"#{name}").bounding_box()
        assert box is not None, name
        assert min(box["x"], box["y"]) >= 0, name
        assert box["x"] + box["width"] <= size["width"] + 1, name
        assert box["y"] + box["height"] <= size["height"] + 1, name
    for button in page.locator(".player-head button, .player-foot button").all():
        if (box := button.bounding_box()) is not None:
            assert box["height"] <= 48, button.inner_text()  # its words are on one line
            assert button.inner_text() or button.locator("svg").count()
    picture = page.locator("#screen").bounding_box()
    assert picture is not None
    assert picture["height"] >= 100
    page.locator("#moments button").last.scroll_into_view_if_needed()
    expect(page.locator("#moments button").last).to_be_in_viewport()
