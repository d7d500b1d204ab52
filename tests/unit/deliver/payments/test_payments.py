"""Amounts and answers of gateways, settings from the environment, and the fold of what was told of an attempt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from deliver.payments.attempts import ASK_AFTER, read_attempts
from deliver.payments.braintree_gateway import BraintreeSettings, plain
from deliver.payments.gateway import Environment, PaymentError, without_secrets
from deliver.payments.stripe_gateway import StripeSettings, stripe_amount
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.money import in_minor_units
from ratehouse.streams import land
from ratehouse.tenant import PriceBookError, parse_tenant

AT = datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("amount", "currency", "units"),
    [
        ("12.50", "USD", 1250),
        ("1200", "JPY", 1200),
        ("1.230", "KWD", 1230),
        ("300", "ISK", 30000),
        ("4500", "UGX", 450000),
        ("70000.00", "MGA", 70000),
    ],
)
def test_stripe_counts_in_units_of_its_own(amount: str, currency: str, units: int) -> None:
    assert stripe_amount(Decimal(amount), currency) == units


@pytest.mark.parametrize(("amount", "currency"), [("1.234", "KWD"), ("0.50", "MGA")])
def test_an_amount_that_stripe_cannot_take_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(PaymentError, match="no unit that small"):
        stripe_amount(Decimal(amount), currency)


def test_minor_units_are_never_rounded() -> None:
    assert in_minor_units(Decimal("31.0000"), "USD") == 3100
    assert in_minor_units(Decimal("99999999999999.9900"), "USD") == 9999999999999999
    with pytest.raises(RatehouseError, match="smallest unit"):
        in_minor_units(Decimal("1.005"), "USD")
    with pytest.raises(RatehouseError, match="no ISO 4217"):
        in_minor_units(Decimal(1), "XXX")


@pytest.mark.parametrize(
    ("amount", "currency", "text"), [("31.0000", "USD", "31.00"), ("500.0000", "JPY", "500")]
)
def test_braintree_reads_exactly_the_digits_of_a_currency(amount: str, currency: str, text: str) -> None:
    assert plain(Decimal(amount), currency) == text


def test_keys_come_from_the_tenant_s_own_variables_only() -> None:
    env = {"RATEHOUSE_STRIPE_KEY": "sk_other", "RATEHOUSE_STRIPE_ACME_EU_KEY": "sk_secret"}
    settings = StripeSettings.load("acme-eu", env)
    assert settings.key == "sk_secret" and "sk_secret" not in repr(settings)
    with pytest.raises(PaymentError, match="RATEHOUSE_STRIPE_BOLT_KEY is not set"):
        StripeSettings.load("bolt", env)


def test_a_key_does_not_leave_in_the_clear() -> None:
    env = {"RATEHOUSE_STRIPE_ACME_KEY": "k", "RATEHOUSE_STRIPE_ACME_BASE": "http://example.com"}
    with pytest.raises(PaymentError, match="in the clear"):
        StripeSettings.load("acme", env)
    names = {f"RATEHOUSE_BRAINTREE_ACME_{part}": "x" for part in ("MERCHANT_ID", "PUBLIC_KEY", "PRIVATE_KEY")}
    with pytest.raises(PaymentError, match="443"):
        BraintreeSettings.load(
            "acme", {}, names | {"RATEHOUSE_BRAINTREE_ACME_BASE": "https://example.com:8443"}
        )
    with pytest.raises(PaymentError, match="production or sandbox"):
        BraintreeSettings.load("acme", {}, names | {"RATEHOUSE_BRAINTREE_ACME_ENVIRONMENT": "live"})
    assert "'x'" not in repr(BraintreeSettings.load("acme", {}, names)).replace("merchant_id='x'", "")


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan", "1e9"])
def test_a_time_out_is_a_number_of_seconds(text: str) -> None:
    with pytest.raises(PaymentError, match="TIMEOUT"):
        Environment("stripe", "acme", {"RATEHOUSE_STRIPE_ACME_TIMEOUT": text}).seconds("TIMEOUT", 30)


def test_secrets_are_cut_out_of_a_text() -> None:
    assert without_secrets("no such key: sk_1", ["sk_1"]) == "no such key: …"


@pytest.mark.parametrize(
    ("collection", "key"),
    [
        ({"gateway": "stripe"}, "since"),
        ({"gateway": "braintree", "since": "2026-01-01"}, "merchant_accounts"),
    ],
)
def test_a_tenant_says_since_when_and_into_which_account(collection: dict[str, Any], key: str) -> None:
    with pytest.raises(PriceBookError) as refused:
        parse_tenant({"tenant": "acme", "collection": collection})
    assert key in str(refused.value)


def tell(lake: Lake, *rows: dict[str, Any]) -> None:
    for number, row in enumerate(rows, start=1):
        fact = {
            "payment_id": "pi_1", "customer_id": "c1", "invoice_id": "i1", "amount": "10", "currency": "USD",
            "provider": "stripe", "idempotency_key": "k1", **row,
        }  # fmt: skip
        landed = land(
            lake, "payments", [fact], tenant_id="acme", source="collection" if fact["idempotency_key"] else "stripe-webhook",
            batch_id=f"{'charge-x' if fact['idempotency_key'] else 'notice'}-{number:04d}", received_at=AT,
        )  # fmt: skip
        assert not landed.rejected


def minutes(count: int) -> datetime:
    return AT + timedelta(minutes=count)


@pytest.mark.parametrize(
    ("told", "state", "ask_at", "attempt"),
    [
        (["unknown"], "unknown", AT + ASK_AFTER[0], 1),
        (["unknown", "unknown"], "unknown", AT + ASK_AFTER[1], 1),
        (["unknown", "unknown", "unknown"], "unknown", AT + ASK_AFTER[2], 1),
        (["unknown"] * 4, "unknown", None, 1),
        (["unknown", "processing"], "processing", AT + ASK_AFTER[1], 1),
        (["unknown", "succeeded"], "succeeded", None, 1),
        (["unknown", "failed"], "failed", None, 1),
        (["unknown", "cancelled"], "absent", None, 2),
        # The second attempt is asked after in its own time.
        (["unknown", "unknown", "cancelled", "unknown"], "unknown", minutes(3) + ASK_AFTER[0], 2),
        (["unknown", "cancelled", "unknown", "cancelled"], "absent", None, 3),
        (["unknown", "cancelled", "unknown", "succeeded"], "succeeded", None, 2),
    ],
)
def test_the_state_of_an_attempt_is_a_fold_over_what_was_told(
    tmp_path: Path, told: list[str], state: str, ask_at: datetime | None, attempt: int
) -> None:
    lake = Lake(str(tmp_path))
    tell(lake, *({"status": status, "recorded_at": minutes(number)} for number, status in enumerate(told)))
    (found,) = read_attempts(lake)
    assert (found.state, found.ask_at, found.attempt) == (state, ask_at, attempt)
    assert found.last_telling_no == len(told) and found.subject == "i1"
    assert found.needs_person == (told == ["unknown"] * 4)


@pytest.mark.parametrize(
    ("reported", "state"),
    [("succeeded", "succeeded"), ("failed", "failed"), ("initiated", "unknown"), ("processing", "unknown")],
)
def test_what_the_gateway_reports_by_itself_counts_where_it_decides(
    tmp_path: Path, reported: str, state: str
) -> None:
    lake = Lake(str(tmp_path))
    tell(
        lake,
        {"status": "unknown", "recorded_at": AT},
        {"status": reported, "recorded_at": minutes(2), "idempotency_key": None},
    )
    assert [found.state for found in read_attempts(lake)] == [state]
