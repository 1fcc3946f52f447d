"""A model evaluated by MTEB on a small made-up task of videos and captions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centerclip.datasets import load_dataset
from centerclip.embedding import embed_all, encode_texts
from centerclip.errors import ConfigError
from centerclip.evaluation import evaluate
from centerclip.evaluation.mteb import MTEBEncoder
from centerclip.lab.toy_world import render_toy_world
from centerclip.model import CenterCLIP


@pytest.mark.filterwarnings("ignore")  # of mteb and datasets themselves
def test_mteb_finds_what_evaluate_finds(tmp_path: Path) -> None:
    mteb = pytest.importorskip("mteb")
    hf = pytest.importorskip("datasets")
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.retrieval_dataset_loaders import RetrievalSplitData
    from mteb.abstasks.task_metadata import TaskMetadata

    data = load_dataset(
        "toy-world", videos=render_toy_world(tmp_path / "toy", train=0, val=0, test=6, workers=1)
    )

    class ToyWorld(AbsTaskRetrieval):  # type: ignore[misc]
        metadata = TaskMetadata(
            name="ToyWorldT2V", description="Drawn scenes.", reference=None, type="Any2AnyRetrieval",
            category="t2v", modalities=["text", "video"], eval_splits=["test"], eval_langs=["eng-Latn"],
            main_score="hit_rate_at_1", dataset={"path": "none", "revision": "1"}, date=None, domains=None,
            task_subtypes=None, license=None, annotations_creators=None, dialect=None, sample_creation=None,
            bibtex_citation=None,
        )  # fmt: skip

        def load_data(self, **_: Any) -> None:
            files = [
                {"bytes": video.path.read_bytes(), "path": None} if place % 2 else str(video.path)
                for place, video in enumerate(data.videos)
            ]  # in memory and on the disk
            ids = [video.id for video in data.videos]
            columns = hf.Features({"id": hf.Value("string"), "video": hf.Video()})
            corpus = hf.Dataset.from_dict({"id": ids, "video": files}, features=columns)
            texts = [caption.text for caption in data.captions]
            names = [f"q{number}" for number in range(len(texts))]
            queries = hf.Dataset.from_dict({"id": names, "text": texts})
            relevant = {f"q{n}": {ids[c.video]: 1} for n, c in enumerate(data.captions)}
            split = RetrievalSplitData(
                queries=queries, corpus=corpus, relevant_docs=relevant, top_ranked=None
            )
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    model = CenterCLIP.from_pretrained("nano")
    encoder = MTEBEncoder(model)
    assert encoder.mteb_model_meta.name == "centerclip/nano"
    found = mteb.evaluate(encoder, [ToyWorld()], cache=None, show_progress_bar=False)
    (scores,) = found.task_results[0].scores["test"]
    (expected,) = evaluate(model, data)
    assert scores["main_score"] == pytest.approx(float((expected.text_to_video_ranks <= 1).mean()))

    both = hf.Dataset.from_dict(
        {"text": ["a red car"], "video": [str(data.videos[0].path)]},
        features=hf.Features({"text": hf.Value("string"), "video": hf.Video()}),
    )
    (joint,) = encoder.encode(_Loader(both), task_metadata=ToyWorld.metadata, hf_split="", hf_subset="")
    mean = encode_texts(model, ["a red car"])[0] + embed_all(data.videos[:1], model)[0]
    np.testing.assert_allclose(joint, mean / np.linalg.norm(mean), atol=1e-5)
    assert encoder.similarity_pairwise(joint, joint) == pytest.approx(1)
    audio = _Loader(hf.Dataset.from_dict({"audio": ["x"]}))
    with pytest.raises(ConfigError, match="ToyWorldT2V has items of audio"):
        encoder.encode(audio, task_metadata=ToyWorld.metadata, hf_split="", hf_subset="")


class _Loader:
    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
