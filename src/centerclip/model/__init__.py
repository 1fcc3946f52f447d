"""Dual encoders with a token schedule: `CenterCLIP`, its backbones, loading and saving.

Names are imported on first use, so that `hub` and `registry` don't load torch.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.model.backbones import Backbone, CLIPBackbone, SiglipBackbone, Tower, make_backbone
    from centerclip.model.centerclip import CenterCLIP
    from centerclip.model.encoded import Encoded, Stage
    from centerclip.model.loading import default_schedule
    from centerclip.preprocessing import Preprocessing

__all__ = [
    "Backbone",
    "CLIPBackbone",
    "CenterCLIP",
    "Encoded",
    "Preprocessing",
    "SiglipBackbone",
    "Stage",
    "TextGraph",
    "Tower",
    "VideoGraph",
    "default_schedule",
    "export_onnx",
    "make_backbone",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "centerclip.model.backbones": (
            "Backbone",
            "CLIPBackbone",
            "SiglipBackbone",
            "Tower",
            "make_backbone",
        ),
        "centerclip.model.centerclip": ("CenterCLIP",),
        "centerclip.model.encoded": ("Encoded", "Stage"),
        "centerclip.model.exporting": ("TextGraph", "VideoGraph", "export_onnx"),
        "centerclip.model.loading": ("default_schedule",),
        "centerclip.preprocessing": ("Preprocessing",),
    },
)
