"""`--backend auto`: when backends are compared, which is chosen, and what is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tiny_models import clip_model, clip_tokenizer

from centerclip.cli import backends, costs, main
from centerclip.cli.backends import Compared, cheapest, choose_backend, described, keep, kept, pays_from
from centerclip.cli.loading import load_encoder
from centerclip.embedding import backends as comparing
from centerclip.embedding.device import precision_of
from centerclip.errors import ConfigError
from centerclip.index import ModelCard
from centerclip.model import CenterCLIP
from centerclip.records import BackendCost
from centerclip.video import find_gpu

TORCH = BackendCost("torch", "bfloat16", 0.6, 1.0, 0.9999)
OPENVINO = BackendCost("openvino", "bfloat16", 0.5, 101.0, 0.9999)
ROUNDED = (
    BackendCost("torch", "int8", 0.55, 1.0, 0.9999),
    BackendCost("openvino", "int8", 0.3, 81.0, 0.9991),
)
COMPARED = Compared("2026-05-31", "a processor", (TORCH, OPENVINO))
EVERY = replace(COMPARED, costs=(*COMPARED.costs, *ROUNDED))
FAILED = replace(OPENVINO, processor_seconds=0.0, failure="backend 'openvino' can't run it: give torch")


@pytest.fixture(autouse=True)
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Keep the cache in a folder of the test's own, and let both packages be installed."""
    monkeypatch.setattr(costs.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    versions: dict[str, str | None] = {"torch": "2.9.0", "openvino": "2026.1"}
    monkeypatch.setattr(backends, "_versions", lambda: dict(versions))
    return versions


@pytest.fixture
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-2,8", frames=4).eval()


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], int]]:
    """Replace the comparison, and record what is compared and for how many windows."""
    calls = []

    def compare(
        model: CenterCLIP, candidates: Sequence[tuple[str, str]], windows: int
    ) -> tuple[BackendCost, ...]:
        calls.append((list(map(" ".join, candidates)), windows))
        costs = {("torch", "auto"): TORCH, ("openvino", "auto"): OPENVINO}
        costs |= {(cost.backend, cost.precision): cost for cost in ROUNDED}
        return tuple(costs[each] for each in candidates)

    monkeypatch.setattr(comparing, "compare_backends", compare)
    return calls


def saved(tmp_path: Path) -> str:
    folder = tmp_path / "model"
    clip_model().save_pretrained(folder)
    clip_tokenizer().save_pretrained(folder)
    return str(folder)


# Which one is chosen


def test_the_start_counts_as_much_as_the_windows() -> None:
    def best(windows: int) -> str:
        return cheapest(COMPARED.costs, windows, may_round=False).backend

    assert [best(windows) for windows in (0, 999, 1001)] == ["torch", "torch", "openvino"]
    assert pays_from(COMPARED.costs, may_round=False) in (1000, 1001)
    soon = (TORCH, replace(OPENVINO, start_seconds=2.0))
    assert pays_from(soon, may_round=False) == backends._FEWEST


@pytest.mark.parametrize(
    "other", [replace(OPENVINO, cosine=0.9985), FAILED, replace(OPENVINO, processor_seconds=0.7)]
)
def test_a_backend_that_is_slower_or_not_exact_or_cannot_run_is_dropped(other: BackendCost) -> None:
    assert cheapest((TORCH, other), 10**9, may_round=True) == TORCH
    assert pays_from((TORCH, other), may_round=True) is None
    said = described(Compared("2026-05-31", "a processor", (TORCH, other)))
    assert said.startswith("torch")
    assert ("not exact enough" in said) == (other.cosine < 0.999)
    assert ("can't run" in said) == bool(other.failure)


def test_int8_is_chosen_for_a_new_index_if_it_saves_a_fifth() -> None:
    assert cheapest(EVERY.costs, 10**9, may_round=True) == ROUNDED[1]
    assert cheapest(EVERY.costs, 10**9, may_round=False) == OPENVINO
    slower = (*COMPARED.costs, replace(ROUNDED[1], processor_seconds=0.81 * 0.5))
    assert cheapest(slower, 10**9, may_round=True) == OPENVINO
    worse = (*COMPARED.costs, replace(ROUNDED[1], cosine=0.998))
    assert cheapest(worse, 10**9, may_round=True) == OPENVINO
    # 0.8 of torch's 1 + 0.6 n is more than 81 + 0.3 n from 446 windows on
    assert pays_from(EVERY.costs, may_round=True) == 446
    assert described(EVERY, may_round=True).startswith(
        "openvino in int8 from 446 windows on: 0.50 of torch's"
    )
    assert described(EVERY) == described(COMPARED)


