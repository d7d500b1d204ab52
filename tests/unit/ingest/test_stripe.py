"""Stripe's objects as facts, signed notices, and pulls by cursor."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stripe", reason="the package stripe is not installed")

from ingest.stripe import pull, webhooks
from ingest.stripe.amounts import BadAmount, money
from ingest.stripe.facts import Unusable, facts
from ingest.stripe.landing import land_payloads
from ratehouse.lake import Lake

NOW = datetime(2026, 1, 5, tzinfo=UTC)
SECRET = "whsec_test"
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "amount": 1050,
    "captured": True,
    "created": 1767225600,
    "currency": "usd",
    "customer": "cus_1",
    "payment_intent": "pi_1",
    "status": "succeeded",
    "metadata": {"invoice_number": "INV-2026-000001"},
    "payment_method_details": {"type": "card", "card": {"brand": "visa"}},
}


def event(thing: Mapping[str, Any], *, id_: str = "evt_1", created: int = 1767225660) -> dict[str, Any]:
    return {
        "id": id_,
        "object": "event",
        "type": "charge.succeeded",
        "created": created,
        "data": {"object": thing},
    }


def signed(body: bytes, *, secret: str = SECRET, at: int | None = None) -> str:
    stamp = int(time.time()) if at is None else at
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def rows(lake: Lake, stream: str) -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (1050, "usd", "10.50"),
        (500, "jpy", "500"),
        (1234, "kwd", "1.234"),
        (-1, "eur", "-0.01"),
        (500, "ugx", "5.00"),
    ],
)
def test_amounts_are_exact_in_stripes_own_units(amount: int, currency: str, expected: str) -> None:
    assert money(amount, currency) == expected


@pytest.mark.parametrize(
    ("amount", "currency"), [(10.5, "usd"), (True, "usd"), (None, "usd"), (1, None), (1, "us")]
)
def test_an_amount_that_is_no_integer_is_refused(amount: Any, currency: Any) -> None:
    with pytest.raises(BadAmount):
        money(amount, currency)


def test_a_charge_is_a_payment_of_its_intent() -> None:
    ((stream, row),) = facts(CHARGE)
    assert stream == "payments"
    assert (row["payment_id"], row["provider_id"], row["amount"]) == ("pi_1", "ch_1", "10.50")
    assert (row["status"], row["method"], row["invoice_number"]) == ("succeeded", "visa", "INV-2026-000001")


@pytest.mark.parametrize(
    ("code", "expected"),
    [("stolen_card", "hard"), ("insufficient_funds", "soft"), ("authentication_required", "authentication")],
)
def test_a_decline_has_a_class(code: str, expected: str) -> None:
    ((_, row),) = facts({**CHARGE, "status": "failed", "outcome": {"reason": code}})
    assert (row["status"], row["failure_class"], row["settled_at"]) == ("failed", expected, None)


def test_money_that_is_only_reserved_has_not_come() -> None:
    ((_, row),) = facts({**CHARGE, "captured": False})
    assert row["status"] == "processing"


def test_an_unknown_status_is_unusable() -> None:
    with pytest.raises(Unusable):
        list(facts({**CHARGE, "status": "odd"}))


def test_a_notice_lands_once_and_counts_from_when_it_was_told(lake: Lake) -> None:
    body = json.dumps(event(CHARGE)).encode()
    first = webhooks.receive(
        lake, body, signed(body), tenant_id="acme", secrets=["other", SECRET], received_at=NOW
    )
    second = webhooks.receive(lake, body, signed(body), tenant_id="acme", secrets=[SECRET])
    assert (first.landed, first.rows["payments"]) == (1, 1)
    assert (second.landed, second.known, sum(second.rows.values())) == (0, 1, 0)
    (payment,) = rows(lake, "payments")
    assert payment["recorded_at"] == datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert payment["amount"] == Decimal("10.50")


def test_an_event_that_comes_back_changed_is_quarantined(lake: Lake) -> None:
    given = [event(CHARGE), event({**CHARGE, "amount": 9})]
    for _ in range(2):
        result = land_payloads(lake, given, tenant_id="acme", received_at=NOW)
        assert result.quarantined == {"duplicate_conflict": 1}
    assert len(rows(lake, "rejected")) == 1
    assert [row["amount"] for row in rows(lake, "payments")] == [Decimal("10.50")]


@pytest.mark.parametrize("signature", [None, "", "t=1,v1=00", "nonsense"])
def test_a_forged_notice_is_refused(lake: Lake, signature: str | None) -> None:
    with pytest.raises(webhooks.NoticeRefused):
        webhooks.receive(lake, b"{}", signature, tenant_id="acme", secrets=[SECRET])
    assert not rows(lake, "stripe_objects")


def test_a_replayed_notice_is_refused(lake: Lake) -> None:
    body = json.dumps(event(CHARGE)).encode()
    with pytest.raises(webhooks.NoticeRefused):
        webhooks.receive(
            lake, body, signed(body, at=int(time.time()) - 3600), tenant_id="acme", secrets=[SECRET]
        )


def test_what_cannot_be_read_is_quarantined_with_the_reason(lake: Lake) -> None:
    result = land_payloads(
        lake,
        [{**CHARGE, "amount": 10.5}, {"object": "list", "data": []}, []],
        tenant_id="acme",
        received_at=NOW,
    )
    assert (result.landed, result.quarantined) == (0, {"bad_json": 2, "missing_id": 1})
    assert any("10.5 is no integer amount" in row["reason"] for row in rows(lake, "rejected"))
    assert not rows(lake, "payments")


def test_no_secret_reaches_the_lake(lake: Lake) -> None:
    land_payloads(
        lake,
        [{"id": "pi_2", "object": "setup_intent", "client_secret": "seti_secret"}],
        tenant_id="acme",
        received_at=NOW,
    )
    assert "seti_secret" not in str(rows(lake, "stripe_objects"))


class Account:
    """An account with pages of two, youngest first, that remembers what it was asked."""

    def __init__(self, charges: list[dict[str, Any]]) -> None:
        self.charges = charges
        self.asked: list[dict[str, Any]] = []
        self.breaks_on_page = 0

    def __call__(self, resource: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append({"resource": resource, **parameters})
        if len(self.asked) == self.breaks_on_page:
            raise ConnectionError("lost")
        since = parameters.get("created", {}).get("gte", 0)
        found = sorted((c for c in self.charges if c["created"] >= since), key=lambda c: -c["created"])
        ids = [c["id"] for c in found]
        start = ids.index(parameters["starting_after"]) + 1 if "starting_after" in parameters else 0
        return {"data": found[start : start + 2], "has_more": len(found) > start + 2}


def charges(*days: int) -> list[dict[str, Any]]:
    return [
        {**CHARGE, "id": f"ch_{day}", "payment_intent": None, "created": 1767225600 + day * 86400}
        for day in days
    ]


def test_a_pull_reads_every_page_and_the_next_one_only_what_is_new(lake: Lake) -> None:
    account = Account(charges(1, 2, 3, 4, 5))
    first = pull.pull(lake, account, tenant_id="acme", resources=["charges"], received_at=NOW)
    account.charges += charges(6)
    second = pull.pull(lake, account, tenant_id="acme", resources=["charges"], received_at=NOW)
    assert (first["charges"].landed, second["charges"].landed) == (5, 1)
    assert account.asked[-2]["created"] == {"gte": 1767225600 + 5 * 86400 - pull.OVERLAP_SECONDS}
    assert len(rows(lake, "payments")) == 6


def test_a_pull_that_breaks_keeps_its_cursor(lake: Lake) -> None:
    account = Account(charges(1, 2, 3, 4, 5))
    account.breaks_on_page = 2
    with pytest.raises(ConnectionError):
        pull.pull(lake, account, tenant_id="acme", resources=["charges"], received_at=NOW)
    assert pull.cursor_of(lake, "acme", "charges") is None
    pull.pull(lake, account, tenant_id="acme", resources=["charges"], received_at=NOW)
    assert len(rows(lake, "payments")) == 5


def test_cursors_of_tenants_are_apart(lake: Lake) -> None:
    pull.pull(lake, Account(charges(1)), tenant_id="acme", resources=["charges"], received_at=NOW)
    assert pull.cursor_of(lake, "kumo", "charges") is None
