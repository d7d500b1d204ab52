"""Running suites on what landed last, and the data docs. What is expected is `expectations/`.

Great Expectations reads pandas with Arrow types here: it refuses polars, does not work with this DuckDB, and
with decimals as Python objects its sums are off.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.lib.expectations.suite import Suite
from ratehouse.lake import Lake
from ratehouse.settings import Settings

if TYPE_CHECKING:
    from great_expectations.data_context.store.store import DataDocsSiteConfigTypedDict

NEWEST_FILES = 20
MAX_ROWS = 200_000
_SHOWN = 10  # unexpected values per expectation


@dataclass
class Verdict:
    """What a suite said: rows looked at, the expectations that failed, and what else to show."""

    rows: int
    failed: list[dict[str, Any]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)


def newest(lake: Lake, suite: Suite, *, files: int = NEWEST_FILES, rows: int = MAX_ROWS) -> pa.Table | None:
    """The rows of the newest files of a suite's stream; None if nothing has landed.

    Args:
        lake: where they are.
        suite: whose rows.
        files: at most so many files.
        rows: at most so many rows, of the newest files first.
    """
    relation = f"raw/{suite.relation or suite.stream}"
    chosen = sorted(lake.files(relation), key=lambda file: (lake.fs.modified(file), file), reverse=True)[
        :files
    ]
    tables: list[pa.Table] = []
    for file in chosen:
        tables.append(lake.read_file(file))
        if sum(table.num_rows for table in tables) >= rows:
            break
    if not tables:
        return None
    table = pa.concat_tables(tables, promote_options="default").slice(0, rows)
    return _with_share(table) if suite.relation == "batches" else table


def validate(tables: Mapping[Suite, pa.Table], settings: Settings) -> dict[str, Verdict]:
    """Run suites, each on its table, and rebuild the data docs of the installation.

    Returns:
        What each suite said, by its name.
    """
    if not tables:
        return {}
    # Before the import: it would otherwise report its use over the network.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    import great_expectations as gx
    import great_expectations.expectations as gxe
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    context.update_data_docs_site("local_site", _site(settings))
    lake = context.data_sources.add_pandas("lake")
    verdicts = {}
    for suite, table in tables.items():
        expectations = [getattr(gxe, expect.kind)(**expect.arguments) for expect in suite.expectations]
        validation = context.validation_definitions.add(
            gx.ValidationDefinition(
                name=suite.name,
                data=lake.add_dataframe_asset(suite.name).add_batch_definition_whole_dataframe("newest"),
                suite=context.suites.add(gx.ExpectationSuite(name=suite.name, expectations=expectations)),
            )
        )
        checkpoint = context.checkpoints.add(
            gx.Checkpoint(name=suite.name, validation_definitions=[validation])
        )
        frame = pl.DataFrame(table).to_pandas(use_pyarrow_extension_array=True)
        (result,) = checkpoint.run(batch_parameters={"dataframe": frame}).run_results.values()
        verdicts[suite.name] = Verdict(
            rows=table.num_rows,
            failed=[_failure(one) for one in result.results if not one.success],
            notes=dict(suite.notes(table)) if suite.notes else {},
        )
    context.build_data_docs()
    return verdicts


def site_path(settings: Settings) -> Path:
    """The first page of the data docs."""
    return settings.home / "data" / "quality" / "index.html"


def _site(settings: Settings) -> DataDocsSiteConfigTypedDict:
    return {
        "class_name": "SiteBuilder",
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(site_path(settings).parent),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _failure(result: Any) -> dict[str, Any]:
    """A failed expectation as JSON data, with a few of the values that it did not expect."""
    config = result.expectation_config
    shown = {
        name: value
        for name, value in config.kwargs.items()
        if name not in ("batch_id", "value_set", "column_list")
    }
    raised = (
        result.exception_info.get("exception_message") if isinstance(result.exception_info, dict) else None
    )
    facts = {
        "unexpected rows": result.result.get("unexpected_count"),
        "unexpected values": [str(value) for value in result.result.get("partial_unexpected_list") or []][
            :_SHOWN
        ],
        "observed": result.result.get("observed_value"),
        "raised": raised,
    }
    return {
        "expectation": config.type,
        **{name: str(value) for name, value in shown.items()},
        **{
            name: value if isinstance(value, int | list) else str(value)
            for name, value in facts.items()
            if value
        },
    }


def _with_share(batches: pa.Table) -> pa.Table:
    """The batches with the share of their rows that was rejected; a ratio for people, no money."""
    rejected, accepted = batches["rejected"].cast(pa.float64()), batches["accepted"].cast(pa.float64())
    total = pc.max_element_wise(pc.add(rejected, accepted), 1.0)
    return batches.append_column("rejected_share", pc.divide(rejected, total))
