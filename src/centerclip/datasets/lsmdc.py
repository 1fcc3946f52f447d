"""LSMDC (Rohrbach et al., IJCV 2017): clips of films, each with one sentence of audio description."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_text
from centerclip.datasets.assembly import Protocol, assemble, check_split, find_videos_by_id
from centerclip.datasets.dataset import Dataset
from centerclip.errors import DatasetError

__all__ = ["SPLITS", "lsmdc"]

PROTOCOL = Protocol("lsmdc")
_FILES = {
    "train": "LSMDC16_annos_training.csv",
    "val": "LSMDC16_annos_val.csv",
    "test": "LSMDC16_challenge_1000_publictect.csv",  # spelled so by its publishers
}
SPLITS = tuple(_FILES)
"""The test split is the challenge's 1,000 clips."""

_COLUMNS = 6  # clip, start and end aligned, start and end extracted, sentence


def lsmdc(annotations: Path, videos: Path | None, split: str, *, allow_missing: bool = False) -> Dataset:
    """Read a split of LSMDC.

    Args:
        annotations: folder with `LSMDC16_annos_training.csv`, `LSMDC16_annos_val.csv` or
            `LSMDC16_challenge_1000_publictect.csv`: tab-separated, six columns, no header.
        videos: folder with the clips, in one folder a film or all in one; None for the captions alone.
        split: one of `SPLITS`.
        allow_missing: go on without clips that are not there; a few of the training file never were.

    Returns:
        12 frames, 32 words.

    Raises:
        DatasetError: a file is missing or malformed.
    """
    check_split(PROTOCOL.name, split, SPLITS)
    source = find_annotation(annotations, _FILES[split])
    captions: dict[str, list[str]] = defaultdict(list)
    # Sentences hold quotation marks that quote nothing, so these are no csv files in csv's sense.
    for number, line in enumerate(read_text(source).split("\n"), start=1):
        if line.strip():
            values = line.split("\t")
            if len(values) != _COLUMNS:
                raise DatasetError(
                    f"{source}, line {number}: {len(values)} values between tabs; each line must have "
                    f"{_COLUMNS}: the clip, four times, the sentence"
                )
            captions[values[0].strip()].append(values[-1])
    items = find_videos_by_id(videos, captions)
    return assemble(
        PROTOCOL, split, items, captions, source=source, videos=videos, allow_missing=allow_missing
    )
