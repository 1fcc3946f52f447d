"""Alignment of two paths: offsets, speeds, borders, and what only looks alike."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from centerclip.duplicates.alignment import align
from centerclip.duplicates.tracks import Track, unit

_SIZE = 24
_UNUSUAL = 0.6


class _Film:
    """A path that turns to a new direction every `change` seconds; equal seeds are equal films."""

    def __init__(self, seed: int, seconds: float, *, change: float = 3.0, scene: float = 0.0) -> None:
        rng = np.random.default_rng(seed)
        self.seconds = seconds
        self._turns = rng.normal(size=(int(seconds / change) + 2, _SIZE))
        self._scene = scene * np.random.default_rng(99).normal(size=_SIZE)
        self._change = change

    def at(self, instants: np.ndarray) -> np.ndarray:
        place = np.clip(instants / self._change, 0, len(self._turns) - 1.001)
        before, part = place.astype(int), (place % 1)[:, None]
        return self._turns[before] * (1 - part) + self._turns[before + 1] * part + self._scene

    def track(
        self,
        segment: float,
        *,
        start: float = 0.0,
        end: float | None = None,
        speed: float = 1.0,
        seed: int = 0,
    ) -> Track:
        """Return what an index would hold of a part of the film, played at `speed`."""
        length = ((self.seconds if end is None else end) - start) / speed
        count = max(1, round(length / segment))
        bounds = np.linspace(0, length, count + 1)
        means = [self.at(start + speed * np.linspace(*pair, 9)).mean(0) for pair in pairwise(bounds)]
        vectors = np.array(means) + 0.2 * np.random.default_rng(seed).normal(size=(count, _SIZE))
        return Track(unit(vectors.astype(np.float32)), bounds[:-1], bounds[1:])


FILM = _Film(1, 60)


@pytest.mark.parametrize(
    ("start", "end", "speed"),
    [(0, 60, 1), (17.3, 41.9, 1), (0, 60, 2), (10.6, 52.2, 2), (0, 60, 0.5), (9, 50, 1.5)],
)
def test_an_excerpt_is_found_where_it_was_cut_out(start: float, end: float, speed: float) -> None:
    run = align(FILM.track(3.0), FILM.track(2.3, start=start, end=end, speed=speed, seed=7), _UNUSUAL)
    assert run is not None
    assert run.speed == pytest.approx(1 / speed)
    np.testing.assert_allclose(run.first, (start, end), atol=3.0)
    np.testing.assert_allclose(run.second, (0, (end - start) / speed), atol=3.0)
    assert run.order > 0.8
    assert run.evidence > 1


def test_a_small_difference_of_speed_shows_in_a_long_film() -> None:
    film = _Film(5, 300)
    run = align(film.track(3.0), film.track(2.9, speed=25 / 24, seed=1), _UNUSUAL)
    assert run is not None
    assert run.speed == pytest.approx(24 / 25)
    np.testing.assert_allclose([*run.first, *run.second], [0, 300, 0, 288], atol=3.0)


def test_a_shared_part_of_two_films_is_found() -> None:
    mixed = _Film(2, 40)
    own = mixed.at
    mixed.at = lambda instants: np.where(  # type: ignore[method-assign]
        ((instants > 12) & (instants < 30))[:, None], FILM.at(instants + 20), own(instants)
    )
    run = align(FILM.track(3.0), mixed.track(3.0, seed=3), _UNUSUAL)
    assert run is not None
    np.testing.assert_allclose([*run.first, *run.second], [32, 50, 12, 30], atol=3.0)


def test_unrelated_films_have_little_evidence() -> None:
    for seed in range(20):
        run = align(FILM.track(3.0), _Film(100 + seed, 40).track(3.0, seed=seed), _UNUSUAL)
        assert run is None or run.evidence < 0.3, (seed, run)


def test_another_day_of_a_fixed_camera_is_alike_but_not_in_order() -> None:
    for seed in range(20):
        one, other = (_Film(200 + seed + day, 40, scene=6).track(3.0, seed=day) for day in (0, 50))
        run = align(one, other, _UNUSUAL)
        assert run is not None
        assert run.likeness > 0.9
        assert run.order < 0.5, (seed, run)
        assert run.evidence < 0.5 < align(one, one, _UNUSUAL).evidence  # type: ignore[union-attr]


def test_still_footage_is_no_evidence() -> None:
    still = Track(unit(np.ones((12, _SIZE), np.float32)), np.arange(12.0), np.arange(1.0, 13.0))
    run = align(still, still, _UNUSUAL)
    assert run is not None
    assert (run.likeness, run.evidence) == (pytest.approx(1), pytest.approx(0, abs=1e-3))


def test_the_same_fade_is_little_evidence() -> None:
    black = 5 * np.random.default_rng(3).normal(size=_SIZE)
    films = [_Film(seed, 40) for seed in (11, 12)]
    for film in films:
        own = film.at
        film.at = lambda instants, own=own: np.where(  # type: ignore[method-assign]
            (instants < 16.3)[:, None], own(instants), black
        )
    run = align(*(film.track(3.0, seed=at) for at, film in enumerate(films)), _UNUSUAL)
    assert run is not None
    assert run.first[1] - run.first[0] > 20
    assert run.changes < 4
    assert run.evidence < 0.3


def test_a_film_of_one_segment_is_compared() -> None:
    point = FILM.track(60.0)
    assert len(point.vectors) == 1
    assert point.at(np.array([-1.0, 30, 99])).shape == (3, _SIZE)
    run = align(point, point, 0.5)
    assert run is not None
    assert run.evidence == 0


def test_playing_backwards_mirrors_times() -> None:
    track = FILM.track(2.5, end=20)
    np.testing.assert_allclose(track.backwards().backwards().starts, track.starts, atol=1e-9)
    instants = np.linspace(1, 19, 7)
    np.testing.assert_allclose(track.backwards().at(instants), track.at(20 - instants), atol=1e-5)
