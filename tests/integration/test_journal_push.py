"""Posting a journal to QuickBooks, Xero and NetSuite over real HTTP: every entry once, whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from deliver import http
from deliver.accounting import outbox
from deliver.accounting.connection import CONNECTIONS, Access
from deliver.accounting.journal import AccountingError
from deliver.accounting.push import TAKE_OVER, Pushed, push
from deliver.accounting.targets import TARGETS
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.tenant import ACCOUNTS, parse_tenant
from tests.integration.journal_servers import (
    TOKEN,
    NetSuiteBooks,
    QuickBooksBooks,
    XeroBooks,
    accounting_server,
)

SYSTEMS = {"quickbooks": QuickBooksBooks, "xero": XeroBooks, "netsuite": NetSuiteBooks}
IDS = {role: f"id-{role}" for role in ACCOUNTS}


@dataclass
class Place:
    """A home with a published journal, and one accounting system."""

    settings: Settings
    target: str
    books: Any
    url: str
    waits: list[float] = field(default_factory=list)
    now: datetime = datetime(2026, 11, 5, 9, tzinfo=UTC)

    def push(self, *, timeout: float = 5.0, **options: Any) -> Pushed:
        access = Access(self.target, "acme", self.url, TOKEN, self.books.company, timeout)
        connection = CONNECTIONS[self.target](access, self.waits.append)
        return push(
            self.settings,
            "acme",
            "2026-10",
            self.target,
            clock=lambda: self.now,
            connection=connection,
            **options,
        )

    def postings(self) -> list[tuple[str, str | None]]:
        found = outbox.read_postings(Lake(self.settings.lake_url), "acme", self.target)
        return [(one.state, one.external_id) for one in found.values()]

    def balances(self) -> dict[str, str]:
        """What the system's books have, by role."""
        sums: Counter[str] = Counter()
        for key in self.live():
            for account, amount in TARGETS[self.target].amounts(self.books.entries[key]):
                sums[account.removeprefix("id-")] += amount
        return {role: f"{amount:.2f}" for role, amount in sums.items() if amount}

    def live(self) -> list[str]:
        return [key for key, entry in self.books.entries.items() if entry.get("Status") != "VOIDED"]


def _publish(settings: Settings, lines: list[tuple[str, str, str]], *, status: str = "closed") -> None:
    """A serving file with a journal: (entry, role, signed amount) of each line."""
    settings.serving_dir.mkdir(parents=True, exist_ok=True)
    settings.serving_path.unlink(missing_ok=True)
    accounting = {"quickbooks": {"accounts": IDS}, "xero": {"accounts": IDS}, "netsuite": {"accounts": IDS}}
    document = parse_tenant({"tenant": "acme", "accounting": accounting}).document()
    with duckdb.connect(str(settings.serving_path)) as db:
        db.execute("create schema marts")
        db.execute(
            "create table marts.tenants as select 'acme' as tenant_id, ? as document", [json.dumps(document)]
        )
        db.execute("create table marts.invoices (tenant_id text, invoice_id text, bill_to_name text)")
        db.execute(
            f"create table marts.accounting_periods as select 'acme' tenant_id, '2026-10' period, '{status}' status"
        )
        db.execute(
            "create table marts.journal_entries (tenant_id text, entry_id text, line_no bigint, kind text, period text,"
            " performance_period text, posted_on date, account_role text, account text, debit decimal(20,4),"
            " credit decimal(20,4), currency text, functional_debit decimal(20,4), functional_credit decimal(20,4),"
            " functional_currency text, contract_id text, invoice_id text, memo text)"
        )
        db.executemany(
            "insert into marts.journal_entries values ('acme', ?, ?, 'billing', '2026-10', '2026-10', ?, ?, 'x', ?, ?,"
            " 'USD', ?, ?, 'USD', 'k1', null, ?)",
            [
                (
                    entry * 32,
                    number,
                    date(2026, 10, 31),
                    role,
                    *_sides(amount),
                    *_sides(amount),
                    f"billing {entry}",
                )
                for number, (entry, role, amount) in enumerate(lines)
            ],
        )


def _sides(amount: str) -> tuple[Decimal, Decimal]:
    return max(Decimal(amount), Decimal(0)), max(-Decimal(amount), Decimal(0))


