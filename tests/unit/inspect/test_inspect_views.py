"""Footage has the frames that are indexed, and views have the content of the trace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import clip_model, siglip_model
from videos import number_of

from centerclip.clustering.reducers import REDUCERS
from centerclip.inspect import View, inspect_footage, read_footage
from centerclip.inspect.views import make_views
from centerclip.model import CenterCLIP, Stage
from centerclip.records import Window
from centerclip.schedule import Reduction
from centerclip.video import VideoReader, read_window

WINDOW = Window(0.0, 4.0)


def test_footage_has_the_indexed_frames(video: Callable[[str], Path]) -> None:
    model = CenterCLIP(clip_model(), "B2-4,16")
    with VideoReader(video("h264.mp4")) as reader:
        footage = read_footage(reader, WINDOW, model)
        expected = read_window(reader, WINDOW, model.frames, model.preprocessing).frames
        shown = list(reader.frames_at(footage.seconds))
    assert torch.equal(footage.frames, expected)
    assert [time for time, _ in shown] == list(footage.seconds)
    assert footage.pictures.shape == (12, 336, 336, 3)
    numbers = [number_of(picture) for _, picture in shown]
    assert numbers == sorted(set(numbers))  # different frames, in the order of time


def test_a_frame_of_several_instants_counts_once(video: Callable[[str], Path]) -> None:
    model = CenterCLIP(clip_model(), "B2-4,16")
    with VideoReader(video("h264.mp4")) as reader:
        footage = read_footage(reader, Window(0.0, 0.5), model)
    assert len(footage.seconds) == len(footage.frames) == len(footage.pictures) == 5
    (view,) = inspect_footage(model, footage)
    assert view.counts is not None
    assert sum(view.counts) == view.tokens_after == 4 * 16


def test_views_have_the_content_of_the_trace() -> None:
    # Two frames of 2 x 2 patches; the first stage keeps three patches, the second two of these.
    labels = torch.tensor([[[0, 0, 1, 1], [1, 2, 2, 2]]])
    first = Stage(Reduction(1, 1, 3), (0, 0), torch.tensor([[[1, 2, 6]]]), labels)
    second = Stage(Reduction(2, 1, 2), (0, 0), torch.tensor([[[1, 6]]]), None)
    one, two = make_views("mine", [first, second], frames=2, grid=(2, 2))
    assert one.kept is not None
    assert one.kept.tolist() == [[False, True, True, False], [False, False, True, False]]
    assert (one.counts, two.counts) == ((2, 1), (1, 1))
    assert (one.tokens_before, one.tokens_after, two.tokens_before, two.tokens_after) == (8, 3, 3, 2)
    assert one.labels is not None
    assert one.labels.tolist() == labels[0].tolist()
    assert two.labels is None
    assert two.summary == "B2-1,2: 2 of 3 patch tokens kept"


@pytest.mark.parametrize("reducer", REDUCERS)
def test_views_of_every_reducer(reducer: str, video: Callable[[str], Path]) -> None:
    model = CenterCLIP(clip_model(), "B1-5,16;B2-3,10", reducer=reducer)
    with VideoReader(video("h264.mp4")) as reader:
        footage = read_footage(reader, WINDOW, model)
    views = inspect_footage(model, footage)
    assert [view.tokens_after for view in views] == [5 * 16, 3 * 10]
    stages = model.encode(model.preprocess(footage.frames[None]), trace=True).stages
    for view, stage in zip(views, stages, strict=True):
        assert (view.kept is None) == (stage.kept is None)
        assert (view.labels is None) == (stage.labels is None)
        if view.kept is not None and stage.kept is not None:
            assert np.flatnonzero(view.kept).tolist() == stage.kept.flatten().sort().values.tolist()
            assert view.counts is not None
            assert sum(view.counts) == view.tokens_after
        else:
            assert "blended into" in view.summary
            assert view.counts is None


def test_each_cluster_has_its_medoid(video: Callable[[str], Path]) -> None:
    model = CenterCLIP(clip_model(), "B2-4,16")
    with VideoReader(video("h264.mp4")) as reader:
        (view,) = inspect_footage(model, read_footage(reader, WINDOW, model))
    assert view.kept is not None
    assert view.labels is not None
    segments = np.array(view.segments)
    for segment in range(4):
        own = segments == segment
        assert sorted(view.labels[own][view.kept[own]]) == list(range(16))


def test_without_a_reduction_all_patches_are_kept(video: Callable[[str], Path]) -> None:
    model = CenterCLIP(siglip_model(), "none", frames=3)
    with VideoReader(video("h264.mp4")) as reader:
        (view,) = inspect_footage(model, read_footage(reader, WINDOW, model))
    assert isinstance(view, View)
    assert view.counts == (16, 16, 16)
    assert view.summary == "schedule none: all 48 patch tokens go through all blocks"
    assert model.backbone.grid == (4, 4)
