"""LSMDC (Rohrbach et al., IJCV 2017): short parts of films, each with one sentence of audio description.

Annotations: `LSMDC16_annos_training.csv`, `LSMDC16_annos_val.csv` and `LSMDC16_challenge_1000_publictect.csv`
(1,000 videos): tab-separated, six columns, no header. A few videos of the training file were never published.
Videos: in one folder per film, or all in one.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_text
from centerclip.datasets.spec import Annotations, DatasetSpec
from centerclip.errors import DatasetError

__all__ = ["DATASET"]

_FILES = {
    "test": "LSMDC16_challenge_1000_publictect.csv",  # sic
    "val": "LSMDC16_annos_val.csv",
    "train": "LSMDC16_annos_training.csv",
}
_COLUMNS = 6  # video, start and end aligned, start and end extracted, sentence


def _read(folder: Path, split: str) -> Annotations:
    source = find_annotation(folder, _FILES[split])
    captions: dict[str, list[str]] = defaultdict(list)
    # The sentences contain unpaired quotation marks, so the csv module can't read these files.
    for number, line in enumerate(read_text(source).split("\n"), start=1):
        if line.strip():
            values = line.split("\t")
            if len(values) != _COLUMNS:
                raise DatasetError(
                    f"{source}, line {number}: {len(values)} values between tabs; each line must have "
                    f"{_COLUMNS}: the video, four times, the sentence"
                )
            captions[values[0].strip()].append(values[-1])
    return Annotations.of_ids(source, captions, captions)


DATASET = DatasetSpec("lsmdc", _read, splits=tuple(_FILES), frames=12)
