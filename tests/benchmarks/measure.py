"""Processes under measurement, and whether what they answered is right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Measured:
    """One process from start to end, its children included."""

    wall: float
    cpu: float
    peak_gib: float
    told: dict[str, Any] = field(default_factory=dict)

    def better(self, other: Measured | None) -> Measured:
        """The one that was disturbed less by what else ran on the machine."""
        return self if other is None or self.cpu < other.cpu else other


class Processor:
    """Processor seconds of this process between its first and its last mark. As a callback of a build: those of dbt's models."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def __call__(self, event: Any) -> None:
        if event.info.name in ("NodeStart", "NodeFinished"):
            self.mark()

    def mark(self) -> None:
        self._marks.append(time.process_time())

    @property
    def seconds(self) -> float:
        return self._marks[-1] - self._marks[0]


class Failed(Exception):
    """The process did not end well; the message is the end of what it said."""


def process(*arguments: str, environ: Mapping[str, str] | None = None) -> Measured:
    """Run `python -m …` and measure it.

    Raises:
        Failed: it ended with an error.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        # The settings of whoever starts the benchmark are not part of it.
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("RATEHOUSE_")}
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            stdout=out,
            stderr=err,
            env={**inherited, **(environ or {})},
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        said = out.read().decode(errors="replace").strip().splitlines()
        if child.returncode:
            raise Failed((err.read().decode(errors="replace").strip() or "\n".join(said))[-2000:])
    told = json.loads(said[-1]) if said and said[-1].startswith("{") else {}
    return Measured(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024**2, told)


def wrong(answer: Path, truth: Path, *, only: str | None = None) -> str | None:
    """What is wrong with a peer's totals; None if every one of them is exact.

    Args:
        answer: Parquet with tenant_id, customer_id, event_type, month, events, total.
        truth: Parquet with the same keys, events and units (of 0.0001).
        only: judge this event type alone.
    """
    where = f"where event_type = '{only}'" if only else ""
    with duckdb.connect() as connection:
        ((rows, differing),) = connection.execute(
            f"""
            select count(*), count(*) filter (
                where answer.events is distinct from truth.events
                or cast(answer.total as decimal(38, 10)) is distinct from cast(truth.units as decimal(28, 10)) * 0.0001
            )
            from (from '{truth}' {where}) as truth
            full outer join (select * replace (cast(month as date) as month) from '{answer}') as answer
                using (tenant_id, customer_id, event_type, month)
            """
        ).fetchall()
    return f"{differing} of {rows} totals are wrong" if differing else None
