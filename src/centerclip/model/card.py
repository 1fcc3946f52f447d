"""The card that describes an uploaded model on the hub: its `README.md`."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from centerclip.model.centerclip import CenterCLIP

__all__ = ["model_card"]

_CARD = """---
library_name: centerclip
tags:
- centerclip
- video-retrieval
- {family}
---
# {title}

A dual encoder of videos and sentences with a token schedule, made with
[CenterCLIP](https://arxiv.org/abs/2205.00823) {version}.

| | |
|---|---|
| made from | {origin} |
| family | `{family}` |
| token schedule | `{schedule}` |
| reducer | `{reducer}` |
| frames per video | {frames} |
| image size | {height} x {width} |
| temporal embedding | {temporal} |
| embedding | {embed_size} numbers |
| parameters | {parameters:,} |
| multiply-adds per video | {multiply_adds:.2f} G in the vision tower |
| fingerprint | `{fingerprint}` |

```python
import centerclip as cc

model = cc.CenterCLIP.from_pretrained("{name}")
videos = cc.VideoEncoder(model).encode_file("video.mp4")
text = model.encode_text(["a sentence"])
```

Or search your own videos: `centerclip index videos --model {name}`, then `centerclip search "a sentence"`.

The license of the weights and the data they were trained on aren't known to the program: add them here.
"""


def model_card(model: CenterCLIP, name: str) -> str:
    """Write the card of a model, in Markdown with the hub's metadata.

    Args:
        model: the model.
        name: `owner/name` on the hub.
    """
    backbone = model.backbone
    height, width = model.image_size
    return _CARD.format(
        name=name,
        title=name.rpartition("/")[2],
        version=version("centerclip"),
        origin=f"`{backbone.name}`" if backbone.name else "random weights, or a model without a name",
        family=getattr(backbone, "family", type(backbone).__name__),
        schedule=model.schedule,
        reducer=model.reducer.label if model.schedule else "none",
        frames=model.frames,
        height=height,
        width=width,
        temporal="no" if model.temporal is None else "yes",
        embed_size=model.embed_size,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        multiply_adds=backbone.multiply_adds(model.schedule, model.frames) / 1e9,
        fingerprint=model.fingerprint(),
    )
