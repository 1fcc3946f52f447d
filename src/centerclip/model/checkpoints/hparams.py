"""Reads `hparams_train.json`: the settings of the training run that made the checkpoint beside it.

Weights don't say which tokens were kept in training. What the file says and this package can't do is refused
by name: the checkpoint would compute something else than it was trained for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from centerclip.errors import CheckpointError, ScheduleError
from centerclip.model.reading import read_json, reading
from centerclip.schedule import TokenSchedule

__all__ = ["HPARAMS_FILE", "TrainingSettings", "read_hparams"]

HPARAMS_FILE = "hparams_train.json"

_REMEDY = f"to open the weights alone, move {HPARAMS_FILE} away and give schedule and reducer"

# By letters alone, since spellings differ: "kmediods++" is a k-medoids.
_ALGORITHMS = {
    **{"kmedoids": "kmedoids", "kmediods": "kmedoids", "spectral": "spectral"},
    **{"pool": "pool", "pooling": "pool", "sample": "sample", "sparsesampling": "sample"},
    **{"temporalshift": "temporal_shift", "tokenshift": "token_shift"},
}
_GRAPHS = {"heat": "heat", "heatkernel": "heat", "knn": "knn"}
_METRICS = {2.0: "euclidean", 1.0: "manhattan"}

# Parts of the authors' model that this package lacks; off, they change nothing.
_UNSUPPORTED = ("cluster_frame_embedding", "spg", "spectral_spg", "pre_norm", "aggregation")
_READ = (
    *("cluster_inter", "cluster_algo", "target_frames_blocks", "cluster_num_blocks", "cluster_distance"),
    *("minkowski_norm_p", "spectral_sigma", "spectral_graph", "spectral_knn_k"),
)
_OFF: tuple[Any, ...] = (None, False, 0, "", "none", "None", [])


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How a checkpoint was trained.

    Attributes:
        mean_pooled: whether frames are pooled by their mean, so that heads in the file are never used.
        frames: T, or None if the file doesn't say.
        schedule: in this package's notation, or None for a run without token clustering in its settings, such
            as CLIP4Clip's.
        reducer: a table as `parse_reducer` reads it; None without a schedule.
        blocks: number of blocks that the schedule was written for; None without one.
        unread: clustering settings that nothing here reads, which might change the computation.
    """

    mean_pooled: bool = False
    frames: int | None = None
    schedule: str | None = None
    reducer: dict[str, Any] | None = None
    blocks: int | None = None
    unread: tuple[str, ...] = ()


def read_hparams(folder: Path) -> TrainingSettings | None:
    """Read a folder's `hparams_train.json`; None if there is none.

    Entry i of `target_frames_blocks` is read as the number of segments that block i sees, and that of
    `cluster_num_blocks` as the tokens kept of each; `cluster_inter` switches both on. `minkowski_norm_p` is 2
    for Euclidean distance and 1 for Manhattan. `spectral_knn_k` counts the token itself, as the paper does.

    Raises:
        CheckpointError: the file is damaged, or sets something that isn't supported.
    """
    path = folder / HPARAMS_FILE
    if not path.is_file():
        return None
    with reading(path, f"correct it; {_REMEDY}", CheckpointError):
        try:
            return _parse(read_json(path, missing="", kind=CheckpointError))
        except (_UnsupportedError, ScheduleError) as error:
            raise CheckpointError(f"{path}: {error}; {_REMEDY}") from error


class _UnsupportedError(ValueError):
    """A setting that can't be followed."""


def _parse(saved: dict[str, Any]) -> TrainingSettings:
    header = saved.get("sim_header", "meanP")
    if header != "meanP":
        raise _UnsupportedError(
            f"sim_header {header!r} is a head over the frames, but only meanP is supported"
        )
    if saved.get("linear_patch", "2d") != "2d":
        raise _UnsupportedError(f"linear_patch {saved['linear_patch']!r} isn't supported, only '2d'")
    frames = _count(saved, "max_frames") if "max_frames" in saved else None
    plain = TrainingSettings(mean_pooled="sim_header" in saved, frames=frames)
    if "cluster_inter" not in saved:
        return plain
    if saved["cluster_inter"] not in (0, 1):
        raise _UnsupportedError(
            f"cluster_inter is {saved['cluster_inter']!r}, but only 0 and 1 are supported"
        )
    for key in _UNSUPPORTED:
        if saved.get(key) not in _OFF:
            raise _UnsupportedError(f"{key} is {saved[key]!r}, but {key} isn't supported")
    if not saved["cluster_inter"]:
        return TrainingSettings(plain.mean_pooled, frames, "none", {"name": "kmedoids"})
    if frames is None:
        raise _UnsupportedError("max_frames is missing")
    segments, tokens = (_counts(saved, key) for key in ("target_frames_blocks", "cluster_num_blocks"))
    schedule, reducer = _schedule(segments, tokens, frames), _reducer(saved)
    return TrainingSettings(plain.mean_pooled, frames, schedule, reducer, len(segments), _unread(saved))


