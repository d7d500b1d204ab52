"""Tax ids through VIES on loopback: who has a valid one owes the tax themselves, and a register that is away stops nobody."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from deliver import http
from deliver.tax.dispatch import quote_in_run
from deliver.tax.provider import TaxError
from deliver.tax.vies import Vies
from ratehouse import billing
from ratehouse.commands.tax import app
from tests.integration.payment_servers import closing
from tests.integration.tax_servers import ViesServer
from tests.reliability.installation import Installation

VALID, INVALID, AWAY = "DE136695976", "DE129273398", "FR40303265045"
BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: EUR
plans:
  std: {anchor: calendar, charges: {base: {type: recurring, timing: advance, model: flat, amount: "100.00"}}}
"""
SETTINGS = """\
currency: EUR
legal_entity: {country: AT}
tax:
  reverse_charge: eu
  tax_id_check: vies
  rates: [{code: de, country: DE, percent: "19"}, {code: fr, country: FR, percent: "20"}]
"""
CUSTOMERS = {
    "valid": ("DE", "DE 136 695 976"),
    "invalid": ("DE", INVALID),
    "malformed": ("DE", "DE123"),
    "away": ("FR", AWAY),
}


@pytest.fixture
def vies(monkeypatch: pytest.MonkeyPatch) -> Iterator[ViesServer]:
    monkeypatch.setattr(http, "TRIES", 2)
    with closing(ViesServer()) as server:
        server.numbers = {VALID: "VALID", AWAY: "MS_UNAVAILABLE"}
        monkeypatch.setenv("RATEHOUSE_VIES_URL", server.url)
        monkeypatch.setenv("RATEHOUSE_VIES_TIMEOUT", "0.4")
        yield server


def test_an_answer_is_told_from_no_answer(vies: ViesServer) -> None:
    register = Vies.load(wait=lambda seconds: None)
    assert register.check(VALID).status == "valid"
    assert register.check(INVALID).status == "invalid"
    away = register.check(AWAY)
    assert (away.status, away.detail, away.is_of_service) == ("unavailable", "MS_UNAVAILABLE", False)
    before = vies.seen["check"]
    assert register.check("DE123").status == register.check("XX1234567").status == "malformed"
    assert vies.seen["check"] == before
    for mood in ("lost", "cut", "500", "garbled"):
        vies.moods["check"] = [mood, mood, "ok"]
        assert register.check(VALID).status == "unavailable", mood
    vies.moods["check"] = ["500", "ok"]
    assert register.check(VALID).status == "valid"


def test_the_register_is_spoken_to_in_private() -> None:
    with pytest.raises(TaxError, match="https"):
        Vies.load({"RATEHOUSE_VIES_URL": "http://register.example"})
    with pytest.raises(TaxError, match="seconds"):
        Vies.load({"RATEHOUSE_VIES_TIMEOUT": "soon"})


def test_a_night_asks_once_and_marks_what_it_could_not_confirm(
    vies: ViesServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Installation(tmp_path)
    home.add_tenant("acme", BOOK, SETTINGS)
    home.land(
        "acme",
        customers=[
            {"customer_id": name, "effective_at": "2025-12-01", "country": country, "tax_id": tax_id}
            for name, (country, tax_id) in CUSTOMERS.items()
        ],
        subscription_events=[
            {
                "event_id": name,
                "subscription_id": name,
                "customer_id": name,
                "type": "created",
                "effective_at": "2026-01-01",
                "data": {"plan": "std"},
            }
            for name in CUSTOMERS
        ],
    )
    assert billing.run(home.settings, date(2026, 1, 1)).issued.documents == 0
    run = billing.run(home.settings, date(2026, 1, 1), quoter=quote_in_run)
    assert run.issued.documents == 4
    assert sorted(problem.split(":")[1].split(" (")[0].strip() for problem in run.problems) == [
        "invalid",
        "malformed",
        "unavailable",
    ]

    def published(query: str) -> list[tuple[object, ...]]:
        with duckdb.connect(str(home.settings.serving_path), read_only=True) as serving:
            return serving.execute(query).fetchall()

    assert published("select customer_id, tax, notes from marts.invoices order by all") == [
        ("away", Decimal(0), '["reverse_charge"]'),
        ("invalid", Decimal(19), None),
        ("malformed", Decimal(19), None),
        ("valid", Decimal(0), '["reverse_charge"]'),
    ]
    asked = vies.seen["check"]
    assert asked == 3
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    # What could not be confirmed is asked about until it is.
    vies.numbers[AWAY] = "VALID"
    done = CliRunner().invoke(app, ["check-ids"])
    assert (done.exit_code, done.output, vies.seen["check"]) == (0, "1 valid\n", asked + 1)
    standing = "select customer_id, standing from marts.tax_ids order by all"
    assert published(standing) == [("away", "unconfirmed"), ("valid", "valid")]
    billing.run(home.settings, date(2026, 1, 1), quoter=quote_in_run)
    assert published(standing) == [("away", "valid"), ("valid", "valid")]
