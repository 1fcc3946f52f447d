"""Preprocessing compared with the image processors of `transformers`: pixels, embeddings, files."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import (
    altclip_model,
    bert_tokenizer,
    chinese_clip_model,
    clip_model,
    clip_tokenizer,
    metaclip_2_model,
    siglip_model,
    word_tokenizer,
    xlm_tokenizer,
)
from torch import Tensor
from torch.nn.functional import cosine_similarity
from transformers import (
    AutoImageProcessor,
    ChineseCLIPImageProcessor,
    CLIPImageProcessor,
    CLIPProcessor,
    SiglipImageProcessor,
)

from centerclip.errors import ModelError
from centerclip.model import CenterCLIP, make_backbone
from centerclip.model.preprocessing import read_preprocessing, write_preprocessing
from centerclip.preprocessing import Preprocessing
from centerclip.video import fit

HALF = (0.5, 0.5, 0.5)
# (height, width): 16:9 twice, portrait, odd, the model's size, smaller.
SHAPES = [(720, 1280), (360, 640), (640, 360), (257, 333), (224, 224), (61, 90)]


def smooth(height: int, width: int) -> Tensor:
    """Draw shading, waves, and shapes with sharp edges, as in a photograph: [1, 3, H, W] uint8."""
    y, x = np.mgrid[0:height, 0:width] / min(height, width)
    waves = np.sin(9 * x + 4 * y) + 0.5 * np.sin(41 * x * y) + 0.3 * np.cos(90 * y)
    picture = np.stack([90 + 70 * x, 160 - 60 * y, 60 + 40 * (x + y)], axis=-1) + 22 * waves[..., None]
    picture[(x - 0.6) ** 2 + (y - 0.5) ** 2 < 0.06] += (80, -40, 10)
    picture[(np.abs(x - 0.3) < 0.1) & (np.abs(y - 0.6) < 0.2)] = (20, 30, 200)
    return as_frame(np.clip(picture, 0, 255).astype(np.uint8))


def noise(height: int, width: int) -> Tensor:
    """Draw independent pixels: [1, 3, H, W] uint8."""
    rng = np.random.default_rng(height * width)
    return as_frame(rng.integers(0, 256, (height, width, 3), dtype=np.uint8))


def as_frame(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


def by_transformers(processor: Any, frame: Tensor) -> Tensor:
    """Process a frame to [1, 3, height, width] float32."""
    image = Image.fromarray(frame[0].permute(1, 2, 0).numpy())
    return torch.as_tensor(np.asarray(processor(image, return_tensors="pt")["pixel_values"])).float()


def assert_equal_pixels(ours: Tensor, theirs: Tensor, processor: Any) -> None:
    """99.8 % of the pixels agree within one level; both round between rows and columns and at the end."""
    levels = ((ours - theirs) * torch.tensor(processor.image_std).view(3, 1, 1) * 255).abs()
    assert (levels < 1.01).float().mean() > 0.998
    assert levels.max() < 6


def clip_at(side: int, kind: Any = CLIPImageProcessor, **options: Any) -> Any:
    return kind(**{"size": {"shortest_edge": side}, "crop_size": {"height": side, "width": side}, **options})


def siglip_at(side: int, **options: Any) -> Any:
    return SiglipImageProcessor(size={"height": side, "width": side}, **options)


# family: its processor and model
FAMILIES: dict[str, tuple[Callable[[int], Any], Callable[..., Any]]] = {
    "clip": (clip_at, clip_model),
    "siglip": (siglip_at, siglip_model),
    "siglip2": (partial(siglip_at, resample=2), siglip_model),
    "metaclip_2": (clip_at, metaclip_2_model),
    "chinese_clip": (partial(clip_at, kind=ChineseCLIPImageProcessor), chinese_clip_model),
    "altclip": (clip_at, altclip_model),
}


@pytest.mark.parametrize("size", [96, 224])
@pytest.mark.parametrize("family", FAMILIES)
def test_pixels_and_embeddings_agree_with_transformers(family: str, size: int, tmp_path: Path) -> None:
    make_processor, make_model = FAMILIES[family]
    processor = make_processor(size)
    hf = make_model(vision={"image_size": size, "patch_size": 16 if size < 224 else 32})
    hf.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    model = CenterCLIP.from_pretrained(tmp_path, schedule="none", frames=1)
    if family != "siglip2":  # the others' defaults are those of their processors
        assert CenterCLIP(hf).preprocessing == model.preprocessing
    for draw in (smooth, noise):
        for shape in SHAPES:
            frame = draw(*shape)
            ours = model.preprocess(fit(frame, model.preprocessing))
            theirs = by_transformers(processor, frame)
            assert_equal_pixels(ours, theirs, processor)
            with torch.no_grad():
                expected = hf.get_image_features(pixel_values=theirs).pooler_output
                embedding = model.encode_video(ours[None])
            assert cosine_similarity(embedding, expected).item() >= 0.9999, (draw.__name__, shape)


CLIP_DEFAULT = Preprocessing((224, 224))
SIGLIP_DEFAULT = Preprocessing((224, 224), mean=HALF, std=HALF, resize="squash")
SAVED: list[tuple[Callable[[], Any], Preprocessing, Preprocessing]] = [
    (CLIPImageProcessor, CLIP_DEFAULT, CLIP_DEFAULT),
    (SiglipImageProcessor, SIGLIP_DEFAULT, SIGLIP_DEFAULT),
    # Saved values override the family's defaults.
    (
        partial(clip_at, 224, size={"shortest_edge": 256}, resample=2),
        CLIP_DEFAULT,
        Preprocessing((224, 224), interpolation="bilinear", shortest_edge=256),
    ),
    (
        partial(clip_at, 224, size={"height": 224, "width": 224}, image_mean=HALF, image_std=HALF),
        CLIP_DEFAULT,
        SIGLIP_DEFAULT,
    ),
    (
        partial(siglip_at, 224, do_normalize=False, resample=1),
        SIGLIP_DEFAULT,
        Preprocessing((224, 224), (0, 0, 0), (1, 1, 1), "lanczos", "squash"),
    ),
]


@pytest.mark.parametrize(("make", "default", "expected"), SAVED)
def test_a_saved_processor_is_read_back(
    make: Callable[[], Any], default: Preprocessing, expected: Preprocessing, tmp_path: Path
) -> None:
    make().save_pretrained(tmp_path)
    assert read_preprocessing(tmp_path, default) == expected


def test_a_processor_saved_with_its_tokenizer_is_read_back(tmp_path: Path) -> None:
    write_preprocessing(CLIP_DEFAULT, tmp_path, family="clip")
    CLIPProcessor(clip_at(224, size={"shortest_edge": 240}), clip_tokenizer()).save_pretrained(tmp_path)
    assert (tmp_path / "processor_config.json").exists()
    assert read_preprocessing(tmp_path, CLIP_DEFAULT).shortest_edge == 240
    # transformers then finds the model that was saved over it.
    write_preprocessing(SIGLIP_DEFAULT, tmp_path, family="siglip")
    assert read_preprocessing(tmp_path, CLIP_DEFAULT) == SIGLIP_DEFAULT
    assert isinstance(AutoImageProcessor.from_pretrained(tmp_path), SiglipImageProcessor)


def test_sizes_in_old_files_are_plain_numbers(tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text('{"crop_size": 224, "do_center_crop": true, "size": 224, "resample": 3}')
    assert read_preprocessing(tmp_path, CLIP_DEFAULT) == CLIP_DEFAULT
    path.write_text('{"size": 224, "resample": 2}')
    assert read_preprocessing(tmp_path, SIGLIP_DEFAULT).interpolation == "bilinear"


TOKENIZERS = {
    "clip": clip_tokenizer,
    "siglip": word_tokenizer,
    "metaclip_2": xlm_tokenizer,
    "chinese_clip": bert_tokenizer,
    "altclip": xlm_tokenizer,
}


@pytest.mark.parametrize("family", TOKENIZERS)
@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing((112, 112), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6)),
        Preprocessing((112, 112), shortest_edge=128, interpolation="bilinear"),
        Preprocessing((112, 112), resize="squash", interpolation="lanczos"),
        Preprocessing((112, 112), resize="squash", interpolation="nearest"),
    ],
)
def test_transformers_does_the_same_with_a_written_file(
    family: str, preprocessing: Preprocessing, tmp_path: Path
) -> None:
    make_model = FAMILIES[family][1]
    tokenizer = TOKENIZERS[family]()
    hf = make_model(vision={"image_size": 112, "patch_size": 16})
    model = CenterCLIP(make_backbone(hf, tokenizer, preprocessing=preprocessing), "none", frames=1)
    model.save_pretrained(tmp_path)
    assert CenterCLIP.from_pretrained(tmp_path).preprocessing == preprocessing
    processor = AutoImageProcessor.from_pretrained(tmp_path)
    for shape in SHAPES[1:4]:
        frame = noise(*shape)
        ours = model.preprocess(fit(frame, preprocessing))
        assert_equal_pixels(ours, by_transformers(processor, frame), processor)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(clip_at, 256), "crop_size is .*256.* but the model needs .*224"),
        (partial(siglip_at, 256), "size is .*256.* but the model needs .*224"),
        (partial(clip_at, 224, size={"shortest_edge": 200}), "would not fill the input"),
        (partial(clip_at, 224, size={"longest_edge": 224}), "size is .*longest_edge"),
        (partial(clip_at, 224, do_center_crop=False), "with do_center_crop False"),
        (partial(clip_at, 224, do_resize=False), "do_resize is False, but only True"),
        (partial(clip_at, 224, do_pad=True), "do_pad is True, but only False"),
        (partial(clip_at, 224, rescale_factor=1 / 127.5), "only 1/255"),
        (partial(clip_at, 224, resample=4), "resample is 4, but only 0 to 3"),
    ],
)
def test_unsupported_processors_are_refused(make: Callable[[], Any], message: str, tmp_path: Path) -> None:
    make().save_pretrained(tmp_path)
    with pytest.raises(ModelError, match=rf"preprocessor_config\.json.*{message}.*correct it, or remove it"):
        read_preprocessing(tmp_path, CLIP_DEFAULT)
