"""Attention weighted by size: a token counts as often as the tokens that it stands for."""

from typing import Any

import pytest
import torch
from tiny_models import clip_model, siglip_model
from token_sets import as_tokens, kept_of

from centerclip.clustering import Tokens, parse_reducer, reduce
from centerclip.model import CenterCLIP, make_backbone

BOTH = pytest.mark.parametrize("make", [clip_model, siglip_model])
FRAMES, PATCHES, DISTINCT, WIDTH = 3, 10, 4, 32


@pytest.mark.parametrize("name", ["kmedoids(weighted=true)", "spectral(weighted=true)"])
@pytest.mark.parametrize("in_training", [False, True])
@BOTH
def test_clusters_of_equal_tokens_give_the_result_of_all_tokens(
    make: Any, in_training: bool, name: str
) -> None:
    backbone = make_backbone(make()).eval()
    generator = torch.Generator().manual_seed(0)
    distinct = 2 * torch.randn(DISTINCT, WIDTH, generator=generator)
    which = torch.randint(DISTINCT, (1, FRAMES, PATCHES), generator=generator)  # not equally often
    which[0, 0, :DISTINCT] = torch.arange(DISTINCT)
    patches = distinct[which]  # [1, n, P, D]
    class_token = None
    if backbone.has_class_token:
        class_token = torch.randn(1, 1, WIDTH, generator=generator).expand(1, FRAMES, -1)
    tokens = as_tokens(patches, class_token)
    reduced = reduce(tokens, DISTINCT, parse_reducer(name))
    kept = kept_of(reduced, PATCHES)[0]

    # Every token of every frame, class tokens first, in a single sequence.
    x = patches.flatten(1, 2) if class_token is None else torch.cat([class_token, patches.flatten(1, 2)], 1)
    others = x.shape[1] - backbone.has_class_token
    every = Tokens(x, torch.zeros(1, others, 3), has_class_token=backbone.has_class_token)
    with torch.set_grad_enabled(in_training):
        after, all_after = backbone.run(reduced, 0, 2), backbone.run(every, 0, 2)
        torch.testing.assert_close(after.class_token, all_after.class_token, rtol=1e-4, atol=1e-4)
        own = all_after.x[:, x.shape[1] - FRAMES * PATCHES :][:, kept]
        torch.testing.assert_close(after.patches, own, rtol=1e-4, atol=1e-4)
        ends = backbone.run_to_end(after, 2), backbone.run_to_end(all_after, 2)
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-4)
    plain = reduce(tokens, DISTINCT, parse_reducer(name.partition("(")[0]))
    with torch.no_grad():
        assert not torch.allclose(backbone.run_to_end(plain, 0), ends[1], rtol=0.01, atol=0.01)


@pytest.mark.parametrize("schedule", ["B2-1,16", "B2-2,16", "B1-2,16;B3-1,16"])
@BOTH
def test_a_still_video_is_encoded_as_without_reduction(make: Any, schedule: str) -> None:
    """The class token, which stands for those of all frames, must weigh as much as before."""
    model = CenterCLIP(make(), schedule, reducer="kmedoids(weighted=true)", frames=4)
    picture = torch.randn(1, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    still = picture.expand(1, 4, -1, -1, -1)
    with torch.no_grad():
        expected = model.with_(schedule="none").encode_video(still)
        torch.testing.assert_close(model.encode_video(still), expected, rtol=0, atol=1e-5)
