"""Reports are written, read back and compared query by query."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centerclip import metrics
from centerclip.datasets import Caption, Dataset
from centerclip.errors import ConfigError
from centerclip.evaluation import Circumstances, Evaluation, Report, Rescored, compare_reports
from centerclip.evaluation.report import make_report, read_report, write_report
from centerclip.records import Failed, Item

VIDEOS = ["a", "b", "c"]
CAPTIONS = [("a cat", "a"), ("rain", "b"), ("a cat", "a"), ("snow", "c")]  # one sentence twice
RANKS = {"none": [1, 2, 1, 1], "B6-4,49": [1, 1, 1, 2.5], "B6-6,49": [3, 3, 3, 3]}


def found(schedule: str, *, captions: Any = CAPTIONS, videos: Any = VIDEOS, **changes: Any) -> Evaluation:
    items = tuple(Item(Path(name), id=name) for name in videos)
    texts = tuple(Caption(text, videos.index(name)) for text, name in captions)
    data = Dataset(changes.pop("name", "set"), changes.pop("split", "test"), items, texts)
    ranks = np.array([RANKS[schedule][CAPTIONS.index(caption)] for caption in captions], float)
    backward = np.array([1.0 + VIDEOS.index(name) for name in videos])
    return Evaluation(
        schedule=schedule, reducer="none" if schedule == "none" else "kmedoids", fingerprint="f" * 16,
        frames=12, precision="int8", multiply_adds=7,
        protocol=changes.pop("protocol", "caption"), videos=len(items),
        captions=len(texts), missing=("z",), failed=(Failed(Path("z.mp4"), "is empty"),),
        text_to_video=metrics.summarize(ranks), video_to_text=metrics.summarize(backward),
        text_to_video_ranks=ranks, video_to_text_ranks=backward, dataset=data,
        rescored=changes.pop("rescored", ()),
    )  # fmt: skip


def report(*schedules: str, **changes: Any) -> Report:
    return make_report([found(schedule, **changes) for schedule in schedules], model="m", seed=3)


def test_a_report_says_how_it_was_made(tmp_path: Path) -> None:
    run = Circumstances(
        command="centerclip evaluate", date="2026-11-30T12:00:00+00:00", machine="a processor", encoded=3,
        seconds=2.0, videos_per_second=1.5,
    )  # fmt: skip
    written = make_report([found("none")], model="m", seed=3, run=run)
    write_report(written, tmp_path / "r.json")
    assert read_report(tmp_path / "r.json").run == run
    older = json.loads((tmp_path / "r.json").read_text())
    del older["run"], older["annotations_hash"]
    (tmp_path / "r.json").write_text(json.dumps(older))
    assert read_report(tmp_path / "r.json").run is None


def test_a_report_can_be_read_back(tmp_path: Path) -> None:
    ranks = np.array([1.0, 1, 1, 2])
    rescored = Rescored(
        name="qb-norm", transductive=False, bank=9,
        text_to_video=metrics.summarize(ranks), text_to_video_ranks=ranks,
    )  # fmt: skip
    written = report("none", "B6-4,49", rescored=(rescored,))
    write_report(written, tmp_path / "r.json")
    assert read_report(tmp_path / "r.json") == written
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["precision"] == "int8"
    assert content["captions"][1] == {"video": "b", "text": "rain"}
    assert content["failed"] == [{"path": "z.mp4", "reason": "is empty"}]
    assert content["versions"].keys() >= {"centerclip", "torch", "transformers"}
    assert [result.name for result in written.results] == [
        "none", "none, qb-norm", "B6-4,49 kmedoids", "B6-4,49 kmedoids, qb-norm",
    ]  # fmt: skip
    result = content["results"][2]
    assert result["text_to_video_ranks"] == RANKS["B6-4,49"]
    assert result["text_to_video"]["recall_at_1"]["value"] == 75
    assert (result["multiply_adds"], result["fingerprint"]) == (7, "f" * 16)
    assert content["results"][1]["video_to_text"] is None
    assert content["results"][1]["bank"] == 9
    brief = written.brief()[2]
    assert (brief["videos"], brief["captions"], brief["missing"]) == (3, 4, ("z",))
    assert not [key for key in brief if "ranks" in key]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: "{", "Invalid JSON"),
        (lambda content: [], "should be an object"),
        (lambda content: content | {"format": "2"}, "at format: Input should be 'centerclip evaluation"),
        (lambda content: content | {"captions": content["captions"][1:]}, "none has 4 ranks for 3 queries"),
        (lambda content: content | {"videos": ["a", "c"]}, "none has 3 ranks for 2 queries"),
        (lambda content: content | {"results": [{}]}, r"at results\.0\.schedule: Field required"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, change: Any, message: str) -> None:
    write_report(report("none"), tmp_path / "r.json")
    changed = change(json.loads((tmp_path / "r.json").read_text()))
    (tmp_path / "r.json").write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(ConfigError, match=rf"r\.json isn't a report of this version.*{message}.* --output"):
        read_report(tmp_path / "r.json")
    with pytest.raises(ConfigError, match=r"nowhere\.json: can't be read"):
        read_report(tmp_path / "nowhere.json")


def test_queries_are_matched_by_video_and_text_in_any_order() -> None:
    first = report("none")
    second = report("B6-4,49", captions=[CAPTIONS[i] for i in (3, 0, 2, 1)], videos=["c", "a", "b"])
    (pair,) = compare_reports(first, second)
    owner = ["a", "b", "a", "c"]
    assert pair.text_to_video == metrics.compare(RANKS["none"], RANKS["B6-4,49"], groups=owner)
    assert pair.video_to_text == metrics.compare([1, 2, 3], [1, 2, 3])


def names(*reports: Report) -> list[tuple[str, str]]:
    return [(pair.first.name, pair.second.name) for pair in compare_reports(*reports)]


def test_which_results_are_compared() -> None:
    several = report("none", "B6-4,49", "B6-6,49")
    assert names(several) == [("none", "B6-4,49 kmedoids"), ("none", "B6-6,49 kmedoids")]
    assert names(report("none"), report("B6-4,49")) == [("none", "B6-4,49 kmedoids")]
    assert names(report("none"), several) == [("none", other.name) for other in several.results]
    assert names(several, report("none", "B6-6,49")) == [("none", "none"), ("B6-6,49 kmedoids",) * 2]
    with pytest.raises(ConfigError, match=r"the report has one result, none"):
        names(report("none"))
    with pytest.raises(ConfigError, match=r"no results match.*same schedules"):
        names(report("B6-6,49", "B6-4,49"), make_report([found("none"), found("none")], model="m", seed=0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "other"}, "differ in their dataset, 'set' and 'other'"),
        ({"split": "val"}, "differ in their split, 'test' and 'val'"),
        ({"protocol": "group"}, "differ in their protocol, 'caption' and 'group'"),
        ({"captions": CAPTIONS[:2], "videos": ["a", "b"]}, "1 videos are only in the first .* 0 only .*'c'"),
        ({"captions": CAPTIONS[1:]}, "1 captions are only in the first report and 0 only in .*'a: a cat'"),
    ],
)
def test_reports_on_different_queries_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compare_reports(report("none"), report("none", **changes))
