"""What is said: on the cards, in the player and in the search box."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from browsing import PHONE, Open, cards, faults_by_axe, playing_at, search, sideways
from page_server import serving
from playwright.sync_api import Page, expect
from serving import fill
from subtitled import srt

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser

SUBTITLES = """() => {
  const [track] = video.textTracks;
  return [track.mode, [...(track.activeCues ?? [])].map((cue) => cue.getCueAsHTML().textContent)];
}"""
SHOWN = "text => video.textTracks[0].activeCues?.[0]?.getCueAsHTML().textContent === text"
ENGAGED = "We are engaged <b>at last</b> & happy"


@pytest.fixture(scope="module")
def talking(encoder: VideoEncoder, library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The drawn library, in which two of the videos have subtitles."""
    folder = tmp_path_factory.mktemp("talking")
    videos = shutil.copytree(library, folder / "videos")
    lines = srt((1, 3, "Good morning"), (12, 15, ENGAGED.replace("<", "&lt;")), (20, 22, "They are engaged"))
    (videos / "night" / "sky.srt").write_text(lines, encoding="utf-8")
    (videos / "garden" / "kite.srt").write_text(srt((2, 4, "A gust of wind")), encoding="utf-8")
    index = VideoIndex(folder / "index")
    fill(encoder, index, videos)
    with serving(index, encoder, cache_folder=folder / "cache", folders=(videos,)) as address:
        yield address


def open_first(page: Page) -> None:
    page.locator(".open").first.click()
    playing_at(page)


def test_cards_and_player_show_the_words_that_were_found(visit: Open, talking: str) -> None:
    page = visit(talking).page
    expect(page.get_by_label("Describe the moment")).to_have_attribute("placeholder", re.compile("spoken:"))
    expect(page.locator("#spoken-help")).to_be_visible()
    search(page, "spoken:happy")
    said = cards(page).first.locator(".said")
    expect(said).to_contain_text("Said at 0:12: We are engaged <b>at last</b> & happy")
    assert page.locator("#results b").count() == 0, "words are never markup"
    open_first(page)
    expect(page.locator("#words mark")).to_have_text(re.compile("^We are engaged .*happy$"))
    expect(page.locator("#words-title")).to_have_text("Said")
    expect(page.locator("#curve.empty .moment")).to_have_count(1)
    expect(page.locator("#curve .line")).to_have_count(0)
    page.keyboard.press("k")
    page.evaluate("video.currentTime = 22")
    page.wait_for_function("() => !video.seeking && document.getElementById('scrub').value > 21.9")
    page.keyboard.press("o")
    expect(page.locator("#words-title")).to_have_text("Said in this moment:")
    expect(page.locator("#words-list button")).to_have_count(2)
    assert faults_by_axe(page) == []


def test_what_is_seen_says_so_beside_what_is_said(visit: Open, talking: str) -> None:
    page = visit(f"{talking}/?q=seen:a white rocket rises in the night sky").page
    expect(cards(page).first.locator(".about")).to_contain_text(re.compile(r"27\ss · .* · seen"))


def test_subtitles_are_switched_by_a_key_and_follow_converted_pieces(visit: Open, talking: str) -> None:
    page = visit(f"{talking}/?q=spoken:happy").page
    open_first(page)
    expect(page.locator("#captions")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(SUBTITLES)[0] == "hidden"
    page.keyboard.press("c")
    expect(page.locator("#captions")).to_have_attribute("aria-pressed", "true")
    page.wait_for_function("() => video.textTracks[0].activeCues?.length === 1")
    mode, texts = page.evaluate(SUBTITLES)
    assert mode == "showing"
    assert texts[0].startswith("We are engaged")
    page.keyboard.press("Escape")

    search(page, "spoken:gust")
    open_first(page)
    expect(page.locator("#player-title")).to_have_text("garden/kite.avi")
    page.wait_for_function(SHOWN, arg="A gust of wind")
    expect(page.locator("#captions")).to_have_attribute("aria-pressed", "true")  # it is remembered
    page.get_by_role("button", name="A gust of wind").click()
    page.keyboard.press("Escape")

    search(page, "seen:a red car drives through the city")
    cards(page).filter(has_text="car.mp4").locator(".open").first.click()
    playing_at(page)
    expect(page.locator("#captions")).to_be_hidden()
    expect(page.locator("#words")).to_be_hidden()


def test_words_fit_on_a_phone(visit: Open, talking: str) -> None:
    page = visit(f"{talking}/?q=spoken:engaged", viewport=PHONE, has_touch=True, is_mobile=True).page
    page.locator(".open").first.tap()
    expect(page.locator("#words mark").first).to_be_visible()
    assert sideways(page) == 0
    assert page.locator("#player").evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") == 0


def test_a_library_without_words_does_not_mention_them(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    assert "spoken" not in (page.get_by_label("Describe the moment").get_attribute("placeholder") or "")
    expect(page.locator("#spoken-help")).to_be_hidden()
