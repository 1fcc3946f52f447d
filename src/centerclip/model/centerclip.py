"""`CenterCLIP`: a dual encoder with a token schedule.

Encodes videos and sentences into one space, where their dot product is their similarity. Files of saved
models belong to `centerclip.model.storage`, video files to `centerclip.video`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
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
from centerclip.model.backbones import Backbone, Tower, backbone_config, make_backbone
from centerclip.model.card import model_card
from centerclip.model.encoded import Encoded, Stage, make_stage
from centerclip.model.fingerprint import compute_fingerprint, weights_state
from centerclip.model.frames import by_length, check_frames, join_rows
from centerclip.model.hub import CARD_FILE, upload_folder
from centerclip.model.loading import default_settings, load_backbone, open_tokenizer
from centerclip.model.repeats import without_repeats
from centerclip.model.segments import reduce_segments
from centerclip.model.storage import ModelSettings, write_settings
from centerclip.model.temporal import TemporalEmbedding
from centerclip.preprocessing import Preprocessing
from centerclip.schedule import TokenSchedule, resolve_schedule

__all__ = ["CenterCLIP"]


class CenterCLIP(nn.Module):
    """A CLIP for videos that drops tokens after some of its blocks.

    Adds no parameters unless asked for a temporal embedding. With the schedule `none` it is the plain model,
    applied frame by frame. A temporal embedding is added to the tokens before the first reduction, where
    frames start to interact. With `none`, it is added after half of the blocks, so that models with equal
    parameters can be compared.

    Args:
        clip: a dual encoder of `transformers`, such as `CLIPModel`, or a `PECore` (used, not copied), or a
            `Backbone`.
        schedule: such as `B6-4,49`, `none`, or a preset's name (`centerclip.schedule.PRESETS`). Videos with
            too few frames use the nearest schedule that fits (`TokenSchedule.fit`).
        reducer: a name such as `kmedoids` or `spectral(sigma=2.0)`, a table, or a reducer
            (`centerclip.clustering.parse_reducer`).
        frames: T, the intended number of frames per video; other numbers work.
        tokenizer: of `transformers`, or its folder. Without one, only token ids can be encoded.
        temporal: a temporal embedding (used, not copied). True makes one of zeros, which has no effect before
            training.

    Attributes:
        schedule, reducer, frames: read-only; see `with_`.
        tower: runs the vision tower in place of the backbone, or None.

    Raises:
        ModelError: the model's family is unsupported, or the temporal embedding has another width.
        ScheduleError: the schedule doesn't fit the model or the frames.
        ConfigError: an unknown reducer, or a second tokenizer for a backbone.

    Source: CenterCLIP (arXiv 2205.00823) sections 3 and 4; mean pooling: CLIP4Clip (arXiv 2104.08860).
    """

    schedule: TokenSchedule
    reducer: Reducer
    frames: int

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
        if not isinstance(frames, int) or frames < 1:
            raise ScheduleError(f"frames is {frames!r}, but must be a whole number of at least 1")
        if not isinstance(schedule, str | TokenSchedule):
            raise ScheduleError(
                f"schedule is {schedule!r}, but must be text like 'B6-4,49' or a TokenSchedule"
            )
        self.backbone = clip if isinstance(clip, Backbone) else make_backbone(clip, open_tokenizer(tokenizer))
        self.training = self.backbone.training
        self.tower: Tower | None = None
        self.frames = frames
        self.reducer = parse_reducer(reducer)
        blocks, patches = self.backbone.blocks, self.backbone.patches
        self.schedule = resolve_schedule(schedule, blocks=blocks, patches=patches, frames=frames)
        self.schedule.validate(blocks=blocks, frames=frames, patches=patches)
        self.temporal = self._open_temporal(temporal)
        mean, std = torch.tensor([self.preprocessing.mean, self.preprocessing.std], device="cpu")
        scales, offsets = 1 / (255 * std), mean / std
        self._normalization = tuple(zip(scales.tolist(), offsets.tolist(), strict=True))
        self._fingerprint: tuple[object, str] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("schedule", "reducer", "frames") and name in self.__dict__:
            raise AttributeError(
                f"{name} can't be set: model.with_({name}=...) returns a model that shares the weights"
            )
        super().__setattr__(name, value)

    def _open_temporal(self, temporal: bool | TemporalEmbedding | None) -> TemporalEmbedding | None:
        width = self.backbone.width
        if temporal and self.backbone.blocks < 2:
            raise ModelError(
                "a temporal embedding goes between blocks, but the model has only one: leave temporal out"
            )
        if temporal is True:
            return TemporalEmbedding(self.logit_scale.new_zeros(self.frames, width))
        if isinstance(temporal, TemporalEmbedding) and (found := temporal.table.shape[1]) != width:
            raise ModelError(
                f"the temporal embedding is {found} wide, but the tokens are {width}: use the model's own"
            )
        return temporal or None

    # Encoding

    def preprocess(self, frames: Tensor) -> Tensor:
        """Normalize frames of the model's size, on their device.

        Args:
            frames: [..., 3, H, W] uint8, RGB.

        Returns:
            The same shape, float32.

        Raises:
            ValueError: not uint8, or of another size.
        """
        if frames.dtype != torch.uint8 or tuple(frames.shape[-2:]) != self.image_size:
            raise ValueError(
                f"frames are {frames.dtype} {tuple(frames.shape)}, but must be uint8 [..., 3, H, W] of "
                f"{self.image_size}: resize them with centerclip.video"
            )
        normalized = frames.to(torch.float32)
        # Numbers travel with the operations; a tensor of them would make a GPU wait for its copy.
        for channel, (scale, offset) in enumerate(self._normalization):
            normalized[..., channel, :, :].mul_(scale).sub_(offset)
        return normalized

    def encode(self, frames: Tensor, mask: Tensor | None = None, *, trace: bool = False) -> Encoded:
        """Encode videos and each of their segments in one pass.

        Args:
            frames: [B, T, 3, H, W], normalized by `preprocess`.
            mask: [B, T] bool, False for missing frames. A video is encoded exactly as if it had only its
                valid frames. None means all frames are valid.
            trace: whether to record what each reduction did; requires all frames to be valid.

        Raises:
            ValueError: a wrong shape or dtype, values that aren't normalized, a video without a valid frame,
                or a trace with missing frames.
        """
        check_frames(frames, self.preprocessing)
        if trace and mask is not None and not mask.all():
            raise ValueError(
                "a trace needs videos with all their frames: give only valid ones, without a mask"
            )
        count = self._fit(frames.shape[1]).segments(frames.shape[1])
        stages: list[Stage] = []
        videos, segments = [], []
        for rows, valid in by_length(frames, mask):
            with nullcontext() if self.tower is None else self.tower.turn():
                own = self._encode(valid, stages if trace else None)  # [b, S', E]
            repeated = torch.arange(count, device=own.device) * own.shape[1] // count  # [S]
            videos.append((rows, _unit(own.mean(dim=1))))  # [b, E]
            segments.append((rows, own[:, repeated]))  # [b, S, E]
        return Encoded(join_rows(videos), join_rows(segments), tuple(stages))

    def encode_segments(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return only `segments` [B, S, E] of `encode`."""
        return self.encode(frames, mask).segments

    def encode_video(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return only `video` [B, E] of `encode`."""
        return self.encode(frames, mask).video

    def _fit(self, frames: int) -> TokenSchedule:
        return self.schedule.fit(frames=frames, patches=self.backbone.patches)

    def _encode(self, frames: Tensor, stages: list[Stage] | None) -> Tensor:
        """Encode valid frames [B, T, 3, H, W] to [B, S, E], unit length; record reductions in `stages`."""
        batch, count = frames.shape[:2]
        blocks = self.backbone.blocks
        schedule = self._fit(count)
        reductions = {reduction.block: reduction for reduction in schedule.reductions}
        interacts = min(reductions) if reductions else blocks // 2
        temporal_block = interacts if self.temporal is not None else 0

        flat = frames.flatten(0, 1).to(self.device)  # [B*T, 3, H, W]
        tokens = (self.tower or self.backbone).embed(flat).reshape(batch, -1)  # x [B, T, L, D]
        frame = functional.pad(torch.arange(count, device=flat.device)[:, None, None], (0, 2))  # [T, 1, 3]
        tokens = replace(tokens, positions=tokens.positions + frame)
        if stages is not None:
            owners = torch.arange(count * self.backbone.patches, device=flat.device)
            tokens = replace(tokens, owners=owners.expand(batch, -1))  # [B, T*P]

        for start, stop in pairwise(sorted({0, temporal_block, *reductions, blocks})):
            if self.temporal is not None and start == temporal_block:
                tokens = replace(tokens, x=self.temporal(tokens.x))
            if start in reductions:
                tokens = reduce_segments(
                    tokens, reductions[start], self.reducer, training=self.training
                )  # x [B, S, L, D]
                if stages is not None:
                    done = TokenSchedule(schedule.reductions[: len(stages) + 1])
                    grid, blended = self.backbone.grid, self.reducer.blends
                    stages.append(make_stage(done, tokens, frames=count, grid=grid, blended=blended))
            x = self._run(tokens, start, stop, flat if start == 0 else None)
            tokens = replace(tokens, x=x)  # x [B, S, L, D], finally [B, S, E]
        return _unit(tokens.x)

    def _run(self, tokens: Tokens, start: int, stop: int, frames: Tensor | None) -> Tensor:
        """Run blocks `start` to `stop` - 1 and, after the last one, pool.

        Outside of training, successive equal sequences are computed once; equal `frames` have equal tokens.
        In training, every sequence draws its own dropout, with or without gradients.
        """
        tower = self.tower or self.backbone

        def run(tokens: Tokens) -> Tensor:
            if stop == self.backbone.blocks:
                return tower.run_to_end(tokens, start)
            return tower.run(tokens, start, stop).x

        flat = tokens.reshape(-1)  # x [B*S, L, D]
        if torch.is_grad_enabled() or self.training or torch.compiler.is_compiling():
            x = run(flat)
        else:
            x = without_repeats(run, flat, None if frames is None else [frames])
        return x.view(*tokens.x.shape[:2], *x.shape[1:])

    def encode_text(self, texts: str | Sequence[str] | Mapping[str, Tensor] | Tensor) -> Tensor:
        """Encode sentences.

        Args:
            texts: sentences of any length and case (truncated to the context length), or token ids [B, L]
                int64 as `backbone.tokenize` returns them, bare or under `input_ids`.

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
        """Encode captions and videos in one call, as distributed training requires.

        Returns:
            Text and video embeddings, [B, E] each.
        """
        return self.encode_text(texts), self.encode_video(frames, mask)

    def similarity(self, text: Tensor, video: Tensor) -> Tensor:
        """Multiply embeddings: [captions, E], [videos, E] -> [captions, videos]."""
        return text @ video.T

    # Loading, saving, and variants with the same weights

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
        """Load a model in evaluation mode.

        Args:
            name: a hub name; a folder; `nano`, the small bundled model; or a checkpoint file of OpenAI,
                open_clip, PE-Core, CLIP4Clip or CenterCLIP (`centerclip.model.checkpoints`).
            schedule, reducer, frames: default to the saved model's own (for a checkpoint file, those of its
                `hparams_train.json`), or else to `default_schedule`, `kmedoids(weighted=true)` and 12 frames.
            device: the CPU by default.
            dtype: of the weights; float32 by default, regardless of how they are stored.
            tokenizer: a folder, a hub name, or the tokenizer itself; the model's own by default. For a
                checkpoint file, the default is the tokenizer in its folder, or CLIP's from the hub.
            activation: `gelu` or `quick_gelu`, for a checkpoint file of unknown origin (`read_checkpoint`).
            revision: branch, tag or commit on the hub.
            temporal: None keeps the saved temporal embedding, if any; True adds one of zeros if there is
                none; False drops it.
            backbone: a subclass of `Backbone` as `module:Class(option=value)`; the saved model's own, or that
                of its family, by default.

        Raises:
            ModelError: the model can't be found or downloaded, its family is unsupported, or it names a
                reducer or backbone that can't be imported.
            CheckpointError: the weights are damaged or incomplete.
            ScheduleError: the schedule doesn't fit the model.
            ConfigError: an unknown reducer or backbone.
        """
        loaded, saved = load_backbone(
            name, backbone=backbone, tokenizer=tokenizer, activation=activation, revision=revision
        )
        if saved is None:
            saved = default_settings(loaded, 12 if frames is None else frames)
        if reducer is None:
            try:
                reducer = parse_reducer(saved.reducer)
            except ConfigError as error:
                raise ModelError(f"{name} names a reducer that can't be used: {error}") from error
        table = None if temporal is False else saved.temporal
        try:
            model = cls(
                loaded,
                saved.schedule if schedule is None else schedule,
                reducer=reducer,
                frames=saved.frames if frames is None else frames,
                temporal=temporal if table is None else TemporalEmbedding(table),
            )
        except ScheduleError as error:
            if schedule is not None or frames is not None:  # the caller's own
                raise
            raise ModelError(f"{name} has a schedule that can't be used: {error}") from error
        except ModelError as error:
            raise ModelError(f"{name} has a temporal embedding that can't be used: {error}") from error
        return model.to(device=device, dtype=dtype).eval()

    def with_(
        self,
        *,
        schedule: str | TokenSchedule | None = None,
        reducer: str | Mapping[str, Any] | Reducer | None = None,
        frames: int | None = None,
        temporal: bool | TemporalEmbedding | None = None,
    ) -> CenterCLIP:
        """Return a model with the same weights and tower, and another schedule, reducer, T or temporal
        embedding.

        Args:
            schedule, reducer, frames: as in the constructor; None keeps the current one.
            temporal: None keeps the temporal embedding, if any; True adds one of zeros if there is none;
                False drops it.

        Raises:
            ModelError, ScheduleError, ConfigError: as in the constructor.
        """
        if temporal is None or (temporal is True and self.temporal is not None):
            temporal = self.temporal
        variant = CenterCLIP(
            self.backbone,
            self.schedule if schedule is None else schedule,
            reducer=self.reducer if reducer is None else reducer,
            frames=self.frames if frames is None else frames,
            temporal=temporal,
        )
        variant.tower, variant.training = self.tower, self.training
        return variant

    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model in the hub's layout, with schedule, reducer and frames in `centerclip.json`.

        `transformers` opens the folder as the plain model, with its tokenizer and processor.

        Raises:
            ModelError: the folder can't be written.
            ConfigError: an option of the reducer can't be saved.
        """
        folder = Path(folder)
        settings = ModelSettings(
            str(self.schedule),
            reducer_config(self.reducer),
            self.frames,
            None if self.temporal is None else self.temporal.table.detach(),
            backbone_config(self.backbone),
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self.backbone.save(folder)
            write_settings(folder, settings)
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
        """Save the model and upload it to the hub, with a card if the repository has none.

        Args:
            name: `owner/name`; the repository is created if necessary.
            private: whether a new repository is private; None uses the owner's default.
            token: by default that of `hf auth login`.
            message: commit message.

        Returns:
            URL of the commit.

        Raises:
            ModelError: the hub refuses or can't be reached.
        """
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            (Path(folder) / CARD_FILE).write_text(model_card(self, name), encoding="utf-8")
            return upload_folder(Path(folder), name, private=private, token=token, message=message)

    def fingerprint(self) -> str:
        """Hash weights, configuration, schedule, reducer and preprocessing into 16 hexadecimal digits.

        Independent of how the model was loaded, and of float32 or bfloat16. Recomputed only after a change.
        """
        state = weights_state(self.backbone, self.temporal)
        if self._fingerprint is None or self._fingerprint[0] != state:
            digest = compute_fingerprint(
                self.backbone, self.schedule, self.reducer, self.frames, self.temporal
            )
            self._fingerprint = (state, digest)
        return self._fingerprint[1]

    # Properties

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the frames, in pixels."""
        return self.backbone.image_size

    @property
    def preprocessing(self) -> Preprocessing:
        """How frames are resized (by `centerclip.video.fit`) and normalized."""
        return self.backbone.preprocessing

    @property
    def embed_size(self) -> int:
        """E, the length of an embedding."""
        return self.backbone.embed_size

    @property
    def segments(self) -> int:
        """S, the number of segments of a video of `frames` frames."""
        return self.schedule.segments(self.frames)

    @property
    def logit_scale(self) -> Tensor:
        """The learned scale of the similarities, as a natural logarithm; a scalar parameter."""
        return self.backbone.logit_scale

    @property
    def device(self) -> torch.device:
        return self.logit_scale.device


def _unit(x: Tensor) -> Tensor:
    """Scale to unit length, in at least float32."""
    return functional.normalize(x.to(torch.promote_types(x.dtype, torch.float32)), dim=-1)
