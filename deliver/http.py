"""Requests to services of others: tried again where that is harmless, and clear about what is certain of one that failed.

Belongs here: the way there. Does not belong here: what a service's addresses and answers are (`accounting.connection`,
`tax.avalara`, `tax.taxjar`, `tax.vies`).
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ratehouse.canonical_json import canonical

TRIES = 4
LONGEST_WAIT = 60.0  # seconds; a service that asks for more is asked again another time
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Refused(Exception):
    """The service looked at the request and did not take it. Nothing of it is done."""


class NotTaken(Exception):
    """The request was not carried out, for certain; others would fare no better now."""


class Unanswered(Exception):
    """The request was sent and no answer came: whether it was carried out is unknown until somebody looks."""


@dataclass(frozen=True)
class Answer:
    """What a service answered; a body that is no JSON is under `text`."""

    status: int
    headers: Mapping[str, str]
    body: Any


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to whoever it names."""

    def redirect_request(self, *arguments: Any) -> None:
        return None


@dataclass(frozen=True)
class Endpoint:
    """A service and with which right it is asked.

    Attributes:
        name: of the service, for messages.
        url: the address, without a path.
        headers: of every request; the right to make it is in them.
        timeout: seconds to wait for an answer.
    """

    name: str
    url: str
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    timeout: float = 30.0


class Http:
    """Requests to one service: waits where it asks to, tries again where it failed, and says what is certain."""

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        self.endpoint, self.wait = endpoint, wait
        context = ssl.create_default_context()
        self.opener = urllib.request.build_opener(
            _NoRedirects(), urllib.request.HTTPSHandler(context=context)
        )

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (),
    ) -> Answer:
        """Make one request, again while the system is busy or failed: the caller's key makes that harmless.

        Args:
            method: of HTTP.
            path: below the address.
            query: its parameters.
            body: sent as JSON.
            headers: besides the endpoint's.
            accept: statuses that are no refusal, such as 404 where that is an answer.
        """
        url = self.endpoint.url + path + ("?" + urllib.parse.urlencode(query) if query else "")
        unanswered = False
        trouble = ""
        for attempt in range(TRIES):
            try:
                answer = self._once(method, url, body, headers or {})
            except Unanswered as error:
                unanswered, trouble, pause = True, str(error), 2.0**attempt
            else:
                trouble = f"{answer.status} {words(answer.body)}"
                if answer.status < 300 or answer.status in accept:
                    return answer
                if answer.status in (401, 403):
                    raise NotTaken(f"{trouble}: check the token of {self.endpoint.name} in the environment")
                if answer.status != 429 and answer.status < 500:
                    raise Refused(trouble)
                unanswered = unanswered or answer.status != 429
                pause = _pause(answer.headers, attempt)
            if pause > LONGEST_WAIT:
                break
            if attempt < TRIES - 1:
                self.wait(pause)
        raise Unanswered(trouble) if unanswered else NotTaken(trouble)

    def _once(self, method: str, url: str, body: Any, headers: Mapping[str, str]) -> Answer:
        request = urllib.request.Request(  # noqa: S310 - endpoints are https or loopback
            url,
            method=method,
            data=None if body is None else canonical(body).encode(),
            headers={
                **self.endpoint.headers,
                "Accept": "application/json",
                **({} if body is None else {"Content-Type": "application/json"}),
                **headers,
            },
        )
        try:
            with self.opener.open(request, timeout=self.endpoint.timeout) as response:
                return Answer(response.status, dict(response.headers), _json(response.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), _json(error.read()))
        except urllib.error.URLError as error:
            if isinstance(error.reason, ConnectionRefusedError | ssl.SSLError) or "getaddrinfo" in repr(
                error.reason
            ):
                raise NotTaken(f"{self.endpoint.url} is out of reach: {error.reason}") from error
            raise Unanswered(str(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise Unanswered(str(error) or type(error).__name__) from error


def _pause(headers: Mapping[str, str], attempt: int) -> float:
    asked = next((value for name, value in headers.items() if name.lower() == "retry-after"), "")
    return float(asked) if asked.isascii() and asked.isdigit() else 2.0**attempt


def _json(content: bytes) -> Any:
    text = content.decode("utf-8", "replace")
    try:
        return json.loads(text, parse_float=Decimal) if text else {}
    except ValueError:
        return {"text": text}


def words(body: Any) -> str:
    """What a service says about a refusal: its messages, wherever its answer has them."""
    found: list[str] = []

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                told = name.lower() in ("message", "detail", "code", "title", "text", "o:errorcode")
                if told and isinstance(part, str | int) and str(part) not in found:
                    found.append(str(part))
                else:
                    collect(part)
        elif isinstance(value, list):
            for part in value:
                collect(part)

    collect(body)
    return "; ".join(found)[:500]
