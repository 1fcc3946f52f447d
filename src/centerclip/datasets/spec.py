"""The description of a data set: its splits, its usual protocol, and how to read its files.

It must be light to import, because help texts are made from these descriptions.
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
    """One split as in its annotation files, before video files are searched.

    Attributes:
        source: the file with the captions, for messages.
        videos: in the order of the gallery, each with a unique `id`. Relative paths start from the folder
            of the videos.
        captions: captions by video id; may include videos of other splits.
        by_name: whether paths are only names, so that files may be in any subfolder with any video suffix.
    """

    source: Path
    videos: tuple[Item, ...]
    captions: Mapping[str, Sequence[str]]
    by_name: bool = False

    @classmethod
    def of_ids(cls, source: Path, ids: Iterable[str], captions: Mapping[str, Sequence[str]]) -> Self:
        """Return the annotations of whole videos with files named after their ids."""
        return cls(source, tuple(Item(Path(name), id=name) for name in ids), captions, by_name=True)


@dataclass(frozen=True)
class DatasetSpec:
    """A data set. Use your own as `module:object`, where object is an instance of this class.

    Attributes:
        name: name of the data set, as in `--dataset`.
        read: reads a split, given the folder or file of the annotations and the name of the split.
        splits: names of the splits, the default of evaluations first. Empty if the files name them.
        reported_splits: splits that results are reported on. They must not be used to choose a model.
        training_splits: splits that models are trained on.
        training_split_for: training split for a split, where it isn't the first of `training_splits`.
        frames: frames per video in the usual protocol; None leaves the choice to the model.
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
