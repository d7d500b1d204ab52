"""A small company of two tenants in a home of its own, and the command line run on it as a person would.

Belongs here: facts, processes and the comparison of ledgers and marts that several tests of this folder use.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from ratehouse import ledger
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.conftest import ROOT

START = datetime(2026, 1, 1, tzinfo=UTC)
TENANTS = ("alpha", "beta")
CUSTOMERS = 8  # of each tenant
EVENTS = 2_500  # of each tenant, over sixty days
TIMEOUT = 300.0

# One plan of a fee in advance and calls, for stories told month by month.
FEE_AND_CALLS = """
price_book: "1"
effective_from: 2026-01-01
currency: USD
meters:
  calls: {event_type: call, aggregation: sum}
plans:
  basic:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "10.00"}
      calls: {type: usage, meter: calls, model: per_unit, unit_price: "0.01"}
"""

BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: USD
meters:
  api: {event_type: api, aggregation: sum}
  users: {event_type: login, aggregation: unique_count, property: user}
plans:
  team:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "99.00"}
      seats: {type: recurring, timing: arrears, quantity: seats, model: per_unit, unit_price: "7.33"}
      api:
        type: usage
        meter: api
        model: graduated
        tiers: [{up_to: "100", unit_price: "0.0123"}, {up_to: null, unit_price: "0.0071"}]
      users: {type: usage, meter: users, model: per_unit, unit_price: "1.5"}
"""


@dataclass(frozen=True)
class Installation:
    """One home."""

    home: Path

    @property
    def settings(self) -> Settings:
        return Settings.load(self.home, environ={})

    @property
    def lake(self) -> Lake:
        return Lake(self.settings.lake_url)

    def start(
        self,
        *arguments: str | Path,
        fault: str | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> subprocess.Popen[str]:
        """Start `ratehouse …` as a process group of its own.

        Args:
            arguments: of the command line.
            fault: see `faults`.
            prepare: called in the new process before the program starts.
        """
        command = [sys.executable, "-m", "ratehouse.cli"]
        if fault:
            command = [sys.executable, "-m", "tests.reliability.faults", fault]
        return subprocess.Popen(
            [*command, *map(str, arguments)],
            cwd=ROOT,
            env={
                "PATH": os.environ.get("PATH", ""),
                "PYTHONPATH": str(ROOT),
                "RATEHOUSE_HOME": str(self.home),
                "COLUMNS": "300",
            },
            preexec_fn=prepare,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run `ratehouse …` to its end."""
        process = self.start(*arguments, **options)
        out, err = process.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def add_tenant(self, name: str, book: str = BOOK, settings: str = "") -> Path:
        """Write `tenants/<name>/`; returns the folder."""
        folder = self.settings.tenants_dir / name
        (folder / "price_books").mkdir(parents=True)
        (folder / "tenant.yaml").write_text(f"tenant: {name}\nname: {name.title()} Inc.\n{settings}")
        (folder / "price_books" / "1.yaml").write_text(book)
        return folder

    def land(self, tenant: str, **streams: list[dict[str, Any]]) -> None:
        """Land facts, each recorded when it happened unless it says otherwise."""
        for stream, rows in streams.items():
            known = [{"recorded_at": row.get("effective_at", row.get("occurred_at")), **row} for row in rows]
            landed = land(
                self.lake,
                stream,
                known,
                tenant_id=tenant,
                source="test",
                batch_id=f"{tenant}-facts",
                received_at=START,
            )
            assert not landed.rejected, landed

    def ledger(self) -> dict[str, list[dict[str, Any]]]:
        """The rows of every committed run, in a fixed order."""
        lake = self.lake
        return {
            relation: sorted((row for file in files for row in lake.read_file(file).to_pylist()), key=repr)
            for relation, files in ledger.ledger_files(lake).items()
        }

    def files(self, *below: str) -> dict[str, bytes]:
        """Every file under these folders of the home, with its content."""
        return {
            str(path.relative_to(self.home)): path.read_bytes()
            for folder in below
            for path in sorted((self.home / folder).rglob("*"))
            if path.is_file()
        }

    def marts(self) -> dict[str, tuple[int, int]]:
        """For each published mart its rows and a hash of them that does not depend on their order."""
        with duckdb.connect(str(self.settings.serving_path), read_only=True) as serving:
            serving.execute("set TimeZone = 'UTC'")
            names = serving.execute(
                "select table_name from information_schema.tables where table_schema = 'marts' order by all"
            ).fetchall()
            return {
                name: serving.execute(
                    f"select count(*), coalesce(sum(cast(hash(mart) as hugeint)), 0) from marts.{name} mart"
                ).fetchall()[0]
                for (name,) in names
            }

    def readable(self) -> int:
        """Open what a page would open and check that its documents are whole; returns how many there are."""
        if not self.settings.serving_path.exists():
            return 0
        with duckdb.connect(str(self.settings.serving_path), read_only=True) as serving:
            ((documents, broken),) = serving.execute(
                """
                with lines as (
                    select tenant_id, invoice_id, sum(amount) as amount from marts.invoice_lines group by all
                )
                select count(*), count(*) filter (where lines.amount is distinct from invoices.total)
                from marts.invoices left join lines using (tenant_id, invoice_id)
                """
            ).fetchall()
            serving.execute("select count(*) from marts.usage_events").fetchall()
        assert not broken, f"{broken} of {documents} published documents are not the sum of their lines"
        return int(documents)


def company(home: Path) -> Installation:
    """The two tenants with all their facts in the lake and nothing billed."""
    installation = Installation(home)
    dice = random.Random(7)
    for tenant in TENANTS:
        installation.add_tenant(tenant, BOOK)
        starts = {f"c{n}": START + timedelta(days=dice.randrange(20)) for n in range(CUSTOMERS)}
        installation.land(
            tenant,
            customers=[
                {"customer_id": customer, "effective_at": START, "name": f"Customer {customer}"}
                for customer in starts
            ],
            subscription_events=[
                {
                    "event_id": f"created-{customer}",
                    "subscription_id": f"sub-{customer}",
                    "customer_id": customer,
                    "type": "created",
                    "effective_at": at,
                    "data": {"plan": "team", "quantities": {"seats": str(dice.randrange(1, 9))}},
                }
                for customer, at in starts.items()
            ],
            usage_events=[
                {
                    "event_id": f"e{number}",
                    "customer_id": f"c{dice.randrange(CUSTOMERS)}",
                    "event_type": dice.choice(["api", "login"]),
                    "occurred_at": START + timedelta(minutes=dice.randrange(60 * 24 * 60)),
                    "quantity": str(dice.randrange(1, 50)),
                    "properties": {"user": f"u{dice.randrange(30)}"},
                }
                for number in range(EVENTS)
            ],
        )
    return installation
