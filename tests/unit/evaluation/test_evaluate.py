"""Evaluation under several schedules: what is decoded, ranked, left out and cached."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny_models import clip_model, clip_tokenizer, siglip_model
from videos import make_video

from centerclip import metrics
from centerclip.datasets import Caption, Dataset
from centerclip.embedding import decode, embed_all, encode_texts
from centerclip.embedding.decode import DecodedWindow, Windows
from centerclip.errors import ConfigError, DatasetError, ModelError, ScheduleError, VideoError
from centerclip.evaluation import evaluate
from centerclip.model import CenterCLIP
from centerclip.records import Item, VideoInfo, Window
from centerclip.rescoring import dual_softmax, qb_norm
from centerclip.video import Decoders, VideoReader

TEXTS = ["a cat", "it naps", "rain", "a red ball", "a ball", "snow", "a man", "a dog"]
OWNERS = [0, 0, 1, 2, 2, 3, 4, 5]


class Noise:
    """Decodes six random videos; some are broken, and the second is short."""

    def __init__(self, *broken: int) -> None:
        self.asked: Counter[int] = Counter()
        self._broken = broken

    def __call__(self, item: Item) -> Windows:
        number = int(item.path.stem.removeprefix("video"))
        self.asked.update([number])
        if number in self._broken:
            raise VideoError(f"{item.path}: is empty (0 bytes)")
        generator = torch.Generator().manual_seed(number)
        pictures = torch.randint(0, 256, (8, 3, 16, 16), dtype=torch.uint8, generator=generator)
        pictures = pictures[:5] if number == 1 else pictures
        info = VideoInfo(item.path, "", 1.0, 16, 16, 8.0, "noise", 1, 0.0)
        yield DecodedWindow(info, Window(0.0, 1.0), pictures, np.linspace(0, 1, len(pictures) + 1))


def vectors(model: CenterCLIP) -> np.ndarray:
    return embed_all(data().videos, model.eval(), decode=Noise())


def data(words: int = 12, protocols: tuple[str, ...] = ("caption", "group")) -> Dataset:
    videos = tuple(Item(Path(f"video{number}.mp4"), id=f"v{number}") for number in range(6))
    captions = tuple(map(Caption, TEXTS, OWNERS))
    return Dataset("set", "test", videos, captions, max_text_tokens=words, protocols=protocols)


@pytest.fixture(scope="module")
def model() -> CenterCLIP:
    return CenterCLIP(clip_model(), "B2-4,16", tokenizer=clip_tokenizer(), frames=8)


def test_every_video_is_decoded_once_for_all_schedules_and_reducers(model: CenterCLIP) -> None:
    source, seen = Noise(), []
    results = evaluate(
        model, data(), schedules=["B2-4,16", "none", "B1-2,9"], reducers=["kmedoids", "pool"], decode=source,
        progress=lambda done, total: seen.append((done, total)),
    )  # fmt: skip
    assert source.asked == dict.fromkeys(range(6), 1)
    assert seen == [(done, 6) for done in range(1, 7)]
    assert [f"{result.schedule} {result.reducer}" for result in results] == [
        "B2-4,16 kmedoids", "B2-4,16 pool", "none none", "B1-2,9 kmedoids", "B1-2,9 pool",
    ]  # fmt: skip
    assert len({result.fingerprint for result in results}) == 5
    assert results[2].multiply_adds > results[0].multiply_adds == results[1].multiply_adds


def test_each_result_is_that_of_its_schedule_alone(model: CenterCLIP) -> None:
    text = encode_texts(model, TEXTS)
    for result in evaluate(model, data(), schedules=["none", "B1-2,9"], reducers=["pool"], decode=Noise()):
        alone = CenterCLIP(clip_model(), result.schedule, reducer="pool", frames=8)
        similarity = text @ vectors(alone).T
        assert np.array_equal(result.text_to_video_ranks, metrics.ranks(similarity, OWNERS))
        assert np.array_equal(result.video_to_text_ranks, metrics.video_to_text_ranks(similarity, OWNERS))
        assert result.text_to_video == metrics.summarize(result.text_to_video_ranks, groups=OWNERS)
        assert result.fingerprint == alone.fingerprint()
        assert (result.videos, result.captions, result.missing, result.protocol) == (6, 8, (), "caption")
    assert str(model.schedule) == "B2-4,16"
    assert model.reducer.name == "kmedoids"


def test_a_video_that_cant_be_decoded_is_named_or_left_out(model: CenterCLIP) -> None:
    with pytest.raises(VideoError, match=r"video2\.mp4: is empty .*allow missing"):
        evaluate(model, data(), decode=Noise(2, 4))
    source = Noise(2, 4)
    (result,) = evaluate(model, data(), decode=source, allow_missing=True, rescorings=["csls"])
    assert source.asked == dict.fromkeys(range(6), 1)
    assert result.missing == ("v2", "v4")
    assert [(str(file.path), file.reason) for file in result.failed] == [
        (f"video{number}.mp4", "is empty (0 bytes)") for number in (2, 4)
    ]
    assert [video.id for video in result.dataset.videos] == ["v0", "v1", "v3", "v5"]
    assert [c.text for c in result.dataset.captions] == ["a cat", "it naps", "rain", "snow", "a dog"]
    similarity = encode_texts(model, TEXTS) @ vectors(model).T
    kept = similarity[[0, 1, 2, 5, 7]][:, [0, 1, 3, 5]]
    assert np.array_equal(result.text_to_video_ranks, metrics.ranks(kept, [0, 0, 1, 2, 3]))
    with pytest.raises(DatasetError, match="0 videos"):
        evaluate(model, data(), decode=Noise(*range(6)), allow_missing=True)


def test_captions_are_cut_to_the_length_of_the_protocol(model: CenterCLIP) -> None:
    videos = data().videos[:2]
    captions = (Caption("abcd" + "x " * 300, 0), Caption("abcdefgh", 1))
    cut, whole = (
        evaluate(model, Dataset("set", "test", videos, captions, max_text_tokens=words), decode=Noise())[0]
        for words in (6, 12)  # start, a, b, c, d, end
    )
    assert sorted(cut.text_to_video_ranks) == [1, 2]  # equal captions, so one of two videos is first
    assert set(cut.video_to_text_ranks) == {1.5}
    assert set(whole.video_to_text_ranks) <= {1, 2}


def test_video_to_text_by_caption_or_by_group(model: CenterCLIP) -> None:
    similarity = encode_texts(model, TEXTS) @ vectors(model).T
    for protocol in ("caption", "group"):
        (result,) = evaluate(model, data(), decode=Noise(), protocol=protocol)
        expected = metrics.video_to_text_ranks(similarity, OWNERS, protocol=protocol)
        assert result.protocol == protocol
        assert np.array_equal(result.video_to_text_ranks, expected)
    with pytest.raises(ConfigError, match="set has no video-to-text protocol 'group': choose one of caption"):
        evaluate(model, data(protocols=("caption",)), decode=Noise(), protocol="group")


def test_rescored_ranks_are_added_to_the_plain_ones(
    model: CenterCLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = ["a fish", "a boat", "a tree"]
    plain, result = (
        evaluate(model, data(), decode=Noise(), rescorings=names, bank=bank)[0]
        for names in ([], ["dsl", "qb-norm"])
    )
    assert np.array_equal(plain.text_to_video_ranks, result.text_to_video_ranks)
    video = vectors(model)
    similarity = encode_texts(model, TEXTS) @ video.T
    dsl, qb = result.rescored
    assert (dsl.name, dsl.transductive, dsl.bank) == ("dsl", True, None)
    assert np.array_equal(dsl.text_to_video_ranks, metrics.ranks(dual_softmax(similarity), OWNERS))
    backward = metrics.video_to_text_ranks(dual_softmax(similarity.T).T, OWNERS)
    assert np.array_equal(dsl.video_to_text_ranks, backward)
    assert (qb.name, qb.transductive, qb.bank, qb.video_to_text) == ("qb-norm", False, 3, None)
    scores = qb_norm(similarity, bank=encode_texts(model, bank) @ video.T)
    assert np.array_equal(qb.text_to_video_ranks, metrics.ranks(scores, OWNERS))
    monkeypatch.setattr("centerclip.evaluation.run._MAX_BANK", 2)
    (result,) = evaluate(model, data(), decode=Noise(), rescorings=["qb-norm"], bank=bank)
    assert result.rescored[0].bank == 2


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rescorings": ["dls"]}, ConfigError, "'dls' is unknown: choose one of dsl"),
        ({"rescorings": ["qb-norm"]}, ConfigError, "qb-norm needs training captions"),
        ({"reducers": ["kmeans"]}, ConfigError, "'kmeans' is unknown"),
        ({"schedules": ["B9-4,4"]}, ScheduleError, "the model has 4 blocks"),
        ({"cache": Path("cache")}, ValueError, "can't be used with decode"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_decoded(
    model: CenterCLIP, options: dict[str, object], error: type[Exception], message: str
) -> None:
    source = Noise()
    with pytest.raises(error, match=message):
        evaluate(model, data(), decode=source, **options)
    assert not source.asked
    with pytest.raises(ModelError, match="no tokenizer"):
        evaluate(CenterCLIP(siglip_model(), frames=8), data(), decode=source)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the decoded files."""
    names = []

    def count(path: Path, *more: Decoders) -> VideoReader:
        names.append(path.name)
        return VideoReader(path, *more)

    monkeypatch.setattr(decode, "VideoReader", count)
    return names


