"""Charging through Stripe.

A charge is two requests: creating a payment intent, which moves nothing and gives the payment its identity, and
confirming it, which moves the money. The claim lies between them. An intent can be charged once, whatever is lost or
repeated on the way; one that was never confirmed is cancelled before the charge counts as not made, so that no late
request can still confirm it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar

import stripe

from deliver.payments.gateway import (
    AlreadyClaimed,
    Answer,
    Charge,
    Claim,
    Environment,
    Kind,
    Line,
    OutOfReach,
    PaymentError,
    Refund,
    Unanswered,
    without_secrets,
)
from ratehouse.money import in_minor_units, minor_units
from ratehouse.stripe_terms import digits, failure_class

Thing = Mapping[str, Any]
Result = TypeVar("Result")
# Errors after which nobody knows: no answer, an answer of 500 and more (or 409: an equal request is still at work),
# too many requests.
_PASSING = (stripe.APIConnectionError, stripe.APIError, stripe.RateLimitError)
_NOT_ALLOWED = (stripe.AuthenticationError, stripe.PermissionError)
_EXPAND = ["latest_charge"]


@dataclass(frozen=True)
class StripeSettings:
    """One account: RATEHOUSE_STRIPE_<TENANT>_KEY, and unless the default will do _BASE (address), _TIMEOUT (seconds)."""

    key: str = field(repr=False)
    variable: str = "RATEHOUSE_STRIPE_<TENANT>_KEY"
    base: str | None = None
    timeout: float = 30.0

    @classmethod
    def load(cls, tenant_id: str, environ: Mapping[str, str] | None = None) -> StripeSettings:
        """Read the account of a tenant from the environment.

        Raises:
            PaymentError: the key is not set.
        """
        env = Environment("stripe", tenant_id, environ)
        return cls(env.need("KEY"), env.name("KEY"), env.address("BASE"), env.seconds("TIMEOUT", 30.0))


class StripeGateway:
    """One account of Stripe."""

    name = "stripe"

    def __init__(self, settings: StripeSettings) -> None:
        self._settings = settings
        self._client = stripe.StripeClient(
            settings.key,
            # `Line` tries again.
            max_network_retries=0,
            base_addresses={"api": settings.base} if settings.base else {},
            http_client=stripe.RequestsClient(timeout=settings.timeout),
        )
        self._line = Line("Stripe", lambda error: isinstance(error, _PASSING))

    def charge(self, charge: Charge, claim: Claim) -> Answer:
        """See `Gateway.charge`; the payment's identity is the payment intent's."""
        intents, named = self._client.v1.payment_intents, f"{charge.key}-{charge.attempt}"
        # Not told apart by attempt alone: an amount that changed before the claim is another intent.
        amount = stripe_amount(charge.amount, charge.currency)
        try:
            intent = self._before_claim(
                lambda: intents.create(
                    {
                        "amount": amount,
                        "currency": charge.currency.lower(),
                        "customer": charge.gateway_customer_id,
                        "payment_method": charge.gateway_method_id,
                        # Whatever kind it is; the payer is not there to be sent to another page.
                        "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
                        "metadata": {
                            "customer_id": charge.customer_id,
                            "invoice_id": charge.invoice_id,
                            "invoice_number": charge.invoice_number,
                            "idempotency_key": charge.key,
                        },
                    },
                    {"idempotency_key": f"{named}-{amount}-{charge.gateway_method_id}"},
                )
            )
        except stripe.StripeError as error:
            return self._refused(error)
        if not claim(intent.id):
            raise AlreadyClaimed
        try:
            # The payer is not there to be asked for anything.
            confirmed = self._line.call(
                lambda: intents.confirm(
                    intent.id,
                    {"off_session": True, "expand": _EXPAND},
                    {"idempotency_key": f"{named}-confirm"},
                )
            )
        except Unanswered as error:
            return Answer("unknown", detail=str(error))
        except stripe.CardError as error:
            return self._declined(error)
        except stripe.StripeError as error:
            # Refused, perhaps because an earlier copy of the request was carried out: the intent knows.
            return self._ask(intent.id, refusal=self._refused(error))
        return self._read(confirmed.to_dict())

    def refund(self, refund: Refund, claim: Claim) -> Answer:
        """See `Gateway.refund`. A refund is found again by `refund_id` in its metadata."""
        found = self._before_claim(lambda: self._find_refund(refund.payment_id, refund.key))
        if found is not None:
            return _read_refund(found)
        if not claim(refund.payment_id):
            raise AlreadyClaimed
        amount = stripe_amount(refund.amount, refund.currency)
        try:
            made = self._line.call(
                lambda: self._client.v1.refunds.create(
                    {
                        "payment_intent": refund.payment_id,
                        "amount": amount,
                        "metadata": {"refund_id": refund.key},
                    },
                    {"idempotency_key": f"refund-{refund.key}"},
                )
            )
        except Unanswered as error:
            return Answer("unknown", detail=str(error))
        except stripe.StripeError as error:
            try:
                found = self._find_refund(refund.payment_id, refund.key)
            except (Unanswered, stripe.StripeError):
                return Answer("unknown", detail=self._words(error))
            return _read_refund(found) if found is not None else self._refused(error)
        return _read_refund(made.to_dict())

    def query(self, kind: Kind, payment_id: str, key: str, age: timedelta) -> Answer:
        """See `Gateway.query`. Stripe's reads see every write, so that what is not there after the first wait never came."""
        if kind == "charge":
            return self._ask(payment_id)
        try:
            found = self._find_refund(payment_id, key)
        except (Unanswered, stripe.StripeError) as error:
            return Answer("unknown", detail=self._words(error))
        return _read_refund(found) if found is not None else Answer("absent")

    def _ask(self, intent_id: str, refusal: Answer | None = None) -> Answer:
        intents = self._client.v1.payment_intents
        try:
            intent = self._line.call(lambda: intents.retrieve(intent_id, {"expand": _EXPAND}))
            if intent.status in ("requires_confirmation", "requires_action"):
                authentication = intent.status == "requires_action"
                self._line.call(lambda: intents.cancel(intent_id))
                return _needs_payer() if authentication else refusal or Answer("absent")
        except (Unanswered, stripe.StripeError) as error:
            return Answer("unknown", detail=self._words(error))
        return self._read(intent.to_dict())

    def _read(self, intent: Thing) -> Answer:
        charge = intent.get("latest_charge") or {}
        charge = charge if isinstance(charge, Mapping) else {"id": charge}
        known = Answer("processing", charge.get("id"), _method(charge.get("payment_method_details")))
        match intent["status"]:
            case "succeeded":
                return replace(known, status="succeeded")
            case "processing" | "requires_capture":
                return known
            case "canceled":
                return Answer("absent")
            case "requires_action" | "requires_confirmation":
                return self._ask(intent["id"])
        error = intent.get("last_payment_error") or {}
        code = error.get("decline_code") or error.get("code")
        return replace(known, status="failed", failure_class=failure_class(code), failure_code=code)

    def _declined(self, error: stripe.StripeError) -> Answer:
        body: Any = error.json_body
        stated: Thing = (body.get("error") if isinstance(body, Mapping) else None) or {}
        code = stated.get("decline_code") or stated.get("code")
        return Answer(
            "failed",
            provider_id=stated.get("charge"),
            method=_method(stated.get("payment_method")),
            failure_class=failure_class(code),
            failure_code=code,
            detail=self._words(error),
        )

    def _refused(self, error: stripe.StripeError) -> Answer:
        """A request that Stripe did not accept as it was: nothing moved, and it is no decline of the payer's bank."""
        code = error.code or type(error).__name__
        return Answer("failed", failure_class="technical", failure_code=code, detail=self._words(error))

    def _find_refund(self, payment_id: str, key: str) -> Thing | None:
        listed = self._line.call(
            lambda: self._client.v1.refunds.list({"payment_intent": payment_id, "limit": 100})
        )
        return next(
            (
                thing
                for thing in listed.to_dict()["data"]
                if (thing.get("metadata") or {}).get("refund_id") == key
            ),
            None,
        )

    def _before_claim(self, request: Callable[[], Result]) -> Result:
        try:
            return self._line.call(request)
        except Unanswered as error:
            raise OutOfReach(str(error)) from None
        except _NOT_ALLOWED:
            raise OutOfReach(
                f"Stripe does not accept the key in {self._settings.variable}; put a valid one there."
            ) from None

    def _words(self, error: Exception) -> str:
        text = (error.user_message or "") if isinstance(error, stripe.StripeError) else str(error)
        return without_secrets(text or type(error).__name__, [self._settings.key])


