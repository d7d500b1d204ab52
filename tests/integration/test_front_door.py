"""The front door over HTTP: usage accepted or refused event by event, notices that are genuine, forged, replayed or late."""

from __future__ import annotations

import base64
import signal
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from braintree.util.crypto import Crypto

from tests.integration.front_door import SECRETS, TOKEN, FrontDoor

EVENT = {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"}
CHARGE: dict[str, Any] = {
    "id": "ch_1", "object": "charge", "amount": 1050, "captured": True, "created": 1767225600, "currency": "usd",
    "payment_intent": "pi_1", "status": "succeeded", "metadata": {"invoice_number": "INV-2026-000001"},
}  # fmt: skip


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontDoor]:
    door = FrontDoor(tmp_path_factory.mktemp("door"))
    yield door
    door.stop()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[FrontDoor]:
    door = FrontDoor(tmp_path)
    yield door
    if door.process.poll() is None:
        door.stop()


def event(id_: str, thing: dict[str, Any], *, created: int = 1767225660, **also: Any) -> dict[str, Any]:
    kind = f"{thing['object']}.updated"
    return {"id": id_, "object": "event", "type": kind, "created": created, "data": {"object": thing}, **also}


def test_each_event_has_its_answer_and_what_was_answered_for_lands(own: FrontDoor) -> None:
    status, answer = own.send_usage(
        [
            {**EVENT, "quantity": 1.5, "properties": {"region": "eu"}},
            {**EVENT, "event_id": "e2", "quantity": "a lot"},
            {"event_id": "\ud800"},
        ]
    )
    assert (status, answer["accepted"], answer["rejected"]) == (200, 1, 2)
    assert [(one["status"], one.get("reason_code")) for one in answer["events"]] == [
        ("accepted", None),
        ("rejected", "bad_number"),
        ("rejected", "bad_json"),
    ]
    assert "'a lot' is no finite number" in answer["events"][1]["reason"]
    line = b'{"event_id": "e4", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05"}'
    status, answer = own.send_usage(line + b"\nnonsense\n", media_type="application/x-ndjson; charset=utf-8")
    assert (status, answer["accepted"], answer["rejected"]) == (200, 1, 1)
    cloud = {"specversion": "1.0", "id": "e5", "type": "api", "subject": "c1", "time": "2026-01-05T10:00:00Z"}
    assert own.send_usage(cloud, media_type="application/cloudevents+json")[1]["accepted"] == 1
    assert own.send_usage(EVENT, token="tok_2")[0] == 200

    assert own.stop() in (0, -signal.SIGTERM)
    rows = own.landed("usage_events")
    assert sorted(row["event_id"] for row in rows) == ["e1", "e1", "e4", "e5"]
    (first,) = [row for row in rows if row["quantity"] == Decimal("1.5")]
    assert (first["tenant_id"], first["properties"], first["source"]) == (
        "acme",
        '{"region":"eu"}',
        "collector",
    )
    assert sorted(row["reason_code"] for row in own.landed("rejected")) == [
        "bad_json",
        "bad_json",
        "bad_number",
    ]
    # not a file a request
    assert len(own.lake.files("raw/usage_events")) < 4
    log = own.log.read_text()
    assert not [
        name
        for name, value in SECRETS.items()
        if any(part in log for part in value.split(",") if len(part) > 5)
    ]


@pytest.mark.parametrize(
    ("options", "body", "status"),
    [
        ({"token": "guessed"}, [EVENT], 401),
        ({"token": ""}, [EVENT], 401),
        ({"tenant": "bare"}, [EVENT], 401),
        ({"tenant": "nobody"}, [EVENT], 404),
        ({"tenant": "..%2facme"}, [EVENT], 404),
        ({"media_type": "text/csv"}, [EVENT], 415),
        ({}, b"", 400),
        ({}, b"[]", 400),
        ({}, b"[" + b" " * (8 * 1024 * 1024), 413),
    ],
)
def test_what_cannot_be_taken_is_refused_and_leaves_nothing(
    shared: FrontDoor, options: dict[str, str], body: Any, status: int
) -> None:
    answered, answer = shared.send_usage(body, **options)
    assert answered == status and answer
    assert shared.get("/health")[1]["waiting_segments"] == 0
    assert shared.landed("usage_events") == []


def test_a_sender_that_hangs_up_half_way_holds_up_nobody(shared: FrontDoor) -> None:
    with socket.create_connection(("127.0.0.1", shared.port)) as sender:
        sender.sendall(
            f"POST /v1/usage/acme HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n[".encode()
        )
    status, state = shared.get("/health")
    assert (status, state["status"], state["waiting_segments"]) == (200, "ok", 0)


