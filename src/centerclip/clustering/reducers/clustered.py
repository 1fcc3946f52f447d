"""Reducers that keep the center tokens of clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor

from centerclip.clustering.distance import METRICS
from centerclip.clustering.kmedoids import kmedoids
from centerclip.clustering.reducers.reducer import Reduced, flatten, keep, mean_class_token
from centerclip.clustering.spectral import check_graph, spectral_clustering

__all__ = ["KMedoids", "Spectral"]


@dataclass(frozen=True)
class KMedoids:
    """Keeps the medoids of k-medoids. Options as of `kmedoids`."""

    name: ClassVar[str] = "kmedoids"
    metric: str = "euclidean"
    max_iter: int = 100

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric is {self.metric!r}, but must be one of {', '.join(METRICS)}")

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        sequence = flatten(patches, tokens)
        found = kmedoids(sequence, tokens, metric=self.metric, max_iter=self.max_iter)
        return Reduced(
            keep(sequence, found.medoids), mean_class_token(class_tokens), found.medoids, found.labels
        )


@dataclass(frozen=True)
class Spectral:
    """Keeps the medoids of spectral clustering. Options as of `spectral_clustering`, but for two defaults.

    `sigma` is `median`, since the tokens of most towers lie so far apart that the paper's 2.0 leaves no
    affinity between them. `neighbors` is the paper's: five a frame, and five more from 100 patch tokens
    a frame on.
    """

    name: ClassVar[str] = "spectral"
    graph: str = "heat"
    sigma: float | Literal["median"] = "median"
    neighbors: int | None = None
    mutual: bool = False
    max_iter: int = 100

    def __post_init__(self) -> None:
        check_graph(self.graph, self.sigma, self.neighbors)

    def __call__(
        self,
        patches: Tensor,
        class_tokens: Tensor | None,
        tokens: int,
        *,
        sizes: Tensor | None = None,
        training: bool = False,
    ) -> Reduced:
        sequence = flatten(patches, tokens)
        _, frames, patches_a_frame, _ = patches.shape
        found = spectral_clustering(
            sequence,
            tokens,
            graph=self.graph,
            sigma=self.sigma,
            neighbors=self.neighbors or 5 * frames + 5 * (patches_a_frame >= 100),
            mutual=self.mutual,
            max_iter=self.max_iter,
        )
        return Reduced(
            keep(sequence, found.medoids), mean_class_token(class_tokens), found.medoids, found.labels
        )
