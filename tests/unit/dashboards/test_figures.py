from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dashboards import figures


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        (date(2026, 10, 1), date(2026, 11, 1), "1 \N{EN DASH} 31 Oct 2026"),
        (date(2026, 9, 30), date(2026, 10, 30), "30 Sep \N{EN DASH} 29 Oct 2026"),
        (date(2026, 12, 15), date(2027, 1, 15), "15 Dec 2026 \N{EN DASH} 14 Jan 2027"),
        (date(2026, 10, 1), date(2026, 10, 2), "1 Oct 2026"),
        (None, None, ""),
    ],
)
def test_periods_are_inclusive(start: date | None, end: date | None, text: str) -> None:
    assert figures.period(start, end) == text


def test_growth_has_no_number_where_there_was_nothing() -> None:
    assert figures.growth(Decimal("110"), Decimal("100")) == "+10.0%"
    assert figures.growth(Decimal("110"), Decimal("0")) is None


def test_unknown_codes_become_words() -> None:
    assert figures.label("credit_note") == "Credit note"
    assert figures.label("something_new") == "Something new"
