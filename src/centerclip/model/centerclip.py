"""`CenterCLIP`: a dual encoder and a token schedule.

Encodes videos and sentences into one space, where their dot product is their similarity. Knows no
video files and no indexes; what models look like on disk is known to `centerclip.model.storage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from centerclip.clustering.reducers import Reducer, make_reducer, reducer_config
from centerclip.errors import ModelError, ScheduleError
from centerclip.model.backbones import Backbone, make_backbone
from centerclip.model.fingerprint import compute_fingerprint, weights_state
from centerclip.model.hub import upload_folder
from centerclip.model.loading import default_settings, load_backbone
from centerclip.model.ragged import by_length, join_rows
from centerclip.model.repeats import without_repeats
from centerclip.model.segments import reduce_segments, size_bias
from centerclip.model.storage import Settings, save_folder
from centerclip.model.temporal import TemporalEmbedding
from centerclip.model.trace import Stage, Tracer
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule, resolve_schedule

__all__ = ["CenterCLIP", "Tower"]


class Tower(Protocol):
    """What runs the blocks of the vision tower: the backbone itself, or a compiled stand-in for inference."""

    def run(self, x: Tensor, start: int, stop: int, bias: Tensor | None = None) -> Tensor:
        """Do what `Backbone.run` does."""
        ...


class CenterCLIP(nn.Module):
    """A CLIP for videos that goes on with fewer tokens after some of its blocks.

    Adds no parameter of its own accord: with the schedule `none` it is the plain model, applied frame by
    frame. A temporal embedding, if asked for, is added to the tokens at the input of the block of the first
    reduction, where frames are about to meet; under `none` they never do, and it is added after half of the
    blocks, so that models may be compared at equal parameters.

    Args:
        clip: `transformers.CLIPModel` or `SiglipModel` (used, not copied), or a `Backbone`.
        schedule: such as `B6-4,49`, `none`, or a preset's name (`centerclip.schedule.PRESETS`). A video with
            too few frames for it is encoded by the nearest schedule that fits (`TokenSchedule.fit`).
        reducer: a name of `centerclip.clustering.reducers.REDUCERS`, or a reducer.
        frames: T, the frames a video is meant to have; other numbers work.
        tokenizer: of `transformers`; without one, only token ids can be encoded.
        temporal: a temporal embedding (used, not copied); True makes one of zeros, which change nothing
            before they are trained.

    Attributes:
        tower: what runs the vision tower in place of the backbone, or None.

    Raises:
        ModelError: the model is of an unsupported family, or the table is not of its width.
        ScheduleError: the schedule doesn't fit the model or the frames.

    Source: CenterCLIP (arXiv 2205.00823) sections 3 and 4; mean pooling: CLIP4Clip (arXiv 2104.08860).
    """

    def __init__(
        self,
        clip: nn.Module,
        schedule: str | TokenSchedule = "none",
        *,
        reducer: str | Reducer = "kmedoids",
        frames: int = 12,
        tokenizer: Any = None,
        temporal: bool | TemporalEmbedding | None = None,
    ) -> None:
        super().__init__()
        self.backbone = clip if isinstance(clip, Backbone) else make_backbone(clip, tokenizer)
        self.training = self.backbone.training
        if frames < 1:
            raise ScheduleError(f"{frames} frames a video can't be encoded: at least 1 is needed")
        self.frames = frames
        self.reducer = make_reducer(reducer) if isinstance(reducer, str) else reducer
        self.tower: Tower | None = None
        self.schedule = schedule
        self.temporal = self._fitting(temporal)
        self._fingerprint: tuple[object, str] | None = None

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        schedule: str | TokenSchedule | None = None,
        reducer: str | Reducer | None = None,
        frames: int | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        tokenizer: Any = None,
        activation: str | None = None,
        revision: str | None = None,
        temporal: bool | None = None,
    ) -> Self:
        """Load a model, in evaluation mode.

        Args:
            name: a name of the hub; a folder; `nano`, the small bundled model; or a checkpoint file of
                OpenAI, open_clip, CLIP4Clip or CenterCLIP (`centerclip.model.checkpoints`).
            schedule, reducer, frames: what is not given is the saved model's own, or else the default:
                12 frames, k-medoids and `default_schedule`.
            device: where to put it; the CPU by default.
            dtype: of the weights; float32 by default, however they are stored.
            tokenizer: its folder, a hub name, or the tokenizer itself. By default the model's own; for a
                checkpoint file the one beside it, or else CLIP's, from the hub.
            activation: `gelu` or `quick_gelu`, for a checkpoint file whose lineage doesn't tell
                (`read_checkpoint`).
            revision: branch, tag or commit on the hub.
            temporal: None takes the saved model's temporal embedding, if it has one; True adds one of zeros
                to a model that has none; False leaves it out.

        Raises:
            ModelError: there is no such model, it can't be reached or is of an unsupported family.
            CheckpointError: its weights are damaged or incomplete.
            ScheduleError: the schedule doesn't fit it.
        """
        backbone, saved = load_backbone(name, tokenizer=tokenizer, activation=activation, revision=revision)
        if saved is None:
            saved = default_settings(backbone, 12 if frames is None else frames)
        frames = saved.frames if frames is None else frames
        schedule = saved.schedule if schedule is None else schedule
        reducer = make_reducer(**saved.reducer) if reducer is None else reducer
        table = None if temporal is False else saved.temporal
        embedding = temporal if table is None else TemporalEmbedding(table)
        model = cls(backbone, schedule, reducer=reducer, frames=frames, temporal=embedding)
        return model.to(device=device, dtype=dtype).eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model in the hub's layout, with schedule, reducer and frames in `centerclip.json`.

        `transformers` opens the folder as the plain model, with its tokenizer and processor.

        Raises:
            ModelError: the folder can't be written.
        """
        table = None if self.temporal is None else self.temporal.table.detach()
        settings = Settings(str(self.schedule), reducer_config(self.reducer), self.frames, table)
        save_folder(Path(folder), self.backbone, settings)

    def push_to_hub(
        self,
        name: str,
        *,
        private: bool | None = None,
        token: str | None = None,
        message: str = "Upload a CenterCLIP model",
    ) -> str:
        """Save the model and upload it to the hub.

        Args:
            name: `owner/name`; the repository is made where there is none.
            private: of a new repository; None takes the owner's default.
            token: by default that of `hf auth login`.
            message: of the commit.

        Returns:
            The address of the commit.

        Raises:
            ModelError: the hub refused, or can't be reached.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return upload_folder(Path(folder), name, private=private, token=token, message=message)

    def fingerprint(self) -> str:
        """16 hexadecimal digits that stand for weights, configuration, schedule, reducer and preprocessing.

        The same however the model was loaded, in float32 or bfloat16; computed anew only after a change.
        """
        weights = weights_state(self.backbone, self.temporal)
        state = (str(self.schedule), reducer_config(self.reducer), self.frames, weights)
        if self._fingerprint is None or self._fingerprint[0] != state:
            digest = compute_fingerprint(
                self.backbone, self.schedule, self.reducer, self.frames, self.temporal
            )
            self._fingerprint = (state, digest)
        return self._fingerprint[1]

    @property
    def schedule(self) -> TokenSchedule:
        """What is reduced where; may be set to compare schedules on the same weights."""
        return self._schedule

    @schedule.setter
    def schedule(self, schedule: str | TokenSchedule) -> None:
        blocks, patches = self.backbone.blocks, self.backbone.patches
        resolved = resolve_schedule(schedule, blocks=blocks, patches=patches, frames=self.frames)
        resolved.validate(blocks=blocks, frames=self.frames, patches=patches)
        self._schedule = resolved

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames, in pixels."""
        return self.backbone.image_size

    @property
    def preprocessing(self) -> Preprocessing:
        """How frames become the model's input; `centerclip.video.fit` resizes by it."""
        return self.backbone.preprocessing

    @property
    def embed_size(self) -> int:
        """E, the length of an embedding."""
        return self.backbone.embed_size

    @property
    def segments(self) -> int:
        """S, the segments of a video of `frames` frames."""
        return self.schedule.segments(self.frames)

    @property
    def logit_scale(self) -> Tensor:
        """The learned scale of the similarities, as a natural logarithm; a scalar parameter."""
        scale: Tensor = self.backbone.model.logit_scale
        return scale

    @property
    def device(self) -> torch.device:
        return self.logit_scale.device

    def preprocess(self, frames: Tensor) -> Tensor:
        """Normalize frames of the model's size; runs on their device.

        Args:
            frames: [..., 3, H, W] uint8, RGB.

        Returns:
            The same shape, float32.

        Raises:
            ValueError: not uint8, or of another size.
        """
        if frames.dtype != torch.uint8 or tuple(frames.shape[-2:]) != self.image_size:
            raise ValueError(
                f"frames are {frames.dtype} of {tuple(frames.shape)}: uint8 [..., 3, H, W] of "
                f"{self.image_size} is needed; centerclip.video resizes"
            )
        mean, std = (
            torch.tensor(values, device=frames.device).view(3, 1, 1)
            for values in (self.backbone.mean, self.backbone.std)
        )
        return frames.to(torch.float32).mul_(1 / (255 * std)).sub_(mean / std)

    def encode_segments(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode every segment of the videos.

        Args:
            frames: [B, T, 3, H, W], normalized as `preprocess` does it.
            mask: [B, T] bool, False where a video has no such frame. A video is encoded exactly as if
                only its valid frames were given; None means all are valid.

        Returns:
            [B, S, E], unit length. A short video with S' < S segments repeats them in the order of
            time: place s holds segment floor(s * S' / S).

        Raises:
            ValueError: a wrong shape or dtype, or a video without a valid frame.
        """
        parts = self._encode_parts(frames, mask)
        slots = self._fitted(frames.shape[1]).segments(frames.shape[1])
        spread = []
        for rows, segments in parts:
            places = torch.arange(slots, device=segments.device) * segments.shape[1] // slots
            spread.append((rows, segments[:, places]))  # [b, S, E]
        return join_rows(spread)

    def encode_video(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Encode videos: the mean of their unit segment embeddings, made unit length.

        Args:
            frames, mask: as for `encode_segments`; repeated segments do not count twice.

        Returns:
            [B, E], unit length.
        """
        parts = self._encode_parts(frames, mask)
        return join_rows([(rows, _unit(segments.mean(dim=1))) for rows, segments in parts])

    def encode_text(self, texts: str | Sequence[str] | Mapping[str, Tensor] | Tensor) -> Tensor:
        """Encode sentences.

        Args:
            texts: sentences of any length and case (what is beyond the context is cut off), or token
                ids [B, L] int64 as `backbone.tokenize` gives them, bare or under `input_ids`.

        Returns:
            [B, E], unit length.

        Raises:
            ModelError: sentences, and the model has no tokenizer.
        """
        if isinstance(texts, Tensor):
            ids = texts
        elif isinstance(texts, Mapping):
            ids = texts["input_ids"]
        elif not texts:
            return self.logit_scale.new_zeros(0, self.embed_size)
        else:
            ids = self.backbone.tokenize([texts] if isinstance(texts, str) else texts)["input_ids"]
        return _unit(self.backbone.text(ids.to(self.device)))

    def forward(
        self, texts: Sequence[str] | Mapping[str, Tensor] | Tensor, frames: Tensor, mask: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode captions and videos in one call, as wrappers for training on several devices need it.

        Returns:
            Embeddings of the texts and of the videos, [B, E] each.
        """
        return self.encode_text(texts), self.encode_video(frames, mask)

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        """Dot products of embeddings: [captions, E], [videos, E] -> [captions, videos]."""
        return text @ video.T

    @torch.no_grad()
    def trace(self, frames: Tensor) -> list[Stage]:
        """Encode videos and tell what each reduction kept.

        Args:
            frames: as for `encode_segments`, all valid.

        Returns:
            A `Stage` for each reduction of the schedule.
        """
        self._check(frames)
        tracer = Tracer(frames.shape[0], frames.shape[1], self.backbone.patches, device=self.device)
        self._encode(frames, tracer)
        return tracer.stages

    def _fitting(self, temporal: bool | TemporalEmbedding | None) -> TemporalEmbedding | None:
        width = self.backbone.width
        if temporal and self.backbone.blocks < 2:
            raise ModelError("the temporal embedding stands between blocks, but the model has only one")
        if temporal is True:
            return TemporalEmbedding(self.logit_scale.new_zeros(self.frames, width))
        if isinstance(temporal, TemporalEmbedding) and temporal.width != width:
            raise ModelError(
                f"the temporal embedding is {temporal.width} wide, but the model's tokens are {width}: it is "
                "another model's"
            )
        return temporal or None

    def _fitted(self, frames: int) -> TokenSchedule:
        return self.schedule.fit(frames=frames, patches=self.backbone.patches)

    def _check(self, frames: Tensor) -> None:
        if frames.ndim != 5 or not frames.is_floating_point() or tuple(frames.shape[-2:]) != self.image_size:
            raise ValueError(
                f"frames are {frames.dtype} {tuple(frames.shape)}: normalized floats [B, T, 3, H, W] of "
                f"{self.image_size} are needed, as preprocess gives them"
            )

    def _encode_parts(self, frames: Tensor, mask: Tensor | None) -> list[tuple[Tensor, Tensor]]:
        """Rows [b] of the batch and their segment embeddings [b, S', E], by number of valid frames."""
        self._check(frames)
        return [(rows, self._encode(valid)) for rows, valid in by_length(frames, mask)]

    def _encode(self, frames: Tensor, tracer: Tracer | None = None) -> Tensor:
        """[B, T, 3, H, W] -> [B, S, E], unit length."""
        batch, sequences = frames.shape[:2]
        stages = {stage.block: stage for stage in self._fitted(sequences).reductions}
        meeting = min(stages, default=self.backbone.blocks // 2)
        cuts = sorted({*stages, meeting}) if self.temporal is not None else sorted(stages)
        x = frames.flatten(0, 1).to(self.device)  # [B*T, 3, H, W]
        sizes: Tensor | None = None
        bias: Tensor | None = None
        for start, stop in pairwise((0, *cuts, self.backbone.blocks)):
            if self.temporal is not None and start == meeting:
                x = self.temporal(x.view(batch, sequences, *x.shape[1:])).flatten(0, 1)  # [B*T, L, D]
            if stage := stages.get(start):
                x, sizes, groups = reduce_segments(
                    x.view(batch, sequences, *x.shape[1:]),
                    stage,
                    self.reducer,
                    has_class_token=self.backbone.has_class_token,
                    sizes=sizes,
                    training=self.training,
                )  # [B, S, 1+K, D]
                x, sequences = x.flatten(0, 1), stage.segments  # [B*S, 1+K, D]
                bias = size_bias(sizes, has_class_token=self.backbone.has_class_token)
                if tracer:
                    tracer.record(stage, groups)
            x = self._run(x, start, stop, bias)  # [B*T, L, D], then [B*S, 1+K, D], at last [B*S, E]
        return _unit(x).view(batch, sequences, -1)

    def _run(self, x: Tensor, start: int, stop: int, bias: Tensor | None = None) -> Tensor:
        """`Backbone.run`, outside of training once only for frames or segments that repeat the one before.

        In training mode each draws its own dropout, without a graph as with one.
        """
        run = (self.tower or self.backbone).run
        if bias is not None or torch.is_grad_enabled() or self.training:
            return run(x, start, stop, bias)
        return without_repeats(partial(run, start=start, stop=stop), x)


def _unit(x: Tensor) -> Tensor:
    """Scale to unit length, in float32 at least."""
    return functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)
