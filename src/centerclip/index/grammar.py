"""Turns a condition's text into a tree whose words are all allowed, and too few to exhaust the parser."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import ParseError, SqlglotError

__all__ = ["RefusedError", "parse_tree"]

_MAX_LENGTH = 10_000
_MAX_TOKENS = 1_000
_MAX_NESTED, _MAX_NOTS = 10, 20
"""Parentheses within each other, and `not` before a condition. The parser needs a dozen calls for each, and
the store's own gives up at about 20 parentheses."""
_NAMES = {TokenType.VAR, TokenType.IDENTIFIER}
_TOKENS = _NAMES | {
    TokenType.STRING,
    TokenType.NUMBER,
    TokenType.TRUE,
    TokenType.FALSE,
    TokenType.NULL,
    TokenType.AND,
    TokenType.OR,
    TokenType.NOT,
    TokenType.EQ,
    TokenType.NEQ,
    TokenType.LT,
    TokenType.LTE,
    TokenType.GT,
    TokenType.GTE,
    TokenType.LIKE,
    TokenType.ILIKE,
    TokenType.IN,
    TokenType.BETWEEN,
    TokenType.IS,
    TokenType.L_PAREN,
    TokenType.R_PAREN,
    TokenType.COMMA,
    TokenType.DASH,
}
_NEGATED = {TokenType.LIKE, TokenType.ILIKE, TokenType.IN, TokenType.BETWEEN, TokenType.NULL}
"""What follows a `not` that is part of a comparison."""


class RefusedError(Exception):
    """What isn't allowed, in words that follow `can't be used: `."""


def parse_tree(text: str, columns: Collection[str]) -> exp.Expr:
    """Parse a text.

    Args:
        text: the condition.
        columns: the names that it may use.

    Raises:
        RefusedError: a word or sign isn't allowed, or there are too many, or they are out of order.
    """
    if len(text) > _MAX_LENGTH:
        raise RefusedError(f"it has more than {_MAX_LENGTH} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RefusedError("it isn't valid Unicode") from None
    try:
        tokens = sqlglot.tokenize(text)
    except SqlglotError:
        raise RefusedError("a quote is missing, or a comment has no end") from None
    _check_tokens(tokens, columns)
    try:
        tree = sqlglot.Parser().parse(tokens, text)[0]
    except SqlglotError as error:
        place = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        near = str(place.get("highlight", ""))[:40]
        raise RefusedError(f"it is incomplete, or out of order near {near!r}") from None
    if tree is None:
        raise RefusedError("it is empty")
    return tree


def _check_tokens(tokens: Sequence[Token], columns: Collection[str]) -> None:
    if not 0 < len(tokens) <= _MAX_TOKENS:
        raise RefusedError(
            f"it has {len(tokens) or 'no'} words and signs, but 1 to {_MAX_TOKENS} are allowed"
        )
    nested, nots = 0, 0
    for token, following in zip(tokens, [*tokens[1:], None], strict=True):
        kind, after = token.token_type, following.token_type if following else None
        _check_token(token, after, columns)
        nested += (kind is TokenType.L_PAREN) - (kind is TokenType.R_PAREN)
        nots += kind is TokenType.NOT and after not in _NEGATED
        if nested > _MAX_NESTED or nots > _MAX_NOTS:
            raise RefusedError(
                f"only {_MAX_NESTED} parentheses within each other and {_MAX_NOTS} times `not` are allowed"
            )
        if nested < 0:
            break
    if nested:
        raise RefusedError("a parenthesis is missing")


def _check_token(token: Token, after: TokenType | None, columns: Collection[str]) -> None:
    kind, word = token.token_type, repr(token.text[:40])
    if token.comments:
        raise RefusedError("comments aren't allowed")
    if kind in _NAMES and token.text.lower() in columns and after is not TokenType.L_PAREN:
        return
    if after is TokenType.L_PAREN and (kind in _NAMES or kind not in _TOKENS):
        raise RefusedError(f"functions such as {word} aren't allowed")
    if kind in _NAMES:
        hint = " (text needs single quotes)" if kind is TokenType.IDENTIFIER else ""
        raise RefusedError(f"there is no column {word}{hint}")
    if kind not in _TOKENS or (kind is TokenType.DASH and after is not TokenType.NUMBER):
        raise RefusedError(f"{word} isn't allowed")
