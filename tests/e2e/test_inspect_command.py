"""`centerclip inspect`: files, messages and errors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from browsing import QUIET, Visit, find_browser, sideways
from command_line import Run, assert_refused
from PIL import Image
from playwright.sync_api import sync_playwright
from tiny_models import siglip_model, word_tokenizer

from centerclip.model import CenterCLIP
from centerclip.video import VideoReader


def test_a_picture_is_written_to_the_working_folder(run: Run, model: Path, footage: Path) -> None:
    done = run("inspect", footage / "blue.mp4", "--model", model)
    assert (done.code, done.out, done.err) == (0, "blue.inspect.png\n", "")
    with Image.open("blue.inspect.png") as shown:
        assert shown.format == "PNG"
        assert shown.width > 600
    exists = "blue.inspect.png exists: choose another name, or overwrite it with --force"
    assert_refused(run, exists, "inspect", footage / "blue.mp4", "--model", model)
    assert run("inspect", footage / "blue.mp4", "--model", model, "--force").code == 0


def test_several_reducers_and_stages_are_shown(run: Run, model: Path, footage: Path) -> None:
    args = ("inspect", footage / "blue.mp4", "--model", model, "--schedule", "B1-6,16;B3-2,8")
    several = ("--reducer", "kmedoids", "--reducer", "sample,merge, pool")
    done = run(*args, *several, "--html", "a.html", "--output", "a.png")
    assert (done.code, done.out) == (0, "a.png\na.html\n")
    assert "merge blends the tokens of a cluster" in done.err
    assert "pool blends tokens without clusters" in done.err
    assert not Path("blue.inspect.png").exists()
    assert Path("a.html").read_text(encoding="utf-8").count('class="panel"') == 8
    assert Path("a.png").exists()


def test_json_lists_the_kept_patches(run: Run, model: Path, footage: Path) -> None:
    done = run("inspect", footage / "blue.mp4", "--model", model, "--json", "--output", "x.png")
    record = json.loads(done.out)
    assert (record["reducer"], record["stage"], record["pictures"]) == ("kmedoids", "B2-4,16", ["x.png"])
    assert [frame["segment"] for frame in record["frames"]] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert sum(len(frame["kept"]) for frame in record["frames"]) == record["tokens_after"] == 64
    assert record["tokens_before"] == 12 * 16
    seconds = [frame["seconds"] for frame in record["frames"]]
    assert seconds == sorted(set(seconds))


def test_a_long_video_is_shown_window_by_window(run: Run, model: Path, footage: Path) -> None:
    long = footage / "Ferien 2024" / "long one.mp4"
    with VideoReader(long) as reader:
        seconds = reader.info.duration_seconds
    args = ("inspect", long, "--model", model, "--json", "--force")
    assert "the first of 3 windows; to show another, add --at SECONDS" in run(*args).err
    for at, start in (("0", 0.0), ("12", seconds / 3), (str(seconds), 2 * seconds / 3)):
        shown = json.loads(run(*args, "--at", at).out)
        assert shown["start"] == pytest.approx(start, abs=0.01)
        assert all(start <= frame["seconds"] <= shown["end"] for frame in shown["frames"])
    whole = json.loads(run(*args, "--window", "60", "--frames", "30").out)
    assert len(whole["frames"]) == 30
    assert_refused(run, "99 is after the video's end at 30.0 seconds", *args, "--at", "99", code=2)


def test_errors_name_the_remedy(run: Run, model: Path, broken: Path, footage: Path, tmp_path: Path) -> None:
    good = broken / "good.mp4"
    for args, code, message in (
        ([broken / "song.mp4"], 1, "song.mp4"),
        ([broken / "text.mp4"], 1, "text.mp4"),
        ([broken / "empty.mov"], 1, "empty.mov"),
        ([tmp_path / "nosuch.mp4"], 1, "nosuch.mp4"),
        ([broken], 1, str(broken)),
        ([good, "--schedule", "none"], 1, "the schedule none keeps every patch: choose another"),
        ([good, "--schedule", "B9-4,16"], 1, "the model has 4 blocks"),
        ([good, "--reducer", "magic"], 1, "reducer 'magic' is unknown: choose one of kmedoids"),
        ([good, "--output", "a.jpg"], 1, "must end in .png"),
        ([good, "--html", "no/where.html"], 1, "folder not found: no"),
        ([good, "--frames", "0"], 2, "--frames"),
    ):
        assert_refused(run, message, "inspect", *args, "--model", model, code=code)
    siglip = CenterCLIP(siglip_model(), "B2-4,16", tokenizer=word_tokenizer(start=False))
    siglip.save_pretrained(tmp_path / "m")
    message = "token_shift can't be used with this model"
    assert_refused(run, message, "inspect", good, "--model", tmp_path / "m", "--reducer", "token_shift")
    assert list(Path.cwd().iterdir()) == []

    before = (footage / "blue.mp4").read_bytes()
    Path("moving.html").write_bytes(before)
    args = ("inspect", "moving.html", "--model", model, "--html", "./moving.html", "--force")
    assert_refused(run, "is the video itself", *args)
    assert Path("moving.html").read_bytes() == before


def test_file_names_that_are_not_valid_text_work(run: Run, model: Path, footage: Path) -> None:
    shutil.copy(footage / "blue.mp4", b"odd \xff name.mp4")
    assert run("inspect", "odd \udcff name.mp4", "--model", model, "--html", "odd.html").code == 0


@pytest.mark.browser
def test_the_page_works_offline_and_shows_clusters(run: Run, model: Path, footage: Path) -> None:
    program = find_browser()
    args = ("--reducer", "kmedoids", "--reducer", "sample", "--html", "a.html")
    assert run("inspect", footage / "blue.mp4", "--model", model, *args).code == 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=QUIET)
        for width, scheme in ((1400, "dark"), (360, "light")):
            page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            visit = Visit(page, host="")
            visit.watch()
            page.goto(Path("a.html").absolute().as_uri())
            assert sideways(page) <= 0
            assert page.locator("figure").count() == 24
            page.locator(".clusters svg").first.hover(position={"x": 3, "y": 3}, force=True)
            shown = page.locator("output").inner_text()
            assert shown.startswith("cluster of ")
            assert f"in {page.locator('.clusters path.lit').count()} frame" in shown
            page.locator("h1").hover()
            assert page.locator(".lit").count() == 0
            visit.check()
            color = page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert (color == "rgb(244, 244, 245)") == (scheme == "light")
        browser.close()
