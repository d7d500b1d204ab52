"""A credit by hand end to end on the command line: asked for, approved by somebody else, issued, explained."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ratehouse import adjustments, billing
from ratehouse.adjustments import AdjustmentRefused
from ratehouse.cli import app
from tests.reliability.installation import Installation

pytestmark = pytest.mark.slow

BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: USD
plans:
  basic:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "100.00", description: Platform}
"""


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One customer, billed 100.00 on 1 October 2026."""
    installation = Installation(tmp_path_factory.mktemp("billed"))
    installation.add_tenant("acme", BOOK)
    at = datetime(2026, 10, 1, tzinfo=UTC)
    created = {"event_id": "s1", "subscription_id": "s1", "customer_id": "c1", "type": "created"}
    installation.land(
        "acme",
        customers=[{"customer_id": "c1", "name": "Café & Co", "effective_at": at}],
        subscription_events=[{**created, "effective_at": at, "data": {"plan": "basic"}}],
    )
    billing.bill_days(installation.settings, [date(2026, 10, 1)])
    return installation


@pytest.fixture
def acme(billed: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A copy of it, at which the command line looks."""
    home = tmp_path / "home"
    shutil.copytree(billed.home, home)
    monkeypatch.setenv("RATEHOUSE_HOME", str(home))
    return Installation(home)


def command(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--tenant", "acme"])
    if result.exception is not None:
        raise result.exception
    return result.output


def test_two_people_credit_a_line_and_the_note_tells_the_whole_story(acme: Installation) -> None:
    asked = command(
        "adjustment", "request", "INV-2026-000001", "--line", "1", "--credit", "10.00", "--by", "ann",
        "--reason", "slow answers",
    )  # fmt: skip
    adjustment_id = asked.split()[0]
    assert "the next run shows" in command("adjustment", "list")
    with pytest.raises(AdjustmentRefused, match="Ann asked for"):
        command("adjustment", "approve", adjustment_id, "--by", "Ann")

    # What nobody approved stays where it is, however often it is billed.
    today = datetime.now(UTC).date()
    billing.run(acme.settings, today)
    (waiting,) = adjustments.listed(acme.settings, "acme")
    assert (waiting["status"], waiting["left_amount"], waiting["note_number"], waiting["since"]) == (
        "waiting",
        Decimal("100.0000"),
        None,
        None,
    )
    command("adjustment", "approve", adjustment_id, "--by", "bob", "--reason", "agreed")
    with pytest.raises(AdjustmentRefused, match="bob has approved"):
        command("adjustment", "refuse", adjustment_id, "--by", "cem")
    assert "the next run carries it out" in command("adjustment", "list")

    billing.run(acme.settings, today + timedelta(days=1))
    (issued,) = adjustments.listed(acme.settings, "acme")
    assert (issued["status"], issued["decided_by"], issued["since"]) == ("issued", "bob", None)
    assert "No adjustment waits" in command("adjustment", "list")
    told = command("explain", issued["note_number"])
    for words in (
        f"by hand, {adjustment_id}  goodwill: slow answers",
        "asked for by ann",
        "approved by bob",
        "agreed",
        "of line 1 of INV-2026-000001",
        "Platform  100.00 USD",
        "rated by price book 1",
        "10.00 USD  taken off INV-2026-000001, which was open",
    ):
        assert words in told, told


def test_what_cannot_count_is_refused_with_its_reason(acme: Installation) -> None:
    line = ("adjustment", "request", "INV-2026-000001", "--by", "ann", "--reason", "r")
    for arguments, words in (
        (("--line", "1", "--credit", "100.01"), "it cannot give more"),
        (("--line", "1", "--credit", "0.001"), "it has more decimals"),
        (("--line", "9", "--credit", "1"), "or not line 9 of it"),
        (("--line", "1", "--credit", "1", "--reason-code", "whim"), "no reason code 'whim'"),
        (("--line", "1", "--reason-code", "void"), "neither amount nor line"),
        (("--credit", "1"), "Give the line"),
    ):
        with pytest.raises(AdjustmentRefused, match=words):
            command(*line, *arguments)
    with pytest.raises(AdjustmentRefused, match="has no adjustment"):
        command("adjustment", "approve", "adj-none", "--by", "bob")
    assert adjustments.listed(acme.settings, "acme") == []


def test_who_asks_may_take_it_back(acme: Installation) -> None:
    adjustment_id = adjustments.request(
        acme.settings, "acme", "INV-2026-000001", by="ann", reason_code="void", reason="wrong customer"
    )
    adjustments.decide(acme.settings, "acme", adjustment_id, "refuse", by="ann")
    billing.run(acme.settings, datetime.now(UTC).date())
    (row,) = adjustments.listed(acme.settings, "acme")
    assert (row["status"], row["decided_by"]) == ("refused", "ann")
