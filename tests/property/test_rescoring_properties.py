"""Re-scoring doesn't depend on the order of queries and items."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from centerclip.rescoring import RESCORINGS

BANK = np.linspace(-0.5, 0.5, 10).reshape(2, 5)
# Distinct scores, because qb_norm breaks ties between first hits by their order.
matrices = hnp.arrays(
    np.int64, st.tuples(st.integers(1, 6), st.just(5)), elements=st.integers(-99, 99), unique=True
)


@pytest.mark.parametrize("name", RESCORINGS)
@settings(max_examples=40, deadline=None)
@given(matrices, st.randoms(use_true_random=False))
def test_order_of_queries_and_items_does_not_matter(name: str, values: np.ndarray, random: object) -> None:
    similarity = values / 100
    rescoring = RESCORINGS[name]
    queries = random.sample(range(len(similarity)), len(similarity))
    items = random.sample(range(5), 5)
    plain = {"bank": BANK} if rescoring.takes_bank else {}
    moved = {"bank": BANK[:, items]} if rescoring.takes_bank else {}
    result = rescoring.apply(similarity, **plain)
    reordered = rescoring.apply(similarity[np.ix_(queries, items)], **moved)
    assert reordered == pytest.approx(result[np.ix_(queries, items)])
    assert np.isfinite(result).all()
