"""Speaking to accounting systems: post one entry, find it again, take it back.

Belongs here: addresses, headers, keys and answers of QuickBooks Online, Xero and NetSuite. Does not belong here: what an
entry says (`targets`), when it is tried and what is remembered of it (`push`, `outbox`). Tokens come from the environment,
are never logged and go over TLS only.
"""

from __future__ import annotations

import os
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from deliver.accounting.journal import AccountingError
from deliver.http import LOOPBACK, Answer, Endpoint, Http, NotTaken, Refused, Unanswered
from ratehouse.secrets import variable


class Connection(Protocol):
    """One accounting system, for one tenant."""

    def post(self, payload: Mapping[str, Any], *, key: str, number: str) -> str:
        """Post one entry; the same key posts it once. Returns the system's id of it.

        Raises:
            Refused, NotTaken, Unanswered: what became of it.
        """

    def find(self, number: str) -> str | None:
        """The system's id of the posted entry with this number of ours, None if there is none."""

    def void(self, external_id: str, *, key: str) -> None:
        """Take a posted entry back."""


@dataclass(frozen=True)
class Access:
    """Where a tenant's books are and with which right; from the environment only.

    Attributes:
        target: the system.
        tenant_id: whose books.
        url: the address, without a path.
        token: the bearer token.
        company: QuickBooks' realm id, or Xero's tenant id.
        timeout: seconds to wait for an answer.
    """

    target: str
    tenant_id: str
    url: str
    token: str = field(repr=False)
    company: str = ""
    timeout: float = 30.0

    @classmethod
    def load(cls, target: str, tenant_id: str, *, environ: Mapping[str, str] | None = None) -> Access:
        """Read RATEHOUSE_<TARGET>_<TENANT>_TOKEN, _COMPANY, _URL and _TIMEOUT, as in RATEHOUSE_XERO_ACME_TOKEN.

        The tenant's name is always in them: the journal of one seller never goes to the books of another.

        Raises:
            AccountingError: one is missing, or cannot be used as it is.
        """
        env = os.environ if environ is None else environ
        prefix = variable(target, tenant_id)
        url = (env.get(f"{prefix}URL") or _URLS.get(target, "")).rstrip("/")
        values = {"TOKEN": env.get(f"{prefix}TOKEN"), "URL": url}
        if target != "netsuite":
            values["COMPANY"] = env.get(f"{prefix}COMPANY")
        missing = [prefix + name for name, value in values.items() if not value]
        if missing:
            raise AccountingError(f"Set {' and '.join(missing)} to post to the {target} of {tenant_id}.")
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise AccountingError(f"{prefix}URL must begin with https://; the token would go in the clear.")
        try:
            timeout = float(env.get(f"{prefix}TIMEOUT") or 30)
        except ValueError as error:
            raise AccountingError(f"{prefix}TIMEOUT is a number of seconds: {error}.") from error
        return cls(target, tenant_id, url, values["TOKEN"] or "", values.get("COMPANY") or "", timeout)

    @property
    def endpoint(self) -> Endpoint:
        """Where requests go."""
        return Endpoint(self.target, self.url, {"Authorization": f"Bearer {self.token}"}, self.timeout)


_URLS = {"quickbooks": "https://quickbooks.api.intuit.com", "xero": "https://api.xero.com"}


class QuickBooks:
    """QuickBooks Online. `requestid` makes a request count once; the document number finds it later."""

    def __init__(self, access: Access, wait: Callable[[float], None] = time.sleep) -> None:
        self.http = Http(access.endpoint, wait)
        self.path = f"/v3/company/{urllib.parse.quote(access.company, safe='')}"

    def post(self, payload: Mapping[str, Any], *, key: str, number: str) -> str:
        """As `Connection`; an entry that is there under our number already is that entry."""
        try:
            answer = self.http.send(
                "POST", f"{self.path}/journalentry", query={"requestid": key}, body=payload
            )
        except Refused as refusal:
            if "6140" in str(refusal) and (found := look_up(self, number)):
                return found
            raise
        return _id(answer, "JournalEntry", "Id")

    def find(self, number: str) -> str | None:
        """As `Connection`."""
        query = f"select Id, SyncToken from JournalEntry where DocNumber = '{number}'"
        answer = self.http.send("GET", f"{self.path}/query", query={"query": query})
        found = (_dig(answer.body, "QueryResponse") or {}).get("JournalEntry") or []
        return str(found[0]["Id"]) if found else None

    def void(self, external_id: str, *, key: str) -> None:
        """As `Connection`: QuickBooks deletes journal entries, it cannot void them."""
        read = self.http.send("GET", f"{self.path}/journalentry/{urllib.parse.quote(external_id, safe='')}")
        body = {"Id": external_id, "SyncToken": str(_dig(read.body, "JournalEntry", "SyncToken"))}
        query = {"operation": "delete", "requestid": key}
        self.http.send("POST", f"{self.path}/journalentry", query=query, body=body)


