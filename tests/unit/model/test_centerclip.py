"""`CenterCLIP`: shapes, masks, gradients, text, traces, and errors with remedies."""

from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import clip_model, clip_tokenizer, siglip_model, word_tokenizer
from transformers import CLIPTokenizer

from centerclip.clustering import REDUCERS, Tokens, parse_reducer
from centerclip.clustering.reducers.clustered import KMedoids
from centerclip.errors import ConfigError, ModelError, ScheduleError
from centerclip.model import Backbone, CenterCLIP, Tower, make_backbone
from centerclip.preprocessing import CLIP_MEAN, CLIP_STD

BOTH = pytest.mark.parametrize("make", [clip_model, siglip_model])


def draw(videos: int = 2, frames: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(videos, frames, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


class WatchedTower(Tower):
    """Records the tokens that enter each part of the tower."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__(backbone)
        self.seen: list[Tokens] = []

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        self.seen.append(tokens)
        return super().run(tokens, start, stop)

    def run_to_end(self, tokens: Tokens, start: int) -> torch.Tensor:
        self.seen.append(tokens)
        return super().run_to_end(tokens, start)


@BOTH
def test_embeddings_have_the_promised_shape_and_unit_length(make: Any) -> None:
    model = CenterCLIP(make(), "B2-3,8", frames=6)
    with torch.no_grad():
        encoded = model.encode(draw())
    segments, video = encoded.segments, encoded.video
    assert encoded.stages == ()
    assert segments.shape == (2, 3, model.embed_size)
    assert video.shape == (2, model.embed_size)
    torch.testing.assert_close(segments.norm(dim=-1), torch.ones(2, 3))
    torch.testing.assert_close(video.norm(dim=-1), torch.ones(2))
    assert (model.segments, model.image_size) == (3, (16, 16))
    assert model.similarity(video[:1], video).shape == (1, 2)


@BOTH
@pytest.mark.parametrize("schedule", ["none", "B2-3,10", "B1-3,20;B3-2,8"])
def test_a_masked_video_is_encoded_as_if_it_were_alone(make: Any, schedule: str) -> None:
    model = CenterCLIP(make(), schedule, frames=6)
    frames = draw(videos=4)
    mask = torch.ones(4, 6, dtype=torch.bool)
    mask[0, 1:] = False
    mask[2, [0, 3]] = False  # any frame may be missing
    mask[3, 1:] = False
    frames[~mask] = torch.nan
    with torch.no_grad():
        segments, video = model.encode_segments(frames, mask), model.encode_video(frames, mask)
        for row in range(4):
            alone = frames[row, mask[row]][None]
            own = model.encode_segments(alone)[0]
            places = [place * len(own) // model.segments for place in range(model.segments)]
            torch.testing.assert_close(segments[row], own[places])
            torch.testing.assert_close(video[row], model.encode_video(alone)[0])


def test_a_mask_of_all_true_changes_nothing_and_bad_masks_are_refused() -> None:
    model = CenterCLIP(clip_model(), "B2-3,8", frames=6)
    full = torch.ones(2, 6, dtype=torch.bool)
    with torch.no_grad():
        assert torch.equal(model.encode_video(draw(), full), model.encode_video(draw()))
    empty = full.clone()
    empty[1] = False
    for mask, message in ((empty, "no valid frame"), (full.float(), "bool"), (full[:, :3], "bool")):
        with pytest.raises(ValueError, match=message):
            model.encode_video(draw(), mask)


def test_the_gradient_reaches_the_weights_before_and_after_the_reduction() -> None:
    model = CenterCLIP(clip_model(), "B2-2,8", frames=6, tokenizer=clip_tokenizer()).train()
    text, video = model(["a red car", "a blue boat"], draw())
    (model.similarity(text, video) * model.logit_scale.exp()).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    first = model.backbone.layers[0].mlp.fc1.weight.grad
    assert first.isfinite().all()
    assert first.any()


def test_gradient_checkpointing_gives_the_same_gradients() -> None:
    gradients = []
    for checkpointing in (False, True):
        hf = clip_model()
        if checkpointing:
            hf.activation_checkpointing_enable({"use_reentrant": False})
        model = CenterCLIP(hf, "B2-2,8", frames=6).train()
        model.encode_video(draw())[:, 0].sum().backward()
        gradients.append(model.backbone.model.vision_model.embeddings.class_embedding.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("autocast", [False, True])
def test_bfloat16_comes_close_to_float32(autocast: bool) -> None:
    model = CenterCLIP(clip_model(), "none", frames=6)
    with torch.no_grad():
        exact = model.encode_video(draw())
        if not autocast:
            model.bfloat16()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            rough = model.encode_video(draw())
    assert rough.dtype == torch.float32
    assert (exact * rough).sum(dim=-1).min() > 0.99


def test_preprocessing_normalizes_a_copy() -> None:
    frames = torch.randint(0, 256, (2, 3, 3, 16, 16), dtype=torch.uint8)
    before = frames.clone()
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (CLIP_MEAN, CLIP_STD))
    expected = (frames / 255 - mean) / std
    torch.testing.assert_close(CenterCLIP(clip_model()).preprocess(frames), expected, rtol=0, atol=1e-5)
    assert torch.equal(frames, before)


def test_wrong_frames_are_refused_with_the_remedy() -> None:
    model = CenterCLIP(clip_model(), frames=6)
    with pytest.raises(ValueError, match="uint8"):
        model.preprocess(draw())
    with pytest.raises(ValueError, match=r"\(16, 16\)"):
        model.preprocess(torch.zeros(1, 1, 3, 8, 8, dtype=torch.uint8))
    clip: Any = "clip.mp4"
    for frames, message in (
        (clip, r"path 'clip.mp4'.*VideoEncoder\(model\).encode_file"),
        ([Path("clip.mp4")], "encode_file"),
        ([[1.0]], "frames is a list: convert it with torch.as_tensor"),
        (draw()[0], r"give frames\[None\]"),
        (draw()[0, 0], r"floats \[B, T, 3, 16, 16\]"),
        (draw()[..., :8, :8], r"\[2, 6, 3, 8, 8\].*centerclip.video resizes"),
        (draw()[:, :, :1], "must be normalized floats"),
        (draw()[:0], "no video to encode"),
        (draw()[:, :0], "no frame to encode"),
        (torch.zeros(2, 6, 3, 16, 16, dtype=torch.uint8), "model.preprocess"),
    ):
        with pytest.raises(ValueError, match=message):
            model.encode_video(frames)


@BOTH
@torch.no_grad()
def test_frames_from_0_to_1_are_refused_but_bright_videos_are_not(make: Any) -> None:
    model = CenterCLIP(make(), frames=6)
    pixels = torch.randint(0, 256, (2, 6, 3, 16, 16), generator=torch.Generator().manual_seed(0))
    for frames in (pixels / 255, (pixels / 255).bfloat16(), torch.rand(2, 6, 3, 16, 16)):
        with pytest.raises(ValueError, match="from 0 to 1, but must be normalized"):
            model.encode_video(frames)
    with pytest.raises(ValueError, match="from 0 to 255, but must be normalized"):
        model.encode_video(pixels.float())
    # The normalized values of these are also from 0 to 1.
    low, high = (128, 255) if make is siglip_model else (124, 185)
    bright = model.preprocess((low + pixels % (high + 1 - low)).to(torch.uint8))
    bright = bright.clamp(min=0) if make is siglip_model else bright
    assert model.encode_video(bright).isfinite().all()
    assert model.bfloat16().encode_video(bright.bfloat16()).isfinite().all()


def test_another_schedule_and_reducer_share_the_weights_and_must_fit() -> None:
    model = CenterCLIP(clip_model(), frames=6).eval()
    model.tower = Tower(model.backbone)
    other = model.with_(schedule="B2-3,8", reducer="spectral(graph=knn)")
    assert (str(model.schedule), model.reducer) == ("none", parse_reducer("kmedoids"))
    assert (str(other.schedule), other.reducer.label, other.frames) == ("B2-3,8", "spectral(graph=knn)", 6)
    assert (other.segments, other.backbone, other.tower) == (3, model.backbone, model.tower)
    assert (other.training, model.train().with_(frames=7).training) == (False, True)
    assert str(other.with_(frames=12).schedule) == "B2-3,8"
    assert str(model.with_(schedule="balanced").schedule) == "B2-2,16"
    for schedule in ("B4-3,8", "B2-7,8", "B2-6,17", "slow"):
        with pytest.raises(ScheduleError, match="B"):
            model.with_(schedule=schedule)
    with pytest.raises(ScheduleError, match="B2-3,8"):
        other.with_(frames=2)
    timed = model.with_(temporal=True)
    assert model.temporal is None
    assert timed.with_(schedule="B2-3,8").temporal is timed.with_(temporal=True).temporal is timed.temporal
    assert timed.with_(temporal=False).temporal is None


def test_invalid_arguments_are_refused_with_the_remedy() -> None:
    model: Any = CenterCLIP(clip_model(), frames=6)
    for name, value in (("schedule", "B2-3,8"), ("reducer", "pool"), ("frames", 3)):
        with pytest.raises(AttributeError, match=rf"model.with_\({name}="):
            setattr(model, name, value)
    for wrong, error, message in (
        ({"frames": 0}, ScheduleError, "at least 1"),
        ({"frames": 2.5}, ScheduleError, "frames is 2.5"),
        ({"schedule": 6}, ScheduleError, "schedule is 6"),
        ({"reducer": KMedoids}, ConfigError, r"give an instance, KMedoids\(\)"),
        ({"reducer": 3}, ConfigError, "reducer is 3"),
        ({"tokenizer": "./nowhere"}, ModelError, "no model at ./nowhere"),
    ):
        with pytest.raises(error, match=message):
            CenterCLIP(clip_model(), **wrong)
    with pytest.raises(ConfigError, match="give tokenizer to the backbone"):
        CenterCLIP(make_backbone(clip_model()), tokenizer=clip_tokenizer())
    for clip, message in (
        ("nano", "load the model with CenterCLIP.from_pretrained"),
        (torch.nn.Linear(2, 2), "Linear is not supported: only clip, siglip, "),
        (clip_model().vision_model, "CLIPVisionModel is not supported: it is only a part of a model"),
    ):
        with pytest.raises(ModelError, match=message):
            CenterCLIP(clip)


@BOTH
def test_keeping_every_token_of_every_frame_is_the_plain_model(make: Any) -> None:
    hf = make()
    with torch.no_grad():
        plain = CenterCLIP(hf, frames=6).encode_segments(draw())
        torch.testing.assert_close(CenterCLIP(hf, "B2-6,16", frames=6).encode_segments(draw()), plain)


@pytest.mark.parametrize(
    ("make", "reducer"),
    [(clip_model, name) for name in REDUCERS]
    + [(siglip_model, name) for name in REDUCERS if name != "token_shift"],  # needs class tokens
)
def test_every_reducer_runs_through_two_uneven_stages(make: Any, reducer: str) -> None:
    model = CenterCLIP(make(), "B1-3,10;B3-2,6", reducer=reducer, frames=5).train()
    segments = model.encode_segments(draw(frames=5))
    assert segments.shape == (2, 2, model.embed_size)
    segments[..., 0].sum().backward()
    gradients = [parameter.grad for parameter in model.backbone.model.vision_model.parameters()]
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)
    assert len(model.encode(draw(frames=5), trace=True).stages) == 2


def test_merged_tokens_are_weighted_by_their_patches() -> None:
    model = CenterCLIP(clip_model(), "B1-3,10;B3-1,6", reducer="merge", frames=6)
    model.tower = WatchedTower(model.backbone)
    with torch.no_grad():
        model.encode_video(draw())
    first, *merged = [tokens.bias for tokens in model.tower.seen]
    assert first is None
    for bias, sequences, tokens in zip(merged, (6, 2), (32, 96), strict=True):
        sizes = bias.exp()[:, 0, 0]
        torch.testing.assert_close(sizes[:, 0], torch.ones(sequences))  # the class token
        torch.testing.assert_close(sizes[:, 1:].sum(dim=1), torch.full((sequences,), float(tokens)))


def test_training_is_passed_on_to_the_reducer() -> None:
    model = CenterCLIP(clip_model(), "B2-3,8", reducer="sample", frames=6)
    frames = draw()
    with torch.no_grad():
        assert torch.equal(model.eval().encode_video(frames), model.encode_video(frames))
        assert not torch.equal(model.train().encode_video(frames), model.encode_video(frames))


def test_without_a_tokenizer_ids_are_encoded_and_sentences_refused() -> None:
    model = CenterCLIP(clip_model())
    batch = clip_tokenizer()(["a car", "boats"], padding=True, return_tensors="pt")
    with torch.no_grad():
        assert torch.equal(model.encode_text(batch["input_ids"]), model.encode_text(batch))
    with pytest.raises(ModelError, match="no tokenizer"):
        model.encode_text(["a car"])


def test_long_captions_keep_their_closing_token_and_empty_ones_have_an_embedding() -> None:
    model = CenterCLIP(clip_model(), tokenizer=clip_tokenizer())
    ids = model.backbone.tokenize(["x " * 100, "", "yz"])["input_ids"]
    end = model.backbone.model.config.text_config.eos_token_id
    assert ids.shape == (3, 12)
    assert (ids == end).any(dim=1).all()
    assert int(ids[0, -1]) == end
    assert model.backbone.tokenize(["x " * 100], max_tokens=5)["input_ids"].shape == (1, 5)
    with torch.no_grad():
        embeddings = model.encode_text(["x " * 100, "x " * 10, "", "yz"])
        assert embeddings.isfinite().all()
        torch.testing.assert_close(embeddings[0], embeddings[1])  # 10 letters and two special tokens fit
        torch.testing.assert_close(model.encode_text("yz"), embeddings[3:])
        assert model.encode_text([]).shape == (0, 24)


def test_neither_case_nor_neighbors_in_the_batch_change_a_sentence() -> None:
    for make, tokenizer in ((clip_model, clip_tokenizer()), (siglip_model, word_tokenizer())):
        model = CenterCLIP(make(), tokenizer=tokenizer)
        with torch.no_grad():
            alone = model.encode_text(["a red car"])
            together = model.encode_text(["A RED Car", "a blue boat floats ."])
        torch.testing.assert_close(alone[0], together[0])
        assert (together[0] @ together[1]) < 0.99


def test_siglip_sentences_are_padded_to_the_full_context() -> None:
    backbone = CenterCLIP(siglip_model(), tokenizer=word_tokenizer()).backbone
    ids = backbone.tokenize(["a red car"])["input_ids"]
    assert ids.tolist() == [[1, 4, 5, 7, 2] + [0] * 7]
    short = backbone.tokenize(["a red car drives ."], max_tokens=4)["input_ids"]
    assert short.tolist() == [[1, 4, 5, 2] + [0] * 8]
    backbone.tokenizer.padding_side = "left"  # as SigLIP 2's tokenizer has it by default
    assert torch.equal(backbone.tokenize(["a red car"])["input_ids"], ids)


def test_another_models_tokenizer_is_refused() -> None:
    unknown = CLIPTokenizer(vocab={"<|startoftext|>": 0, "<|endoftext|>": 10_000}, merges=[])
    with pytest.raises(ModelError, match="id 10000"):
        CenterCLIP(clip_model(text={"eos_token_id": 10_000}), tokenizer=unknown).encode_text(["a"])
    with pytest.raises(ModelError, match="end token"):
        CenterCLIP(clip_model(), tokenizer=word_tokenizer()).encode_text(["a car"])


def test_the_trace_identifies_kept_tokens_in_the_video() -> None:
    model = CenterCLIP(clip_model(), "B1-3,10;B3-2,6", frames=5)
    encoded = model.encode(draw(frames=5), trace=True)
    stages = encoded.stages
    assert torch.equal(encoded.video, model.encode_video(draw(frames=5)))
    assert [stage.frame_segments for stage in stages] == [(0, 0, 1, 1, 2), (0, 0, 0, 0, 1)]
    for stage, shape in zip(stages, [(2, 3, 10), (2, 2, 6)], strict=True):
        kept, labels = stage.kept, stage.labels
        assert kept.shape == shape
        assert labels.shape == (2, 5, 16)
        assert (kept.diff(dim=-1) > 0).all()
        for video in range(2):
            for segment in range(shape[1]):
                for label, position in enumerate(kept[video, segment].tolist()):
                    frame, patch = divmod(position, 16)
                    assert stage.frame_segments[frame] == segment
                    assert labels[video, frame, patch] == label  # a kept token belongs to itself
    first, second = (set(stage.kept[0].flatten().tolist()) for stage in stages)
    assert second <= first


def test_traces_of_blended_tokens_and_of_missing_frames() -> None:
    model = CenterCLIP(clip_model(), "B1-3,10;B3-2,6", reducer="pool", frames=6)
    stages = model.encode(draw(), trace=True).stages
    assert [(stage.kept, stage.labels) for stage in stages] == [(None, None)] * 2
    assert model.with_(schedule="none").encode(draw(), trace=True).stages == ()
    mask = torch.ones(2, 6, dtype=torch.bool)
    assert len(model.encode(draw(), mask, trace=True).stages) == 2
    mask[1, 5] = False
    with pytest.raises(ValueError, match="a trace needs videos with all their frames"):
        model.encode(draw(), mask, trace=True)


@torch.no_grad()
def test_every_token_carries_its_frame_row_and_column_through_all_stages() -> None:
    model = CenterCLIP(clip_model(), "B1-3,10;B3-2,6", frames=5)
    frames = draw(frames=5)
    frames[0] = frames[0, :1]  # a still video, whose frames and segments are computed once
    model.tower = WatchedTower(model.backbone)
    stages = model.encode(frames, trace=True).stages
    own = stages[-1].kept[1]  # [S, K], of the video whose segments differ
    expected = torch.stack([own // 16, own % 16 // 4, own % 4], -1)
    assert torch.equal(model.tower.seen[-1].positions[-2:], expected.float())
    for kept, segment in zip(stages[-1].kept[0], (0, 1), strict=True):
        assert {stages[-1].frame_segments[frame] for frame in (kept // 16).tolist()} == {segment}
