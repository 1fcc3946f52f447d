"""The page as visitors use it, in the system's Chromium, with a real server and the bundled model."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import PHONE, Open, cards, drop, faults_by_axe, names, playing_at, search, sideways
from page_server import CAR_QUERY, ROCKET_QUERY, picture_of_a_rocket, serving
from playwright.sync_api import Route, expect

from centerclip.embedding import VideoEncoder
from centerclip.index import VideoIndex

pytestmark = pytest.mark.browser


def one_a_page(url: str) -> str:
    return url.replace("top=24", "top=1")


def test_examples_and_typing_show_moments_with_time_and_strength(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    example = page.locator("#examples button").first
    text = example.inner_text()
    example.click()
    expect(page.get_by_label("Describe the moment")).to_have_value(text)
    expect(page.locator("#status")).to_contain_text("moment")
    assert cards(page).count() >= 1
    search(page, ROCKET_QUERY)
    expect(page).to_have_title(f"{ROCKET_QUERY} · CenterCLIP")
    best = cards(page).first
    expect(best.locator(".name")).to_have_text("sky.mp4")
    expect(best.locator(".open .span").first).to_have_text(re.compile(r"^0:\d\d – 0:\d\d$"))
    assert best.locator(".strength i").first.evaluate("bar => bar.style.getPropertyValue('--part')") == "100%"
    page.wait_for_function("() => document.querySelector('#results img').naturalWidth > 0")
    assert "q=a+white+rocket" in page.url


def test_words_typed_while_the_page_loads_are_kept(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    held: list[Route] = []
    page.route("**/api/stats", lambda route, _: held.append(route))
    page.reload()
    box = page.get_by_label("Describe the moment")
    box.fill(ROCKET_QUERY)
    expect(cards(page)).to_have_count(0)
    held[0].continue_()
    expect(cards(page)).to_have_count(5)
    expect(box).to_have_value(ROCKET_QUERY)
    box.press("Enter")
    expect(cards(page).first.locator(".name")).to_have_text("sky.mp4")


def test_player_loops_the_moment_until_the_visitor_scrubs_away(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}").page
    hit = page.request.get(f"{address}/api/search?q={ROCKET_QUERY}").json()["hits"][0]
    page.locator(".open").first.click()
    assert hit["start"] - 0.1 <= playing_at(page) <= hit["end"]
    page.evaluate(f"video.currentTime = {hit['end'] - 0.3}")
    page.wait_for_function(f"() => video.currentTime < {hit['end'] - 1}")
    assert hit["start"] - 0.1 <= playing_at(page) <= hit["end"]
    box = page.locator("#scrub").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 13.5 / 27, box["y"] + box["height"] / 2)
    assert 12.5 <= playing_at(page) <= 15.5
    expect(page.get_by_label("Loop the moment")).not_to_be_checked()


def test_other_moments_are_folded_marked_on_the_curve_and_jumped_to(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}").page
    fold = cards(page).first.locator(".folded")
    expect(fold).to_contain_text("in this video")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    expect(cards(page).first.locator(".others button").first).to_be_visible()
    page.locator(".open").first.click()
    expect(page.locator("#curve .line")).to_have_count(1)
    moments = page.locator("#moments button")
    known = moments.count()
    assert known >= 2
    assert page.locator("#curve .moment").count() == known
    moments.last.click()
    expect(moments.last).to_have_attribute("aria-pressed", "true")
    assert 17 <= playing_at(page) <= 27
    page.keyboard.press("p")
    expect(moments.nth(known - 2)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#curve .current")).to_have_count(1)


def test_files_that_browsers_do_not_play_are_converted(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q=an orange kite").page
    card = cards(page).filter(has_text="kite.avi")
    card.locator(".open").click()
    playing_at(page)
    assert page.evaluate("[video.videoWidth, video.error]") == [320, None]
    expect(page.locator("#player-note")).to_contain_text("Converted")
    page.wait_for_function("() => Number(document.getElementById('scrub').value) > 0.3")


def test_hovering_previews_without_sound_and_the_kept_patches_are_drawn(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={CAR_QUERY}").page
    page.locator(".open").first.hover()
    preview = page.locator(".open video").first
    preview.wait_for()
    page.wait_for_function("() => document.querySelector('.open video')?.currentTime > 0.2")
    assert preview.evaluate("video => video.muted")
    page.mouse.move(5, 5)
    expect(preview).to_have_count(0)
    page.locator(".open").first.click()
    page.get_by_role("button", name="What the model kept").click()
    page.wait_for_function("() => document.getElementById('tokens-image').naturalWidth > 100")


def test_more_like_this_and_back(visit: Open, address: str) -> None:
    page = visit(address).page
    search(page, ROCKET_QUERY)
    before = names(page)
    cards(page).first.get_by_role("button", name="More like this").click()
    page.wait_for_url("**/?like=*")
    expect(page.locator("#sample img")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("moment")
    page.locator(".open").first.click()
    expect(page.locator("#curve .line")).to_have_count(1)
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "video=" not in url)
    page.go_back()
    expect(page.get_by_label("Describe the moment")).to_have_value(ROCKET_QUERY)
    expect(page.locator("#results .name")).to_have_text(before)
    page.go_back()
    expect(page.locator("#welcome")).to_be_visible()


def test_dropping_a_picture_finds_what_it_shows_and_back_returns_to_it(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    drop(page, "rocket.png", "image/png", picture_of_a_rocket())
    expect(page.locator("#sample")).to_contain_text("rocket.png")
    expect(cards(page).first.locator(".name")).to_have_text("sky.mp4")
    search(page, CAR_QUERY)  # words beside the picture
    expect(page.locator("#sample")).to_contain_text("rocket.png")
    page.get_by_role("button", name="Clear").first.click()
    expect(page.locator("#sample")).to_be_hidden()
    page.go_back()
    expect(page.locator("#sample")).to_contain_text("rocket.png")
    expect(cards(page).first).to_be_visible()


def test_a_query_in_another_language_gets_a_note(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(page.locator("#remark")).to_be_hidden()
    search(page, "eine Rakete und ein Mann")
    expect(page.locator("#remark")).to_contain_text("nano knows only English")
    assert faults_by_axe(page) == []
    search(page, ROCKET_QUERY)
    expect(page.locator("#remark")).to_be_hidden()


def test_errors_are_shown_with_a_reason(visit: Open, address: str) -> None:
    opened = visit(address)
    opened.expected = "415|422"
    page = opened.page
    expect(cards(page)).to_have_count(5)
    page.get_by_label("Describe the moment").fill("beach + ")
    page.keyboard.press("Enter")
    expect(page.locator("#notice h2")).to_have_text("This search isn't possible")
    expect(page.locator("#notice p")).to_have_text(re.compile("^Each .* needs words after it"))
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    drop(page, "notes.txt", "text/plain", b"my notes")
    expect(page.locator("#status")).to_contain_text("You can only search with pictures and videos")
    drop(page, "fake.png", "image/png", b"my notes")
    expect(page.locator("#notice")).to_contain_text("Something went wrong")


def test_filters_narrow_results_are_in_the_address_and_can_be_cleared(visit: Open, address: str) -> None:
    page = visit(f"{address}/?q={ROCKET_QUERY}").page
    box = page.get_by_label("Describe the moment")
    box.fill("not sent yet")
    page.get_by_text("Filters").click()
    page.get_by_label("Folder").select_option("town")
    expect(page.locator("#results .name")).to_have_text(["car.mp4"])
    expect(box).to_have_value("not sent yet")
    assert "folder=town" in page.url
    page.reload()
    expect(page.locator("#results .name")).to_have_text(["car.mp4"])
    expect(page.locator("#filter-count")).to_have_text("1")
    page.get_by_text("Filters").click()
    page.locator("[name=min_duration]").fill("600")
    page.locator("[name=min_duration]").blur()
    expect(page.locator("#notice")).to_contain_text("No results match these filters")
    page.get_by_role("button", name="Clear filters").click()
    expect(cards(page).first.locator(".name")).to_have_text("sky.mp4")


def test_scrolling_loads_more_pages_and_adds_their_moments_to_the_cards(visit: Open, address: str) -> None:
    page = visit(address).page
    urls: list[str] = []
    page.on("request", lambda request: urls.append(request.url))
    page.route("**/api/search?*", lambda route: route.continue_(url=one_a_page(route.request.url)))
    search(page, ROCKET_QUERY)
    expect(cards(page).first.locator(".folded")).to_contain_text("in this video")
    expect(page.locator("#more")).to_be_hidden()
    assert any("cursor=" in url for url in urls)
    assert len(names(page)) == len(set(names(page)))


def test_everything_works_by_keyboard(visit: Open, address: str) -> None:
    page = visit(address).page
    expect(cards(page)).to_have_count(5)
    page.keyboard.press("/")
    page.keyboard.type(ROCKET_QUERY)
    page.keyboard.press("Enter")
    expect(cards(page).first.locator(".name")).to_have_text("sky.mp4")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('open')"):
            break
    if cards(page).count() > 1:
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.ariaLabel").startswith("Play sky.mp4")
    page.keyboard.press("Enter")
    playing_at(page)
    page.keyboard.press("Space")
    page.wait_for_function("() => video.paused")
    page.keyboard.press("r")
    expect(page.get_by_label("Loop the moment")).not_to_be_checked()
    page.keyboard.press("Escape")
    expect(page.locator("#player")).to_be_hidden()
    assert page.evaluate("document.activeElement.classList.contains('open')"), "the focus is back on the card"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_accessibility_problems(visit: Open, address: str, scheme: str) -> None:
    page = visit(address, color_scheme=scheme, reduced_motion="reduce").page
    expect(cards(page)).to_have_count(5)
    assert faults_by_axe(page) == []
    search(page, ROCKET_QUERY)
    page.get_by_text("Filters").click()
    cards(page).first.locator(".folded").click()
    assert faults_by_axe(page) == []
    page.locator(".open").first.click()
    expect(page.locator("#moments button").first).to_be_visible()
    assert faults_by_axe(page) == []


def test_theme_follows_the_system_until_the_visitor_chooses(visit: Open, address: str) -> None:
    page = visit(address, color_scheme="dark").page
    paper = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(paper) == "rgb(16, 17, 22)"
    page.get_by_label("Switch between dark and light").click()
    assert page.evaluate(paper) == "rgb(247, 247, 251)"
    page.reload()
    assert page.evaluate(paper) == "rgb(247, 247, 251)"


def test_phone_shows_everything_without_scrolling_sideways(visit: Open, address: str) -> None:
    page = visit(address, viewport=PHONE, has_touch=True, is_mobile=True).page
    expect(cards(page)).to_have_count(5)
    assert sideways(page) == 0
    search(page, ROCKET_QUERY)
    page.get_by_text("Filters").tap()
    assert sideways(page) == 0
    page.locator(".open").first.tap()
    playing_at(page)
    assert sideways(page) == 0
    assert page.locator("#player").evaluate("dialog => dialog.scrollWidth - dialog.clientWidth") == 0


def test_an_empty_library_is_filled_from_the_page_which_reconnects_to_a_restarted_server(
    visit: Open, encoder: VideoEncoder, library: Path, tmp_path: Path
) -> None:
    index = VideoIndex(tmp_path / "index")
    with serving(index, encoder, cache_folder=tmp_path / "cache", folders=(library,)) as address:
        opened = visit(address)
        page = opened.page
        expect(page.locator("#notice")).to_contain_text("This library is empty")
        expect(page.locator("#notice")).to_contain_text("centerclip index")
        page.get_by_role("button", name="Library").click()
        expect(page.locator("#library")).to_contain_text(f"Folders: {library.name}")
        page.keyboard.press("Escape")
        assert faults_by_axe(page) == []
        page.get_by_role("button", name="Look for new videos").click()
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.locator("#job")).to_contain_text("5 videos indexed.", timeout=40_000)
        expect(cards(page)).to_have_count(5)
    opened.expected = "ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET"
    page.get_by_label("Describe the moment").fill(CAR_QUERY)
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("No connection")
    port = urlsplit(address).port
    with serving(VideoIndex(tmp_path / "index"), encoder, cache_folder=tmp_path / "cache", port=port):
        expect(cards(page).first.locator(".name")).to_have_text("car.mp4")
        page.goto("about:blank")  # lets go of the connection
