"""Captions describe what is drawn, in varied words."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from centerclip.lab.toy_world import (
    captions,
    grammar,
    opposite_caption,
    pair_captions,
    sample_clip,
    sample_scene,
)
from centerclip.lab.toy_world.grammar import _COLOR_WORDS, _VERBS, WAYS
from centerclip.lab.toy_world.places import PLACES
from centerclip.lab.toy_world.scenes import Actor, Scene
from centerclip.lab.toy_world.things import THINGS


def says(text: str, phrases: tuple[str, ...] | list[str]) -> bool:
    return any(f" {phrase} " in f" {text.replace(',', ' ')} " for phrase in phrases)


def names_actor(text: str, actor: Actor) -> bool:
    nouns = [
        f"{color} {noun}"
        for color in _COLOR_WORDS.get(actor.color, (actor.color,))
        for noun in THINGS[actor.thing].names
    ]
    verbs = WAYS[THINGS[actor.thing].way] if actor.motion == "moves" else _VERBS[actor.motion]
    return says(text, nouns) and says(text, [form for verb in verbs for form in verb])


@pytest.mark.parametrize("split", ["train", "test"])
def test_full_captions_name_everything(split: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(300):
        clip = sample_clip(rng, split)
        for text in captions(clip, rng, 3):
            assert text == text.lower()
            words = text.split()
            assert len(words) <= 24
            assert all((a == "an") == (word[0] in "aeiou") for a, word in pairwise(words) if a in ("a", "an"))
            for scene in clip:
                assert says(text, PLACES[scene.place].where + PLACES[scene.place].along), (text, scene)
                assert all(names_actor(text, actor) for actor in scene.actors), (text, scene)


def test_captions_vary_in_words_and_order() -> None:
    rng = np.random.default_rng(2)
    for _ in range(100):
        texts = captions(sample_clip(rng), rng, 4, short=True)
        assert len(set(texts)) == len(texts) == 4
    scene = sample_scene(rng, things=1)
    starts = {text.split()[0] for text in captions(scene, rng, 30)}
    assert len(starts) >= 3


def test_short_captions_are_shorter_and_keep_a_full_one_first() -> None:
    rng = np.random.default_rng(3)
    full, part = [], []
    for _ in range(300):
        scene = sample_scene(rng)
        first, *others = captions(scene, rng, 4, short=True)
        assert all(names_actor(first, actor) for actor in scene.actors)
        full.append(len(first.split()))
        part += [len(text.split()) for text in others]
    assert np.mean([length <= 4 for length in part]) > 0.2
    assert np.mean(part) < np.mean(full)


def test_directions_are_named_only_on_request() -> None:
    def movers(directions: bool) -> list[tuple[Scene, str]]:
        rng = np.random.default_rng(5)
        found = [sample_scene(rng, things=1, directions=directions) for _ in range(400)]
        return [(scene, captions(scene, rng, 1)[0]) for scene in found if scene.actors[0].motion == "moves"]

    assert not any("left" in text or "right" in text for _, text in movers(False))
    assert movers(True)
    for scene, text in movers(True):
        goal = {1: "right", -1: "left"}[scene.actors[0].track.direction]
        assert f"to {goal} " in f"{text} " or f"to the {goal} " in f"{text} "


def test_an_opposite_caption_names_the_opposite_directions() -> None:
    for caption, reverse in (
        ("a red car drives to the left in a town", "a red car drives to the right in a town"),
        ("a cup floats up, a hat rolls to the right", "a cup floats down, a hat rolls to the left"),
        ("a star growing, then a key getting smaller", "a star shrinking, then a key getting bigger"),
        ("a dog jumps up and down", None),
        ("a smaller ball spins", None),
    ):  # fmt: skip
        assert opposite_caption(caption) == reverse
        assert reverse is None or opposite_caption(reverse) == caption

    rng = np.random.default_rng(3)
    for _ in range(300):
        (scene,) = sample_clip(rng, narrow=True)
        for caption in captions(scene, rng, 2):
            reverse = opposite_caption(caption)
            assert reverse is not None
            assert opposite_caption(reverse) == caption


def test_the_opposite_of_a_caption_of_pairs_exchanges_the_partners() -> None:
    caption = "a red cat becomes a blue cup while a red ball turns into a blue car"
    exchanged = "a red cat becomes a blue car while a red ball turns into a blue cup"
    assert opposite_caption(caption) == exchanged
    assert opposite_caption(exchanged) == caption
    rng = np.random.default_rng(4)
    for _ in range(100):
        scenes = sample_clip(rng, pairs=True)
        looks = [
            f"{actor.color} {grammar.THINGS[actor.thing].names[0]}" for (actor,) in (s.actors for s in scenes)
        ]
        assert len(set(looks)) == 4
        made = pair_captions(scenes, rng, 3)
        assert len(set(made)) == 3
        for text in made:
            opposite = opposite_caption(text)
            assert opposite not in (None, text)
            assert sorted(opposite.split()) == sorted(text.split())


def test_if_all_captions_are_too_long_the_shortest_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = sample_scene(np.random.default_rng(0), things=3, directions=True)
    monkeypatch.setattr(grammar, "_MAX_WORDS", 3)
    for short in (False, True):
        (caption,) = captions(scene, np.random.default_rng(1), 4, short=short)
        assert len(caption.split()) > 3
