"""A lake outlives versions of the code: files written before a column was added stay readable."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ratehouse import warehouse
from ratehouse.lake import Lake
from ratehouse.ledger_schema import RELATIONS, RUNS
from ratehouse.settings import Settings


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