def stripe_amount(amount: Decimal, currency: str) -> int:
    """A rounded amount in the units in which Stripe counts the currency.

    Raises:
        PaymentError: Stripe cannot take this amount.
    """
    shift = digits(currency) - minor_units(currency)
    count, rest = in_minor_units(amount, currency) * 10 ** max(shift, 0), 0
    if shift < 0:
        count, rest = divmod(count, 10**-shift)
    # Its reference asks for a last digit of 0 where a unit has three, and for whole units where it keeps two out of custom.
    coarse = {"ISK": 100, "UGX": 100}.get(currency, 10 if digits(currency) == 3 else 1)
    if rest or count % coarse:
        raise PaymentError(f"Stripe cannot charge {amount} {currency}: it takes no unit that small.")
    return count


def _needs_payer() -> Answer:
    return Answer("failed", failure_class="authentication", failure_code="authentication_required")


def _method(details: Thing | None) -> str | None:
    """The card's network, or the kind of another method."""
    if not details:
        return None
    kind: str | None = details.get("type")
    return (details.get("card") or {}).get("brand") if kind == "card" else kind


def _read_refund(refund: Thing) -> Answer:
    status = {"succeeded": "succeeded", "failed": "failed", "canceled": "failed"}.get(
        str(refund.get("status"))
    )
    if status == "succeeded":
        return Answer("succeeded", provider_id=refund["id"])
    if status == "failed":
        return Answer(
            "failed",
            provider_id=refund["id"],
            failure_class="technical",
            failure_code=refund.get("failure_reason"),
        )
    return Answer("processing", provider_id=refund["id"])
