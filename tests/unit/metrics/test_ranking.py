"""Ranks of matrices small enough to solve by hand."""

import numpy as np
import pytest

from centerclip.metrics import ranks, video_to_text_ranks

NAN = float("nan")


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([0.9, 0.5, 0.1], 0, 1),
        ([0.9, 0.5, 0.1], 2, 3),
        ([0.5, 0.5, 0.1], 0, 1.5),  # first or second
        ([0.5, 0.5, 0.9], 1, 2.5),
        ([0.3, 0.3, 0.3, 0.3, 0.3], 4, 3),  # a collapsed model ranks in the middle, not first
        ([0.2, NAN, 0.1], 0, 1),  # NaN ranks below numbers ...
        ([-9.0, NAN, NAN], 0, 1),
        ([0.2, NAN, 0.1], 1, 3),  # ... and as the true item it is last,
        ([NAN, NAN, NAN], 0, 3),  # even among its like.
        ([-np.inf, NAN, np.inf], 0, 2),
        ([7.0], 0, 1),
        ([NAN], 0, 1),
    ],
)
def test_one_true_item(scores: list[float], relevant: int, expected: float) -> None:
    assert ranks([scores], [relevant]).tolist() == [expected]
    mask = np.arange(len(scores)) == relevant
    assert ranks([scores], mask[None]).tolist() == [expected]


@pytest.mark.parametrize(
    ("scores", "relevant", "expected"),
    [
        ([0.1, 0.9, 0.5], [True, False, True], 2),
        ([0.5, 0.5, 0.1], [True, True, False], 1),
        # Two true of three tied: the best is first in 2 of 3 orders, else second.
        ([0.5, 0.5, 0.5], [True, True, False], 4 / 3),
        # One better, then two true of four tied: first at (4 + 1) / (2 + 1).
        ([0.9, 0.5, 0.5, 0.5, 0.5], [False, True, False, True, False], 1 + 5 / 3),
        # The worse true item doesn't matter.
        ([0.9, 0.5, 0.5, 0.1], [False, True, False, True], 2.5),
        ([NAN, 0.5, 0.9], [True, True, False], 2),
        ([NAN, NAN, 0.9], [True, True, False], 3),
    ],
)
def test_several_true_items(scores: list[float], relevant: list[bool], expected: float) -> None:
    assert ranks([scores], [relevant])[0] == pytest.approx(expected, abs=1e-12)


def test_two_identical_videos_still_give_one_rank_per_query() -> None:
    similarity = np.eye(4)
    similarity[:, 1] = similarity[:, 0]
    result = ranks(similarity, np.arange(4))
    assert result.shape == (4,)
    # Query 0 finds its video and the twin; query 1 finds nothing, all four tied at 0.
    assert result.tolist() == [1.5, 2.5, 1, 1]


def test_relevance_is_a_relation_not_the_diagonal() -> None:
    similarity = np.array([[0.1, 0.9], [0.2, 0.8], [0.7, 0.3]])
    assert ranks(similarity, [1, 0, 0]).tolist() == [1, 2, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_any_number_type(dtype: type) -> None:
    similarity = np.array([[3, 1, 2], [1, 1, 5]], dtype=dtype)
    assert ranks(similarity, [2, 0]).tolist() == [2, 2.5]
    assert ranks(similarity, [2, 0]).dtype == np.float64


def test_pieces_do_not_change_the_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    similarity = np.random.default_rng(0).integers(0, 4, size=(23, 7)).astype(float)
    relevant = np.random.default_rng(1).integers(0, 7, size=23)
    whole = ranks(similarity, relevant)
    monkeypatch.setattr("centerclip.metrics.resampling._CELLS", 20)
    assert np.array_equal(ranks(similarity, relevant), whole)


@pytest.mark.parametrize(
    ("similarity", "relevant", "message"),
    [
        (np.zeros((2, 3)), [0], "relevant is int64"),
        (np.zeros((2, 3)), [0, 3], "must lie in 0..2"),
        (np.zeros((2, 3)), [-1, 0], "must lie in 0..2"),
        (np.zeros((2, 3)), [0.0, 1.0], "relevant is float64"),
        (np.zeros((2, 3)), np.ones((2, 3), dtype=int), "relevant is int64"),
        (np.zeros((2, 3)), np.array([[True, False, False], [False] * 3]), "query 1 has no relevant"),
        (np.zeros(3), [0], "similarity is float64"),
        (np.zeros((0, 3)), np.zeros(0, dtype=int), "similarity is float64"),
        (np.array([["a"]]), [0], "similarity is <U1"),
    ],
)
def test_wrong_input_is_named(similarity: np.ndarray, relevant: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ranks(similarity, relevant)


CAPTIONS = np.array(  # [5 captions, 3 videos]; videos 0, 0, 1, 1, 2
    [
        [0.2, 0.9, 0.0],
        [0.5, 0.3, 0.0],
        [0.6, 0.4, 0.1],
        [0.1, 0.8, 0.0],
        [0.3, 0.0, 0.2],
    ]
)


def test_video_to_text_by_caption() -> None:
    # Video 0 (column 0): its best caption, 0.5, is behind 0.6. Video 1: 0.8 behind 0.9. Video 2: first.
    assert video_to_text_ranks(CAPTIONS, [0, 0, 1, 1, 2]).tolist() == [2, 2, 1]


def test_video_to_text_by_group() -> None:
    # Column 0: groups' maxima 0.5, 0.6, 0.3. Column 1: 0.9, 0.8, 0.0. Column 2: 0.0, 0.1, 0.2.
    assert video_to_text_ranks(CAPTIONS, [0, 0, 1, 1, 2], protocol="group").tolist() == [2, 2, 1]


def test_the_protocols_differ() -> None:
    similarity = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.6, 1.0]])
    # Three captions of video 1 stand before video 0's only one; as a group they are one item.
    owner = [1, 1, 1, 0]
    assert video_to_text_ranks(similarity, owner).tolist() == [4, 2]
    assert video_to_text_ranks(similarity, owner, protocol="group").tolist() == [2, 2]


def test_captions_need_not_be_sorted_and_videos_may_lack_them() -> None:
    similarity = np.array([[0.1, 0.5, 0.9], [0.8, 0.5, 0.2], [0.9, 0.5, 0.1]])
    for protocol in ("caption", "group"):
        # Video 1 has no caption: it is in the gallery of text-to-video, but asks nothing itself.
        result = video_to_text_ranks(similarity, [2, 0, 2], protocol=protocol)
        assert result.tolist() == [2, 1]


def test_a_nan_caption_does_not_take_its_group_along() -> None:
    similarity = np.array([[NAN, 0.2], [0.9, 0.1], [0.5, 0.3]])
    assert video_to_text_ranks(similarity, [0, 0, 1], protocol="group").tolist() == [1, 1]


def test_wrong_protocol_is_named() -> None:
    with pytest.raises(ValueError, match="'group'"):
        video_to_text_ranks(CAPTIONS, [0, 0, 1, 1, 2], protocol="max")
    with pytest.raises(ValueError, match="one video a caption"):
        video_to_text_ranks(CAPTIONS, CAPTIONS > 0.5)
