"""Broken and forged model files, each made by changing one thing in a good one: `break_model(kind, folder)`.

A kind's name begins with the layout that it spoils: `clip` and `siglip` are folders as `save_pretrained`
writes them, `open_clip` is a folder of open_clip, `file` a checkpoint file with a tokenizer beside it.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch
from breaking import (
    Break,
    Evil,
    both,
    cut,
    damaged,
    drop,
    header,
    instead,
    pickled,
    put,
    tensors,
    weights,
    write,
)
from openai_layout import TOWERS, known_model, openai_names
from safetensors.torch import save_file
from tiny_models import clip_model, clip_tokenizer, siglip_model, word_tokenizer

from centerclip.model import CenterCLIP


def _config(place: str, value: Any) -> Break:
    return put("config.json", place, value)


def _forged_configs() -> dict[str, Break]:
    kinds: dict[str, Break] = {}
    geometry = {
        "num_hidden_layers": [1_000_000, 10**12, -1, 0, "4", 4.5, None, True, [4]],
        "hidden_size": [1_000_000_000, -4, 0, "32", 33],
        "intermediate_size": [10**12, -1, 0],
        "num_attention_heads": [0, -4, 5, 10**9, "4"],
    }
    more = {
        "vision_config": {"image_size": [10**9, 0, -16, [1, 2, 3], "16"], "patch_size": [0, -4, 10**9, "4"]},
        "text_config": {
            "vocab_size": [10**12, 0, -5, "514"],
            "max_position_embeddings": [10**12, 0, -1],
        },
    }
    odd = {"hidden_act": ["nonsense", 3, None], "layer_norm_eps": ["small", None]}
    for tower in ("vision_config", "text_config"):
        for key, values in {**geometry, **more[tower], **odd}.items():
            for value in values:
                kinds[f"{tower} {key} {value!r}"] = _config(f"{tower}/{key}", value)
        kinds[f"{tower} null"] = _config(tower, None)
        kinds[f"{tower} a list"] = _config(tower, [])
        kinds[f"{tower} missing"] = drop("config.json", tower)
    for value in (10**12, 0, -1, "24"):
        kinds[f"projection_dim {value!r}"] = _config("projection_dim", value)
    for value in (None, [], "clipper", {}):
        kinds[f"model_type {value!r}"] = _config("model_type", value)
    kinds["legacy blocks"] = _config("vision_config_dict", {"num_hidden_layers": 1_000_000})
    kinds["quantized"] = _config("quantization_config", {"quant_method": "nonsense"})
    text = '{"model_type": "clip", "vision_config": {"layer_norm_eps": %s}}'
    kinds |= {f"{number}": write("config.json", text % number) for number in ("NaN", "-Infinity", "1e999")}
    kinds |= {
        "20 MB": write("config.json", '{"model_type": "clip", "x": "' + "x" * (20 << 20) + '"}'),
        "a folder": instead("config.json", Path.mkdir),
        "a pipe": instead("config.json", os.mkfifo),
        "a circular link": instead("config.json", lambda path: path.symlink_to(path)),
    }
    return {f"config.json {name}": spoil for name, spoil in kinds.items()} | damaged("config.json")


def _forged_safetensors() -> dict[str, Break]:
    name, first = "model.safetensors", "visual_projection.weight"
    kinds: dict[str, Break] = {f"cut to {tenth}0 %": cut(name, tenth / 10) for tenth in range(10)}
    for length in (0, 1, 2**31, 2**63, 2**64 - 1):
        kinds[f"header of {length} bytes"] = write(name, struct.pack("<Q", length) + b"{}" * 50)
    lies: dict[str, dict[str, Any]] = {
        "offsets beyond": {"data_offsets": [0, 2**40]},
        "offsets backwards": {"data_offsets": [3072, 0]},
        "offsets negative": {"data_offsets": [-8, 8]},
        "offsets text": {"data_offsets": "0"},
        "shape negative": {"shape": [-24, -32]},
        "shape huge": {"shape": [2**33, 2**33]},
        "shape of no numbers": {"shape": [0, 2**62], "data_offsets": [0, 0]},
        "dtype unknown": {"dtype": "F99"},
        "dtype smaller": {"dtype": "F16"},
    }
    for title, lie in lies.items():
        kinds[f"header {title}"] = header(lambda content, lie=lie: content[first].update(lie))
    kinds |= {
        "header nested deeply": write(name, struct.pack("<Q", 100_000) + b"[" * 100_000),
        "header twice": header(lambda content: content.update(copy=dict(content[first]))),
        "lacks a tensor": tensors(lambda content: content.pop(first)),
        "unknown tensor": tensors(lambda content: content.update(visual_extra=torch.zeros(2))),
        "20,000 tensors": tensors(lambda c: c.update({f"x{n}": torch.zeros(1) for n in range(20_000)})),
        "other shape": tensors(lambda content: content.update({first: torch.zeros(3, 3)})),
        "transposed": tensors(lambda content: content.update({first: content[first].T.contiguous()})),
        "not numbers": tensors(lambda content: content[first].fill_(torch.nan)),
        "infinite": tensors(lambda content: content[first].fill_(torch.inf)),
        "a pickle": write(name, pickle.dumps(Evil(), protocol=2)),
        "a folder": instead(name, Path.mkdir),
        "a pipe": instead(name, os.mkfifo),
        "a dangling link": instead(name, lambda path: path.symlink_to("nowhere")),
        "missing": instead(name, lambda path: None),
    }
    for title, listed in {
        "elsewhere": {"weight_map": {first: "../../model.safetensors"}},
        "missing": {"weight_map": {first: "part-1.safetensors"}},
        "empty": {"weight_map": {}},
        "no map": {},
        "numbers": {"weight_map": {first: 3}},
        "a list": {"weight_map": [first]},
    }.items():
        index = partial(lambda path, text: (path.parent / f"{path.name}.index.json").write_text(text))
        kinds[f"parts {title}"] = instead(name, partial(index, text=json.dumps(listed)))
    return {f"{name} {title}": spoil for title, spoil in kinds.items()}


def _forged_tokenizers() -> dict[str, Break]:
    name = "tokenizer.json"
    bpe = {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]}
    kinds: dict[str, Break] = {
        "panics when read": put(name, "model", bpe | {"continuing_subword_prefix": "zzzzzzzz"}),
        "model missing": drop(name, "model"),
        "model unknown": put(name, "model/type", "Nonsense"),
        "no vocabulary": put(name, "model/vocab", {}),
        "vocabulary a list": put(name, "model/vocab", [1]),
        "id negative": put(name, "model/vocab/a", -1),
        "id text": put(name, "model/vocab/a", "1"),
        "merges unknown": put(name, "model/merges", [["nope", "nope"]]),
        "merges numbers": put(name, "model/merges", 3),
        "pattern": put(name, "pre_tokenizer", {"type": "Split", "pattern": {"Regex": "(a"}}),
        "charsmap": put(name, "normalizer", {"type": "Precompiled", "precompiled_charsmap": "AAEAAA=="}),
        "class a number": put("tokenizer_config.json", "tokenizer_class", 3),
    }
    kinds = {f"{name} {title}": spoil for title, spoil in kinds.items()} | damaged(name)
    return kinds | {
        title: spoil for title, spoil in damaged("tokenizer_config.json").items() if "digits" not in title
    }


def _forged_preprocessing() -> dict[str, Break]:
    name = "preprocessor_config.json"
    changes: dict[str, list[Any]] = {
        "image_mean": ["half", [1, 2], [1, 2, "x"], 10**400, [[1], [2], [3]]],
        "image_std": [[0, 0, 0], [-1, 1, 1], [1e-300] * 3, {}],
        "size": [{"shortest_edge": 10**9}, {"shortest_edge": -1}, {"height": 1}, -5, "big", [1, 2]],
        "crop_size": [{"height": 10**9, "width": 10**9}, 0, "big", [16]],
        "resample": [99, -1, "bicubic", 2.5, []],
        "rescale_factor": ["x", 0, -1, 10**400],
        "do_resize": [False],
        "do_pad": [True],
    }
    kinds = {
        f"{name} {key} {str(value)[:30]!r}": put(name, key, value)
        for key, values in changes.items()
        for value in values
    }
    processor = {
        title: spoil for title, spoil in damaged("processor_config.json").items() if "digits" not in title
    }
    del processor["processor_config.json cut"]  # there is none to cut
    return kinds | {k: s for k, s in damaged(name).items() if "digits" not in k} | processor


def _forged_settings() -> dict[str, Break]:
    name = "centerclip.json"
    changes: dict[str, list[Any]] = {
        "format_version": [99, "1", None, -1, [1]],
        "schedule": [3, None, "", "nonsense", "B2", "B99-2,8", "B2-1000000000,8", "B2-3,-8", "B2-0,0", []],
        "reducer": [
            *("kmedoids", None, 3, {}, {"name": 3}, {"name": "nonsense"}, {"name": "os:system"}),
            *({"name": "nowhere_at_all:X"}, {"name": "kmedoids", "max_iter": "x"}),
            {"name": "kmedoids", "no": 1},
        ],
        "backbone": [
            "clip",
            3,
            [],
            {},
            {"name": "nonsense"},
            {"name": "os:system"},
            {"name": "clip", "no": 1},
        ],
        "frames": [0, -1, 10**12, "12", 2.5, None, [], True],
        "temporal": [True, "yes"],
        "extra": [1],
    }
    kinds = {
        f"{name} {key} {value!r}": put(name, key, value)
        for key, values in changes.items()
        for value in values
    }
    tables = {
        "not numbers": torch.full((6, 32), torch.nan),
        "one dimension": torch.zeros(6),
        "whole numbers": torch.zeros(6, 32, dtype=torch.int64),
        "another width": torch.zeros(6, 31),
        "empty": torch.zeros(0, 32),
    }
    for title, table in tables.items():
        kinds[f"temporal.safetensors {title}"] = both(
            _temporal,
            lambda folder, table=table: save_file({"table": table}, folder / "temporal.safetensors"),
        )
    kinds["temporal.safetensors another name"] = both(
        _temporal, lambda folder: save_file({"x": torch.zeros(6, 32)}, folder / "temporal.safetensors")
    )
    kinds["temporal.safetensors text"] = both(_temporal, write("temporal.safetensors", "text"))
    return kinds | damaged(name)


def _temporal(folder: Path) -> None:
    put("centerclip.json", "temporal", True)(folder)
    put("centerclip.json", "format_version", 2)(folder)


def _forged_open_clip() -> dict[str, Break]:
    name, text, vision = "open_clip_config.json", "model_cfg/text_cfg", "model_cfg/vision_cfg"
    kinds: dict[str, Break] = {}
    for value in (0, -2, 65, 10**12, 3, "2", 2.5, True, []):
        kinds[f"heads {value!r}"] = put(name, f"{text}/heads", value)
    for value in (0, -16, 7, 10**12, "16", 16.5):
        kinds[f"head_width {value!r}"] = put(name, f"{vision}/head_width", value)
    for key, values in {
        "mean": ["half", [1, 2], {}, [1, 2, "x"]],
        "std": [0, [0, 1, 1], [-1, 1, 1], "x"],
        "interpolation": ["area", 3, []],
        "resize_mode": ["longest", 3],
    }.items():
        for value in values:
            kinds[f"{key} {value!r}"] = put(name, f"preprocess_cfg/{key}", value)
    for place in ("model_cfg", text, vision, "preprocess_cfg"):
        kinds[f"{place} a list"] = put(name, place, [1])
        kinds[f"{place} text"] = put(name, place, "x")
    kinds["model_cfg missing"] = drop(name, "model_cfg")
    kinds["unknown setting"] = put(name, f"{text}/no_causal_mask", True)
    kinds = {f"{name} {title}": spoil for title, spoil in kinds.items()} | damaged(name)
    return kinds | {
        "weights missing": instead("open_clip_model.safetensors", lambda path: None),
        "weights cut": cut("open_clip_model.safetensors", 0.6),
        "weights a pipe": instead("open_clip_model.safetensors", os.mkfifo),
    }


def _forged_files() -> dict[str, Break]:
    def extra(count: int) -> dict[str, torch.Tensor]:
        return {f"x{number}": torch.zeros(1) for number in range(count)}

    def changed(change: Callable[[dict[str, torch.Tensor]], object]) -> Break:
        def make(good: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            change(good)
            return good

        return pickled(make, name="a.pt")

    many = "visual.transformer.resblocks.{}.ln_1.weight"
    return weights("a.pt") | {
        "a.pt whole numbers": pickled(lambda good: {k: t.long() for k, t in good.items()}, name="a.pt"),
        "a.pt lacks a tensor": changed(lambda good: good.pop("ln_final.bias")),
        "a.pt unknown tensor": changed(lambda good: good.update(extra=torch.zeros(1))),
        "a.pt other shape": changed(lambda good: good.update({"ln_final.bias": torch.zeros(3)})),
        "a.pt no width": changed(lambda good: good.update({"visual.conv1.weight": torch.zeros(0, 3, 4, 4)})),
        "a.pt no vocabulary": changed(
            lambda good: good.update({"token_embedding.weight": torch.zeros(0, 64)})
        ),
        "a.pt no patch": changed(lambda good: good.update({"visual.conv1.weight": torch.zeros(64, 3, 0, 0)})),
        "a.pt far block": changed(lambda good: good.update({many.format(10**9): torch.zeros(64)})),
        "a.pt 5,000 blocks": changed(
            lambda good: good.update({many.format(n): torch.zeros(1) for n in range(5_000)})
        ),
        "a.pt 20,000 tensors": changed(
            lambda good: good.update({f"x{n}": torch.zeros(1) for n in range(20_000)})
        ),
        "a.pt a head over the frames": pickled(
            lambda good: {f"clip.{k}": t for k, t in good.items()} | {"transformerClip.x": torch.zeros(1)},
            name="a.pt",
        ),
        "a.pt of transformers": pickled(lambda good: known_model().state_dict(), name="a.pt"),
        "a.pt safetensors": lambda folder: save_file(openai_names(known_model()), folder / "a.pt"),
    }


def _kinds() -> dict[str, Break]:
    clip = (
        _forged_configs()
        | _forged_safetensors()
        | weights("pytorch_model.bin")
        | _forged_tokenizers()
        | _forged_preprocessing()
        | _forged_settings()
    )
    # transformers makes some parts of CLIP's tokenizer itself, but reads all of others'.
    doubling = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}
    template = {"type": "TemplateProcessing", "pair": [], "special_tokens": {}}
    siglip = {
        "tokenizer.json panics at work": put(
            "tokenizer.json",
            "post_processor",
            template | {"single": [{"Sequence": {"id": "B", "type_id": 0}}]},
        ),
        "tokenizer.json grows": put(
            "tokenizer.json", "normalizer", {"type": "Sequence", "normalizers": [doubling] * 40}
        ),
        "config.json 1,000,000 blocks": _config("vision_config/num_hidden_layers", 1_000_000),
        "config.json vast": _config("text_config/hidden_size", 2**40),
        "config.json no head": _config("vision_config/vision_use_head", False),
        "weights cut": cut("model.safetensors", 0.5),
        "tokenizer.json cut": cut("tokenizer.json", 0.5),
    }
    layouts = {"clip": clip, "siglip": siglip, "open_clip": _forged_open_clip(), "file": _forged_files()}
    return {f"{layout}: {kind}": spoil for layout, kinds in layouts.items() for kind, spoil in kinds.items()}


KINDS = _kinds()
"""The name of each kind, and what makes it of a good model's folder."""