TWO = [
    ("a", "receivable", "10.10"),
    ("a", "deferred_revenue", "-10.10"),
    ("b", "deferred_revenue", "5.05"),
    ("b", "revenue", "-5.05"),
]


@pytest.fixture(params=SYSTEMS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    settings = Settings.load(tmp_path, environ={})
    _publish(settings, TWO)
    books = SYSTEMS[request.param]()
    with accounting_server(books) as url:
        yield Place(settings, request.param, books, url)


def test_every_entry_is_posted_once_and_its_id_is_kept(place: Place) -> None:
    done = place.push()
    assert (done.outcomes, done.problems) == ({"posted": 2}, [])
    assert sorted(place.postings()) == sorted(("posted", key) for key in place.live())
    assert place.push().outcomes == {"posted before": 2}
    assert len(place.live()) == place.books.posted == 2


@pytest.mark.parametrize("fault", [429, 503, "lost request", "lost answer"])
def test_what_fails_for_a_moment_is_tried_again_and_posted_once(place: Place, fault: int | str) -> None:
    place.books.faults = [fault, fault]
    assert place.push().outcomes == {"posted": 2}
    assert len(place.live()) == place.books.posted == 2
    assert place.waits == ([7.0, 7.0] if fault == 429 else [1.0, 2.0])


@pytest.mark.parametrize("fault", ["lost request", "lost answer", 500])
def test_an_entry_whose_answer_was_lost_is_looked_up_before_it_is_sent_again(
    place: Place, fault: int | str
) -> None:
    place.books.faults = [fault] * http.TRIES
    done = place.push()
    assert done.outcomes == {"unknown": 1, "posted": 1}
    assert {state for state, _ in place.postings()} == {"unknown", "posted"}
    # somebody else may still be sending it
    assert place.push().outcomes == {"taken by another process": 1, "posted before": 1}
    place.now += TAKE_OVER
    # what the key remembered is forgotten by now, as with Xero after some minutes
    place.books.answers.clear()
    assert place.push().outcomes == {"posted": 1, "posted before": 1}
    assert len(place.live()) == place.books.posted == 2
    assert {state for state, _ in place.postings()} == {"posted"}


def test_an_answer_that_comes_too_late_is_no_second_entry(place: Place) -> None:
    place.books.faults = ["late answer"]
    assert place.push(timeout=0.5).outcomes == {"posted": 2}
    assert len(place.live()) == place.books.posted == 2


def test_a_system_that_asks_for_patience_gets_it(place: Place) -> None:
    place.books.faults = [429] * http.TRIES
    done = place.push()
    assert done.outcomes == {"waiting": 1} and "takes nothing now" in done.problems[0]
    assert place.postings() == [("waiting", None)] and not place.books.entries
    assert place.push().outcomes == {"posted": 2}


def test_a_refused_entry_says_why_and_leaves_nothing_behind(place: Place) -> None:
    place.books.unknown_accounts = {IDS["revenue"]}
    done = place.push()
    assert done.outcomes == {"posted": 1, "refused": 1}
    words = {"quickbooks": "made inactive", "xero": "not a valid code", "netsuite": "Invalid account"}
    assert words[place.target] in done.problems[0]
    assert sorted(state for state, _ in place.postings()) == ["posted", "refused"]
    asked = len(place.books.requests)
    again = place.push()
    assert again.outcomes == {"posted before": 1, "refused": 1} and words[place.target] in again.problems[0]
    assert len(place.books.requests) == asked
    place.books.unknown_accounts = set()
    place.books.answers.clear()
    assert place.push(again=True).outcomes == {"posted": 1, "posted before": 1}


def test_an_entry_of_which_one_part_is_refused_is_taken_back_whole(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = [("a", "receivable", "1.10")] * 1200 + [
        ("a", "deferred_revenue", "-1310.00"),
        ("a", "revenue", "-10.00"),
    ]
    _publish(place.settings, many)
    place.books.unknown_accounts = {IDS["revenue"]}
    done = place.push()
    assert done.outcomes == {"refused": 1} and not place.live()
    assert place.books.posted >= 1
    place.books.unknown_accounts = set()
    place.books.answers.clear()
    assert place.push(again=True).outcomes == {"posted": 1}
    assert len(place.live()) >= 2 and {state for state, _ in place.postings()} == {"posted"}
    assert place.push().outcomes == {"posted before": 1}


def test_two_processes_do_not_post_one_entry(place: Place) -> None:
    lake = Lake(place.settings.lake_url)
    place.books.faults = [500] * http.TRIES
    place.push()
    (unknown,) = [
        one for one in outbox.read_postings(lake, "acme", place.target).values() if one.state == "unknown"
    ]
    assert not outbox.record(lake, unknown, "claimed", at=place.now)


def test_a_wrong_token_stops_everything_and_is_in_no_message(place: Place) -> None:
    access = Access(place.target, "acme", place.url, "wr0ng", place.books.company)
    assert "wr0ng" not in repr(access)
    done = push(
        place.settings, "acme", "2026-10", place.target, clock=lambda: place.now,
        connection=CONNECTIONS[place.target](access, place.waits.append),
    )  # fmt: skip
    assert done.outcomes == {"waiting": 1} and "check the token" in done.problems[0]
    assert "wr0ng" not in done.problems[0] and not place.books.entries


def test_what_is_posted_and_then_different_is_corrected_by_the_difference(place: Place) -> None:
    place.push()
    _publish(place.settings, [*TWO[:2], ("b", "deferred_revenue", "6.00"), ("b", "revenue", "-6.00")])
    place.books.faults = ["lost answer"] * http.TRIES
    assert place.push().outcomes == {"posted before": 1, "unknown": 1}
    place.now += TAKE_OVER
    assert place.push().outcomes == {"posted before": 2}
    assert place.balances() == {"receivable": "10.10", "deferred_revenue": "-4.10", "revenue": "-6.00"}
    assert len(place.live()) == 3

    # another role is another account, and an entry that is gone is taken to zero
    _publish(place.settings, [("b", "contract_asset", "6.00"), ("b", "revenue", "-6.00")])
    assert place.push().outcomes == {"corrected": 2}
    assert place.balances() == {"contract_asset": "6.00", "revenue": "-6.00"}
    assert place.push().outcomes == {"posted before": 2}
    numbers = {
        one.number
        for one in outbox.read_postings(Lake(place.settings.lake_url), "acme", place.target).values()
    }
    assert len(numbers) == 5 and all(len(number) <= 21 for number in numbers)


def test_a_refused_correction_leaves_what_was_posted(place: Place) -> None:
    place.push()
    place.books.unknown_accounts = {IDS["fees"]}
    _publish(place.settings, [*TWO[:2], ("b", "deferred_revenue", "5.05"), ("b", "fees", "-5.05")])
    assert place.push().outcomes == {"posted before": 1, "refused": 1}
    assert place.push().outcomes == {"posted before": 1, "refused": 1}
    assert len(place.live()) == 2
    _publish(place.settings, TWO)
    assert place.push().outcomes == {"posted before": 2}


def test_an_open_month_is_not_posted(place: Place) -> None:
    _publish(place.settings, TWO, status="soft_closed")
    with pytest.raises(AccountingError, match="close it first"):
        place.push()
    assert not place.books.requests


def test_access_comes_from_the_environment_with_the_tenants_name() -> None:
    full = {"RATEHOUSE_XERO_ACME_EU_TOKEN": "t", "RATEHOUSE_XERO_ACME_EU_COMPANY": "o"}
    access = Access.load("xero", "acme-eu", environ=full)
    assert (access.url, access.company) == ("https://api.xero.com", "o")
    with pytest.raises(AccountingError, match="RATEHOUSE_XERO_OTHER_TOKEN and RATEHOUSE_XERO_OTHER_COMPANY"):
        Access.load("xero", "other", environ=full)
    with pytest.raises(AccountingError, match="RATEHOUSE_NETSUITE_ACME_URL"):
        Access.load("netsuite", "acme", environ={"RATEHOUSE_NETSUITE_ACME_TOKEN": "t"})
    with pytest.raises(AccountingError, match="in the clear"):
        Access.load("xero", "acme-eu", environ={**full, "RATEHOUSE_XERO_ACME_EU_URL": "http://example.com"})
    assert TAKE_OVER > timedelta(seconds=http.TRIES * (access.timeout + http.LONGEST_WAIT))
