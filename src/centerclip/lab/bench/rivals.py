"""What everything is compared with, written as one would without knowing better.

They are slow and obvious on purpose, but not hampered: none does work that its way of doing things does not
ask for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from centerclip.clustering import Tokens
from centerclip.model import Tower

__all__ = ["WholeTower", "decode_everything", "exact_search", "frame_by_frame", "naive_kmedoids"]


@torch.no_grad()
def naive_kmedoids(tokens: Tensor, k: int, *, max_iter: int = 100) -> Tensor:
    """k-medoids with all clusters' pairs in one tensor [B, K, N, N].

    Args:
        tokens: [B, N, D], computed in their own precision.
        k: clusters a set.

    Returns:
        [B, k] int64, the medoids in ascending order: where tokens differ, those of `centerclip.kmedoids`.
    """
    # Half of them twice: products round d(a, b) and d(b, a) otherwise, which would decide a cluster of two.
    upper = torch.cdist(tokens, tokens).triu(1)
    distances = upper + upper.mT  # [B, N, N]
    medoids = _farthest_first(distances, tokens.norm(dim=2).argmax(1), k)
    for _ in range(max_iter):
        labels = _labels(distances, medoids)
        member = labels[:, None, :] == torch.arange(k, device=tokens.device)[:, None]  # [B, K, N]
        pairs = member[:, :, :, None] & member[:, :, None, :]  # [B, K, N, N]
        sums = (distances[:, None] * pairs).sum(3)  # [B, K, N]
        moved = sums.masked_fill(~member, torch.inf).argmin(2).sort(1).values
        if torch.equal(moved, medoids):
            break
        medoids = moved
    return medoids


def _farthest_first(distances: Tensor, first: Tensor, k: int) -> Tensor:
    """KKZ: each next seed is the token farthest from its nearest seed, [B, K] ascending."""
    sets = torch.arange(len(distances), device=distances.device)
    seeds = [first]
    nearest = distances[sets, first]
    while len(seeds) < k:
        seeds.append(nearest.argmax(1))
        nearest = torch.minimum(nearest, distances[sets, seeds[-1]])
    return torch.stack(seeds, 1).sort(1).values


def _labels(distances: Tensor, medoids: Tensor) -> Tensor:
    """The number of each token's nearest medoid [B, N]; a medoid's own is itself."""
    towards = distances.gather(1, medoids[:, :, None].expand(-1, -1, distances.shape[2]))  # [B, K, N]
    towards.scatter_(2, medoids[:, :, None], -1.0)
    return towards.argmin(1)


@torch.inference_mode()
def frame_by_frame(clip: Any, frames: Tensor) -> Tensor:
    """Embed videos with `transformers`' own CLIP, as CLIP4Clip does: every frame by itself, then the mean.

    Args:
        clip: `transformers.CLIPModel`, in float32.
        frames: [B, T, 3, H, W] float32, normalized.

    Returns:
        [B, E], unit length.
    """
    videos = []
    for video in frames:  # a video's frames are one batch
        each = normalize(clip.get_image_features(pixel_values=video).pooler_output, dim=1)
        videos.append(normalize(each.mean(0), dim=0))
    return torch.stack(videos)


class WholeTower(Tower):
    """A vision tower whose last block computes all tokens, as CLIP's does, though only one is used."""

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        return self.backbone.pool(self.backbone.run(tokens, start, self.backbone.blocks))


def decode_everything(path: Path, seconds: Sequence[float] | NDArray[np.float64]) -> list[NDArray[np.uint8]]:
    """Decode a file from its first to its last frame, and keep what is shown at some instants.

    With all threads that FFmpeg likes, and only the wanted frames are turned into pictures.

    Args:
        seconds: instants from the first frame, ascending.

    Returns:
        A picture [H, W, 3] uint8 an instant.
    """
    shown: list[NDArray[np.uint8]] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        before: av.VideoFrame | None = None
        first = 0.0
        for frame in container.decode(stream):
            assert frame.time is not None
            if before is None:
                before, first = frame, frame.time
            while len(shown) < len(seconds) and seconds[len(shown)] < frame.time - first:
                shown.append(_picture(before))
            before = frame
        assert before is not None
        shown += [_picture(before) for _ in range(len(seconds) - len(shown))]
    return shown


def _picture(frame: av.VideoFrame) -> NDArray[np.uint8]:
    picture: Any = frame.to_ndarray(format="rgb24")
    return np.asarray(picture, np.uint8)


def exact_search(matrix: NDArray[np.float32], query: NDArray[np.float32], top: int) -> NDArray[np.int64]:
    """The rows of a matrix [N, E] with the highest dot products with a query [E], best first."""
    scores = matrix @ query
    best = np.argpartition(-scores, top - 1)[:top]
    found: NDArray[np.int64] = best[np.argsort(-scores[best], kind="stable")]
    return found
