"""Products from slices: exact, the same in any order, and as good for k-medoids as float64."""

from fractions import Fraction

import pytest
import torch
from token_sets import KINDS, token_sets

from centerclip.clustering import distance, kmedoids, pairwise_distances, slices
from centerclip.clustering.slices import computes_doubles_slowly, inner_products


@pytest.fixture
def in_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compute distances as a consumer's GPU does."""
    monkeypatch.setattr(distance, "computes_doubles_slowly", lambda _: True)


def exactly(points: torch.Tensor) -> list[list[Fraction]]:
    rows = [[Fraction(value) for value in row] for row in points.tolist()]
    return [[sum((a * b for a, b in zip(p, q, strict=True)), Fraction()) for q in rows] for p in rows]


def test_products_are_exact_for_numbers_of_38_bits() -> None:
    # Of very different size, with the largest and the least of 38 bits.
    generator = torch.Generator().manual_seed(3)
    whole = torch.randint(-(2**38), 2**38, (6, 7), generator=generator)
    whole[:, 0] = 2**38 - 1
    points = whole.double() * torch.tensor([1.0, 2.0**-90, 2.0**40, 1.0, 2.0**-38, 0.0])[:, None]
    found = inner_products(points.clone()[None])[0]
    for row, expected in zip(found.tolist(), exactly(points), strict=True):
        for value, right in zip(row, expected, strict=True):
            assert value == pytest.approx(float(right), rel=1e-15, abs=0)


@pytest.mark.parametrize("width", [1, 64, 768, 1280, 5000])
def test_sums_of_slices_are_whole_numbers_that_float32_keeps(width: int) -> None:
    # The worst case: all slices of all coordinates are as large as can be, so each sum is.
    largest = torch.full((1, 1, width), 1 - 2.0**-40, dtype=torch.float64)
    products = inner_products(torch.cat([largest, -largest], 1))[0]
    assert products[0].tolist() == pytest.approx([width, -width], rel=1e-11)
    # Whatever the order of the terms.
    points = token_sets("random", (1, 8, width)).double()
    order = torch.randperm(width, generator=torch.Generator().manual_seed(1))
    assert torch.equal(inner_products(points.clone()), inner_products(points[..., order].clone()))


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("kind", KINDS)
def test_distances_are_those_of_pairs_measured_one_by_one(kind: str) -> None:
    tokens = token_sets(kind, (2, 21, 48))
    exact = torch.stack([(own[:, None].double() - own).square().sum(2).sqrt() for own in tokens])
    found = pairwise_distances(tokens)
    assert torch.equal(found, found.mT)
    assert torch.equal(found == 0, exact == 0)
    torch.testing.assert_close(found.double(), exact, rtol=1.5e-7, atol=0)


@pytest.mark.usefixtures("in_slices")
@pytest.mark.parametrize("shape", [(3, 30, 48), (1, 147, 768)])
@pytest.mark.parametrize("kind", KINDS)
def test_medoids_are_those_of_float64(
    kind: str, shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = token_sets(kind, shape)
    found = kmedoids(tokens, shape[1] // 3)
    monkeypatch.undo()
    expected = kmedoids(tokens, shape[1] // 3)
    assert torch.equal(found.medoids, expected.medoids)
    assert torch.equal(found.labels, expected.labels)


@pytest.mark.usefixtures("in_slices")
def test_the_batch_does_not_change_a_set() -> None:
    tokens = torch.cat([token_sets(kind, (1, 37, 9)) for kind in KINDS])
    for own, together in zip(tokens, pairwise_distances(tokens), strict=True):
        assert torch.equal(pairwise_distances(own[None])[0], together)


@pytest.mark.parametrize(
    ("capability", "slow"), [((9, 0), False), ((8, 0), False), ((8, 9), True), ((12, 0), True)]
)
def test_cards_for_consumers_use_slices(
    capability: tuple[int, int], slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: capability)
    slices._is_fast.cache_clear()
    try:
        assert computes_doubles_slowly(torch.device("cuda", 0)) is slow
    finally:
        slices._is_fast.cache_clear()
    assert not computes_doubles_slowly(torch.device("cpu"))
