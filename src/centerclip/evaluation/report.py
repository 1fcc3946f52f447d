"""Reports of evaluations as JSON files.

A report contains the ids of videos and the captions, so that two reports can be compared query by query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from centerclip.errors import ConfigError
from centerclip.evaluation.results import Evaluation, Rescored
from centerclip.metrics import LABELS, Summary

__all__ = ["Circumstances", "Report", "Result", "make_report", "read_report", "write_report"]

_PACKAGES = ("centerclip", "torch", "transformers", "av", "numpy")


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Interval(_Record):
    """A statistic with its 95 % bootstrap interval; recalls in percent."""

    value: float
    low: float
    high: float


class CaptionQuery(_Record):
    """A caption and the id of its video."""

    video: str
    text: str


class FailedFile(_Record):
    """A file that can't be decoded."""

    path: str
    reason: str


class Result(_Record):
    """The result of one schedule, reducer and re-scoring, with one rank per query of the report."""

    schedule: str
    reducer: str
    rescoring: str
    transductive: bool
    bank: int | None
    fingerprint: str
    multiply_adds: int
    text_to_video: dict[str, Interval]
    video_to_text: dict[str, Interval] | None
    text_to_video_ranks: tuple[float, ...]
    video_to_text_ranks: tuple[float, ...] | None
    against_reverse: Interval | None = None

    @property
    def name(self) -> str:
        """Name of the result, unique within a report: `B6-4,49 kmedoids`, `none, dsl`."""
        variant = self.schedule if self.reducer == "none" else f"{self.schedule} {self.reducer}"
        return variant if self.rescoring == "none" else f"{variant}, {self.rescoring}"


class Circumstances(_Record):
    """How an evaluation was run."""

    command: str
    date: str
    """In UTC, as in 2026-11-30T12:00:00+00:00."""
    machine: str
    """Name of the processor or GPU."""
    encoded: int
    """Videos that were decoded and encoded; the others came from a cache."""
    seconds: float
    """Wall time of the evaluation, without loading the model."""
    videos_per_second: float
    """Decoded, and encoded under all schedules and reducers."""


class Report(_Record):
    """The results of one evaluation and their common settings.

    The queries of text-to-video are `captions`; those of video-to-text are `captioned_videos`.
    """

    format: Literal["centerclip evaluation, version 1"] = "centerclip evaluation, version 1"
    dataset: str
    split: str
    protocol: str
    model: str
    frames: int
    precision: str = "float32"
    max_text_tokens: int
    seed: int
    versions: dict[str, str]
    annotations_hash: str | None = None
    """Of the split's video ids and captions as annotated; None in reports that lack it."""
    run: Circumstances | None = None
    videos: tuple[str, ...]
    captions: tuple[CaptionQuery, ...]
    missing: tuple[str, ...]
    failed: tuple[FailedFile, ...]
    results: tuple[Result, ...]

    def brief(self) -> list[dict[str, Any]]:
        """Return a flat record per result, with counts instead of queries and without ranks."""
        common = self.model_dump(exclude={"format", "results", "videos", "captions"})
        counts = {"videos": len(self.videos), "captions": len(self.captions)}
        ranks = {"text_to_video_ranks", "video_to_text_ranks"}
        return [common | counts | result.model_dump(exclude=ranks) for result in self.results]

    @property
    def captioned_videos(self) -> tuple[str, ...]:
        """Ids of the videos that have a caption, in the order of `videos`."""
        owners = {caption.video for caption in self.captions}
        return tuple(video for video in self.videos if video in owners)

    @model_validator(mode="after")
    def _check_ranks(self) -> Self:
        for result in self.results:
            for ranks, queries in (
                (result.text_to_video_ranks, self.captions),
                (result.video_to_text_ranks, self.captioned_videos),
            ):
                if ranks is not None and len(ranks) != len(queries):
                    raise ValueError(f"{result.name} has {len(ranks)} ranks for {len(queries)} queries")
        return self


def make_report(
    evaluations: Sequence[Evaluation], *, model: str, seed: int, run: Circumstances | None = None
) -> Report:
    """Make a report of the results of one call of `evaluate`.

    Args:
        evaluations: at least one.
        model: name or folder of the model.
        seed: seed of the bootstrap.
        run: how they were run.
    """
    first = evaluations[0]
    data = first.dataset
    results: list[Result] = []
    for evaluation in evaluations:
        results.append(_result(evaluation, evaluation))
        results += [_result(evaluation, rescored) for rescored in evaluation.rescored]
    return Report(
        dataset=data.name,
        split=data.split,
        protocol=first.protocol,
        model=model,
        frames=first.frames,
        precision=first.precision,
        max_text_tokens=data.max_text_tokens,
        seed=seed,
        versions={package: version(package) for package in _PACKAGES},
        annotations_hash=data.annotations_hash or None,
        run=run,
        videos=tuple(video.id for video in data.videos),
        captions=tuple(CaptionQuery(video=data.videos[c.video].id, text=c.text) for c in data.captions),
        missing=first.missing,
        failed=tuple(FailedFile(path=str(file.path), reason=file.reason) for file in first.failed),
        results=tuple(results),
    )


def _result(evaluation: Evaluation, ranked: Evaluation | Rescored) -> Result:
    rescored = ranked if isinstance(ranked, Rescored) else None
    backward, backward_ranks = ranked.video_to_text, ranked.video_to_text_ranks
    return Result(
        schedule=evaluation.schedule,
        reducer=evaluation.reducer,
        rescoring=rescored.name if rescored else "none",
        transductive=rescored.transductive if rescored else False,
        bank=rescored.bank if rescored else None,
        fingerprint=evaluation.fingerprint,
        multiply_adds=evaluation.multiply_adds,
        text_to_video=_figures(ranked.text_to_video),
        video_to_text=None if backward is None else _figures(backward),
        text_to_video_ranks=tuple(ranked.text_to_video_ranks.tolist()),
        video_to_text_ranks=None if backward_ranks is None else tuple(backward_ranks.tolist()),
        against_reverse=_reversal(evaluation, rescored),
    )


def _reversal(evaluation: Evaluation, rescored: Rescored | None) -> Interval | None:
    """Re-scoring compares queries with each other, so it says nothing about a video and its reverse."""
    found = evaluation.against_reverse
    return None if rescored or found is None else Interval(**asdict(found))


def _figures(summary: Summary) -> dict[str, Interval]:
    return {name: Interval(**asdict(getattr(summary, name))) for name in LABELS if hasattr(summary, name)}


def write_report(report: Report, path: Path) -> None:
    """Write a report as JSON."""
    path.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_report(path: Path) -> Report:
    """Read a report that `write_report` wrote.

    Raises:
        ConfigError: the file can't be read, or isn't a report of this version.
    """
    try:
        return Report.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror or error})") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"{path} isn't a report of this version{f', at {place}' if place else ''}: {first['msg']}. "
            "Write one with centerclip evaluate --output"
        ) from error
