"""Drawing: every thing is visible, distinct, and has the named color."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from PIL import Image

from centerclip.lab.toy_world.canvas import draw_thing
from centerclip.lab.toy_world.colors import COLORS, PAINTS
from centerclip.lab.toy_world.motions import Pose
from centerclip.lab.toy_world.places import PLACES, draw_place
from centerclip.lab.toy_world.shapes import Shape, Thing
from centerclip.lab.toy_world.things import THINGS

PAPER = (1, 2, 3)  # no paint of any thing


def portrait(name: str, pose: Pose | None = None, color: str = "red") -> np.ndarray:
    picture = Image.new("RGB", (112, 112), PAPER)
    draw_thing(picture, THINGS[name], pose or Pose(0, 0, 0.85), main=COLORS[color], outline=PAINTS["ink"])
    return np.asarray(picture).astype(int)


def drawn(picture: np.ndarray) -> np.ndarray:
    return (picture != PAPER).any(axis=-1)


@pytest.mark.parametrize("name", THINGS)
def test_thing_fills_its_frame_and_shows_its_color(name: str) -> None:
    points = THINGS[name].points
    assert np.abs(points).max() <= 1.2
    assert np.ptp(points, axis=0).max() >= 1.5
    red, black = (portrait(name, color=color) for color in ("red", "black"))
    assert drawn(red).mean() > 0.08
    assert (red == COLORS["red"]).all(axis=-1).mean() > 0.025
    assert not (black == COLORS["red"]).all(axis=-1).any()


def test_things_differ_in_shape() -> None:
    masks = {name: drawn(portrait(name)) for name in THINGS}
    assert len(masks) >= 40
    for one, other in combinations(masks, 2):
        assert (masks[one] ^ masks[other]).sum() / masks[one].sum() > 0.1, (one, other)


def test_colors_and_places_are_distinct() -> None:
    places = [np.asarray(draw_place(name, 0, (60, 80))).mean(axis=(0, 1)) for name in PLACES]
    assert (len(COLORS), len(places)) == (12, 8)
    assert min(np.linalg.norm(np.subtract(a, b)) for a, b in combinations(COLORS.values(), 2)) > 60
    assert min(np.linalg.norm(a - b) for a, b in combinations(places, 2)) > 8


def test_pose_moves_mirrors_and_hides() -> None:
    middle = drawn(portrait("car", Pose(0, 0, 0.3)))
    right = drawn(portrait("car", Pose(0.5, 0, 0.3)))
    np.testing.assert_array_equal(np.roll(middle, 28, axis=1), right)
    mirrored = drawn(portrait("car", Pose(0, 0, 0.8, facing=-1)))
    assert (mirrored[:, ::-1] ^ drawn(portrait("car", Pose(0, 0, 0.8)))).mean() < 0.02
    assert not drawn(portrait("car", Pose(0, 0, 0.8, visible=False))).any()
    assert not drawn(portrait("car", Pose(5, 5, 0.5))).any()


def test_the_outline_surrounds_a_shape() -> None:
    for turn in (1, -1):  # corners in both orders
        square = Shape(np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)[::turn], "main")
        picture = Image.new("RGB", (400, 400), PAPER)
        thing = Thing(("square",), "slide", (square,))
        draw_thing(picture, thing, Pose(0, 0, 0.5), main=COLORS["red"], outline=PAINTS["ink"])
        row = np.asarray(picture)[200]
        assert tuple(row[98]) == tuple(row[301]) == PAINTS["ink"]
        assert tuple(row[94]) == tuple(row[305]) == PAPER
        assert tuple(row[102]) == tuple(row[297]) == COLORS["red"]


@pytest.mark.parametrize("name", PLACES)
def test_places_depend_on_the_seed(name: str) -> None:
    first, again, other = (np.asarray(draw_place(name, seed, (60, 80))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (60, 80, 3)