def test_a_notice_lands_before_it_is_answered_and_only_once(own: FrontDoor) -> None:
    told = event("evt_2", CHARGE, created=1767225700)
    assert own.notify_stripe(told) == (200, {"landed": 1, "known": 0, "quarantined": 0})
    (payment,) = own.landed("payments")
    assert (payment["payment_id"], payment["amount"], payment["status"]) == (
        "pi_1",
        Decimal("10.5000"),
        "succeeded",
    )
    files = own.lake.files("raw")
    assert own.notify_stripe(told) == (200, {"landed": 0, "known": 1, "quarantined": 0})
    assert own.lake.files("raw") == files
    # what was told before, and comes after, counts from when it was told
    before = event("evt_1", {**CHARGE, "status": "pending", "paid": False}, created=1767225600)
    assert own.notify_stripe(before)[0] == 200
    states = {row["recorded_at"]: row["status"] for row in own.landed("payments")}
    assert states == {
        datetime(2026, 1, 1, 0, 0, tzinfo=UTC): "processing",
        datetime(2026, 1, 1, 0, 1, 40, tzinfo=UTC): "succeeded",
    }
    # the same event with other content: the first counts
    forged = event("evt_2", {**CHARGE, "amount": 5}, created=1767225700)
    assert own.notify_stripe(forged)[1]["quarantined"] == 1
    assert len(own.landed("payments")) == 2
    # as the API of 2013 wrote it
    old = {
        **CHARGE,
        "id": "ch_2",
        "payment_intent": None,
        "status": "paid",
        "fee": 59,
        "card": {"type": "Visa"},
    }
    assert own.notify_stripe(event("evt_3", old, api_version="2013-12-03"))[1]["landed"] == 1
    assert {row["payment_id"] for row in own.landed("payments")} == {"pi_1", "ch_2"}
    # another account's money is not the tenant's
    elsewhere = event("evt_4", {**CHARGE, "payment_intent": "pi_9"}, account="acct_2")
    assert own.notify_stripe(elsewhere) == (200, {"landed": 0, "known": 0, "quarantined": 1})
    assert "pi_9" not in {row["payment_id"] for row in own.landed("payments")}
    assert {row["reason_code"] for row in own.landed("rejected")} == {"duplicate_conflict", "unknown_account"}


def test_a_notice_that_nobody_signed_leaves_no_trace(shared: FrontDoor) -> None:
    notice = event("evt_1", CHARGE)
    assert shared.notify_stripe(notice, secret="guessed")[0] == 400
    assert shared.notify_stripe(notice, at=1_767_225_600)[0] == 400
    assert shared.notify_stripe(b"{}" + b" " * 1024 * 1024)[0] == 413
    assert shared.ask("POST", "/webhooks/stripe/acme", b"{}")[0] == 400
    assert shared.notify_stripe(notice, tenant="nobody")[0] == 404
    # a processor repeats for days what is answered so, until the secret is there
    assert shared.notify_stripe(notice, tenant="bare")[0] == 503
    assert shared.notify_stripe(b"no json")[0] == 400
    assert shared.ask("GET", "/webhooks/stripe/acme")[0] == 405
    assert shared.lake.files("raw") == []


def braintree_form(key: str = "private") -> bytes:
    body = (
        '<notification><timestamp type="datetime">2026-01-06T03:00:00Z</timestamp><kind>disbursement</kind>'
        '<subject><disbursement><id>di_1</id><transaction-ids type="array"><item>t1</item></transaction-ids>'
        '<success type="boolean">true</success><retry type="boolean">false</retry><amount>60.00</amount>'
        "<disbursement-type>credit</disbursement-type>"
        '<disbursement-date type="date">2026-01-05</disbursement-date><exception-message nil="true"/>'
        "<merchant-account><id>acme_usd</id><currency-iso-code>USD</currency-iso-code><status>active</status>"
        "</merchant-account></disbursement></subject></notification>"
    )
    payload = base64.encodebytes(body.encode()).decode()
    signature = f"public|{Crypto.sha1_hmac_hash(key, payload)}"
    return urlencode({"bt_signature": signature, "bt_payload": payload}).encode()


def test_braintree_is_heard_too(own: FrontDoor) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def notify(body: bytes, tenant: str = "acme") -> tuple[int, Any]:
        return own.ask("POST", f"/webhooks/braintree/{tenant}", body, form)

    assert notify(braintree_form("guessed"))[0] == 400
    assert notify(b"bt_signature=&bt_payload=")[0] == 400
    assert own.ask("POST", "/webhooks/braintree/acme", b"{}", {"Content-Type": "application/json"})[0] == 400
    assert notify(braintree_form(), "nobody")[0] == 404 and notify(braintree_form(), "bare")[0] == 503
    assert own.lake.files("raw") == []
    assert notify(braintree_form()) == (200, {"landed": 1, "known": 0, "quarantined": 0})
    assert notify(braintree_form()) == (200, {"landed": 0, "known": 1, "quarantined": 0})
    assert [row["amount"] for row in own.landed("payouts")] == [Decimal("60.0000")]
    status, answer = own.get("/webhooks/braintree/acme?bt_challenge=0123456789abcdef0123")
    assert status == 200 and answer.startswith("public|")
    assert own.get("/webhooks/braintree/acme?bt_challenge=nonsense")[0] == 400
