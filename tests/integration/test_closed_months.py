"""Closed months never move, whatever is learned later: what differs is posted in the first open month, and every identity holds.

Companies in one warehouse, each month closed on the fifth: one whose financed delivery is told late, one whose rates are
corrected after the close, one whose contract is refused by what is learned after the close until it is corrected, and one of
random contracts about which everything may be told up to three months late.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from ratehouse import billing, identities, period_closes, warehouse
from tests.reliability.installation import FEE_AND_CALLS, Installation

pytestmark = pytest.mark.slow

RUNS = [date(2026, month, 6) for month in (2, 3, 4, 5, 6)]
MONTHS = ["2026-01", "2026-02", "2026-03", "2026-04", "2026-05"]
CONTRACTS = 40
TENANTS = ("financed", "rates", "refused", "drawn")
# What a closed month shows, and the columns that say which month a row is of.
MARTS = {
    "journal_entries": "period",
    "revenue_by_period": "posting_period",
    "contract_balances": "period",
    "deferred_revenue_rollforward": "period",
    "unbilled_revenue": "period",
    "contract_costs": "period",
}
Row = dict[str, Any]


def _at(day: date, late: int = 0) -> datetime:
    return datetime.combine(day + timedelta(days=late), time(12), UTC)


def _event(contract: str, kind: str, on: date, late: int = 0, **data: Any) -> Row:
    told = {"contract_id": contract, "type": kind, "effective_on": on, "data": data}
    return {**told, "recorded_at": _at(on, late)}


def _rate(on: date, rate: str, late: int = 0) -> Row:
    pair = {"base": "USD", "quote": "EUR", "rate_on": on, "source": "ecb"}
    return {**pair, "rate": rate, "recorded_at": _at(on, late)}


def _contract(contract: str, signed: date, price: str, *obligations: Row, **more: Any) -> Row:
    terms = {"contract_id": contract, "customer_id": "c1", "currency": "USD", "signed_on": signed}
    return {
        **terms,
        "consideration": price,
        "obligations": list(obligations),
        "recorded_at": _at(signed),
        **more,
    }


def _financed() -> dict[str, list[Row]]:
    """1,200.00 paid on 1 January at 12 %; delivered on 20 January, which is told on 10 March."""
    first = date(2026, 1, 1)
    goods = {"obligation_id": "goods", "recognise": "point_in_time"}
    return {
        "contracts": [
            _contract("k", first, "1200.00", goods, financing={"annual_rate": "0.12", "compounding": "year"})
        ],
        "contract_events": [
            _event("k", "billed", first, amount="1200.00"),
            _event("k", "paid", first, amount="1200.00"),
            _event("k", "delivered", date(2026, 1, 20), late=49, obligation_id="goods"),
        ],
    }


def _rates() -> dict[str, list[Row]]:
    """USD 100.00 billed at 0.90 by a euro company and earned in January; on 10 March that rate is corrected to 0.95."""
    first = date(2026, 1, 2)
    goods = {"obligation_id": "goods", "recognise": "point_in_time", "satisfied_on": first}
    return {
        "contracts": [_contract("k", first, "100.00", goods)],
        "contract_events": [
            _event("k", "billed", first, amount="100.00"),
            _event("k", "paid", date(2026, 4, 20), amount="100.00"),
        ],
        "fx_rates": [
            _rate(first, "0.90"),
            _rate(first, "0.95", late=67),
            _rate(date(2026, 4, 1), "0.92"),
        ],
    }


def _refused() -> dict[str, list[Row]]:
    """100.00 a month; on 10 March a modification of before its signing is told, and on 10 April that it was signed earlier."""
    first, signed = date(2026, 1, 5), date(2026, 1, 2)
    service = {"obligation_id": "service", "recognise": "ratable_month"}
    service |= {"start": date(2026, 1, 1), "end": date(2027, 1, 1)}
    change = {"treatment": "catch_up", "consideration_delta": "12.00", "obligations": []}
    return {
        "contracts": [
            _contract("k", first, "1200.00", service),
            _contract("k", signed, "1200.00", service, recorded_at=_at(date(2026, 4, 10))),
        ],
        "contract_events": [
            _event("k", "billed", first, amount="1200.00"),
            _event("k", "modification", date(2026, 1, 3), late=66, **change),
        ],
    }


def _drawn(rng: random.Random) -> dict[str, list[Row]]:
    """Contracts with everything that may be told of them, each up to three months late."""

    def day(after: date) -> date:
        return after + timedelta(days=rng.randrange(110))

    def late() -> int:
        return rng.choice([0, 0, rng.randrange(20), rng.randrange(90)])

    facts: dict[str, list[Row]] = {"contracts": [], "contract_events": [], "fx_rates": []}
    for month in range(1, 6):
        on = date(2026, month, 1)
        for delay in (0, rng.randrange(10, 80)):
            facts["fx_rates"].append(_rate(on, f"0.{rng.randrange(850, 990)}", delay))
    for n in range(CONTRACTS):
        contract, signed = f"k{n}", date(2026, 1, 1) + timedelta(days=rng.randrange(60))
        ends = signed + timedelta(days=rng.randrange(40, 300))
        service = {"obligation_id": "service", "ssp": "900", "start": signed, "end": ends}
        service["recognise"] = rng.choice(["ratable_day", "ratable_month"])
        goods = {"obligation_id": "goods", "ssp": "500", "recognise": "point_in_time"}
        points = {"obligation_id": "points", "ssp": "100", "recognise": "usage", "units": "10", "end": ends}
        more: Row = {"recorded_at": _at(signed, late())}
        if n % 4 == 0:
            more["financing"] = {"annual_rate": "0.12", "compounding": "year"}
        if n % 4 == 1:
            more["variable"] = [{"variable_id": "rebate", "estimate": "-90.00"}]
            more["costs"] = [
                {"cost_id": "commission", "kind": "obtain", "amount": "77.00", "incurred_on": signed}
                | {"start": signed, "end": ends}
            ]
        price = f"{rng.randrange(50_000, 300_000) / 100:.2f}"
        facts["contracts"].append(
            _contract(contract, signed, price, service, goods, points, **more)
            | {"currency": "EUR" if n % 3 == 0 else "USD", "cancellable": n % 7 == 0}
        )
        amount = f"{Decimal(price) / 4:.2f}"
        told = [
            _event(contract, "billed", day(signed), late(), amount=price),
            _event(contract, "billed", day(signed), late(), amount=amount),
            _event(contract, "paid", day(signed), late(), amount=amount),
            _event(contract, "delivered", day(signed), late(), obligation_id="goods"),
            _event(contract, "redeemed", day(signed), late(), obligation_id="points", units="3"),
        ]
        kinds = rng.sample(
            ["credit", "refund", "estimate", "catch_up", "prospective", "cancelled", "dated"], 3
        )
        for kind in kinds:
            on, delay = day(signed), late()
            if kind in ("catch_up", "prospective"):
                change = {"treatment": kind, "consideration_delta": "120.00", "obligations": []}
                told.append(_event(contract, "modification", on, delay, **change))
            elif kind == "estimate":
                told.append(_event(contract, kind, on, delay, variable_id="rebate", estimate="-60.00"))
            elif kind == "dated":
                days = {"start": signed, "end": signed + timedelta(days=30)}
                told.append(_event(contract, "credit", on, delay, amount="11.00", **days))
            elif kind == "cancelled":
                told.append(_event(contract, kind, on, delay))
            else:
                told.append(_event(contract, kind, on, delay, amount="33.33"))
        facts["contract_events"] += told
    return facts


@dataclass(frozen=True)
class Years:
    """What was seen after each run: of every tenant and closed month, the rows of each mart."""

    installation: Installation
    seen: list[dict[tuple[str, str, str], list[tuple[Any, ...]]]]

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.installation.settings.serving_path), read_only=True) as serving:
            return serving.execute(query, parameters).fetchall()


def _closed_rows(installation: Installation) -> dict[tuple[str, str, str], list[tuple[Any, ...]]]:
    with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
        closed = serving.execute(
            "select tenant_id, period from marts.accounting_periods where status = 'closed' order by all"
        ).fetchall()
        return {
            (tenant, month, mart): serving.execute(
                # When the next bill comes is no number of the month.
                f"select columns(lambda name: name <> 'next_bill_on') from marts.{mart}"
                f" where tenant_id = ? and {column} = ? order by all",
                [tenant, month],
            ).fetchall()
            for tenant, month in closed
            for mart, column in MARTS.items()
        }


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Years]:
    installation = Installation(tmp_path_factory.mktemp("closed"))
    for tenant, facts in (
        ("financed", _financed()),
        ("rates", _rates()),
        ("refused", _refused()),
        ("drawn", _drawn(random.Random(20260601))),
    ):
        currency = "USD" if tenant in ("financed", "refused") else "EUR"
        installation.add_tenant(tenant, FEE_AND_CALLS, f"currency: {currency}\n")
        closes = [
            {"period": month, "closed_at": _at(day - timedelta(days=1)), "recorded_at": _at(day, -1)}
            for month, day in zip(MONTHS, RUNS, strict=True)
        ]
        installation.land(tenant, **facts, period_closes=closes)
    seen = []
    for day in RUNS:
        billing.bill_days(installation.settings, [day])
        warehouse.build(installation.settings, command="test", select=identities.TESTS)
        seen.append(_closed_rows(installation))
    yield Years(installation, seen)


def test_what_a_closed_month_shows_never_changes(years: Years) -> None:
    shown: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for months in years.seen:
        assert {key: months[key] for key in shown} == shown
        shown = months
    assert {(tenant, month) for tenant, month, _ in shown} == {
        (tenant, month) for tenant in TENANTS for month in MONTHS
    }
    for tenant in TENANTS:
        assert not [
            found for found in period_closes.verify(years.installation.settings, tenant) if found.moved
        ]


def test_the_corrections_make_up_what_closed_months_differ_by(years: Years) -> None:
    """Owner by owner, month of performance by month of performance, the books are what is derived from all that is known now."""
    with warehouse.connect(years.installation.settings, read_only=True) as connection:
        differing = connection.execute(
            """
            select tenant_id, owner, performance_period, account_role, currency, contract_id, sum(amount), sum(functional_amount)
            from (
                select * from intermediate.int_accounting__journal
                union all by name
                select * replace (-amount as amount, -functional_amount as functional_amount)
                from intermediate.int_accounting__functional_lines
                union all by name
                select * replace (-amount as amount, -functional_amount as functional_amount)
                from intermediate.int_accounting__revaluations
            )
            group by all
            having sum(amount) <> 0 or sum(functional_amount) <> 0
            """
        ).fetchall()
    assert not differing
    corrected = years.rows(
        "select count(distinct entry_id) from marts.journal_entries where tenant_id = 'drawn' and kind = 'correction'"
    )
    assert corrected[0][0] > 10


def test_interest_of_a_delivery_that_is_told_late_is_corrected_with_its_month(years: Years) -> None:
    # 12 % a year: equal months of 12.00. By 20 January 12.00 * 19 / 31 were borne and nothing since.
    corrections = years.rows(
        "select posted_on, performance_period, account_role, debit - credit from marts.journal_entries"
        " where tenant_id = 'financed' and kind = 'correction' order by all"
    )
    assert corrections == [
        (date(2026, 3, 1), "2026-01", "deferred_revenue", Decimal("4.65")),
        (date(2026, 3, 1), "2026-01", "interest_expense", Decimal("-4.65")),
        (date(2026, 3, 1), "2026-02", "deferred_revenue", Decimal("12.00")),
        (date(2026, 3, 1), "2026-02", "interest_expense", Decimal("-12.00")),
    ]
    rolled = years.rows(
        "select period, opening, billed, interest, recognised, closing from marts.deferred_revenue_rollforward"
        " where tenant_id = 'financed' and period <= '2026-03' order by period"
    )
    assert rolled == [
        ("2026-01", *map(Decimal, ("0", "1200", "12", "0", "1212"))),
        ("2026-02", *map(Decimal, ("1212", "0", "12", "0", "1224"))),
        ("2026-03", *map(Decimal, ("1224", "0", "-16.65", "-1207.35", "0"))),
    ]


def test_a_contract_that_is_refused_after_a_close_waits_for_its_correction(years: Years) -> None:
    march = {key[1] for key in years.seen[2] if key[0] == "refused"}
    assert march == {"2026-01", "2026-02"}, "a refused row holds up the close"
    assert {key[1] for key in years.seen[3] if key[0] == "refused"} == set(MONTHS[:4])
    # March and April were closed once the row was corrected, with the 1.00 a month that the modification adds from then on.
    posted = years.rows(
        "select posting_period, sum(recognised) from marts.revenue_by_period where tenant_id = 'refused'"
        " group by all order by all"
    )
    assert posted == [
        (month, Decimal(amount)) for month, amount in zip(MONTHS, (100, 100, 103, 101, 101), strict=True)
    ]
    rejected = years.rows("select reason_code, replayed from marts.rejected_rows where tenant_id = 'refused'")
    assert rejected == [("modified_before_signing", True)]


def test_a_corrected_rate_moves_the_open_month(years: Years) -> None:
    # The receivable stood at 90.00 and the revenue too; both are 95.00, and the gain of the payment is what the new rate leaves.
    lines = years.rows(
        "select kind, posted_on, performance_period, account_role, functional_debit - functional_credit"
        " from marts.journal_entries where tenant_id = 'rates' and period = '2026-03' and kind = 'correction' order by all"
    )
    month = (date(2026, 3, 1), "2026-01")
    assert sorted((role, amount) for _, *when, role, amount in lines if tuple(when) == month) == [
        ("receivable", Decimal("5.00")),
        ("revenue", Decimal("-5.00")),
    ]
    (balance,) = years.rows(
        "select sum(functional_debit - functional_credit), sum(debit - credit) from marts.journal_entries"
        " where tenant_id = 'rates' and account_role = 'receivable' and period <= '2026-04'"
    )
    assert balance == (0, 0)
