"""Scenes: motions, what is held out of training, and reproducibility."""

from __future__ import annotations

import numpy as np
import pytest

from centerclip.lab.toy_world import draw, sample_clip, sample_scene
from centerclip.lab.toy_world.colors import COLORS
from centerclip.lab.toy_world.motions import MOTIONS, TIMED_MOTIONS, Track, pose_at
from centerclip.lab.toy_world.places import PLACES
from centerclip.lab.toy_world.sampling import pair_split
from centerclip.lab.toy_world.scenes import Actor, Scene, draw_frames
from centerclip.lab.toy_world.things import THINGS


def scenes(split: str, count: int = 400, **options: bool) -> list[Scene]:
    rng = np.random.default_rng(5)
    return [scene for _ in range(count) for scene in sample_clip(rng, split, **options)]


def owners(scene: Scene, actor: Actor) -> set[str | None]:
    return {pair_split(actor.thing, word) for word in (actor.color, scene.place, actor.motion)}


@pytest.mark.parametrize("directions", [False, True])
def test_training_never_shows_held_out_pairs(directions: bool) -> None:
    for scene in scenes("train", directions=directions):
        assert all(owners(scene, actor) == {None} for actor in scene.actors)
        assert len({actor.thing for actor in scene.actors}) == len(scene.actors)
        assert len({actor.color for actor in scene.actors}) == len(scene.actors)


@pytest.mark.parametrize(("split", "other"), [("test", "val"), ("val", "test")])
def test_held_out_scenes_show_new_pairs_of_their_split_only(split: str, other: str) -> None:
    for scene in scenes(split):
        assert split in owners(scene, scene.actors[0])
        assert all(other not in owners(scene, actor) for actor in scene.actors)


def test_training_shows_every_word() -> None:
    train = scenes("train", 2000)
    actors = [actor for scene in train for actor in scene.actors]
    assert {scene.place for scene in train} == set(PLACES)
    assert {actor.thing for actor in actors} == set(THINGS)
    assert {actor.color for actor in actors} == set(COLORS)
    assert {actor.motion for actor in actors} == set(MOTIONS)
    assert {len(scene.actors) for scene in train} == {1, 2, 3}
    words = [*THINGS, *COLORS, *PLACES, *MOTIONS, *TIMED_MOTIONS]
    assert len(words) == len(set(words))


def test_equal_seeds_make_equal_scenes_and_pictures() -> None:
    one, again, other = (sample_scene(np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one == again != other
    assert draw(one, 1.0).tobytes() == draw(again, 1.0).tobytes()
    assert draw(one, 0.5, (90, 161)).size == (161, 90)


@pytest.mark.parametrize("motion", MOTIONS + TIMED_MOTIONS)
def test_only_stays_stands_still_and_all_motions_stay_in_view(motion: str) -> None:
    track = Track(motion, 0, 0, 0.4, phase=0.1)
    poses = {pose_at(track, seconds, 3.5) for seconds in np.arange(0, 3.5, 0.125)}
    assert (len(poses) == 1) == (motion == "stays")
    assert all(abs(pose.x) <= 1 and abs(pose.y) <= 1 for pose in poses)


def test_unknown_motion_is_named() -> None:
    with pytest.raises(ValueError, match=r"'dances'.*moves, rises"):
        pose_at(Track("dances", 0, 0, 0.4), 0, 1)


@pytest.mark.parametrize(("motion", "reverse"), [("rises", "sinks"), ("grows", "shrinks")])
def test_timed_motions_are_exact_reverses(motion: str, reverse: str) -> None:
    def frames(name: str) -> list[bytes]:
        scene = Scene("sea", (Actor("ball", "red", "plain", Track(name, 0.1, 0.1, 0.4)),), 2.0)
        return [picture.tobytes() for picture in draw_frames(scene, 8, (60, 80))]

    forward = frames(motion)
    assert forward == frames(reverse)[::-1]
    assert len(set(forward)) > 8
    reversed_motions = {actor.motion for scene in scenes("train", directions=True) for actor in scene.actors}
    assert reverse in reversed_motions


def test_facing_shows_the_direction_only_by_default() -> None:
    def agree(directions: bool) -> set[bool]:
        found = scenes("train", 60, directions=directions)
        return {actor.track.facing == actor.track.direction for scene in found for actor in scene.actors}

    assert agree(False) == {True}
    assert agree(True) == {True, False}


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_a_narrow_world_has_few_things_and_only_directed_motions(split: str) -> None:
    narrow = scenes(split, narrow=True)
    for scene in narrow:
        (actor,) = scene.actors
        assert scene.directions
        assert scene.place == "city"
        assert actor.motion in ("moves", "rises", "sinks", "grows", "shrinks")
        assert owners(scene, actor) <= {None, split}
    assert 4 <= len({scene.actors[0].thing for scene in narrow}) <= 8


def test_a_world_of_pairs_shows_one_look_per_quarter_and_holds_out_pairs() -> None:
    seen: dict[str, set[tuple[str, str]]] = {}
    for split in ("train", "val", "test"):
        rng = np.random.default_rng(0)
        for _ in range(150):
            clip = sample_clip(rng, split, pairs=True)
            assert [scene.seconds for scene in clip] == [1.0] * 4
            assert len({scene.seed for scene in clip}) == 1  # one background
            looks = [f"{actor.color} {actor.thing}" for scene in clip for actor in scene.actors]
            seen.setdefault(split, set()).update({(looks[0], looks[1]), (looks[2], looks[3])})
    assert {look for pair in seen["train"] for look in pair} == {
        look for pair in seen["test"] for look in pair
    }
    only = {split: seen[split] - seen["train"] for split in ("val", "test")}
    assert only["val"]
    assert only["test"]
    assert not only["val"] & only["test"]
