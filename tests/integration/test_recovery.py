"""Retries through the real models, from failures to what is learned: what is planned on is what is learned from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from deliver.recovery.features import FEATURES, SLOT_NUMBERS
from deliver.recovery.model import save
from deliver.recovery.plan import Plan
from deliver.recovery.records import folder, plan_retries, read_log, read_mart, read_plans, train_tenant
from deliver.recovery.simulator import slot_features
from deliver.recovery.train import TooFewAttempts
from ratehouse import ledger, warehouse
from ratehouse.cli import app
from ratehouse.configuration import KNOWN_FROM_THE_START, book_row, tenant_row
from ratehouse.lake import Lake
from ratehouse.price_book import parse_price_book
from ratehouse.settings import Settings
from ratehouse.streams import land
from ratehouse.tenant import parse_tenant
from tests.unit.deliver.recovery.worlds import story

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
FAILED = FIRST + timedelta(hours=9)
PLANNED = FIRST + timedelta(hours=10)
TENANT = {
    "currency": "EUR",
    "invoicing": {"due_days": 0},
    "dunning": {
        "retry": "model",
        "limits": [{"network": "amex", "max": 1, "days": 30}],
        # Everybody is left to chance, so that times other than the fixed ones come out without a model.
        "recovery": {"random_percent": "100", "fixed_percent": "0", "retry_cost": {"EUR": "0.25"}},
    },
}
BOOK = {
    "price_book": "1",
    "effective_from": "2000-01-01",
    "currency": "EUR",
    "plans": {
        "a": {
            "interval": "year",
            "charges": {
                "base": {"type": "recurring", "timing": "advance", "model": "flat", "amount": "100.00"}
            },
        }
    },
}
PAYERS = [f"c{number}" for number in range(8)]
HARD, LIMITED, EARLY = "hard", "limited", "early"


class Home:
    """A home with one tenant and the clock that it is built for."""

    def __init__(self, place: Path) -> None:
        self.settings = Settings.load(place, environ={})
        self.lake = Lake(self.settings.lake_url)
        tenant = parse_tenant({"tenant": "acme", **TENANT})
        book = parse_price_book(BOOK)
        self.land("tenants", [tenant_row("acme", tenant)], KNOWN_FROM_THE_START)
        self.land("price_books", [book_row("acme", book)], KNOWN_FROM_THE_START)
        everybody = [*PAYERS, HARD, LIMITED, EARLY]
        self.land("customers", [{"customer_id": name, "effective_at": FIRST} for name in everybody], FIRST)
        self.land(
            "subscription_events",
            [
                {
                    "event_id": name, "subscription_id": name, "customer_id": name, "type": "created",
                    "effective_at": FIRST, "data": {"plan": "a"},
                }
                for name in everybody
            ],
            FIRST,
        )  # fmt: skip

    def land(self, stream: str, rows: list[dict[str, Any]], at: datetime) -> None:
        batch = f"{stream}-{at:%Y%m%dT%H%M%S}-{len(self.lake.files(f'raw/{stream}'))}"
        landed = land(
            self.lake, stream, rows, tenant_id="acme", source="test", batch_id=batch, received_at=at
        )
        assert not landed.rejected, landed.reasons

    def build(self, at: datetime, *, issue: bool = False) -> None:
        """Bill the day and count the facts known at the instant, then publish."""
        midnight = at.replace(hour=0, minute=0)
        self.land("tenant_clocks", [{"billing_as_of": midnight, "known_as_of": at}], at)
        with warehouse.writer(self.settings):
            warehouse.prepare(self.settings, self.lake)
            warehouse.seed(self.settings)
            warehouse.build(self.settings, command="run")
            if issue:
                with warehouse.connect(self.settings) as connection:
                    ledger.issue(connection, self.lake)
            else:
                warehouse.publish(self.settings)

    def payment(self, name: str, payment_id: str, at: datetime, status: str, **more: Any) -> None:
        row = {
            "payment_id": payment_id, "customer_id": name, "amount": "100.00", "currency": "EUR", "method": "visa",
            "status": status, "attempted_at": at, "recorded_at": at + timedelta(minutes=1),
            **({"failure_class": "soft", "failure_code": "insufficient_funds"} if status == "failed" else {}),
            **more,
        }  # fmt: skip
        self.land("payments", [row], at)

    def query(self, sql: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.settings.serving_path), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return list(connection.sql(sql).to_arrow_table().to_pylist())


@pytest.fixture(scope="module")
def story_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Home, pl.DataFrame, list[Plan], int]]:
    """Everybody's payment fails; retries are planned and tried at their times; every second one succeeds."""
    home = Home(tmp_path_factory.mktemp("recovery"))
    home.build(FIRST, issue=True)
    home.payment(EARLY, "early-1", FAILED - timedelta(minutes=60), "failed")
    home.payment(EARLY, "early-2", FAILED - timedelta(minutes=30), "succeeded")
    for name in PAYERS:
        home.payment(name, f"{name}-1", FAILED, "failed")
    home.payment(HARD, "hard-1", FAILED, "failed", failure_class="hard", failure_code="lost_card")
    home.payment(LIMITED, "limited-1", FAILED, "failed", method="amex")
    home.payment(LIMITED, "limited-2", FAILED + timedelta(minutes=20), "failed", method="amex")
    home.build(PLANNED)
    slots = read_mart(home.settings, "recovery_slots")
    plans = plan_retries(home.settings, now=PLANNED + timedelta(minutes=5))
    again = len(plan_retries(home.settings, now=PLANNED + timedelta(minutes=6)))
    for place, name in enumerate(PAYERS):
        (one,) = [one for one in plans if one.customer_id == name]
        status = "succeeded" if place % 2 else "failed"
        home.payment(name, f"{name}-2", one.retry_at + timedelta(seconds=30), status)
    # Tried before all of this, told long after it: nobody could have planned on it.
    told_late = {"recorded_at": FIRST + timedelta(days=50)}
    home.payment(EARLY, "early-3", FAILED - timedelta(minutes=45), "failed", **told_late)
    home.payment(PAYERS[0], "c0-late", FAILED - timedelta(minutes=45), "failed", **told_late)
    home.build(FIRST + timedelta(days=120))
    yield home, slots, plans, again


