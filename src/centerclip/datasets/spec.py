"""The description of a data set: its splits, the field's protocol for it, and how to read its files.

Light to import: help texts come from these descriptions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from centerclip.records import Item

__all__ = ["Annotations", "DatasetSpec"]


@dataclass(frozen=True)
class Annotations:
    """One split as its annotation files state it, before any video is looked for.

    Attributes:
        source: the file with the captions, for messages.
        videos: in the order of the gallery, each with a unique `id`. Relative paths start from the folder
            of the videos.
        captions: by video id; may cover more videos than the split.
        by_name: a path is only a name: the file may be in any subfolder and have any video suffix.
    """

    source: Path
    videos: tuple[Item, ...]
    captions: Mapping[str, Sequence[str]]
    by_name: bool = False

    @classmethod
    def of_ids(cls, source: Path, ids: Iterable[str], captions: Mapping[str, Sequence[str]]) -> Self:
        """The annotations of whole videos whose files are named after their ids."""
        return cls(source, tuple(Item(Path(name), id=name) for name in ids), captions, by_name=True)


@dataclass(frozen=True)
class DatasetSpec:
    """A data set. Your own is used as `module:object`, where object is a value of this class.

    Attributes:
        name: of the set, as in `--dataset`.
        read: reads a split. Its arguments are the annotations' folder or file, and the split's name.
        splits: their names; an evaluation takes the first by default. Empty if the files name them.
        reported_splits: those that results are reported on. They must not be used to choose a model.
        training_splits: those that models are trained on.
        training_split_for: the training split for a split, where it isn't the first training split.
        frames: frames per video in the field's protocol; None leaves the choice to the model.
        max_text_tokens: longer captions are cut to this number of tokens.
        protocols: ways to rank video-to-text, the default first (see `metrics.video_to_text_ranks`).
    """

    name: str
    read: Callable[[Path, str], Annotations]
    splits: tuple[str, ...] = ()
    reported_splits: tuple[str, ...] = ("test",)
    training_splits: tuple[str, ...] = ("train",)
    training_split_for: Mapping[str, str] = field(default_factory=dict)
    frames: int | None = None
    max_text_tokens: int = 32
    protocols: tuple[str, ...] = ("caption",)
