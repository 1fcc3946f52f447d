"""Indexing from the page, the token's form, and the page in a folder behind a proxy."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import httpx
import pytest
from browsing import PHONE, Open, cards, faults_by_axe, playing_at, search
from page_server import CAR_QUERY, serving
from playwright.sync_api import expect
from proxying import in_a_folder
from serving import fill

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser

TOKEN = "a-token-of-our-own-123"


@pytest.mark.parametrize("size", [{"width": 1280, "height": 400}, PHONE])
def test_progress_and_outcome_of_indexing_stay_in_view(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path, size: dict[str, int]
) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(library, folder)
    index = VideoIndex(tmp_path / "index")
    fill(encoder, index, folder)
    with serving(index, encoder, cache_folder=tmp_path / "cache", folders=(folder,)) as address:
        page = visit(address, viewport=size).page
        expect(cards(page)).to_have_count(5)
        shutil.copy(folder / "garden" / "kite.avi", folder / "another kite.avi")
        (folder / "text.mp4").write_text("my notes", encoding="utf-8")
        page.evaluate("scrollTo(0, 200)")
        page.get_by_role("button", name="Library").click()
        page.get_by_role("button", name="Look for new videos").click()
        expect(page.locator("#job")).to_be_in_viewport()
        page.keyboard.press("Escape")
        page.evaluate("scrollTo(0, 100)")
        expect(page.locator("#job-text")).to_have_text("1 video indexed, 1 can't be read (see Library).")
        expect(page.locator("#job-text")).to_be_in_viewport(ratio=1)
        page.get_by_label("Describe the moment").fill(CAR_QUERY)
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("moment")
        expect(page.locator("#job-text")).to_be_in_viewport(ratio=1)
        assert faults_by_axe(page) == []
        page.get_by_role("button", name="OK").click()
        expect(page.locator("#job")).to_be_hidden()
        page.reload()  # of the search
        page.get_by_role("button", name="Library").click()
        page.get_by_text("1 file can't be read").click()
        expect(page.locator("#failures li")).to_contain_text("text.mp4")
        job = httpx.get(f"{address}/api/index").json()["jobs"][0]
        running = job | {"job": "of-another-tab", "state": "running"}
        told = f"event: progress\ndata: {json.dumps(job | {'states': {'moved': 2}})}\n\n"
        events = {"body": told, "content_type": "text/event-stream"}
        page.route("**/api/index/of-another-tab/events", lambda it: it.fulfill(**events))
        page.route("**/api/index", lambda it: it.fulfill(json={"jobs": [running]}))
        page.reload()
        expect(page.locator("#job-text")).to_have_text("Nothing new, 2 moved.")
        page.goto("about:blank")


def test_what_was_forgotten_leaves_the_results(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path
) -> None:
    folder, index = tmp_path / "videos", VideoIndex(tmp_path / "index")
    shutil.copytree(library, folder)
    fill(encoder, index, folder)
    with serving(index, encoder, cache_folder=tmp_path / "cache", folders=(folder,)) as address:
        page = visit(address).page
        search(page, CAR_QUERY)
        expect(page.locator("#results .name").first).to_have_text("car.mp4")
        (folder / "town" / "car.mp4").unlink()
        page.get_by_role("button", name="Library").click()
        page.get_by_role("button", name="Forget missing files").click()
        expect(page.locator("#job-text")).to_contain_text("1 file forgotten")
        expect(page.locator("#results .name").filter(has_text="car.mp4")).to_have_count(0)
        assert cards(page).count() > 0
        page.goto("about:blank")


def test_the_empty_page_names_the_index_that_is_served(
    visit: Open, encoder: VideoEncoder, tmp_path: Path
) -> None:
    place = tmp_path / "my index"
    with serving(VideoIndex(place), encoder, cache_folder=tmp_path / "cache") as address:
        page = visit(address).page
        command = f"centerclip index ~/Videos --index '{place}' --model nano"
        expect(page.locator("#notice pre")).to_have_text(command)
        expect(page.get_by_role("button", name="Look for new videos")).to_be_hidden()  # it has no folders
        page.goto("about:blank")


def test_the_token_is_asked_for_with_a_form(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    fill(encoder, index, library)
    with serving(index, encoder, cache_folder=tmp_path / "cache", token=TOKEN) as address:
        opened = visit(f"{address}/?q={CAR_QUERY}")
        opened.expected = "401"
        page = opened.page
        expect(page.get_by_role("heading")).to_have_text("CenterCLIP")
        assert faults_by_axe(page) == []
        page.get_by_label("Token").fill("not the token at all")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("This token is wrong")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Open").click()
        expect(cards(page).first.locator(".name")).to_have_text("car.mp4")
        assert TOKEN not in page.url
        page.context.clear_cookies()  # as when they have expired
        page.get_by_label("Describe the moment").fill("a boat")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token")).to_be_visible()
        page.goto("about:blank")


def test_the_page_works_in_a_folder_behind_a_proxy(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(library, folder)
    index = VideoIndex(tmp_path / "index")
    fill(encoder, index, folder)
    served = serving(index, encoder, cache_folder=tmp_path / "cache", folders=(folder,), token=TOKEN)
    with served as address, in_a_folder(address, "/films") as (outside, strays):
        opened = visit(outside)
        opened.expected = "401"
        page = opened.page
        page.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(cards(page)).to_have_count(5)
        page.wait_for_function("() => document.querySelector('#results img').naturalWidth > 0")
        search(page, CAR_QUERY)
        assert page.url.startswith(f"{outside}?q=")
        page.locator(".open").first.click()
        playing_at(page)
        page.get_by_role("button", name="What the model kept").click()
        page.wait_for_function("() => document.getElementById('tokens-image').naturalWidth > 100")
        page.reload()
        playing_at(page)
        page.keyboard.press("Escape")
        (folder / "garden" / "kite.avi").unlink()
        page.get_by_role("button", name="Library").click()
        page.get_by_role("button", name="Look for new videos").click()
        expect(page.locator("#job-text")).to_have_text("Nothing new, 1 file missing.")
        page.get_by_role("link", name="REST API").click()
        page.wait_for_url(f"{outside}docs")
        expect(page.locator("#operations")).to_contain_text("/api/search")
        page.get_by_role("link", name=re.compile("Back")).click()
        expect(cards(page)).to_have_count(5)
        assert strays == []
        page.goto("about:blank")
