"""Moments out of the page: a clip from the player, and several moments by the bar of the selection."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import pytest
from browsing import PHONE, Open, cards, faults_by_axe, playing_at, search, sideways
from page_server import ROCKET_QUERY, serving
from playwright.sync_api import Page, Route, expect
from proxying import in_a_folder
from serving import fill

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser

THERE = "at => !video.seeking && Math.abs(document.getElementById('scrub').value - at) < 0.1"
TOKEN = "a-token-of-our-own-123"


@pytest.fixture(scope="module")
def outside(encoder: VideoEncoder, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The drawn library with a token, in a folder behind a proxy: both matter to downloads."""
    folder = tmp_path_factory.mktemp("exports")
    index = VideoIndex(folder / "index")
    fill(encoder, index, library)
    served = serving(index, encoder, cache_folder=folder / "cache", folders=(library,), token=TOKEN)
    with served as address, in_a_folder(address, "/films") as (outside, strays):
        yield outside
        assert strays == []


def enter(visit: Open, outside: str, **options: object) -> Page:
    """Open the page with the token."""
    page = visit(f"{outside}?token={TOKEN}", **options).page
    expect(cards(page)).to_have_count(5)
    return page


def test_the_moment_as_it_is_set_is_downloaded(visit: Open, outside: str, tmp_path: Path) -> None:
    page = enter(visit, outside, permissions=["clipboard-read", "clipboard-write"])
    search(page, ROCKET_QUERY)
    page.locator(".open").first.click()
    playing_at(page)
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
    page.get_by_role("button", name="Copy times").click()
    expect(page.locator("#player-note")).to_contain_text("copied")
    assert page.evaluate("navigator.clipboard.readText()") == "00:00:02.000 – 00:00:04.000"
    page.get_by_role("button", name="Copy path").click()
    expect(page.locator("#player-note")).to_have_text("Path copied")
    assert page.evaluate("navigator.clipboard.readText()") == "night/sky.mp4"
    with page.expect_download() as begun:
        page.get_by_role("button", name="Download").click()
    assert begun.value.suggested_filename == "01_sky_00-00-02.000.mp4"
    begun.value.save_as(tmp_path / "clip.mp4")
    with av.open(tmp_path / "clip.mp4") as clip:
        assert abs(clip.duration / 1e6 - 2) < 0.6
    expect(page.get_by_role("button", name="Download")).to_be_enabled()


def test_a_clip_that_fails_says_why(visit: Open, outside: str) -> None:
    opened = visit(f"{outside}?token={TOKEN}")
    opened.expected = "410"
    page = opened.page
    gone = '{"error": {"code": "gone", "message": "sky.mp4 is not there"}}'
    page.route(
        "**/clips/**", lambda route: route.fulfill(status=410, content_type="application/json", body=gone)
    )
    page.locator(".open").first.click()
    playing_at(page)
    page.keyboard.press("d")
    expect(page.locator("#player-note")).to_have_text("sky.mp4 is not there")


def test_selected_moments_are_saved_as_clips_and_as_a_list(visit: Open, outside: str, tmp_path: Path) -> None:
    page = enter(visit, outside)
    bar = page.locator("#selection")
    expect(bar).to_be_hidden()
    page.locator(".open").nth(0).focus()
    page.keyboard.press("x")
    cards(page).nth(1).hover()
    cards(page).nth(1).locator("> .choose").click()
    expect(bar).to_contain_text("2 moments selected")
    assert faults_by_axe(page) == []
    search(page, "rockets")  # the selection stays
    with page.expect_download() as begun:
        page.get_by_role("button", name="Clips").click()
    begun.value.save_as(tmp_path / "clips.zip")
    assert begun.value.suggested_filename == "rockets.zip"
    with zipfile.ZipFile(tmp_path / "clips.zip") as clips:
        assert sum(name.endswith(".mp4") for name in clips.namelist()) == 2
    expect(bar).to_contain_text("Saved rockets.zip")
    with page.expect_download() as begun:
        page.get_by_role("button", name="EDL").click()
    assert Path(begun.value.path()).read_text(encoding="utf-8").startswith("TITLE:")
    page.go_back()
    expect(cards(page).nth(0).locator("> .choose input")).to_be_checked()
    page.reload()
    expect(bar).to_contain_text("2 moments selected")
    chosen = cards(page).nth(0).locator("> .choose input")
    expect(chosen).to_be_checked()
    page.clock.install()
    page.get_by_role("button", name="Clear", exact=True).last.click()
    expect(bar).to_contain_text("Selection cleared")
    expect(chosen).not_to_be_checked()
    page.keyboard.press("Enter")  # on Undo
    expect(bar).to_contain_text("2 moments selected")
    expect(chosen).to_be_checked()
    page.get_by_role("button", name="Clear", exact=True).last.click()
    page.clock.fast_forward(10_001)
    expect(bar).to_be_hidden()


