"""`CenterCLIP` compared with `transformers`, and with an oracle that computes token by token."""

import math
from typing import Any

import pytest
import torch
from tiny_models import FAMILIES, clip_model, clip_tokenizer, siglip_model, word_tokenizer
from torch import Tensor
from torch.nn import functional

from centerclip.clustering import Tokens
from centerclip.model import Backbone, CenterCLIP

SENTENCES = ["A red car drives.", "a blue boat", "", "a red boat floats . " * 10]


def unit(x: Tensor) -> Tensor:
    return x / x.norm(dim=-1, keepdim=True)


def tokens_of(backbone: Backbone, x: Tensor, sizes: Tensor | None = None) -> Tokens:
    places = torch.zeros(len(x), x.shape[1] - backbone.has_class_token, 3)
    return Tokens(x, places, sizes, backbone.has_class_token)


VISION_TOWERS = [make for name, (make, _) in FAMILIES.items() if name != "siglip 2"]


@pytest.mark.parametrize("make", VISION_TOWERS)
def test_without_a_schedule_frames_are_encoded_as_in_transformers(make: Any) -> None:
    hf = make()
    frames = torch.randn(2, 3, 3, 16, 16)
    with torch.no_grad():
        expected = unit(hf.get_image_features(pixel_values=frames.flatten(0, 1)).pooler_output).view(2, 3, -1)
        model = CenterCLIP(hf, "none", frames=3)
        torch.testing.assert_close(model.encode_segments(frames), expected)
        torch.testing.assert_close(model.encode_video(frames), unit(expected.mean(dim=1)))


@pytest.mark.parametrize(
    ("make", "tokenizer", "padding"),
    [
        (clip_model, clip_tokenizer(), "longest"),
        (clip_model, clip_tokenizer(), "max_length"),
        (siglip_model, word_tokenizer(), "max_length"),
    ],
)
def test_sentences_are_encoded_as_in_transformers(make: Any, tokenizer: Any, padding: str) -> None:
    hf = make()
    batch = tokenizer(SENTENCES, padding=padding, truncation=True, max_length=12, return_tensors="pt")
    if make is siglip_model:  # SigLIP was trained without an attention mask
        batch = {"input_ids": batch["input_ids"]}
    with torch.no_grad():
        expected = unit(hf.get_text_features(**batch).pooler_output)
        torch.testing.assert_close(CenterCLIP(hf, tokenizer=tokenizer).encode_text(SENTENCES), expected)


@pytest.mark.parametrize("family", ["metaclip_2", "chinese_clip", "altclip"])
@pytest.mark.parametrize("padding", ["longest", "max_length"])
def test_sentences_in_other_languages_are_encoded_as_in_transformers(family: str, padding: str) -> None:
    make, make_tokenizer = FAMILIES[family]
    hf, tokenizer = make(), make_tokenizer()
    sentences = [*SENTENCES, "\u7ea2\u8f66", f"a {tokenizer.pad_token} car"]
    batch = tokenizer(sentences, padding=padding, truncation=True, max_length=12, return_tensors="pt")
    with torch.no_grad():
        expected = unit(hf.get_text_features(**batch).pooler_output)
        model = CenterCLIP(hf, tokenizer=tokenizer)
        torch.testing.assert_close(model.encode_text(sentences), expected)
        torch.testing.assert_close(model.encode_text(batch["input_ids"]), expected)


@pytest.mark.parametrize("text", [lambda text: text, str.lower], ids=["as written", "lower case"])
def test_siglip_2_reads_64_tokens_of_gemma_without_a_mask(text: Any) -> None:
    make, make_tokenizer = FAMILIES["siglip 2"]
    hf, tokenizer = make(), make_tokenizer()
    batch = tokenizer(
        [sentence.lower() for sentence in SENTENCES],
        **{"padding": "max_length", "max_length": 12, "truncation": True, "padding_side": "right"},
        return_tensors="pt",
    )
    with torch.no_grad():
        expected = unit(hf.get_text_features(input_ids=batch["input_ids"]).pooler_output)
        model = CenterCLIP(hf, tokenizer=tokenizer)
        torch.testing.assert_close(model.encode_text([text(s) for s in SENTENCES]), expected)


# The oracle: video by video, segment by segment, token by token, in float64.


def has_class_token(hf: Any) -> bool:
    return hf.config.model_type != "siglip"


