"""`centerclip models`: the list, one model's sheet, and what was measured."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len

from centerclip.cli import costs as store
from centerclip.cli import main, measuring, model_tables, output
from centerclip.cli.costs import Measured, keep_costs, kept_costs
from centerclip.cli.hardware import uses_gpu
from centerclip.cli.loading import model_name
from centerclip.cli.models import Listed
from centerclip.embedding import costs as timing
from centerclip.model.registry import CPU_MODEL, GPU_MODEL, KnownModel, find_known, models, presets
from centerclip.records import WindowCost


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store.platformdirs, "user_cache_path", lambda *_, **__: tmp_path)


@pytest.fixture
def nano() -> KnownModel:
    known = find_known("nano")
    assert known is not None
    return known


@pytest.fixture
def measured(nano: KnownModel) -> Measured:
    costs = {preset: WindowCost(str(nano.schedule(preset)), 0.5, 0.9, 5) for preset in presets()}
    return Measured("2026-05-31", "a processor", "float32", costs)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    yield monkeypatch
    output.stdout.cache_clear()
    output.stderr.cache_clear()


def test_what_is_kept_is_found_again(nano: KnownModel, measured: Measured) -> None:
    assert kept_costs(nano) is None
    keep_costs(nano, measured)
    assert kept_costs(nano) == measured
    other = find_known(CPU_MODEL)
    assert other is not None
    assert kept_costs(other) is None


@pytest.mark.parametrize(
    "damage",
    [
        b"", b"\xff\xfe", b"[]", b"null", b'{"format": 1}', b'{"format": 2, "model": "nano", "frames": 12}',
        b'{"format": 1, "model": "nano", "frames": 12, "date": 1, "device": 1, "precision": 1, "costs": []}',
        b'{"format": 1, "model": "nano", "frames": 12, "date": "", "device": "", "precision": "", "costs": '
        b'{"fast": {"schedule": "B3-3,49", "seconds": -1, "processor_seconds": 1, "rounds": 1}}}',
        b'{"format": 1, "model": "nano", "frames": 12, "date": "", "device": "", "precision": "", "costs": '
        b'{"fast": {"schedule": "B3-3,49", "seconds": "x", "processor_seconds": 1, "rounds": 1}}}',
    ],
)  # fmt: skip
def test_a_damaged_file_counts_as_not_measured(
    damage: bytes, nano: KnownModel, measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    keep_costs(nano, measured)
    store._path(nano).write_bytes(damage)
    assert kept_costs(nano) is None
    assert main(["models", "--json", "nano"]) == 0
    assert json.loads(capsys.readouterr().out)["measured"] is None
    keep_costs(nano, measured)
    assert kept_costs(nano) == measured


def test_costs_of_a_preset_that_has_changed_are_not_shown(nano: KnownModel, measured: Measured) -> None:
    old = {**measured.costs, "fast": replace(measured.costs["fast"], schedule="B2-2,49")}
    keep_costs(nano, replace(measured, costs=old))
    kept = kept_costs(nano)
    assert kept is not None
    assert set(kept.costs) == set(presets()) - {"fast"}


def test_measuring_keeps_and_shows_the_costs(
    nano: KnownModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(timing, "_ROUNDS", 1)
    assert main(["models", "nano", "--measure", "--precision", "float32", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["measured"]["precision"] == "float32"
    for preset, cost in record["costs"].items():
        assert cost["schedule"] == str(nano.schedule(preset))
        assert cost["multiply_adds"] == nano.multiply_adds(preset)
        assert cost["windows_per_minute"] == pytest.approx(60 / cost["seconds_per_window"])
    assert main(["models"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert rows[-1][0] == "nano"
    assert float(rows[-1][9]) == pytest.approx(record["costs"]["fast"]["seconds_per_window"], rel=1e-3)
    assert rows[0][9] == ""
    assert main(["models", "nano"]) == 0
    facts = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert {len(fact) for fact in facts} == {4}
    assert dict(fact[1:3] for fact in facts)["seconds_per_window.fast"] == rows[-1][9]


def test_a_busy_processor_is_mentioned(
    nano: KnownModel, measured: Measured, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = {name: replace(cost, processor_seconds=0.001) for name, cost in measured.costs.items()}
    monkeypatch.setattr(timing, "measure_costs", lambda *_, **__: slow)
    measuring.measure_models([nano], "cpu", "float32")
    assert "nano: other programs used the processor" in capsys.readouterr().err
    assert kept_costs(nano) is not None


def test_models_are_found_by_the_part_after_the_slash(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("PE-Core-B-16", "pe-core-b16-224", "facebook/PE-Core-B16-224", GPU_MODEL):
        assert main(["models", name, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["name"] == GPU_MODEL
    assert main(["models", "nonsense"]) == 1
    assert "'nonsense' is none of the known models" in capsys.readouterr().err


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("here", [False, True])
def test_the_list_fits_the_terminal(
    width: int,
    here: bool,
    measured: Measured,
    wide: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wide.setenv("COLUMNS", str(width))
    output.stdout.cache_clear()
    model_tables.show_list([Listed(model, here, measured if here else None) for model in models()])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(models())
    assert all(cell_len(line) <= width for line in lines)
    headings = lines[0].split()
    assert headings[:3] == ["model", "size", "license"]
    assert {"R@1", "lang"} <= set(headings)
    assert ("min" in headings) == here
    assert ("balanced" in headings) == (width > 80 or not here)
    assert all(line.startswith(model.name) for line, model in zip(lines[1:], models(), strict=True))


def test_a_sheet_numbers_its_sources(
    measured: Measured, nano: KnownModel, capsys: pytest.CaptureFixture[str]
) -> None:
    known = find_known(GPU_MODEL)
    assert known is not None
    model_tables.show_sheet(Listed(known, False, None))
    text = capsys.readouterr().out
    assert "47.6 % [4]" in text
    assert f"[4] {known.sources['recall']}" in text
    model_tables.show_sheet(Listed(nano, True, measured))
    shown = capsys.readouterr()
    assert "not published" in shown.out
    assert "120" in shown.out  # windows per minute
    assert "2026-05-31 on a processor, float32" in shown.err


def test_the_default_model_follows_the_device() -> None:
    assert not uses_gpu("cpu")
    assert uses_gpu("cuda:1")
    assert model_name(None, "cpu") == CPU_MODEL
    assert model_name(None, "cuda") == GPU_MODEL
    assert model_name("nano", "cuda") == "nano"