def test_everything_is_compared_once(model: CenterCLIP, compared: list[tuple[list[str], int]]) -> None:
    floats, rounded = ["torch auto", "openvino auto"], ["torch int8", "openvino int8"]
    assert choose_backend(model, "auto", 5000) == ("openvino", "auto")
    assert choose_backend(model, "auto", 5000, may_round=True) == ("openvino", "int8")
    assert choose_backend(model, "auto", 400) == ("torch", "auto")  # known, and not worth the translation
    assert choose_backend(model, "int8", 5000) == ("openvino", "int8")
    assert compared == [([*floats, *rounded], 5000)]
    choose_backend(model.with_(schedule="none"), "int8", 5000)  # another cost per window
    assert compared[1:] == [(rounded, 5000)]


def test_a_short_run_compares_nothing(model: CenterCLIP, compared: list[tuple[list[str], int]]) -> None:
    assert choose_backend(model, "auto", backends._FEWEST - 1, may_round=True) == ("torch", "auto")
    assert compared == []


def test_without_openvino_only_int8_is_compared_with_torch(
    model: CenterCLIP, compared: list[tuple[list[str], int]], versions: dict[str, str | None]
) -> None:
    versions["openvino"] = None
    assert choose_backend(model, "auto", 5000) == ("torch", "auto")
    assert choose_backend(model, "int8", 5000, may_round=True) == ("torch", "int8")
    assert compared == []
    assert choose_backend(model, "auto", 5000, may_round=True) == ("torch", "auto")  # saves too little
    assert compared == [(["torch auto", "torch int8"], 5000)]
    assert backends._version("not-a-package") is None


