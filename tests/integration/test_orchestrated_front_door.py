"""What Dagster does about the front door: lands what a dead collector left, says when something waits or nobody tells more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, Definitions, RunRequest, SkipReason, build_sensor_context, materialize

from ingest.collector import spool as spools
from ingest.collector.spool import Spool
from orchestration.build import build_defs
from orchestration.defs.front_door.assets import (
    accepted_events_are_landed,
    front_door,
    front_door_sensor,
    notices_keep_coming,
)
from orchestration.lib.names import FRONT_DOOR
from ratehouse.lake import Lake, LakeNotWritable
from ratehouse.settings import Settings
from ratehouse.streams import land

EVENT = {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "tenants" / "acme"
    folder.mkdir(parents=True)
    (folder / "tenant.yaml").write_text("tenant: acme\ncurrency: EUR\ntimezone: UTC\n", encoding="utf-8")
    return Settings.load(tmp_path, environ={})


class _Closed(Lake):
    def write(self, *a: Any, **k: Any) -> bool:
        raise LakeNotWritable("full")


def leave_an_event(settings: Settings) -> None:
    with Spool(settings.spool_dir, _Closed(settings.lake_url), land_every=3600) as spool:
        spool.accept("acme", [EVENT]).result(10)


def tick(settings: Settings) -> list[RunRequest | SkipReason]:
    with DagsterInstance.ephemeral() as instance:
        context = build_sensor_context(instance=instance, resources={"settings": settings})
        return list(front_door_sensor(context))


def test_what_a_dead_collector_left_is_landed_by_the_sensors_run(settings: Settings) -> None:
    defs = build_defs(settings=settings)
    Definitions.validate_loadable(defs)
    assert set(defs.resolve_job_def("front_door").asset_layer.executable_asset_keys) == {FRONT_DOOR}
    assert isinstance(tick(settings)[0], SkipReason)
    leave_an_event(settings)
    (asked,) = tick(settings)
    assert isinstance(asked, RunRequest) and asked.run_key == tick(settings)[0].run_key  # type: ignore[union-attr]
    done = materialize([front_door], resources={"settings": settings})
    (made,) = done.asset_materializations_for_node("front_door__spool")
    assert made.metadata["events"].value == 1
    table = Lake(settings.lake_url).read("raw/usage_events")
    assert table is not None and table["event_id"].to_pylist() == ["e1"]
    assert isinstance(tick(settings)[0], SkipReason)


def test_a_collector_at_work_is_left_alone(settings: Settings) -> None:
    with Spool(settings.spool_dir, Lake(settings.lake_url), land_every=3600) as spool:
        spool.accept("acme", [EVENT]).result(10)
        assert isinstance(tick(settings)[0], SkipReason)


def test_what_waits_too_long_or_cannot_be_read_is_said(settings: Settings) -> None:
    assert accepted_events_are_landed(settings).passed
    leave_an_event(settings)
    assert accepted_events_are_landed(settings).passed
    (segment,) = settings.spool_dir.glob("*.spool")
    segment.rename(segment.with_name("20260101T000000000000-0.spool"))
    (settings.spool_dir / "20260101T000000000000-1.damaged").touch()
    checked = accepted_events_are_landed(settings)
    assert not checked.passed and checked.description == "1 segments wait for the lake, 1 cannot be read"
    assert isinstance(tick(settings)[0], RunRequest)
    assert spools.land_leftovers(settings.spool_dir, Lake(settings.lake_url)) == 1


def test_a_processor_that_stopped_to_tell_is_named(settings: Settings) -> None:
    lake = Lake(settings.lake_url)

    def told(name: str, source: str, at: str) -> None:
        row = {"object_id": name, "object": "charge", "payload": "{}", "recorded_at": at}
        land(lake, "stripe_objects", [row], tenant_id="acme", source=source, batch_id=name)

    assert notices_keep_coming(settings).passed
    told("o1", "stripe-webhook", "2026-01-05T10:00:00Z")
    assert notices_keep_coming(settings).passed
    told("o2", "stripe", "2026-01-06T10:00:00Z")
    assert notices_keep_coming(settings).passed
    told("o3", "stripe", "2026-01-06T13:00:00Z")
    checked = notices_keep_coming(settings)
    assert (
        not checked.passed
        and checked.description == "Stripe for acme: the last notice is of 2026-01-05 10:00"
    )
