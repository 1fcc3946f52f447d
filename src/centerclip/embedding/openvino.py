"""The vision tower on OpenVINO, which is faster than torch on some processors.

Owns the translation of a backbone's blocks. Knows no schedules: callers choose which blocks to run.
"""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from threading import local
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.embedding.exclusive import Exclusive
from centerclip.errors import ConfigError
from centerclip.model import Backbone, Tower

__all__ = ["OpenVINOTower"]

_Key: TypeAlias = tuple[object, ...]
_TORCH = Exclusive()
"""While torch exports a module, it records calls of it by any thread, and says that it is compiling."""
_GROUP = 64
"""Numbers of a token that are rounded with one scale. It divides the width of every known model."""
_LEVELS = 127
"""Of weights, on each side of zero."""
_LEAST = 1e-30
"""The largest weight of an output if all of them are zero."""


class OpenVINOTower(Tower):
    """Runs the blocks of a backbone on a CPU, each stretch translated on first use. For inference only.

    With several streams, as many threads can use it at once, each on its own share of the cores: an operation
    that is split among all cores ends when its slowest part does; whole batches don't wait for each other.

    Args:
        backbone: with float32 weights; OpenVINO keeps its own copy of the vision tower's.
        precision: `float32`; `bfloat16`, for a processor that supports it natively; or `int8`: products with
            weights are in 8 bits, and the rest is in `dtype`. Weights are rounded once, with one scale per
            output; inputs every time, with one scale per 64 numbers of a token.
        dtype: float32 or bfloat16, of everything that isn't in 8 bits.
        streams: number of batches that are encoded side by side.

    Attributes:
        precision, streams: as given.

    Raises:
        ConfigError: OpenVINO isn't installed.
    """

    def __init__(
        self, backbone: Backbone, precision: str, *, dtype: torch.dtype = torch.float32, streams: int = 1
    ) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise ConfigError(
                "backend 'openvino' needs a package: pip install 'centerclip[openvino]', or give torch"
            ) from error
        self._openvino: Any = openvino
        super().__init__(backbone)
        self.precision, self.streams = precision, streams
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # decoding threads need the cores too
            "DYNAMIC_QUANTIZATION_GROUP_SIZE": _GROUP if precision == "int8" else 0,
        }
        self._parts: dict[_Key, Any] = {}
        self._own = local()  # each thread's requests, because only one thread at a time can use one

    def turn(self) -> AbstractContextManager[None]:
        """See `Tower.turn`."""
        return _TORCH.shared()

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """See `Backbone.run`; the first call for given blocks and sizes takes seconds for the translation.

        Raises:
            ConfigError: OpenVINO can't run these blocks.
        """
        return replace(tokens, x=self._run(tokens, start, stop))

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """See `Backbone.run_to_end`; translated like `run`."""
        return self._run(tokens, start, None)

    def _run(self, tokens: Tokens, start: int, stop: int | None) -> Tensor:
        inputs = [tokens.x, tokens.positions] + ([] if tokens.sizes is None else [tokens.sizes])
        key = (start, stop, *(given.shape[1:] for given in inputs))
        requests: dict[_Key, Any] = vars(self._own).setdefault("requests", {})
        if key not in requests:
            with _TORCH.alone():
                if key not in self._parts:
                    self._parts[key] = self._translate(_Blocks(self.backbone, start, stop), inputs)
            requests[key] = self._parts[key].create_infer_request()
        (out,) = requests[key].infer([given.numpy() for given in inputs], share_inputs=True).values()
        return torch.from_numpy(out)

    def _translate(self, part: nn.Module, inputs: list[Tensor]) -> Any:
        try:
            model = _convert(part, inputs)
            if self.precision == "int8":
                _round_weights(model)
            # In a thread of its own: OpenVINO changes the signal stack of the thread that compiles, and the
            # next Ctrl-C would crash the main thread.
            with ThreadPoolExecutor(1) as pool:
                compiled = pool.submit(self._openvino.compile_model, model, "CPU", self._properties)
                return compiled.result()
        except MemoryError:
            raise
        except Exception as error:  # torch and OpenVINO raise anything for what they can't translate
            reason = str(error).strip().split("\n", 1)[0]
            raise ConfigError(
                f"backend 'openvino' can't run {type(self.backbone).__name__} "
                f"({type(error).__name__}: {reason}): give torch"
            ) from error


def _convert(part: nn.Module, inputs: list[Tensor]) -> Any:
    """Translate a module to OpenVINO's representation, for any number of rows."""
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    # Two rows, because torch treats a size of 1 as a constant.
    examples = tuple(torch.zeros(2, *given.shape[1:]) for given in inputs)
    # Export doesn't work with inference tensors, and torch warns about its own calls.
    logging.root.addFilter(_is_useful)
    try:
        with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings(action="ignore"):
            any_rows = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
            program = torch.export.export(part, examples, dynamic_shapes=any_rows)
            graph = TorchFXPythonDecoder.from_exported_program(program)
    finally:
        logging.root.removeFilter(_is_useful)
    # Not openvino.convert_model, which reports each use to its makers.
    frontend = FrontEndManager().load_by_framework("pytorch")
    return frontend.convert(frontend.load(graph))


def _round_weights(model: Any) -> None:
    """Round the weights of linear maps [E, D] to 8 bits, in the form whose products OpenVINO also rounds."""
    from openvino import opset13 as make

    for node in model.get_ops():
        if node.get_type_name() != "MatMul" or not node.get_attributes()["transpose_b"]:
            continue
        weights = node.input_value(1).get_node()
        if weights.get_type_name() != "Constant" or len(weights.get_output_shape(0)) != 2:
            continue
        exact = np.asarray(weights.data, np.float32)  # [E, D]
        scales = np.maximum(np.abs(exact).max(1, keepdims=True), _LEAST) / _LEVELS  # [E, 1]
        rounded = make.constant(np.round(exact / scales).astype(np.int8))
        scaled = make.multiply(make.convert(rounded, "f32"), make.constant(scales))
        node.input(1).replace_source_output(scaled.output(0))


class _Blocks(nn.Module):
    """A stretch of blocks as a module that can be exported; without `stop`, up to the end."""

    def __init__(self, backbone: Backbone, start: int, stop: int | None) -> None:
        super().__init__()
        self.backbone, self.start, self.stop = backbone, start, stop
        self.eval()

    def forward(self, x: Tensor, positions: Tensor, sizes: Tensor | None = None) -> Tensor:
        tokens = Tokens(x, positions, sizes, self.backbone.has_class_token)
        if self.stop is None:
            return self.backbone.run_to_end(tokens, self.start)
        return self.backbone.run(tokens, self.start, self.stop).x


def _is_useful(record: logging.LogRecord) -> bool:
    """Drop messages, with tracebacks, about operations that this torch doesn't decompose anyway."""
    return "not found in decomp table" not in record.getMessage()
