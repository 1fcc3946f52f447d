"""What `sync` needs of whatever turns files into embeddings, here or on other machines."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from centerclip.index import ModelCard
from centerclip.records import EncodedVideo, Failed, Item, VideoInfo, Window
from centerclip.remote import as_place

__all__ = ["Encoder"]


class Encoder(Protocol):
    """`VideoEncoder`, or something that yields the same results."""

    @property
    def decodes_here(self) -> bool:
        """Whether a file that ends the program in which it is decoded ends this one."""

    def card(self) -> ModelCard:
        """Return what an index stores about the model."""

    def embed(
        self,
        items: Iterable[Item],
        *,
        ordered: bool = True,
        on_step: Callable[[Sequence[tuple[VideoInfo, Window]]], None] | None = None,
        should_stop: Callable[[], bool] | None = None,
        locate: Callable[[Path], Path] = as_place,
    ) -> Generator[EncodedVideo | Failed, None, None]:
        """Encode files as `VideoEncoder.embed` does."""
