"""Evaluates a model on a data set under several schedules and reducers, decoding each video once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip import metrics
from centerclip.clustering import Reducer, parse_reducer
from centerclip.datasets import Dataset
from centerclip.embedding import embed, encode_texts
from centerclip.embedding.decode import Decode
from centerclip.embedding.device import precision_of
from centerclip.embedding.store import EmbeddingStore, caption_key, video_key
from centerclip.errors import ConfigError, VideoError
from centerclip.evaluation.results import Evaluation
from centerclip.evaluation.reversal import against_reverse
from centerclip.evaluation.scoring import rank_text_to_video, rank_video_to_text, rescore
from centerclip.model import CenterCLIP
from centerclip.records import Failed
from centerclip.rescoring import RESCORINGS, Rescoring
from centerclip.schedule import TokenSchedule

__all__ = ["evaluate"]

_MAX_BANK = 10_000
"""Maximum captions per bank; encoding all 180,000 of MSR-VTT's 9k would take longer than its test set."""


def evaluate(
    model: CenterCLIP,
    dataset: Dataset,
    *,
    schedules: Sequence[str | TokenSchedule] | None = None,
    reducers: Sequence[str | Reducer] | None = None,
    protocol: str | None = None,
    rescorings: Sequence[str] = (),
    bank: Sequence[str] = (),
    decode: Decode | None = None,
    cache: Path | None = None,
    allow_missing: bool = False,
    reverse: bool = False,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Evaluation]:
    """Rank every caption's video among all videos, and every video's captions among all captions.

    Each video is decoded once, and encoded once per schedule and reducer. Captions are cut to the
    `max_text_tokens` of the data set.

    Args:
        model: on its device; all schedules use the same weights.
        dataset: the split; videos may have several captions.
        schedules: token schedules to compare; None uses the model's own.
        reducers: reducers to combine with each schedule; None uses the model's own. The schedule `none` needs
            no reducer and is evaluated once.
        protocol: protocol of video-to-text, one of `dataset.protocols`; None uses the first.
        rescorings: names of `rescoring.RESCORINGS`, evaluated in addition to the plain scores.
        bank: training captions for re-scorings that use a bank, none of them from `dataset`. If there are
            more than 10,000, that many are drawn.
        decode: returns the frames of videos; None decodes the data set's files.
        cache: folder that stores embeddings by fingerprint and file; None stores nothing.
        allow_missing: leave out videos that can't be decoded, and list them.
        reverse: also measure whether captions are closer to their videos than to the reversed videos, which
            are decoded again.
        seed: seed of the bootstrap, and of drawing the bank.
        progress: called with (videos done, videos in total).

    Returns:
        One result per schedule and reducer, in the order of the schedules.

    Raises:
        VideoError: a file can't be decoded, and `allow_missing` is not set.
        DatasetError: no video is left.
        ScheduleError: a schedule doesn't fit the model.
        ConfigError: an unknown reducer, protocol or re-scoring, no bank, or a cache that can't be used.
        ValueError: both `cache` and `decode` are given. The cache is for frames of the files.
    """
    if cache is not None and decode is not None:
        raise ValueError("a cache identifies videos by their files, so it can't be used with decode")
    variants = list(_variants(model.with_(frames=dataset.frames), schedules, reducers))
    protocol = _check_protocol(dataset, protocol)
    rescorers = [_check_rescoring(name, bank) for name in rescorings]
    banked = _draw(bank, seed) if any(rescorer.takes_bank for rescorer in rescorers) else ()
    model.eval()
    texts = [*(caption.text for caption in dataset.captions), *banked]
    embedded = _embed_captions(model, texts, dataset.max_text_tokens, cache)
    ranked, videos, failed = _embed_videos(variants, dataset, decode, cache, allow_missing, progress)
    kept = [row for row, caption in enumerate(dataset.captions) if caption.video not in failed]
    captions, bank_captions = embedded[kept], embedded[len(dataset.captions) :]
    owner = ranked.video_of_caption()
    reversals: list[metrics.Estimate | None] = [None] * len(variants)
    if reverse:
        reversals = [*against_reverse(variants, ranked, captions, videos, decode=decode, seed=seed)]
    results = []
    for variant, vectors, reversal in zip(variants, videos, reversals, strict=True):
        similarity, banked_similarity = captions @ vectors.T, bank_captions @ vectors.T  # [C, V], [N, V]
        text_to_video, text_to_video_ranks = rank_text_to_video(similarity, owner, seed=seed)
        video_to_text, video_to_text_ranks = rank_video_to_text(
            similarity, owner, protocol=protocol, seed=seed
        )
        rescored = [
            rescore(rescorer, similarity, owner, banked_similarity, protocol=protocol, seed=seed)
            for rescorer in rescorers
        ]
        results.append(
            Evaluation(
                schedule=str(variant.schedule),
                reducer=variant.reducer.label if variant.schedule else "none",
                fingerprint=variant.fingerprint(),
                frames=variant.frames,
                precision=precision_of(variant),
                multiply_adds=variant.backbone.multiply_adds(variant.schedule, variant.frames),
                protocol=protocol,
                videos=len(ranked.videos),
                captions=len(ranked.captions),
                missing=ranked.missing,
                failed=tuple(failed.values()),
                text_to_video=text_to_video,
                video_to_text=video_to_text,
                text_to_video_ranks=text_to_video_ranks,
                video_to_text_ranks=video_to_text_ranks,
                rescored=tuple(rescored),
                against_reverse=reversal,
                dataset=ranked,
            )
        )
    return results


