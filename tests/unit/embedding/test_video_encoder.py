"""`VideoEncoder` on real files with a tiny model."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import clip_model, clip_tokenizer
from videos import cut_short, make_audio, make_video, picture

from centerclip.embedding import VideoEncoder, embed
from centerclip.errors import ConfigError, ModelError, VideoError
from centerclip.index import VideoIndex
from centerclip.model import CenterCLIP
from centerclip.records import SAMPLINGS, EncodedVideo, Failed, Item, Sampling
from centerclip.search import Searcher
from centerclip.video import Decoders, VideoReader, cut_windows, read_windows

SAME = {"atol": 2e-5, "rtol": 0}
"""The same unit vector in float32, summed in another order."""


@pytest.fixture(scope="module")
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-2,8", frames=4, tokenizer=clip_tokenizer()).eval()


@pytest.fixture(scope="module")
def encoder(model: CenterCLIP) -> VideoEncoder:
    return VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, workers=2, batch_size=3)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Of one to forty frames, at ten per second."""
    folder = tmp_path_factory.mktemp("videos")
    counts = [40, 1, 20, 3, 33, 2, 8]
    return [make_video(folder / f"{n}-{count}.mp4", frames=count) for n, count in enumerate(counts)]


def encoded(encoder: VideoEncoder, *paths: Path) -> list[EncodedVideo]:
    results = list(encoder.encode(paths))
    assert all(isinstance(result, EncodedVideo) for result in results), results
    return results  # type: ignore[return-value]


def test_where_to_decode_is_checked_first(model: CenterCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="decode_on is 'tpu', but must be one of cpu, gpu"):
        VideoEncoder(model, device="cpu", decode_on="tpu")

    def find_gpu(number: int) -> str:
        raise VideoError(f"no GPU {number} that decodes videos (cuda: Cannot load libcuda.so.1)")

    monkeypatch.setattr("centerclip.embedding.encoder.find_gpu", find_gpu)
    reason = r"decode_on is 'gpu', but there is no GPU 0 that decodes videos \(cuda: .*\): give cpu"
    with pytest.raises(ConfigError, match=reason):
        VideoEncoder(model, device="cpu", decode_on="gpu")


def test_the_gpu_reaches_the_readers(
    model: CenterCLIP, videos: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int | None] = []

    class Reader(VideoReader):
        def __init__(self, path: Path, decoders: Decoders, packets: bytes = b"") -> None:
            asked.append(decoders.gpu)
            super().__init__(path, decoders, packets)

    monkeypatch.setattr("centerclip.embedding.encoder.find_gpu", lambda number: "cuda")
    monkeypatch.setattr("centerclip.embedding.decode.VideoReader", Reader)
    for decode_on, gpu in (("gpu", 0), ("cpu", None)):
        encoder = VideoEncoder(model, device="cpu", precision="float32", decode_on=decode_on)
        assert encoded(encoder, videos[1])[0].windows
        assert asked.pop() == gpu


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_each_window_is_embedded_as_by_the_model_alone(
    model: CenterCLIP, videos: list[Path], sampling: Sampling
) -> None:
    encoder = VideoEncoder(model, device="cpu", precision="float32", window_seconds=2, sampling=sampling)
    for path, video in zip(videos, encoded(encoder, *videos), strict=True):
        with VideoReader(path) as reader:
            assert video.info == reader.info
            windows = cut_windows(reader.info.duration_seconds, 2)
            assert [each.window for each in video.windows] == windows
            looks = read_windows(reader, windows, 4, model.preprocessing, pictures=2, sampling=sampling)
            for window, look, each in zip(windows, looks, video.windows, strict=True):
                with torch.inference_mode():
                    expected = model.encode(model.preprocess(look.frames).unsqueeze(0))
                np.testing.assert_allclose(each.vector, expected.video[0], **SAME)
                np.testing.assert_allclose(each.segments, expected.segments[0], **SAME)
                assert each.vector.dtype == each.segments.dtype == np.float32
                assert each.pictures == look.pictures
                assert each.pictures[0][0] == each.bounds[0] == window.start_seconds
                assert each.bounds[-1] == window.end_seconds
                assert len(each.bounds) == len(each.segments) + 1


def test_results_and_failures_come_in_the_order_of_the_paths(
    encoder: VideoEncoder, videos: list[Path], tmp_path: Path
) -> None:
    empty, text, gone = tmp_path / "empty.mp4", tmp_path / "text.mp4", tmp_path / "gone.mp4"
    empty.touch()
    text.write_text("these are words\n" * 100)
    sound = make_audio(tmp_path / "sound.m4a")
    short = cut_short(tmp_path / "short.mp4", videos[0], 0.5)
    bad = [empty, text, gone, sound, short, tmp_path]
    mixed = [path for pair in zip(videos[:6], bad, strict=True) for path in pair]
    results = list(encoder.encode(map(str, mixed)))
    for path, result in zip(mixed, results, strict=True):
        if isinstance(result, EncodedVideo):
            assert result.info.path == path
            assert path not in bad
        else:
            assert (result.path, path in bad) == (path, True)
            assert result.reason
            assert str(path) not in result.reason
            assert "unexpected" not in result.reason


def test_a_file_can_be_encoded_as_one_video(
    encoder: VideoEncoder, model: CenterCLIP, videos: list[Path]
) -> None:
    whole = VideoEncoder(model, device="cpu", precision="float32", window_seconds=60)
    (expected,) = encoded(whole, videos[0])[0].windows
    vector = encoder.encode_file(str(videos[0]))
    assert (vector.shape, vector.dtype) == ((24,), np.float32)
    np.testing.assert_allclose(vector, expected.vector, **SAME)
    with pytest.raises(VideoError):
        encoder.encode_file("gone.mp4")


