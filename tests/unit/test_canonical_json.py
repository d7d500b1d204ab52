from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ratehouse import canonical_json
from ratehouse.canonical_json import (
    BadJson,
    canonical,
    canonical_series,
    canonical_text,
    object_series,
    parse_exact,
)

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.decimals(-1000, 1000, places=3).map(str),
    st.sampled_from(["-0", "0.0", "-0.00", "1e3", "1E-2", "100", "1.10", "120.0"]),
)
VALUES = st.one_of(
    NUMBERS, TEXTS.map(json.dumps), st.sampled_from(["true", "false", "null", "[1.0]", '{"b":1,"a":2}'])
)


@st.composite
def objects(draw: st.DrawFn) -> str:
    """JSON texts of a few shapes, with blanks here and there."""
    keys = draw(st.sampled_from([["b", "a"], ["a", "b"], ["a.b", "é", "z"], ["a", "a"], [], ['q"']]))
    blank = draw(st.sampled_from(["", " ", "\n "]))
    pairs = [f"{json.dumps(key, ensure_ascii=False)}{blank}:{blank}{draw(VALUES)}" for key in keys]
    return blank + "{" + f"{blank},{blank}".join(pairs) + blank + "}" + blank


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(objects(), st.just("no json")), min_size=1, max_size=12))
def test_many_are_written_like_one(texts: list[str]) -> None:
    expected: list[str | None] = []
    for text in texts:
        try:
            expected.append(canonical_text(text))
        except BadJson:
            expected.append(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(canonical_json, "_FEW", 0)  # every shape by pattern
        done, codes = canonical_series(pl.Series(texts))
    assert done.to_list() == expected
    assert codes.is_null().to_list() == [text is not None for text in expected]


@settings(max_examples=150, deadline=None)
@given(objects())
def test_the_value_stays_and_the_text_is_stable(text: str) -> None:
    once = canonical_text(text)
    assert parse_exact(once) == parse_exact(text)
    assert canonical_text(once) == once


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1.0, "a": Decimal("0.10")}, '{"a":0.1,"b":1}'),
        ([1e22, 1e-7, -0.0], "[10000000000000000000000,0.0000001,0]"),
        ("é\n\u2028", '"é\\n\u2028"'),
        ({"z": None, "Z": True}, '{"Z":true,"z":null}'),
    ],
)
def test_python_values(value: Any, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [float("inf"), {1: 2}, object(), "\ud800"])
def test_what_json_cannot_say(value: Any) -> None:
    with pytest.raises(BadJson):
        canonical(value)


def test_columns_become_objects_without_their_nulls() -> None:
    made = object_series(
        {
            "b": pl.Series(["x", None, 'a"q']),
            "a": pl.Series([1, 2, None]),
            "s": pl.Series([{"u": 1.5, "t": None}, None, {"u": None, "t": "é"}]),
            "l": pl.Series([[1, 2], None, []]),
            "j": pl.Series([b"[0]", None, None]),
        }
    )
    assert made.to_list() == [
        '{"a":1,"b":"x","j":[0],"l":[1,2],"s":{"u":1.5}}',
        '{"a":2}',
        '{"b":"a\\"q","l":[],"s":{"t":"é"}}',
    ]
