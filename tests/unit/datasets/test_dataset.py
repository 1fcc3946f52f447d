"""Data sets check their content and can leave out videos."""

from pathlib import Path

import numpy as np
import pytest

from centerclip.datasets import Caption, Dataset
from centerclip.errors import DatasetError
from centerclip.records import Item

VIDEOS = tuple(Item(Path(f"{name}.mp4"), id=name) for name in "abcd")
CAPTIONS = tuple(Caption(f"{at} of {video}", video) for at, video in enumerate((3, 0, 2, 2, 1, 3)))
WHOLE = Dataset("set", "test", VIDEOS, CAPTIONS, missing=("z",))


def test_captions_stay_with_their_videos_if_others_are_left_out() -> None:
    rest = WHOLE.without({2, 0})
    assert [video.id for video in rest.videos] == ["b", "d"]
    assert [caption.text for caption in rest.captions] == ["0 of 3", "4 of 1", "5 of 3"]
    np.testing.assert_array_equal(rest.video_of_caption(), [1, 0, 1])
    assert rest.missing == ("z", "a", "c")
    assert WHOLE.without(()) == WHOLE
    part = WHOLE.part([3, 1])
    assert ([video.id for video in part.videos], part.missing) == (["d", "b"], ("z",))
    np.testing.assert_array_equal(part.video_of_caption(), [0, 1, 0])
    with pytest.raises(DatasetError, match="0 videos and 0 captions"):
        WHOLE.without(range(4))


@pytest.mark.parametrize(
    ("caption", "message"),
    [(Caption(" \t", 1), "caption of video b is empty"), (Caption("rain", 4), "'rain' belongs to video 4")],
)
def test_captions_that_are_empty_or_have_no_video_are_refused(caption: Caption, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Dataset("set", "test", VIDEOS, (*CAPTIONS, caption))