def test_the_selection_is_listed_and_changed_there(visit: Open, outside: str) -> None:
    opened = visit(f"{outside}?token={TOKEN}")
    opened.expected = "404"
    page = opened.page
    for at in range(2):
        page.locator(".open").nth(at).focus()
        page.keyboard.press("x")
    page.get_by_role("button", name="List").click()
    items = page.locator("#selection-list li")
    expect(items.locator(".name")).to_have_text(
        [page.locator("#results .name").nth(at).inner_text() for at in (0, 1)]
    )
    assert faults_by_axe(page) == []
    items.nth(1).get_by_role("button").first.click()
    expect(page.get_by_role("button", name="Select", exact=True)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "video=" not in url)
    items.nth(0).get_by_role("button", name=re.compile("^Remove ")).click()
    expect(page.locator("#selection-text")).to_have_text("1 moment selected")
    expect(items.get_by_role("button", name=re.compile("^Remove "))).to_be_focused()
    expect(cards(page).nth(0).locator("> .choose input")).not_to_be_checked()

    def forgotten(route: Route) -> None:  # as if the video had been removed since
        moment = route.request.post_data_json["moments"][0]
        assert set(moment) == {"video_id", "start", "end"}
        message = f"video {moment['video_id']} not found"
        route.fulfill(status=404, json={"error": {"code": "not_found", "message": message}})

    page.route("**/api/export", forgotten)
    page.get_by_role("button", name="EDL").click()
    expect(page.locator("#selection-text")).to_contain_text(
        re.compile("Not saved: .* isn't in the library any more")
    )
    items.nth(0).get_by_role("button", name=re.compile("^Remove ")).click()
    expect(page.locator("#selection")).to_be_hidden()


def test_what_could_not_be_exported_is_named_and_a_run_can_be_stopped(visit: Open, outside: str) -> None:
    page = enter(visit, outside)
    lost = "%5B%7B%22name%22%3A%20%22boat.mp4%22%2C%20%22reason%22%3A%20%22it%20is%20gone%22%7D%5D"
    headers = {"Centerclip-Failed": lost, "Content-Disposition": "attachment; filename*=utf-8''m%C3%A4r.csv"}
    page.route("**/api/export", lambda route: route.fulfill(status=200, headers=headers, body="a,b"))
    page.locator(".open").first.focus()
    page.keyboard.press("x")
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    assert begun.value.suggested_filename == "mär.csv"
    expect(page.locator("#selection-text")).to_contain_text("Saved mär.csv without boat.mp4: it is gone")
    page.unroute("**/api/export")
    page.route("**/api/export", lambda _: None)  # which never answers
    page.get_by_role("button", name="Reel").click()
    expect(page.get_by_role("button", name="Clips")).to_be_disabled()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#selection-text")).to_contain_text("Stopped")
    expect(page.get_by_role("button", name="Clips")).to_be_enabled()


def test_a_moment_set_in_the_player_can_be_selected(visit: Open, outside: str, tmp_path: Path) -> None:
    page = enter(visit, outside)
    search(page, ROCKET_QUERY)
    page.locator(".open").first.click()
    playing_at(page)
    select = page.get_by_role("button", name="Select", exact=True)
    page.keyboard.press("x")
    expect(select).to_have_attribute("aria-pressed", "true")
    assert cards(page).first.locator("> .choose input").is_checked()  # the card's own moment
    page.keyboard.press("k")
    for at, key in ((2, "i"), (4, "o")):
        page.evaluate("at => (video.currentTime = at)", at)
        page.wait_for_function(THERE, arg=at)
        page.keyboard.press(key)
    expect(select).to_have_attribute("aria-pressed", "false")  # another moment now
    select.click()
    expect(page.locator("#player-note")).to_have_text("2 moments selected")
    page.keyboard.press("Escape")
    expect(page.locator("#selection-text")).to_have_text("2 moments selected")
    with page.expect_download() as begun:
        page.get_by_role("button", name="CSV").click()
    rows = Path(begun.value.path()).read_text(encoding="utf-8").splitlines()
    assert any("00:00:02" in row and "00:00:04" in row for row in rows[1:]), rows
    page.locator(".open").first.click()
    playing_at(page)
    page.reload()  # the address rounds the moment
    expect(select).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("x")
    assert not cards(page).first.locator("> .choose input").is_checked()


def test_what_fails_inside_a_zip_is_named(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path
) -> None:
    folder, index = tmp_path / "videos", VideoIndex(tmp_path / "index")
    shutil.copytree(library, folder)
    fill(encoder, index, folder)
    with serving(index, encoder, cache_folder=tmp_path / "cache", folders=(folder,)) as address:
        opened = visit(address)
        opened.expected = "410"  # a picture of the damaged file
        page = opened.page
        for at in range(5):
            page.locator(".open").nth(at).focus()
            page.keyboard.press("x")
        car = folder / "town" / "car.mp4"
        car.write_bytes(b"no video any more")
        with page.expect_download() as begun:
            page.get_by_role("button", name="Clips").click()
        expect(page.locator("#selection-text")).to_contain_text(
            re.compile(r"Saved .*\.zip without car.mp4: .+")
        )
        with zipfile.ZipFile(begun.value.path()) as clips:
            assert sum(name.endswith(".mp4") for name in clips.namelist()) >= 3
            assert clips.comment == clips.read("failed.txt")
        page.goto("about:blank")


def test_boxes_are_always_there_on_a_phone(visit: Open, outside: str) -> None:
    page = enter(visit, outside, viewport=PHONE, has_touch=True, is_mobile=True)
    choose = cards(page).first.locator("> .choose")
    assert choose.evaluate("box => getComputedStyle(box).opacity") == "1"
    choose.tap()
    expect(page.locator("#selection-clear")).to_be_in_viewport(ratio=1)
    assert sideways(page) == 0
