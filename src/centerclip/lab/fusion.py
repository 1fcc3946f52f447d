"""What fusing pictures with words is worth, on the drawn library: `python -m centerclip.lab.fusion FOLDER`.

Somebody speaks in each scene. In every second one, the scene is described in words of its caption. In the
others, a thing of another scene is mentioned, which must not mislead a search for that thing. In all, there
is talk of a topic of everyday life that no picture shows. Two sets of queries ask for each scene: its
caption, and its topic.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from centerclip.lab.toy_world import LibraryMoment, library_moments, render_library
from centerclip.search import Query, Searcher, Term

__all__ = ["Found", "Question", "measure_fusion", "write_subtitles"]

_SENSES = {"seen": "seen", "said": "spoken", "both": ""}
_TOP = 5
_WHO = ("Grandmother", "My brother", "The doctor", "Our teacher", "The neighbor")
_WHAT = (
    "baked a chocolate cake",
    "lost the train tickets",
    "plays the violin badly",
    "wants to move to Norway",
    "forgot the wedding anniversary",
    "repaired the washing machine",
    "bought cheap concert tickets",
    "got a letter from the bank",
    "learned to swim last summer",
    "is afraid of thunder",
    "has a new kitchen table",
)


@dataclass(frozen=True)
class Question:
    """A query, and the scene that answers it; `kind` is `caption` or `topic`."""

    kind: str
    text: str
    answer: LibraryMoment


@dataclass(frozen=True)
class Found:
    """How many of a kind's `queries` found the right scene `first`, and among the five best (`five`)."""

    kind: str
    sense: str
    queries: int
    first: int
    five: int


def write_subtitles(folder: Path, moments: Sequence[LibraryMoment]) -> list[Question]:
    """Write a subtitle file beside each video of a library; return the queries.

    Raises:
        ValueError: there are more scenes than topics.
    """
    topics = [f"{who} {what}" for what in _WHAT for who in _WHO]
    if len(moments) > len(topics):
        raise ValueError(f"{len(moments)} scenes, but only {len(topics)} topics")
    lines: dict[str, list[tuple[float, float, str]]] = {}
    questions = []
    for number, (moment, topic) in enumerate(zip(moments, topics, strict=False)):
        other = moments[(number + len(moments) // 2) % len(moments)]
        spoken = f"Look: {moment.caption}" if number % 2 == 0 else f"Remember the {other.things[0]}?"
        start, length = moment.start_seconds, moment.end_seconds - moment.start_seconds
        half = start + length / 2
        lines.setdefault(moment.video, []).extend(
            [(start + 0.1, half - 0.1, spoken), (half + 0.1, start + length - 0.1, f"{topic}, did you know?")]
        )
        questions += [Question("caption", moment.caption, moment), Question("topic", topic, moment)]
    for video, said in lines.items():
        text = "".join(
            f"{at}\n{_clock(start)} --> {_clock(end)}\n{words}\n\n"
            for at, (start, end, words) in enumerate(said, start=1)
        )
        (folder / video).with_suffix(".en.srt").write_text(text, encoding="utf-8")
    return questions


def measure_fusion(searcher: Searcher, folder: Path, questions: Sequence[Question]) -> list[Found]:
    """Ask all questions of pictures, of words, and of both; a hit is right if its middle is in the scene."""
    results = []
    for kind in dict.fromkeys(question.kind for question in questions):
        asked = [question for question in questions if question.kind == kind]
        for sense, word in _SENSES.items():
            queries = [Query((Term(question.text, sense=word),)) for question in asked]  # type: ignore[arg-type]
            answers = searcher.search_many(queries, top=_TOP, per_video=None, tail=True)
            ranks = [
                [_is_right(question.answer, folder, hit.path, (hit.start + hit.end) / 2) for hit in hits]
                for question, hits in zip(asked, answers, strict=True)
            ]
            first, five = sum(any(row[:1]) for row in ranks), sum(any(row) for row in ranks)
            results.append(Found(kind, sense, len(asked), first, five))
    return results


def _is_right(answer: LibraryMoment, folder: Path, path: Path, middle: float) -> bool:
    return path == (folder / answer.video).absolute() and answer.start_seconds <= middle < answer.end_seconds


def _clock(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    return f"00:{minutes:02}:{rest // 1000:02},{rest % 1000:03}"


def main() -> None:
    from centerclip.cli.indexing import Wanted, run_indexing
    from centerclip.cli.loading import load_encoder
    from centerclip.index import VideoIndex

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to draw the library and to make its index")
    folder = parser.parse_args().folder
    library = render_library(folder / "library")
    questions = write_subtitles(library, library_moments(library))
    encoder = load_encoder("nano", None, device="cpu")
    index = VideoIndex(folder / "index")
    run_indexing(Wanted(encoder, index), [library])
    for found in measure_fusion(Searcher(index, encoder), library, questions):
        print(f"{found.kind}\t{found.sense}\t{found.first}\t{found.five}\t{found.queries}")


if __name__ == "__main__":
    main()
