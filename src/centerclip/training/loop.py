"""The training loop: batches in, checkpoints and the best model out.

A run is a function of its recipe. Everything random is drawn from the seed and the step, so a run
that was killed and resumed ends with the same weights as one that was not (bit for bit on a CPU).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from centerclip import metrics
from centerclip.clustering.reducers import make_reducer
from centerclip.datasets import Dataset, load_dataset
from centerclip.datasets.frames import FrameSource, open_frames
from centerclip.errors import ConfigError
from centerclip.evaluation import embed_captions, embed_videos
from centerclip.model import CenterCLIP
from centerclip.training.batches import Batch, Batches
from centerclip.training.checkpoint import read_checkpoint, write_checkpoint
from centerclip.training.config import TrainConfig
from centerclip.training.loss import contrastive_loss
from centerclip.training.optimizer import learning_rate, make_optimizer
from centerclip.training.scratch import fit_tokenizer, make_clip

__all__ = ["Progress", "build_model", "train"]

_MAX_LOGIT_SCALE = math.log(100)


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands after a step; `recall` is text-to-video R@1 on validation, in percent."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    videos_per_second: float
    recall: float | None = None


def build_model(config: TrainConfig, captions: list[str]) -> CenterCLIP:
    """The model a recipe starts from: loaded, or random with a tokenizer fitted to `captions`."""
    section = config.model
    reducer = make_reducer(**section.reducer)
    if section.start is not None:
        return CenterCLIP.from_pretrained(
            section.start, schedule=section.schedule, reducer=reducer, frames=section.frames
        )
    assert section.architecture is not None
    tokenizer = fit_tokenizer(
        captions,
        vocabulary=section.architecture.vocabulary,
        context_length=section.architecture.context_length,
    )
    torch.manual_seed(config.seed)
    clip = make_clip(section.architecture, vocabulary=len(tokenizer))
    return CenterCLIP(
        clip, schedule=section.schedule, reducer=reducer, frames=section.frames, tokenizer=tokenizer
    )


def train(
    config: TrainConfig,
    *,
    device: str | torch.device = "cpu",
    on_progress: Callable[[Progress], None] | None = None,
    on_decoded: Callable[[int, int], None] | None = None,
) -> Path:
    """Run a recipe from wherever its output folder stands.

    Args:
        config: the recipe.
        device: where the model lives.
        on_progress: called after every step.
        on_decoded: called with (videos decoded, videos in all) while a frame cache is filled.

    Returns:
        The folder of the model with the best validation recall, `output/best`.

    Raises:
        ConfigError: the output folder belongs to another recipe, or the batch exceeds the data.
        CheckpointError: the checkpoint in the output folder is damaged.
    """
    training = _load(config, config.data.train_split)
    validation = _load(config, config.data.val_split)
    model = build_model(config, [caption.text for caption in training.captions]).to(device)
    sources = [_frames(config, split, model, on_decoded) for split in (training, validation)]
    batches = Batches(
        training,
        sources[0],
        batch_size=config.optimization.batch_size,
        frames=config.model.frames,
        seed=config.seed,
    )
    run = _Run(config, model)
    started, first = time.monotonic(), run.step
    for batch in batches.run(run.step, config.optimization.steps):
        loss = run.advance(batch)
        last = run.step == config.optimization.steps
        recall = None
        if last or run.step % config.validate_every == 0:
            recall = run.validate(validation, sources[1])
        if last or run.step % config.checkpoint_every == 0:
            run.save()
        seen = (run.step - first) * config.optimization.batch_size
        progress = Progress(
            run.step,
            config.optimization.steps,
            loss,
            learning_rate(run.step - 1, config.optimization),
            seen / (time.monotonic() - started),
            recall,
        )
        run.log(progress)
        if on_progress is not None:
            on_progress(progress)
    return run.best_folder


class _Run:
    """The moving parts of one run: model, optimizer, step, best recall, and their checkpoint."""

    def __init__(self, config: TrainConfig, model: CenterCLIP) -> None:
        self._config = config
        self._model = model
        self._optimizer = make_optimizer(model, config.optimization)
        self._checkpoint = config.output / "checkpoint.pt"
        self.best_folder = config.output / "best"
        self.step = 0
        self._best = -1.0
        config.output.mkdir(parents=True, exist_ok=True)
        self._recipe = config.model_dump_json(exclude={"output"})
        state = read_checkpoint(self._checkpoint)
        if state is None:
            return
        if state["recipe"] != self._recipe:
            raise ConfigError(
                f"{config.output} holds a run of another recipe: give another output folder, or remove it"
            )
        model.load_state_dict(state["model"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.step, self._best = state["step"], state["best"]

    def advance(self, batch: Batch) -> float:
        """One optimizer step; returns the loss."""
        config, model = self._config.optimization, self._model
        device = model.logit_scale.device
        torch.manual_seed(self._config.seed + self.step)  # reducers may draw; resumption must draw the same
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate(self.step, config)
        model.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
            video = model.encode_video(model.preprocess(batch.frames.to(device)), batch.mask.to(device))
            text = model.encode_text(batch.captions)
        loss = contrastive_loss(text, video, model.logit_scale.exp())
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
        self._optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(max=_MAX_LOGIT_SCALE)
        self.step += 1
        return float(loss.detach())

    def validate(self, dataset: Dataset, source: FrameSource) -> float:
        """Text-to-video R@1 in percent; keeps the model if it is the best so far."""
        video = embed_videos(self._model, source, len(dataset.videos))
        text = embed_captions(self._model, [caption.text for caption in dataset.captions])
        ranks = metrics.ranks(text @ video.T, dataset.video_of_caption())
        recall = 100 * float((ranks <= 1).mean())
        if recall > self._best:
            self._best = recall
            self._model.save_pretrained(self.best_folder)
        return recall

    def save(self) -> None:
        """Write the checkpoint from which the run can go on."""
        state = {
            "recipe": self._recipe,
            "step": self.step,
            "best": self._best,
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }
        write_checkpoint(self._checkpoint, state)

    def log(self, progress: Progress) -> None:
        """Append a line to the run's `progress.jsonl`."""
        with (self._config.output / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(progress)) + "\n")


def _load(config: TrainConfig, split: str) -> Dataset:
    data = config.data
    return load_dataset(
        data.dataset,
        split,
        videos=data.videos,
        annotations=data.annotations,
        allow_missing=data.allow_missing,
    )


def _frames(
    config: TrainConfig, dataset: Dataset, model: CenterCLIP, on_decoded: Callable[[int, int], None] | None
) -> FrameSource:
    return open_frames(
        dataset.videos,
        model.image_size,
        cache=config.data.cache,
        kept=max(config.data.cached_frames, config.model.frames),
        workers=config.data.workers,
        progress=on_decoded,
    )
