"""The moving parts of a run and their checkpoint: model, optimizer, average, step, best recall."""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from pydantic import ValidationError
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from centerclip import metrics
from centerclip.datasets import Dataset
from centerclip.embedding import embed_all, encode_texts
from centerclip.embedding.device import choose_dtype
from centerclip.embedding.frames import FrameSource, decode_from
from centerclip.errors import ConfigError
from centerclip.model import CenterCLIP
from centerclip.training.adapting import without_lora
from centerclip.training.batches import Batch
from centerclip.training.checkpoint import mend_folder, read_checkpoint, replace_folder, write_checkpoint
from centerclip.training.config import TrainConfig
from centerclip.training.optimizer import learning_rate, make_optimizer, set_learning_rate
from centerclip.training.processes import Processes
from centerclip.training.step import add_gradients

__all__ = ["Run"]

_ema: Any = get_ema_multi_avg_fn  # untyped
_MAX_LOGIT_SCALE = math.log(100)


class Run:
    """A run, standing where its output folder left it.

    Args:
        config: the recipe.
        model: on its device; trained in place.
        steps: of the whole run.
        max_text_tokens: longest caption, in tokens.
        processes: those that train it together; each has a `Run`.

    Raises:
        ConfigError: the output folder holds a run of another recipe or on other data.
        CheckpointError: the checkpoint there is damaged.
    """

    def __init__(
        self,
        config: TrainConfig,
        model: CenterCLIP,
        *,
        steps: int,
        max_text_tokens: int,
        processes: Processes,
    ) -> None:
        self._config, self._steps, self._max_text_tokens, self._processes = (
            config,
            steps,
            max_text_tokens,
            processes,
        )
        self.model = model
        self._optimizer = make_optimizer(model, config.optimization)
        self._precision = choose_dtype(config.optimization.precision, model.device)
        decay = config.optimization.ema
        self._average = None if decay is None else AveragedModel(model, multi_avg_fn=_ema(decay))
        self._checkpoint = config.output / "checkpoint.pt"
        self.best_folder = config.output / "best"
        self.step = 0
        self._best = -1.0
        if processes.first:
            config.output.mkdir(parents=True, exist_ok=True)
            mend_folder(self.best_folder)
        state = read_checkpoint(self._checkpoint)
        if state is not None:
            self._resume(state)
        self._agree()

    def advance(self, batch: Batch) -> tuple[float, float]:
        """One optimizer step on this process's share of a batch.

        Returns:
            The loss of the whole batch, and the norm of its gradient.
        """
        optimization, model = self._config.optimization, self.model
        set_learning_rate(self._optimizer, self.learning_rate())
        self._optimizer.zero_grad(set_to_none=True)
        loss = add_gradients(
            model.train(),
            batch,
            seed=self._config.seed + self.step,  # reducers may draw; resumption must draw the same
            chunks=optimization.chunks,
            max_text_tokens=self._max_text_tokens,
            precision=self._precision,
            processes=self._processes,
        )
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), optimization.clip_norm)
        self._optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=_MAX_LOGIT_SCALE)
        if self._average is not None:
            self._average.update_parameters(model)
        self.step += 1
        return loss, float(norm)

    def learning_rate(self) -> float:
        """That of the coming step."""
        return learning_rate(self.step, self._config.optimization, self._steps)

    def validate(self, dataset: Dataset, source: FrameSource) -> float:
        """Text-to-video R@1 in percent, of the averaged weights if there are any; keeps the best so far."""
        model: Any = (self.model if self._average is None else self._average.module).eval()
        video = embed_all(dataset.videos, model, decode=decode_from(source, model.frames))
        text = encode_texts(
            model, [caption.text for caption in dataset.captions], max_tokens=self._max_text_tokens
        )
        ranks = metrics.ranks(text @ video.T, dataset.video_of_caption())
        recall = 100 * float((ranks <= 1).mean())
        if recall > self._best:
            self._best = recall
            replace_folder(self.best_folder, without_lora(model).save_pretrained)
        return recall

    def save(self) -> None:
        """Write the checkpoint from which the run can go on."""
        state = {
            "recipe": self._config.model_dump_json(exclude={"output"}),
            "steps": self._steps,
            "step": self.step,
            "best": self._best,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }
        write_checkpoint(self._checkpoint, state)

    def _resume(self, state: dict[str, Any]) -> None:
        folder = self._config.output
        remedy = "give another output folder, or remove it"
        if not self._is_own(state["recipe"]):
            raise ConfigError(f"{folder} holds a run of another recipe: {remedy}")
        if state.get("steps", self._steps) != self._steps:
            raise ConfigError(
                f"{folder} holds a run of {state['steps']} steps, but the data now make {self._steps} of the "
                f"recipe's epochs: {remedy}"
            )
        self.model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.step, self._best = state["step"], state["best"]

    def _is_own(self, recipe: str) -> bool:
        """Whether it says the same; keys that it lacks, because it is older, count as their defaults."""
        try:
            written = TrainConfig.model_validate({**json.loads(recipe), "output": self._config.output})
        except (ValidationError, ValueError):
            return False
        return written == self._config

    def _agree(self) -> None:
        first = self._processes.from_first(lambda: self.step)
        if self._processes.agree(first != self.step, self.model.device):
            raise ConfigError(
                f"{self._config.output} is not the same folder for all processes: give one that they share"
            )
