"""ActivityNet Captions (Krishna et al., ICCV 2017): long videos, each described in several sentences.

Annotations: `train.json` (10,009 videos), `val_1.json` (4,917, on which the field reports) and `val_2.json`
(other descriptions of nearly the same videos), each id to `{duration, timestamps, sentences}`.
Videos: `v_QOlSCBRmfWY.mp4` and so on. The sentences of a video are joined into one caption.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centerclip.datasets.annotations import find_annotation, read_json
from centerclip.datasets.spec import Annotations, DatasetSpec

__all__ = ["DATASET"]


@dataclass(frozen=True)
class _Story:
    sentences: list[str]


def _read(folder: Path, split: str) -> Annotations:
    source = find_annotation(folder, f"{split}.json")
    stories = read_json(source, dict[str, _Story])
    captions = {
        name: [" ".join(sentence.strip() for sentence in story.sentences if sentence.strip())]
        for name, story in stories.items()
    }
    return Annotations.of_ids(source, captions, captions)


DATASET = DatasetSpec(
    "activitynet",
    _read,
    splits=("val_1", "val_2", "train"),
    reported_splits=("val_1", "val_2"),
    frames=60,
    max_text_tokens=77,
)
