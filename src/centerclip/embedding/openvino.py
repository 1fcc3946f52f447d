"""The vision tower on OpenVINO, which is faster than torch on some processors.

Owns the translation of a backbone's blocks. Knows no schedules: callers choose which blocks to run.
"""

from __future__ import annotations

import logging
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Lock
from typing import Any

import torch
from torch import Tensor, nn

from centerclip.clustering import Tokens
from centerclip.errors import ConfigError
from centerclip.model import Backbone, Tower

__all__ = ["OpenVINOTower"]


class OpenVINOTower(Tower):
    """Runs the blocks of a backbone on a CPU, each stretch translated on first use. For inference only.

    Args:
        backbone: with float32 weights; OpenVINO keeps its own copy of the vision tower's.
        dtype: float32, or bfloat16 for a processor that supports it natively.

    Raises:
        ConfigError: OpenVINO isn't installed.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise ConfigError(
                "backend 'openvino' needs a package: pip install 'centerclip[openvino]', or give torch"
            ) from error
        self._openvino: Any = openvino
        super().__init__(backbone)
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # decoding threads need the cores too
        }
        self._parts: dict[tuple[object, ...], Any] = {}
        self._lock = Lock()  # only one thread at a time can use a translated part

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """See `Backbone.run`; the first call for given blocks and sizes takes seconds for the translation."""
        return replace(tokens, x=self._run(tokens, start, stop))

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """See `Backbone.run_to_end`; translated like `run`."""
        return self._run(tokens, start, None)

    def _run(self, tokens: Tokens, start: int, stop: int | None) -> Tensor:
        inputs = [tokens.x, tokens.positions] + ([] if tokens.sizes is None else [tokens.sizes])
        key = (start, stop, *(given.shape[1:] for given in inputs))
        with self._lock:
            if key not in self._parts:
                self._parts[key] = self._translate(_Blocks(self.backbone, start, stop), inputs)
            (out,) = self._parts[key]([given.numpy() for given in inputs]).values()
        return torch.from_numpy(out)

    def _translate(self, part: nn.Module, inputs: list[Tensor]) -> Any:
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
        model = frontend.convert(frontend.load(graph))
        # In a thread of its own: OpenVINO changes the signal stack of the thread that compiles, and the next
        # Ctrl-C would crash the main thread.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(self._openvino.compile_model, model, "CPU", self._properties).result()


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
