"""Which instants of a window are looked at."""

import numpy as np
import pytest

from centerclip.records import Window
from centerclip.video import instants


def test_without_a_generator_the_middles_of_equal_strides() -> None:
    np.testing.assert_allclose(instants(Window(10.0, 22.0), 4), [11.5, 14.5, 17.5, 20.5])
    np.testing.assert_allclose(instants(Window(0.0, 1.0), 1), [0.5])


def test_with_a_generator_one_in_each_stride() -> None:
    drawn = np.stack([instants(Window(3.0, 9.0), 6, rng=np.random.default_rng(seed)) for seed in range(200)])
    strides = 3.0 + np.arange(6)
    assert (drawn >= strides).all()
    assert (drawn < strides + 1).all()
    # Uniform in each stride: with 200 draws the mean strays from the middle by 0.02 (one sigma).
    np.testing.assert_allclose(drawn.mean(0), strides + 0.5, atol=0.1)
    assert len(np.unique(drawn)) == drawn.size


@pytest.mark.parametrize("window", [Window(2.0, 2.0), Window(3.0, 2.0), Window(0.0, float("nan"))])
def test_a_window_without_length_is_refused(window: Window) -> None:
    with pytest.raises(ValueError, match="has no length"):
        instants(window, 4)


def test_no_frames_are_refused() -> None:
    with pytest.raises(ValueError, match="frames is 0"):
        instants(Window(0.0, 1.0), 0)
