"""A model as an encoder of MTEB, the Massive Text Embedding Benchmark, for its tasks of videos and texts.

MTEB's own decoder chooses and resizes frames differently, so the files are decoded here, as everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from centerclip.embedding import embed_all, encode_texts
from centerclip.errors import ConfigError
from centerclip.records import Item

if TYPE_CHECKING:
    from mteb.models import ModelMeta

    from centerclip.model import CenterCLIP

__all__ = ["MTEBEncoder"]

_FILES = 32
"""Videos that lie on the disk at once, if the task has them in memory."""


class MTEBEncoder:
    """Encodes the texts and videos of MTEB's tasks, as in `mteb.evaluate(MTEBEncoder(model), tasks)`.

    An item with a text and a video gets the mean of both embeddings. Sound and pictures aren't supported.

    Args:
        model: on its device, in evaluation mode.
        name: `owner/name`, under which results are listed; by default the name that the model was loaded by.
        revision: of the weights; the fingerprint by default.

    Raises:
        ConfigError: mteb or datasets isn't installed.
    """

    def __init__(self, model: CenterCLIP, name: str | None = None, *, revision: str | None = None) -> None:
        try:
            import datasets
            from mteb.models import ModelMeta
        except ImportError as error:
            raise ConfigError("MTEB needs two more packages: pip install 'centerclip[mteb]'") from error
        self.model = model
        self._video = datasets.Video
        name = name or model.backbone.name or "model"
        self.mteb_model_meta: ModelMeta = ModelMeta(
            loader=None,
            name=name if "/" in name else f"centerclip/{Path(name).name}",
            revision=revision or model.fingerprint(),
            release_date=None,
            languages=None,
            n_parameters=sum(parameter.numel() for parameter in model.parameters()),
            memory_usage_mb=None,
            max_tokens=model.backbone.context_length,
            embed_dim=model.embed_size,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name="cosine",
            use_instructions=False,
            training_datasets=None,
            modalities=["text", "video"],
            experiment_kwargs={
                "schedule": str(model.schedule),
                "reducer": model.reducer.label if model.schedule else "none",
                "frames": model.frames,
                "centerclip": version("centerclip"),
            },
        )

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **kwargs: Any,
    ) -> NDArray[np.float32]:
        """Encode a data loader of MTEB: [items, E] float32, unit length.

        Raises:
            ConfigError: the items have neither text nor video.
            VideoError: a video can't be decoded.
        """
        columns = inputs.dataset.column_names
        parts = []
        if "text" in columns:
            texts = inputs.dataset.select_columns("text")["text"]  # without decoding videos beside them
            parts.append(encode_texts(self.model, list(texts)))
        if "video" in columns:
            stored = inputs.dataset.select_columns("video").cast_column("video", self._video(decode=False))
            parts.append(np.concatenate(list(self._embed(stored))))
        if not parts:
            raise ConfigError(
                f"the task {task_metadata.name} has items of {', '.join(columns)}, but a model encodes only "
                "text and video: leave the task out"
            )
        mean = np.mean(parts, axis=0)
        normed: NDArray[np.float32] = mean / np.linalg.norm(mean, axis=1, keepdims=True).clip(min=1e-12)
        return normed

    def similarity(self, embeddings1: Any, embeddings2: Any) -> NDArray[np.float32]:
        """Compute the cosines [n, m] of embeddings [n, E] and [m, E]."""
        product: NDArray[np.float32] = np.atleast_2d(embeddings1) @ np.atleast_2d(embeddings2).T
        return product

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> NDArray[np.float32]:
        """Compute the cosine [n] of each pair of embeddings [n, E]."""
        summed: NDArray[np.float32] = (np.asarray(embeddings1) * np.asarray(embeddings2)).sum(-1)
        return summed

    def _embed(self, stored: Any) -> Iterator[NDArray[np.float32]]:
        for batch in stored.iter(_FILES):
            with TemporaryDirectory() as folder:
                yield embed_all(_items(batch["video"], Path(folder)), self.model)


def _items(videos: Sequence[dict[str, Any]], folder: Path) -> list[Item]:
    """Turn stored videos into files; those in memory are written to `folder`."""
    items = []
    for number, video in enumerate(videos):
        path = Path(video.get("path") or f"{number}.mp4")
        if video.get("bytes") is not None:
            path = folder / f"{number}{path.suffix}"
            path.write_bytes(video["bytes"])
        items.append(Item(path, id=str(number)))
    return items
