"""What the page shows of a search and of the library: cards, filters, headings, and where it scrolls to."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import LAPTOP, PHONE, ZOOMED, Open, cards, names, search, sideways
from page_server import CAR_QUERY, ROCKET_QUERY, serving
from playwright.sync_api import Page, expect
from serving import fill

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP

pytestmark = pytest.mark.browser

NONSENSE = "asdf qwer zxcv"


@pytest.fixture(scope="module")
def fine(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of the library in windows so short that weak matches can be told."""
    folder = tmp_path_factory.mktemp("fine")
    model = CenterCLIP.from_pretrained("nano")
    encoder = VideoEncoder(model, name="nano", device="cpu", workers=1, window_seconds=1.5)
    index = VideoIndex(folder / "index")
    fill(encoder, index, library)
    with serving(index, encoder, cache_folder=folder / "cache", folders=(library,)) as address:
        yield address


@pytest.fixture(scope="module")
def doubled(
    encoder: VideoEncoder, library: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Path]]:
    """The address of a server of a library with a copy of the car, and the copy."""
    folder = tmp_path_factory.mktemp("doubled")
    shutil.copytree(library, folder / "videos")
    copy = folder / "videos" / "גיבוי 2024" / "old car.mp4"
    copy.parent.mkdir()
    shutil.copy(folder / "videos" / "town" / "car.mp4", copy)
    os.rename(folder / "videos" / "town", folder / "videos" / "עיר")
    index = VideoIndex(folder / "index")
    fill(encoder, index, folder / "videos")
    with serving(index, encoder, cache_folder=folder / "cache", folders=(folder / "videos",)) as address:
        yield address, copy


def test_a_new_search_starts_at_the_top_and_back_returns_to_the_place(visit: Open, address: str) -> None:
    page = visit(address, viewport={"width": 500, "height": 400}).page
    expect(cards(page)).to_have_count(5)
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
    place = page.evaluate("scrollY")
    assert place > 300
    page.keyboard.press("/")
    page.keyboard.type(ROCKET_QUERY)
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("moment")
    assert page.evaluate("scrollY") == 0
    expect(cards(page).first).to_be_in_viewport()
    page.go_back()
    expect(cards(page)).to_have_count(5)
    page.wait_for_function(f"() => scrollY === {place}")


def test_a_card_shows_the_segment_that_matches_best(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={CAR_QUERY}").page
    hit = httpx.get(f"{address}/api/search", params={"q": CAR_QUERY}).json()["hits"][0]
    curve = httpx.get(f"{address}/api/videos/{hit['video_id']}/curve", params={"q": CAR_QUERY}).json()
    inside = [
        (score, span)
        for score, span in zip(curve["scores"], curve["times"], strict=True)
        if hit["start"] <= span[0] and span[1] <= hit["end"]
    ]
    start, end = max(inside)[1]
    assert start > hit["start"], "the moment begins before its best segment"
    source = cards(page).first.locator("img").get_attribute("src")
    assert source is not None
    assert start <= float(source.partition("t=")[2]) < end


def test_further_moments_have_pictures(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}").page
    cards(page).first.locator(".folded").click()
    others = cards(page).first.locator(".others img")
    expect(others.first).to_be_visible()
    page.wait_for_function("() => document.querySelector('.others img').naturalWidth > 0")
    sources = [picture.get_attribute("src") for picture in others.all()]
    assert len(set(sources)) == len(sources)


def test_copies_of_a_file_are_names_on_one_card(visit: Open, doubled: tuple[str, Path]) -> None:
    address, copy = doubled
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    car = cards(page).filter(has_text="car.mp4")
    expect(car.locator(".name")).to_have_text("old car.mp4")
    expect(car).to_contain_text("also עיר/car.mp4")
    expect(car).not_to_contain_text("more moment")
    expect(page.locator("#status")).to_have_text("6 files")
    folder, length = (car.locator(".facts bdi").nth(place).bounding_box() for place in (0, 1))
    assert folder["x"] + folder["width"] <= length["x"], "Hebrew doesn't turn the numbers after it"
    search(page, CAR_QUERY)
    expect(cards(page).first).to_contain_text("also עיר/car.mp4")
    away = copy.rename(copy.with_suffix(".away"))
    try:
        page.goto(address)
        expect(car.locator(".name")).to_have_text("car.mp4")
        expect(car).to_contain_text("also גיבוי 2024/old car.mp4")
        expect(car).not_to_contain_text("file missing")
    finally:
        away.rename(copy)


def test_words_are_added_to_the_likeness(visit: Open, address: str) -> None:
    page = visit(address).page
    cards(page).filter(has_text="car.mp4").get_by_role("button", name="More like this").click()
    expect(page.locator("#status")).to_contain_text("moment")
    search(page, ROCKET_QUERY)
    expect(page.locator("#sample img")).to_be_visible()
    assert re.search("q=a.white.rocket.*like=", page.url)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"More like this moment “{ROCKET_QUERY}”")
    expect(cards(page).first.locator(".name")).to_have_text("sky.mp4")
    page.locator(".open").first.click()
    expect(page.locator("#curve .line")).to_have_count(1)
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "video=" not in url)
    page.get_by_role("button", name="Clear").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"“{ROCKET_QUERY}”")


