"""`evaluate`: one data set and one model, under several schedules and reducers on the same decoded frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from centerclip.clustering import Reducer, parse_reducer
from centerclip.datasets import Dataset
from centerclip.embedding import embed, encode_texts
from centerclip.embedding.decode import Decode
from centerclip.embedding.device import precision_of
from centerclip.embedding.store import EmbeddingStore, caption_key, video_key
from centerclip.errors import ConfigError, VideoError
from centerclip.evaluation.results import Evaluation
from centerclip.evaluation.scoring import rank_text_to_video, rank_video_to_text, rescore
from centerclip.model import CenterCLIP
from centerclip.records import Failed
from centerclip.rescoring import RESCORINGS, Rescoring
from centerclip.schedule import TokenSchedule

__all__ = ["evaluate"]

_BANK = 10_000
"""Captions of a bank at most; all 180,000 of MSR-VTT's 9k would take longer to encode than its test set."""


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
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> list[Evaluation]:
    """Rank every caption's video among all videos, and every video's captions among all captions.

    Each video is decoded once, and encoded once under each schedule and reducer. Captions are cut to the
    `max_text_tokens` of the data set.

    Args:
        model: put on its device; the same weights serve every schedule.
        dataset: the split; several captions a video are welcome.
        schedules: token schedules to compare; the model's own if None.
        reducers: by which each schedule is carried out; the model's own if None. `none` needs none, and is
            evaluated once.
        protocol: of video-to-text, one of `dataset.protocols`; the first of them if None.
        rescorings: names of `rescoring.RESCORINGS`; each is ranked beside the plain scores.
        bank: training captions for those that take a bank, none of them `dataset`'s; of more than 10,000
            so many are drawn.
        decode: where frames come from; the data set's files if None.
        cache: a folder that keeps embeddings by fingerprint and file; nothing is kept if None.
        allow_missing: leave out videos that can't be decoded, and list them.
        seed: of the bootstrap, and of that draw.
        progress: called with (videos done, videos in all).

    Returns:
        One result for each schedule and reducer, in the order of the schedules.

    Raises:
        VideoError: a file gives no frame, and that is not allowed.
        DatasetError: no video is left.
        ScheduleError: a schedule doesn't fit the model.
        ConfigError: an unknown reducer, protocol or re-scoring, one without the bank that it takes, or a
            cache that can't be used.
        ValueError: a cache together with `decode`, whose frames may not be those of the files.
    """
    if cache is not None and decode is not None:
        raise ValueError("a cache goes by the videos' files, so it can't be used with other frames")
    variants = list(_variants(model.with_(frames=dataset.frames), schedules, reducers))
    protocol = _known_protocol(dataset, protocol)
    rescorers = [_known_rescoring(name, bank) for name in rescorings]
    banked = _draw(bank, seed) if any(rescorer.takes_bank for rescorer in rescorers) else ()
    model.eval()
    texts = [*(caption.text for caption in dataset.captions), *banked]
    embedded = _embed_captions(model, texts, dataset.max_text_tokens, cache)
    videos = _embed_videos(variants, dataset, decode, cache, allow_missing, progress)
    heard = [row for row, caption in enumerate(dataset.captions) if caption.video not in videos.failed]
    captions, bank_captions = embedded[heard], embedded[len(dataset.captions) :]
    owner = videos.dataset.video_of_caption()
    results = []
    for variant, vectors in zip(variants, videos.vectors, strict=True):
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
                videos=len(videos.dataset.videos),
                captions=len(videos.dataset.captions),
                missing=videos.dataset.missing,
                failed=tuple(videos.failed.values()),
                text_to_video=text_to_video,
                video_to_text=video_to_text,
                text_to_video_ranks=text_to_video_ranks,
                video_to_text_ranks=video_to_text_ranks,
                rescored=tuple(rescored),
                dataset=videos.dataset,
            )
        )
    return results


@dataclass(frozen=True)
class _Videos:
    """The videos that could be decoded, their embeddings [V, E] by each variant, and the other ones."""

    dataset: Dataset
    vectors: list[NDArray[np.float32]]
    failed: dict[int, Failed]


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
) -> _Videos:
    """Decode what any store lacks, and encode it by the variants whose stores are incomplete."""
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
    finally:  # whatever ends it, what was encoded need not be encoded again
        for store in stores:
            store.save()
    kept = [key for place, key in enumerate(keys) if place not in failed]
    return _Videos(dataset.without(failed), [store.take(kept) for store in stores], failed)


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
    """The model under each schedule by each reducer; under `none` once, as that needs no reducer."""
    chosen = [parse_reducer(reducer) for reducer in reducers or [model.reducer]]
    for schedule in schedules or [model.schedule]:
        variant = model.with_(schedule=schedule, reducer=chosen[0])
        yield variant
        if variant.schedule:
            yield from (variant.with_(reducer=reducer) for reducer in chosen[1:])


def _known_protocol(dataset: Dataset, protocol: str | None) -> str:
    if protocol is None:
        return dataset.protocols[0]
    if protocol not in dataset.protocols:
        raise ConfigError(
            f"{dataset.name} has no protocol {protocol!r} of video-to-text; it has "
            f"{', '.join(dataset.protocols)}"
        )
    return protocol


def _known_rescoring(name: str, bank: Sequence[str]) -> Rescoring:
    if name not in RESCORINGS:
        raise ConfigError(f"re-scoring {name!r} is unknown: choose one of {', '.join(RESCORINGS)}")
    if RESCORINGS[name].takes_bank and not bank:
        raise ConfigError(f"{name} needs a bank of training captions, and there is none: give some as bank")
    return RESCORINGS[name]


def _draw(bank: Sequence[str], seed: int) -> Sequence[str]:
    if len(bank) <= _BANK:
        return bank
    chosen = np.random.default_rng(seed).choice(len(bank), size=_BANK, replace=False)
    return [bank[position] for position in sorted(chosen)]
