"""Presets: named schedules, scaled to any model."""

from pathlib import Path

import pytest

from centerclip.errors import ScheduleError
from centerclip.model import default_schedule
from centerclip.schedule import PRESETS, TokenSchedule, check_schedule, resolve_schedule

B32 = {"blocks": 12, "patches": 49, "frames": 12}


@pytest.mark.parametrize("name", PRESETS)
def test_on_the_papers_smaller_model_a_preset_is_unchanged(name: str) -> None:
    assert str(resolve_schedule(f" {name.upper()} ", **B32)) == PRESETS[name]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("blocks", "patches", "frames"),
    [
        *((12, 49, 12), (12, 196, 12), (24, 256, 12), (12, 64, 60), (4, 16, 12), (2, 9, 3), (12, 49, 1)),
        *((12, 576, 12), (24, 576, 12), (50, 1024, 12)),  # PE-Core T and S, L, G
    ],
)
def test_a_preset_fits_every_model(name: str, blocks: int, patches: int, frames: int) -> None:
    schedule = resolve_schedule(name, blocks=blocks, patches=patches, frames=frames)
    assert schedule
    schedule.validate(blocks=blocks, frames=frames, patches=patches)


@pytest.mark.parametrize(
    ("blocks", "patches", "frames", "expected"),
    [
        (12, 49, 12, "B6-4,49"),
        (12, 196, 12, "B6-4,160"),
        (24, 256, 12, "B12-4,209"),
        (12, 49, 60, "B6-20,49"),
        (12, 49, 2, "B6-1,49"),
        (2, 64, 12, "B1-4,64"),
        (12, 576, 12, "B6-4,470"),
        (50, 1024, 12, "B25-4,836"),
    ],
)
def test_the_default_scales_the_papers_schedule(
    blocks: int, patches: int, frames: int, expected: str
) -> None:
    assert str(default_schedule(blocks=blocks, patches=patches, frames=frames)) == expected


def test_faster_presets_cost_less() -> None:
    def cost(text: str) -> int:
        schedule = resolve_schedule(text, **B32)
        return schedule.multiply_adds(**B32, width=768, mlp_width=3072, patch_pixels=3072)

    assert cost("fast") < cost("balanced") < cost("best") < cost("none")


GEOMETRIES = {
    # Blocks, patches, width, MLP width, patch size, and whether pooling reads all tokens.
    "CLIP B/32": (12, 49, 768, 3072, 32, False),
    "CLIP B/16": (12, 196, 768, 3072, 16, False),
    "CLIP L/14": (24, 256, 1024, 4096, 14, False),
    "PE-Core T/16-384": (12, 576, 192, 768, 16, True),
    "PE-Core S/16-384": (12, 576, 384, 1536, 16, True),
    "PE-Core B/16": (12, 196, 768, 3072, 16, True),
    "PE-Core L/14-336": (24, 576, 1024, 4096, 14, True),
    "PE-Core G/14-448": (50, 1024, 1536, 8960, 14, True),
}


def cost_of(model: str, schedule: str) -> float:
    """10⁹ multiply-adds for 12 frames."""
    blocks, patches, width, mlp_width, patch_size, pools_all = GEOMETRIES[model]
    sizes = {"blocks": blocks, "patches": patches, "frames": 12}
    made = resolve_schedule(schedule, **sizes)
    made.validate(**sizes)
    count = made.multiply_adds(
        **sizes, width=width, mlp_width=mlp_width, patch_pixels=3 * patch_size**2, whole_last_block=pools_all,
        class_token=model != "PE-Core G/14-448", pooling=4 * width * pools_all,
    )  # fmt: skip
    return count / 1e9


def test_the_table_of_costs_is_right() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pretrained.md").read_text(encoding="utf-8")
    for model in GEOMETRIES:
        cells = []
        blocks, patches = GEOMETRIES[model][:2]
        for name in ("best", "balanced", "fast"):
            schedule = resolve_schedule(name, blocks=blocks, patches=patches, frames=12)
            cells.append(f"{cost_of(model, name):.1f} (`{schedule}`)")
        assert f"| {model} | {cost_of(model, 'none'):.1f} | {' | '.join(cells)} |" in page


def test_a_narrow_tower_of_many_patches_reaches_the_cost_of_the_papers_smaller_model() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pretrained.md").read_text(encoding="utf-8")
    share = cost_of("PE-Core S/16-384", "B2-4,196") / cost_of("CLIP B/32", "none")
    assert share < 1
    assert f"`B2-4,196` | {share:.2f}" in page


def test_of_stages_at_the_same_block_the_later_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("centerclip.schedule.presets.PRESETS", {"two": "B3-6,49;B9-3,30"})
    assert str(resolve_schedule("two", blocks=24, patches=196, frames=24)) == "B6-12,160;B18-6,98"
    assert str(resolve_schedule("two", blocks=2, patches=49, frames=12)) == "B1-3,30"


def test_notation_and_schedules_are_accepted() -> None:
    given = TokenSchedule.parse("B6-4,49")
    assert resolve_schedule(given, **B32) is given
    assert str(resolve_schedule("b6-4,49", **B32)) == "B6-4,49"
    assert not resolve_schedule("none", **B32)
    check_schedule("fast")
    check_schedule("B90-400,7000")  # only a model knows whether it fits


@pytest.mark.parametrize("text", ["quick", "", "B6", "B6-4,49,1"])
def test_an_error_shows_the_notation_and_for_names_the_presets(text: str) -> None:
    with pytest.raises(ScheduleError, match="B6-4,49") as raised:
        check_schedule(text)
    assert ("fast, balanced, best" in str(raised.value)) == ("," not in text)
