"""A speech model in the layout of faster-whisper with random weights, and sound that counts as speech."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from ctranslate2.converters.transformers import WhisperLoader
from numpy.typing import NDArray
from tokenizers import AddedToken, Tokenizer
from tokenizers.models import WordLevel
from transformers import WhisperConfig, WhisperForConditionalGeneration

RATE = 16_000
WORDS = ("a", "dog", "runs", "along", "the", "beach", "and", "catches", "every", "red", "ball", "again")
HEARD = "every"
"""What the model with seed 0 hears."""
_SPECIAL = ("endoftext", "startoftranscript", "translate", "transcribe", "startoflm", "startofprev")
_SPECIAL += ("nospeech", "notimestamps")
_TIMES = 1501
"""A token per 0.02 s of 30 s; they are the last ones, after `notimestamps`."""


def make_whisper(folder: Path, *, seed: int = 0) -> Path:
    """Write an English Whisper of two blocks, which hears words of `WORDS` in any sound."""
    words = [*WORDS, "[UNK]"]
    special = [f"<|{name}|>" for name in _SPECIAL]
    times = [f"<|{number * 0.02:.2f}|>" for number in range(_TIMES)]
    tokens = [*words, *special, *times]
    ids = {token: number for number, token in enumerate(tokens)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = WhisperForConditionalGeneration(
            WhisperConfig(
                vocab_size=len(tokens),
                d_model=64,
                encoder_layers=2,
                decoder_layers=2,
                encoder_attention_heads=1,
                decoder_attention_heads=1,
                encoder_ffn_dim=64,
                decoder_ffn_dim=64,
                bos_token_id=ids["<|endoftext|>"],
                eos_token_id=ids["<|endoftext|>"],
                pad_token_id=ids["<|endoftext|>"],
                decoder_start_token_id=ids["<|startoftranscript|>"],
                suppress_tokens=[],
                begin_suppress_tokens=[ids["<|endoftext|>"]],
            )
        )
        with torch.no_grad():
            model.model.decoder.embed_tokens.weight.normal_(std=0.3)
    loader: Any = WhisperLoader()
    spec = loader.get_model_spec(model.eval())
    spec.register_vocabulary(tokens)
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.lang_ids = []
    spec.config.alignment_heads = [(1, 0)]
    spec.validate()
    folder.mkdir(parents=True)
    spec.save(str(folder))
    tokenizer = Tokenizer(WordLevel({word: ids[word] for word in words}, unk_token="[UNK]"))
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token) for token in times])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def speech(seconds: float, *, seed: int = 0) -> NDArray[np.float32]:
    """Syllables of a synthetic voice: pulses of about 120 Hz through the resonances of vowels."""
    from scipy.signal import lfilter

    rng = np.random.default_rng(seed)
    pieces = []
    while sum(map(len, pieces)) < seconds * RATE:
        size = int(RATE * rng.uniform(0.12, 0.25))
        pitch = np.linspace(rng.uniform(110, 140), rng.uniform(95, 130), size)
        phase = np.cumsum(pitch) / RATE
        pulses = np.diff(np.floor(phase), prepend=0.0) + rng.normal(scale=0.02, size=size)
        for formant, width in zip(
            rng.uniform((300, 900, 2300), (800, 2200, 3000)), (80, 100, 140), strict=True
        ):
            radius = np.exp(-np.pi * width / RATE)
            pulses = lfilter(
                [1 - radius], [1, -2 * radius * np.cos(2 * np.pi * formant / RATE), radius**2], pulses
            )
        pieces += [pulses * np.hanning(size), np.zeros(int(RATE * rng.uniform(0.02, 0.08)))]
    sound = np.concatenate(pieces)[: int(seconds * RATE)]
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


def make_spoken(path: Path, sound: NDArray[np.float32]) -> Path:
    """Write an MP4 with a still picture and a sound."""
    with av.open(path, "w") as out:
        pictures, sounds = out.add_stream("h264", rate=10), out.add_stream("aac", rate=RATE)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 48, "yuv420p"
        sounds.layout = "mono"
        for number in range(len(sound) * 10 // RATE):
            shown = np.full((48, 64, 3), 5 * number % 256, np.uint8)
            out.mux(pictures.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        out.mux(sounds.encode(frame))
        out.mux(pictures.encode())
        out.mux(sounds.encode())
    return path
