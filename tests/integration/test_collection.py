"""Charges and refunds through localstripe and a small Braintree, before which a proxy spoils what networks spoil:
nobody pays twice."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import stamina
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from deliver.payments.attempts import ASK_AFTER, Attempt, read_attempts, read_due
from deliver.payments.braintree_gateway import SEARCH_LAG
from deliver.payments.dispatch import Dispatched, ask, dispatch
from ingest.stripe.landing import land_payloads
from ratehouse import billing
from ratehouse.commands.payments import app
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.conftest import ROOT
from tests.integration.payment_servers import MOODS, Braintree, LocalStripe, StripeProxy, closing
from tests.reliability.installation import Installation

KEY = "sk_test_never_to_be_seen"
PRIVATE = "braintree_private_never_to_be_seen"
NOW = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: USD
plans:
  std: {anchor: calendar, charges: {base: {type: recurring, timing: advance, model: flat, amount: "31.00"}}}
"""
ACME = """\
invoicing: {due_days: 0}
proration: {credit: refund}
collection: {gateway: stripe, since: 2026-01-01}
dunning: {retry_days: [3], steps: [{after_days: 1, actions: [remind]}]}
"""
BOLT = """\
invoicing: {due_days: 0}
proration: {credit: refund}
collection: {gateway: braintree, since: 2026-01-01, merchant_accounts: {USD: bolt_usd}}
"""
GOOD, DECLINED, AUTHENTICATION = "4242424242424242", "4000000000000341", "4000002500003155"


@pytest.fixture(scope="module")
def stripe_server() -> Iterator[LocalStripe]:
    with closing(LocalStripe()) as server:
        yield server


@pytest.fixture(scope="module")
def billed(tmp_path_factory: pytest.TempPathFactory, stripe_server: LocalStripe) -> Installation:
    """Two companies with an invoice of 31.00 for each customer, due on January 1, and published. Not to be changed: copy it."""
    home = Installation(tmp_path_factory.mktemp("billed"))
    cards = {"good": GOOD, "declined": DECLINED, "authentication": AUTHENTICATION}
    methods: dict[str, dict[str, Any]] = {
        "acme": {name: stripe_server.card(number) for name, number in cards.items()} | {"transfer": {}},
        "bolt": {
            name: {"gateway": "braintree", "customer_id": f"bc_{name}", "method_id": f"bm_{name}"}
            for name in ("good", "declined")
        },
    }
    for tenant, document in (("acme", ACME), ("bolt", BOLT)):
        home.add_tenant(tenant, BOOK, document)
        home.land(
            tenant,
            customers=[
                {"customer_id": name, "effective_at": "2025-12-01", "payment_method": method or None}
                for name, method in methods[tenant].items()
            ],
            subscription_events=[
                {
                    "event_id": f"created-{name}",
                    "subscription_id": f"sub-{name}",
                    "customer_id": name,
                    "type": "created",
                    "effective_at": "2026-01-01",
                    "data": {"plan": "std"},
                }
                for name in methods[tenant]
            ],
        )
    billing.bill_days(home.settings, [date(2026, 1, 1)], known_at_the_time=True)
    return home


