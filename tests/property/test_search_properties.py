"""What holds for every query and every row of scores."""

import math
from pathlib import Path

import numpy as np
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from centerclip.errors import QueryError
from centerclip.index.sql import literal
from centerclip.search import Query, Term, parse_query
from centerclip.search.moments import best_run

# Words as a parsed term may hold them: no quote, and neither space nor nothing at the ends.
WORDS = st.text(min_size=1).map(str.strip).filter(lambda text: text and '"' not in text)
WEIGHTS = st.floats(1e-6, 1e6) | st.just(1.0)


@given(st.lists(st.tuples(WORDS, WEIGHTS, st.sampled_from([1, -1])), min_size=1, max_size=5))
def test_a_printed_query_parses_to_itself(parts: list[tuple[str, float, int]]) -> None:
    query = Query(tuple(Term(words, sign * weight) for words, weight, sign in parts))
    assert parse_query(str(query), files=False) == query


@given(st.text(alphabet=st.sampled_from('ab 12.:+-"\n'), max_size=30) | st.text(max_size=30))
@example('-- "')
def test_any_text_is_a_query_or_a_query_error(text: str) -> None:
    try:
        query = parse_query(text, files=False)
    except QueryError:
        return
    assert query.terms
    for term in query.terms:
        assert isinstance(term.content, str)
        assert term.content.strip()
        assert math.isfinite(term.weight)
        assert term.weight != 0
    assert parse_query(str(query), files=False) == query


@given(st.text(alphabet=st.characters(blacklist_characters='"\0', blacklist_categories=["Cs"]), min_size=1))
def test_no_network_query_names_a_file(text: str) -> None:
    try:
        contents = [term.content for term in parse_query(f"/{text}", files=False).terms]
    except QueryError:
        return
    assert not any(isinstance(content, Path) for content in contents)


SCORES = arrays(np.float64, st.integers(1, 12), elements=st.floats(-1, 1, width=16))


def slow_run(scores: np.ndarray, background: float) -> float:
    """The highest sum over all runs that hold the best segment, in exact arithmetic."""
    best = int(np.argmax(scores))
    middle = (scores[best] + background) / 2
    return max(
        math.fsum(scores[first:end] - middle)
        for first in range(best + 1)
        for end in range(best + 1, len(scores) + 1)
    )


@given(SCORES, st.floats(-1, 1, width=16))
def test_the_run_is_the_best_of_all_that_hold_the_best_segment(scores: np.ndarray, background: float) -> None:
    first, end = best_run(scores, background)
    best = int(np.argmax(scores))
    assert 0 <= first <= best < end <= len(scores)
    if scores[best] > background:
        middle = (scores[best] + background) / 2
        assert math.fsum(scores[first:end] - middle) >= slow_run(scores, background) - 1e-12


@given(SCORES, st.floats(-1, 1, width=16), st.sampled_from([0.25, 2.0, 8.0]), st.integers(-4, 4))
def test_the_run_does_not_depend_on_the_scale_of_the_scores(
    scores: np.ndarray, background: float, scale: float, shift: int
) -> None:
    # Powers of two and float16 values: both sides are computed without rounding.
    moved = best_run(scores * scale + shift, background * scale + shift)
    assert moved == best_run(scores, background)


@given(SCORES, st.floats(-1, 1, width=16))
def test_the_run_read_backwards_is_the_run_mirrored(scores: np.ndarray, background: float) -> None:
    assume(np.sum(scores == scores.max()) == 1)
    first, end = best_run(scores, background)
    mirrored = best_run(scores[::-1], background)
    assert mirrored == (len(scores) - end, len(scores) - first)


@given(st.text())
def test_a_literal_ends_where_it_should(text: str) -> None:
    written = literal(text)
    assert written[0] == written[-1] == "'"
    assert written[1:-1].replace("''", "") == text.replace("'", "")
    assert written[1:-1].replace("''", "'") == text
