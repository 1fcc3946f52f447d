"""Dates of recording on the page, and files that are not there any more."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from browsing import PHONE, Open, cards, faults_by_axe, names, search, sideways
from page_server import serving
from playwright.sync_api import Page, expect
from serving import fill, tiny_encoder
from videos import make_video

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser

GERMAN = {"locale": "de-DE", "timezone_id": "America/New_York"}


@pytest.fixture(scope="module")
def small() -> VideoEncoder:
    return tiny_encoder()


def make_dated(folder: Path) -> Path:
    """Three videos: two that say when they were recorded, and one with only the time of its file."""
    folder.mkdir(parents=True)
    for frames, (name, day) in enumerate(
        {"may": "2024-05-12T10:00:00Z", "june": "2024-06-15T10:00:00Z"}.items(), start=8
    ):
        make_video(folder / f"{name}.mp4", frames=frames, metadata={"creation_time": day})
    make_video(folder / "plain.mp4", frames=14)
    os.utime(folder / "plain.mp4", (0, datetime(2023, 3, 3, 12).timestamp()))
    return folder


@pytest.fixture(scope="module")
def dated(small: VideoEncoder, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("dated")
    videos, index = make_dated(folder / "videos"), VideoIndex(folder / "index")
    fill(small, index, videos)
    with serving(index, small, cache_folder=folder / "cache", folders=(videos,)) as address:
        yield address


def order(page: Page) -> list[str]:
    return [name.removesuffix(".mp4") for name in names(page)]


def test_cards_have_dates_and_are_sorted_by_them(visit: Open, dated: str) -> None:
    page = visit(f"{dated}/?q=a", **GERMAN).page
    expect(cards(page)).to_have_count(3)
    expect(cards(page).filter(has_text="may.mp4")).to_contain_text("12.05.2024")
    expect(cards(page).filter(has_text="plain.mp4")).to_contain_text("changed 03.03.2023")
    page.get_by_label("Sort").select_option("date")
    page.wait_for_url("**/?q=a&sort=date")
    expect(page.locator("#results .name").first).to_have_text("june.mp4")
    assert order(page) == ["june", "may", "plain"]
    page.get_by_label("Sort").select_option("oldest")
    expect(page.locator("#results .name").first).to_have_text("plain.mp4")
    page.reload()
    expect(page.locator("#results .name").first).to_have_text("plain.mp4")
    expect(page.get_by_label("Sort")).to_have_value("oldest")
    page.go_back()
    expect(page.locator("#results .name").first).to_have_text("june.mp4")


def test_months_narrow_the_library(visit: Open, dated: str) -> None:
    page = visit(dated).page
    expect(cards(page)).to_have_count(3)
    months = page.get_by_role("group", name="Months").get_by_role("button")
    expect(months).to_have_text([re.compile(r"Jun 2024\s*1"), re.compile("May 2024"), re.compile("Mar 2023")])
    months.nth(1).click()
    expect(page.locator("#results .name")).to_have_text(["may.mp4"])
    expect(months.nth(1)).to_have_attribute("aria-pressed", "true")
    assert "after=2024-05-01&before=2024-05-31" in page.url
    assert faults_by_axe(page) == []
    months.nth(1).click()
    expect(cards(page)).to_have_count(3)
    page.get_by_label("Sort").select_option("date")
    expect(page.locator("#results .name").first).to_have_text("june.mp4")
    search(page, "a")
    expect(page.get_by_role("group", name="Months")).to_be_hidden()
    expect(page.get_by_label("Sort")).to_have_value("")  # the best hits, not the newest


def test_many_months_are_grouped_by_year(visit: Open, dated: str) -> None:
    page = visit(dated).page
    months = [
        {"month": f"{year}-{month:02}", "videos": 2} for year in (2024, 2023) for month in range(12, 0, -1)
    ]
    for one in months:
        one |= {"after": f"{one['month']}-01", "before": f"{one['month']}-28"}
    page.route("**/api/months", lambda route: route.fulfill(json={"months": months}))
    page.reload()
    chips = page.get_by_role("group", name="Months").get_by_role("button")
    expect(chips).to_have_text(["2024 24", "2023 24"])
    chips.first.click()
    expect(page.locator("#results .name")).to_have_text(["june.mp4", "may.mp4"])
    expect(chips).to_have_count(14)
    expect(chips.first).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="May 2024").click()
    expect(page.locator("#results .name")).to_have_text(["may.mp4"])
    expect(chips.first).to_have_attribute("aria-pressed", "false")
    expect(chips).to_have_count(14)
    page.get_by_role("button", name="May 2024").click()
    expect(chips).to_have_count(2)


def test_dates_fit_on_a_phone(visit: Open, dated: str) -> None:
    page = visit(dated, viewport=PHONE, has_touch=True, is_mobile=True).page
    expect(cards(page)).to_have_count(3)
    assert sideways(page) == 0
    search(page, "a long sentence about a video that many people may know, and see")
    assert sideways(page) == 0


def test_missing_files_say_so_and_can_be_forgotten(visit: Open, small: VideoEncoder, tmp_path: Path) -> None:
    videos, index = make_dated(tmp_path / "videos"), VideoIndex(tmp_path / "index")
    fill(small, index, videos)
    with serving(index, small, cache_folder=tmp_path / "cache", folders=(videos,)) as address:
        (videos / "may.mp4").unlink()
        opened = visit(address)
        opened.expected = "410"
        page = opened.page
        card = cards(page).filter(has_text="may.mp4")
        expect(card).to_contain_text("file missing")
        assert cards(page).filter(has_text="file missing").count() == 1
        assert faults_by_axe(page) == []
        card.locator(".open").click()
        expect(page.locator("#player-note")).to_contain_text("may.mp4 isn't there")
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Library").click()
        page.get_by_role("button", name="Look for new videos").click()
        expect(page.locator("#job-text")).to_have_text("Nothing new, 1 file missing.")
        page.get_by_role("button", name="Forget missing files").click()
        expect(page.locator("#job-text")).to_have_text("Nothing new, 1 file forgotten.")
        expect(cards(page)).to_have_count(2)
        page.goto("about:blank")


def test_the_panel_says_that_the_library_is_watched(visit: Open, small: VideoEncoder, tmp_path: Path) -> None:
    videos, index = make_dated(tmp_path / "videos"), VideoIndex(tmp_path / "index")
    fill(small, index, videos)
    watched = serving(index, small, cache_folder=tmp_path / "cache", folders=(videos,), watch=True)
    with watched as address:
        page = visit(address).page
        page.get_by_role("button", name="Library").click()
        expect(page.locator("#library-watching")).to_contain_text("by itself")
        page.goto("about:blank")
