"""The front door as a process of its own, and a sender that talks HTTP to it."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.conftest import ROOT

TOKEN, STRIPE_SECRET = "tok_1", "whsec_1"
SECRETS = {
    "RATEHOUSE_COLLECTOR_ACME_TOKEN": f"{TOKEN},tok_2",
    "RATEHOUSE_STRIPE_ACME_WEBHOOK_SECRET": f"whsec_before,{STRIPE_SECRET}",
    "RATEHOUSE_BRAINTREE_ACME_MERCHANT_ID": "m1",
    "RATEHOUSE_BRAINTREE_ACME_PUBLIC_KEY": "public",
    "RATEHOUSE_BRAINTREE_ACME_PRIVATE_KEY": "private",
}
START_SECONDS = 120.0


class FrontDoor:
    """`ratehouse serve` in a home of its own, with the tenants acme (all secrets set) and bare (none)."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for tenant in ("acme", "bare"):
            folder = home / "tenants" / tenant
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "tenant.yaml").write_text(f"tenant: {tenant}\ncurrency: EUR\ntimezone: UTC\n")
        self.log = home / "log"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it and wait until it is well."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ratehouse.cli", "serve", "--port", str(self.port)],
                cwd=ROOT,
                env={
                    "PATH": os.environ.get("PATH", ""),
                    "PYTHONPATH": str(ROOT),
                    "RATEHOUSE_HOME": str(self.home),
                    **SECRETS,
                },
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                assert self.get("/health")[0] == 200
                return self.process
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.2)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Stop it; the exit code."""
        self.process.send_signal(number)
        return self.process.wait(60)

    @property
    def lake(self) -> Lake:
        return Lake(Settings.load(self.home, environ={}).lake_url)

    def landed(self, stream: str) -> list[dict[str, Any]]:
        table = self.lake.read(f"raw/{stream}")
        return [] if table is None else table.to_pylist()

    def get(self, path: str) -> tuple[int, Any]:
        return self.ask("GET", path)

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """One request; the status, and the answer as JSON where it is some."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return answer.status, json.loads(text) if text.startswith("{") else text

    def send_usage(
        self, body: Any, *, tenant: str = "acme", token: str = TOKEN, media_type: str = "application/json"
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {token}", "Content-Type": media_type}
        return self.ask("POST", f"/v1/usage/{tenant}", data, headers)

    def notify_stripe(
        self, payload: Any, *, tenant: str = "acme", secret: str = STRIPE_SECRET, at: int | None = None
    ) -> tuple[int, Any]:
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        stamp = int(time.time()) if at is None else at
        digest = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {"Stripe-Signature": f"t={stamp},v1={digest}"}
        return self.ask("POST", f"/webhooks/stripe/{tenant}", body, headers)
