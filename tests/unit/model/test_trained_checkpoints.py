"""Checkpoints of CLIP4Clip and of CenterCLIP's authors, with the settings of their training beside them."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from openai_layout import known_model, openai_names, prefixed
from tiny_models import clip_tokenizer
from torch import Tensor

from centerclip.clustering import parse_reducer
from centerclip.errors import CheckpointError
from centerclip.model import CenterCLIP
from centerclip.model.checkpoints import read_checkpoint

CLUSTERED = {
    "sim_header": "meanP",
    "linear_patch": "2d",
    "max_frames": 6,
    "max_words": 32,
    "cluster_inter": 1,
    "cluster_algo": "kmediods++",
    "target_frames_blocks": [6, 6, 3, 3],
    "cluster_num_blocks": [16, 16, 9, 9],
    "cluster_distance": "euclidean",
    "minkowski_norm_p": 2.0,
    "cluster_frame_embedding": 0,
    "spectral_spg": False,
    "pre_norm": 0,
    "aggregation": None,
}
SPECTRAL = {
    "cluster_algo": "spectral",
    "spectral_sigma": 2.0,
    "spectral_graph": "HeatKernel",
    "spectral_knn_k": 0,
}
HEADS = {
    "frame_position_embeddings.weight": torch.randn(12, 64),
    "transformerClip.resblocks.0.ln_1.weight": torch.randn(64),
    "cross.embeddings.position_embeddings.weight": torch.randn(12, 64),
    "similarity_dense.weight": torch.randn(1, 64),
}


def authors_tensors(prefix: str = "") -> dict[str, Tensor]:
    """All names that the authors' code saves: OpenAI's under `clip.`, and the numbers of the positions."""
    own = {**openai_names(known_model()), "visual.position_ids": torch.arange(17).expand(1, -1)}
    return prefixed(own, f"{prefix}clip.")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.save(authors_tensors(), tmp_path / "pytorch_model.bin.4")
    clip_tokenizer().save_pretrained(tmp_path)
    return tmp_path


def load(folder: Path, **changes: Any) -> CenterCLIP:
    (folder / "hparams_train.json").write_text(json.dumps(CLUSTERED | changes))
    return CenterCLIP.from_pretrained(folder / "pytorch_model.bin.4")


@pytest.mark.parametrize("prefix", ["", "module."])
def test_the_authors_checkpoints_open(prefix: str, tmp_path: Path) -> None:
    torch.save(authors_tensors(prefix), tmp_path / "a.bin")
    read, known = read_checkpoint(tmp_path / "a.bin").state_dict(), known_model().state_dict()
    assert read.keys() == known.keys()
    assert all(torch.equal(tensor, known[name]) for name, tensor in read.items())


@pytest.mark.parametrize("numbers", [torch.arange(16, -1, -1), torch.full((1, 17), 0.5), torch.tensor(3)])
def test_positions_in_another_order_are_refused(numbers: Tensor, tmp_path: Path) -> None:
    torch.save({**authors_tensors(), "clip.visual.position_ids": numbers}, tmp_path / "a.bin")
    with pytest.raises(CheckpointError, match=r"visual.position_ids must number the positions 0, 1, 2"):
        read_checkpoint(tmp_path / "a.bin")


def test_schedule_metric_and_algorithm_are_those_of_the_training(folder: Path) -> None:
    plain = CenterCLIP.from_pretrained(folder / "pytorch_model.bin.4")
    assert (str(plain.schedule), plain.frames) == ("B2-4,16", 12)  # the default
    model = load(folder)
    assert (str(model.schedule), model.reducer, model.frames) == ("B2-3,9", parse_reducer("kmedoids"), 6)
    frames = torch.randn(2, 6, 3, 16, 16)
    with torch.no_grad():
        expected = plain.with_(schedule="B2-3,9", reducer="kmedoids", frames=6).encode_video(frames)
        assert torch.equal(model.encode_video(frames), expected)
    model.save_pretrained(folder / "saved")
    assert CenterCLIP.from_pretrained(folder / "saved").fingerprint() == model.fingerprint()
    given = CenterCLIP.from_pretrained(folder / "pytorch_model.bin.4", schedule="none", frames=4)
    assert (str(given.schedule), given.frames) == ("none", 4)


@pytest.mark.parametrize(
    ("changes", "schedule", "reducer"),
    [
        ({"cluster_inter": 0, "target_frames_blocks": None}, "none", "kmedoids"),
        ({"target_frames_blocks": [6, 3, 3, 2]}, None, "kmedoids"),
        ({"target_frames_blocks": [6, 6, 6, 6], "cluster_num_blocks": [16] * 4}, "none", "kmedoids"),
        (
            {"target_frames_blocks": [6, 3, 3, 2], "cluster_num_blocks": [16, 9, 9, 4]},
            "B1-3,9;B3-2,4",
            "kmedoids",
        ),
        ({"cluster_distance": "cosine"}, "B2-3,9", "kmedoids(metric=cosine)"),
        ({"cluster_distance": "minkowski", "minkowski_norm_p": 1}, "B2-3,9", "kmedoids(metric=manhattan)"),
        ({"cluster_algo": "pooling"}, "B2-3,9", "pool"),
        ({"cluster_algo": "sparse_sampling"}, "B2-3,9", "sample"),
        ({"cluster_algo": "temporal_shift"}, "B2-3,9", "temporal_shift"),
        ({"cluster_algo": "token_shift"}, "B2-3,9", "token_shift"),
        (SPECTRAL, "B2-3,9", "spectral(graph=heat, sigma=2.0)"),
        ({**SPECTRAL, "spectral_graph": "KNN"}, "B2-3,9", "spectral(graph=knn, sigma=2.0)"),
        (
            {**SPECTRAL, "spectral_graph": "KNN", "spectral_knn_k": 11},
            "B2-3,9",
            "spectral(graph=knn, sigma=2.0, neighbors=10)",  # the token itself isn't counted
        ),
    ],
)
def test_settings_are_translated(
    changes: dict[str, Any], schedule: str | None, reducer: str, folder: Path
) -> None:
    if schedule is None:
        with pytest.raises(CheckpointError, match="cluster_num_blocks changes from 16 to 9 at block 3"):
            load(folder, **changes)
    else:
        model = load(folder, **changes)
        assert (str(model.schedule), model.reducer) == (schedule, parse_reducer(reducer))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cluster_frame_embedding": 1}, "cluster_frame_embedding isn't supported"),
        ({"spectral_spg": True}, "spectral_spg isn't supported"),
        ({"spg": 1}, "spg isn't supported"),
        ({"pre_norm": 1}, "pre_norm isn't supported"),
        ({"aggregation": "something"}, "aggregation isn't supported"),
        ({"cluster_algo": "agglomerative"}, "cluster_algo is 'agglomerative', but only kmedoids, pool"),
        ({"cluster_algo": None}, "cluster_algo is None"),
        ({"cluster_inter": 2}, "cluster_inter is 2"),
        ({"cluster_distance": "chebyshev"}, "cluster_distance 'chebyshev' with minkowski_norm_p 2.0 isn't"),
        ({"minkowski_norm_p": 1.0}, "cluster_distance 'euclidean' with minkowski_norm_p 1.0 isn't"),
        ({**SPECTRAL, "cluster_distance": "cosine"}, "cluster_distance 'cosine' with spectral"),
        ({**SPECTRAL, "spectral_graph": "epsilon"}, "spectral_graph is 'epsilon', but only heat, knn"),
        ({**SPECTRAL, "spectral_graph": "KNN", "spectral_knn_k": 1.5}, "spectral_knn_k is 1.5"),
        ({**SPECTRAL, "spectral_sigma": 0}, "spectral_sigma is 0, but must be above 0"),
        ({"sim_header": "seqTransf"}, "sim_header 'seqTransf' is a head over the frames"),
        ({"linear_patch": "3d"}, "linear_patch '3d' isn't supported"),
        ({"max_frames": "6"}, "max_frames is '6'"),
        ({"max_frames": 12}, "B0-6,16: block is 0"),  # a reduction before the first block
        ({"target_frames_blocks": [6, 6, 3]}, "has 3 numbers and cluster_num_blocks 4"),
        ({"target_frames_blocks": "6 6 3 3"}, "target_frames_blocks is '6 6 3 3'"),
        ({"target_frames_blocks": [6, 3, 4, 4], "cluster_num_blocks": [16, 9, 9, 9]}, "segments grow"),
        (
            {"target_frames_blocks": [6, 6, 3], "cluster_num_blocks": [16, 16, 9]},
            "has 4 blocks, but hparams_train.json beside it has settings for 3",
        ),
    ],
)
def test_settings_that_cannot_be_followed_are_named(
    changes: dict[str, Any], message: str, folder: Path
) -> None:
    with pytest.raises(CheckpointError, match=re.escape(message)) as error:
        load(folder, **changes)
    assert "hparams_train.json" in str(error.value)
    assert "\n" not in str(error.value)


def test_settings_that_nothing_reads_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "centerclip.model"):
        load(folder, cluster_iter_limit=80, cluster_embedding=0)
    (record,) = caplog.records
    assert record.getMessage() == (
        f"hparams_train.json beside {folder / 'pytorch_model.bin.4'} sets cluster_iter_limit=80, which isn't "
        "read: embeddings may differ"
    )


def test_a_damaged_file_is_refused(folder: Path) -> None:
    for content in ("{", "[]", '{"max_frames": NaN}'):
        (folder / "hparams_train.json").write_text(content)
        with pytest.raises(CheckpointError, match="hparams_train.json"):
            CenterCLIP.from_pretrained(folder / "pytorch_model.bin.4")


def test_heads_are_left_out_only_if_the_frames_are_pooled_by_their_mean(folder: Path) -> None:
    torch.save({**authors_tensors(), **HEADS}, folder / "pytorch_model.bin.4")
    with pytest.raises(CheckpointError, match=r"cross.embeddings.position_embeddings.weight, part of a head"):
        read_checkpoint(folder / "pytorch_model.bin.4")
    settings = {"sim_header": "meanP", "max_frames": 8}  # CLIP4Clip's, without clusters
    (folder / "hparams_train.json").write_text(json.dumps(settings))
    model = CenterCLIP.from_pretrained(folder / "pytorch_model.bin.4")
    assert (str(model.schedule), model.frames) == ("B2-2,16", 8)  # the default for 8 frames
    with pytest.raises(CheckpointError, match="'seqLSTM' is a head over the frames"):
        load(folder, sim_header="seqLSTM")


def test_openai_archives_in_the_same_folder_are_not_affected(folder: Path) -> None:
    from test_checkpoints import NUMBERS, save_archive

    (folder / "hparams_train.json").write_text(json.dumps(CLUSTERED | {"spg": 1}))
    save_archive({**openai_names(known_model()), **NUMBERS}, folder / "ViT.pt", traced=True)
    assert str(CenterCLIP.from_pretrained(folder / "ViT.pt").schedule) == "B2-4,16"