def test_a_picture_is_a_video_of_one_frame(encoder: VideoEncoder, model: CenterCLIP, tmp_path: Path) -> None:
    Image.fromarray(picture(7, (16, 16))).save(tmp_path / "frame.png")
    vector = encoder.encode_picture(tmp_path / "frame.png")
    frame = torch.from_numpy(picture(7, (16, 16))).permute(2, 0, 1)
    with torch.inference_mode():
        expected = model.encode_video(model.preprocess(frame)[None, None])[0]
    np.testing.assert_allclose(vector, expected, **SAME)
    with pytest.raises(VideoError):
        encoder.encode_picture(tmp_path / "gone.png")


def test_any_number_of_sentences_is_encoded_as_by_the_model(
    encoder: VideoEncoder, model: CenterCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("centerclip.embedding.encoder._TEXTS", 2)
    texts = ["a", "dog b", "c", "", "a d"]
    rows = encoder.encode_text(texts)
    assert (rows.shape, rows.dtype) == ((5, 24), np.float32)
    with torch.inference_mode():
        np.testing.assert_allclose(rows, model.encode_text(texts), **SAME)
    assert encoder.encode_text([]).shape == (0, 24)
    assert encoder.encode_text("a longer sentence").shape == (1, 24)
    with pytest.raises(ModelError, match="no tokenizer"):
        VideoEncoder(CenterCLIP(clip_model())).encode_text(texts)


def test_bfloat16_is_close_and_has_the_same_fingerprint(
    model: CenterCLIP, encoder: VideoEncoder, videos: list[Path]
) -> None:
    narrow = VideoEncoder(model, device="cpu", precision="bfloat16", window_seconds=2)
    assert narrow.fingerprint == encoder.fingerprint == model.fingerprint()
    (wide,), (other,) = encoded(encoder, videos[1]), encoded(narrow, videos[1])
    assert other.windows[0].vector.dtype == np.float32
    assert other.windows[0].vector @ wide.windows[0].vector > 0.99
    assert np.linalg.norm(other.windows[0].vector) == pytest.approx(1, abs=1e-5)


def test_the_card_describes_model_and_windows(model: CenterCLIP) -> None:
    card = VideoEncoder(model, device="cpu", window_seconds=7, name="tiny").card()
    assert (card.name, card.schedule, card.reducer) == ("tiny", "B2-2,8", "kmedoids")
    assert (card.frames, card.embed_size, card.window_seconds) == (4, 24, 7.0)
    assert card.fingerprint == model.fingerprint()
    assert VideoEncoder(model).card().name == "unnamed model"


def test_the_text_tower_is_probed_once(model: CenterCLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    probed: list[object] = []
    monkeypatch.setattr("centerclip.embedding.encoder.probe", lambda encode: probed.append(encode) or "a1")
    encoder = VideoEncoder(copy.deepcopy(model), device="cpu", precision="float32")
    assert encoder.card() == encoder.card()
    assert (encoder.card().probe, len(probed)) == ("a1", 1)
    with torch.no_grad():
        encoder.model.logit_scale.add_(1)  # another model
    encoder.card()
    assert len(probed) == 2


def test_settings_out_of_range_are_refused(model: CenterCLIP) -> None:
    numbers = ({"workers": 0}, {"batch_size": 0}, {"window_seconds": 0.0})
    for wrong in (*numbers, {"precision": "half"}, {"sampling": "any"}):
        with pytest.raises(ConfigError):
            VideoEncoder(model, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"not 'nano': load one with CenterCLIP\.from_pretrained"):
        VideoEncoder("nano")  # type: ignore[arg-type]


def test_several_models_share_the_decoded_frames(model: CenterCLIP, videos: list[Path]) -> None:
    models = [model, model.with_(schedule="none"), model.with_(reducer="pool")]
    for path, together in zip(videos, embed(map(Item, videos), models, window_seconds=2), strict=True):
        assert not isinstance(together, Failed)
        for own, video in zip(models, together, strict=True):
            (alone,) = embed([Item(path)], [own], window_seconds=2)
            for one, other in zip(alone[0].windows, video.windows, strict=True):  # type: ignore[union-attr]
                np.testing.assert_allclose(one.vector, other.vector, **SAME)
                assert one.segments.shape == other.segments.shape


def test_segments_keep_their_times_at_a_variable_frame_rate(model: CenterCLIP, tmp_path: Path) -> None:
    """A still picture until 6.5 s, then new frames at 7.5 and 8.5 s: from the file to the search results."""
    path = make_video(tmp_path / "still.mkv", frames=5, instants=[0, 6500, 7500, 8500, 11900])
    twelve = model.with_(frames=12, schedule="B2-4,8")
    encoder = VideoEncoder(twelve, device="cpu", precision="float32", sampling="center")
    (video,) = encoded(encoder, path)
    (window,) = video.windows
    assert window.bounds == pytest.approx([0, 6, 7, 8, 12], abs=0.1)  # in strides of a second

    index = VideoIndex(tmp_path / "index")
    index.bind(encoder.card())
    with index.writer() as writer:
        writer.add([video])
    searcher = Searcher(index, encoder)
    curve = searcher.curve(window.segments[1], video.info.video_id)
    assert curve.starts == pytest.approx(window.bounds[:-1], abs=1e-3)
    assert curve.ends == pytest.approx(window.bounds[1:], abs=1e-3)
    for segment in window.segments:
        (hit,) = searcher.search(segment)
        assert {hit.start, hit.end} <= {*curve.starts, *curve.ends}  # and never from 3 to 6 seconds
