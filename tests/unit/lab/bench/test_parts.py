"""The parts that the command's test omits, without separate processes; and the input of the parts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from centerclip.cli.backends import Compared
from centerclip.embedding.device import precision_of
from centerclip.lab.bench import clustering, growth, indexing, recordings
from centerclip.lab.bench.collection import Collection
from centerclip.lab.bench.footage import FPS, make_clips, make_film
from centerclip.lab.bench.parts import measure
from centerclip.lab.bench.processes import Peak
from centerclip.lab.bench.report import Row
from centerclip.lab.bench.setting import Setting
from centerclip.lab.bench.subjects import random_subject, subject_of, toy_batch
from centerclip.model import CenterCLIP
from centerclip.records import BackendCost
from centerclip.video import VideoReader


def _measured_here(prepare: Callable[..., Callable[[], object]], *args: object) -> Peak:
    prepare(*args)()
    return Peak(100, 300)


def test_clustering_and_index_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (clustering, indexing):
        monkeypatch.setattr(module, "process_peak", _measured_here)
    setting = Setting(torch.device("cpu"), tmp_path, rounds=1, quick=True)
    shown: list[Row] = []
    subjects = [random_subject("tiny")]
    report = measure(["clustering", "index"], subjects, setting, settings={}, on_row=shown.append)
    naive, spectral, memory, end_to_end, flat = report.rows
    assert shown == list(report.rows)
    assert naive.details["equal"]
    assert "48 tokens to 16, width 32, 4 sets" in naive.what
    assert spectral.figure.median == pytest.approx((spectral.ours or 0) / (spectral.rival or 1))
    assert (memory.ours, memory.figure.median, memory.met) == (200, 1, True)
    assert end_to_end.figure.median > 0
    assert "4 films of 4 windows" in end_to_end.what
    assert (flat.ours, flat.figure.median, flat.met) == (300, 1, True)


def test_growth_is_measured_for_each_operation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "process_peak", _measured_here)
    rows = list(growth.measure_growth([], Setting(torch.device("cpu"), tmp_path, quick=True)))
    assert [row.what.partition(",")[0] for row in rows] == [what for what, _, _ in growth._OPERATIONS]
    assert not list(tmp_path.iterdir())


def test_recordings_are_indexed_beside_the_usual_pipeline_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "process_peak", _measured_here)
    kept = tmp_path / "kept"
    made = []
    for run in ("first", "second"):
        setting = Setting(torch.device("cpu"), tmp_path / run, rounds=1, quick=True, kept=kept)
        setting.folder.mkdir()
        report = measure(["recordings"], [random_subject("tiny")], setting, settings={})
        made.append({path.name: path.stat().st_mtime_ns for path in kept.iterdir()})
        speed, budget, int8, wall, *_, memory = report.rows
        assert speed.what == "15 s of 128x72 H.264, key frame every 1 s"
        assert speed.against == memory.against == "the usual pipeline"
        assert "x real time on torch; " in speed.note
        assert budget.what == f"{speed.what}, with --sampling budget"
        assert int8.what == f"{speed.what}, with --precision int8"
        assert wall.what == "24 s of 128x72 H.264, key frame every 1 s, wall time of indexing"
        assert wall.figure.median == pytest.approx((wall.ours or 0) / (wall.rival or 1))
        assert (memory.ours, memory.rival) == (300, 300)
        goals = [row.goal is not None for row in report.rows]
        assert goals == [True, False, False, True, True, False, False, False]
    assert made[0] == made[1]
    assert len(made[0]) == 2


def test_recordings_are_indexed_on_the_backend_that_a_large_library_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = random_subject("tiny")
    asked: list[tuple[str, int]] = []

    def choose(model: CenterCLIP, precision: str, windows: int, *, may_round: bool) -> tuple[str, str]:
        assert may_round
        asked.append((precision, windows))
        return "torch", "int8"

    costs = (
        BackendCost("torch", "bfloat16", 0.4, 1.0, 0.9996),
        BackendCost("openvino", "bfloat16", 0.3, 8.0, 0.9999),
        BackendCost("openvino", "int8", 0.2, 8.0, 0.9992),
    )
    monkeypatch.setattr(recordings, "choose_backend", choose)
    monkeypatch.setattr(recordings, "kept", lambda *_: Compared("2026-05-31", "a processor", costs))
    encoder = recordings._encoder(subject, Setting(torch.device("cpu"), tmp_path), "auto")
    assert (encoder.backend, asked) == ("torch", [("auto", 30_000)])
    assert precision_of(encoder.model) == "int8"
    encoder.backend = "openvino"
    (row,) = recordings._backend_row(subject, encoder, "auto")
    assert "processor time per window in int8 on openvino" in row.what
    assert (row.ours, row.rival, row.against) == (0.2, 0.4, "bfloat16 on torch")
    assert row.figure.median == pytest.approx(2)
    assert row.note == "started in 8.0 s; cosine with float32 at least 0.9992"
    monkeypatch.setattr(recordings, "kept", lambda *_: None)  # without OpenVINO
    assert not list(recordings._backend_row(subject, encoder, "auto"))


def test_a_film_is_the_sequence_of_its_clips(tmp_path: Path) -> None:
    clips = make_clips(tmp_path, 2, seconds=1.0, size=(64, 96))
    film = make_film(tmp_path / "film.mp4", clips, repeats=2)
    shown = []
    for clip in clips * 2:
        with av.open(str(clip)) as container:
            shown += [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    with VideoReader(film) as reader:
        assert reader.frames == 4 * FPS
        for place, (time, picture) in enumerate(reader.frames_at(np.arange(4 * FPS) / FPS)):
            assert time == pytest.approx(place / FPS)
            np.testing.assert_array_equal(picture, shown[place])


def test_batches_move_and_are_reproducible() -> None:
    frames, sentences = toy_batch(2, frames=3, size=(32, 48))
    again, _ = toy_batch(2, frames=3, size=(32, 48))
    assert frames.shape == (2, 3, 3, 32, 48)
    assert frames.dtype == torch.uint8
    assert len(set(sentences)) == 2
    assert torch.equal(frames, again)
    assert (frames[0, 0] != frames[0, 2]).any()


def test_a_model_is_measured_under_the_given_schedules_or_its_own() -> None:
    model = random_subject("tiny").model
    assert [str(schedule) for schedule in subject_of("mine", model).schedules] == ["B2-4,16"]
    given = subject_of("mine", model, random_subject("tiny").schedules[::-1])
    assert str(given.model.schedule) == "B1-3,16"


def test_pe_cores_are_measured_by_the_encoder_part_alone(tmp_path: Path) -> None:
    subject = random_subject("PE-Core tiny")
    setting = Setting(torch.device("cpu"), tmp_path, rounds=1, quick=True)
    report = measure(["encoder", "train"], [subject], setting, settings={})
    schedules = [row.details["schedule"] for row in report.rows if "schedule" in row.details]
    assert schedules == ["none", "B2-4,16", "B2-6,16", "B1-3,16"]
    assert {row.part for row in report.rows} == {"encoder"}
    assert [row for row in report.rows if "int8" in row.what and "none in float32" in row.against]
    assert not [row for row in report.rows if "last block" in row.what]


def test_large_indexes_are_made_searched_and_added_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("snapshot", "writer"):
        monkeypatch.setattr(f"centerclip.index.{module}.EXACT_LIMIT", 1000)
    monkeypatch.setattr("centerclip.index.ann._PARTITION", 256)
    setting = Setting(torch.device("cpu"), tmp_path, quick=True)
    rows = measure(["sizes"], [random_subject("tiny")], setting, settings={}).rows
    figures = {row.what.partition(",")[0]: row for row in rows}
    assert figures["recall@10 (ann"].figure.median > 0.9
    assert figures["recall@10 (8 of 8 partitions)"].figure.median > 0.9
    assert figures["100 more added"].figure.median > 0
    assert 100 < figures["per window"].figure.median < 1000
    assert not list(tmp_path.iterdir())


def test_the_nearest_of_a_made_up_collection_are_known() -> None:
    made = Collection(30_000, 16, 5)
    blocks = list(made.blocks())
    everything = np.concatenate(blocks)
    assert [len(block) for block in blocks] == [20_000, 10_000]
    assert np.array_equal(everything, np.concatenate(list(made.blocks())))
    expected = np.argsort(-(made.asked @ everything.T), axis=1)[:, :10]
    assert np.array_equal(made.nearest, expected)
    unrelated = everything[::5000] @ everything[100::5000].T
    assert 0.3 < float(np.median(unrelated)) < 0.8
