"""The rules of `Preprocessing`."""

from typing import Any

import pytest

from centerclip.preprocessing import Preprocessing


def test_equal_behavior_means_equal_values() -> None:
    assert Preprocessing((224, 224), shortest_edge=224) == Preprocessing((224, 224))
    assert Preprocessing((224, 224), shortest_edge=256) != Preprocessing((224, 224))


def test_another_size_shows_the_same_part_of_a_frame() -> None:
    assert Preprocessing((224, 224), shortest_edge=256).at((336, 336)).shortest_edge == 384
    squash = Preprocessing((224, 224), resize="squash")
    assert squash.at((336, 336)) == Preprocessing((336, 336), resize="squash")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"image_size": (0, 8)}, "image_size is"),
        ({"mean": (0.5,)}, "need 3 values"),
        ({"std": (0.5, 0.0, 0.5)}, "above zero"),
        ({"interpolation": "area"}, "'area', but must be one of nearest, lanczos, bilinear, bicubic"),
        ({"resize": "longest"}, "'longest', but must be crop or squash"),
        ({"interpolation": "lanczos", "antialias": False}, "lanczos always antialiases"),
        ({"resize": "squash", "shortest_edge": 256}, "leave shortest_edge out"),
        ({"shortest_edge": 200}, "would not fill the input"),
    ],
)
def test_invalid_values_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**{"image_size": (224, 224), **wrong})
