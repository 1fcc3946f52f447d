"""Dual encoders with a token schedule: `CenterCLIP`, its backbones, and models on disk and by name.

Names are loaded when they are first used, so that `hub` and `registry` need no torch.
"""

from typing import TYPE_CHECKING

from centerclip.lazy import lazy_names

if TYPE_CHECKING:
    from centerclip.model.backbones import Backbone, CLIPBackbone, SiglipBackbone, make_backbone
    from centerclip.model.centerclip import CenterCLIP
    from centerclip.model.encoded import Encoded, Stage
    from centerclip.model.loading import default_schedule
    from centerclip.model.tower import Tower
    from centerclip.preprocessing import Preprocessing

__all__ = [
    "Backbone",
    "CLIPBackbone",
    "CenterCLIP",
    "Encoded",
    "Preprocessing",
    "SiglipBackbone",
    "Stage",
    "Tower",
    "default_schedule",
    "make_backbone",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Backbone": "centerclip.model.backbones",
        "CLIPBackbone": "centerclip.model.backbones",
        "CenterCLIP": "centerclip.model.centerclip",
        "Encoded": "centerclip.model.encoded",
        "Preprocessing": "centerclip.preprocessing",
        "SiglipBackbone": "centerclip.model.backbones",
        "Stage": "centerclip.model.encoded",
        "Tower": "centerclip.model.tower",
        "default_schedule": "centerclip.model.loading",
        "make_backbone": "centerclip.model.backbones",
    },
)
