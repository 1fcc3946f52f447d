"""The vision tower on OpenVINO, whose kernels are faster than torch's on some processors.

Owns the translation of a backbone's parts. Knows no schedules: it is told which blocks to run.
"""

from __future__ import annotations

import logging
import warnings
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
    """Runs the blocks of a backbone, each stretch translated when it is first needed. For inference on a CPU.

    Args:
        backbone: of float32 weights; OpenVINO keeps its own copy of those of the vision tower.
        dtype: float32, or bfloat16 for a processor that has instructions for it.

    Raises:
        ConfigError: OpenVINO is not installed.
    """

    def __init__(self, backbone: Backbone, dtype: torch.dtype) -> None:
        try:
            import openvino
        except ModuleNotFoundError as error:
            raise ConfigError(
                "backend 'openvino' needs the package openvino, which is not installed: "
                "pip install 'centerclip[openvino]', or give torch"
            ) from error
        self._openvino: Any = openvino
        super().__init__(backbone)
        self._properties = {
            "INFERENCE_PRECISION_HINT": "bf16" if dtype == torch.bfloat16 else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "ENABLE_CPU_PINNING": False,  # the threads that decode need the cores too
        }
        self._parts: dict[tuple[object, ...], Any] = {}
        self._lock = Lock()  # a translated part works for one thread at a time

    def run(self, tokens: Tokens, start: int, stop: int) -> Tokens:
        """`Backbone.run`; the first call for given blocks and sizes takes seconds, for the translation."""
        return replace(tokens, x=self._run(tokens, start, stop))

    def run_to_end(self, tokens: Tokens, start: int) -> Tensor:
        """`Backbone.run_to_end`, translated like `run`."""
        return self._run(tokens, start, None)

    def _run(self, tokens: Tokens, start: int, stop: int | None) -> Tensor:
        inputs = [tokens.x, tokens.positions] + ([] if tokens.sizes is None else [tokens.sizes])
        key = (start, stop, *(given.shape[1:] for given in inputs))
        with self._lock:
            if key not in self._parts:
                self._parts[key] = self._translate(_Part(self.backbone, start, stop), inputs)
            (out,) = self._parts[key]([given.numpy() for given in inputs]).values()
        return torch.from_numpy(out)

    def _translate(self, part: nn.Module, inputs: list[Tensor]) -> Any:
        from openvino.frontend import FrontEndManager
        from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

        # Of two rows, because torch takes the size 1 for a constant.
        examples = tuple(torch.zeros(2, *given.shape[1:]) for given in inputs)
        # Export can't work with inference tensors, and torch warns of what it calls in itself.
        logging.root.addFilter(_is_of_use)
        try:
            with torch.inference_mode(False), torch.no_grad(), warnings.catch_warnings(action="ignore"):
                any_rows = tuple({0: torch.export.Dim.AUTO} for _ in inputs)
                program = torch.export.export(part, examples, dynamic_shapes=any_rows)
                graph = TorchFXPythonDecoder.from_exported_program(program)
        finally:
            logging.root.removeFilter(_is_of_use)
        # Not by openvino.convert_model, which reports each use to its makers.
        frontend = FrontEndManager().load_by_framework("pytorch")
        model = frontend.convert(frontend.load(graph))
        return self._openvino.compile_model(model, "CPU", self._properties)


class _Part(nn.Module):
    """A stretch of blocks, to the end where `stop` is None, as a module that can be traced."""

    def __init__(self, backbone: Backbone, start: int, stop: int | None) -> None:
        super().__init__()
        self.backbone, self.start, self.stop = backbone, start, stop
        self.eval()

    def forward(self, x: Tensor, positions: Tensor, sizes: Tensor | None = None) -> Tensor:
        tokens = Tokens(x, positions, sizes, self.backbone.has_class_token)
        if self.stop is None:
            return self.backbone.run_to_end(tokens, self.start)
        return self.backbone.run(tokens, self.start, self.stop).x


def _is_of_use(record: logging.LogRecord) -> bool:
    """Leaves out, with their tracebacks, the operations that this torch no longer splits up anyway."""
    return "not found in decomp table" not in record.getMessage()
