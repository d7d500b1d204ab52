"""VIES, the register of VAT numbers of the EU: is a business registered now? And whether a number can be one at all.

VIES asks the register of the member state, which is often away. That is no answer about the number.
"""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from stdnum.eu import vat

from deliver.http import LOOPBACK, Endpoint, Http, NotTaken, Refused, Unanswered
from deliver.tax.provider import TaxError

URL = "https://ec.europa.eu/taxation_customs/vies/rest-api"


@dataclass(frozen=True)
class Check:
    """What is known about a number now.

    Attributes:
        status: valid, invalid, malformed (it can be none; nobody was asked) or unavailable (no answer).
        response: what VIES said, to the letter.
        detail: the words to it, for a person.
        is_of_service: whether VIES itself is away, and not one member state.
    """

    status: Literal["valid", "invalid", "malformed", "unavailable"]
    response: Any = None
    detail: str | None = None
    is_of_service: bool = False


class Vies:
    """The service; RATEHOUSE_VIES_URL is another address of it, RATEHOUSE_VIES_TIMEOUT seconds (10). It asks for no key."""

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        self._http = Http(endpoint, wait)

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, wait: Callable[[float], None] = time.sleep
    ) -> Vies:
        """The service that the environment names.

        Raises:
            TaxError: an answer from there could be anybody's.
        """
        env = os.environ if environ is None else environ
        url = (env.get("RATEHOUSE_VIES_URL") or URL).rstrip("/")
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            raise TaxError("RATEHOUSE_VIES_URL must begin with https://.")
        text = env.get("RATEHOUSE_VIES_TIMEOUT") or "10"
        try:
            timeout = float(text)
        except ValueError as error:
            raise TaxError(f"RATEHOUSE_VIES_TIMEOUT is a number of seconds: {error}.") from error
        return cls(Endpoint("vies", url, timeout=timeout), wait)

    def check(self, tax_id: str) -> Check:
        """Ask about a number with its country in front, as in DE136695976."""
        # The register writes Greece EL.
        if not vat.is_valid(tax_id):
            return Check("malformed", detail="its country, digits or check digit are wrong")
        country, number = tax_id[:2], urllib.parse.quote(tax_id[2:], safe="")
        try:
            body = self._http.send("GET", f"/ms/{country}/vat/{number}").body
        except (NotTaken, Refused, Unanswered) as error:
            return Check("unavailable", detail=str(error), is_of_service=True)
        said = body.get("isValid", body.get("valid")) if isinstance(body, dict) else None
        word = str(body.get("userError") or "") if isinstance(body, dict) else ""
        if said is True:
            return Check("valid", body)
        if said is False and word in ("", "INVALID"):
            return Check("invalid", body, "not registered")
        return Check("unavailable", body, word or "the answer does not say")
