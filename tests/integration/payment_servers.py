"""Payment gateways on loopback for tests: localstripe, a proxy before it that does what networks do, and a small Braintree.

localstripe lacks some of Stripe's reference, which the proxy makes up for: it knows neither `automatic_payment_methods`
nor `off_session` when an intent is confirmed, and it does not answer a repeated `Idempotency-Key` as it answered the
first time. The last can be left out, to see what holds without it.
"""

from __future__ import annotations

import asyncio
import http.client
import re
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.sax.saxutils import escape

from aiohttp import web
from braintree.util.xml_util import XmlUtil

Reply = tuple[int, bytes, str]
# What can happen to a request: nothing, its answer is lost, it is lost itself, the server fails before or after it
# carried it out, the network repeats it, half of the answer arrives.
MOODS = ("ok", "lost", "cut", "cut_after", "500", "500_after", "twice", "garbled")
LATE = 0.6  # seconds after which a lost answer's connection is closed; longer than the clients wait


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing: what a server prints is no part of a test."""

    def read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def reply(self, reply: Reply) -> None:
        status, body, kind = reply
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def cut(self) -> None:
        """Reset the connection instead of answering."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what the tests are about."""


class Unreliable(ABC):
    """A server whose answers can be spoilt: `moods[kind]` is what happens to the next requests of a kind, in order."""

    def __init__(self) -> None:
        self.moods: dict[str, list[str]] = {}
        self.seen: Counter[str] = Counter()
        self._lock = threading.Lock()
        outer = self

        class Handler(_Quiet):
            def handle_one(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = handle_one

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @abstractmethod
    def kind(self, method: str, path: str) -> str:
        """What `moods` and `seen` call such a request."""

    @abstractmethod
    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        """Do what is asked for, once."""

    def _handle(self, handler: _Quiet) -> None:
        body = handler.read()
        kind = self.kind(handler.command, handler.path.split("?")[0])
        with self._lock:
            self.seen[kind] += 1
            waiting = self.moods.get(kind) or ["ok"]
            mood = waiting.pop(0) if len(waiting) > 1 or waiting[0] != "always down" else "500"
        if mood == "500":
            handler.reply((500, b'{"error": {"message": "oops", "type": "api_error"}}', "application/json"))
            return
        if mood == "cut":
            handler.cut()
            return
        reply = self.carry_out(handler, body)
        if mood == "twice":
            reply = self.carry_out(handler, body)
        if mood == "lost":
            threading.Event().wait(LATE)
            handler.cut()
        elif mood == "cut_after":
            handler.cut()
        elif mood == "garbled":
            status, whole, form = reply
            handler.reply((status, whole[: len(whole) // 2], form))
        elif mood == "500_after":
            handler.reply((500, b"", "application/json"))
        else:
            handler.reply(reply)


class StripeProxy(Unreliable):
    """Between the client and localstripe."""

    def __init__(self, port: int, *, idempotent: bool = True) -> None:
        self._port, self._idempotent = port, idempotent
        self.answers: dict[str, Reply] = {}
        self.bodies: list[tuple[str, bytes]] = []
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        for name, pattern in (
            ("confirm", r"POST /v1/payment_intents/\w+/confirm"),
            ("cancel", r"POST /v1/payment_intents/\w+/cancel"),
            ("create", r"POST /v1/payment_intents"),
            ("retrieve", r"GET /v1/payment_intents/\w+"),
            ("refund", r"POST /v1/refunds"),
            ("refunds", r"GET /v1/refunds"),
        ):
            if re.fullmatch(pattern, f"{method} {path}"):
                return name
        return "other"

    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        key = handler.headers.get("Idempotency-Key")
        if self._idempotent and key in self.answers:
            return self.answers[key]
        self.bodies.append((handler.path, body))
        form = [
            (name, value)
            for name, value in parse_qsl(body.decode())
            if name != "off_session" and not name.startswith("automatic_payment_methods")
        ]
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request(
            handler.command,
            handler.path,
            urlencode(form),
            {
                "Authorization": handler.headers["Authorization"],
                "Content-Type": "application/x-www-form-urlencoded",
            },
        )
        answer = connection.getresponse()
        reply = (answer.status, answer.read(), "application/json")
        connection.close()
        if self._idempotent and key:
            self.answers[key] = reply
        return reply


class LocalStripe:
    """localstripe in this process, on a free port, with what it holds open to the test."""

    def __init__(self) -> None:
        from localstripe import resources
        from localstripe.server import app

        resources.Store.dump_to_disk = lambda self: None
        self._resources = resources
        self._loop = asyncio.new_event_loop()
        self._runner = web.AppRunner(app, access_log=None)
        started = threading.Event()

        def serve() -> None:
            asyncio.set_event_loop(self._loop)
            self._loop.run_until_complete(self._runner.setup())
            site = web.TCPSite(self._runner, "127.0.0.1", 0)
            self._loop.run_until_complete(site.start())
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            started.set()
            self._loop.run_forever()

        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        assert started.wait(10)

    def close(self) -> None:
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def card(self, number: str) -> dict[str, str]:
        """A customer with a stored card, as a customer row names it."""
        customer = self._resources.Customer(name="somebody")
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        method = self._resources.PaymentMethod(type="card", card=card)
        method.customer = customer.id
        return {"gateway": "stripe", "customer_id": customer.id, "method_id": method.id}

    def forget_payments(self) -> None:
        for key in [
            k for k in self._resources.store if k.split(":")[0] in ("payment_intent", "charge", "refund")
        ]:
            dict.__delitem__(self._resources.store, key)

    def objects(self, kind: str) -> list[Any]:
        return [thing for key, thing in list(self._resources.store.items()) if key.startswith(kind + ":")]

    def charged(self) -> dict[str, list[int]]:
        """The amounts of successful charges by the invoice they are for."""
        invoices = {intent.id: intent.metadata["invoice_id"] for intent in self.objects("payment_intent")}
        found: dict[str, list[int]] = {}
        for charge in self.objects("charge"):
            if charge.status == "succeeded":
                found.setdefault(invoices[charge.payment_intent], []).append(charge.amount)
        return found

    def tried(self) -> Counter[str]:
        """Charges of any status by the action's key."""
        keys = {intent.id: intent.metadata["idempotency_key"] for intent in self.objects("payment_intent")}
        return Counter(keys[charge.payment_intent] for charge in self.objects("charge"))


class Braintree(Unreliable):
    """As much of Braintree as charging needs, in the XML of its reference; `decline` holds tokens whose sales are declined."""

    def __init__(self) -> None:
        self.transactions: list[dict[str, str]] = []
        self.decline: dict[str, tuple[str, str]] = {}
        self.hide: set[str] = set()
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        return {"transactions": "sale", "refund": "refund"}.get(path.rsplit("/", 1)[1], "search")

    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        stated: Any = XmlUtil.dict_from_xml(body.decode())
        path = handler.path
        if path.endswith("/advanced_search_ids"):
            order_id = stated["search"]["order_id"]["is"]
            ids = [
                t["id"] for t in self.transactions if t["order-id"] == order_id and order_id not in self.hide
            ]
            items = "".join(f"<item>{found}</item>" for found in ids)
            return self._xml(
                f'<search-results><page-size type="integer">50</page-size><ids type="array">{items}</ids></search-results>'
            )
        if path.endswith("/advanced_search"):
            ids = stated["search"]["ids"]
            found = "".join(self._transaction(t) for t in self.transactions if t["id"] in ids)
            return self._xml(
                f'<credit-card-transactions type="collection">{found}</credit-card-transactions>'
            )
        wanted = stated["transaction"]
        made = {
            "id": f"bt{len(self.transactions) + 1}",
            "type": "credit" if path.endswith("/refund") else "sale",
            "status": "submitted_for_settlement",
            "amount": wanted["amount"],
            "order-id": wanted["order_id"],
            "api-request-key": wanted["api_request_key"],
            "merchant-account-id": wanted.get("merchant_account_id") or "",
            "processor-response-code": "1000",
            "processor-response-text": "Approved",
            "processor-response-type": "approved",
        }
        self.transactions.append(made)
        refusal = self.decline.get(wanted.get("payment_method_token") or "")
        if refusal is None:
            return self._xml(self._transaction(made), 201)
        code, kind = refusal
        made |= {
            "status": "processor_declined",
            "processor-response-code": code,
            "processor-response-text": "Do Not Honor",
            "processor-response-type": kind,
        }
        return self._xml(
            '<api-error-response><errors><errors type="array"/></errors><message>Do Not Honor</message>'
            f"{self._transaction(made)}</api-error-response>",
            422,
        )

    def money(self, kind: str = "sale") -> dict[str, list[str]]:
        """The amounts that moved, by order id."""
        found: dict[str, list[str]] = {}
        for transaction in self.transactions:
            if transaction["type"] == kind and transaction["status"] != "processor_declined":
                found.setdefault(transaction["order-id"], []).append(transaction["amount"])
        return found

    @staticmethod
    def _transaction(transaction: dict[str, str]) -> str:
        fields = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in transaction.items())
        return (
            f'<transaction>{fields}<currency-iso-code>USD</currency-iso-code><gateway-rejection-reason nil="true"/>'
            "<credit-card><card-type>Visa</card-type><last-4>1111</last-4></credit-card></transaction>"
        )

    @staticmethod
    def _xml(body: str, status: int = 200) -> Reply:
        return status, f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'.encode(), "application/xml"


@contextmanager
def closing(server: Any) -> Iterator[Any]:
    """The server, closed at the end."""
    try:
        yield server
    finally:
        server.close()
