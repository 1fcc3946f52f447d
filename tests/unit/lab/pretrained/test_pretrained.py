"""What reductions change in an untrained model: figures by hand, shared blocks, classifiers, whole runs."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import clip_model, clip_tokenizer
from transformers import ViTConfig, ViTForImageClassification
from videos import make_video

from centerclip.datasets import Caption, Dataset
from centerclip.errors import ConfigError, ModelError, VideoError
from centerclip.lab.pretrained import Findings, measure_pretrained, write_into
from centerclip.lab.pretrained.figures import compare_embeddings
from centerclip.lab.pretrained.shared import SharedTower
from centerclip.model import Backbone, CenterCLIP
from centerclip.records import Item

VIT = "centerclip.lab.pretrained.vit:ViTClassifier"
REDUCERS = ("kmedoids", "kmedoids(weighted=true)", "centerclip.lab.pretrained.chance:Random")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random ViT of 4 blocks and 16 patches, with 10 classes."""
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4, "num_hidden_layers": 4}
    torch.manual_seed(0)
    model = ViTForImageClassification(ViTConfig(**sizes, image_size=16, patch_size=4, num_labels=10))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.3)
        model.vit.layernorm.weight.fill_(1.5)
        model.vit.layernorm.bias.zero_()
    folder = tmp_path_factory.mktemp("vit")
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Item, ...]:
    folder = tmp_path_factory.mktemp("clips")
    return tuple(Item(make_video(folder / f"{i}.mp4", frames=24 + 4 * i)) for i in range(3))