def _schedule(segments: list[int], tokens: list[int], frames: int) -> str:
    if len(segments) != len(tokens):
        raise _UnsupportedError(
            f"target_frames_blocks has {len(segments)} numbers and cluster_num_blocks {len(tokens)}, but "
            "both need one per block"
        )
    stages, before, kept = [], frames, tokens[0]
    for block, (now, own) in enumerate(zip(segments, tokens, strict=True)):
        if now != before:
            stages.append(f"B{block}-{now},{own}")
        elif own != kept:
            raise _UnsupportedError(
                f"cluster_num_blocks changes from {kept} to {own} at block {block + 1}, where "
                "target_frames_blocks doesn't change"
            )
        before, kept = now, own
    return str(TokenSchedule.parse(";".join(stages) or "none"))


def _reducer(saved: Mapping[str, Any]) -> dict[str, Any]:
    name = _named(saved, "cluster_algo", _ALGORITHMS)
    distance = saved.get("cluster_distance", "euclidean")
    power = saved.get("minkowski_norm_p", 1.0 if distance == "manhattan" else 2.0)
    if name == "kmedoids":
        return {"name": name, "metric": _metric(distance, power)}
    if name != "spectral":
        return {"name": name}
    if _metric(distance, power) != "euclidean":
        raise _UnsupportedError(f"cluster_distance {distance!r} with spectral clustering isn't supported")
    sigma = saved.get("spectral_sigma", 2.0)
    if type(sigma) not in (int, float) or not sigma > 0:
        raise _UnsupportedError(f"spectral_sigma is {sigma!r}, but must be above 0")
    neighbors = saved.get("spectral_knn_k")
    graph = _named(saved, "spectral_graph", _GRAPHS)
    table = {"name": name, "graph": graph, "sigma": float(sigma)}
    if graph == "knn" and neighbors not in _OFF:
        if type(neighbors) is not int or neighbors < 2:
            raise _UnsupportedError(
                f"spectral_knn_k is {neighbors!r}, but must be a whole number of at least 2"
            )
        table["neighbors"] = neighbors - 1
    return table


def _metric(distance: object, power: object) -> str:
    if distance == "cosine":
        return "cosine"
    found = _METRICS.get(power) if isinstance(power, int | float) else None
    if found is None or distance not in ("minkowski", found):
        raise _UnsupportedError(
            f"cluster_distance {distance!r} with minkowski_norm_p {power!r} isn't supported, only euclidean "
            "(2), manhattan (1) and cosine"
        )
    return found


def _named(saved: Mapping[str, Any], key: str, known: Mapping[str, str]) -> str:
    given = saved.get(key)
    letters = "".join(letter for letter in str(given).lower() if letter.isalpha())
    if letters not in known:
        raise _UnsupportedError(
            f"{key} is {given!r}, but only {', '.join(sorted(set(known.values())))} are supported"
        )
    return known[letters]


def _count(saved: Mapping[str, Any], key: str) -> int:
    value = saved.get(key)
    if type(value) is not int or value < 1:
        raise _UnsupportedError(f"{key} is {value!r}, but must be a whole number above 0")
    return value


def _counts(saved: Mapping[str, Any], key: str) -> list[int]:
    values = saved.get(key)
    if not isinstance(values, list) or not values or any(type(v) is not int or v < 1 for v in values):
        raise _UnsupportedError(f"{key} is {values!r}, but must list a whole number above 0 per block")
    return values


def _unread(saved: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        f"{key}={value!r}"
        for key, value in sorted(saved.items())
        if key.startswith(("cluster_", "spectral_"))
        and key not in (*_READ, *_UNSUPPORTED)
        and value not in _OFF
    )
