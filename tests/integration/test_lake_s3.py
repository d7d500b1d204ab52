"""The lake on an object store: a stateful S3 on loopback, addressed through the environment only."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from ratehouse import scenario
from ratehouse.lake import Lake, LakeNotWritable
from ratehouse.settings import Settings
from ratehouse.streams import land

s3fs = pytest.importorskip("s3fs")
boto3 = pytest.importorskip("boto3")
server = pytest.importorskip("moto.server")

TABLE = pa.table({"a": [1, 2]})


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    # the server's memory outlives a test
    bucket = f"billing-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    s3fs.S3FileSystem.clear_instance_cache()
    yield f"s3://{bucket}/lake"
    s3fs.S3FileSystem.clear_instance_cache()
    running.stop()


def test_files_are_whole_and_written_once(store: str) -> None:
    lake = Lake(store)
    lake.check_writable()
    assert lake.files("raw/x") == []
    assert lake.write("raw/x", "b1", TABLE, partition="received_on=2026-01-01")
    assert not lake.write("raw/x", "b1", TABLE, partition="received_on=2026-01-01")
    assert lake.files("raw/x") == [f"{store}/raw/x/received_on=2026-01-01/b1.parquet"]
    read = lake.read("raw/x")
    assert read is not None and read["a"].to_pylist() == [1, 2]
    assert Lake(store).files("") == lake.files("raw/x")


def test_the_slower_of_two_writers_changes_nothing(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(store)
    lake.write("raw/x", "b1", TABLE)
    monkeypatch.setattr(Lake, "exists", lambda *_, **__: False)
    assert not lake.write("raw/x", "b1", pa.table({"a": [9]}))
    read = lake.read("raw/x")
    assert read is not None and read["a"].to_pylist() == [1, 2]


def test_landing_on_s3(store: str) -> None:
    lake = Lake(store)
    rows = [
        {"event_id": "e1", "customer_id": "c", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"},
        {"customer_id": "c", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"},
    ]
    for already in (False, True):
        landed = land(
            lake,
            "usage_events",
            rows,
            tenant_id="t",
            source="test",
            batch_id="b1",
            received_at=datetime(2026, 2, 1, tzinfo=UTC),
        )
        assert (landed.accepted, landed.rejected, landed.already_landed) == (1, 1, already)
    events, rejects = lake.read("raw/usage_events"), lake.read("raw/rejected")
    assert events is not None and events.num_rows == 1
    assert rejects is not None and rejects["reason_code"].to_pylist() == ["missing_id"]


def test_a_store_that_refuses_is_explained_without_secrets(store: str) -> None:
    lake = Lake("s3://no-such-bucket/lake")
    with pytest.raises(LakeNotWritable, match=r"no-such-bucket.*Check that the bucket exists") as raised:
        lake.check_writable()
    assert "a-secret" not in str(raised.value)
    with pytest.raises(LakeNotWritable):
        lake.write("raw/x", "b1", TABLE)


def test_a_scenario_is_billed_from_an_object_store(store: str, tmp_path: Path) -> None:
    story = tmp_path / "story.yaml"
    story.write_text(
        """
scenario: billed-from-an-object-store
source: "derived: three calls at 2.00 in January, one more told in February"
price_books:
  - price_book: "1"
    effective_from: 2000-01-01
    currency: USD
    meters: {calls: {event_type: call, aggregation: count}}
    plans: {p: {anchor: calendar, charges: {calls: {type: usage, meter: calls, model: per_unit, unit_price: "2.00"}}}}
subscription_events:
  - {subscription_id: s1, type: created, effective_at: 2026-01-01, data: {plan: p}}
usage_events:
  - {event_id: e1, event_type: call, occurred_at: 2026-01-05T10:00:00Z}
  - {event_id: e2, event_type: call, occurred_at: 2026-01-06T10:00:00Z}
  - {event_id: e3, event_type: call, occurred_at: 2026-01-07T10:00:00Z}
  - {event_id: e4, event_type: call, occurred_at: 2026-01-08T10:00:00Z, recorded_at: 2026-02-10T00:00:00Z}
clock: [2026-02-01, 2026-03-01]
expect:
  invoice_lines:
    - {charge: calls, line_type: usage, amount: "6.00"}
    - {charge: calls, line_type: adjustment, amount: "2.00"}
expect_exactly: [invoice_lines]
"""
    )
    settings = Settings.load(tmp_path / "home", environ={"RATEHOUSE_LAKE": store})
    [outcome] = scenario.run(scenario.load([story]), settings)
    assert outcome.passed, outcome.as_json()
    assert Lake(store).files("ledger/invoices")
