"""Reducers that keep the center tokens of clusters."""

from dataclasses import dataclass, field
from typing import Literal

from centerclip.clustering.distance import METRICS
from centerclip.clustering.kmedoids import Clustering, kmedoids
from centerclip.clustering.reducers.reducer import LATER, Reducer
from centerclip.clustering.spectral import check_graph, spectral_clustering
from centerclip.clustering.tokens import Tokens

__all__ = ["KMedoids", "Spectral"]


@dataclass(frozen=True)
class KMedoids(Reducer):
    """Keeps the medoids of k-medoids. The options are those of `kmedoids`, and `weighted`."""

    metric: str = "euclidean"
    max_iter: int = 100
    weighted: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise ValueError(f"metric is {self.metric!r}, but must be one of {', '.join(METRICS)}")
        _check_switches(weighted=self.weighted)
        _check_rounds(self.max_iter)

    def choose(self, tokens: Tokens, k: int) -> Clustering:
        return kmedoids(tokens.sequence, k, metric=self.metric, max_iter=self.max_iter)


@dataclass(frozen=True)
class Spectral(Reducer):
    """Keeps the medoids of spectral clustering. The options are those of it, and `weighted`.

    Two defaults differ: `sigma` is `median`, because most towers' tokens are too far apart for the paper's
    2.0; `neighbors` is one less than the paper's k, which is five per frame of the segment, plus five if
    frames have at least 100 patch tokens. The paper ran `spectral(graph=knn, sigma=2.0)`.
    """

    graph: str = "heat"
    sigma: float | Literal["median"] = "median"
    neighbors: int | None = None
    mutual: bool = False
    max_iter: int = 100
    weighted: bool = field(default=False, metadata=LATER)

    def __post_init__(self) -> None:
        check_graph(self.graph, self.sigma, self.neighbors)
        _check_switches(mutual=self.mutual, weighted=self.weighted)
        _check_rounds(self.max_iter)
        if self.sigma != "median":  # 2 and 2.0 have the same fingerprint
            object.__setattr__(self, "sigma", float(self.sigma))

    @property
    def revision(self) -> int:
        return int(self.graph == "knn" and self.neighbors is None)  # 0 had one neighbor more

    def choose(self, tokens: Tokens, k: int) -> Clustering:
        _, frames, patches, _ = tokens.patches.shape
        return spectral_clustering(
            tokens.sequence,
            k,
            graph=self.graph,
            sigma=self.sigma,
            neighbors=self.neighbors or 5 * frames + 5 * (patches >= 100) - 1,
            mutual=self.mutual,
            max_iter=self.max_iter,
        )


def _check_switches(**switches: object) -> None:
    for name, value in switches.items():
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, but must be true or false")


def _check_rounds(max_iter: int) -> None:
    if not isinstance(max_iter, int) or max_iter < 0:
        raise ValueError(f"max_iter is {max_iter!r}, but must be a whole number of at least 0")
