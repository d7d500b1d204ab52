"""Accounting systems on loopback for tests: they keep books in the documented shapes, and fail as such systems do."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "s3cret-token"
Answer = tuple[int, dict[str, str], Any]


class Books:
    """What a system keeps. `faults` are served first, one a posting: a status, or what happens to the answer."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, Answer] = {}
        self.faults: list[int | str] = []
        self.unknown_accounts: set[str] = set()
        self.requests: list[str] = []
        self.posted = 0

    def new_id(self) -> str:
        self.posted += 1
        return f"{1000 + self.posted}"

    def once(self, key: str, post: Callable[[], Answer]) -> Answer:
        """The same key gets the same answer and posts once."""
        if key not in self.answers:
            self.answers[key] = post()
        return self.answers[key]


class QuickBooksBooks(Books):
    """QuickBooks Online, company 9."""

    company = "9"

    def handle(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        if path == "/v3/company/9/query":
            number = re.fullmatch(r"select .* from JournalEntry where DocNumber = '(.+)'", query["query"])
            assert number
            found = [e for e in self.entries.values() if e["DocNumber"] == number[1]]
            return 200, {}, {"QueryResponse": {"JournalEntry": found} if found else {}}
        if method == "GET":
            return 200, {}, {"JournalEntry": self.entries[path.rsplit("/", 1)[-1]]}
        assert path == "/v3/company/9/journalentry" and len(query["requestid"]) <= 50
        return self.once(
            query["requestid"], lambda: self._delete(body) if "operation" in query else self._post(body)
        )

    def _post(self, body: Any) -> Answer:
        for other in self.entries.values():
            if other["DocNumber"] == body["DocNumber"]:
                return _fault("Duplicate Document Number Error", "6140")
        lines = [(line["JournalEntryLineDetail"], line["Amount"]) for line in body["Line"]]
        for detail, _ in lines:
            if detail["AccountRef"]["value"] in self.unknown_accounts:
                return _fault("Invalid Reference Id: something has been made inactive", "2500")
        total = sum(amount if detail["PostingType"] == "Debit" else -amount for detail, amount in lines)
        if total or body["CurrencyRef"]["value"] != "USD" or len(body["DocNumber"]) > 21:
            return _fault("A business validation error has occurred", "6000")
        entry = {**body, "Id": self.new_id(), "SyncToken": "0"}
        self.entries[entry["Id"]] = entry
        return 200, {}, {"JournalEntry": entry}

    def _delete(self, body: Any) -> Answer:
        assert self.entries.pop(body["Id"])["SyncToken"] == body["SyncToken"]
        return 200, {}, {"JournalEntry": {"Id": body["Id"], "status": "Deleted"}}


class XeroBooks(Books):
    """Xero."""

    company = "org-1"

    def handle(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        assert path == "/api.xro/2.0/ManualJournals" and headers["Xero-Tenant-Id"] == "org-1"
        if method == "GET":
            words = re.fullmatch(r'Status=="POSTED" AND Narration\.Contains\("(.+)"\)', query["where"])
            assert words
            live = [
                e for e in self.entries.values() if e["Status"] == "POSTED" and words[1] in e["Narration"]
            ]
            return 200, {}, {"ManualJournals": live}
        return self.once(headers["Idempotency-Key"], lambda: self._post(body["ManualJournals"][0]))

    def _post(self, journal: Any) -> Answer:
        if journal["Status"] == "VOIDED":
            self.entries[journal["ManualJournalID"]]["Status"] = "VOIDED"
            return 200, {}, {"ManualJournals": [journal]}
        lines = journal["JournalLines"]
        if sum(line["LineAmount"] for line in lines) or any(
            line["AccountCode"] in self.unknown_accounts for line in lines
        ):
            text = "Account code is not a valid code for this document."
            elements = [{"ValidationErrors": [{"Message": text}]}]
            return 400, {}, {"ErrorNumber": 10, "Type": "ValidationException", "Elements": elements}
        entry = {**journal, "ManualJournalID": self.new_id()}
        self.entries[entry["ManualJournalID"]] = entry
        return 200, {}, {"ManualJournals": [entry]}


class NetSuiteBooks(Books):
    """NetSuite."""

    company = ""

    def handle(self, method: str, path: str, query: dict[str, str], body: Any, headers: Any) -> Answer:
        name = unquote(path.removeprefix("/services/rest/record/v1/journalEntry/"))
        known = {entry["externalId"]: key for key, entry in self.entries.items()}
        key = known.get(name.removeprefix("eid:")) if name.startswith("eid:") else name
        if method == "PUT":
            items = body["line"]["items"]
            if sum(item.get("debit", 0) - item.get("credit", 0) for item in items) or any(
                item["account"]["id"] in self.unknown_accounts for item in items
            ):
                detail = {"detail": "Invalid account reference key.", "o:errorCode": "INVALID_KEY_OR_REF"}
                return 400, {}, {"title": "Bad Request", "status": 400, "o:errorDetails": [detail]}
            key = key or self.new_id()
            self.entries[key] = {**body, "id": key}
            return 204, {}, None
        if key not in self.entries:
            return 404, {}, {"title": "Not Found"}
        if method == "DELETE":
            del self.entries[key]
            return 204, {}, None
        return 200, {}, self.entries[key]


def _fault(text: str, code: str) -> Answer:
    error = {"Message": text, "Detail": text, "code": code}
    return 400, {}, {"Fault": {"Error": [error], "type": "ValidationFault"}}


@contextmanager
def accounting_server(books: Any) -> Iterator[str]:
    """A real HTTP server on loopback; yields its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length), parse_float=Decimal) if length else None
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            books.requests.append(f"{self.command} {url.path}")
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                return self._answer((401, {}, {"title": "AuthenticationFailed"}))
            fault = books.faults.pop(0) if books.faults and self.command in ("POST", "PUT") else None
            if isinstance(fault, int):
                return self._answer(
                    (fault, {"Retry-After": "7"} if fault == 429 else {}, {"message": "busy"})
                )
            if fault == "lost request":
                return self._hang_up()
            answer = books.handle(self.command, url.path, query, body, self.headers)
            if fault == "lost answer":
                return self._hang_up()
            if fault == "late answer":
                time.sleep(1.5)
            self._answer(answer)

        do_GET = do_POST = do_PUT = do_DELETE = _serve

        def _answer(self, answer: Answer) -> None:
            status, headers, body = answer
            content = b"" if body is None else json.dumps(body, default=str).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def _hang_up(self) -> None:
            self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            """Quiet."""

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client did not wait

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
