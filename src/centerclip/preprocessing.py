"""How uint8 frames become a model's input.

`centerclip.video` resizes frames by a `Preprocessing`; `centerclip.model` normalizes by it, and reads and
writes it with a model.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import isfinite

__all__ = ["CLIP_MEAN", "CLIP_STD", "INTERPOLATIONS", "Preprocessing"]

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
"""Mean of CLIP's training pixels: red, green, blue in 0..1 (OpenAI's constants)."""
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_LEAST_STD = 1e-4
_MOST_EDGE = 16
"""Larger frames would take gigabytes before the middle is cut out."""

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic")
"""In the order of Pillow's filter numbers, 0 to 3."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a frame is resized and normalized. Equal values behave equally, so fingerprints can hash them.

    Attributes:
        image_size: (height, width) of the model's input, in pixels.
        mean, std: per channel, of pixels in 0..1.
        interpolation: resizing filter: bicubic, bilinear, lanczos or nearest.
        resize: `crop` scales the frame and cuts out the middle, as CLIP does; `squash` stretches the whole
            frame to `image_size`, as SigLIP does.
        shortest_edge: with `crop`, the short side after scaling, in pixels. None scales the frame until it
            just covers `image_size`; an equivalent number is stored as None.
        antialias: whether the filter is widened when shrinking, as in Pillow. No effect on nearest.

    Raises:
        ValueError: an unknown value or impossible combination.
    """

    image_size: tuple[int, int]
    mean: tuple[float, float, float] = CLIP_MEAN
    std: tuple[float, float, float] = CLIP_STD
    interpolation: str = "bicubic"
    resize: str = "crop"
    shortest_edge: int | None = None
    antialias: bool = True

    def __post_init__(self) -> None:
        if len(self.image_size) != 2 or min(self.image_size) < 1:
            raise ValueError(f"image_size is {self.image_size}, but must be (height, width) in pixels")
        finite = all(map(isfinite, (*self.mean, *self.std)))
        if len(self.mean) != 3 or len(self.std) != 3 or not finite or min(self.std) < _LEAST_STD:
            raise ValueError(
                f"mean is {self.mean} and std {self.std}, but both need 3 values, those of std above zero "
                f"(at least {_LEAST_STD})"
            )
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(
                f"interpolation is {self.interpolation!r}, but must be one of {', '.join(INTERPOLATIONS)}"
            )
        if self.resize not in ("crop", "squash"):
            raise ValueError(f"resize is {self.resize!r}, but must be crop or squash")
        if self.interpolation == "lanczos" and not self.antialias:
            raise ValueError("lanczos always antialiases: use bicubic, or leave antialias on")
        if self.shortest_edge is None:
            return
        if self.resize == "squash":
            raise ValueError("squash changes both sides to image_size: leave shortest_edge out")
        if self.shortest_edge < max(self.image_size):
            raise ValueError(
                f"shortest_edge is {self.shortest_edge}, less than image_size {self.image_size}, so frames "
                "would not fill the input: make it at least as large"
            )
        if self.shortest_edge > _MOST_EDGE * max(self.image_size):
            raise ValueError(
                f"shortest_edge is {self.shortest_edge}, more than {_MOST_EDGE} times the image_size "
                f"{self.image_size}: make it smaller"
            )
        if self.shortest_edge == min(self.image_size):
            object.__setattr__(self, "shortest_edge", None)

    def at(self, image_size: tuple[int, int]) -> Preprocessing:
        """Return preprocessing that shows the same part of a frame at another size of the same shape."""
        edge = self.shortest_edge
        if edge is not None:
            edge = round(edge * max(image_size) / max(self.image_size))
        return replace(self, image_size=image_size, shortest_edge=edge)
