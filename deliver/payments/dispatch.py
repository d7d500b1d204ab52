"""Charging what is due, giving back what is promised, asking what became of it, and recording the answers.

Belongs here: the order of the steps. Does not belong here: gateways (`gateway` and the two that carry it out), facts
(`attempts`). See the package's docstring for why nobody is charged twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby

from deliver.documents.model import connect_serving
from deliver.facts import tenant_document
from deliver.payments.attempts import Attempt, Due, claim, conclude, read_attempts, read_due
from deliver.payments.braintree_gateway import BraintreeGateway, BraintreeSettings
from deliver.payments.gateway import (
    AlreadyClaimed,
    Answer,
    Charge,
    Gateway,
    OutOfReach,
    PaymentError,
    Refund,
)
from deliver.payments.stripe_gateway import StripeGateway, StripeSettings
from ratehouse.lake import Lake
from ratehouse.settings import Settings

Clock = Callable[[], datetime]


@dataclass
class Dispatched:
    """What a dispatch did. `outcomes` counts charges and refunds; `problems` are sentences for a person."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def dispatch(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    limit: int | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Ask after what is unknown, then charge and give back what is due. Safe to run at any time, by anybody, again.

    Args:
        settings: the installation.
        tenants: whose money; none means all.
        limit: at most so many charges and refunds.
        clock: tells the time (UTC).

    Raises:
        RatehouseError: there is no serving file.
    """
    done = ask(settings, tenants=tenants, clock=clock)
    lake = Lake(settings.lake_url)
    due = read_due(settings, lake, tenants=tenants, now=clock())
    for waiting in (item for item in due if item.held_by):
        done.outcomes["held"] += 1
        done.problems.append(f"{waiting.tenant_id} {waiting.invoice_number}: waits, {waiting.held_by}")
    ready = [item for item in due if not item.held_by][:limit]
    for tenant_id, items in groupby(ready, key=lambda item: item.tenant_id):
        try:
            gateway = open_gateway(settings, tenant_id)
            for item in items:
                _make(lake, gateway, item, done, clock)
        except (OutOfReach, PaymentError) as error:
            # Another charge would find out the same; nothing was tried, so nothing is lost.
            done.outcomes["out of reach"] += 1
            done.problems.append(f"{tenant_id}: {error}; the rest waits")
    return done


def ask(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    subject: str | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Ask the gateways what became of attempts without an answer: those whose time has come, or now those of one invoice.

    Args:
        settings: the installation.
        tenants: whose; none means all.
        subject: the id of an invoice that was charged, or of a payment that was refunded, to ask about now.
        clock: tells the time (UTC).
    """
    lake, done, now = Lake(settings.lake_url), Dispatched(), clock()
    open_ones = [
        attempt
        for attempt in read_attempts(lake, tenants=tenants)
        if attempt.state in ("unknown", "processing")
        and (attempt.subject == subject if subject else attempt.ask_at is not None and attempt.ask_at <= now)
    ]
    for tenant_id, attempts in groupby(open_ones, key=lambda attempt: attempt.tenant_id):
        try:
            gateway = open_gateway(settings, tenant_id)
        except PaymentError as error:
            done.outcomes["out of reach"] += 1
            done.problems.append(f"{tenant_id}: {error}")
            continue
        for attempt in attempts:
            _ask_one(lake, gateway, attempt, done, clock)
    return done


def open_gateway(settings: Settings, tenant_id: str) -> Gateway:
    """The gateway account of a tenant, with keys from the environment.

    Raises:
        PaymentError: the tenant has none, or its keys are not there.
    """
    with connect_serving(settings.serving_path) as serving:
        document = tenant_document(serving, tenant_id) or {}
    collection = document.get("collection") or {}
    match collection.get("gateway"):
        case "stripe":
            return StripeGateway(StripeSettings.load(tenant_id))
        case "braintree":
            return BraintreeGateway(
                BraintreeSettings.load(tenant_id, collection.get("merchant_accounts") or {})
            )
    raise PaymentError(f"Tenant {tenant_id} has no gateway; set collection.gateway in its tenant.yaml.")


def _make(lake: Lake, gateway: Gateway, due: Due, done: Dispatched, clock: Clock) -> None:
    """Try one charge or refund once, and land what came of it."""
    claims: list[tuple[str, datetime]] = []

    def take(payment_id: str) -> bool:
        at = clock()
        claims.append((payment_id, at))
        return claim(lake, due, payment_id, at=at)

    try:
        if due.kind == "charge":
            answer = gateway.charge(_charge(due), take)
        else:
            assert due.payment_id is not None
            answer = gateway.refund(
                Refund(due.idempotency_key, due.payment_id, due.amount, due.currency), take
            )
    except AlreadyClaimed:
        done.outcomes["taken by another process"] += 1
        return
    except PaymentError as error:
        done.outcomes["not ready"] += 1
        done.problems.append(f"{due.tenant_id} {due.invoice_number}: {error}")
        return
    at = clock()
    payment_id, attempted_at = claims[-1] if claims else (due.payment_id or due.idempotency_key, at)
    # An unknown answer needs no fact: the claim says exactly this, also if this process dies here.
    if answer.status != "unknown":
        number = due.last_telling_no + 1 + len(claims)
        conclude(lake, due, payment_id, answer, number=number, at=at, attempted_at=attempted_at)
    _note(done, due, due.invoice_number, answer)


def _charge(due: Due) -> Charge:
    assert due.gateway_customer_id and due.gateway_method_id
    return Charge(
        due.idempotency_key, due.attempt, due.customer_id, due.invoice_id, due.invoice_number, due.amount,
        due.currency, due.gateway_customer_id, due.gateway_method_id,
    )  # fmt: skip


def _ask_one(lake: Lake, gateway: Gateway, attempt: Attempt, done: Dispatched, clock: Clock) -> None:
    if attempt.gateway not in (None, gateway.name):
        done.outcomes["unknown"] += 1
        done.problems.append(
            f"{attempt.tenant_id} {attempt.subject}: was charged through {attempt.gateway}, which is no longer its gateway"
        )
        return
    at = clock()
    answer = gateway.query(attempt.kind, attempt.payment_id, attempt.idempotency_key, at - attempt.claimed_at)
    # An ask out of turn that found nothing new leaves the turns as they are.
    if answer.status == "unknown" and (attempt.ask_at is None or attempt.ask_at > at):
        _note(done, attempt, attempt.subject, answer)
        return
    conclude(
        lake, attempt, attempt.payment_id, answer,
        number=attempt.last_telling_no + 1, at=clock(), attempted_at=attempt.claimed_at,
    )  # fmt: skip
    _note(done, attempt, attempt.subject, answer)


def _note(done: Dispatched, about: Due | Attempt, name: str, answer: Answer) -> None:
    done.outcomes[answer.status] += 1
    if answer.status in ("failed", "unknown"):
        words = ", ".join(filter(None, (answer.failure_code, answer.detail)))
        done.problems.append(
            f"{about.tenant_id} {name}: {about.kind} of {about.amount:f} {about.currency} is {answer.status} ({words})"
        )
