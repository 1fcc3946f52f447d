"""Makes the references in this folder, with open_clip_torch 3.3.0 and timm 1.0.31: `python make.py`.

They don't install beside the CPU build of torch, which lacks two operators that torchvision expects and
nothing here uses.
"""

# ruff: noqa: E402  # the operators must exist before timm is imported
import json
from pathlib import Path
from typing import Any

import torch

for name in ("nms", "qnms"):
    torch.library.define(f"torchvision::{name}", "(Tensor a, Tensor b, float c) -> Tensor")

import open_clip
import timm
from safetensors.torch import save_file
from timm.models import register_model
from timm.models.vision_transformer import VisionTransformer

TOWER = {"patch_size": 4, "img_size": 16, "class_token": False, "fc_norm": False, "weight_init": "skip"}


@register_model
def vit_base_patch4_siglip_16(global_pool: str, num_classes: int, **_: Any) -> VisionTransformer:
    return VisionTransformer(
        embed_dim=24,
        depth=2,
        num_heads=12,
        mlp_ratio=2,
        **TOWER,
        global_pool=global_pool,
        num_classes=num_classes,
    )


@register_model
def vit_giantopt_patch16_siglip_64(global_pool: str, num_classes: int, **_: Any) -> VisionTransformer:
    return VisionTransformer(
        embed_dim=32,
        depth=2,
        num_heads=16,
        mlp_ratio=1.7,
        act_layer="gelu_tanh",
        **TOWER,
        global_pool=global_pool,
        num_classes=num_classes,
    )


TEXT = {"context_length": 8, "vocab_size": 12, "width": 24, "heads": 3, "layers": 1}
SIGLIP = {
    "mlp_ratio": 1.7,
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
    "norm_kwargs": {"eps": 1e-6},
    "hf_tokenizer_name": "nowhere",
    "tokenizer_kwargs": {"clean": "canonicalize"},
}


def siglip(trunk: str, size: int, width: int, **text: Any) -> dict[str, Any]:
    vision = {"image_size": size, "timm_model_name": trunk, "timm_model_pretrained": False}
    return {
        "embed_dim": width,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": vision | {"timm_pool": "map", "timm_proj": "none"},
        "text_cfg": TEXT | SIGLIP | text,
    }


MODELS = {
    "siglip": siglip("vit_base_patch4_siglip_16", 16, 24, proj_type="none"),
    "siglip2": siglip("vit_giantopt_patch16_siglip_64", 16, 32, act_kwargs={"approximate": "tanh"}),
    "metaclip2": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 16, "layers": 2, "width": 24, "head_width": 6, "patch_size": 4},
        "text_cfg": TEXT | {"hf_tokenizer_name": "nowhere", "pool_type": "eos", "eos_id": 2},
        "quick_gelu": True,
    },
}
IDS = torch.tensor([[1, 4, 5, 7, 2, 0, 0, 0], [1, 9, 2, 3, 11, 2, 0, 0], [1, 2, 0, 0, 0, 0, 0, 0]])


def main() -> None:
    for name, config in MODELS.items():
        generator = torch.Generator().manual_seed(0)
        arguments = {key: value for key, value in config.items() if key != "custom_text"}
        made = open_clip.CustomTextCLIP if "custom_text" in config else open_clip.CLIP
        model = made(**arguments).eval()
        with torch.no_grad():
            for key, parameter in sorted(model.named_parameters()):
                scale = 0.3 if parameter.ndim < 2 else 1.5 * parameter[0].numel() ** -0.5
                drawn = torch.randn(parameter.shape, generator=generator) * scale
                norm = key.endswith(
                    ("norm.weight", "norm1.weight", "norm2.weight", "ln_1.weight", "ln_2.weight")
                )
                parameter.copy_((drawn + norm).half())
            pixels = torch.randn(2, 3, *[config["vision_cfg"]["image_size"]] * 2, generator=generator)
            outputs = {"pixels": pixels, "ids": IDS}
            outputs |= {"image": model.encode_image(pixels), "text": model.encode_text(IDS).contiguous()}
        weights = {key: tensor.half() for key, tensor in model.state_dict().items()}
        folder = Path(__file__).parent / name
        folder.mkdir(exist_ok=True)
        save_file(weights, folder / "open_clip_model.safetensors")
        save_file(outputs, folder / "outputs.safetensors")
        half = [0.5, 0.5, 0.5]
        preprocess = {"mean": half, "std": half, "interpolation": "bicubic", "resize_mode": "squash"}
        content = {"model_cfg": config, "preprocess_cfg": preprocess}
        (folder / "open_clip_config.json").write_text(json.dumps(content, indent=2) + "\n")
    print(open_clip.__version__, timm.__version__)


if __name__ == "__main__":
    main()
