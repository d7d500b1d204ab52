"""A contract that is over and closed is not recognised again, and every number is what a warehouse built at once has.

Fourteen of eighteen subscriptions end in February; each month is closed on the fifth. On 10 May usage of January of one
of the ended is told, after January to April were closed; on 12 May a credit of a stated contract. Beside it stands a
tenant of the same facts that closes nothing: a close of the one is not to move the other's numbers.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from ratehouse import billing, identities, warehouse
from ratehouse.settings import Settings
from tests.reliability.installation import FEE_AND_CALLS, Installation

pytestmark = pytest.mark.slow

ENDED, LATE = [f"s{n}" for n in range(14)], "s3"
LIVE = [f"s{n}" for n in range(14, 18)]
NIGHTS = (
    date(2026, 3, 6),
    date(2026, 4, 6),
    date(2026, 5, 1),
    date(2026, 5, 6),
    date(2026, 5, 13),
    date(2026, 6, 1),
    date(2026, 6, 6),
)
Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Night:
    """What a night left: every table of revenue and every mart, and which contracts were made again in its last build."""

    tables: Rows
    built_at_once: Rows
    made_again: set[str]


def _at(day: date, hour: int = 12) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=UTC)


def _facts() -> dict[str, list[dict[str, Any]]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    events: list[dict[str, Any]] = []
    usage: list[dict[str, Any]] = []
    for n, subscription in enumerate([*ENDED, *LIVE]):
        about = {"subscription_id": subscription, "customer_id": f"c{n}"}
        events.append(
            {
                **about,
                "event_id": f"created-{n}",
                "type": "created",
                "effective_at": start,
                "data": {"plan": "basic"},
            }
        )
        if subscription in ENDED:
            ended = datetime(2026, 2, 10 + n % 3, tzinfo=UTC)
            events.append(
                {
                    **about,
                    "event_id": f"ended-{n}",
                    "type": "cancelled",
                    "effective_at": ended,
                    "data": {"when": "immediate"},
                }
            )
        for month in range(1, 3 if subscription in ENDED else 7):
            call = {
                "event_id": f"call-{n}-{month}",
                "customer_id": f"c{n}",
                "event_type": "call",
                "quantity": str(100 + n),
            }
            usage.append({**call, "occurred_at": datetime(2026, month, 3, tzinfo=UTC)})
    late = {
        "event_id": "late",
        "customer_id": LATE.replace("s", "c"),
        "event_type": "call",
        "quantity": "700",
    }
    usage.append(
        {**late, "occurred_at": datetime(2026, 1, 20, tzinfo=UTC), "recorded_at": _at(date(2026, 5, 10))}
    )
    service = {
        "obligation_id": "service",
        "recognise": "ratable_day",
        "start": date(2026, 1, 1),
        "end": date(2026, 3, 1),
    }
    told = {"contract_id": "k", "effective_on": date(2026, 1, 1)}
    return {
        "customers": [
            {"customer_id": f"c{n}", "name": f"Customer {n}", "effective_at": start} for n in range(18)
        ],
        "subscription_events": events,
        "usage_events": usage,
        "contracts": [
            {
                "contract_id": "k",
                "customer_id": "c0",
                "currency": "USD",
                "signed_on": date(2026, 1, 1),
                "recorded_at": start,
            }
            | {"consideration": "590.00", "obligations": [service]}
        ],
        "contract_events": [
            {**told, "type": "billed", "recorded_at": start, "data": {"amount": "590.00"}},
            {**told, "type": "credit", "recorded_at": _at(date(2026, 5, 12)), "data": {"amount": "59.00"}},
        ],
        "period_closes": [
            {
                "period": f"2026-{month - 1:02}",
                "closed_at": _at(date(2026, month, 5)),
                "recorded_at": _at(date(2026, month, 5)),
            }
            for month in (2, 3, 4, 5, 6)
        ],
    }


def _rows(settings: Settings) -> Rows:
    with warehouse.connect(settings, read_only=True) as connection:
        names = connection.execute(
            "select schema_name || '.' || table_name from duckdb_tables()"
            " where schema_name = 'marts'"
            " or (table_name like 'int_revenue__%' and not table_name similar to '.*__(made|changed|new)_.*')"
        ).fetchall()
        return {name: sorted(connection.execute(f"from {name}").fetchall(), key=repr) for (name,) in names}


def _acme(night: Night, table: str) -> list[tuple[Any, ...]]:
    return [row for row in night.tables[table] if row[0] == "acme"]


def _made_again(settings: Settings) -> set[str]:
    with warehouse.connect(settings, read_only=True) as connection:
        return {
            row[0]
            for row in connection.execute(
                "select contract_id from intermediate.int_revenue__changed_contracts where tenant_id = 'acme'"
            ).fetchall()
        }


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[date, Night]]:
    installation = Installation(tmp_path_factory.mktemp("resting"))
    settings = installation.settings
    for tenant in ("acme", "unclosed"):
        installation.add_tenant(tenant, FEE_AND_CALLS)
    facts = _facts()
    installation.land("acme", **facts)
    installation.land("unclosed", **facts | {"period_closes": []})
    left: dict[date, Night] = {}
    for day in NIGHTS:
        billing.bill_days(settings, [day])
        tables, made_again = _rows(settings), _made_again(settings)
        kept = settings.warehouse_path.with_suffix(".kept")
        shutil.move(settings.warehouse_path, kept)
        billing.refresh(settings, installation.lake)
        left[day] = Night(tables, _rows(settings), made_again)
        shutil.move(kept, settings.warehouse_path)
    warehouse.build(settings, command="test", select=identities.TESTS)
    yield left


def test_every_row_is_that_of_a_warehouse_built_at_once(nights: dict[date, Night]) -> None:
    for day, night in nights.items():
        for table, rows in night.tables.items():
            assert rows == night.built_at_once[table], f"{table} on {day}"


def test_what_is_over_and_closed_is_not_made_again(nights: dict[date, Night]) -> None:
    for day in (date(2026, 5, 1), date(2026, 5, 6), date(2026, 6, 1), date(2026, 6, 6)):
        assert not nights[day].made_again & (set(ENDED) - {LATE}), day
    assert set(LIVE) <= nights[date(2026, 5, 1)].made_again
    assert LATE not in nights[date(2026, 5, 1)].made_again
    assert LATE in nights[date(2026, 5, 13)].made_again


def test_months_of_what_is_over_are_complete(nights: dict[date, Night]) -> None:
    rows = _acme(nights[NIGHTS[-1]], "marts.deferred_revenue_rollforward")
    for subscription in ENDED:
        assert {row[3] for row in rows if row[1] == subscription} == {
            f"2026-{month:02}" for month in range(1, 6)
        }


def test_what_is_told_of_it_late_is_posted_to_the_first_open_month(nights: dict[date, Night]) -> None:
    rows = _acme(nights[NIGHTS[-1]], "marts.revenue_by_period")
    late = [row for row in rows if row[1] == LATE and row[5] > "2026-02"]
    # 700 calls at 0.01.
    assert [(row[2], row[4], row[5], row[7]) for row in late] == [
        ("calls", "2026-01", "2026-05", Decimal("7.00"))
    ]
    credited = sorted((row[4], row[5], row[7]) for row in rows if row[1] == "k" and row[5] > "2026-02")
    # A tenth less for January and February, all of it agreed for what is done.
    assert sum((amount for *_, amount in credited), Decimal(0)) == Decimal("-59.00")
    assert {posted for _, posted, _ in credited} == {"2026-05"}
