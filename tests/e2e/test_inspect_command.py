"""`centerclip inspect`: what it writes, what it says, what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from browsing import QUIET, Visit, find_browser, sideways
from command_line import Run
from PIL import Image
from playwright.sync_api import sync_playwright
from tiny_models import siglip_model, word_tokenizer

from centerclip.model import CenterCLIP
from centerclip.video import VideoReader


def test_a_picture_is_written_here(run: Run, model: Path, footage: Path) -> None:
    done = run("inspect", footage / "blue.mp4", "--model", model)
    assert (done.code, done.out, done.err) == (0, "blue.inspect.png\n", "")
    with Image.open("blue.inspect.png") as shown:
        assert shown.format == "PNG"
        assert shown.width > 600
    again = run("inspect", footage / "blue.mp4", "--model", model)
    assert again.code == 1
    assert "blue.inspect.png exists: give another name, or --force" in again.err
    assert run("inspect", footage / "blue.mp4", "--model", model, "--force").code == 0


def test_every_form_at_once(run: Run, model: Path, footage: Path) -> None:
    args = ("inspect", footage / "blue.mp4", "--model", model, "--schedule", "B1-6,16;B3-2,8")
    several = ("--reducer", "kmedoids", "--reducer", "sample,merge, pool")
    done = run(*args, *several, "--html", "a.html", "--output", "a.png")
    assert (done.code, done.out) == (0, "a.png\na.html\n")
    assert "merge blends the tokens of a cluster" in done.err
    assert "pool blends tokens and tells no clusters" in done.err
    assert not Path("blue.inspect.png").exists()
    assert Path("a.html").read_text(encoding="utf-8").count('class="panel"') == 8
    assert Path("a.png").exists()


def test_json_tells_what_the_model_kept(run: Run, model: Path, footage: Path) -> None:
    done = run("inspect", footage / "blue.mp4", "--model", model, "--json", "--output", "x.png")
    record = json.loads(done.out)
    assert (record["reducer"], record["stage"], record["pictures"]) == ("kmedoids", "B2-4,16", ["x.png"])
    assert [frame["segment"] for frame in record["frames"]] == [0] * 3 + [1] * 3 + [2] * 3 + [3] * 3
    assert sum(len(frame["kept"]) for frame in record["frames"]) == record["tokens_after"] == 64
    assert record["tokens_before"] == 12 * 16
    assert [frame["seconds"] for frame in record["frames"]] == sorted(
        {frame["seconds"] for frame in record["frames"]}
    )


def test_a_long_video_is_shown_window_by_window(run: Run, model: Path, footage: Path) -> None:
    long = footage / "Ferien 2024" / "long one.mp4"
    with VideoReader(long) as reader:
        seconds = reader.info.duration_seconds
    first = run("inspect", long, "--model", model, "--json")
    assert "the first of 3 windows; --at SECONDS shows another" in first.err
    for at, start in (("0", 0.0), ("12", seconds / 3), (str(seconds), 2 * seconds / 3)):
        shown = json.loads(run("inspect", long, "--model", model, "--json", "--force", "--at", at).out)
        assert shown["start"] == pytest.approx(start, abs=0.01)
        assert all(start <= frame["seconds"] <= shown["end"] for frame in shown["frames"])
    whole = json.loads(
        run("inspect", long, "--model", model, "--json", "--force", "--window", "60", "--frames", "30").out
    )
    assert len(whole["frames"]) == 30
    beyond = run("inspect", long, "--model", model, "--at", "99", "--force")
    assert beyond.code == 2
    assert "99 is beyond the video's end at 30.0 seconds" in beyond.err


def test_what_cannot_be_shown_is_said(run: Run, model: Path, broken: Path, tmp_path: Path) -> None:
    good = broken / "good.mp4"
    for args, code, words in (
        ([broken / "song.mp4"], 1, "song.mp4"),
        ([broken / "text.mp4"], 1, "text.mp4"),
        ([broken / "empty.mov"], 1, "empty.mov"),
        ([tmp_path / "nosuch.mp4"], 1, "nosuch.mp4"),
        ([broken], 1, str(broken)),
        ([good, "--schedule", "none"], 1, "there is nothing to see: give one that reduces"),
        ([good, "--schedule", "B9-4,16"], 1, "the model has 4 blocks"),
        ([good, "--reducer", "magic"], 1, "reducer 'magic' is unknown: choose one of kmedoids"),
        ([good, "--output", "a.jpg"], 1, "must end in .png"),
        ([good, "--html", "no/where.html"], 1, "there is no folder no"),
        ([good, "--frames", "0"], 2, "--frames"),
    ):
        refused = run("inspect", *args, "--model", model)
        assert refused.code == code, (args, refused.err)
        assert words in refused.err, args
        assert "bug in centerclip" not in refused.err
        assert refused.out == ""
    assert list(Path.cwd().iterdir()) == []


def test_a_reducer_that_needs_class_tokens_says_so(run: Run, footage: Path, tmp_path: Path) -> None:
    CenterCLIP(siglip_model(), "B2-4,16", tokenizer=word_tokenizer(start=False)).save_pretrained(
        tmp_path / "m"
    )
    refused = run("inspect", footage / "blue.mp4", "--model", tmp_path / "m", "--reducer", "token_shift")
    assert refused.code == 1
    assert "token_shift can't be used with this model" in refused.err


def test_the_video_is_never_overwritten(run: Run, model: Path, footage: Path) -> None:
    before = (footage / "blue.mp4").read_bytes()
    Path("moving.html").write_bytes(before)
    refused = run("inspect", "moving.html", "--model", model, "--html", "./moving.html", "--force")
    assert refused.code == 1
    assert "is the video itself" in refused.err
    assert Path("moving.html").read_bytes() == before


def test_names_that_are_no_text_work(run: Run, model: Path, footage: Path) -> None:
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
            told = page.locator("output").inner_text()
            assert told.startswith("cluster of ")
            lit = page.locator(".clusters path.lit").count()
            assert f"in {lit} frame" in told
            page.locator("h1").hover()
            assert page.locator(".lit").count() == 0
            visit.check()
            if scheme == "light":
                assert (
                    page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(244, 244, 245)"
                )
        browser.close()
