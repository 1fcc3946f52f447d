"""PE-Core compared with a step-by-step reference in float64, and with outputs of other implementations.

The latter are outputs of the official code, and of open_clip with timm, on small random models. They are too
large for this repository: CENTERCLIP_PE_CORE names their folder.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from pe_core_models import (
    SIDE,
    TRUNK_SIDE,
    Reference,
    Size,
    official,
    pe_core,
    save_official,
    save_open_clip,
)
from safetensors.torch import load_file
from test_model_parity import oracle_medoids
from torch import Tensor
from torch.nn import functional

from centerclip.clustering import Reducer, Tokens
from centerclip.model import CenterCLIP

OUTPUTS = Path(os.environ.get("CENTERCLIP_PE_CORE", Path(__file__).parents[3] / "shared/data/pe_core"))
WEIGHTS = [[0.5 if i in (k, k + 9) else 0.0 for i in range(32)] for k in range(7)]
"""Of 7 blended tokens, each of two patches of different frames, rows and columns."""


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def double(model: Any) -> Any:
    """A model in float64, from weights that were float32."""
    return model.double()


@dataclass(frozen=True)
class Scattered(Reducer):
    """Keeps every third token, so that no kept token is where it was in the sequence."""

    def choose(self, tokens: Tokens, k: int) -> Tensor:
        return (1 + 3 * torch.arange(k)).expand(len(tokens.x), -1)


@dataclass(frozen=True)
class Blended(Reducer):
    """Blends pairs of patches."""

    def blend(self, tokens: Tokens, k: int) -> Tensor:
        return torch.tensor(WEIGHTS[:k]).expand(len(tokens.x), -1, -1)


class Weighted(Blended):
    """Also weights attention."""

    weighted: ClassVar[bool] = True


def kept(choose: Callable[[list[Tensor]], list[int]]) -> Callable[[list[Tensor]], list[list[float]]]:
    return lambda patches: [[float(i == j) for j in range(len(patches))] for i in choose(patches)]


CASES: dict[str, tuple[Any, Callable[[list[Tensor]], list[list[float]]]]] = {
    "kmedoids": ("kmedoids", kept(lambda patches: oracle_medoids(patches, 7))),
    "scattered": (Scattered(), kept(lambda patches: [1 + 3 * i for i in range(7)])),
    "blended": (Blended(), lambda patches: WEIGHTS),
    "weighted": (Weighted(), lambda patches: WEIGHTS),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("class_token", [True, False])
def test_schedules_agree_with_the_reference(case: str, class_token: bool) -> None:
    model, (reducer, blend) = pe_core(class_token=class_token), CASES[case]
    reference = Reference(official(model))
    videos = torch.randn(2, 4, 3, 16, 16, dtype=torch.float64)
    clip = CenterCLIP(double(model), "B2-2,7", reducer=reducer, frames=4)
    with torch.no_grad():
        found = clip.encode_segments(videos)
        expected = torch.stack(
            [reference.video(video, {2: 2}, blend, weighted=case == "weighted") for video in videos]
        )
    torch.testing.assert_close(found, unit(expected), rtol=0, atol=1e-10)


@pytest.mark.parametrize("class_token", [True, False])
def test_two_stages_with_uneven_segments_agree_with_the_reference(class_token: bool) -> None:
    model = pe_core(1, class_token=class_token)
    reference = Reference(official(model))
    video = torch.randn(5, 3, 16, 16, dtype=torch.float64)
    seen = []

    def blend(patches: list[Tensor]) -> list[list[float]]:
        seen.append(len(patches))
        return kept(lambda patches: oracle_medoids(patches, 9 if len(seen) <= 3 else 5))(patches)

    clip = CenterCLIP(double(model), "B1-3,9;B3-2,5", frames=5)
    with torch.no_grad():
        expected = reference.video(video, {1: 3, 3: 2}, blend)
        torch.testing.assert_close(clip.encode_segments(video[None])[0], unit(expected), rtol=0, atol=1e-10)
    assert seen == [32, 32, 16, 18, 9]


@pytest.mark.parametrize("class_token", [True, False])
@pytest.mark.parametrize("layout", ["official", "open_clip"])
def test_files_of_both_layouts_are_encoded_as_by_the_reference(
    layout: str, class_token: bool, tmp_path: Path
) -> None:
    model = pe_core(2, class_token=class_token)
    if layout == "official":
        path, stretch = save_official(model, tmp_path / "PE-Core-X4-16.pt"), 1.0
    else:
        path, stretch = save_open_clip(model, tmp_path), TRUNK_SIDE / SIDE
    reference = Reference(official(model), stretch=stretch)
    clip = CenterCLIP.from_pretrained(path, schedule="none", frames=2, dtype=torch.float64)
    frames = torch.randn(1, 2, 3, 16, 16, dtype=torch.float64)
    ids = torch.tensor([[512, 5, 6, 513, 0, 0], [512, 7, 8, 9, 10, 513]])
    with torch.no_grad():
        segments, text = clip.encode_segments(frames)[0], clip.encode_text(ids)
        expected = reference.video(frames[0], {}, lambda patches: [])
        torch.testing.assert_close(segments, unit(expected), rtol=0, atol=1e-10)
        expected = torch.stack([reference.text(row) for row in ids.tolist()])
        torch.testing.assert_close(text, unit(expected), rtol=0, atol=1e-10)
        rounded = clip.float().encode_segments(frames.float())[0]
        torch.testing.assert_close(rounded, segments.float(), rtol=0, atol=1e-5)
        torch.testing.assert_close(clip.encode_text(ids), text.float(), rtol=0, atol=1e-5)


SIZES = {
    "rows of five": (
        Size(width=48, heads=3, blocks=3, side=5, patch=3, text_width=24, text_heads=3, embed=20),
        {},
    ),
    "deep": (Size(heads=2, blocks=7, side=3, patch=5, text_blocks=3, context=9), {}),
    "heads of 96": (  # as in G, by whose name they are recognized
        Size(width=192, heads=2, blocks=3, side=3, patch=2, text_width=16, text_heads=1),
        {"timm_model_name": "vit_pe_core_gigantic_patch14_448", "head_width": None},
    ),
}
"""With what the tower's settings say otherwise than those of `TRUNK`."""


