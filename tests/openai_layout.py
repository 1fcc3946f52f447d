"""A tiny CLIP's weights by OpenAI's names, which CLIP4Clip and CenterCLIP checkpoints use too."""

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
    """List the weights of a `transformers` CLIP by OpenAI's names, independently of `centerclip`."""
    hf = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    out = {
        "visual.class_embedding": hf["vision_model.embeddings.class_embedding"],
        "visual.positional_embedding": hf["vision_model.embeddings.position_embedding.weight"],
        "visual.conv1.weight": hf["vision_model.embeddings.patch_embedding.weight"],
        "visual.proj": hf["visual_projection.weight"].T.contiguous(),
        "token_embedding.weight": hf["text_model.embeddings.token_embedding.weight"],
        "positional_embedding": hf["text_model.embeddings.position_embedding.weight"],
        "text_projection": hf["text_projection.weight"].T.contiguous(),
        "logit_scale": hf["logit_scale"],
    }
    names = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    for prefix, tower, layers in (("visual.", "vision_model", 4), ("", "text_model", 2)):
        for i in range(layers):
            old, new = f"{tower}.encoder.layers.{i}", f"{prefix}transformer.resblocks.{i}"
            names |= {f"{new}.attn.out_proj": f"{old}.self_attn.out_proj"}
            names |= {f"{new}.ln_1": f"{old}.layer_norm1", f"{new}.ln_2": f"{old}.layer_norm2"}
            names |= {f"{new}.mlp.c_fc": f"{old}.mlp.fc1", f"{new}.mlp.c_proj": f"{old}.mlp.fc2"}
            for part in ("weight", "bias"):
                out[f"{new}.attn.in_proj_{part}"] = torch.cat(
                    [hf[f"{old}.self_attn.{letter}_proj.{part}"] for letter in "qkv"]
                )
    out |= {
        f"{name}.{part}": hf[f"{old}.{part}"] for name, old in names.items() for part in ("weight", "bias")
    }
    return out


def prefixed(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in tensors.items()}
