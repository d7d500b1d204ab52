"""Braintree's transactions, refunds, disbursements and disputes by its SDK, against a server that speaks its XML."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from braintree.exceptions.server_error import ServerError
from braintree.util.crypto import Crypto
from braintree.util.xml_util import XmlUtil

from ingest.braintree import account, webhooks
from ingest.braintree.facts import Unusable, facts
from ingest.braintree.landing import land_objects
from ingest.braintree.pull import RESOURCES, cursor_of, pull
from ratehouse.lake import Lake
from tests.integration.payment_servers import Reply, Unreliable

NOW = datetime(2026, 1, 20, 12, tzinfo=UTC)
SINCE = NOW - timedelta(days=20)
KEY = "0123456789abcdef0123456789abcdef"
ENVIRONMENT = {
    "RATEHOUSE_BRAINTREE_ACME_MERCHANT_ID": "m1",
    "RATEHOUSE_BRAINTREE_ACME_PUBLIC_KEY": "public",
    "RATEHOUSE_BRAINTREE_ACME_PRIVATE_KEY": "private",
}
FIELDS = {"created_at", "settled_at", "voided_at", "disbursement_date"}


def instant(day: int, hour: int = 10) -> datetime:
    return datetime(2026, 1, day, hour)


class Reading(Unreliable):
    """As much of Braintree as reading needs: searches by the instant of a change, two transactions a page."""

    def __init__(self) -> None:
        self.transactions: dict[str, dict[str, Any]] = {}
        self.disputes: list[dict[str, Any]] = []
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        if path.endswith("/disputes/advanced_search"):
            return "disputes"
        return {"advanced_search_ids": "ids", "advanced_search": "page"}.get(path.rsplit("/", 1)[1], "find")

    def carry_out(self, handler: Any, body: bytes) -> Reply:
        path = handler.path.split("?")[0]
        if handler.command == "GET":
            return xml(transaction_xml(self.transactions[path.rsplit("/", 1)[1]]))
        search: Any = XmlUtil.dict_from_xml(body.decode())["search"]
        if path.endswith("/disputes/advanced_search"):
            found = [one for one in self.disputes if within(one["received_date"], search["received_date"])]
            page = int(handler.path.split("page=")[1])
            items = "".join(dispute_xml(one) for one in found[page - 1 : page])
            return xml(
                f'<disputes type="collection"><current-page-number type="integer">{page}</current-page-number>'
                f'<page-size type="integer">1</page-size><total-items type="integer">{len(found)}</total-items>'
                f"{items}</disputes>"
            )
        if path.endswith("/advanced_search_ids"):
            (name,) = FIELDS & set(search)
            ids = [
                key
                for key, one in self.transactions.items()
                if one.get(name) is not None and within(one[name], search[name])
            ]
            items = "".join(f"<item>{key}</item>" for key in ids)
            return xml(
                '<search-results><page-size type="integer">2</page-size>'
                f'<ids type="array">{items}</ids></search-results>'
            )
        found_here = "".join(transaction_xml(self.transactions[key]) for key in search["ids"])
        return xml(f'<credit-card-transactions type="collection">{found_here}</credit-card-transactions>')


def within(value: Any, span: dict[str, Any]) -> bool:
    """Whether a value lies between both ends of a search, which Braintree includes."""
    low, high = (
        end.replace(tzinfo=None) if isinstance(end, datetime) else end for end in (span["min"], span["max"])
    )
    if not isinstance(value, datetime):
        low, high = (end.date() if isinstance(end, datetime) else end for end in (low, high))
    return bool(low <= value <= high)


def xml(body: str) -> Reply:
    return 200, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), "application/xml"


def element(name: str, value: Any) -> str:
    tag = name.replace("_", "-")
    if value is None:
        return f'<{tag} nil="true"/>'
    if isinstance(value, bool):
        return f'<{tag} type="boolean">{str(value).lower()}</{tag}>'
    if isinstance(value, datetime):
        return f'<{tag} type="datetime">{value:%Y-%m-%dT%H:%M:%SZ}</{tag}>'
    if isinstance(value, date):
        return f'<{tag} type="date">{value.isoformat()}</{tag}>'
    return f"<{tag}>{escape(str(value))}</{tag}>"


def transaction_xml(one: dict[str, Any]) -> str:
    own = {key: value for key, value in one.items() if key not in FIELDS - {"created_at"}}
    details = {
        "disbursement_date": one.get("disbursement_date"),
        "settlement_amount": one["amount"] if one.get("disbursement_date") else None,
        "settlement_currency_iso_code": "USD" if one.get("disbursement_date") else None,
        "settlement_currency_exchange_rate": "1" if one.get("disbursement_date") else None,
        "success": True,
    }
    inner = "".join(element(name, value) for name, value in details.items())
    return (
        "<transaction>"
        + "".join(element(name, value) for name, value in own.items())
        + "<currency-iso-code>USD</currency-iso-code><merchant-account-id>acme_usd</merchant-account-id>"
        + "<customer><id>c1</id></customer>"
        + "<credit-card><token>tok_secret</token><card-type>Visa</card-type><last-4>1111</last-4></credit-card>"
        + f"<disbursement-details>{inner}</disbursement-details></transaction>"
    )


def dispute_xml(one: dict[str, Any]) -> str:
    own = {key: value for key, value in one.items() if key not in ("transaction_id", "order_id")}
    return (
        "<dispute>"
        + "".join(element(name, value) for name, value in own.items())
        + f"<transaction>{element('id', one['transaction_id'])}{element('amount', '60.00')}"
        + f"{element('order_id', one['order_id'])}</transaction></dispute>"
    )


def sale(key: str, day: int, **own: Any) -> dict[str, Any]:
    return {
        "id": key,
        "type": "sale",
        "status": "submitted_for_settlement",
        "amount": "60.00",
        "order_id": f"ORDER-{key}",
        "created_at": instant(day),
        "processor_response_code": "1000",
        "processor_response_type": "approved",
    } | own


@pytest.fixture
def server() -> Iterator[Reading]:
    reading = Reading()
    try:
        yield reading
    finally:
        reading.close()


def opened(server: Reading) -> Any:
    return account.gateway("acme", ENVIRONMENT | {"RATEHOUSE_BRAINTREE_ACME_BASE": server.url})


def rows(lake: Lake, stream: str) -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


def fill(server: Reading) -> None:
    server.transactions = {
        "t1": sale(
            "t1", 2, status="settled", settled_at=instant(3), disbursement_date=date(2026, 1, 5), order_id=KEY
        ),
        "t2": sale("t2", 3),
        "t3": sale(
            "t3",
            4,
            status="processor_declined",
            processor_response_code="2001",
            processor_response_type="soft_declined",
        ),
        "t4": sale("t4", 12, status="voided", voided_at=instant(12, 11)),
        "r1": sale(
            "r1",
            13,
            type="credit",
            amount="10.00",
            refunded_transaction_id="t1",
            order_id=None,
            disbursement_date=date(2026, 1, 15),
        ),
    }
    server.disputes = [
        {
            "id": f"d{number}",
            "status": status,
            "kind": kind,
            "amount_disputed": "60.00",
            "amount_won": "0.00",
            "currency_iso_code": "USD",
            "received_date": date(2026, 1, 8 + number),
            "transaction_id": "t1",
            "order_id": KEY,
        }
        for number, (status, kind) in enumerate(
            [("open", "chargeback"), ("lost", "chargeback"), ("open", "retrieval")]
        )
    ]


def test_all_that_tells_of_money_becomes_facts_and_a_second_pull_adds_nothing(
    server: Reading, tmp_path: Path
) -> None:
    fill(server)
    lake = Lake(str(tmp_path))
    first = pull(lake, opened(server), tenant_id="acme", since=SINCE, received_at=NOW)
    assert set(first) == set(RESOURCES)
    payments = {row["provider_id"]: row for row in rows(lake, "payments")}
    # Asked for here: known by its key, as the dispatcher's own fact is. Any other is known by its transaction.
    assert {key: row["payment_id"] for key, row in payments.items()} == {
        "t1": KEY,
        "t2": "t2",
        "t3": "t3",
        "t4": "t4",
    }
    assert {key: row["status"] for key, row in payments.items()} == {
        "t1": "succeeded",
        "t2": "succeeded",
        "t3": "failed",
        "t4": "cancelled",
    }
    assert (payments["t3"]["failure_class"], payments["t3"]["failure_code"]) == ("soft", "2001")
    assert (payments["t2"]["reference"], payments["t1"]["reference"]) == ("ORDER-t2", None)
    assert (payments["t1"]["method"], payments["t1"]["customer_id"]) == ("visa", "c1")
    assert payments["t1"]["attempted_at"] == instant(2).replace(tzinfo=UTC)
    (refund,) = rows(lake, "refunds")
    assert (refund["refund_id"], refund["payment_id"], refund["amount"]) == ("r1", KEY, Decimal("10.0000"))
    moved = {row["source_id"]: row for row in rows(lake, "balance_transactions")}
    assert {key: (row["net"], row["payout_id"]) for key, row in moved.items()} == {
        KEY: (Decimal("60.0000"), "acme_usd:2026-01-05"),
        "r1": (Decimal("-10.0000"), "acme_usd:2026-01-15"),
    }
    stages = {row["dispute_id"]: row["stage"] for row in rows(lake, "disputes")}
    assert stages == {"d0": "open", "d1": "lost", "d2": "warning"}
    assert {row["payment_id"] for row in rows(lake, "disputes")} == {KEY}
    kept = "".join(row["payload"] for row in rows(lake, "braintree_objects"))
    assert "tok_secret" not in kept and "1111" not in kept
    facts_before = {stream: lake.files(f"raw/{stream}") for stream in ("payments", "refunds", "disputes")}
    again = pull(lake, opened(server), tenant_id="acme", received_at=NOW + timedelta(hours=1))
    assert sum(landing.landed + sum(landing.rows.values()) for landing in again.values()) == 0
    assert {stream: lake.files(f"raw/{stream}") for stream in facts_before} == facts_before


def test_what_changes_later_is_found_by_the_instant_of_its_change(server: Reading, tmp_path: Path) -> None:
    fill(server)
    lake = Lake(str(tmp_path))
    pull(lake, opened(server), tenant_id="acme", since=SINCE, received_at=NOW)
    # Made long before the cursor, disbursed after it.
    later = NOW + timedelta(days=3)
    server.transactions["t2"] |= {
        "status": "settled",
        "settled_at": later.replace(tzinfo=None) - timedelta(hours=5),
        "disbursement_date": (later - timedelta(days=1)).date(),
    }
    landed = pull(lake, opened(server), tenant_id="acme", received_at=later)
    assert (landed["transactions"].landed, landed["settlements"].landed) == (0, 1)
    # The same content found by two searches is one object.
    assert (landed["disbursements"].landed, landed["disbursements"].known) == (0, 1)
    assert "acme_usd:2026-01-22" in {row["payout_id"] for row in rows(lake, "balance_transactions")}


def test_a_pull_that_dies_starts_again_at_its_window(server: Reading, tmp_path: Path) -> None:
    fill(server)
    lake = Lake(str(tmp_path))
    # The second window of transactions cannot be read.
    server.moods["ids"] = ["ok", "500", "ok"]
    with pytest.raises(ServerError):
        pull(lake, opened(server), tenant_id="acme", resources=["transactions"], since=SINCE, received_at=NOW)
    assert cursor_of(lake, "acme", "transactions") == SINCE + timedelta(days=7)
    assert {row["provider_id"] for row in rows(lake, "payments")} == {"t1", "t2", "t3"}
    server.moods.clear()
    asked = server.seen["ids"]
    done = pull(lake, opened(server), tenant_id="acme", resources=["transactions"], received_at=NOW)
    # From two days before the cursor to now: three windows of a week, not four.
    assert server.seen["ids"] - asked == 3
    assert done["transactions"].landed == 2
    assert cursor_of(lake, "acme", "transactions") == NOW


def notice(kind: str, subject: str) -> tuple[str, str]:
    """A notice as Braintree signs it."""
    body = (
        f'<notification><timestamp type="datetime">2026-01-06T03:00:00Z</timestamp><kind>{kind}</kind>'
        f"<subject>{subject}</subject></notification>"
    )
    payload = base64.encodebytes(body.encode()).decode()
    return f"public|{Crypto.sha1_hmac_hash('private', payload)}", payload


DISBURSED = (
    '<disbursement><id>di_1</id><transaction-ids type="array"><item>t1</item></transaction-ids>'
    '<success type="boolean">true</success><retry type="boolean">false</retry><amount>60.00</amount>'
    "<disbursement-type>credit</disbursement-type>"
    '<disbursement-date type="date">2026-01-05</disbursement-date><exception-message nil="true"/>'
    "<merchant-account><id>acme_usd</id><currency-iso-code>USD</currency-iso-code><status>active</status>"
    "</merchant-account></disbursement>"
)


def test_a_signed_disbursement_is_the_payout_of_its_transactions(server: Reading, tmp_path: Path) -> None:
    fill(server)
    lake = Lake(str(tmp_path))
    pull(lake, opened(server), tenant_id="acme", since=SINCE, received_at=NOW)
    signature, payload = notice("disbursement", DISBURSED)
    landed = webhooks.receive(lake, signature, payload, opened(server), tenant_id="acme", received_at=NOW)
    assert landed.rows == {"payouts": 1}
    (payout,) = rows(lake, "payouts")
    assert (payout["payout_id"], payout["amount"], payout["status"], payout["arrival_on"]) == (
        "acme_usd:2026-01-05",
        Decimal("60.0000"),
        "paid",
        date(2026, 1, 5),
    )
    assert payout["payout_id"] in {row["payout_id"] for row in rows(lake, "balance_transactions")}
    again = webhooks.receive(lake, signature, payload, opened(server), tenant_id="acme")
    assert (again.landed, again.known) == (0, 1)


def test_a_forged_or_changed_notice_is_refused_and_nothing_is_kept(server: Reading, tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    signature, payload = notice("disbursement", DISBURSED)
    _, other = notice("disbursement", DISBURSED.replace("60.00", "6000.00"))
    forged = f"public|{Crypto.sha1_hmac_hash('guessed', payload)}"
    unreadable = base64.encodebytes(b"<notification>").decode()
    for bad_signature, bad_payload in (
        (signature, other),
        (forged, payload),
        (None, payload),
        (signature, None),
        ("another|" + signature.split("|")[1], payload),
        (f"public|{Crypto.sha1_hmac_hash('private', unreadable)}", unreadable),
    ):
        with pytest.raises(webhooks.NoticeRefused):
            webhooks.receive(lake, bad_signature, bad_payload, opened(server), tenant_id="acme")
    assert lake.files("raw") == []
    challenge = "0123456789abcdef0123"
    assert webhooks.answer_challenge(opened(server), challenge).startswith("public|")
    with pytest.raises(webhooks.NoticeRefused):
        webhooks.answer_challenge(opened(server), "no challenge")


def test_what_braintree_does_not_have_is_quarantined_with_the_reason(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    odd = {"object": "transaction", "id": "t9", "type": "sale", "status": "dreaming", "amount": "1.00"}
    landed = land_objects(lake, [odd], tenant_id="acme", source="test", received_at=NOW)
    assert landed.quarantined == {"bad_json": 1}
    (reject,) = rows(lake, "rejected")
    assert "no status 'dreaming'" in reject["reason"] and reject["stream"] == "braintree_objects"
    with pytest.raises(Unusable, match="no amount"):
        list(facts({"object": "transaction", "id": "t9", "type": "sale", "status": "settled"}))


def test_a_key_that_is_missing_or_would_go_in_the_clear_is_named() -> None:
    with pytest.raises(account.AccountUnknown, match="RATEHOUSE_BRAINTREE_ACME_MERCHANT_ID is not set"):
        account.gateway("acme", {})
    with pytest.raises(account.AccountUnknown, match="in the clear"):
        account.gateway("acme", ENVIRONMENT | {"RATEHOUSE_BRAINTREE_ACME_BASE": "http://example.com"})
