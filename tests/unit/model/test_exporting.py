"""Both towers as graphs: the same embeddings from `torch.export`, `torch.compile` and ONNX."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from pe_core_models import pe_core
from thorough import THOROUGH
from tiny_models import FAMILIES, clip_model, clip_tokenizer

from centerclip.clustering import kmedoids, traced
from centerclip.clustering.distance import METRICS, pairwise_distances
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP, TextGraph, VideoGraph, export_onnx


def drawn(graph: VideoGraph, seed: int = 0) -> torch.Tensor:
    """Two random videos with a still part, whose tokens are nearly equal."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.randint(0, 256, graph.example()[0].shape, generator=generator, dtype=torch.uint8)
    frames[:, 1] = frames[:, 0]
    return frames


@pytest.mark.parametrize("metric", METRICS)
def test_fixed_rounds_find_the_clusters_of_the_ordinary_ones(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(1)
    spread = torch.randn(6, 40, 8, generator=generator)
    tokens = torch.cat([spread, spread.round(), spread[:, :1].expand(-1, 40, -1)])
    tokens[1, 20:] = tokens[1, :20] + 1e-6
    between, clusters = pairwise_distances(tokens, metric), kmedoids(tokens, 7, metric=metric)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    torch.testing.assert_close(pairwise_distances(tokens, metric), between, rtol=1e-6, atol=1e-6)
    fixed = kmedoids(tokens, 7, metric=metric)
    assert torch.equal(fixed.medoids, clusters.medoids)
    assert torch.equal(fixed.labels, clusters.labels)
    torch.testing.assert_close(fixed.cost, clusters.cost, rtol=1e-5, atol=1e-5)
    monkeypatch.setattr(traced, "ROUNDS", 0)
    assert not torch.equal(kmedoids(tokens, 7, metric=metric).medoids, clusters.medoids)


@pytest.fixture
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as the tests' small sets of tokens need, so that tracing takes less time."""
    monkeypatch.setattr(traced, "ROUNDS", 5)


@pytest.mark.parametrize("reducer", ["kmedoids(weighted=true)", "merge"])
@pytest.mark.usefixtures("few_rounds")
def test_one_graph_encodes_batches_of_any_size(reducer: str) -> None:
    model = CenterCLIP(clip_model(), "B1-3,8", frames=5, reducer=reducer, temporal=True)
    graph = VideoGraph(model)
    frames = drawn(graph)
    with torch.no_grad():
        expected = model.encode_video(model.preprocess(frames))
        batch = {0: torch.export.Dim("batch")}
        program = torch.export.export(graph, graph.example(), dynamic_shapes=(batch,)).module()
        torch.testing.assert_close(program(frames), expected, rtol=0, atol=1e-6)
        torch.testing.assert_close(program(frames[:1]), expected[:1], rtol=0, atol=1e-6)


@pytest.mark.usefixtures("few_rounds")
def test_graphs_of_pe_core_encode_batches_of_any_size() -> None:
    model = CenterCLIP(pe_core(), "B2-2,8", frames=4).eval()
    batch = {0: torch.export.Dim("batch")}
    ids = torch.tensor([[512, 5, 6, 513], [512, 7, 513, 0], [512, 8, 9, 513]])
    for graph, given in ((video := VideoGraph(model), drawn(video)[:1]), (TextGraph(model, 4), ids)):
        program = torch.export.export(graph, graph.example(), dynamic_shapes=(batch,)).module()
        torch.testing.assert_close(program(given), graph(given), rtol=0, atol=1e-6)


@pytest.mark.parametrize("schedule", ["B1-2,6", "none"])
@pytest.mark.usefixtures("few_rounds")
def test_both_towers_compile_without_a_break(schedule: str) -> None:
    model = CenterCLIP(clip_model(), schedule, frames=4, tokenizer=clip_tokenizer(), temporal=True)
    graph = VideoGraph(model)
    frames, ids = drawn(graph), model.backbone.tokenize(["a red car", "red"])["input_ids"]
    with torch.no_grad():
        video = torch.compile(graph, fullgraph=True, backend="eager")(frames)
        text = torch.compile(TextGraph(model, ids.shape[1]), fullgraph=True, backend="eager")(ids)
        torch.testing.assert_close(video, model.encode_video(model.preprocess(frames)), rtol=0, atol=1e-6)
        torch.testing.assert_close(text, model.encode_text(ids), rtol=0, atol=1e-6)


@pytest.mark.parametrize("family", list(FAMILIES) if THOROUGH else ["clip"])
@pytest.mark.usefixtures("few_rounds")
def test_onnx_gives_the_same_embeddings(family: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    make, tokenizer = FAMILIES[family]
    model = CenterCLIP(make(), "B2-2,6", frames=4, tokenizer=tokenizer())
    ids = model.backbone.tokenize(["a red car", "red", "blue boat"])["input_ids"]
    export_onnx(model, tmp_path / "new", tokens=ids.shape[1])
    frames = drawn(VideoGraph(model))
    for name, given, expected in (
        ("video", {"frames": frames.numpy()}, model.encode_video(model.preprocess(frames))),
        ("text", {"input_ids": ids.numpy()}, model.encode_text(ids)),
    ):
        session = onnxruntime.InferenceSession(str(tmp_path / f"new/{name}.onnx"))
        (vectors,) = session.run(["vectors"], given)
        torch.testing.assert_close(torch.from_numpy(vectors), expected.detach(), rtol=0, atol=1e-5)
    inputs = json.loads((tmp_path / "new/inputs.json").read_text())
    assert (inputs["frames"], inputs["tokens"], inputs["image_size"]) == (4, ids.shape[1], [16, 16])
    assert list((tmp_path / "new").glob("tokenizer*"))


def test_what_has_no_graph_is_refused() -> None:
    model = CenterCLIP(clip_model(), "B2-2,6", frames=4, tokenizer=clip_tokenizer(), reducer="spectral")
    with pytest.raises(ConfigError, match="no eigenvectors"):
        export_onnx(model, Path("nowhere"))
    with pytest.raises(ConfigError, match="must be from 1 to the context length, 12"):
        TextGraph(model, 13)
    with pytest.raises(ConfigError, match=r"call model.eval\(\) first"):
        VideoGraph(model.with_().train())
    assert not Path("nowhere").exists()
