"""Reducers that keep the center tokens of clusters."""

from dataclasses import dataclass
from typing import Literal

from centerclip.clustering.distance import METRICS
from centerclip.clustering.kmedoids import Clustering, kmedoids
from centerclip.clustering.reducers.reducer import Reducer
from centerclip.clustering.spectral import check_graph, spectral_clustering
from centerclip.clustering.tokens import Tokens

__all__ = ["KMedoids", "Spectral"]


@dataclass(frozen=True)
class KMedoids(Reducer):
    """Keeps the medoids of k-medoids. The options are those of `kmedoids`."""

    metric: str = "euclidean"
    max_iter: int = 100

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric is {self.metric!r}, but must be one of {', '.join(METRICS)}")
        _check_rounds(self.max_iter)

    def choose(self, tokens: Tokens, k: int) -> Clustering:
        return kmedoids(tokens.sequence, k, metric=self.metric, max_iter=self.max_iter)


@dataclass(frozen=True)
class Spectral(Reducer):
    """Keeps the medoids of spectral clustering. The options are those of `spectral_clustering`.

    Two defaults differ: `sigma` is `median`, because most towers' tokens are too far apart for the paper's
    2.0; `neighbors` is the paper's five per frame, plus five if frames have at least 100 patch tokens.
    """

    graph: str = "heat"
    sigma: float | Literal["median"] = "median"
    neighbors: int | None = None
    mutual: bool = False
    max_iter: int = 100

    def __post_init__(self) -> None:
        check_graph(self.graph, self.sigma, self.neighbors)
        if not isinstance(self.mutual, bool):
            raise ValueError(f"mutual is {self.mutual!r}, but must be true or false")
        _check_rounds(self.max_iter)
        if self.sigma != "median":  # 2 and 2.0 have the same fingerprint
            object.__setattr__(self, "sigma", float(self.sigma))

    def choose(self, tokens: Tokens, k: int) -> Clustering:
        _, frames, patches, _ = tokens.patches.shape
        return spectral_clustering(
            tokens.sequence,
            k,
            graph=self.graph,
            sigma=self.sigma,
            neighbors=self.neighbors or 5 * frames + 5 * (patches >= 100),
            mutual=self.mutual,
            max_iter=self.max_iter,
        )


def _check_rounds(max_iter: int) -> None:
    if not isinstance(max_iter, int) or max_iter < 0:
        raise ValueError(f"max_iter is {max_iter!r}, but must be a whole number of at least 0")