def oracle_norm(layer: Any, token: Tensor) -> Tensor:
    centered = token - token.mean()
    return centered / torch.sqrt((centered**2).mean() + layer.eps) * layer.weight + layer.bias


def oracle_activation(name: str, x: Tensor) -> Tensor:
    if name == "quick_gelu":
        return x * torch.sigmoid(1.702 * x)
    assert name == "gelu_pytorch_tanh"
    return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def oracle_block(layer: Any, tokens: list[Tensor], config: Any) -> list[Tensor]:
    attention, heads = layer.self_attn, config.num_attention_heads
    normed = [oracle_norm(layer.layer_norm1, token) for token in tokens]
    q, k, v = (
        [projection(token).chunk(heads) for token in normed]
        for projection in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    out = []
    for i, token in enumerate(tokens):
        mixed = []
        for head in range(heads):
            scores = torch.stack([q[i][head] @ key[head] for key in k]) / math.sqrt(len(q[i][head]))
            weights = torch.exp(scores - scores.max())
            weights = weights / weights.sum()
            mixed.append(sum(weight * value[head] for weight, value in zip(weights, v, strict=True)))
        token = token + attention.out_proj(torch.cat(mixed))
        hidden = layer.mlp.fc1(oracle_norm(layer.layer_norm2, token))
        out.append(token + layer.mlp.fc2(oracle_activation(config.hidden_act, hidden)))
    return out


def oracle_medoids(tokens: list[Tensor], k: int) -> list[int]:
    """Textbook k-medoids with a KKZ start."""
    n = len(tokens)
    distance = [[float((a - b).norm()) for b in tokens] for a in tokens]
    chosen = [max(range(n), key=lambda i: float(tokens[i].norm()))]
    while len(chosen) < k:
        rest = [i for i in range(n) if i not in chosen]
        chosen.append(max(rest, key=lambda i: min(distance[i][c] for c in chosen)))
    while True:
        members: dict[int, list[int]] = {c: [] for c in chosen}
        for i in range(n):
            members[i if i in chosen else min(chosen, key=lambda c: distance[i][c])].append(i)
        moved = [min(own, key=lambda i: sum(distance[i][j] for j in own)) for own in members.values()]
        if sorted(moved) == sorted(chosen):
            return sorted(chosen)
        chosen = moved


def oracle_embed(hf: Any, frame: Tensor) -> list[Tensor]:
    vision = hf.vision_model
    embeddings, size = vision.embeddings, vision.config.patch_size
    weight, bias = embeddings.patch_embedding.weight, embeddings.patch_embedding.bias
    tokens = []
    for top in range(0, frame.shape[1], size):
        for left in range(0, frame.shape[2], size):
            token = (weight * frame[:, top : top + size, left : left + size]).sum(dim=(1, 2, 3))
            tokens.append(token if bias is None else token + bias)
    if has_class_token(hf):
        tokens = [embeddings.class_embedding, *tokens]
    tokens = [t + position for t, position in zip(tokens, embeddings.position_embedding.weight, strict=True)]
    return [oracle_norm(vision.pre_layrnorm, t) for t in tokens] if has_class_token(hf) else tokens


def oracle_pool(hf: Any, tokens: list[Tensor]) -> Tensor:
    vision = hf.vision_model
    tokens = [oracle_norm(vision.post_layernorm, token) for token in tokens]
    if has_class_token(hf):
        return hf.visual_projection(tokens[0])
    head, heads = vision.head, vision.config.num_attention_heads
    wq, wk, wv = head.attention.in_proj_weight.chunk(3)
    bq, bk, bv = head.attention.in_proj_bias.chunk(3)
    query = (wq @ head.probe[0, 0] + bq).chunk(heads)
    mixed = []
    for h in range(heads):
        keys = [(wk @ token + bk).chunk(heads)[h] for token in tokens]
        values = [(wv @ token + bv).chunk(heads)[h] for token in tokens]
        weights = torch.softmax(
            torch.stack([query[h] @ key for key in keys]) / math.sqrt(len(query[h])), dim=0
        )
        mixed.append(sum(weight * value for weight, value in zip(weights, values, strict=True)))
    pooled = head.attention.out_proj(torch.cat(mixed))
    hidden = head.mlp.fc1(oracle_norm(head.layernorm, pooled))
    return pooled + head.mlp.fc2(oracle_activation(vision.config.hidden_act, hidden))


def oracle_video(hf: Any, video: Tensor, stages: dict[int, tuple[int, int]]) -> Tensor:
    """[T, 3, H, W] -> [S, E]; `stages`: block -> (segments, tokens)."""
    first = int(has_class_token(hf))
    sequences = [oracle_embed(hf, frame) for frame in video]
    for index, layer in enumerate(hf.vision_model.encoder.layers):
        if index in stages:
            segments, tokens = stages[index]
            joined = []
            for segment in range(segments):
                own = [s for t, s in enumerate(sequences) if t * segments // len(sequences) == segment]
                patches = [token for sequence in own for token in sequence[first:]]
                kept = [patches[i] for i in oracle_medoids(patches, tokens)]
                classes = [torch.stack([s[0] for s in own]).mean(dim=0)] if first else []
                joined.append(classes + kept)
            sequences = joined
        sequences = [oracle_block(layer, sequence, hf.vision_model.config) for sequence in sequences]
    return torch.stack([unit(oracle_pool(hf, sequence)) for sequence in sequences])


@pytest.mark.parametrize("make", VISION_TOWERS)
@pytest.mark.parametrize(
    ("frames", "schedule", "stages"),
    [
        (4, "B2-2,10", {2: (2, 10)}),
        (5, "B1-2,9", {1: (2, 9)}),  # segments of two and three frames
        (5, "B1-3,8;B3-2,6", {1: (3, 8), 3: (2, 6)}),  # uneven at both stages
    ],
)
def test_schedules_agree_with_the_oracle(
    make: Any, frames: int, schedule: str, stages: dict[int, tuple[int, int]]
) -> None:
    hf = make().double()
    generator = torch.Generator().manual_seed(frames)
    videos = torch.randn(2, frames, 3, 16, 16, dtype=torch.float64, generator=generator)
    with torch.no_grad():
        expected = torch.stack([oracle_video(hf, video, stages) for video in videos])
        model = CenterCLIP(hf, schedule, frames=frames)
        # Tokens are chosen in float32, but come out the same; everything else is float64.
        torch.testing.assert_close(model.encode_segments(videos), expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(model.encode_video(videos), unit(expected.mean(dim=1)), rtol=0, atol=1e-10)


@pytest.mark.parametrize("make", VISION_TOWERS)
def test_a_token_of_size_two_acts_like_two_tokens(make: Any) -> None:
    backbone = CenterCLIP(make().double()).backbone
    x = torch.randn(3, 6, 32, dtype=torch.float64)
    doubled = torch.tensor([5, 1, 3])
    twice = torch.cat((x, x[torch.arange(3), doubled][:, None]), dim=1)  # [3, 7, D]
    sizes = 1 + functional.one_hot(doubled, 6).float()[:, backbone.has_class_token :]
    with torch.no_grad():
        weighted = backbone.block(0, tokens_of(backbone, x, sizes))
        doubled_out = backbone.block(0, tokens_of(backbone, twice))
        torch.testing.assert_close(weighted.x, doubled_out.x[:, :-1])
        torch.testing.assert_close(backbone.pool(weighted), backbone.pool(doubled_out))


@pytest.mark.parametrize("make", VISION_TOWERS)
def test_the_last_block_for_the_class_token_alone_is_exact(make: Any) -> None:
    backbone = CenterCLIP(make().double()).backbone
    x = torch.randn(3, 6, 32, dtype=torch.float64)
    for sizes in (None, 1 + torch.rand(3, 6 - backbone.has_class_token)):
        tokens = tokens_of(backbone, x, sizes)
        with torch.no_grad():
            whole = backbone.pool(backbone.block(3, tokens))
            torch.testing.assert_close(backbone.run_to_end(tokens, 3), whole)
        torch.testing.assert_close(backbone.run_to_end(tokens, 3), whole)  # with a gradient


def test_the_papers_schedule_runs_on_the_geometry_of_b32() -> None:
    tower = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 12}
    hf = clip_model(vision={**tower, "image_size": 224, "patch_size": 32})
    model = CenterCLIP(hf, "B6-4,49")
    seen = []
    for layer in model.backbone.layers:
        layer.register_forward_hook(lambda _, x, y: seen.append(tuple(y.shape)))
    with torch.no_grad():
        embedding = model.encode_segments(torch.randn(2, 12, 3, 224, 224))
    assert (
        seen == [(24, 50, 16)] * 6 + [(8, 50, 16)] * 5
    )  # the last block is computed for the class token alone
    assert embedding.shape == (2, 4, 24)
