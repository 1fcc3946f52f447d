"""Re-scoring of small matrices, and the properties of each method."""

import numpy as np
import pytest

from centerclip.metrics import ranks
from centerclip.rescoring import RESCORINGS, csls, dual_softmax, inverted_softmax, qb_norm

NAN = float("nan")
# Item 0 is a hub, close to every query. Queries 0, 1, 2 belong to items 0, 1, 2.
HUB = np.array([[0.9, 0.1, 0.0], [0.6, 0.5, 0.1], [0.6, 0.1, 0.5]])


def apply(name: str, similarity: np.ndarray) -> np.ndarray:
    rescoring = RESCORINGS[name]
    return rescoring.apply(similarity, **({"bank": HUB} if rescoring.takes_bank else {}))


@pytest.mark.parametrize("name", RESCORINGS)
def test_every_rescoring_removes_the_hub(name: str) -> None:
    assert ranks(HUB, [0, 1, 2]).tolist() == [1, 2, 2]
    corrected = csls(HUB, neighbors=1) if name == "csls" else apply(name, HUB)
    assert ranks(corrected, [0, 1, 2]).tolist() == [1, 1, 1]


def test_qb_norm_touches_only_queries_whose_first_hit_is_a_hub() -> None:
    bank = np.array([[0.8, 0.1, 0.2], [0.7, 0.3, 0.1]])  # only item 0 is ever first
    similarity = np.array([[0.9, 0.5, 0.8], [0.2, 0.5, 0.4]])
    result = qb_norm(similarity, bank=bank, beta=10)
    assert np.array_equal(result[1], similarity[1])
    assert np.array_equal(result[0], inverted_softmax(similarity, bank=bank, beta=10)[0])
    assert np.argmax(result[0]) == 2


@pytest.mark.parametrize("name", RESCORINGS)
def test_only_transductive_methods_depend_on_the_other_queries(name: str) -> None:
    rng = np.random.default_rng(0)
    similarity = rng.uniform(-0.2, 0.5, size=(9, 3))
    whole = apply(name, similarity)
    alone = np.vstack([apply(name, similarity[[query]]) for query in range(9)])
    assert np.array_equal(whole, alone) is not RESCORINGS[name].transductive


@pytest.mark.parametrize("function", [dual_softmax, inverted_softmax])
@pytest.mark.parametrize("beta", [1e-6, 100.0, 1e4, 1e9])
def test_results_are_finite_for_any_temperature(function: object, beta: float) -> None:
    result = function(HUB - 0.5, beta=beta)
    assert np.isfinite(result).all()
    assert ranks(result, [0, 1, 2])[0] == 1


@pytest.mark.parametrize("name", RESCORINGS)
def test_a_nan_score_does_not_affect_others(name: str) -> None:
    similarity = np.vstack([HUB, [[0.3, 0.2, 0.1]]])
    similarity[1, 2] = NAN
    result = apply(name, similarity)
    assert np.array_equal(np.isnan(result), np.isnan(similarity))
    similarity[:, 2] = NAN
    similarity[3] = NAN
    assert np.array_equal(np.isnan(apply(name, similarity)), np.isnan(similarity))


def test_an_item_without_scores_in_the_bank_ranks_last() -> None:
    bank = HUB.copy()
    bank[:, 1] = NAN
    assert ranks(inverted_softmax(HUB, bank=bank), [1, 1, 1]).tolist() == [3, 3, 3]


def test_integer_scores() -> None:
    assert csls(np.eye(2, dtype=int), neighbors=1).tolist() == [[0, -2], [-2, 0]]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dual_softmax(np.zeros(3)), r"similarity has shape \[3\]"),
        (lambda: dual_softmax(np.zeros((0, 3))), "not empty"),
        (lambda: csls(np.array([[np.inf]])), "infinite"),
        (lambda: csls(HUB, neighbors=0), "neighbors is 0"),
        (lambda: dual_softmax(HUB, beta=0), "beta is 0"),
        (lambda: inverted_softmax(HUB, beta=NAN), "beta is nan"),
        (lambda: qb_norm(HUB, bank=HUB[:, :2]), "the bank scores 2 items and the queries 3"),
        (lambda: qb_norm(HUB, bank=np.zeros((0, 3))), "bank has shape"),
    ],
)
def test_wrong_input_is_named(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
