"""Whether there is an index, and whether it belongs to a model."""

from __future__ import annotations

from centerclip.errors import FingerprintError, IndexStoreError
from centerclip.index.card import ModelCard
from centerclip.index.store import Meta, Store

__all__ = ["check_card", "check_model", "described", "missing"]


def described(store: Store) -> Meta:
    """Return an index's description.

    Raises:
        IndexStoreError: there is no index.
    """
    meta = store.meta()
    if meta is None:
        raise missing(store.location)
    return meta


def missing(location: str) -> IndexStoreError:
    """Return the error that there is no index."""
    return IndexStoreError(
        f"there is no index at {location}: run `centerclip index PATH` first, "
        "or choose another location with --index"
    )


def check_model(location: str, bound: ModelCard, fingerprint: str, name: str) -> None:
    """Check that a model's vectors can be compared with those of an index bound to `bound`.

    Raises:
        FingerprintError: they can't.
    """
    if bound.fingerprint != fingerprint:
        raise FingerprintError(
            f"the index {location} was made by {bound}, not by {name} (fingerprint {fingerprint}): "
            f"use that model ({bound.options}), or another --index"
        )


def check_card(location: str, bound: ModelCard, card: ModelCard) -> None:
    """Check that an index bound to `bound` can hold the embeddings that `card` describes.

    Raises:
        FingerprintError: they are of another model, or of windows of another length or precision.
    """
    check_model(location, bound, card.fingerprint, card.name)
    if bound.window_seconds != card.window_seconds:
        raise FingerprintError(
            f"the index {location} has windows of {bound.window_seconds:g} seconds, not "
            f"{card.window_seconds:g}: use --window {bound.window_seconds:g}, or another --index"
        )
    if bound.sampling != card.sampling:
        raise FingerprintError(
            f"the index {location} was made with {bound.sampling!r} sampling of frames, not "
            f"{card.sampling!r}: use --sampling {bound.sampling}, or another --index"
        )
    if bound.precision == "float" and card.precision == "int8":
        raise FingerprintError(
            f"the index {location} has embeddings in floats only, not in int8: leave out "
            "--precision int8, or choose another --index"
        )
