"""What every tax provider can do: quote, record, take back; and the words in which it answers.

Belongs here: the interface, its words, and how a tenant's account is found in the environment. Does not belong here:
a provider's own addresses and shapes (`avalara`, `taxjar`), what is asked and remembered (`dispatch`, `outbox`).
"""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from deliver.http import LOOPBACK
from ratehouse.errors import RatehouseError
from ratehouse.secrets import variable


class TaxError(RatehouseError):
    """A provider that cannot be spoken to as things are; the message says what to change."""


@dataclass(frozen=True)
class Recorded:
    """A transaction as the provider has it.

    Attributes:
        code: under which we named it.
        tax: what it says was collected, in the document's currency.
        is_final: whether it is reported; one that is not may still be changed.
        is_void: whether it was taken back.
    """

    code: str
    tax: Decimal
    is_final: bool
    is_void: bool = False


class Provider(Protocol):
    """One account of a tax provider.

    Every call may raise `Refused` (it looked at the request and did not take it), `NotTaken` (it takes nothing now) or
    `Unanswered` (nobody knows what became of it).
    """

    name: str

    def quote(self, request: Mapping[str, Any]) -> Any:
        """The provider's answer about the tax of a request (`int_taxes__quote_requests`), to the letter."""

    def find(self, transaction: Mapping[str, Any]) -> Recorded | None:
        """The transaction as the provider has it; None if it has none of that code."""

    def record(self, transaction: Mapping[str, Any]) -> Recorded:
        """Tell of a document that was issued (`int_taxes__transactions`), with the tax that stands on it."""

    def void(self, transaction: Mapping[str, Any]) -> None:
        """Take a recorded transaction back."""


def exemptions(request: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The certificates that a question or a transaction names, by item: number and reason."""
    return {one["no"]: one for one in request.get("exemptions") or ()}


class Environment:
    """What a tenant's account is opened with; only from the environment, so that no secret is in any file.

    Names are RATEHOUSE_<PROVIDER>_<TENANT>_<PART>, as in RATEHOUSE_TAXJAR_ACME_KEY: an account belongs to one tenant.
    """

    def __init__(self, provider: str, tenant_id: str, environ: Mapping[str, str] | None = None) -> None:
        self._env = os.environ if environ is None else environ
        self._prefix = variable(provider, tenant_id)

    def need(self, part: str) -> str:
        """The part.

        Raises:
            TaxError: it is not set.
        """
        value = self._env.get(self._prefix + part)
        if not value:
            raise TaxError(f"{self._prefix}{part} is not set. Put it into the environment of this command.")
        return value

    def url(self, default: str) -> str:
        """The address of the service.

        Raises:
            TaxError: the key would go there in the clear.
        """
        url = (self._env.get(f"{self._prefix}URL") or default).rstrip("/")
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise TaxError(f"{self._prefix}URL must begin with https://; the key would go in the clear.")
        return url

    def seconds(self, default: float = 30.0) -> float:
        """How long an answer is waited for.

        Raises:
            TaxError: it is no number of seconds.
        """
        text = self._env.get(f"{self._prefix}TIMEOUT")
        try:
            seconds = float(text) if text else default
        except ValueError:
            seconds = 0
        if not 0 < seconds < 600:
            raise TaxError(f"{self._prefix}TIMEOUT is {text!r}; set it to seconds, as in 30.")
        return seconds


def exact(value: Any) -> Decimal:
    """A number of a request or an answer; requests write theirs as text, answers are read without floats."""
    return Decimal(str(value if value is not None else 0))