@pytest.fixture
def home(
    tmp_path: Path, billed: Installation, stripe_server: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """A lake without payments beside the published file, and keys in the environment."""
    stripe_server.forget_payments()
    for name, value in {
        "RATEHOUSE_HOME": str(billed.home),
        "RATEHOUSE_LAKE": str(tmp_path / "lake"),
        "RATEHOUSE_STRIPE_ACME_KEY": KEY,
        "RATEHOUSE_STRIPE_ACME_TIMEOUT": "0.3",
        "RATEHOUSE_BRAINTREE_BOLT_MERCHANT_ID": "bolt",
        "RATEHOUSE_BRAINTREE_BOLT_PUBLIC_KEY": "public",
        "RATEHOUSE_BRAINTREE_BOLT_PRIVATE_KEY": PRIVATE,
        "RATEHOUSE_BRAINTREE_BOLT_TIMEOUT": "0.3",
    }.items():
        monkeypatch.setenv(name, value)
    stamina.set_testing(True, attempts=3, cap=True)
    yield Settings.load()
    stamina.set_testing(False)


@pytest.fixture(params=[True, False], ids=["idempotency keys", "no idempotency keys"])
def proxy(
    request: pytest.FixtureRequest, stripe_server: LocalStripe, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StripeProxy]:
    """Before localstripe, once with Stripe's promise about idempotency keys and once without."""
    with closing(StripeProxy(stripe_server.port, idempotent=request.param)) as server:
        monkeypatch.setenv("RATEHOUSE_STRIPE_ACME_BASE", server.url)
        yield server


@pytest.fixture
def honest(stripe_server: LocalStripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[StripeProxy]:
    with closing(StripeProxy(stripe_server.port)) as server:
        monkeypatch.setenv("RATEHOUSE_STRIPE_ACME_BASE", server.url)
        yield server


@pytest.fixture
def braintree(monkeypatch: pytest.MonkeyPatch) -> Iterator[Braintree]:
    with closing(Braintree()) as server:
        monkeypatch.setenv("RATEHOUSE_BRAINTREE_BOLT_BASE", server.url)
        yield server


SEND = [sys.executable, "-m", "ratehouse.cli", "deliver", "payments", "send"]


def environment() -> dict[str, str]:
    """For processes of their own, which see a gateway that answers in its own time."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "RATEHOUSE_STRIPE_ACME_TIMEOUT": "20"}


def send(home: Settings, at: datetime = NOW, tenant: str = "acme", **options: Any) -> Dispatched:
    return dispatch(home, tenants=[tenant], clock=lambda: at, **options)


def attempts(home: Settings, tenant: str = "acme") -> dict[str, Attempt]:
    """By customer."""
    return {a.customer_id or a.subject: a for a in read_attempts(Lake(home.lake_url), tenants=[tenant])}


def facts(home: Settings, stream: str = "payments") -> list[dict[str, Any]]:
    table = Lake(home.lake_url).read(f"raw/{stream}")
    return [] if table is None else sorted(table.to_pylist(), key=lambda row: row["batch_id"])


def said(home: Settings, customer: str = "good") -> list[str]:
    return [row["status"] for row in facts(home) if row["customer_id"] == customer]


def only(home: Settings, customer: str) -> str:
    """The invoice of one customer."""
    (due,) = [
        d
        for d in read_due(home, Lake(home.lake_url), tenants=[], now=NOW)
        if d.customer_id == customer and d.tenant_id == "acme"
    ]
    return due.invoice_id


def test_each_invoice_is_charged_once_and_what_came_of_it_is_a_fact(
    home: Settings, proxy: StripeProxy, stripe_server: LocalStripe
) -> None:
    done = send(home)
    assert done.outcomes == {"succeeded": 1, "failed": 2}, done.problems
    found = attempts(home)
    assert {name: attempt.state for name, attempt in found.items()} == {
        "good": "succeeded", "declined": "failed", "authentication": "failed"
    }  # fmt: skip
    assert stripe_server.charged() == {found["good"].subject: [3100]}
    last = {row["customer_id"]: row for row in facts(home)}
    paid, declined, authentication = last["good"], last["declined"], last["authentication"]
    (intent,) = [i for i in stripe_server.objects("payment_intent") if i.status == "succeeded"]
    assert (paid["payment_id"], paid["provider_id"]) == (intent.id, intent.latest_charge.id)
    assert (paid["amount"], paid["currency"], paid["provider"]) == (Decimal("31.0000"), "USD", "stripe")
    assert (paid["attempted_at"], paid["settled_at"], paid["recorded_at"]) == (NOW, NOW, NOW)
    assert (declined["failure_code"], declined["failure_class"]) == ("card_declined", "soft")
    assert authentication["failure_class"] == "authentication"
    assert {i.status for i in stripe_server.objects("payment_intent")} == {
        "succeeded", "requires_payment_method", "canceled"
    }, "what waits for the payer could be paid next to a retry"  # fmt: skip

    confirmed = [body for path, body in proxy.bodies if path.endswith("/confirm")]
    assert len(confirmed) == 3 and all(b"off_session=true" in body for body in confirmed)
    for hours in (1, 30, 800):
        assert not send(home, NOW + timedelta(hours=hours)).outcomes["succeeded"]
    assert len(stripe_server.objects("charge")) == 2 and len(facts(home)) == 6


@pytest.mark.parametrize("mood", MOODS)
@pytest.mark.parametrize("place", ["create", "confirm"])
def test_whatever_happens_once_on_the_way(
    home: Settings, proxy: StripeProxy, stripe_server: LocalStripe, place: str, mood: str
) -> None:
    proxy.moods[place] = [mood]
    send(home, limit=1)
    send(home, NOW + timedelta(hours=1))
    assert stripe_server.charged() == {attempts(home)["good"].subject: [3100]}
    assert said(home)[-1] == "succeeded" and said(home).count("succeeded") == 1


@pytest.mark.parametrize("mood", ["lost", "cut", "cut_after", "500", "500_after", "garbled"])
def test_an_answer_that_does_not_come_is_unknown_and_asked_for(
    home: Settings, proxy: StripeProxy, stripe_server: LocalStripe, mood: str
) -> None:
    invoice = only(home, "good")
    proxy.moods = {"confirm": [mood] * 9, "retrieve": [mood] * 9}
    assert send(home).outcomes["unknown"] >= 1
    charged = stripe_server.charged()
    state = attempts(home)["good"]
    assert (state.state, state.ask_at) == ("unknown", NOW + ASK_AFTER[0])
    assert not send(home, NOW + timedelta(minutes=4)).outcomes["succeeded"], "its time has not come"
    assert stripe_server.charged() == charged

    proxy.moods = {}
    later = NOW + ASK_AFTER[0]
    done = send(home, later)
    assert stripe_server.charged() == {invoice: [3100]}, done
    assert attempts(home)["good"].state == "succeeded"
    if mood in ("cut", "500"):
        # It had not been made, for certain, and could not be any more: then it was made again, under the same key.
        assert said(home) == ["unknown", "cancelled", "unknown", "succeeded"]
        assert "canceled" in {i.status for i in stripe_server.objects("payment_intent")}
    else:
        assert said(home) == ["unknown", "succeeded"]


def test_it_is_asked_after_three_times_and_then_left_to_a_person(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe
) -> None:
    honest.moods = {"confirm": ["lost"] * 9, "retrieve": ["cut"] * 99}
    send(home)
    counts = []
    for wait in (*ASK_AFTER, timedelta(days=2), timedelta(days=90)):
        before = honest.seen["retrieve"]
        done = ask(home, clock=lambda wait=wait: NOW + wait)  # type: ignore[misc]
        counts.append((bool(done.outcomes["unknown"]), honest.seen["retrieve"] > before))
    assert counts == [(True, True)] * 3 + [(False, False)] * 2
    unknown = attempts(home)["good"]
    assert unknown.needs_person and said(home) == ["unknown"] * 4
    assert not send(home, NOW + timedelta(days=90)).outcomes["succeeded"]
    assert stripe_server.charged() == {unknown.subject: [3100]}, "while it is unknown nothing else is charged"

    shown = CliRunner().invoke(app, ["status", "--tenant", "acme"], env={"COLUMNS": "250"})
    assert "unknown" in shown.output and "a person" in shown.output and unknown.payment_id in shown.output
    honest.moods = {}
    asked = CliRunner().invoke(app, ["ask", "--tenant", "acme", "--about", unknown.subject])
    assert (asked.exit_code, asked.output.strip()) == (0, "1 succeeded")
    assert attempts(home)["good"].state == "succeeded"


def test_what_stripe_tells_by_itself_settles_it_too(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe
) -> None:
    honest.moods = {"confirm": ["lost"] * 9}
    send(home)
    (intent,) = [i for i in stripe_server.objects("payment_intent") if i.status == "succeeded"]
    notice = {
        "id": "evt_1", "object": "event", "type": "payment_intent.succeeded", "created": int(NOW.timestamp()) + 60,
        "data": {"object": {
            "id": intent.id, "object": "payment_intent", "status": "succeeded", "amount": 3100, "amount_received": 3100,
            "currency": "usd", "created": int(NOW.timestamp()), "metadata": intent.metadata,
        }},
    }  # fmt: skip
    landed = land_payloads(Lake(home.lake_url), [notice], tenant_id="acme")
    assert landed.rows == {"payments": 1}
    assert attempts(home)["good"].state == "succeeded" and attempts(home)["good"].ask_at is None
    send(home, NOW + timedelta(hours=2))
    assert (
        len(stripe_server.charged()) == 1
        and len({row["payment_id"] for row in facts(home) if row["customer_id"] == "good"}) == 1
    )


def test_a_gateway_that_is_down_is_left_alone(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe
) -> None:
    honest.moods = {"create": ["always down"]}
    done = send(home)
    assert done.outcomes == {"out of reach": 1} and "the rest waits" in done.problems[-1]
    assert not facts(home) and honest.seen["create"] == 3, "asked three times, for the first of three charges"
    honest.moods = {}
    assert send(home).outcomes["succeeded"] == 1


def test_the_circuit_opens(honest: StripeProxy, home: Settings) -> None:
    from deliver.payments.gateway import Unanswered
    from deliver.payments.stripe_gateway import StripeGateway, StripeSettings

    gateway = StripeGateway(StripeSettings.load("acme"))
    honest.moods = {"retrieve": ["always down"]}
    answers = [gateway.query("charge", "pi_x", "k", timedelta()) for _ in range(4)]
    assert {answer.status for answer in answers} == {"unknown"}
    assert honest.seen["retrieve"] == 5, "after five failures nothing is sent for a minute"
    assert "left alone" in answers[-1].detail
    with pytest.raises(Unanswered):
        gateway._line.call(lambda: None)


def test_dispatchers_at_the_same_time(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe
) -> None:
    senders = [
        subprocess.Popen(
            [*SEND, "--tenant", "acme"], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said_by = [sender.communicate(timeout=120)[0] for sender in senders]
    assert sum("1 succeeded" in text for text in said_by) == 1, said_by
    assert [len(amounts) for amounts in stripe_server.charged().values()] == [1]
    assert max(stripe_server.tried().values()) == 1
    assert said(home) == ["unknown", "succeeded"]


def test_another_action_for_the_same_invoice_waits_for_what_the_file_does_not_know(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe, tmp_path: Path, billed: Installation
) -> None:
    """A charge succeeds; before the next build, a retry of the same invoice stands in the file."""
    send(home)
    serving = tmp_path / "serving"
    shutil.copytree(billed.settings.serving_dir, serving)
    with duckdb.connect(str(serving / "current.duckdb")) as connection:
        connection.execute(
            "update marts.dunning_actions set action = 'retry', idempotency_key = idempotency_key || 'x',"
            " due_at = timestamptz '2026-01-04 00:00:00Z' where action = 'charge'"
        )
    stale = home.model_copy(update={"serving_dir": serving})
    done = send(stale, NOW + timedelta(days=4))
    assert stripe_server.charged() == {attempts(home)["good"].subject: [3100]}
    assert any("is not in the serving file yet" in problem for problem in done.problems)
    assert stripe_server.tried()[next(iter(stripe_server.tried()))] == 1
    assert done.outcomes["failed"] == 2, "the two that failed are tried again"


POINTS = [
    "before deliver.payments.dispatch:claim",
    "after deliver.payments.dispatch:claim",
    "before deliver.payments.dispatch:conclude",
    "after deliver.payments.dispatch:conclude",
    "after deliver.payments.stripe_gateway:StripeGateway.charge",
]


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_killed_at_any_point(
    home: Settings, honest: StripeProxy, stripe_server: LocalStripe, point: str
) -> None:
    invoice = only(home, "good")
    fault = [sys.executable, "-m", "tests.reliability.faults", f"{point} customer_id='good'"]
    killed = subprocess.run(
        [*fault, *SEND[3:], "--tenant", "acme"],
        cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert killed.returncode == -9, killed.stderr
    assert KEY not in killed.stdout + killed.stderr
    now = datetime.now(UTC)
    for wait in (timedelta(0), *ASK_AFTER, timedelta(days=2)):
        send(home, now + wait)
    assert stripe_server.charged() == {invoice: [3100]}
    assert max(stripe_server.tried().values()) == 1
    assert {name: attempt.state for name, attempt in attempts(home).items()} == {
        "good": "succeeded", "declined": "failed", "authentication": "failed"
    }  # fmt: skip
    assert said(home).count("succeeded") == 1


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.fixed_dictionaries(
        {
            kind: st.lists(st.sampled_from(MOODS), max_size=8)
            for kind in ("create", "confirm", "retrieve", "cancel")
        }
    ),
    st.lists(st.integers(1, 2000), min_size=1, max_size=6),
)
def test_no_disorder_charges_twice_or_loses_a_charge(
    tmp_path_factory: pytest.TempPathFactory,
    home: Settings,
    proxy: StripeProxy,
    stripe_server: LocalStripe,
    moods: dict[str, list[str]],
    waits: list[int],
) -> None:
    stripe_server.forget_payments()
    proxy.answers.clear()
    own = home.model_copy(update={"lake_url": str(tmp_path_factory.mktemp("lake"))})
    proxy.moods, at = {kind: list(listed) for kind, listed in moods.items()}, NOW
    for minutes in (0, *waits):
        at += timedelta(minutes=minutes)
        send(own, at)
        assert all(amounts == [3100] for amounts in stripe_server.charged().values())
    proxy.moods = {}
    for _ in range(5):
        at += timedelta(days=1)
        send(own, at)
    for left in attempts(own).values():
        if left.needs_person:
            ask(own, subject=left.subject, clock=lambda: at)
    send(own, at + timedelta(days=1))
    assert {name: attempt.state for name, attempt in attempts(own).items()} == {
        "good": "succeeded", "declined": "failed", "authentication": "failed"
    }  # fmt: skip
    assert stripe_server.charged() == {attempts(own)["good"].subject: [3100]}
    paid = [row for row in facts(own) if row["status"] == "succeeded"]
    assert [row["amount"] for row in paid] == [31]
    assert max(stripe_server.tried().values()) == 1


def test_no_secret_is_written_anywhere(
    home: Settings,
    honest: StripeProxy,
    braintree: Braintree,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    honest.moods = {"create": ["500", "ok"], "confirm": ["lost", "500", "cut", "ok"]}
    braintree.moods = {"sale": ["lost", "500", "ok"], "search": ["500", "cut"]}
    texts = [
        repr(send(home)),
        repr(send(home, tenant="bolt")),
        repr(ask(home, clock=lambda: NOW + ASK_AFTER[0])),
    ]
    os.environ["RATEHOUSE_STRIPE_ACME_KEY"] = refused = "not_a_key_but_secret"
    texts.append(repr(send(home, NOW + timedelta(days=3))))
    assert "RATEHOUSE_STRIPE_ACME_KEY" in texts[-1] or "out of reach" not in texts[-1]
    texts += [caplog.text, *capfd.readouterr(), repr(facts(home))]
    texts += [file.read_bytes().decode("latin-1") for file in Path(home.lake_url).rglob("*.parquet")]
    for secret in (KEY, PRIVATE, refused):
        assert not any(secret in text for text in texts)


def test_without_a_key_nothing_is_tried(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RATEHOUSE_STRIPE_ACME_KEY")
    done = send(home)
    assert "RATEHOUSE_STRIPE_ACME_KEY is not set" in done.problems[0] and not facts(home)


# Braintree


def test_braintree_charges_once(home: Settings, braintree: Braintree) -> None:
    braintree.decline = {"bm_declined": ("2005", "hard_declined")}
    assert send(home, tenant="bolt").outcomes == {"succeeded": 1, "failed": 1}
    found = attempts(home, "bolt")
    key = found["good"].idempotency_key
    assert braintree.money() == {key: ["31.00"]} and found["good"].payment_id == key
    assert braintree.transactions[0]["merchant-account-id"] == "bolt_usd"
    assert all(sale["api-request-key"] == sale["order-id"] for sale in braintree.transactions)
    last = {row["customer_id"]: row for row in facts(home)}
    assert (last["good"]["status"], last["good"]["method"], last["good"]["provider"]) == (
        "succeeded",
        "visa",
        "braintree",
    )
    assert (last["declined"]["failure_code"], last["declined"]["failure_class"]) == ("2005", "hard")
    assert not send(home, NOW + timedelta(days=9), tenant="bolt").outcomes and braintree.seen["sale"] == 2


@pytest.mark.parametrize("mood", ["lost", "cut", "cut_after", "500", "500_after", "garbled"])
def test_braintree_answers_that_do_not_come(home: Settings, braintree: Braintree, mood: str) -> None:
    braintree.moods = {"sale": [mood, mood]}
    assert send(home, tenant="bolt").outcomes == {"unknown": 2}
    assert braintree.seen["sale"] == 2, "a sale is never repeated by itself"
    made = mood in ("lost", "cut_after", "500_after", "garbled")
    assert len(braintree.money()) == (2 if made else 0)
    first = send(home, NOW + ASK_AFTER[0], tenant="bolt")
    assert first.outcomes == ({"succeeded": 2} if made else {"unknown": 2}), "a search may not show it yet"
    send(home, NOW + SEARCH_LAG, tenant="bolt")
    send(home, NOW + timedelta(days=2), tenant="bolt")
    assert [len(amounts) for amounts in braintree.money().values()] == [1, 1]
    assert {attempt.state for attempt in attempts(home, "bolt").values()} == {"succeeded"}


def test_braintree_shows_a_sale_late(home: Settings, braintree: Braintree) -> None:
    braintree.moods = {"sale": ["lost", "lost"]}
    send(home, tenant="bolt")
    braintree.hide = set(braintree.money())
    assert send(home, NOW + ASK_AFTER[0], tenant="bolt").outcomes["unknown"] == 2
    braintree.hide = set()
    assert send(home, NOW + ASK_AFTER[1], tenant="bolt").outcomes["succeeded"] == 2
    assert [len(amounts) for amounts in braintree.money().values()] == [1, 1]


# From the charge to the paid invoice, and back


@pytest.mark.slow
def test_money_comes_in_and_goes_back_through_the_whole_pipeline(
    tmp_path: Path,
    billed: Installation,
    home: Settings,
    honest: StripeProxy,
    braintree: Braintree,
    stripe_server: LocalStripe,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = Installation(tmp_path / "whole")
    shutil.copytree(billed.home, whole.home)
    monkeypatch.setenv("RATEHOUSE_HOME", str(whole.home))
    monkeypatch.delenv("RATEHOUSE_LAKE")
    own = Settings.load()
    for tenant in ("acme", "bolt"):
        send(own, tenant=tenant)
        cancelled = {
            "event_id": "cancel", "subscription_id": "sub-good", "customer_id": "good", "type": "cancelled",
            "effective_at": "2026-01-16", "data": {"when": "immediate"},
        }  # fmt: skip
        land(
            whole.lake, "subscription_events", [{"recorded_at": "2026-01-16", **cancelled}], tenant_id=tenant,
            source="test", batch_id=f"{tenant}-cancel",
        )  # fmt: skip
    billing.bill_days(own, [date(2026, 1, 17)], known_at_the_time=True)
    assert rows(own, "invoices", "status", "customer_id = 'good' and kind = 'invoice'") == [
        ("paid",),
        ("paid",),
    ]
    assert (
        rows(own, "dunning_actions", "status", "action = 'charge' and customer_id = 'good'")
        == [("done",)] * 2
    )
    assert rows(
        own,
        "dunning_actions",
        "action, status",
        "customer_id = 'declined' and tenant_id = 'acme' and action = 'retry'",
    ) == [("retry", "due")]
    assert rows(own, "dunning_actions", "amount, status", "action = 'refund'") == [(Decimal(16), "due")] * 2

    at = datetime(2026, 1, 17, 10, tzinfo=UTC)
    honest.moods, braintree.moods = {"refund": ["500_after", "cut", "500"]}, {"refund": ["lost"]}
    for tenant in ("acme", "bolt"):
        assert send(own, at, tenant=tenant).outcomes["unknown"] == 1
        assert not send(own, at + timedelta(minutes=1), tenant=tenant).outcomes["succeeded"], (
            "it waits to be asked"
        )
        assert send(own, at + ASK_AFTER[0], tenant=tenant).outcomes["succeeded"] == 1
        assert not send(own, at + timedelta(hours=2), tenant=tenant).outcomes["succeeded"]
    assert [refund.amount for refund in stripe_server.objects("refund")] == [1600]
    assert list(braintree.money("credit").values()) == [["16.00"]]
    # Stripe tells of the refund too: it is the same one.
    (refund,) = stripe_server.objects("refund")
    told = {
        "id": refund.id, "object": "refund", "amount": 1600, "currency": "usd", "status": "succeeded",
        "payment_intent": refund.payment_intent, "metadata": refund.metadata, "created": int(at.timestamp()) + 900,
    }  # fmt: skip
    land_payloads(whole.lake, [told], tenant_id="acme", received_at=at + timedelta(hours=1))

    billing.bill_days(own, [date(2026, 1, 18)], known_at_the_time=True)
    assert rows(own, "dunning_actions", "status", "action = 'refund'") == [("done",)] * 2
    assert (
        rows(own, "invoices", "status, amount_paid", "customer_id = 'good' and kind = 'invoice'")
        == [("paid", Decimal(31))] * 2
    )
    for tenant in ("acme", "bolt"):
        assert not send(own, at + timedelta(days=2), tenant=tenant).outcomes["succeeded"]
    assert len(stripe_server.objects("refund")) == 1


def rows(home: Settings, mart: str, columns: str, where: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(home.serving_path), read_only=True) as serving:
        return serving.execute(
            f"select {columns} from marts.{mart} where {where} order by tenant_id"
        ).fetchall()
