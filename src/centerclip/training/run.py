"""The state of a run and its checkpoint: model, optimizer, average, step and best recall."""

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
from centerclip.training.checkpoint import (
    read_checkpoint,
    repair_output,
    replace_folder,
    resuming,
    write_checkpoint,
)
from centerclip.training.config import TrainConfig
from centerclip.training.optimizer import learning_rate, make_optimizer, set_learning_rate
from centerclip.training.processes import Processes
from centerclip.training.recipes import differing_keys
from centerclip.training.step import add_gradients

__all__ = ["Run"]

_ema: Any = get_ema_multi_avg_fn  # untyped
_MAX_LOGIT_SCALE = math.log(100)
_NOT_COMPARED = {"output", "trackers", "tensorboard"}
"""Keys that may change when a run goes on. `tensorboard` was once one of them."""


class Run:
    """A run, continued from the checkpoint in its output folder if there is one.

    Args:
        config: the recipe.
        model: on its device; trained in place.
        training: the training split, which decides the number of steps and the maximum length of captions.
        processes: the processes that train together; each has a `Run`.

    Raises:
        ConfigError: the output folder contains a run of another recipe or on other data, or the processes
            don't share it.
        CheckpointError: the checkpoint there is damaged.
    """

    def __init__(
        self, config: TrainConfig, model: CenterCLIP, training: Dataset, processes: Processes
    ) -> None:
        optimization = config.optimization
        self._config = config
        self._max_text_tokens = training.max_text_tokens
        self._processes = processes
        self.model = model
        self._optimizer = make_optimizer(model, optimization)
        self._precision = choose_dtype(optimization.precision, model.device)
        decay = optimization.ema
        self._average = None if decay is None else AveragedModel(model, multi_avg_fn=_ema(decay))
        self._checkpoint = config.output / "checkpoint.pt"
        self.best_folder, self._last_folder = config.output / "best", config.output / "last"
        epochs = (optimization.epochs or 0) * len(training.captions) / optimization.batch_size
        self.steps = optimization.steps or max(1, round(epochs))
        self.step = 0
        self._best = -1.0
        if processes.first:
            config.output.mkdir(parents=True, exist_ok=True)
            repair_output(config.output, self.best_folder, self._last_folder)
        state = read_checkpoint(self._checkpoint)
        if state is not None:
            self._resume(state)
        step_of_first = processes.from_first(lambda: self.step)
        if processes.agree(step_of_first != self.step, model.device):
            raise ConfigError(
                f"{config.output} is not the same folder for all processes: give one that they share"
            )

    def advance(self, batch: Batch) -> tuple[float, float, float]:
        """Do one optimizer step on this process's shard of a batch.

        Returns:
            The loss of the whole batch, the norm of its gradient before clipping, and the learning rate.
        """
        optimization, model = self._config.optimization, self.model
        rate = learning_rate(self.step, self.steps, optimization)
        set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        loss = add_gradients(
            model.train(),
            batch,
            seed=self._config.seed + self.step,  # a resumed run must draw the same numbers
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
        return loss, float(norm), rate

    def validate(self, dataset: Dataset, source: FrameSource) -> float:
        """Return text-to-video R@1 in percent, and save the model if it is the best so far.

        Each process encodes a part of the videos and captions, so all of them must call this.
        The averaged weights are validated and saved if the recipe asks for an average.
        """
        model = self._result().eval()
        captions = [caption.text for caption in dataset.captions]
        video = self._processes.collect(
            dataset.videos, lambda own: embed_all(own, model, decode=decode_from(source, model.frames))
        )
        text = self._processes.collect(
            captions, lambda own: encode_texts(model, own, max_tokens=self._max_text_tokens)
        )
        ranks = metrics.ranks(text @ video.T, dataset.video_of_caption())
        recall = 100 * float((ranks <= 1).mean())
        if recall > self._best:
            self._best = recall
            if self._processes.first:
                replace_folder(self.best_folder, without_lora(model).save_pretrained)
        return recall

    def save(self) -> None:
        """Write the checkpoint that the run can be continued from, and its model."""
        state = {
            "recipe": self._config.model_dump_json(exclude=_NOT_COMPARED),
            "steps": self.steps,
            "step": self.step,
            "best": self._best,
            "model": self.model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": None if self._average is None else self._average.state_dict(),
        }
        write_checkpoint(self._checkpoint, state)
        replace_folder(self._last_folder, without_lora(self._result()).save_pretrained)

    def _result(self) -> CenterCLIP:
        """The model to use: the average if the recipe asks for one."""
        averaged: Any = self._average
        return self.model if averaged is None else averaged.module

    def _resume(self, state: dict[str, Any]) -> None:
        folder = self._config.output
        remedy = "continue with the same recipe, give another output folder, or delete this one"
        if differing := self._differing(state["recipe"]):
            raise ConfigError(f"{folder} contains a run of another recipe ({differing}): {remedy}")
        if state.get("steps", self.steps) != self.steps:
            raise ConfigError(
                f"{folder} contains a run of {state['steps']} steps, but with the present data the recipe's "
                f"epochs are {self.steps} steps: {remedy}"
            )
        with resuming(self._checkpoint):
            self.model.load_state_dict(state["model"])
            self._optimizer.load_state_dict(state["optimizer"])
            if self._average is not None:
                self._average.load_state_dict(state["average"])
        self.step, self._best = state["step"], state["best"]

    def _differing(self, recipe: str) -> str:
        """Name what differs from the run's recipe; keys that an older one lacks count as their defaults."""
        try:
            kept = {key: value for key, value in json.loads(recipe).items() if key not in _NOT_COMPARED}
            now = {key: getattr(self._config, key) for key in ("output", "trackers")}
            written = TrainConfig.model_validate({**kept, **now})
        except (ValidationError, ValueError, RecursionError):
            return "this version can't read it"
        return "; ".join(differing_keys(written, self._config))
