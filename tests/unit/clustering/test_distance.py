"""Distances: symmetric, exactly zero between equal tokens, accurate, and independent of the batch."""

import math

import pytest
import torch
from token_sets import DEVICES, KINDS, token_sets

from centerclip.clustering import distance, pairwise_distances
from centerclip.clustering.distance import METRICS

TRIANGLE = torch.tensor([[[0.0, 0.0], [3.0, 0.0], [3.0, 4.0]]])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("euclidean", [[0, 3, 5], [3, 0, 4], [5, 4, 0]]),
        ("manhattan", [[0, 3, 7], [3, 0, 4], [7, 4, 0]]),
        # A zero token is 0.5 from every direction; the other two tokens have cosine 0.6.
        ("cosine", [[0, 0.5, 0.5], [0.5, 0, 0.4], [0.5, 0.4, 0]]),
    ],
)
def test_distances_by_hand(metric: str, expected: list[list[float]]) -> None:
    torch.testing.assert_close(
        pairwise_distances(TRIANGLE, metric)[0], torch.tensor(expected, dtype=torch.float32)
    )


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", KINDS)
def test_symmetric_and_zero_between_equal_tokens(kind: str, metric: str, device: str) -> None:
    tokens = token_sets(kind, (2, 33, 19)).to(device)
    distances = pairwise_distances(tokens, metric)
    assert distances.dtype == torch.float32
    assert torch.equal(distances, distances.mT)
    assert (distances >= 0).all()
    equal = (tokens[:, :, None] == tokens[:, None]).all(-1)
    assert (distances[equal] == 0).all()
    if kind != "few values":  # these may be parallel
        assert (distances[~equal] > 0).all()


@pytest.mark.parametrize(
    ("kind", "n", "rtol"),
    [
        *(("random", n, 3e-6) for n in (1, 147, 159, 160, 161, 400)),
        ("tight", 40, 1e-6),  # nearly equal tokens, where products in float32 would be off by 1e-3
    ],
)
def test_accurate_for_any_number_of_blocks(kind: str, n: int, rtol: float) -> None:
    tokens = 20 * (kind == "random") + token_sets(kind, (2, n, 24), seed=n)
    wide = tokens.double()
    expected = (wide[:, :, None] - wide[:, None]).square().sum(-1).sqrt()
    torch.testing.assert_close(pairwise_distances(tokens).double(), expected, rtol=rtol, atol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "width"), [(1, 1), (37, 5), (49, 768), (170, 33)])
def test_the_batch_does_not_change_a_bit(n: int, width: int, metric: str, device: str) -> None:
    kinds = ("random", "tight", "outlier")
    tokens = torch.cat([token_sets(kind, (3, n, width)) for kind in kinds]).to(device)
    together = pairwise_distances(tokens, metric)
    for index in range(len(tokens)):
        assert torch.equal(pairwise_distances(tokens[index : index + 1], metric)[0], together[index])
    assert torch.equal(pairwise_distances(tokens.flip(0), metric).flip(0), together)


@pytest.mark.parametrize("metric", METRICS)
def test_sets_multiplied_together_as_on_a_gpu(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.cat([token_sets(kind, (2, 20, 9)) for kind in KINDS])
    one_by_one = pairwise_distances(tokens, metric)
    monkeypatch.setitem(distance._SETS_PER_CALL, "cpu", 8)
    together = pairwise_distances(tokens, metric)
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-6)
    # Neither padding nor neighbors make a difference.
    for some in (slice(0, 2), slice(5, 8)):
        assert torch.equal(pairwise_distances(tokens[some], metric), together[some])


def test_a_common_offset_costs_no_digits() -> None:
    tokens = token_sets("random", (1, 30, 64))
    tokens = (tokens * 2**10).round() / 2**10  # such multiples up to 8 keep all bits when added to 2^12
    distances = pairwise_distances(2**12 + tokens)
    torch.testing.assert_close(distances, pairwise_distances(tokens), rtol=3e-7, atol=0)


def test_accurate_to_the_ends_of_the_range() -> None:
    tokens = torch.tensor([[[9e17], [-9e17], [1e-18], [0.0]]])
    distances = pairwise_distances(tokens)[0]
    torch.testing.assert_close(distances[0], torch.tensor([0, 1.8e18, 9e17, 9e17]))


def test_unaffected_by_the_matmul_precision() -> None:
    tokens = token_sets("clustered", (2, 30, 64))
    expected = pairwise_distances(tokens)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.testing.assert_close(pairwise_distances(tokens), expected, rtol=1e-4, atol=0)
    finally:
        torch.set_float32_matmul_precision(before)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        *(
            (torch.tensor([[[x], [0.0]]]), "NaN, infinite or beyond 1e18")
            for x in (math.nan, -math.inf, 1e30)
        ),
        *((torch.zeros(n), r"must be floats of shape \[B, N, D\]") for n in ((4, 3), (1, 0, 3), (1, 4, 0))),
        (torch.zeros(1, 4, 3).long(), "must be floats"),
    ],
)
def test_invalid_tokens_are_refused(tokens: torch.Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pairwise_distances(tokens)
    with pytest.raises(ValueError, match="'chebyshev', but must be one of euclidean, cosine, manhattan"):
        pairwise_distances(TRIANGLE, "chebyshev")
