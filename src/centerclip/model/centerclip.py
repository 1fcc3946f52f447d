"""`CenterCLIP`: a dual encoder and a token schedule.

Encodes videos and sentences into one space, where their dot product is their similarity. Knows no
video files and no indexes; what models look like on disk is known to `centerclip.model.storage`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from centerclip.clustering import Reducer, Tokens, parse_reducer, reducer_config
from centerclip.errors import ConfigError, ModelError, ScheduleError
from centerclip.model.backbones import Backbone, backbone_config, make_backbone
from centerclip.model.encoded import Encoded, Stage, make_stage
from centerclip.model.fingerprint import compute_fingerprint, weights_state
from centerclip.model.frames import check_frames
from centerclip.model.hub import upload_folder
from centerclip.model.loading import default_settings, load_backbone, open_tokenizer
from centerclip.model.ragged import by_length, join_rows
from centerclip.model.repeats import without_repeats
from centerclip.model.segments import reduce_segments
from centerclip.model.storage import Settings, write_settings
from centerclip.model.temporal import TemporalEmbedding
from centerclip.model.tower import Tower
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule, resolve_schedule

__all__ = ["CenterCLIP"]


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
        reducer: a name such as `kmedoids` or `spectral(sigma=2.0)`, a table, or a reducer
            (`centerclip.clustering.parse_reducer`).
        frames: T, the frames a video is meant to have; other numbers work.
        tokenizer: of `transformers`, or its folder; without one, only token ids can be encoded.
        temporal: a temporal embedding (used, not copied); True makes one of zeros, which change nothing
            before they are trained.

    Attributes:
        tower: what runs the vision tower in place of the backbone, or None.

    Raises:
        ModelError: the model is of an unsupported family, or the table is not of its width.
        ScheduleError: the schedule doesn't fit the model or the frames.
        ConfigError: there is no such reducer, or a backbone is given a second tokenizer.

    Source: CenterCLIP (arXiv 2205.00823) sections 3 and 4; mean pooling: CLIP4Clip (arXiv 2104.08860).
    """

    def __init__(
        self,
        clip: nn.Module,
        schedule: str | TokenSchedule = "none",
        *,
        reducer: str | Mapping[str, Any] | Reducer = "kmedoids",
        frames: int = 12,
        tokenizer: Any = None,
        temporal: bool | TemporalEmbedding | None = None,
    ) -> None:
        super().__init__()
        if isinstance(clip, Backbone) and tokenizer is not None:
            raise ConfigError("a Backbone has its own tokenizer: give tokenizer to the backbone instead")
        self.backbone = clip if isinstance(clip, Backbone) else make_backbone(clip, open_tokenizer(tokenizer))
        self.training = self.backbone.training
        if not isinstance(frames, int) or frames < 1:
            raise ScheduleError(f"frames is {frames!r}, but must be a whole number of at least 1")
        if not isinstance(schedule, str | TokenSchedule):
            raise ScheduleError(
                f"schedule is {schedule!r}, but must be text like 'B6-4,49' or a TokenSchedule"
            )
        self._frames = frames
        self._reducer = parse_reducer(reducer)
        blocks, patches = self.backbone.blocks, self.backbone.patches
        self._schedule = resolve_schedule(schedule, blocks=blocks, patches=patches, frames=frames)
        self._schedule.validate(blocks=blocks, frames=frames, patches=patches)
        self.tower: Tower | None = None
        self.temporal = self._fitting(temporal)
        self._fingerprint: tuple[object, str] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("schedule", "reducer", "frames"):
            raise AttributeError(
                f"{name} can't be set: model.with_({name}=...) returns a model that shares the weights"
            )
        super().__setattr__(name, value)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        schedule: str | TokenSchedule | None = None,
        reducer: str | Mapping[str, Any] | Reducer | None = None,
        frames: int | None = None,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        tokenizer: Any = None,
        activation: str | None = None,
        revision: str | None = None,
        temporal: bool | None = None,
        backbone: str | Mapping[str, Any] | None = None,
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
            backbone: a subclass of `Backbone` as `module:Class(option=value)`, whose `load` is used; by
                default the saved model's own, or that of its family.

        Raises:
            ModelError: there is no such model, it can't be reached or is of an unsupported family, or it
                names a reducer that can't be imported.
            CheckpointError: its weights are damaged or incomplete.
            ScheduleError: the schedule doesn't fit it.
            ConfigError: there is no such reducer or backbone.
        """
        loaded, saved = load_backbone(
            name, backbone=backbone, tokenizer=tokenizer, activation=activation, revision=revision
        )
        if saved is None:
            saved = default_settings(loaded, 12 if frames is None else frames)
        frames = saved.frames if frames is None else frames
        schedule = saved.schedule if schedule is None else schedule
        if reducer is None:
            try:
                reducer = parse_reducer(saved.reducer)
            except ConfigError as error:
                raise ModelError(f"{name} names a reducer that can't be used: {error}") from error
        table = None if temporal is False else saved.temporal
        embedding = temporal if table is None else TemporalEmbedding(table)
        model = cls(loaded, schedule, reducer=reducer, frames=frames, temporal=embedding)
        return model.to(device=device, dtype=dtype).eval()

    def with_(
        self,
        *,
        schedule: str | TokenSchedule | None = None,
        reducer: str | Mapping[str, Any] | Reducer | None = None,
        frames: int | None = None,
        temporal: bool | TemporalEmbedding | None = None,
    ) -> CenterCLIP:
        """The same weights and tower with another schedule, reducer, number of frames or temporal embedding.

        Args:
            schedule, reducer, frames: as in the constructor; what is not given stays.
            temporal: None keeps the temporal embedding, if there is one; True adds one of zeros where
                there is none; False leaves it out.

        Raises:
            ModelError, ScheduleError, ConfigError: as in the constructor.
        """
        if temporal is None or (temporal is True and self.temporal is not None):
            temporal = self.temporal
        made = CenterCLIP(
            self.backbone,
            self.schedule if schedule is None else schedule,
            reducer=self.reducer if reducer is None else reducer,
            frames=self.frames if frames is None else frames,
            temporal=temporal,
        )
        made.tower, made.training = self.tower, self.training
        return made

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model in the hub's layout, with schedule, reducer and frames in `centerclip.json`.

        `transformers` opens the folder as the plain model, with its tokenizer and processor.

        Raises:
            ModelError: the folder can't be written.
            ConfigError: an option of the reducer can't be saved.
        """
        folder = Path(folder)
        table = None if self.temporal is None else self.temporal.table.detach()
        config, own = reducer_config(self.reducer), backbone_config(self.backbone)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.backbone.save(folder)
            write_settings(folder, Settings(str(self.schedule), config, self.frames, table, own))
        except OSError as error:
            raise ModelError(f"the model can't be saved to {folder}: {error.strerror or error}") from error

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
        """What is reduced where."""
        return self._schedule

    @property
    def reducer(self) -> Reducer:
        """How tokens are reduced."""
        return self._reducer

    @property
    def frames(self) -> int:
        """T, the frames that a video is meant to have."""
        return self._frames

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
        return self.backbone.logit_scale

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

    def encode(self, frames: Tensor, mask: Tensor | None = None, *, trace: bool = False) -> Encoded:
        """Encode videos and each of their segments, in one pass.

        Args:
            frames: [B, T, 3, H, W], normalized as `preprocess` does it.
            mask: [B, T] bool, False where a video has no such frame. A video is encoded exactly as if
                only its valid frames were given; None means all are valid.
            trace: whether to tell what each reduction did; then all frames have to be valid.

        Raises:
            ValueError: a wrong shape or dtype, values that aren't normalized, a video without a valid frame,
                or a trace of videos that lack frames.
        """
        check_frames(frames, self.backbone.preprocessing)
        if trace and mask is not None and not mask.all():
            raise ValueError(
                "a trace needs videos with all their frames: give only valid ones, without a mask"
            )
        slots = self._fitted(frames.shape[1]).segments(frames.shape[1])
        stages: list[Stage] = []
        videos, segments = [], []
        for rows, valid in by_length(frames, mask):
            own = self._encode(valid, stages if trace else None)  # [b, S', E]
            places = torch.arange(slots, device=own.device) * own.shape[1] // slots
            videos.append((rows, _unit(own.mean(dim=1))))  # [b, E]
            segments.append((rows, own[:, places]))  # [b, S, E]
        return Encoded(join_rows(videos), join_rows(segments), tuple(stages))

    def encode_segments(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """The `segments` [B, S, E] of `encode`."""
        return self.encode(frames, mask).segments

    def encode_video(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """The `video` [B, E] of `encode`."""
        return self.encode(frames, mask).video

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
        return _unit(self.backbone.encode_text(ids.to(self.device)))

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

    def _encode(self, frames: Tensor, traced: list[Stage] | None) -> Tensor:
        """[B, T, 3, H, W] -> [B, S, E], unit length; puts a stage for each reduction into `traced`."""
        batch, sequences = frames.shape[:2]
        blocks, grid = self.backbone.blocks, self.backbone.grid
        stages = {stage.block: stage for stage in self._fitted(sequences).reductions}
        meeting = min(stages, default=blocks // 2) if self.temporal is not None else 0
        flat = frames.flatten(0, 1).to(self.device)  # [B*T, 3, H, W]
        tokens = (self.tower or self.backbone).embed(flat).reshape(batch, -1)  # x [B, T, L, D]
        when = functional.pad(torch.arange(sequences, device=flat.device)[:, None, None], (0, 2))  # [T, 1, 3]
        tokens = replace(tokens, positions=tokens.positions + when)
        frame_segments = tuple(range(sequences))
        if traced is not None:
            every = torch.arange(sequences * self.backbone.patches, device=flat.device)
            tokens = replace(tokens, owners=every.expand(batch, -1))  # [B, T*P]
        x = tokens.x
        for start, stop in pairwise(sorted({0, meeting, *stages, blocks})):
            if self.temporal is not None and start == meeting:
                tokens = replace(tokens, x=self.temporal(tokens.x))
            if stage := stages.get(start):
                frame_segments = tuple(own * stage.segments // tokens.x.shape[1] for own in frame_segments)
                tokens = reduce_segments(
                    tokens, stage, self.reducer, training=self.training
                )  # x [B, S, L, D]
                if traced is not None:
                    blended = self.reducer.blends
                    traced.append(make_stage(stage, frame_segments, tokens, grid=grid, blended=blended))
            x = self._run(tokens, start, stop, flat)  # [B, S, L, D], at last [B, S, E]
            tokens = replace(tokens, x=x)
        return _unit(x)

    def _run(self, tokens: Tokens, start: int, stop: int, frames: Tensor) -> Tensor:
        """Blocks `start` to `stop`, outside of training only once for what repeats the one before.

        In training mode each draws its own dropout, without a graph as with one.
        """
        tower = self.tower or self.backbone

        def run(tokens: Tokens) -> Tensor:
            if stop == self.backbone.blocks:
                return tower.run_to_end(tokens, start)
            return tower.run(tokens, start, stop).x

        flat = tokens.reshape(-1)  # x [B*S, L, D]
        if torch.is_grad_enabled() or self.training:
            x = run(flat)
        else:  # frames that are equal have equal tokens
            x = without_repeats(run, flat, [frames] if start == 0 else None)
        return x.view(*tokens.x.shape[:2], *x.shape[1:])


def _unit(x: Tensor) -> Tensor:
    """Scale to unit length, in float32 at least."""
    return functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)
