"""The rivals do the same work: equal medoids, embeddings and frames, and a correct search."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import clip_model
from videos import make_video, number_of

from centerclip.clustering import kmedoids
from centerclip.lab.bench.rivals import (
    WholeTower,
    decode_everything,
    exact_search,
    frame_by_frame,
    naive_kmedoids,
    usual_pipeline,
)
from centerclip.model import CenterCLIP
from centerclip.video import VideoReader


@pytest.mark.parametrize(("n", "k"), [(1, 1), (7, 1), (7, 7), (30, 4), (64, 21)])
def test_naive_clustering_finds_the_same_medoids(n: int, k: int) -> None:
    for seed in range(5):
        tokens = torch.randn(3, n, 8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        assert torch.equal(naive_kmedoids(tokens, k), kmedoids(tokens, k).medoids)


def test_plain_clip_equals_the_model_without_a_schedule() -> None:
    clip = clip_model()
    model = CenterCLIP(clip)
    frames = torch.randn(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(frame_by_frame(clip, frames), model.encode_video(frames).detach())


def test_a_whole_last_block_makes_no_difference() -> None:
    model = CenterCLIP(clip_model(), "B1-2,4", frames=4).eval()
    frames = torch.randn(2, 4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        spared = model.encode_segments(frames)
        model.tower = WholeTower(model.backbone)
        torch.testing.assert_close(model.encode_segments(frames), spared)


@pytest.mark.parametrize("name", ["one-long-group.mp4", "uneven.mp4"])
def test_decoding_everything_finds_the_same_frames(name: str, video: Callable[[str], Path]) -> None:
    path = video(name)
    seconds = np.array([0.0, 0.01, 0.5, 0.5, 0.93, 99.0])
    with VideoReader(path) as reader:
        shown = [picture for _, picture in reader.frames_at(seconds)]
    for ours, rival in zip(shown, decode_everything(path, seconds), strict=True):
        np.testing.assert_array_equal(ours, rival)


def test_exact_search_sorts_by_score() -> None:
    rows = np.eye(4, dtype=np.float32)
    query = np.array([0.1, 0.9, 0.3, 0.2], np.float32)
    assert exact_search(rows, query, 3).tolist() == [1, 2, 3]


def test_the_usual_pipeline_means_a_frame_per_second_over_each_window(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=70, rate=10)
    seen: list[int] = []

    def processor(images: list[np.ndarray], return_tensors: str) -> dict[str, torch.Tensor]:
        assert (len(images), return_tensors) in ((4, "pt"), (3, "pt"))
        seen.extend(map(number_of, images))
        return {
            "pixel_values": torch.stack([torch.full((3, 16, 16), number_of(each) / 70) for each in images])
        }

    clip = clip_model().eval()
    vectors = usual_pipeline(path, clip, processor, window_seconds=3, batch=4)
    assert len(seen) == 7
    assert all(abs(number - 10 * second) <= 5 for second, number in enumerate(seen))  # of its own second
    assert vectors.shape[0] == 3  # 3, 3 and 1 seconds
    frames = torch.tensor(seen)[:, None, None, None].expand(7, 3, 16, 16) / 70
    for vector, some in zip(vectors, frames.split(3), strict=True):
        torch.testing.assert_close(vector, frame_by_frame(clip, some[None])[0])