class Xero:
    """Xero. `Idempotency-Key` makes a request count once for some minutes; the number in the narration finds it later."""

    def __init__(self, access: Access, wait: Callable[[float], None] = time.sleep) -> None:
        self.http = Http(access.endpoint, wait)
        self.headers = {"Xero-Tenant-Id": access.company}

    def post(self, payload: Mapping[str, Any], *, key: str, number: str) -> str:
        """As `Connection`."""
        answer = self._send("POST", key, {"ManualJournals": [payload]}, {"summarizeErrors": "true"})
        return _id(answer, "ManualJournals", "ManualJournalID")

    def find(self, number: str) -> str | None:
        """As `Connection`."""
        where = f'Status=="POSTED" AND Narration.Contains("[{number}]")'
        answer = self.http.send(
            "GET", "/api.xro/2.0/ManualJournals", query={"where": where}, headers=self.headers
        )
        found = _dig(answer.body, "ManualJournals") or []
        return str(found[0]["ManualJournalID"]) if found else None

    def void(self, external_id: str, *, key: str) -> None:
        """As `Connection`."""
        self._send("POST", key, {"ManualJournals": [{"ManualJournalID": external_id, "Status": "VOIDED"}]})

    def _send(self, method: str, key: str, body: Any, query: Mapping[str, str] | None = None) -> Answer:
        headers = {**self.headers, "Idempotency-Key": key}
        return self.http.send(method, "/api.xro/2.0/ManualJournals", query=query, body=body, headers=headers)


class NetSuite:
    """NetSuite. An entry is put under its external id, so that putting it again changes nothing."""

    def __init__(self, access: Access, wait: Callable[[float], None] = time.sleep) -> None:
        self.http = Http(access.endpoint, wait)
        self.tenant_id = access.tenant_id

    def post(self, payload: Mapping[str, Any], *, key: str, number: str) -> str:
        """As `Connection`; its id is read back, which the answer to a put does not always name."""
        # Lines that are there already are replaced, not added to.
        self.http.send("PUT", self._path(number), query={"replace": "line"}, body=payload)
        found = look_up(self, number)
        if found is None:
            raise Unanswered(f"the entry was taken but cannot be read at {self._path(number)}")
        return found

    def find(self, number: str) -> str | None:
        """As `Connection`."""
        answer = self.http.send("GET", self._path(number), accept=(404,))
        return None if answer.status == 404 else str(_dig(answer.body, "id") or "") or None

    def void(self, external_id: str, *, key: str) -> None:
        """As `Connection`: NetSuite deletes it."""
        path = f"/services/rest/record/v1/journalEntry/{urllib.parse.quote(external_id, safe='')}"
        self.http.send("DELETE", path, accept=(404,))

    def _path(self, number: str) -> str:
        external_id = urllib.parse.quote(f"{self.tenant_id}-{number}", safe="")
        return f"/services/rest/record/v1/journalEntry/eid:{external_id}"


CONNECTIONS: dict[str, Callable[..., Connection]] = {
    "quickbooks": QuickBooks,
    "xero": Xero,
    "netsuite": NetSuite,
}


def look_up(connection: Connection, number: str) -> str | None:
    """Find an entry that may be posted; not being able to look says nothing about it.

    Raises:
        Unanswered: it is still unknown.
    """
    try:
        return connection.find(number)
    except (Refused, NotTaken) as error:
        raise Unanswered(f"it cannot be looked up: {error}") from error


def connect(target: str, tenant_id: str, *, wait: Callable[[float], None] = time.sleep) -> Connection:
    """The books of a tenant in a system, with the access that the environment gives.

    Raises:
        AccountingError: there is no such system, or no access to it.
    """
    if target not in CONNECTIONS:
        raise AccountingError(f"There is no target {target}; use one of {', '.join(CONNECTIONS)}.")
    return CONNECTIONS[target](Access.load(target, tenant_id), wait)


def _dig(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, dict) else None
    return body


def _id(answer: Answer, relation: str, name: str) -> str:
    found = _dig(answer.body, relation)
    found = found[0] if isinstance(found, list) and found else found
    if not isinstance(found, dict) or not found.get(name):
        raise Unanswered(f"the answer names no {name}")
    return str(found[name])
