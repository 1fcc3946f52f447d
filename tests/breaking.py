"""Ways to spoil a file of a model: each `Break` changes one thing in the folder of a good one."""

from __future__ import annotations

import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from openai_layout import known_model, openai_names
from safetensors.torch import load_file, save_file

Break = Callable[[Path], None]


class Evil:
    """Makes a file `was-run` in the working folder when unpickled."""

    def __reduce__(self) -> Any:
        return os.system, ("touch was-run",)


class Buffer:
    """Takes 8 GB when unpickled."""

    def __reduce__(self) -> Any:
        return bytearray, (8 << 30,)


# Ways to spoil any file


def write(name: str, content: bytes | str) -> Break:
    data = content.encode() if isinstance(content, str) else content
    return lambda folder: (folder / name).write_bytes(data) and None


def cut(name: str, part: float) -> Break:
    def spoil(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * part)])

    return spoil


def instead(name: str, make: Callable[[Path], object]) -> Break:
    def spoil(folder: Path) -> None:
        (folder / name).unlink()
        make(folder / name)

    return spoil


def settings(name: str, change: Callable[[Any], object]) -> Break:
    """Change parsed JSON in place."""

    def spoil(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        change(content)
        (folder / name).write_text(json.dumps(content))

    return spoil


def put(name: str, place: str, value: Any) -> Break:
    """Set one value of a JSON file; `place` has its keys, with slashes."""

    def change(content: Any) -> None:
        *above, last = place.split("/")
        for key in above:
            content = content[key]
        content[last] = value

    return settings(name, change)


def drop(name: str, key: str) -> Break:
    return settings(name, lambda content: content.pop(key))


def damaged(name: str) -> dict[str, Break]:
    """Damage that any JSON file can have."""
    return {
        f"{name} empty": write(name, ""),
        f"{name} cut": cut(name, 0.5),
        f"{name} a list": write(name, "[]"),
        f"{name} null": write(name, "null"),
        f"{name} not UTF-8": write(name, b'{"a": "\xff"}'),
        f"{name} nested deeply": write(name, "[" * 200_000),
        f"{name} a number of 10,000 digits": write(name, '{"version": ' + "9" * 10_000 + "}"),
    }


# Weights


def tensors(change: Callable[[dict[str, torch.Tensor]], object]) -> Break:
    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        content = {name: tensor.clone() for name, tensor in load_file(path).items()}
        change(content)
        save_file(content, path, metadata={"format": "pt"})

    return spoil


def header(change: Callable[[dict[str, Any]], object]) -> Break:
    """Change the header of a safetensors file, which says where its tensors are."""

    def spoil(folder: Path) -> None:
        path = folder / "model.safetensors"
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        content = json.loads(data[8 : 8 + length])
        change(content)
        text = json.dumps(content).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])

    return spoil


def pickled(content: Any, *, name: str = "pytorch_model.bin", zipped: bool = True) -> Break:
    """Replace the weights by a file of `torch.save`; `content` may be made from the good weights."""

    def spoil(folder: Path) -> None:
        good = good_weights(folder, name)
        for weights in folder.glob("*.safetensors"):
            weights.unlink()
        made = content(good) if callable(content) else content
        torch.save(made, folder / name, _use_new_zipfile_serialization=zipped)

    return spoil


def good_weights(folder: Path, name: str) -> dict[str, torch.Tensor]:
    if name == "a.pt":
        return openai_names(known_model())
    return load_file(next(folder.glob("*.safetensors")))


def archive(name: str, members: dict[str, bytes], *, method: int = zipfile.ZIP_STORED) -> Break:
    def spoil(folder: Path) -> None:
        for weights in folder.glob("*.safetensors"):
            weights.unlink()
        with zipfile.ZipFile(folder / name, "w", method) as made:
            for member, content in members.items():
                made.writestr(member, content)

    return spoil


def bomb(name: str) -> Break:
    """A file of 100 kB that unpacks to 100 MB, like one of 3 MB that unpacks to 3 GB."""
    members = {"a/data.pkl": pickle.dumps({}), "a/version": b"3\n", "a/data/0": bytes(100 << 20)}
    return archive(name, members, method=zipfile.ZIP_DEFLATED)


_FAR_MEMO = pickle.PROTO + b"\x02" + b"}" + pickle.LONG_BINPUT + struct.pack("<I", (1 << 31) - 1) + b"."
"""For this the unpickler in C makes room for 4 billion objects."""


def torchscript(name: str, data: bytes) -> Break:
    return archive(name, {"a/constants.pkl": pickle.dumps(()), "a/data.pkl": data})


def weights(name: str) -> dict[str, Break]:
    """Damage that weights can have in any layout that is pickled."""
    return {
        f"{name} empty": pickled({}, name=name),
        f"{name} a list": pickled([1, 2], name=name),
        f"{name} a number": pickled(7, name=name),
        f"{name} text": write_weights(name, b"weights"),
        f"{name} nothing": write_weights(name, b""),
        f"{name} cut": both(pickled(dict, name=name), cut(name, 0.5)),
        f"{name} cut at its end": both(pickled(dict, name=name), cut(name, 0.99)),
        f"{name} old cut": both(pickled(dict, name=name, zipped=False), cut(name, 0.5)),
        f"{name} runs code": pickled(lambda good: good | {"x": Evil()}, name=name),
        f"{name} old runs code": pickled(lambda good: good | {"x": Evil()}, name=name, zipped=False),
        f"{name} a plain pickle runs code": write_weights(name, pickle.dumps(Evil(), protocol=2)),
        f"{name} TorchScript runs code": torchscript(name, pickle.dumps(Evil(), protocol=2)),
        f"{name} TorchScript far memo": torchscript(name, _FAR_MEMO),
        f"{name} bomb": bomb(name),
        f"{name} buffer": pickled(lambda good: good | {"x": Buffer()}, name=name),
        f"{name} old buffer": pickled(lambda good: good | {"x": Buffer()}, name=name, zipped=False),
        f"{name} names aren't text": pickled(lambda good: dict(enumerate(good.values())), name=name),
        f"{name} values aren't tensors": pickled(lambda good: dict.fromkeys(good, 1.0), name=name),
        f"{name} one number repeated": pickled(_repeated, name=name),
        f"{name} sparse": pickled(lambda good: {key: t.to_sparse() for key, t in good.items()}, name=name),
        f"{name} complex": pickled(
            lambda good: {k: t.to(torch.complex64) for k, t in good.items()}, name=name
        ),
        f"{name} not numbers": pickled(lambda good: {k: t * torch.nan for k, t in good.items()}, name=name),
    }


def write_weights(name: str, content: bytes) -> Break:
    def spoil(folder: Path) -> None:
        for path in folder.glob("*.safetensors"):
            path.unlink()
        (folder / name).write_bytes(content)

    return spoil


def both(first: Break, second: Break) -> Break:
    def spoil(folder: Path) -> None:
        first(folder)
        second(folder)

    return spoil


def _repeated(good: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(1).expand(40_000, 40_000) for name in good}