class CountingTower(SharedTower):
    """Counts the blocks that it really runs."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        self.blocks = 0
        run = backbone.block

        def counted(index: int, tokens: Any) -> Any:
            self.blocks += 1
            return run(index, tokens)

        backbone.block = counted  # type: ignore[method-assign]


def test_figures_by_hand() -> None:
    def at(*degrees: float) -> np.ndarray:
        turns = np.deg2rad(degrees)
        return np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)

    clips = np.array([0, 0, 1, 1, 2, 2])
    reference = at(0, 10, 30, 45, 90, 100)  # nearest of other clips: 30, 30, 10, 10 (not 90), 45, 45
    moved = at(0, 10, 30, 55, 90, 100)  # the half at 55 is nearest to 90 now
    found = compare_embeddings(
        moved,
        reference=reference,
        rival=reference,
        clips=clips,
        classify=lambda vectors: (vectors[:, 1] > 0.75).astype(np.int64),  # above 48.6 degrees
    )
    cosine = (5 + np.cos(np.deg2rad(10))) / 6
    assert found["cosine"].value == pytest.approx(cosine, abs=1e-6)
    assert found["gain"].value == pytest.approx(cosine - 1, abs=1e-6)
    assert found["top_1"].value == pytest.approx(500 / 6)
    assert found["neighbor"].value == pytest.approx(500 / 6)
    assert found["halves"].value == pytest.approx(500 / 6)  # 30 is nearer to 10 than to its own 55
    same = compare_embeddings(reference, reference=reference, rival=None, clips=clips)
    assert (same["gain"], same["top_1"]) == (None, None)
    assert (same["cosine"].value, same["neighbor"].low) == (pytest.approx(1), 100)


def test_blocks_before_a_reduction_run_once_and_change_nothing() -> None:
    model = CenterCLIP(clip_model(), frames=6).eval()
    schedules = ("none", "B1-2,8", "B2-3,8", "B2-2,8", "B1-3,8;B3-1,8")
    frames = [torch.randn(2, 6, 3, 16, 16) for _ in range(2)]
    with torch.inference_mode():
        expected = [model.with_(schedule=s).encode_video(own) for own in frames for s in schedules]
        whole = model.with_(schedule="none")
        tower = whole.tower = CountingTower(model.backbone)
        found = [whole.with_(schedule=s).encode_video(own) for own in frames for s in schedules]
    assert all(map(torch.equal, found, expected))
    # Per batch, without CLIP's own last block: 3 of none; 1 + 2; 1 and then 1; 1; 2 after the first stage.
    assert tower.blocks == 2 * (3 + (1 + 2) + (1 + 1) + 1 + 2)


def test_a_classifier_computes_what_transformers_computes(classifier: Path) -> None:
    model = CenterCLIP.from_pretrained(classifier, backbone=VIT, schedule="none", frames=5)
    frames = torch.randn(1, 5, 3, 16, 16)
    own = ViTForImageClassification.from_pretrained(classifier).eval()
    with torch.inference_mode():
        segments = model.encode_segments(frames)[0]
        tokens = own.vit(frames[0]).last_hidden_state[:, 0]
        torch.testing.assert_close(segments, torch.nn.functional.normalize(tokens, dim=-1))
        assert torch.equal(model.backbone.classify(segments), own(frames[0]).logits.argmax(-1))
    with pytest.raises(ModelError, match="no text tower"):
        model.encode_text(["a car"])
    with pytest.raises(ModelError, match="keep its own folder"):
        model.save_pretrained(classifier / "saved")


def test_a_run_measures_every_variant_and_continues(
    classifier: Path, clips: tuple[Item, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CenterCLIP.from_pretrained(classifier, backbone=VIT, schedule="none", frames=6)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    seen: list[tuple[int, int]] = []

    def measure(*, more: tuple[str, ...] = ()) -> Findings:
        return measure_pretrained(
            model,
            [*clips, Item(broken)],
            schedules=["B2-3,8", *more],
            reducers=REDUCERS,
            fewer=[3],
            cache=tmp_path / "cache",
            on_progress=lambda done, total: seen.append((done, total)),
        )

    first = measure()
    assert (first.clips, [file.path for file in first.failed]) == (3, [broken])
    names = [(row.schedule, row.reducer, row.frames) for row in first.rows]
    assert names == [("none", "none", 6), ("none", "none", 3), *(("B2-3,8", name, 6) for name in REDUCERS)]
    assert [row.cost for row in first.rows[:2]] == [1, 0.5]
    assert first.rows[0].cosine.value == pytest.approx(1)
    assert [row.gain is None for row in first.rows] == [True, True, True, False, False]
    assert all(row.top_1 is not None and row.text is None for row in first.rows)
    assert seen[-1] == (6, 6)

    monkeypatch.setattr("centerclip.embedding.engine.Pipeline", None)  # nothing is encoded again
    assert measure() == first
    with pytest.raises(TypeError):
        measure(more=("B1-2,8",))

    page = tmp_path / "page.md"
    page.write_text("a\n<!-- pretrained -->\nold\n<!-- end of pretrained -->\nz\n")
    write_into(first, page)
    lines = page.read_text().splitlines()
    assert [lines[0], lines[1], lines[-1]] == ["a", "<!-- pretrained -->", "z"]
    assert "old" not in lines
    assert lines[2].startswith("| schedule | reducer | frames | cost | cosine | against the first | class %")
    assert lines[-3].startswith("| `B2-3,8` | `Random` | 6 |")
    with pytest.raises(ConfigError, match="add them where the results should go"):
        write_into(first, classifier / "config.json")


def test_captions_are_ranked_if_there_are_any(clips: tuple[Item, ...]) -> None:
    model = CenterCLIP(clip_model(), frames=4, tokenizer=clip_tokenizer()).eval()
    captions = tuple(Caption(f"a car {video}", video) for video in range(len(clips)))
    data = Dataset("mine", "test", clips, captions)
    found = measure_pretrained(model, clips, schedules=["B2-2,8"], reducers=["kmedoids"], dataset=data)
    assert all(row.text is not None and row.top_1 is None for row in found.rows)


def test_one_clip_is_not_enough(clips: tuple[Item, ...]) -> None:
    model = CenterCLIP(clip_model(), frames=4).eval()
    with pytest.raises(VideoError, match="only 1 of the clips can be read"):
        measure_pretrained(model, clips[:1], schedules=["B2-2,8"], reducers=["kmedoids"])
