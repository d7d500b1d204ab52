"""The nightly run: killed anywhere, started twice at once, started again, rebuilt from nothing."""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import duckdb
import pytest

from tests.reliability.conftest import NIGHTS
from tests.reliability.installation import CUSTOMERS, TENANTS, TIMEOUT, Installation, company

pytestmark = pytest.mark.xdist_group("reliability")

LEDGER = "data/lake/ledger"
# What a run has issued is visible from here on.
COMMITTED = "after ratehouse.lake:Lake.write ledger/runs"
# Where a run is killed once it has reached that point, in the order of the run.
POINTS = (
    "before dbt.adapters.sql.connections:SQLConnectionManager.add_query int_metering__made_days",
    "after ratehouse.lake:Lake.write ledger/invoices",
    COMMITTED,
    "before os:replace serving",
    "before deliver.documents.store:render_many",
)
RANDOM_KILLS = 10
DOCUMENTS = len(TENANTS) * CUSTOMERS  # of a night


def night(number: int) -> tuple[str, ...]:
    return ("run", "--date", NIGHTS[number].isoformat(), "--known-at-the-time")


def kill_after(process: subprocess.Popen[str], seconds: float, installation: Installation) -> None:
    """Let it work for so long, reading what is published meanwhile, then `kill -9` it and its children."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        installation.readable()
        time.sleep(min(0.5, max(0.0, end - time.monotonic())))
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=TIMEOUT)


def check_nothing_is_half_visible(installation: Installation, undisturbed: Installation) -> None:
    """What is visible is whole, and is what an undisturbed run would have issued."""
    installation.readable()
    truth = undisturbed.ledger()
    for relation, rows in installation.ledger().items():
        assert not [row for row in rows if row not in truth[relation]], relation
    if installation.settings.serving_path.exists():
        with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
            published = {key for (key,) in serving.execute("select run_key from marts.invoices").fetchall()}
        assert published <= {row["run_key"] for row in installation.ledger()["runs"]}


def test_killed_anywhere_it_bills_the_same(undisturbed: Installation, tmp_path: Path) -> None:
    installation = company(tmp_path)

    for fault in POINTS:
        process = installation.start(*night(0), fault=fault)
        out, err = process.communicate(timeout=TIMEOUT)
        assert process.returncode == -signal.SIGKILL, f"{fault} was not reached:\n{out}{err}"
        check_nothing_is_half_visible(installation, undisturbed)
        committed = POINTS.index(fault) >= POINTS.index(COMMITTED)
        assert len(installation.ledger()["invoices"]) == (DOCUMENTS if committed else 0)
    began = time.monotonic()
    done = installation.run(*night(0))
    duration = time.monotonic() - began
    assert done.returncode == 0, done.stderr

    dice = random.Random(11)
    for step in range(RANDOM_KILLS):
        process = installation.start(*night(1))
        kill_after(process, (step + dice.random()) / RANDOM_KILLS * duration, installation)
        check_nothing_is_half_visible(installation, undisturbed)
    done = installation.run(*night(1))
    assert done.returncode == 0, done.stderr

    assert installation.ledger() == undisturbed.ledger()
    assert installation.marts() == undisturbed.marts()
    served = installation.settings.serving_dir
    assert {path.name for path in served.iterdir()} == {"current.duckdb", "publishes"}
    assert not list(installation.settings.publishes_dir.glob(".*"))


def test_everything_comes_back_from_the_lake(billed: Installation) -> None:
    first = min(billed.ledger()["runs"], key=lambda run: run["billing_as_of"])
    every_document = ("invoice", "pdf", "--all-since", first["run_key"])
    assert billed.run(*every_document).returncode == 0
    marts, documents, lake = billed.marts(), billed.files("data/documents"), billed.files(LEDGER)
    assert len(documents) == 2 * len(NIGHTS) * DOCUMENTS  # a key beside each
    for built in ("warehouse", "serving", "documents"):
        shutil.rmtree(billed.home / "data" / built)

    done = billed.run(*night(1))
    assert done.returncode == 0 and "nothing was due" in done.stdout, done.stdout + done.stderr
    assert billed.run(*every_document).returncode == 0

    assert billed.marts() == marts
    assert billed.files("data/documents") == documents
    # a second run issues nothing, and touches no file of the ledger
    assert billed.files(LEDGER) == lake


def test_two_at_once_bill_once(undisturbed: Installation, tmp_path: Path) -> None:
    fresh = company(tmp_path)
    both = [fresh.start(*night(0)), fresh.start(*night(0))]
    results = [process.communicate(timeout=TIMEOUT) for process in both]
    assert [process.returncode for process in both] == [0, 0], results
    documents, lines = (len(fresh.ledger()[relation]) for relation in ("invoices", "invoice_lines"))
    said = sorted(re.sub(r"^.*?: ", "", out.splitlines()[0]) for out, _ in results)
    assert said == [f"{documents} documents, {lines} lines", "nothing was due"]
    first = {row["run_key"] for row in fresh.ledger()["runs"]}
    assert fresh.ledger() == {
        relation: [row for row in rows if row["run_key"] in first]
        for relation, rows in undisturbed.ledger().items()
    }
