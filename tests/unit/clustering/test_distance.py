"""Distances: symmetric, exactly zero where tokens are equal, accurate, and each set's own affair."""

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
        # A zero token is half a unit from every direction; the other two meet at an angle of cosine 0.6.
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
    if kind != "few values":  # whose tokens may be parallel, so at cosine distance 0
        assert (distances[~equal] > 0).all()


@pytest.mark.parametrize("n", [1, 147, 159, 160, 161, 400])
def test_accurate_for_any_number_of_blocks(n: int) -> None:
    tokens = 20 + token_sets("random", (2, n, 24), seed=n)
    wide = tokens.double()
    expected = (wide[:, :, None] - wide[:, None]).square().sum(-1).sqrt()
    torch.testing.assert_close(pairwise_distances(tokens).double(), expected, rtol=3e-6, atol=0)


def test_accurate_between_tokens_that_are_nearly_equal() -> None:
    tokens = token_sets("tight", (1, 40, 64))
    wide = tokens.double()
    expected = (wide[:, :, None] - wide[:, None]).square().sum(-1).sqrt()
    # Products in float32 would be off by 1e-3 here.
    torch.testing.assert_close(pairwise_distances(tokens).double(), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(("n", "width"), [(1, 1), (37, 5), (49, 768), (170, 33)])
def test_a_set_has_the_same_bits_alone_and_in_any_batch(n: int, width: int, metric: str, device: str) -> None:
    tokens = torch.cat([token_sets(kind, (3, n, width)) for kind in ("random", "tight", "outlier")]).to(
        device
    )
    together = pairwise_distances(tokens, metric)
    for index in range(len(tokens)):
        assert torch.equal(pairwise_distances(tokens[index : index + 1], metric)[0], together[index])
    assert torch.equal(pairwise_distances(tokens.flip(0), metric).flip(0), together)


@pytest.mark.parametrize("metric", METRICS)
def test_sets_may_be_multiplied_together_as_on_a_gpu(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = torch.cat([token_sets(kind, (2, 20, 9)) for kind in KINDS])
    one_by_one = pairwise_distances(tokens, metric)
    monkeypatch.setitem(distance._SETS_A_CALL, "cpu", 8)
    together = pairwise_distances(tokens, metric)
    torch.testing.assert_close(together, one_by_one, rtol=1e-4, atol=1e-6)
    # Neither padding nor neighbors make a difference.
    for some in (slice(0, 2), slice(5, 8)):
        assert torch.equal(pairwise_distances(tokens[some], metric), together[some])


def test_a_common_offset_costs_no_digits() -> None:
    tokens = token_sets("random", (1, 30, 64))
    # Multiples of 2^-10 up to 8 lose none of their bits beside 2^12.
    tokens = (tokens * 2**10).round() / 2**10
    torch.testing.assert_close(
        pairwise_distances(2**12 + tokens), pairwise_distances(tokens), rtol=3e-7, atol=0
    )


def test_scaling_by_a_power_of_two_scales_exactly() -> None:
    tokens = token_sets("random", (1, 20, 7))
    assert torch.equal(pairwise_distances(tokens * 2.0**20), pairwise_distances(tokens) * 2.0**20)
    assert torch.equal(pairwise_distances(tokens * 2.0**20, "cosine"), pairwise_distances(tokens, "cosine"))


def test_accurate_to_the_ends_of_the_range() -> None:
    tokens = torch.tensor([[[9e17], [-9e17], [1e-18], [0.0]]])
    distances = pairwise_distances(tokens)[0]
    torch.testing.assert_close(distances[0], torch.tensor([0, 1.8e18, 9e17, 9e17]))


def test_unaffected_by_the_precision_allowed_for_products() -> None:
    tokens = token_sets("clustered", (2, 30, 64))
    expected = pairwise_distances(tokens)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        torch.testing.assert_close(pairwise_distances(tokens), expected, rtol=1e-4, atol=0)
    finally:
        torch.set_float32_matmul_precision(before)


def test_an_empty_batch_has_empty_distances() -> None:
    assert pairwise_distances(torch.zeros(0, 4, 3)).shape == (0, 4, 4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
def test_values_without_distances_are_refused(value: float) -> None:
    tokens = token_sets("random", (2, 5, 3))
    tokens[1, 2, 0] = value
    with pytest.raises(ValueError, match="NaN, infinite or beyond 1e18"):
        pairwise_distances(tokens)


@pytest.mark.parametrize(
    "tokens", [torch.zeros(4, 3), torch.zeros(1, 4, 3).long(), torch.zeros(1, 0, 3), torch.zeros(1, 4, 0)]
)
def test_anything_but_sets_of_float_tokens_is_refused(tokens: torch.Tensor) -> None:
    with pytest.raises(ValueError, match=r"must be floats of shape \[B, N, D\]"):
        pairwise_distances(tokens)


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ValueError, match="'chebyshev', but must be one of euclidean, cosine, manhattan"):
        pairwise_distances(TRIANGLE, "chebyshev")
