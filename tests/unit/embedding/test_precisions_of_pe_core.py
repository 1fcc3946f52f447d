"""PE-Core at its published sizes, with random weights: narrow precisions keep embeddings, reduced or not."""

from __future__ import annotations

import pytest
import torch

from centerclip.embedding.device import prepare
from centerclip.embedding.engine import encode_frames
from centerclip.lab.bench.subjects import random_subject, toy_batch

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["PE-Core S/16-384", "PE-Core B/16-224"])
def test_bfloat16_and_int8_keep_the_embeddings(name: str) -> None:
    whole = random_subject(name).model.eval().with_(frames=3, schedule="none")
    frames, _ = toy_batch(1, frames=3, size=whole.image_size)
    for model in (whole, whole.with_(schedule="fast")):
        exact = encode_frames(prepare(model, CPU, "float32"), frames)
        for precision in ("bfloat16", "int8"):
            narrow = encode_frames(prepare(model, CPU, precision), frames)
            for one, other in zip(exact, narrow, strict=True):  # of the video, and of its segments
                least = float((one * other).sum(-1).min())
                assert least > 0.999, (model.schedule, precision)
