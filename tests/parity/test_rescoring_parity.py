"""Re-scoring against the formulas, computed by SciPy's softmax and loops."""

import numpy as np
import pytest
from scipy import special, stats

from centerclip.rescoring import csls, dual_softmax, inverted_softmax, qb_norm

RNG = np.random.default_rng(0)
SIMILARITY = RNG.uniform(-0.3, 0.6, size=(17, 11))
BANK = RNG.uniform(-0.3, 0.6, size=(5, 11))


@pytest.mark.parametrize("beta", [1.0, 20.0, 100.0])
def test_dual_softmax(beta: float) -> None:
    expected = SIMILARITY * special.softmax(beta * SIMILARITY, axis=0) * 17
    assert dual_softmax(SIMILARITY, beta=beta) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("bank", [None, BANK])
def test_inverted_softmax(bank: np.ndarray | None) -> None:
    over = SIMILARITY if bank is None else bank
    expected = np.exp(20 * SIMILARITY) / np.exp(20 * over).sum(axis=0)
    assert np.exp(inverted_softmax(SIMILARITY, bank=bank, beta=20)) == pytest.approx(expected, rel=1e-12)


def test_qb_norm_orders_as_published() -> None:
    hubs = {int(np.argmax(row)) for row in BANK}
    touched = 0
    for row, result in zip(SIMILARITY, qb_norm(SIMILARITY, bank=BANK), strict=True):
        expected = row
        if int(np.argmax(row)) in hubs:
            touched += 1
            expected = np.exp(20 * row) / np.exp(20 * BANK).sum(axis=0)
        assert np.array_equal(stats.rankdata(result), stats.rankdata(expected))
    assert 0 < touched < 17


@pytest.mark.parametrize("neighbors", [1, 3, 10, 100])
def test_csls(neighbors: int) -> None:
    result = csls(SIMILARITY, neighbors=neighbors)
    for i in range(17):
        for j in range(11):
            of_query = np.mean(sorted(SIMILARITY[i])[-neighbors:])
            of_item = np.mean(sorted(SIMILARITY[:, j])[-neighbors:])
            assert result[i, j] == pytest.approx(2 * SIMILARITY[i, j] - of_query - of_item)
