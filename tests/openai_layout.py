"""A tiny CLIP's weights by OpenAI's names, as OpenAI, CLIP4Clip and CenterCLIP have published theirs."""

from __future__ import annotations

from typing import Any

import torch
from tiny_models import clip_model
from torch import Tensor

TOWERS = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 1}


def known_model(activation: str = "quick_gelu", **vision: Any) -> Any:
    return clip_model(
        vision={**TOWERS, "hidden_act": activation, **vision}, text={**TOWERS, "hidden_act": activation}
    )


def openai_names(model: Any) -> dict[str, Tensor]:
    """The weights of a `transformers` CLIP by OpenAI's names, written out by hand."""
    hf = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    out = {
        "visual.class_embedding": hf["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": hf["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": hf["vision_model.embeddings.patch_embedding.weight"],
        "visual.ln_pre.weight": hf["vision_model.pre_layrnorm.weight"],
        "visual.ln_pre.bias": hf["vision_model.pre_layrnorm.bias"],
        "visual.ln_post.weight": hf["vision_model.post_layernorm.weight"],
        "visual.ln_post.bias": hf["vision_model.post_layernorm.bias"],
        "visual.proj": hf["visual_projection.weight"].T.contiguous(),
        "token_embedding.weight": hf["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": hf["text_model.embeddings.position_embedding.weight"],
        "ln_final.weight": hf["text_model.final_layer_norm.weight"],
        "ln_final.bias": hf["text_model.final_layer_norm.bias"],
        "text_projection": hf["text_projection.weight"].T.contiguous(),
        "logit_scale": hf["logit_scale"],
    }
    for prefix, tower, layers in (("visual.", "vision_model", 4), ("", "text_model", 2)):
        for i in range(layers):
            old, new = f"{tower}.encoder.layers.{i}", f"{prefix}transformer.resblocks.{i}"
            for part in ("weight", "bias"):
                out[f"{new}.attn.in_proj_{part}"] = torch.cat(
                    [hf[f"{old}.self_attn.{letter}_proj.{part}"] for letter in "qkv"]
                )
                out[f"{new}.attn.out_proj.{part}"] = hf[f"{old}.self_attn.out_proj.{part}"]
                out[f"{new}.ln_1.{part}"] = hf[f"{old}.layer_norm1.{part}"]
                out[f"{new}.ln_2.{part}"] = hf[f"{old}.layer_norm2.{part}"]
                out[f"{new}.mlp.c_fc.{part}"] = hf[f"{old}.mlp.fc1.{part}"]
                out[f"{new}.mlp.c_proj.{part}"] = hf[f"{old}.mlp.fc2.{part}"]
    return out


def prefixed(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
