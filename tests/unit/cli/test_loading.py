"""Models of indexes: an index keeps the reducer that it was made with."""

from dataclasses import replace
from pathlib import Path

from tiny_models import clip_model, clip_tokenizer

from centerclip.cli.loading import load_encoder


def test_an_index_keeps_its_reducer_whatever_the_default_is(tmp_path: Path) -> None:
    clip_model().save_pretrained(tmp_path)  # a plain model, as on the hub
    clip_tokenizer().save_pretrained(tmp_path)
    fresh = load_encoder(str(tmp_path), None)
    assert fresh.card().reducer == "kmedoids(weighted=true)"
    earlier = load_encoder(str(tmp_path), None, reducer="kmedoids")
    assert earlier.fingerprint != fresh.fingerprint
    for encoder in (fresh, earlier):
        for name in (None, str(tmp_path)):
            assert load_encoder(name, encoder.card()).fingerprint == encoder.fingerprint
    other = replace(earlier.card(), name="other")
    assert load_encoder(str(tmp_path), other).fingerprint == fresh.fingerprint