def _embed_captions(
    model: CenterCLIP, texts: Sequence[str], max_tokens: int, cache: Path | None
) -> NDArray[np.float32]:
    store = _open_store(cache, "captions", model.with_(schedule="none"))
    keys = [caption_key(text, max_tokens) for text in texts]
    missing = store.missing(keys)
    text_of = dict(zip(keys, texts, strict=True))
    store.put(missing, encode_texts(model, [text_of[key] for key in missing], max_tokens=max_tokens))
    store.save()
    return store.take(keys)


def _embed_videos(
    variants: Sequence[CenterCLIP],
    dataset: Dataset,
    decode: Decode | None,
    cache: Path | None,
    allow_missing: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[Dataset, list[NDArray[np.float32]], dict[int, Failed]]:
    """Decode videos that are missing in any store, and encode them by the variants with incomplete stores.

    Returns:
        The data set without failed videos, its embeddings [V, E] by each variant, and the failed videos by
        position.
    """
    stores = [_open_store(cache, "videos", variant) for variant in variants]
    keys = [video_key(item) if cache else str(place) for place, item in enumerate(dataset.videos)]
    lacking = [
        (variant, store) for variant, store in zip(variants, stores, strict=True) if store.missing(keys)
    ]
    missing = {key for _, store in lacking for key in store.missing(keys)}
    places = [place for place, key in enumerate(keys) if key in missing]
    failed: dict[int, Failed] = {}
    try:
        results = embed(
            [dataset.videos[place] for place in places], [model for model, _ in lacking], decode=decode
        )
        for done, (place, result) in enumerate(zip(places, results, strict=True), start=1):
            if isinstance(result, Failed):
                if not allow_missing:
                    raise VideoError(
                        f"{result.path}: {result.reason}. Repair the file, or allow missing videos to go on "
                        "without it"
                    )
                failed[place] = result
            else:
                for (_, store), video in zip(lacking, result, strict=True):
                    store.put([keys[place]], video.windows[0].vector[None])
            if progress is not None:
                progress(len(keys) - len(places) + done, len(keys))
    finally:  # keep what was encoded before an error
        for store in stores:
            store.save()
    kept = [key for place, key in enumerate(keys) if place not in failed]
    return dataset.without(failed), [store.take(kept) for store in stores], failed


def _open_store(cache: Path | None, kind: str, model: CenterCLIP) -> EmbeddingStore:
    if cache is None:
        return EmbeddingStore(None, kind)
    # Fingerprints don't include the precision.
    return EmbeddingStore(cache, f"{kind}-{model.fingerprint()}-{precision_of(model)}")


def _variants(
    model: CenterCLIP,
    schedules: Sequence[str | TokenSchedule] | None,
    reducers: Sequence[str | Reducer] | None,
) -> Iterator[CenterCLIP]:
    """Yield the model under each schedule with each reducer, under `none` once."""
    chosen = [parse_reducer(reducer) for reducer in reducers or [model.reducer]]
    for schedule in schedules or [model.schedule]:
        variant = model.with_(schedule=schedule, reducer=chosen[0])
        yield variant
        if variant.schedule:
            yield from (variant.with_(reducer=reducer) for reducer in chosen[1:])


def _check_protocol(dataset: Dataset, protocol: str | None) -> str:
    if protocol is None:
        return dataset.protocols[0]
    if protocol not in dataset.protocols:
        raise ConfigError(
            f"{dataset.name} has no video-to-text protocol {protocol!r}: choose one of "
            f"{', '.join(dataset.protocols)}"
        )
    return protocol


def _check_rescoring(name: str, bank: Sequence[str]) -> Rescoring:
    if name not in RESCORINGS:
        raise ConfigError(f"re-scoring {name!r} is unknown: choose one of {', '.join(RESCORINGS)}")
    if RESCORINGS[name].takes_bank and not bank:
        raise ConfigError(f"{name} needs training captions: give them as bank")
    return RESCORINGS[name]


def _draw(bank: Sequence[str], seed: int) -> Sequence[str]:
    if len(bank) <= _MAX_BANK:
        return bank
    chosen = np.random.default_rng(seed).choice(len(bank), size=_MAX_BANK, replace=False)
    return [bank[position] for position in sorted(chosen)]
