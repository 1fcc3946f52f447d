"""What is true for every query and every row of scores."""

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from centerclip.errors import QueryError
from centerclip.index.sql import literal
from centerclip.search import Query, Term, parse_query
from centerclip.search.moments import best_run

# Words as in a parsed term: no quotes, and no spaces at the ends.
WORDS = st.text(min_size=1).map(str.strip).filter(lambda text: text and '"' not in text)
WEIGHTS = st.floats(1e-6, 1e6) | st.just(1.0)


@given(st.lists(st.tuples(WORDS, WEIGHTS, st.sampled_from([1, -1])), min_size=1, max_size=5))
def test_a_printed_query_parses_to_itself(parts: list[tuple[str, float, int]]) -> None:
    query = Query(tuple(Term(words, sign * weight) for words, weight, sign in parts))
    assert parse_query(str(query), files=False) == query


@given(st.text(alphabet=st.sampled_from('ab 12.:+-"~/\n'), max_size=30) | st.text(max_size=30))
@example('-- "')
@example("/etc/passwd")
def test_any_text_is_a_query_without_files_or_a_query_error(text: str) -> None:
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


# Multiples of 1/256, so that sums of their halves are exact.
SCORES = st.integers(-256, 256).map(lambda number: number / 256)


@given(st.lists(SCORES, min_size=1, max_size=12), SCORES)
def test_the_run_is_the_shortest_of_the_best_that_contain_the_best_segment(
    scores: list[float], background: float
) -> None:
    best = scores.index(max(scores))
    middle = (scores[best] + background) / 2

    def preference(run: tuple[int, int]) -> tuple[float, int]:
        return sum(score - middle for score in scores[slice(*run)]), run[0] - run[1]

    runs = [(first, end) for first in range(best + 1) for end in range(best + 1, len(scores) + 1)]
    expected = max(runs, key=preference) if scores[best] > background else (0, len(scores))
    assert best_run(np.array(scores), background) == expected


@given(st.text())
def test_a_literal_ends_where_it_should(text: str) -> None:
    written = literal(text)
    assert written[0] == written[-1] == "'"
    assert written[1:-1].replace("''", "'") == text