def test_a_tower_that_cannot_be_translated_runs_on_torch_and_is_named_once(
    model: CenterCLIP, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(comparing, "compare_backends", lambda *_: (TORCH, FAILED))
    for _ in range(2):
        assert choose_backend(model, "auto", 5000) == ("torch", "auto")
    assert capsys.readouterr().err == "backend 'openvino' can't run it, so torch is used\n"


def test_a_full_disk_costs_only_the_memory(
    model: CenterCLIP,
    compared: list[tuple[list[str], int]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backends, "write_atomically", refuse)
    assert choose_backend(model, "auto", 5000)[0] == "openvino"
    assert "can't be kept" in capsys.readouterr().err


# What is remembered


def test_what_is_kept_is_found_again_until_something_changes(
    versions: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("abc", "auto", COMPARED)
    assert kept("abc", "auto") == COMPARED
    assert kept("abd", "auto") is None
    assert kept("abc", "float32") is None
    assert kept("abc", "int8") is None
    keep("def", "auto", EVERY)
    assert kept("def", "int8") == replace(EVERY, costs=ROUNDED)
    for package in versions:
        before, versions[package] = versions[package], "another"
        assert kept("abc", "auto") is None
        versions[package] = before
    monkeypatch.setattr(costs, "_machine", lambda: "another")
    assert kept("abc", "auto") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: b"",
        lambda record: b"\xff\xfe",
        lambda record: b"[]",
        lambda record: b"null",
        lambda record: json.dumps(record | {"format": 1}).encode(),
        lambda record: json.dumps(record | {"costs": []}).encode(),
        lambda record: json.dumps(record | {"costs": record["costs"][::-1]}).encode(),
        lambda record: json.dumps(record | {"costs": [record["costs"][0] | {"cosine": "x"}]}).encode(),
        lambda record: json.dumps(
            record | {"costs": [record["costs"][0] | {"processor_seconds": float("nan")}]}
        ).encode(),
        lambda record: json.dumps(record | {"costs": [{"backend": "torch"}]}).encode(),
    ],
)
def test_a_damaged_file_counts_as_not_compared(damage: Callable[[dict[str, object]], bytes]) -> None:
    keep("abc", "auto", COMPARED)
    path = backends._path("abc", "auto")
    path.write_bytes(damage(json.loads(path.read_text())))
    assert kept("abc", "auto") is None
    keep("abc", "auto", COMPARED)
    assert kept("abc", "auto") == COMPARED


def test_a_fingerprint_of_a_foreign_index_leads_nowhere_else() -> None:
    assert backends._path("../../a/b", "auto").parent == backends._path("a", "auto").parent
    assert kept("../../a/b", "auto") is None


# How encoders get theirs


def test_only_a_large_run_of_index_is_compared(tmp_path: Path, compared: list[tuple[list[str], int]]) -> None:
    name = saved(tmp_path)
    for windows in (None, lambda: 0, lambda: 10):
        load_encoder(name, None, device="cpu", windows=windows)
    load_encoder(name, None, device="cpu", backend="torch", windows=lambda: 5000)
    assert compared == []
    load_encoder(name, None, device="cpu", precision="float32", windows=lambda: 10)
    assert compared == []


def test_a_large_new_index_is_in_int8_where_that_pays(
    tmp_path: Path,
    compared: list[tuple[list[str], int]],
    versions: dict[str, str | None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    versions["openvino"] = None
    name = saved(tmp_path)
    monkeypatch.setitem(globals(), "ROUNDED", (replace(ROUNDED[0], processor_seconds=0.3), ROUNDED[1]))

    def load(card: ModelCard | None = None, **options: Any) -> ModelCard:
        return load_encoder(name, card, device="cpu", windows=lambda: 5000, **options).card()

    floats = load(precision="float32")
    assert floats.precision == "float"
    assert load(shared=True) == floats  # another machine may begin it with floats
    assert load(backend="torch") == floats
    capsys.readouterr()
    rounded = load()
    assert rounded.precision == "int8"
    assert "Encoding in int8" in capsys.readouterr().err
    assert load(floats) == floats
    assert load(rounded) == rounded


def test_an_index_keeps_its_precision(tmp_path: Path, compared: list[tuple[list[str], int]]) -> None:
    name = saved(tmp_path)
    rounded = load_encoder(name, None, device="cpu", precision="int8").card()
    floats = load_encoder(name, None, device="cpu", precision="float32").card()
    assert load_encoder(None, rounded, device="cpu", windows=lambda: 1).card() == rounded
    assert load_encoder(None, floats, device="cpu", windows=lambda: 1).card() == floats
    assert precision_of(load_encoder(None, rounded, device="cpu").model) != "int8"  # only searches
    assert load_encoder(None, rounded, device="cpu", precision="float32", windows=lambda: 1).card() == floats


def test_unknown_names_are_refused_before_a_model_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="'onnx': give one of auto, torch, openvino"):
        load_encoder("not/there", None, device="cpu", backend="onnx")
    with pytest.raises(ConfigError, match="unknown precision 'int4'"):
        load_encoder("not/there", None, device="cpu", precision="int4")
    monkeypatch.setattr("centerclip.embedding.encoder.find_gpu", lambda number: find_gpu(77))
    with pytest.raises(ConfigError, match="decode_on is 'gpu', but there is no GPU 77 .*: give cpu"):
        load_encoder("not/there", None, device="cpu", decode_on="gpu")


def test_info_shows_what_was_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from centerclip.index import VideoIndex

    monkeypatch.setattr(backends, "_FEWEST", 300)
    card = load_encoder(saved(tmp_path), None, device="cpu").card()
    VideoIndex(tmp_path / "index").bind(card)
    assert main(["info", "--index", str(tmp_path / "index"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backends"] is None
    keep(card.fingerprint, "auto", COMPARED)
    assert main(["info", "--index", str(tmp_path / "index"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["backends"]
    assert found["date"] == "2026-05-31"
    assert found["costs"][1]["processor_seconds"] == 0.5
    assert found["pays_from_windows"] == pays_from(COMPARED.costs, may_round=False)
    assert main(["info", "--index", str(tmp_path / "index")]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("backend\t"))
    assert line == (
        "backend\topenvino from 1,001 windows on: 0.83 of torch's processor time, cosine 0.9999, "
        "compared 2026-05-31"
    )
