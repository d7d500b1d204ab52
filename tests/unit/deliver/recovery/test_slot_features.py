"""The macro `slot_features` against its Python twin, on every half day of four years and around both changes of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import duckdb
import jinja2
import pytest

from deliver.recovery.features import SLOT_NUMBERS
from deliver.recovery.simulator import slot_features
from tests.conftest import ROOT

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2027, 12, 31, 12, tzinfo=UTC)


def columns(zone: str) -> str:
    macros = ROOT / "dbt_project" / "macros"
    text = "".join((macros / name).read_text(encoding="utf-8") for name in ("periods.sql", "dunning.sql"))
    module = jinja2.Environment(autoescape=False).from_string(text).module
    return str(module.slot_features("moment", "moment - interval '100 minutes'", f"'{zone}'"))  # type: ignore[attr-defined]


def found(zone: str, first: datetime, last: datetime) -> list[tuple[int, ...]]:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.execute(
            f"select {columns(zone)} from (select unnest(generate_series($1, $2, interval 12 hours)) as moment)"
            " order by moment",
            [first, last],
        ).fetchall()


def test_the_macro_says_what_its_twin_says() -> None:
    moments = [FIRST + timedelta(hours=12) * step for step in range(len(found("UTC", FIRST, LAST)))]
    assert moments[-1] == LAST
    twins = [slot_features(at, at - timedelta(minutes=100)) for at in moments]
    assert found("UTC", FIRST, LAST) == [tuple(twin[name] for name in SLOT_NUMBERS) for twin in twins]


@pytest.mark.parametrize(
    ("utc", "hour", "day"),
    [
        ("2026-01-31T23:30:00+00:00", 0, 1),  # already the first of the month in Paris
        ("2026-03-29T00:30:00+00:00", 1, 29),  # before the clocks go forward
        ("2026-03-29T01:30:00+00:00", 3, 29),  # after
        ("2026-10-25T00:30:00+00:00", 2, 25),  # before they go back
        ("2026-10-25T01:30:00+00:00", 2, 25),  # after
    ],
)
def test_hours_and_days_are_the_customers(utc: str, hour: int, day: int) -> None:
    at = datetime.fromisoformat(utc)
    (row,) = found("Europe/Paris", at, at)
    named = dict(zip(SLOT_NUMBERS, row, strict=True))
    assert (named["slot_hour"], named["slot_day_of_month"], named["hours_waited"]) == (hour, day, 1)


def test_pay_days_are_the_first_the_fifteenth_and_the_last_friday() -> None:
    """October 2026: Thursday the 1st, the 15th, Friday the 30th."""
    days = [slot_features(datetime(2026, 10, day, tzinfo=UTC), FIRST) for day in range(1, 32)]
    assert [day for day, one in enumerate(days, start=1) if one["days_since_payday"] == 0] == [1, 15, 30]
    assert [day for day, one in enumerate(days, start=1) if one["days_to_payday"] == 0] == [1, 15, 30]
    assert (days[28]["days_since_payday"], days[30]["days_to_payday"]) == (14, 1)
