from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from ratehouse.cli import app
from ratehouse.errors import RatehouseError
from ratehouse.explain import (
    ExplainError,
    Explanation,
    amount_text,
    connect,
    explain_line,
    line_events,
    load_document,
    number_text,
)
from tests.unit.dashboards.published import published_home

# The company is billed once per process, so one worker takes all tests of it.
pytestmark = pytest.mark.xdist_group("published")


@pytest.fixture(scope="module")
def serving() -> Iterator[duckdb.DuckDBPyConnection]:
    with connect(published_home().serving_path) as connection:
        yield connection


def opened(serving: duckdb.DuckDBPyConnection, number: str, charge: str, **groups: str) -> Explanation:
    document = load_document(serving, "shop", number)
    (line,) = (
        line for line in document.lines if line.charge == charge and line.groups == groups and line.meter
    )
    return explain_line(serving, document, line, events=None)


def test_the_events_of_every_line_add_up_to_its_quantity(serving: duckdb.DuckDBPyConnection) -> None:
    checked = 0
    for number in ("SHP-2026-0001", "SHP-2026-0002"):
        document = load_document(serving, "shop", number)
        for line in document.lines:
            usage = explain_line(serving, document, line, events=None).usage
            if usage is None or not usage.adds_up:
                continue
            values = [event.value for event in usage.first]
            assert sum(value for value in values if value is not None) == line.quantity, line
            assert usage.total == line.quantity
            assert usage.event_count == len(usage.first) == len({event.event_id for event in usage.first})
            checked += 1
    assert checked == 4


def test_copies_of_an_event_are_shown_once_and_the_first_one_counts(
    serving: duckdb.DuckDBPyConnection,
) -> None:
    basic, gold = (opened(serving, "SHP-2026-0001", "calls", tier=tier).usage for tier in ("basic", "gold"))
    assert basic is not None and gold is not None
    values = {event.event_id: event.value for event in (*basic.first, *gold.first)}
    assert len(values) == 120
    assert (values["call-003"], values["call-004"]) == (4, 1)


def test_a_meter_that_does_not_add_says_so_and_shows_its_days(serving: duckdb.DuckDBPyConnection) -> None:
    explanation = opened(serving, "SHP-2026-0001", "peak")
    assert explanation.usage is not None and not explanation.usage.adds_up
    assert max(day.highest for day in explanation.usage.days if day.highest is not None) == 18
    assert explanation.line.quantity == 18


def test_tiers_and_what_is_included_lead_to_the_amount(serving: duckdb.DuckDBPyConnection) -> None:
    explanation = opened(serving, "SHP-2026-0002", "calls", tier="basic")
    assert explanation.rated is not None
    assert [(tier.number, tier.units) for tier in explanation.tiers] == [(1, 50), (2, 161)]
    assert (
        sum(tier.amount_exact for tier in explanation.tiers)
        == explanation.rated.amount_exact
        == Decimal("13.05")
    )
    assert explanation.rated.included_quantity == 10


def test_an_adjustment_names_what_it_corrects_and_the_late_events(serving: duckdb.DuckDBPyConnection) -> None:
    explanation = opened(serving, "SHP-2026-0002", "calls", tier="basic")
    correction = explanation.correction
    assert correction is not None
    assert correction.corrected == ("SHP-2026-0001", 2)
    assert (correction.billed_before, explanation.owed, explanation.line.amount) == (
        Decimal("12.00"),
        Decimal("13.05"),
        Decimal("1.05"),
    )
    assert (correction.late_count, correction.late_total) == (3, 21)
    assert [event.event_id for event in correction.late] == ["late-0", "late-1", "late-2"]
    assert "3 events recorded after 2026-02-01 05:00 UTC" in correction.reasons[0]


def test_an_issued_line_keeps_the_events_that_were_known_then(serving: duckdb.DuckDBPyConnection) -> None:
    explanation = opened(serving, "SHP-2026-0001", "calls", tier="basic")
    assert [billed.number for billed in explanation.later] == ["SHP-2026-0002"]
    assert explanation.usage is not None and explanation.usage.total == 200
    assert not any(event.event_id.startswith("late") for event in explanation.usage.first)


def test_events_of_one_day(serving: duckdb.DuckDBPyConnection) -> None:
    document = load_document(serving, "shop", "SHP-2026-0001")
    line = document.line(5)
    usage = explain_line(serving, document, line).usage
    assert usage is not None
    for day in usage.days:
        events = line_events(serving, line, known_until=document.known_as_of, day=day.day)
        assert [event.local_day for event in events] == [day.day] * day.events


def test_what_is_not_there_is_said(serving: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(ExplainError, match="no document 'SHP-2026-0001'"):
        load_document(serving, "annex", "SHP-2026-0001")
    with pytest.raises(ExplainError, match="has no line 99; it has lines 1 to 6"):
        load_document(serving, "shop", "SHP-2026-0001").line(99)
    with pytest.raises(ExplainError, match="no serving file"):
        connect(tmp_path / "current.duckdb")


def test_a_serving_file_of_another_version_is_named(tmp_path: Path) -> None:
    path = tmp_path / "current.duckdb"
    duckdb.connect(str(path)).close()
    with connect(path) as connection, pytest.raises(ExplainError, match="publish again"):
        load_document(connection, "shop", "SHP-2026-0001")


def test_the_command_prints_the_whole_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(published_home().home))
    runner = CliRunner()
    result = runner.invoke(app, ["explain", "SHP-2026-0002", "--tenant", "shop", "--events", "2"])
    assert result.exit_code == 0, result.output
    for words in (
        "Customer of shop",
        "corrects line 2 of SHP-2026-0001",
        "owed now 13.05 less billed before 12.00 = 1.05 USD",
        "late-1",
        "and 1 more",
        "included: 10 of 221",
        "tier 2 (above 50): 161 at 0.05 = 8.05 USD",
        "their values sum to 221 ✓",
    ):
        assert words in result.output, result.output
    listed = runner.invoke(app, ["explain", "SHP-2026-0001", "4", "--tenant", "shop", "--events", "all"])
    assert listed.output.count("hit-0") == 80
    assert "more (--events" not in listed.output
    refused = runner.invoke(app, ["explain", "SHP-2026-0009", "--tenant", "shop"])
    assert isinstance(refused.exception, RatehouseError)
    assert (
        runner.invoke(app, ["explain", "SHP-2026-0001", "--tenant", "shop", "--events", "few"]).exit_code == 2
    )


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("1234.5", "USD", "1,234.50"),
        ("-1234", "JPY", "-1,234"),
        ("0.1250", "KWD", "0.125"),
        ("1E+6", "EUR", "1,000,000.00"),
    ],
)
def test_amounts_have_the_decimals_of_their_currency(amount: str, currency: str, text: str) -> None:
    assert amount_text(Decimal(amount), currency) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("100", "100"), ("1200.500", "1,200.5"), ("0E-10", "0"), ("0.000001", "0.000001"), ("1E+3", "1,000")],
)
def test_numbers_have_the_decimals_they_need(value: str, text: str) -> None:
    assert number_text(Decimal(value)) == text
