"""The videos and captions of a split, for training and evaluation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from centerclip.errors import DatasetError
from centerclip.records import Item

if TYPE_CHECKING:  # help texts import this module, so it must be light
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Caption", "Dataset"]


@dataclass(frozen=True, slots=True)
class Caption:
    """A caption, and the position of its video in `Dataset.videos`."""

    text: str
    video: int


@dataclass(frozen=True)
class Dataset:
    """A split of a data set.

    Attributes:
        frames: frames per video in the usual protocol; None leaves the choice to the model.
        max_text_tokens: longer captions are cut to this number of tokens.
        missing: ids of videos of the split that were left out, with their captions.
        protocols: ways to rank video-to-text, `caption` or `group`, the default first.
        annotations_hash: of the split's video ids, parts and captions as annotated, including `missing`.

    Raises:
        DatasetError: there are no videos or no captions, or a caption is empty or belongs to no video.
    """

    name: str
    split: str
    videos: tuple[Item, ...]
    captions: tuple[Caption, ...]
    frames: int | None = None
    max_text_tokens: int = 32
    missing: tuple[str, ...] = ()
    protocols: tuple[str, ...] = ("caption",)
    annotations_hash: str = ""

    def __post_init__(self) -> None:
        if not self.videos or not self.captions:
            raise DatasetError(
                f"{self.name} {self.split} has {len(self.videos)} videos and {len(self.captions)} captions; "
                "it needs at least one of each. Check the folder of videos and the annotation file"
            )
        for caption in self.captions:
            if not 0 <= caption.video < len(self.videos):
                raise DatasetError(
                    f"{self.name} {self.split}: caption {caption.text!r} belongs to video {caption.video}, "
                    f"but there are {len(self.videos)}, counted from 0"
                )
            if not caption.text.strip():
                raise DatasetError(
                    f"{self.name} {self.split}: a caption of video {self.videos[caption.video].id} is empty; "
                    "remove it"
                )

    def video_of_caption(self) -> NDArray[np.int64]:
        """Return [captions] int64, the position in `videos` of each caption's video: the ground truth."""
        import numpy as np

        return np.array([caption.video for caption in self.captions], dtype=np.int64)

    def part(self, positions: Sequence[int]) -> Dataset:
        """Return the videos at these positions, in this order, with their captions.

        Raises:
            DatasetError: no video with a caption is left.
        """
        moved = {before: after for after, before in enumerate(positions)}
        captions = (replace(c, video=moved[c.video]) for c in self.captions if c.video in moved)
        return replace(self, videos=tuple(self.videos[p] for p in positions), captions=tuple(captions))

    def without(self, positions: Collection[int]) -> Dataset:
        """Return all videos except those at these positions, which are added to `missing`.

        Raises:
            DatasetError: no video with a caption is left.
        """
        rest = self.part([p for p in range(len(self.videos)) if p not in positions])
        return replace(rest, missing=(*self.missing, *(self.videos[p].id for p in sorted(positions))))
