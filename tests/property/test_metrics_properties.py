"""Properties of ranks for any scores."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from centerclip.metrics import ranks, summarize, video_to_text_ranks

# Few distinct values, so that ties are common and the transforms below are exact.
scores = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=7),
    elements=st.one_of(st.integers(-3, 3).map(float), st.just(float("nan"))),
)


@settings(deadline=None)
@given(scores, st.data())
def test_ranks_are_places_and_do_not_depend_on_scale_or_order(
    similarity: np.ndarray, data: st.DataObject
) -> None:
    queries, gallery = similarity.shape
    relevant = data.draw(hnp.arrays(np.int64, queries, elements=st.integers(0, gallery - 1)))
    order = np.array(data.draw(st.permutations(range(gallery))))
    result = ranks(similarity, relevant)
    assert result.shape == (queries,)
    assert ((result >= 1) & (result <= gallery)).all()
    assert np.array_equal(ranks(8 * similarity - 5, relevant), result)
    assert np.array_equal(ranks(similarity[:, order], np.argsort(order)[relevant]), result)


@settings(deadline=None)
@given(hnp.arrays(np.float64, st.integers(1, 8), elements=st.integers(-2, 2).map(float)))
def test_ranks_of_all_items_add_up(row: np.ndarray) -> None:
    size = len(row)
    every = ranks(np.tile(row, (size, 1)), np.arange(size))
    assert every.sum() == size * (size + 1) / 2


@settings(deadline=None)
@given(scores, st.data())
def test_another_true_item_never_hurts(similarity: np.ndarray, data: st.DataObject) -> None:
    relevant = data.draw(hnp.arrays(np.bool_, similarity.shape))
    relevant[:, 0] = True
    more = relevant | data.draw(hnp.arrays(np.bool_, similarity.shape))
    assert (ranks(similarity, more) <= ranks(similarity, relevant) + 1e-12).all()


@settings(deadline=None)
@given(scores, st.data())
def test_groups_are_no_harder_than_captions(similarity: np.ndarray, data: st.DataObject) -> None:
    captions, videos = similarity.shape
    similarity = np.nan_to_num(similarity, nan=-9.0)
    owner = data.draw(hnp.arrays(np.int64, captions, elements=st.integers(0, videos - 1)))
    by_caption = video_to_text_ranks(similarity, owner)
    by_group = video_to_text_ranks(similarity, owner, protocol="group")
    assert by_caption.shape == by_group.shape == (len(np.unique(owner)),)
    assert (by_group >= 1).all()
    assert (by_group <= len(np.unique(owner))).all()
    # Without ties, every group that ranks higher has a caption that ranks higher.
    distinct = similarity + np.arange(similarity.size).reshape(similarity.shape) * 1e-3
    easier = video_to_text_ranks(distinct, owner, protocol="group")
    assert (easier <= video_to_text_ranks(distinct, owner)).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 60), min_size=1, max_size=30), st.integers(0, 3))
def test_recall_grows_with_k(values: list[int], seed: int) -> None:
    summary = summarize(values, seed=seed, resamples=20)
    recalls = [summary.recall_at_1, summary.recall_at_5, summary.recall_at_10, summary.recall_at_50]
    for smaller, larger in pairwise(recalls):
        assert smaller.value <= larger.value
        assert smaller.low <= larger.low
        assert smaller.high <= larger.high
    assert 1 <= summary.median_rank.value <= max(values)
