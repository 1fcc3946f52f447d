"""Captions such as people would write: sentences with synonyms and varied word order, in lower case.

A full caption names the color, thing, motion and place of everything in the scene. A short one, like a search
query, names only some of that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

import numpy as np

from centerclip.lab.toy_world.places import PLACES
from centerclip.lab.toy_world.scenes import Actor, Scene
from centerclip.lab.toy_world.things import THINGS

__all__ = ["captions", "opposite_caption", "pair_captions"]

Verb = tuple[str, str]
"""A verb's finite form and its participle: spins, spinning."""

_MAX_WORDS = 24
"""Keeps captions within the 32 tokens that the data sets' protocols allow."""

_SIZES = {"small": ("small", "little", "tiny"), "plain": ("",), "big": ("big", "large", "huge")}
_COLOR_WORDS = {"purple": ("purple", "violet"), "gray": ("gray", "grey")}

WAYS: dict[str, tuple[Verb, ...]] = {
    "drive": (("drives", "driving"), ("rolls", "rolling"), ("moves", "moving")),
    "sail": (("sails", "sailing"), ("floats", "floating"), ("moves", "moving")),
    "fly": (("flies", "flying"), ("glides", "gliding"), ("moves", "moving")),
    "swim": (("swims", "swimming"), ("glides", "gliding"), ("moves", "moving")),
    "walk": (("walks", "walking"), ("runs", "running"), ("moves", "moving")),
    "crawl": (("crawls", "crawling"), ("creeps", "creeping"), ("moves", "moving")),
    "roll": (("rolls", "rolling"), ("moves", "moving"), ("slides", "sliding")),
    "slide": (("moves", "moving"), ("slides", "sliding"), ("glides", "gliding")),
}
"""Verbs for each way of moving (`Thing.way`)."""

_VERBS: dict[str, tuple[Verb, ...]] = {
    "rises": (("floats up", "floating up"), ("rises", "rising"), ("goes up", "going up")),
    "sinks": (("floats down", "floating down"), ("sinks", "sinking"), ("comes down", "coming down")),
    "spins": (("spins", "spinning"), ("rotates", "rotating"), ("turns round and round",
                                                               "turning round and round")),
    "bounces": (("bounces", "bouncing"), ("jumps up and down", "jumping up and down"), ("hops", "hopping")),
    "circles": (("circles", "circling"), ("moves in a circle", "moving in a circle"),
                ("goes round in circles", "going round in circles")),
    "grows": (("grows", "growing"), ("gets bigger", "getting bigger"), ("becomes larger",
                                                                        "becoming larger")),
    "shrinks": (("shrinks", "shrinking"), ("gets smaller", "getting smaller"), ("becomes smaller",
                                                                                "becoming smaller")),
    "blinks": (("blinks", "blinking"), ("flashes on and off", "flashing on and off"),
               ("appears and disappears", "appearing and disappearing")),
    "stays": (("stays still", "staying still"), ("does not move", "not moving"), ("rests", "resting")),
    "shakes": (("shakes", "shaking"), ("wobbles", "wobbling"), ("trembles", "trembling")),
}  # fmt: skip

_HEADINGS = {
    1: ("from left to right", "to the right"),
    -1: ("from right to left", "to the left"),
}

_TURNS = ("turns into", "becomes", "changes into")
_LINKS = (" and ", " while ")
_TURN, _LINK = f"({'|'.join(_TURNS)})", f"({'|'.join(_LINKS)})"


def captions(
    scenes: Scene | Sequence[Scene], rng: np.random.Generator, n: int = 4, *, short: bool = False
) -> list[str]:
    """Write n different captions of a scene, or of several consecutive ones.

    Args:
        scenes: what to describe; if there are several, each must have exactly one thing.
        rng: chooses the words.
        n: number of captions.
        short: make more than a third of the captions short, like search queries. The first is always full.

    Returns:
        At least one caption; fewer than n if no more were found. Captions of more than 24 words are only used
        if there is no shorter one.
    """
    scenes = [scenes] if isinstance(scenes, Scene) else list(scenes)
    made: dict[str, None] = {}
    too_long: list[str] = []
    for _ in range(50 * n):
        if len(made) == n:
            break
        part = short and bool(made) and rng.random() < 0.5
        scene = scenes[int(rng.integers(len(scenes)))]
        text = _short(scene, rng) if part else _full(scenes, rng)
        if len(text.split()) <= _MAX_WORDS:
            made[text] = None
        else:
            too_long.append(text)
    return list(made) or [min(too_long, key=lambda text: len(text.split()))]


def pair_captions(scenes: Sequence[Scene], rng: np.random.Generator, n: int = 2) -> list[str]:
    """Write n different captions of four scenes with one thing each: who turns into whom."""
    made: dict[str, None] = {}
    while len(made) < n:
        nouns = [_noun(scene.actors[0], rng, size=False) for scene in scenes]
        both = [f"{nouns[at]} {_one(rng, _TURNS)} {nouns[at + 1]}" for at in (0, 2)]
        made[_one(rng, _LINKS).join(both[at] for at in rng.permutation(2))] = None
    return list(made)


def opposite_caption(caption: str) -> str | None:
    """Write the caption of a video that shows the same in other frames, or return None if there is none.

    Every direction is replaced by its opposite, as if the video were played backwards: left and right, rising
    and sinking, growing and shrinking. In a caption of pairs, the two things that others turn into are
    exchanged.
    """
    if found := re.fullmatch(f"(.+?) {_TURN} (.+?){_LINK}(.+?) {_TURN} (.+)", caption):
        first, turns, second, link, third, turn, fourth = found.groups()
        return f"{first} {turns} {fourth}{link}{third} {turn} {second}"
    words, opposites = _opposites()
    reverse = words.sub(lambda found: opposites[found.group()], caption)
    return None if reverse == caption else reverse