def test_what_is_planned_on_is_what_is_learned_from(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    """The features of an attempt, built months later, are those of the time that was planned, to the last one."""
    home, slots, plans, _ = story_told
    attempts = read_mart(home.settings, "recovery_attempts")
    for one in plans:
        (planned,) = slots.filter(invoice_id=one.invoice_id, slot_no=one.slot_no).select(FEATURES).to_dicts()
        (tried,) = attempts.filter(payment_id=f"{one.customer_id}-2").select(FEATURES).to_dicts()
        assert tried == planned
        assert one.slots[one.slot_no - 1] == planned
    recovered = [*(f"{name}-2" for name in PAYERS[1::2]), "early-2"]
    assert attempts.filter("is_recovered")["payment_id"].sort().to_list() == recovered
    assert attempts["is_closed"].all()


def test_only_what_was_known_counts(story_told: tuple[Home, pl.DataFrame, list[Plan], int]) -> None:
    """One failure and one success with this method were known; eight failures of that minute and the late ones were not."""
    home, slots, _, _ = story_told
    tried = read_mart(home.settings, "recovery_attempts").filter(
        pl.col("payment_id").is_in([f"{n}-2" for n in PAYERS])
    )
    for rows in (slots, tried):
        assert rows.select("method_attempts", "method_successes", "failures").unique().rows() == [(2, 1, 1)]


def test_the_features_of_a_time_are_those_of_the_twin(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    _, slots, _, _ = story_told
    for row in slots.iter_rows(named=True):
        assert {name: row[name] for name in SLOT_NUMBERS} == slot_features(row["retry_at"], FAILED)


def test_times_are_the_fixed_one_and_those_before_the_next_retry(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    _, slots, _, _ = story_told
    expected = [FIRST + timedelta(days=1, hours=hours) for hours in (0, 12, 24, 36)]
    for _, rows in slots.group_by("invoice_id"):
        assert rows.sort("slot_no")["retry_at"].to_list() == expected
    assert slots["retry_cost"].unique().to_list() == [Decimal("0.2500")]


def test_hard_declines_and_exhausted_networks_get_no_time(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    _, slots, plans, _ = story_told
    assert sorted(slots["customer_id"].unique()) == PAYERS
    assert sorted(one.customer_id for one in plans) == PAYERS


def test_a_retry_is_planned_once_and_due_at_its_time(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    home, _, plans, again = story_told
    assert again == 0
    chosen = [(one.plan_id, one.retry_at, one.propensity, one.arm) for one in plans]
    assert [(one.plan_id, one.retry_at, one.propensity, one.arm) for one in read_plans(home.lake)] == chosen
    due = {
        row["invoice_id"]: row["due_at"]
        for row in home.query("select * from marts.dunning_actions where action = 'retry' and step = 1")
    }
    assert {one.slot_no for one in plans} > {1}
    assert all(due[one.invoice_id] == one.retry_at for one in plans)


def test_a_plan_is_judged_by_what_came_less_what_it_cost(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    home, _, _, _ = story_told
    log = read_log(home.settings, "acme").sort("customer_id")
    assert log["recovered_value"].to_list() == [
        Decimal("99.7500") if place % 2 else Decimal("-0.2500") for place in range(len(PAYERS))
    ]
    assert log["propensity"].unique().to_list() == [Decimal("0.25")]


def test_too_little_history_leaves_the_schedule(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int],
) -> None:
    home, _, _, _ = story_told
    with pytest.raises(TooFewAttempts, match="The fixed schedule stays"):
        train_tenant(home.settings, "acme")


def test_the_commands_say_what_there_is(
    story_told: tuple[Home, pl.DataFrame, list[Plan], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    home, _, _, _ = story_told
    monkeypatch.setenv("RATEHOUSE_HOME", str(home.settings.home))
    save(story(signal=True).model, folder(home.settings), "acme")
    planned = CliRunner().invoke(app, ["recovery", "plan"])
    assert (planned.exit_code, planned.output.strip()) == (0, "nothing to plan")
    judged = CliRunner().invoke(app, ["recovery", "evaluate", "--tenant", "acme"])
    assert judged.exit_code == 0 and "nothing is estimated" in judged.output
