"""The rivals that everything is compared with: straightforward implementations.

They are simple on purpose but not handicapped: none does work that its approach doesn't require.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
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

__all__ = [
    "WholeTower",
    "decode_everything",
    "exact_search",
    "frame_by_frame",
    "naive_kmedoids",
    "usual_pipeline",
]


@torch.no_grad()
def naive_kmedoids(tokens: Tensor, k: int, *, max_iter: int = 100) -> Tensor:
    """k-medoids with the pairs of all clusters in one tensor [B, K, N, N].

    Args:
        tokens: [B, N, D], computed in their own precision.
        k: clusters per set.

    Returns:
        [B, k] int64, ascending medoids; equal to those of `centerclip.kmedoids` for distinct tokens.
    """
    # Mirrored, because rounding makes d(a, b) and d(b, a) differ, which would decide clusters of two.
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
    """KKZ seeds [B, K], ascending: each next seed is the token farthest from its nearest seed."""
    sets = torch.arange(len(distances), device=distances.device)
    seeds = [first]
    nearest = distances[sets, first]
    while len(seeds) < k:
        seeds.append(nearest.argmax(1))
        nearest = torch.minimum(nearest, distances[sets, seeds[-1]])
    return torch.stack(seeds, 1).sort(1).values


def _labels(distances: Tensor, medoids: Tensor) -> Tensor:
    """The number of each token's nearest medoid [B, N]; a medoid belongs to itself."""
    towards = distances.gather(1, medoids[:, :, None].expand(-1, -1, distances.shape[2]))  # [B, K, N]
    towards.scatter_(2, medoids[:, :, None], -1.0)
    return towards.argmin(1)


@torch.inference_mode()
def frame_by_frame(clip: Any, frames: Tensor) -> Tensor:
    """Embed videos with CLIP of `transformers`, as CLIP4Clip does: each frame separately, then the mean.

    Args:
        clip: `transformers.CLIPModel`, in float32.
        frames: [B, T, 3, H, W] float32, normalized.

    Returns:
        [B, E], unit length.
    """
    videos = []
    for video in frames:  # the frames of a video form a batch
        each = normalize(clip.get_image_features(pixel_values=video).pooler_output, dim=1)
        videos.append(normalize(each.mean(0), dim=0))
    return torch.stack(videos)


class WholeTower(Tower):
    """A vision tower whose last block computes all tokens, like CLIP's, although only one is used."""

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        return self.backbone.pool(self.backbone.run(tokens, start, self.backbone.blocks))


def decode_everything(path: Path, seconds: Sequence[float] | NDArray[np.float64]) -> list[NDArray[np.uint8]]:
    """Decode all frames of a file, and keep those shown at given times.

    FFmpeg chooses the number of threads; only the frames kept are converted to RGB.

    Args:
        seconds: times from the first frame, ascending.

    Returns:
        One picture [H, W, 3] uint8 per time.
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


@torch.inference_mode()
def usual_pipeline(
    path: Path, clip: Any, processor: Any, *, window_seconds: int = 12, batch: int = 16
) -> Tensor:
    """Embed the windows of a file as most people would: a frame per second, with CLIP of `transformers`.

    Args:
        clip: `transformers.CLIPModel`, in float32.
        processor: its image processor.
        window_seconds: a window's length, and so its number of frames; the last window may have fewer.
        batch: frames per batch.

    Returns:
        [W, E], unit length: the mean of each window's frames.
    """
    pictures = _one_per_second(path)
    vectors = []
    while some := list(islice(pictures, batch)):
        pixels = processor(images=some, return_tensors="pt")["pixel_values"].to(clip.device)
        vectors.append(normalize(clip.get_image_features(pixel_values=pixels).pooler_output, dim=1))
    windows = torch.split(torch.cat(vectors), window_seconds)
    return torch.stack([normalize(window.mean(0), dim=0) for window in windows])


def _one_per_second(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Decode all frames of a file, and let FFmpeg's filter `fps=1` choose: [H, W, 3] RGB each.

    FFmpeg chooses the number of threads; only the frames kept are converted to RGB.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        graph = av.filter.Graph()
        graph.link_nodes(graph.add_buffer(template=stream), graph.add("fps", "1"), graph.add("buffersink"))
        graph.configure()
        for frame in chain(container.decode(stream), [None]):
            graph.push(frame)
            with suppress(av.BlockingIOError, av.EOFError):
                while True:
                    yield _picture(graph.vpull())


def exact_search(matrix: NDArray[np.float32], query: NDArray[np.float32], top: int) -> NDArray[np.int64]:
    """The rows of a matrix [N, E] with the highest dot products with a query [E], best first."""
    scores = matrix @ query
    best = np.argpartition(-scores, top - 1)[:top]
    found: NDArray[np.int64] = best[np.argsort(-scores[best], kind="stable")]
    return found