@cache
def _opposites() -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern that matches every phrase naming a direction, and each phrase's opposite."""
    pairs = list(zip(_HEADINGS[1], _HEADINGS[-1], strict=True))
    for motion, reverse in (("rises", "sinks"), ("grows", "shrinks")):
        for verb, other in zip(_VERBS[motion], _VERBS[reverse], strict=True):
            pairs += zip(verb, other, strict=True)
    opposites = dict(pairs) | {other: word for word, other in pairs}
    return re.compile(rf"\b({'|'.join(map(re.escape, opposites))})\b"), opposites


def _one(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]


def _noun(actor: Actor, rng: np.random.Generator, *, size: bool = True, article: bool = True) -> str:
    """A noun phrase such as "a small red car"; synonyms are rarer than the plain noun."""
    names = THINGS[actor.thing].names
    name = names[0] if rng.random() < 0.7 else _one(rng, names)
    colors = _COLOR_WORDS.get(actor.color, (actor.color,))
    color = colors[0] if rng.random() < 0.8 else _one(rng, colors)
    words = " ".join(word for word in (_one(rng, _SIZES[actor.size]) if size else "", color, name) if word)
    if not article:
        return words
    return f"an {words}" if words[0] in "aeiou" else f"a {words}"


def _verb(actor: Actor, scene: Scene, rng: np.random.Generator) -> Verb:
    moves = actor.motion == "moves"
    verbs = WAYS[THINGS[actor.thing].way] if moves else _VERBS[actor.motion]
    at = int(rng.choice(len(verbs), p=[0.6, 0.2, 0.2]))
    if moves and scene.directions:
        heading = _one(rng, _HEADINGS[actor.track.direction])
        return f"{verbs[at][0]} {heading}", f"{verbs[at][1]} {heading}"
    return verbs[at]


def _where(scene: Scene, rng: np.random.Generator, *, going: bool = False) -> str:
    place = PLACES[scene.place]
    return _one(rng, place.along if going else place.where)


def _alone(scene: Scene, rng: np.random.Generator) -> str:
    """Describe a scene with one thing in a full sentence."""
    (actor,) = scene.actors
    noun, (does, doing) = _noun(actor, rng), _verb(actor, scene, rng)
    where = _where(scene, rng, going=actor.motion == "moves")
    match int(rng.choice(6, p=[0.4, 0.2, 0.15, 0.1, 0.08, 0.07])):
        case 0:
            return f"{noun} {does} {where}"
        case 1:
            return f"{noun} {doing} {where}"
        case 2:
            return f"{_where(scene, rng)} {noun} {does}"
        case 3:
            return f"{_where(scene, rng)} there is {noun} {doing}"
        case 4:
            return f"there is {noun} {_where(scene, rng)} and it {does}"
        case _:
            return f"we see how {noun} {does} {where}"


def _together(scene: Scene, rng: np.random.Generator) -> str:
    """Describe a scene with two or three things, in any order, in a full sentence."""
    actors = [scene.actors[i] for i in rng.permutation(len(scene.actors))]
    clauses = [(_noun(actor, rng, size=len(actors) < 3), *_verb(actor, scene, rng)) for actor in actors]
    where = _where(scene, rng)
    finite = bool(rng.choice(2, p=[0.4, 0.6]))  # or participles
    parts = [f"{noun} {does if finite else doing}" for noun, does, doing in clauses]
    link = _one(rng, (" and ", " while ")) if finite else " and "
    joined = ", ".join(parts[:-1]) + link + parts[-1]
    match int(rng.choice(3, p=[0.5, 0.35, 0.15])):
        case 0:
            return f"{joined} {where}"
        case 1:
            return f"{where} {joined}"
        case _:
            return f"{parts[0]} {where}{link}{', '.join(parts[1:])}"


def _full(scenes: Sequence[Scene], rng: np.random.Generator) -> str:
    if len(scenes) == 1:
        return _alone(scenes[0], rng) if len(scenes[0].actors) == 1 else _together(scenes[0], rng)
    written = []
    for scene in scenes:
        (actor,) = scene.actors
        where = _where(scene, rng, going=actor.motion == "moves")
        written.append(f"{_noun(actor, rng)} {_verb(actor, scene, rng)[0]} {where}")
    return f"{_one(rng, ('first ', ''))}{_one(rng, (', then ', ' and then ')).join(written)}"


def _short(scene: Scene, rng: np.random.Generator) -> str:
    """Name a thing, a motion, a place, or two of them."""
    actor = scene.actors[int(rng.integers(len(scene.actors)))]
    does, doing = _verb(actor, scene, rng)
    size = rng.random() < 0.5
    bare = _noun(actor, rng, size=size, article=False)
    noun = _noun(actor, rng, size=size)
    match int(rng.choice(8, p=[0.22, 0.1, 0.15, 0.08, 0.15, 0.08, 0.1, 0.12])):
        case 0:
            return bare
        case 1:
            return THINGS[actor.thing].name
        case 2:
            return f"{noun} {does}"
        case 3:
            return f"{bare} {doing}"
        case 4:
            return f"{noun} {_where(scene, rng)}"
        case 5:
            return _where(scene, rng)
        case 6:
            return f"something {doing} {_where(scene, rng, going=actor.motion == 'moves')}"
        case _:
            return " and ".join(_noun(other, rng, size=False) for other in scene.actors)