def test_nonsense_gets_no_full_bar(visit: Open, fine: str) -> None:
    page = visit(fine).page
    search(page, NONSENSE)
    expect(cards(page).first.locator(".weak").first).to_have_text("weak match")
    expect(page.locator(".strength")).to_have_count(0)
    expect(page.locator("#remark")).to_contain_text("Nothing matches well")
    search(page, ROCKET_QUERY)
    expect(cards(page).first.locator(".strength").first).to_be_visible()
    expect(page.locator("#remark")).to_be_hidden()


def test_the_library_is_filtered_while_browsing(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    page.get_by_text("Filters").click()
    page.get_by_label("Folder").select_option("garden")
    expect(cards(page)).to_have_count(2)
    expect(page.locator("#status")).to_have_text("2 files")
    expect(page.get_by_role("heading", level=1)).to_have_text("Videos in garden")
    page.locator("[name=min_duration]").fill("600")
    page.locator("[name=min_duration]").blur()
    expect(page.locator("#notice")).to_contain_text("No videos match these filters")
    page.get_by_role("button", name="Clear filters").click()
    expect(cards(page)).to_have_count(5)


def test_wrong_filters_are_explained_for_people(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    page.get_by_text("Filters").click()
    shortest, longest = page.locator("[name=min_duration]"), page.locator("[name=max_duration]")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    shortest.fill("-5")
    shortest.blur()
    assert shortest.evaluate("input => input.validationMessage") == "Give a number of seconds, such as 90."
    shortest.fill("60")
    longest.fill("10")
    longest.blur()
    wrong = "No video is longer than 60 and shorter than 10 seconds."
    assert longest.evaluate("input => input.validationMessage") == wrong
    assert not [url for url in asked if "-5" in url or "max_duration=10" in url]
    answer = httpx.get(f"{address}/api/videos", params={"min_duration": -5, "max_duration": "long"})
    message = "min_duration must be at least 0, not '-5'; max_duration must be a number, not 'long'"
    assert answer.json()["error"]["message"] == message


def test_each_view_has_one_main_heading(visit: Open, address: str) -> None:
    page = visit(address).page
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("All videos")
    search(page, CAR_QUERY)
    expect(heading).to_have_text(f"“{CAR_QUERY}”")
    cards(page).first.get_by_role("button", name="More like this").click()
    expect(heading).to_have_text("More like this moment")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_focus_is_visible_on_everything(visit: Open, address: str, scheme: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}", color_scheme=scheme).page
    expect(cards(page).first).to_be_visible()
    page.keyboard.press("/")
    seen = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        name, width, shadow, clipped = page.evaluate(FOCUS)
        if name == "BODY":  # after the last one
            break
        seen.add(name)
        assert width >= 2, name
        assert shadow != "none", name
        assert not clipped, name
    assert {"open", "folded", "summary"} <= seen


FOCUS = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const name = one.tagName === "SUMMARY" ? "summary" : one.className || one.id || one.tagName;
  const around = one.closest(".card");
  const clipped = around !== null && getComputedStyle(around).overflow === "hidden";
  return [name, style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth), style.boxShadow, clipped];
}"""


@pytest.mark.parametrize("size", [LAPTOP, PHONE, ZOOMED, {"width": 320, "height": 256}])
def test_every_control_of_the_page_is_reached(visit: Open, address: str, size: dict[str, int]) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}", viewport=size).page
    expect(cards(page).first).to_be_visible()
    assert sideways(page) == 0
    for name in ("query", "pick", "library-button", "theme"):
        assert _inside(page, f"#{name}", size), name
    page.get_by_text("Filters").click()
    assert sideways(page) == 0
    page.get_by_role("button", name="Library").click()
    page.locator("#reindex").scroll_into_view_if_needed()
    assert _inside(page, "#reindex", size)
    assert names(page)


def _inside(page: Page, selector: str, size: dict[str, int]) -> bool:
    box = page.locator(selector).bounding_box()
    assert box is not None, selector
    across = box["x"] >= 0 and box["x"] + box["width"] <= size["width"] + 1
    return across and box["y"] >= 0 and box["y"] + box["height"] <= size["height"] + 1
