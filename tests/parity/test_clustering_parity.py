"""k-medoids and spectral clustering compared with slow, obvious implementations in float64.

In float32, two candidates may be closer than rounding, so that another choice is equally good and changes all
later ones. So the oracle records whether every decision was clear beyond float32 rounding. If it was,
medoids, labels and cost must be equal; otherwise the partition only has to be consistent. Every case requires
a minimum fraction of clear sets.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
import torch
from token_sets import DEVICES, KINDS, token_sets
from torch import Tensor

from centerclip.clustering import Clustering, kmedoids, spectral_clustering

RELATIVE = {"euclidean": 3e-7}
"""Relative error of distances, 2e-5 for the other metrics. Euclidean ones are float64, rounded once; cosines
come from rounded directions; Manhattan ones are summed in float32."""

UNDECIDED = {("few values", "cosine"), ("tight", "cosine")}
"""Cases with many equal cosines, or directions that float32 can hardly distinguish."""

EXACT = {"grid", "few values", "equal", "zero"}
"""Kinds of small integers or equal tokens, whose distances are exact except for rounding the root."""

TIE = 1e-9
"""float64 values up to this far apart count as equal; rounding errors are about 1e-15."""


@dataclass
class Oracle:
    """k-medoids of one set, by loops."""

    distances: Tensor  # [N, N] float64
    lengths: Tensor | None  # [N] float64, the longest is the first seed; None: token 0
    k: int
    exact: bool = False  # whether distances are exact in float32, so that ties are ties there too
    relative: float = 2e-5  # otherwise values that differ by this fraction of them, ...
    absolute: float = 0.0  # ... or by this much, could change order
    clear: bool = True  # whether no decision depends on such an order
    medoids: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    cost: float = 0.0

    def __post_init__(self) -> None:
        self.medoids = self.seeds()
        for _ in range(100):
            self.labels = self.assign()
            moved = self.update()
            if moved == self.medoids:
                break
            self.medoids = moved
        self.cost = sum(self.distances[i, self.medoids[c]].item() for i, c in enumerate(self.labels))

    def least(self, values: list[float], tokens: list[int], members: Sequence[int] = ()) -> int:
        """Find the first token with the least value; record whether float32 could choose another one."""
        least = min(values)
        first = next(token for token, value in zip(tokens, values, strict=True) if value - least <= TIE)
        for token, value in zip(tokens, values, strict=True):
            close = value - least <= self.relative * abs(value) + self.absolute
            same = self.exact or value == least == 0 or self.interchangeable(first, token, members)
            if close and not same:
                self.clear = False
        return first

    def interchangeable(self, one: int, other: int, members: Sequence[int]) -> bool:
        """Whether two tokens have equal values in any precision: they are equal, or alone in a cluster."""
        alone = bool(members) and all(
            0 in (self.distances[one, i], self.distances[other, i]) for i in members
        )
        sides = [sum(self.distances[token, i] == 0 for i in members) for token in (one, other)]
        return self.distances[one, other] == 0 or (alone and sides[0] == sides[1])

    def seeds(self) -> list[int]:
        tokens = range(len(self.distances))
        seeds = [0 if self.lengths is None else self.least((-self.lengths).tolist(), list(tokens))]
        while len(seeds) < self.k:
            others = [i for i in tokens if i not in seeds]
            nearest = self.distances[others][:, seeds].min(1).values
            seeds.append(self.least((-nearest).tolist(), others))
        return sorted(seeds)

    def assign(self) -> list[int]:
        nearest = [
            i if i in self.medoids else self.least(self.distances[i, self.medoids].tolist(), self.medoids)
            for i in range(len(self.distances))
        ]
        return [self.medoids.index(medoid) for medoid in nearest]

    def update(self) -> list[int]:
        medoids = []
        for cluster in range(self.k):
            members = [i for i, label in enumerate(self.labels) if label == cluster]
            sums = self.distances[members][:, members].sum(1)
            medoids.append(self.least(sums.tolist(), members, members))
        return sorted(medoids)


def distances_of(tokens: Tensor, metric: str = "euclidean") -> Tensor:
    """[N, D] float64 -> [N, N], pair by pair without products."""
    if metric == "manhattan":
        return torch.stack([(tokens - token).abs().sum(1) for token in tokens])
    if metric == "cosine":
        return 0.5 * distances_of(torch.nn.functional.normalize(tokens, dim=1)).square()
    return torch.stack([(tokens - token).square().sum(1).sqrt() for token in tokens])


def assert_partition(medoids: list[int], labels: list[int], cost: float, distances: Tensor) -> None:
    """Check that tokens join their nearest medoid, medoids themselves, and that the cost is right."""
    error = 1e-5 * distances.max().item()
    assert medoids == sorted(set(medoids))
    assert [labels[medoid] for medoid in medoids] == list(range(len(medoids)))
    own = distances[torch.arange(len(labels)), torch.tensor(medoids)[labels]]
    assert (own - distances[:, medoids].min(1).values).max() <= error
    assert cost == pytest.approx(own.sum().item(), rel=1e-4, abs=len(labels) * error)


def compare(found: Clustering, oracles: list[Oracle]) -> float:
    """Compare every set with its oracle; return the fraction of clear ones, which had to be equal."""
    for oracle, medoids, labels, cost in zip(
        oracles, found.medoids.tolist(), found.labels.tolist(), found.cost.tolist(), strict=True
    ):
        if oracle.clear:
            assert medoids == oracle.medoids
            assert labels == oracle.labels
            assert cost == pytest.approx(oracle.cost, rel=1e-4, abs=len(labels) * max(oracle.absolute, 1e-6))
        elif not oracle.absolute:
            assert_partition(medoids, labels, cost, oracle.distances)
    return sum(oracle.clear for oracle in oracles) / len(oracles)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("kind", KINDS)
def test_kmedoids_agrees_with_the_oracle(kind: str, metric: str, device: str) -> None:
    shares = []
    for seed, (n, width) in enumerate([(1, 3), (7, 2), (23, 5), (33, 33)]):
        tokens = token_sets(kind, (2, n, width), seed)
        for k in sorted({1, -(-n // 5), -(-n // 2), n}):
            oracles = [
                Oracle(
                    distances_of(points, metric),
                    points.norm(dim=1),
                    k,
                    exact=kind in EXACT and metric != "cosine",
                    relative=RELATIVE.get(metric, 1e-6 if kind == "tight" else 2e-5),
                )
                for points in tokens.double()
            ]
            shares.append(compare(kmedoids(tokens.to(device), k, metric=metric), oracles))
    assert sum(shares) >= (0.1 if (kind, metric) in UNDECIDED else 0.7) * len(shares)


def test_kmedoids_agrees_at_the_size_of_a_segment() -> None:
    tokens = token_sets("random", (2, 147, 768)) + 0.5 * token_sets("clustered", (2, 147, 768))
    points = tokens.double()
    oracles = [Oracle(distances_of(own), own.norm(dim=1), 49, relative=3e-7) for own in points]
    assert compare(kmedoids(tokens, 49), oracles) >= 0.5


def spectral_oracle(
    points: Tensor, k: int, *, graph: str, sigma: float | str, neighbors: int, mutual: bool
) -> Oracle:
    """Spectral clustering of [N, D] float64."""
    n = len(points)
    distances = distances_of(points)
    if sigma == "median":
        pairs = sorted(distances[i, j].item() for i in range(n) for j in range(i))
        sigma = pairs[(len(pairs) - 1) // 2]
    affinity = torch.exp(-distances.square() / (2 * float(sigma) ** 2))
    if graph == "knn":
        near = [
            set(sorted(range(n), key=lambda j, i=i: (j != i, distances[i, j].item(), j))[: neighbors + 1])
            for i in range(n)
        ]
        for i in range(n):
            for j in range(n):
                sides = (j in near[i], i in near[j])
                affinity[i, j] *= all(sides) if mutual else any(sides)
    degrees = affinity.sum(1)
    laplacian = torch.eye(n, dtype=torch.float64) - affinity / (degrees[:, None] * degrees).sqrt()
    values, vectors = torch.linalg.eigh(laplacian)
    gap = (values[k] - values[k - 1]).item() if k < n else math.inf
    rows = vectors[:, :k]
    # An error of 1e-6 in the Laplacian turns eigenvectors by 1e-6 / gap; short rows turn more.
    turned = gap * rows.norm(dim=1).min().item()
    error = 2e-6 / turned if turned > 0 else math.inf
    rows = torch.nn.functional.normalize(rows, dim=1)
    rows = rows[[next(j for j in range(n) if distances[i, j] == 0) for i in range(n)]]
    return Oracle(distances_of(rows), None, k, absolute=error + 2**-15)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(
    ("graph", "sigma", "mutual", "kind"),
    [
        *(("heat", 2.0, False, kind) for kind in ("random", "clustered")),
        *(("heat", "median", False, kind) for kind in ("random", "clustered", "duplicated")),
        *(("knn", "median", False, kind) for kind in ("random", "duplicated")),
        *(("knn", 2.0, False, "random"), ("knn", "median", True, "random")),
    ],
)
def test_spectral_agrees_with_the_oracle(
    graph: str, sigma: float | str, mutual: bool, kind: str, device: str
) -> None:
    options = {"graph": graph, "sigma": sigma, "mutual": mutual, "neighbors": 6}
    shares = []
    for seed, n in enumerate([12, 20, 30]):
        tokens = token_sets(kind, (4, n, 4), seed)
        for k in (2, -(-n // 5)):
            oracles = [spectral_oracle(points, k, **options) for points in tokens.double()]
            shares.append(compare(spectral_clustering(tokens.to(device), k, **options), oracles))
    assert sum(shares) >= 0.5 * len(shares)