def break_model(kind: str, folder: Path) -> Path:
    """Make a broken model in a new folder; return the folder, or the checkpoint file in it."""
    layout = kind.partition(":")[0]
    shutil.copytree(good_model(layout), folder)
    KINDS[kind](folder)
    return folder / "a.pt" if layout == "file" else folder


@cache
def good_model(layout: str) -> Path:
    """Make a good model of a layout, once."""
    folder = Path(mkdtemp(prefix=f"good-{layout}-"))
    if layout == "clip":
        model = CenterCLIP(clip_model(), "B2-3,8", frames=6, tokenizer=clip_tokenizer())
        model.save_pretrained(folder)
    elif layout == "siglip":
        CenterCLIP(siglip_model(), "B2-3,8", frames=6, tokenizer=word_tokenizer()).save_pretrained(folder)
    elif layout == "open_clip":
        known = clip_model(
            vision={**TOWERS, "num_attention_heads": 4}, text={**TOWERS, "num_attention_heads": 2}
        )
        save_file(openai_names(known), folder / "open_clip_model.safetensors")
        (folder / "open_clip_config.json").write_text(json.dumps(open_clip_config()))
        clip_tokenizer().save_pretrained(folder)
    else:
        torch.save(openai_names(known_model()), folder / "a.pt")
        clip_tokenizer().save_pretrained(folder)
    return folder


def open_clip_config(**changes: Any) -> dict[str, Any]:
    """Make the configuration of a tiny model of open_clip; `changes` are to `model_cfg`."""
    vision = {"image_size": 16, "layers": 4, "width": 64, "patch_size": 4, "head_width": 16}
    text = {"context_length": 12, "vocab_size": 514, "width": 64, "heads": 2, "layers": 2}
    model = {"embed_dim": 24, "quick_gelu": True, "vision_cfg": vision, "text_cfg": text, **changes}
    preprocess = {"mean": 0.5, "std": [0.1, 0.2, 0.3], "interpolation": "bilinear", "resize_mode": "squash"}
    return {"model_cfg": model, "preprocess_cfg": preprocess}
