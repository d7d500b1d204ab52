"""What every payment gateway can do: charge, refund, query; and the words in which it answers.

Belongs here: the interface, its results and errors, and the care with which a gateway is called (time-outs, retries,
the circuit breaker). Does not belong here: what a gateway's own answers mean (`stripe_gateway`, `braintree_gateway`),
which charges are due and what is recorded (`dispatch`, `attempts`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal, Protocol, TypeVar
from urllib.parse import urlsplit

import stamina
from pybreaker import CircuitBreaker, CircuitBreakerError

from ratehouse.errors import RatehouseError
from ratehouse.secrets import variable

# A retry says nothing by itself: what it came to is told once, in words that quote no request.
stamina.instrumentation.set_on_retry_hooks([])

Kind = Literal["charge", "refund"]
Status = Literal["succeeded", "failed", "processing", "unknown", "absent"]
# Asks for the right to go on, with the payment's identity; False means: stop.
Claim = Callable[[str], bool]
Result = TypeVar("Result")


class PaymentError(RatehouseError):
    """Payments that cannot be made as things are; the message says what to change."""


class OutOfReach(Exception):
    """The gateway cannot be asked now, and nothing was charged: another time."""


class AlreadyClaimed(Exception):
    """Another process charges this, or did."""


class Unanswered(Exception):
    """No answer that says what became of a request; it may have been carried out."""


@dataclass(frozen=True, slots=True)
class Charge:
    """Money to be taken from a stored payment method.

    Attributes:
        key: the idempotency key of the action.
        attempt: which time this action is tried, from 1; only one that is known to have charged nothing is tried again.
        customer_id: whose money it is.
        invoice_id: what for.
        invoice_number: its number, for the payer's statement of the gateway.
        amount: in major units of the currency, rounded to its minor unit.
        currency: ISO 4217.
        gateway_customer_id: the payer, in the gateway's ids.
        gateway_method_id: the stored payment method, in the gateway's ids.
    """

    key: str
    attempt: int
    customer_id: str
    invoice_id: str
    invoice_number: str
    amount: Decimal
    currency: str
    gateway_customer_id: str
    gateway_method_id: str


@dataclass(frozen=True, slots=True)
class Refund:
    """Money of a payment to be given back. The key is also the identity of the refund."""

    key: str
    payment_id: str
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a charge or a refund.

    Attributes:
        status: succeeded; failed, for certain and for good; processing, as the gateway says; unknown, when no answer
        came, which is
            never taken for a failure; absent, when it was not carried out and cannot be any more.
        provider_id: the gateway's id of the money's movement, which its reports name.
        method: card network or kind of debit.
        failure_class: hard, soft, authentication or technical.
        failure_code: the gateway's own.
        amount: what was moved, in major units, where the gateway says it; None means what was asked for.
        detail: the words to it, for a person; not kept.
    """

    status: Status
    provider_id: str | None = None
    method: str | None = None
    failure_class: str | None = None
    failure_code: str | None = None
    amount: Decimal | None = None
    detail: str = ""


class Gateway(Protocol):
    """A payment gateway, one account of it."""

    name: str

    def charge(self, charge: Charge, claim: Claim) -> Answer:
        """Take the money. `claim` is called with the payment's identity when nothing but the money is left to be moved.

        An answer without a claim means that the gateway refused beforehand, or had carried it out before.

        Raises:
            OutOfReach: the gateway was not reached; nothing was claimed.
            AlreadyClaimed: `claim` said no.
            PaymentError: this amount cannot be charged through this account.
        """

    def refund(self, refund: Refund, claim: Claim) -> Answer:
        """Give money of a payment back; as `charge`."""

    def query(self, kind: Kind, payment_id: str, key: str, age: timedelta) -> Answer:
        """What became of an attempt that was claimed so long ago; moves no money, and may keep any from moving later."""


class Line:
    """The way to a gateway: calls that fail for now are tried again, and none is made while the gateway seems to be down.

    Args:
        name: whose line it is, for messages.
        passing: whether an error leaves open what became of the request.
    """

    def __init__(self, name: str, passing: Callable[[BaseException], bool]) -> None:
        self.name, self._passing = name, passing
        self._breaker = CircuitBreaker(
            fail_max=5,
            reset_timeout=60,
            exclude=[lambda error: not passing(error)],
            throw_new_error_on_trip=False,
            name=name,
        )

    def call(self, request: Callable[[], Result], *, attempts: int = 3) -> Result:
        """Make a request that may be made several times, or with `attempts=1` only once.

        Raises:
            Unanswered: no answer came, or the circuit is open.
        """
        try:
            for attempt in stamina.retry_context(on=self._passing, attempts=attempts, wait_max=2):
                with attempt:
                    result: Result = self._breaker.call(request)
                    return result
        except CircuitBreakerError:
            raise Unanswered(f"{self.name} failed several times; it is left alone for a minute") from None
        except Exception as error:
            if self._passing(error):
                # Only the kind: a client's text may quote the request.
                raise Unanswered(f"{self.name} gave no answer ({type(error).__name__})") from None
            raise
        raise AssertionError("a retry ends with a result or an error")


class Environment:
    """What a tenant's gateway account is opened with; only from the environment, so that no secret is in any file.

    Names are RATEHOUSE_<GATEWAY>_<TENANT>_<PART>, as in RATEHOUSE_STRIPE_ACME_KEY: an account belongs to one tenant.
    """

    def __init__(self, gateway: str, tenant_id: str, environ: Mapping[str, str] | None = None) -> None:
        self._env = os.environ if environ is None else environ
        self._prefix = variable(gateway, tenant_id)

    def name(self, part: str) -> str:
        """The variable that holds a part."""
        return self._prefix + part

    def get(self, part: str) -> str | None:
        """The part, if it is set."""
        return self._env.get(self.name(part)) or None

    def need(self, part: str) -> str:
        """The part.

        Raises:
            PaymentError: it is not set.
        """
        value = self.get(part)
        if not value:
            raise PaymentError(f"{self.name(part)} is not set. Put it into the environment of this command.")
        return value

    def address(self, part: str) -> str | None:
        """The part as the address of an API, if it is set.

        Raises:
            PaymentError: the key would go there in the clear.
        """
        address = self.get(part)
        parts = urlsplit(address or "https:")
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise PaymentError(f"{self.name(part)} would send the account's key in the clear; use https.")
        return address

    def seconds(self, part: str, default: float) -> float:
        """The part as a time in seconds.

        Raises:
            PaymentError: it is no positive number.
        """
        text = self.get(part)
        try:
            seconds = float(text) if text else default
        except ValueError:
            seconds = 0
        if not 0 < seconds < 600:
            raise PaymentError(f"{self.name(part)} is {text!r}; set it to seconds, as in 30.")
        return seconds


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text of a gateway, fit for a person to read: no secret that it quotes."""
    for secret in secrets:
        text = text.replace(secret, "…")
    return text
