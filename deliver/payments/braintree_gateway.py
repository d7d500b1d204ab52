"""Charging through Braintree.

The key is the order id of the transaction: it is searched for before anything is asked for, a sale is sent once and never
repeated, and the search decides later what became of it. It is sent as the API request key too: an account with at-most-once
processing then does not even carry out a sale whose sender slept until another one had taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

import braintree
from braintree.exceptions.authentication_error import AuthenticationError
from braintree.exceptions.authorization_error import AuthorizationError
from braintree.exceptions.braintree_error import BraintreeError
from braintree.exceptions.gateway_timeout_error import GatewayTimeoutError
from braintree.exceptions.request_timeout_error import RequestTimeoutError
from braintree.exceptions.server_error import ServerError
from braintree.exceptions.service_unavailable_error import ServiceUnavailableError
from braintree.exceptions.too_many_requests_error import TooManyRequestsError
from braintree.exceptions.unexpected_error import UnexpectedError

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
    Status,
    Unanswered,
    without_secrets,
)
from ratehouse.money import in_minor_units, minor_units

Result = TypeVar("Result")
# Errors after which nobody knows; an answer that is no XML is one.
_PASSING = (
    ExpatError,
    UnexpectedError,
    ServerError,
    ServiceUnavailableError,
    GatewayTimeoutError,
    RequestTimeoutError,
    TooManyRequestsError,
)
# A new transaction is found by search after a while only: what is not there before that may still come.
SEARCH_LAG = timedelta(hours=1)

_STATUS: dict[str, Status] = {
    "authorizing": "processing",
    "authorized": "processing",
    "settlement_pending": "processing",
    "submitted_for_settlement": "succeeded",
    "settling": "succeeded",
    "settled": "succeeded",
    "settlement_confirmed": "succeeded",
}
_CLASSES = {"hard_declined": "hard", "soft_declined": "soft"}


@dataclass(frozen=True)
class BraintreeSettings:
    """One account: RATEHOUSE_BRAINTREE_<TENANT>_MERCHANT_ID, _PUBLIC_KEY and _PRIVATE_KEY.

    Unless the default will do _ENVIRONMENT (production or sandbox), _BASE (address) and _TIMEOUT (seconds).
    `merchant_accounts` (tenant.yaml, `collection`) has for each currency the merchant account that settles in it.
    """

    merchant_id: str
    public_key: str = field(repr=False)
    private_key: str = field(repr=False)
    environment: str
    merchant_accounts: Mapping[str, str]
    base: str | None = None
    timeout: float = 60.0

    @classmethod
    def load(
        cls, tenant_id: str, merchant_accounts: Mapping[str, str], environ: Mapping[str, str] | None = None
    ) -> BraintreeSettings:
        """Read the account of a tenant from the environment.

        Raises:
            PaymentError: a key is not set, or the environment is none.
        """
        env = Environment("braintree", tenant_id, environ)
        environment = env.get("ENVIRONMENT") or "production"
        if environment not in ("production", "sandbox"):
            raise PaymentError(f"{env.name('ENVIRONMENT')} is {environment!r}; use production or sandbox.")
        base = env.address("BASE")
        if base and urlsplit(base).scheme == "https" and urlsplit(base).port not in (None, 443):
            raise PaymentError(f"{env.name('BASE')}: Braintree's client speaks TLS on port 443 only.")
        return cls(
            env.need("MERCHANT_ID"),
            env.need("PUBLIC_KEY"),
            env.need("PRIVATE_KEY"),
            environment,
            dict(merchant_accounts),
            base,
            env.seconds("TIMEOUT", 60.0),
        )


class BraintreeGateway:
    """One account of Braintree."""

    name = "braintree"

    def __init__(self, settings: BraintreeSettings) -> None:
        self._settings = settings
        self._transactions = braintree.BraintreeGateway(
            braintree.Configuration(
                environment=_environment(settings),
                merchant_id=settings.merchant_id,
                public_key=settings.public_key,
                private_key=settings.private_key,
                timeout=settings.timeout,
                wrap_http_exceptions=True,
            )
        ).transaction
        self._line = Line("Braintree", lambda error: isinstance(error, _PASSING))

    def charge(self, charge: Charge, claim: Claim) -> Answer:
        """See `Gateway.charge`; the payment's identity is the order id, which is the key."""
        account = self._settings.merchant_accounts.get(charge.currency)
        if account is None:
            raise PaymentError(
                f"No merchant account settles in {charge.currency}; name it in tenant.yaml, collection.merchant_accounts."
            )
        found = self._before_claim(lambda: self._find(charge.key))
        if found is not None:
            return found
        sale = {
            "amount": plain(charge.amount, charge.currency),
            "merchant_account_id": account,
            "order_id": charge.key,
            "api_request_key": charge.key,
            "customer_id": charge.gateway_customer_id,
            "payment_method_token": charge.gateway_method_id,
            "transaction_source": "recurring",
            "options": {"submit_for_settlement": True},
        }
        if not claim(charge.key):
            raise AlreadyClaimed
        return self._once(lambda: self._transactions.sale(sale))

    def refund(self, refund: Refund, claim: Claim) -> Answer:
        """See `Gateway.refund`; the refund's order id is its key."""
        found = self._before_claim(lambda: self._find(refund.key))
        if found is not None:
            return found
        paid = self._before_claim(lambda: self._find(refund.payment_id))
        if paid is None or paid.status != "succeeded" or paid.provider_id is None:
            detail = f"Braintree has no settled transaction with the order id {refund.payment_id}"
            return Answer(
                "failed", failure_class="technical", failure_code="payment_not_found", detail=detail
            )
        if not claim(refund.payment_id):
            raise AlreadyClaimed
        options = {
            "amount": plain(refund.amount, refund.currency),
            "order_id": refund.key,
            "api_request_key": refund.key,
        }
        return self._once(lambda: self._transactions.refund(paid.provider_id, options))

    def query(self, kind: Kind, payment_id: str, key: str, age: timedelta) -> Answer:
        """See `Gateway.query`."""
        try:
            found = self._find(payment_id if kind == "charge" else key)
        except (Unanswered, BraintreeError) as error:
            return Answer("unknown", detail=self._words(error))
        if found is None:
            return Answer("absent") if age >= SEARCH_LAG else Answer("unknown", detail="not found yet")
        return found

    def _once(self, request: Callable[[], Any]) -> Answer:
        try:
            result = self._line.call(request, attempts=1)
        except Unanswered as error:
            return Answer("unknown", detail=str(error))
        except BraintreeError as error:
            return Answer(
                "failed",
                failure_class="technical",
                failure_code=type(error).__name__,
                detail=self._words(error),
            )
        if result is None:
            # An answer that holds neither a transaction nor an error.
            return Answer("unknown", detail="Braintree's answer says nothing")
        if (transaction := getattr(result, "transaction", None)) is not None:
            return self._read(transaction)
        codes = [error.code for error in result.errors.deep_errors]
        return Answer(
            "failed",
            failure_class="technical",
            failure_code=codes[0] if codes else None,
            detail=self._words(result.message),
        )

    def _find(self, order_id: str) -> Answer | None:
        """What the transactions with an order id come to; None if there is none."""
        found = self._line.call(
            lambda: list(self._transactions.search(braintree.TransactionSearch.order_id == order_id).items)
        )
        answers = sorted(
            (self._read(transaction) for transaction in found), key=lambda answer: _RANK[answer.status]
        )
        return answers[0] if answers else None

    def _read(self, transaction: Any) -> Answer:
        status, code = transaction.status, transaction.processor_response_code or None
        card = getattr(transaction, "credit_card_details", None)
        brand = getattr(card, "card_type", None)
        known = Answer(
            "processing", transaction.id, brand.lower() if brand else None, amount=transaction.amount
        )
        if status in _STATUS:
            return replace(known, status=_STATUS[status])
        if status == "gateway_rejected":
            code = transaction.gateway_rejection_reason
            if code == "duplicate":
                # There is another transaction like it: the search will tell.
                return replace(known, status="unknown", detail="Braintree has an equal transaction already")
            kind = "authentication" if code == "three_d_secure" else "technical"
        else:
            kind = _CLASSES.get(transaction.processor_response_type, "technical")
        return replace(
            known, status="failed", failure_class=kind, failure_code=code or status,
            detail=self._words(transaction.processor_response_text or status),
        )  # fmt: skip

    def _before_claim(self, request: Callable[[], Result]) -> Result:
        try:
            return self._line.call(request)
        except Unanswered as error:
            raise OutOfReach(str(error)) from None
        except (AuthenticationError, AuthorizationError):
            raise OutOfReach(
                "Braintree does not accept the keys in RATEHOUSE_BRAINTREE_<TENANT>_…; put valid ones there."
            ) from None

    def _words(self, text: object) -> str:
        words = str(text) or type(text).__name__
        return without_secrets(words, [self._settings.private_key, self._settings.public_key])


# Which of several transactions with one order id counts: the one that moved money.
_RANK = {"succeeded": 0, "processing": 1, "unknown": 2, "failed": 3, "absent": 4}


def plain(amount: Decimal, currency: str) -> str:
    """The amount as Braintree reads it: major units, with exactly the digits of the currency."""
    units = minor_units(currency)
    return format(Decimal(in_minor_units(amount, currency)).scaleb(-units), "f")


def _environment(settings: BraintreeSettings) -> Any:
    if settings.base is None:
        return braintree.Environment.parse_environment(settings.environment)
    address = urlsplit(settings.base)
    # The client speaks TLS on port 443, and plain HTTP on every other.
    return braintree.Environment("own", address.hostname, str(address.port or 443), "", True, True)
