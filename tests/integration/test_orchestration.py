"""The orchestration end to end: definitions, a night of two tenants, backfill, schedule, checks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from dagster import (
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    Definitions,
    ExecuteInProcessResult,
    RunRequest,
    SkipReason,
    build_schedule_context,
    instance_for_test,
)

from orchestration.build import build_defs
from orchestration.defs.nightly.schedules import SCHEDULE, nightly_schedule
from orchestration.lib.expectations import SUITES
from orchestration.lib.names import BILLED_DAYS, CLOSED, LEDGER, NIGHT_TAG, SERVING, TICK_TAG, WRITER_POOL
from orchestration.lib.quality import newest, site_path, validate
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import STREAMS, land

BOOK = """
price_book: "2026-01"
effective_from: 2026-01-01
currency: EUR
meters:
  calls: {event_type: api.call, aggregation: sum, property: $quantity}
plans:
  basic:
    name: Basic
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "10.00"}
      calls: {type: usage, meter: calls, model: per_unit, unit_price: "0.01"}
"""
ZONES = {"tiny": "Europe/Berlin", "sunrise": "Asia/Kolkata"}


@dataclass
class Installation:
    """A home with two small tenants, and its definitions."""

    settings: Settings
    lake: Lake
    defs: Definitions
    instance: DagsterInstance

    def run(
        self, job: str, *, night: dict[str, Any] | None = None, **arguments: Any
    ) -> ExecuteInProcessResult:
        """Run a job in this process."""
        config = {"resources": {"night": {"config": night or {}}}}
        return self.defs.resolve_job_def(job).execute_in_process(
            run_config=config, instance=self.instance, raise_on_error=False, **arguments
        )


def _range(first: str, last: str) -> dict[str, str]:
    return {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}


def _write_tenants(folder: Path) -> None:
    for name, zone in ZONES.items():
        books = folder / name / "price_books"
        books.mkdir(parents=True)
        (folder / name / "tenant.yaml").write_text(f"tenant: {name}\ncurrency: EUR\ntimezone: {zone}\n")
        (books / "2026-01.yaml").write_text(BOOK)


def _land_facts(lake: Lake, tenant: str) -> None:
    def put(stream: str, rows: list[dict[str, Any]]) -> None:
        land(lake, stream, rows, tenant_id=tenant, source="test", batch_id=f"{tenant}-{stream}")

    early = "2026-09-01T00:00:00Z"
    put("customers", [{"customer_id": "c1", "name": "Café & Co", "country": "DE", "recorded_at": early}])
    created = {"event_id": "s1", "subscription_id": "sub1", "customer_id": "c1", "type": "created"}
    data = {"plan": "basic", "price_book": "2026-01"}
    put(
        "subscription_events", [{**created, "effective_at": "2026-09-01", "data": data, "recorded_at": early}]
    )
    used = [datetime(2026, 9, 1 + n % 28, 10, tzinfo=UTC) for n in range(60)]
    put(
        "usage_events",
        [
            {
                "event_id": f"e{n}",
                "customer_id": "c1",
                "subscription_id": "sub1",
                "event_type": "api.call",
                "occurred_at": instant.isoformat(),
                "quantity": "5",
                "recorded_at": (instant + timedelta(seconds=1)).isoformat(),
            }
            for n, instant in enumerate(used)
        ],
    )


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("home")
    _write_tenants(home / "tenants")
    settings = Settings.load(home, environ={"RATEHOUSE_THREADS": "2"})
    lake = Lake(settings.lake_url)
    for tenant in ZONES:
        _land_facts(lake, tenant)
    with DagsterInstance.ephemeral() as instance:
        yield Installation(settings, lake, build_defs(settings=settings), instance)


def test_definitions_are_valid_and_named_as_the_warehouse(installation: Installation) -> None:
    Definitions.validate_loadable(installation.defs)
    graph = installation.defs.resolve_asset_graph()
    keys = graph.get_all_asset_keys()
    assert {AssetKey(["raw", name]) for name in STREAMS} <= keys
    assert {*LEDGER, *CLOSED, AssetKey(["marts", "invoices"])} <= keys
    assert graph.get(AssetKey(["marts", "invoices"])).group_name == "marts_billing"
    partitioned = {key.path[-1] for key in keys if graph.get(key).partitions_def is not None}
    assert {"usage_events", "int_metering__states", "nightly_billing"} <= partitioned
    assert all(
        name.startswith("int_metering__") for name in partitioned - {"usage_events", "nightly_billing"}
    )


def test_every_op_that_writes_the_warehouse_is_in_the_pool(installation: Installation) -> None:
    for job in ("nightly", "backfill"):
        pools = {node.name: node.definition.pool for node in installation.defs.resolve_job_def(job).nodes}
        readers = {
            "landed_quality",
            "documents__pdf",
            "documents__mail",
            "taxes__transactions",
            "raw__tenants_tenants_in_order",
            # They land facts, which anybody may at any time, and look after that.
            "front_door__spool",
            "front_door__spool_accepted_events_are_landed",
            "front_door__spool_notices_keep_coming",
        }
        assert {name for name, pool in pools.items() if pool is None} <= readers
        assert {pool for name, pool in pools.items() if name not in readers} == {WRITER_POOL}


@pytest.mark.slow
def test_a_night_issues_once_and_a_backfill_of_it_adds_nothing(installation: Installation) -> None:
    night = {"bill_day": "2026-10-01", "known_as_of": "2026-09-30T22:10:00+00:00", "tenants": [*ZONES]}
    done = installation.run("nightly", night=night, tags=_range("2026-09-01", "2026-09-30"))
    assert done.success, [event.message for event in done.all_events if event.is_step_failure]
    failed = [check for check in done.get_asset_check_evaluations() if not check.passed]
    assert not failed
    issued = installation.lake.read("ledger/invoices")
    assert sorted(issued["tenant_id"].to_pylist()) == ["sunrise", "tiny"]
    # two months of the base fee, and sixty times five calls at one cent
    assert {str(total) for total in issued["total"].to_pylist()} == {"23.0000"}
    starts = {row["tenant_id"]: row["billing_as_of"] for row in issued.to_pylist()}
    assert starts["sunrise"] == datetime(2026, 9, 30, 18, 30, tzinfo=UTC)
    assert starts["tiny"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    pdfs = list(Path(installation.settings.documents_url).rglob("*.pdf"))
    assert sorted(path.parent.parent.name for path in pdfs) == ["sunrise", "tiny"]
    assert installation.settings.serving_path.exists()
    assert site_path(installation.settings).exists()
    # the models of what is billed were built again after the issue, and say so
    again = AssetKey(["intermediate", "int_invoicing__due_lines"])
    assert (
        len(done.asset_materializations_for_node("models_2"))
        and len([event for event in done.get_asset_materialization_events() if event.asset_key == again]) == 2
    )

    second = installation.run("nightly", night=night, asset_selection=[*LEDGER])
    assert second.success
    assert installation.lake.read("ledger/invoices").num_rows == 2

    other = installation.run("nightly", night={**night, "bill_day": "2026-10-02"}, asset_selection=[*LEDGER])
    assert other.success  # nothing is due, so there is nothing of another night to refuse

    backfill = installation.run("backfill", tags=_range("2026-09-29", "2026-09-30"))
    assert backfill.success
    (event, *_) = [e for e in backfill.get_asset_materialization_events() if e.asset_key == BILLED_DAYS]
    metadata = event.materialization.metadata
    assert (metadata["days"].value, metadata["documents"].value) == (2, 0)
    assert installation.lake.read("ledger/invoices").num_rows == 2


@pytest.mark.slow
def test_a_night_closes_the_months_that_are_due_once_and_publishes_them(installation: Installation) -> None:
    said = {"period": "2026-09", "closed_at": "2026-10-01T12:00:00Z", "recorded_at": "2026-10-01T12:00:00Z"}
    land(installation.lake, "period_closes", [said], tenant_id="tiny", source="test", batch_id="close")
    night = {"bill_day": "2026-10-02", "known_as_of": "2026-10-01T22:10:00+00:00", "tenants": [*ZONES]}
    done = installation.run("nightly", night=night, tags=_range("2026-09-01", "2026-10-01"))
    assert done.success, [event.message for event in done.all_events if event.is_step_failure]
    assert not [check for check in done.get_asset_check_evaluations() if not check.passed]
    closed = installation.lake.read("ledger/closed_periods").to_pylist()
    assert [(row["tenant_id"], row["period"]) for row in closed] == [("tiny", "2026-09")]
    assert {event.asset_key for event in done.get_asset_materialization_events()} >= {*CLOSED, SERVING}
    with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
        shown = serving.execute(
            "select tenant_id, status, content_hash from marts.accounting_periods where period = '2026-09' order by all"
        ).fetchall()
    assert shown == [("sunrise", "open", None), ("tiny", "closed", closed[0]["content_hash"])]
    assert installation.run("nightly", night=night, asset_selection=[*CLOSED]).success
    assert installation.lake.read("ledger/closed_periods").num_rows == 1


def _tick(installation: Installation, instance: DagsterInstance, at: str) -> list[RunRequest]:
    """What the schedule starts at an instant; a skipped tick starts nothing."""
    context = build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime.fromisoformat(at).replace(tzinfo=UTC),
        resources={"settings": installation.settings},
    )
    return [asked for asked in nightly_schedule(context) if not isinstance(asked, SkipReason)]


def _start(instance: DagsterInstance, requests: list[RunRequest]) -> None:
    for request in requests:
        tags = {**request.tags, "dagster/schedule_name": SCHEDULE}
        instance.add_run(DagsterRun(job_name="nightly", status=DagsterRunStatus.SUCCESS, tags=tags))


def test_the_schedule_starts_each_night_once_and_catches_up_in_order(installation: Installation) -> None:
    with instance_for_test() as instance:
        assert not _tick(installation, instance, "2026-10-24T18:10")
        (first,) = _tick(installation, instance, "2026-10-24T19:10")
        assert first.run_config["resources"]["night"]["config"] == {
            "bill_day": "2026-10-25",
            "known_as_of": "2026-10-24T19:10:00+00:00",
            "tenants": ["sunrise"],
        }
        # usage since the first day there is any, as no night was run before
        assert first.tags["dagster/asset_partition_range_start"] == "2026-09-01"
        assert first.tags["dagster/asset_partition_range_end"] == "2026-10-24"
        _start(instance, [first])
        assert not _tick(installation, instance, "2026-10-24T19:10")

        # Dagster was down over two midnights of each zone, one of them after the clocks were turned back.
        missed = _tick(installation, instance, "2026-10-26T08:10")
        nights = [(request.tags[NIGHT_TAG], request.tags["ratehouse/tenants"]) for request in missed]
        assert nights == [
            ("2026-10-25@2026-10-24T22:10Z", "tiny"),
            ("2026-10-26@2026-10-25T19:10Z", "sunrise"),
            ("2026-10-26@2026-10-25T23:10Z", "tiny"),
        ]
        assert {request.tags["dagster/asset_partition_range_start"] for request in missed} == {"2026-10-24"}
        _start(instance, missed)
        assert not _tick(installation, instance, "2026-10-26T09:10")
        assert TICK_TAG in missed[-1].tags


def test_suites_find_planted_faults_and_write_data_docs(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path, environ={})
    lake = Lake(settings.lake_url)
    _land_facts(lake, "tiny")
    good = lake.read("raw/usage_events")
    rows = good.to_pylist()
    # what landing would refuse, written around it
    rows[0].update(event_id=None)
    rows[1].update(properties="[1]")
    rows[2].update(quantity=Decimal(10) ** 13)
    lake.write(
        "raw/usage_events",
        "planted",
        pa.Table.from_pylist(rows, schema=good.schema),
        partition="received_on=2026-09-01",
    )
    land(
        lake,
        "usage_events",
        [
            {"event_id": f"r{n}", "customer_id": "c", "event_type": "x", "occurred_at": "never"}
            for n in range(3)
        ],
        tenant_id="tiny",
        source="test",
        batch_id="bad",
    )
    land(
        lake,
        "customers",
        [{"customer_id": "c2", "country": "Germany"}],
        tenant_id="tiny",
        source="test",
        batch_id="c2",
    )
    suites = {suite.name: suite for suite in SUITES}
    tables = {suite: table for suite in SUITES if (table := newest(lake, suite)) is not None}
    verdicts = validate(tables, settings)
    failed = {name: [fault["expectation"] for fault in verdict.failed] for name, verdict in verdicts.items()}
    assert sorted(failed["usage_events_shape"]) == [
        "expect_column_values_to_match_regex",
        "expect_column_values_to_not_be_null",
    ]
    assert failed["usage_events_volume"] == ["expect_column_values_to_be_between"]
    assert failed["customers_content"] == ["expect_column_values_to_match_regex"]
    assert failed["rejected_share"] == ["expect_column_max_to_be_between"]
    assert (
        not failed["customers_shape"]
        and not failed["subscription_events_shape"]
        and not failed["rejected_shape"]
    )
    assert verdicts["rejected_shape"].notes == {"share by reason": {"usage_events: bad_time": "100.0%"}}
    assert (
        suites["usage_events_shape"].blocking
        and suites["usage_events_shape"].severity is AssetCheckSeverity.ERROR
    )
    assert (
        not suites["rejected_share"].blocking and suites["rejected_share"].severity is AssetCheckSeverity.WARN
    )
    assert "usage_events_shape" in site_path(settings).read_text()
