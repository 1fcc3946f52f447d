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
        ([0.3, 0.3, 0.3, 0.3, 0.3], 4, 3),  # a collapsed model ranks in the middle
        ([0.2, NAN, 0.1], 0, 1),  # NaN ranks below numbers ...
        ([-9.0, NAN, NAN], 0, 1),
        ([0.2, NAN, 0.1], 1, 3),  # ... and a true item of NaN is last,
        ([NAN, NAN, NAN], 0, 3),  # even among other NaN
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


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_any_number_type(dtype: type) -> None:
    similarity = np.array([[3, 1, 2], [1, 1, 5]], dtype=dtype)
    assert ranks(similarity, [2, 0]).tolist() == [2, 2.5]
    assert ranks(similarity, [2, 0]).dtype == np.float64


def test_slices_do_not_change_the_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_the_protocols_differ() -> None:
    similarity = np.array([[0.9, 0.0], [0.8, 0.0], [0.7, 0.0], [0.6, 1.0]])
    # Three captions of video 1 rank before the only one of video 0; as a group they are one item.
    owner = [1, 1, 1, 0]
    assert video_to_text_ranks(similarity, owner).tolist() == [4, 2]
    assert video_to_text_ranks(similarity, owner, protocol="group").tolist() == [2, 2]


def test_captions_need_not_be_sorted_and_videos_may_lack_them() -> None:
    similarity = np.array([[0.1, 0.5, 0.9], [0.8, 0.5, 0.2], [0.9, 0.5, 0.1]])
    for protocol in ("caption", "group"):
        # Video 1 has no caption, so it has no rank.
        result = video_to_text_ranks(similarity, [2, 0, 2], protocol=protocol)
        assert result.tolist() == [2, 1]


def test_a_nan_caption_does_not_affect_its_group() -> None:
    similarity = np.array([[NAN, 0.2], [0.9, 0.1], [0.5, 0.3]])
    assert video_to_text_ranks(similarity, [0, 0, 1], protocol="group").tolist() == [1, 1]


def test_wrong_protocol_is_named() -> None:
    with pytest.raises(ValueError, match="'group'"):
        video_to_text_ranks(np.eye(2), [0, 1], protocol="max")
    with pytest.raises(ValueError, match="one video per caption"):
        video_to_text_ranks(np.eye(2), np.eye(2) > 0.5)
