"""Series of documents: what starts a count again and what does not."""

from __future__ import annotations

from datetime import date

import pytest

from ratehouse.ledger import series_of

OCTOBER, JANUARY = date(2026, 10, 19), date(2027, 1, 19)


@pytest.mark.parametrize(
    ("number_format", "kind", "series"),
    [
        ("INV-{year}-{seq:06d}", "invoice", "INV-2026-"),
        ("INV-{year}-{seq:06d}", "credit_note", "CN-2026-"),
        ("BENT-11-{year}{month}-{seq:03d}", "invoice", "BENT-11-2026-"),
        ("{customer_id}-{customer_seq:03d}", "invoice", "-c1"),
        ("{customer_id}-{customer_seq:03d}-{seq}", "invoice", "--"),
    ],
)
def test_a_series_is_the_prefix_and_the_year_or_the_customer(
    number_format: str, kind: str, series: str
) -> None:
    assert series_of(number_format, kind, OCTOBER, "c1") == series


def test_a_count_per_customer_never_restarts_and_one_per_year_does() -> None:
    assert series_of("{customer_id}-{customer_seq}", "invoice", OCTOBER, "c1") == series_of(
        "{customer_id}-{customer_seq}", "invoice", JANUARY, "c1"
    )
    assert series_of("INV-{year}-{seq}", "invoice", OCTOBER) != series_of(
        "INV-{year}-{seq}", "invoice", JANUARY
    )
