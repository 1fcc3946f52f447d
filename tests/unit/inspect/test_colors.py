"""Colors of clusters are different, and those of neighbors very different, for every kind of eye."""

from __future__ import annotations

import numpy as np
import pytest

from centerclip.inspect.colors import color_clusters, palette, perceived


def apart(colors: np.ndarray) -> np.ndarray:
    """Return [C, C], the distances of colors as seen by the worst eye."""
    seen = perceived(colors)
    return np.linalg.norm(seen[:, None] - seen[None], axis=-1).min(axis=-1)


@pytest.mark.parametrize("count", [1, 2, 12, 49, 160])
def test_all_colors_differ_and_small_palettes_differ_much(count: int) -> None:
    colors = palette(count)
    assert len({tuple(color) for color in colors.tolist()}) == count
    assert np.array_equal(colors, palette(160)[:count])
    least = apart(colors)[~np.eye(count, dtype=bool)].min(initial=1)
    # A difference of about 0.02 in OKLab is just visible.
    assert least > {1: 0, 2: 0.4, 12: 0.08, 49: 0.03, 160: 0.012}[count]


def test_known_colors_are_perceived_as_published() -> None:
    red = perceived(np.array([[255, 0, 0]], dtype=np.uint8))[0]
    np.testing.assert_allclose(red[0], [0.6280, 0.2249, 0.1258], atol=1e-3)
    assert red[1, 0] < 0.5
    gray = perceived(np.array([[128, 128, 128]], dtype=np.uint8))[0]
    np.testing.assert_allclose(gray[:, 1:], 0, atol=1e-3)


def test_neighbors_get_colors_that_are_far_apart() -> None:
    assert len(palette(3000)) == 3000  # colors repeat
    labels = np.arange(48).reshape(1, 6, 8).repeat(2, axis=0)
    colors = color_clusters(labels, 49)
    assert len({tuple(color) for color in colors.tolist()}) == 49
    distances = apart(colors)
    beside = [distances[labels[0, y, x], labels[0, y, x + 1]] for y in range(6) for x in range(7)]
    below = [distances[labels[0, y, x], labels[0, y + 1, x]] for y in range(5) for x in range(8)]
    everyone = distances[~np.eye(49, dtype=bool)]
    assert min(beside + below) > 0.12 > 3 * everyone.min()
