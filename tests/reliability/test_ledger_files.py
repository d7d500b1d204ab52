"""What of the ledger's files counts: those of an older version of the code do, those of a killed run do not."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from ratehouse import warehouse
from ratehouse.configuration import land_configuration
from ratehouse.lake import Lake
from ratehouse.ledger_schema import INVOICES, RELATIONS, RUNS
from ratehouse.settings import Settings
from tests.reliability.installation import Installation


@pytest.mark.parametrize("written_since", [False, True])
def test_a_new_column_is_null_in_old_files(tmp_path: Path, written_since: bool) -> None:
    settings = Settings.load(tmp_path, environ={})
    lake = Lake(settings.lake_url)
    missing = "code_version"
    old = [name for name in RUNS.names if name != missing]
    row = dict.fromkeys(RUNS.names)
    lake.write("ledger/runs", "old", pa.Table.from_pylist([row], schema=RUNS).select(old))
    if written_since:
        lake.write("ledger/runs", "recent", pa.Table.from_pylist([{**row, missing: "2"}], schema=RUNS))
    warehouse.prepare(settings, lake)
    with warehouse.connect(settings) as connection:
        versions = connection.execute(f"select {missing} from ledger.runs order by all").fetchall()
        assert versions == [*([("2",)] if written_since else []), (None,)]
        # and every relation has the columns of this version, in their order
        for relation, schema in RELATIONS.items():
            described = connection.execute(f"describe ledger.{relation}").fetchall()
            assert [name for name, *_ in described] == schema.names


@pytest.mark.parametrize("committed", [False, True])
def test_a_run_that_was_killed_billed_no_day(tmp_path: Path, committed: bool) -> None:
    installation = Installation(tmp_path)
    installation.add_tenant("alpha")
    invoice = {**dict.fromkeys(INVOICES.names), "tenant_id": "alpha", "bill_date": date(2026, 2, 1)}
    installation.lake.write("ledger/invoices", "run", pa.Table.from_pylist([invoice], schema=INVOICES))
    if committed:
        run = {**dict.fromkeys(RUNS.names), "tenant_id": "alpha"}
        installation.lake.write("ledger/runs", "run", pa.Table.from_pylist([run], schema=RUNS))
    # the book starts before that bill date, and does not say that it is retroactive
    failures = land_configuration(installation.settings, installation.lake).failures
    assert {name: error.reason_code for name, error in failures.items()} == (
        {"alpha": "retroactive"} if committed else {}
    )