@pytest.mark.parametrize(
    ("layout", "class_token", "size"),
    [
        ("official", True, "rows of five"),
        ("official", False, "deep"),
        ("open_clip", True, "deep"),
        ("open_clip", False, "heads of 96"),
    ],
)
def test_other_sizes_agree_with_the_reference_with_and_without_a_schedule(
    layout: str, class_token: bool, size: str, tmp_path: Path
) -> None:
    geometry, stated = SIZES[size]
    model = pe_core(len(size), class_token=class_token, size=geometry)
    if layout == "official":
        path, stretch = save_official(model, tmp_path / "PE-Core-X4-16.pt"), 1.0
    else:
        path = save_open_clip(model, tmp_path, geometry, **stated)
        stretch = (32 if stated else TRUNK_SIDE) / geometry.side
    reference = Reference(official(model), stretch=stretch, size=geometry)
    clip = CenterCLIP.from_pretrained(path, schedule="none", frames=4, dtype=torch.float64)
    video = torch.randn(4, 3, geometry.image, geometry.image, dtype=torch.float64)
    ids = torch.tensor([[512, 5, 6, 513, 0, 0], [512, 7, 8, 9, 10, 513]])
    reduced = kept(lambda patches: oracle_medoids(patches, 7))
    with torch.no_grad():
        for schedule, stages in (("none", {}), ("B2-2,7", {2: 2})):
            found = clip.with_(schedule=schedule, reducer="kmedoids").encode_segments(video[None])[0]
            expected = unit(reference.video(video, stages, reduced))
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
        expected = unit(torch.stack([reference.text(row) for row in ids.tolist()]))
        torch.testing.assert_close(clip.encode_text(ids), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("class_token", [True, False])
def test_keeping_all_tokens_changes_nothing(class_token: bool) -> None:
    plain = CenterCLIP(double(pe_core(class_token=class_token)), "none", frames=3)
    frames = torch.randn(2, 3, 3, 16, 16, dtype=torch.float64)
    with torch.no_grad():
        whole = plain.with_(schedule="B1-3,16;B3-3,16").encode_segments(frames)
        torch.testing.assert_close(whole, plain.encode_segments(frames), rtol=0, atol=1e-12)


@pytest.mark.parametrize("class_token", [True, False])
def test_a_token_of_size_two_acts_like_two_tokens_at_its_place(class_token: bool) -> None:
    backbone = CenterCLIP(double(pe_core(class_token=class_token))).backbone
    x = torch.randn(3, 6, 32, dtype=torch.float64)
    places = 4 * torch.rand(3, 6 - class_token, 3)
    doubled = torch.tensor([5, 1, 3])
    rows = torch.arange(3)
    twice = torch.cat((x, x[rows, doubled][:, None]), dim=1)  # [3, 7, D]
    sizes = 1 + functional.one_hot(doubled, 6).float()[:, class_token:]
    more = torch.cat((places, places[rows, doubled - int(class_token)][:, None]), dim=1)
    with torch.no_grad():
        weighted = backbone.block(0, Tokens(x, places, sizes, class_token))
        together = backbone.block(0, Tokens(twice, more, None, class_token))
        torch.testing.assert_close(weighted.x, together.x[:, :-1])
        torch.testing.assert_close(backbone.pool(weighted), backbone.pool(together))


def test_order_in_the_sequence_has_no_influence() -> None:
    backbone = CenterCLIP(double(pe_core())).backbone
    order = torch.randperm(16)
    with torch.no_grad():
        tokens = backbone.embed(torch.randn(2, 3, 16, 16, dtype=torch.float64))
        moved = tokens.with_(patches=tokens.patches[:, order])
        moved = Tokens(moved.x, tokens.positions[:, order], None, True)
        torch.testing.assert_close(backbone.run_to_end(moved, 0), backbone.run_to_end(tokens, 0))


@pytest.mark.skipif(not OUTPUTS.is_dir(), reason="CENTERCLIP_PE_CORE names no folder of outputs")
@pytest.mark.parametrize("name", ["pe-tiny-cls", "pe-tiny-nocls", "open_clip"])
@torch.no_grad()
def test_outputs_equal_those_of_other_implementations(name: str) -> None:
    """Of perception_models (December 2025), and of open_clip 3.3.0 with timm 1.0.31."""
    if name == "open_clip":
        path, expected = OUTPUTS / name, load_file(OUTPUTS / name / "expected.safetensors")
    else:
        path = OUTPUTS / f"{name}.pt"
        expected = load_file(path.with_suffix(".expected.safetensors"))
    clip = CenterCLIP.from_pretrained(path, schedule="none", frames=3)
    backbone, frames = clip.backbone, expected["frames"]
    images = backbone.run_to_end(backbone.embed(frames.flatten(0, 1)), 0).unflatten(0, frames.shape[:2])
    close = {"rtol": 0, "atol": 1e-5}  # of numbers up to 6
    torch.testing.assert_close(images, expected["image_embedding"], **close)
    torch.testing.assert_close(backbone.encode_text(expected["tokens"]), expected["text_embedding"], **close)
    assert backbone.has_class_token == (name != "pe-tiny-nocls")
    if name != "open_clip":
        tokens = backbone.embed(frames[:, 0])
        after_two = backbone.run(tokens, 0, 2)
        torch.testing.assert_close(after_two.x, expected["hidden_after_block_2"], **close)
        last = backbone.run(after_two, 2, backbone.blocks)
        torch.testing.assert_close(last.x, expected["last_hidden_before_ln_post"], **close)