@pytest.fixture
def filmed(tmp_path: Path) -> Callable[..., Dataset]:
    """Make a data set of real files with these names."""

    def film(*names: str) -> Dataset:
        for name in names:
            if not (tmp_path / name).exists():
                make_video(tmp_path / name, frames=6)
        videos = tuple(Item(tmp_path / name, id=name) for name in names)
        return Dataset("set", "test", videos, tuple(Caption(f"a {n}", i) for i, n in enumerate(names)))

    return film


def test_a_second_evaluation_decodes_nothing(
    model: CenterCLIP, filmed: Callable[..., Dataset], decoded: list[str], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    first = evaluate(model, filmed("a.mp4", "b.mp4"), cache=cache)[0]
    assert sorted(decoded) == ["a.mp4", "b.mp4"]
    again = evaluate(model, filmed("a.mp4", "b.mp4"), cache=cache)[0]
    assert len(decoded) == 2
    assert again.text_to_video_ranks.tolist() == first.text_to_video_ranks.tolist()
    # Another file, another schedule, a changed file: only these.
    evaluate(model, filmed("b.mp4", "c.mp4"), cache=cache)
    assert decoded[2:] == ["c.mp4"]
    evaluate(model, filmed("a.mp4"), schedules=["none", "B2-4,16"], cache=cache)
    assert decoded[3:] == ["a.mp4"]
    make_video(tmp_path / "a.mp4", frames=9)
    evaluate(model, filmed("a.mp4", "c.mp4"), cache=cache)
    assert decoded[4:] == ["a.mp4"]


def test_embeddings_from_before_an_error_are_kept(
    model: CenterCLIP, filmed: Callable[..., Dataset], decoded: list[str], tmp_path: Path
) -> None:
    data = filmed("a.mp4", "b.mp4")
    (tmp_path / "b.mp4").write_bytes(b"")
    with pytest.raises(VideoError, match=r"b\.mp4"):
        evaluate(model, data, cache=tmp_path / "cache")
    for _ in range(2):
        (result,) = evaluate(model, data, cache=tmp_path / "cache", allow_missing=True)
        assert result.missing == ("b.mp4",)
    assert decoded.count("b.mp4") == 3  # it may have been repaired
    assert decoded.count("a.mp4") <= 2


def test_caches_that_cant_be_used(model: CenterCLIP, filmed: Callable[..., Dataset], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    evaluate(model, filmed("a.mp4"), cache=cache)
    for file in cache.iterdir():
        file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ConfigError, match=r"captions-.*\.npz can't be read.*delete it"):
        evaluate(model, filmed("a.mp4"), cache=cache)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file"):
        evaluate(model, filmed("a.mp4"), cache=tmp_path / "file")


def test_only_a_model_that_sees_the_order_tells_a_video_from_its_reverse(model: CenterCLIP) -> None:
    plain = model.with_(schedule="none")
    (ignoring,) = evaluate(plain, data(), decode=Noise(), reverse=True)
    assert ignoring.against_reverse == metrics.Estimate(50.0, 50.0, 50.0)
    assert evaluate(plain, data(), decode=Noise())[0].against_reverse is None

    seeing = plain.with_(temporal=True)
    assert seeing.temporal is not None
    torch.manual_seed(0)
    torch.nn.init.normal_(seeing.temporal.table)
    (found,) = evaluate(seeing, data(), decode=Noise(), reverse=True)

    def backwards(item: Item) -> Windows:
        for window in Noise()(item):
            yield DecodedWindow(window.info, window.window, window.frames.flip(0), window.bounds)

    text = encode_texts(seeing, TEXTS, max_tokens=12)
    pairs = [embed_all(data().videos, seeing, decode=decode)[OWNERS] for decode in (Noise(), backwards)]
    own, reverse = ((text * videos).sum(1) for videos in pairs)
    assert found.against_reverse is not None
    assert found.against_reverse.value == pytest.approx(100 * np.mean(own > reverse))
    assert found.against_reverse.low < found.against_reverse.high


def test_reversed_videos_are_decoded_from_files(model: CenterCLIP, tmp_path: Path) -> None:
    videos = tuple(Item(make_video(tmp_path / f"{name}.mp4"), id=name) for name in ("a", "b"))
    dataset = Dataset("set", "test", videos, (Caption("a cat", 0), Caption("a dog", 1)), max_text_tokens=12)
    (found,) = evaluate(model.with_(schedule="none"), dataset, reverse=True)
    assert found.against_reverse == metrics.Estimate(50.0, 50.0, 50.0)
    with pytest.raises(VideoError, match="is empty"):
        evaluate(model, data(), decode=Noise(3), reverse=True)
