"""Decoding on a GPU: whether the files that this process opens from now on are decoded there.

Used in workers, which have one file open at a time. FFmpeg decodes on the CPU what the GPU can't decode.
"""

from __future__ import annotations

from functools import cache

import av
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from centerclip.errors import VideoError

__all__ = ["accelerator", "find_gpu", "use_gpu"]

_KINDS = ("cuda", "videotoolbox", "d3d11va", "vaapi")
"""Of devices, in the order in which they are tried, where this FFmpeg has them."""
_USUAL_CODEC = "h264"
"""Every GPU that decodes anything decodes this."""


class _Chosen:
    gpu: int | None = None


def use_gpu(number: int | None) -> None:
    """Decode on a GPU from the next file on, or on the CPU if `number` is None; raises as `find_gpu` does."""
    if number is not None:
        find_gpu(number)
    _Chosen.gpu = number


def accelerator() -> HWAccel | None:
    """What to open a file with."""
    number = _Chosen.gpu
    return None if number is None else _accelerator(find_gpu(number), number)


def find_gpu(number: int) -> str:
    """Return the kind of a GPU that can decode.

    Args:
        number: among NVIDIA's GPUs; of other kinds, the system's first one is used.

    Raises:
        VideoError: there is none.
    """
    return _open_gpu(number)[0]


@cache
def _open_gpu(number: int) -> tuple[str, HWAccel]:
    """Open a GPU, which is kept: opening it for every file would take a tenth of a second each time."""
    reasons = []
    for kind in [kind for kind in _KINDS if kind in hwdevices_available()]:
        try:
            return kind, _accelerator(kind, number).create(Codec(_USUAL_CODEC, "r"))
        except (av.FFmpegError, NotImplementedError) as error:
            reasons.append(f"{kind}: {getattr(error, 'strerror', None) or error}")
    raise VideoError(
        f"no GPU {number} that decodes videos ({'; '.join(reasons) or 'this FFmpeg supports none'})"
    )


def _accelerator(kind: str, number: int) -> HWAccel:
    if kind != "cuda":
        return HWAccel(kind)
    # The context that torch would use too; a context of its own for each file would take memory and time.
    return HWAccel(kind, device=str(number), options={"primary_ctx": "1"})
