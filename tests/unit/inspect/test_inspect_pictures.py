"""Pixels of sheets and pages: dropped patches are dimmed, kept ones unchanged, clusters colored."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from PIL import Image

from centerclip.inspect import Footage, View, draw_page, draw_sheet
from centerclip.inspect.layout import Plan, arrange
from centerclip.inspect.lettering import fit, font, font_for
from centerclip.inspect.patches import cluster_colors, dim_dropped, tint_clusters
from centerclip.inspect.sheet import resized
from centerclip.records import Window
from centerclip.schedule import Reduction

GRID = (7, 7)


def footage_of(frames: int, name: str = "clip.mp4") -> Footage:
    rng = np.random.default_rng(0)
    pictures = rng.integers(60, 256, (frames, 336, 336, 3), dtype=np.uint8)
    seconds = tuple(0.25 * frame for frame in range(frames))
    return Footage(name, Window(0.0, 0.25 * frames), seconds, torch.zeros(0), pictures)


def view_of(frames: int, segments: int, *, kept: bool = True, labels: bool = True) -> View:
    """Random clusters, each with its first patch kept."""
    rng = np.random.default_rng(1)
    owners = tuple(frame * segments // frames for frame in range(frames))
    clusters = 12
    found = rng.permuted(np.tile(np.arange(49) % clusters, (frames, 1)), axis=1)
    chosen = np.zeros((frames, 49), dtype=bool)
    for segment in range(segments):
        own = np.flatnonzero(np.array(owners) == segment)
        for cluster in range(clusters):
            places = np.argwhere(found[own] == cluster)
            chosen[own[places[0][0]], places[0][1]] = True
    return View(
        "kmedoids", Reduction(6, segments, clusters), GRID, frames * 49, segments * clusters, owners,
        chosen if kept else None, found if labels else None,
    )  # fmt: skip


def cells(picture: np.ndarray, kept: np.ndarray) -> list[tuple[bool, np.ndarray]]:
    down, across = picture.shape[0] // GRID[0], picture.shape[1] // GRID[1]
    return [
        (bool(is_kept), picture[y * down : (y + 1) * down, x * across : (x + 1) * across])
        for (y, x), is_kept in np.ndenumerate(kept.reshape(GRID))
    ]


def test_dropped_patches_are_dimmed_and_kept_ones_untouched() -> None:
    picture = footage_of(1).pictures[0]
    kept = np.arange(49) % 3 == 0
    for (is_kept, drawn), (_, before) in zip(
        cells(dim_dropped(picture, kept, GRID), kept), cells(picture, kept), strict=True
    ):
        if is_kept:
            assert np.array_equal(drawn, before)
        else:
            assert drawn.max() < before.mean() / 2
            assert (drawn == drawn[..., :1]).all()  # gray


def test_clusters_are_colored_and_medoids_outlined() -> None:
    picture, view = footage_of(4).pictures[0], view_of(4, 2)
    assert view.kept is not None
    assert view.labels is not None
    colors = cluster_colors(view)
    tinted = tint_clusters(picture, colors[0], view.labels[0], view.kept[0], GRID)
    for place, (is_kept, drawn) in enumerate(cells(tinted, view.kept[0])):
        middle = drawn[10:-10, 10:-10].reshape(-1, 3).mean(axis=0)
        gray = picture.mean()
        np.testing.assert_allclose(middle, 0.68 * colors[0, place] + 0.32 * gray, atol=8)
        assert (drawn[2, 2:-2] == 255).all() == is_kept
    for segment in (0, 1):
        own = np.array(view.segments) == segment
        shades = {tuple(color) for color in colors[own].reshape(-1, 3)}
        assert len(shades) == 12  # one color per cluster


@pytest.mark.parametrize(("frames", "segments"), [(12, 4), (12, 1), (12, 12), (60, 12), (1, 1), (5, 3)])
def test_a_sheet_shows_each_frame_once_with_its_kept_patches(frames: int, segments: int) -> None:
    footage, view = footage_of(frames), view_of(frames, segments)
    sheet = np.asarray(draw_sheet(footage, [view]))
    plan = plan_of([view])
    assert sheet.shape == (plan.height, plan.width, 3)
    pictures = resized(footage.pictures, plan.cell)
    height, width = plan.cell
    slots = [slot for card in plan.panels[0].cards for slot in card.slots]
    assert [slot.frame for slot in slots] == list(range(frames))
    assert view.kept is not None
    for slot in slots:
        drawn = sheet[slot.top : slot.top + height, slot.left : slot.left + width]
        clear = np.array([
            np.array_equal(cell, before)
            for (_, cell), (_, before) in zip(
                cells(drawn, view.kept[slot.frame]), cells(pictures[slot.frame], view.kept[slot.frame]),
                strict=True,
            )
        ])  # fmt: skip
        assert np.array_equal(clear, view.kept[slot.frame])


def plan_of(views: list[View]) -> Plan:
    layers = 1 + any(view.labels is not None for view in views)
    least = max(round(font(15).getlength(view.summary)) for view in views)
    return arrange([view.segments for view in views], views[0].grid, layers=layers, min_width=least)


@pytest.mark.parametrize("panels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize(("frames", "segments"), [(12, 4), (12, 1), (12, 12), (60, 12), (1, 1), (7, 3)])
@pytest.mark.parametrize("grid", [(7, 7), (14, 14), (24, 24)])
def test_nothing_overlaps(panels: int, frames: int, segments: int, grid: tuple[int, int]) -> None:
    owners = [frame * segments // frames for frame in range(frames)]
    plan = arrange([owners] * panels, grid, layers=2, min_width=250)
    taken = np.zeros((plan.height, plan.width), dtype=int)
    for panel in plan.panels:
        assert panel.left + panel.width <= plan.width - 24
        for card in panel.cards:
            left, top, right, bottom = card.box
            taken[top:bottom, left:right] += 1
            for slot in card.slots:
                assert left < slot.left < slot.left + plan.cell[1] < right
                assert top < slot.top < slot.top + 2 * plan.cell[0] < bottom
    assert taken.max() == 1
    assert plan.width <= 1320
    assert plan.cell[0] >= 72
    assert plan.cell[0] % grid[0] == plan.cell[1] % grid[1] == 0


def test_views_with_and_without_clusters_share_a_picture() -> None:
    footage = footage_of(6)
    views = [view_of(6, 2, kept=kept, labels=labels) for kept in (True, False) for labels in (True, False)]
    assert draw_sheet(footage, views).size == (plan_of(views).width, plan_of(views).height)
    page = draw_page(footage, views)
    assert page.count("no clusters") == 12
    assert page.count("<figure>") == 24


def test_unusual_names_are_drawn() -> None:
    for name in ("Ferien – „gold“.mp4", "京都.mp4", "a\nb\x00.mp4", "x" * 500 + ".mp4", "bad\udce9.mp4"):
        assert draw_sheet(footage_of(1, name), [view_of(1, 1)]).width < 1320
        page = draw_page(footage_of(1, name), [view_of(1, 1)])
        page.encode()
    assert "<script>alert" not in draw_page(footage_of(1, "<script>alert(1)</script>"), [view_of(1, 1)])
    own = font(20)
    assert font_for("clip.mp4", 20) is own
    short = fit("x" * 300 + ".mp4", 200, own)
    assert own.getlength(short) <= 200
    assert short.endswith(".mp4")


class Parts(HTMLParser):
    """The text of a page by element; checks the nesting."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in {"meta", "!doctype"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None: ...

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and data.strip():
            self.text.append((self.open[-1], data))


def test_a_page_is_complete_and_loads_nothing() -> None:
    footage, view = footage_of(12), view_of(12, 4)
    page = draw_page(footage, [view])
    parts = Parts(page)
    assert view.counts is not None
    assert [text for tag, text in parts.text if tag == "b"] == [f"{count} of 49" for count in view.counts]
    assert [text for tag, text in parts.text if tag == "span"] == [f"{s:.1f} s" for s in footage.seconds]
    embedded = re.findall(r"url\(data:image/jpeg;base64,([^)]+)\)", page)
    assert len(embedded) == 12
    first = np.asarray(Image.open(io.BytesIO(base64.b64decode(embedded[0]))))
    assert first.shape == (336, 336, 3)
    assert "://" not in page
    assert "$" not in page.split("<script>")[0].split("</style>")[1]
    assert page.count("<rect") == view.tokens_after
