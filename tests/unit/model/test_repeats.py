"""Repeated frames and segments are computed once, without changing the result."""

import pytest
import torch
from tiny_models import clip_model
from torch import Tensor

from centerclip.clustering import Tokens
from centerclip.model import CenterCLIP
from centerclip.model.repeats import without_repeats


@pytest.mark.parametrize(
    ("rows", "distinct"),
    [([1, 2, 3], [1, 2, 3]), ([1, 1, 2, 2, 2, 1], [1, 2, 1]), ([5, 5, 5], [5]), ([7], [7])],
)
def test_successive_equal_rows_are_computed_once(rows: list[int], distinct: list[int]) -> None:
    seen: list[Tensor] = []

    def double(tokens: Tokens) -> Tensor:
        seen.append(tokens.x)
        return 2 * tokens.x

    given = torch.tensor(rows)[:, None, None].expand(-1, 2, 4)
    tokens = Tokens(given, torch.zeros(len(rows), 2, 3))
    assert torch.equal(without_repeats(double, tokens), 2 * given)
    assert [x[:, 0, 0].tolist() for x in seen] == [distinct]


@pytest.mark.parametrize(
    ("field", "place", "is_repeat"),
    [
        *(("x", 1, False), ("sizes", 0, False)),
        *(("positions", 1, False), ("positions", 2, False), ("positions", 0, True)),
    ],
)
def test_rows_that_differ_in_any_value_but_the_time_are_not_repeats(
    field: str, place: int, is_repeat: bool
) -> None:
    tokens = Tokens(torch.zeros(3, 2, 5), torch.zeros(3, 2, 3), torch.ones(3, 2))
    values = getattr(tokens, field)
    values[(1, 1) if field == "sizes" else (1, 1, place)] = 1e-30
    seen = []
    without_repeats(lambda own: seen.append(len(own.x)) or own.x, tokens)  # type: ignore[func-returns-value]
    assert seen == [1 if is_repeat else 3]


@pytest.fixture
def still() -> Tensor:
    """Two videos of six frames: one slide four times and another twice; then the second slide six times."""
    first, second = torch.randn(2, 3, 16, 16)
    return torch.stack([torch.stack([first] * 4 + [second] * 2), torch.stack([second] * 6)])


@pytest.mark.parametrize(
    ("schedule", "reducer", "frames_run", "segments_run"),
    [
        ("none", "kmedoids", 2, 0),
        ("B2-3,16", "kmedoids", 2, 2),
        ("B2-3,8", "pool", 2, 2),
        ("B2-3,16", "merge", 2, 2),
    ],
)
def test_a_still_video_is_encoded_as_without_skipping(
    still: Tensor, schedule: str, reducer: str, frames_run: int, segments_run: int
) -> None:
    model = CenterCLIP(clip_model(), schedule, reducer=reducer, frames=6)
    everything = model.encode_segments(still)  # with gradients nothing is skipped
    seen = []
    for layer in model.backbone.layers[:3]:
        layer.register_forward_hook(lambda _, x, y: seen.append(len(y)))
    with torch.inference_mode():
        torch.testing.assert_close(model.encode_segments(still), everything.detach())
    assert seen[0] == frames_run
    assert seen[2] == (segments_run or frames_run)
    seen.clear()
    model.encode_segments(still)
    assert seen[0] == 12
