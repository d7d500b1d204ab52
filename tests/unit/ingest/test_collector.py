"""The spool between an answered request and the lake, and what a body may hold."""

from __future__ import annotations

import errno
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ingest.collector import spool as spools
from ingest.collector.events import MAX_EVENTS, BodyRefused, rows_of
from ingest.collector.spool import Spool, SpoolBusy, SpoolFull, land_leftovers, leftovers, read_segment
from ratehouse.lake import Lake, LakeNotWritable

EVENT = {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"}


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def landed(lake: Lake, stream: str = "usage_events") -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.spool"))


def test_events_of_several_tenants_land_as_one_batch_each_with_its_tenant(lake: Lake, folder: Path) -> None:
    with Spool(folder, lake, land_every=3600) as spool:
        answers = [
            spool.accept("acme", [{**EVENT, "quantity": "1.5"}, {"event_id": "e2"}]),
            spool.accept("other", [EVENT]),
        ]
        first, second = (answer.result(10) for answer in answers)
        assert [verdict.reason_code for verdict in first] == [None, "missing_key"]
        assert first[1].reason == "event_type is missing" and second[0].reason_code is None
        assert landed(lake) == []
        assert sum(path.stat().st_size for path in segments(folder)) > 0
    assert {(row["tenant_id"], row["event_id"], row["quantity"]) for row in landed(lake)} == {
        ("acme", "e1", Decimal("1.5")),
        ("other", "e1", Decimal(1)),
    }
    (reject,) = landed(lake, "rejected")
    assert (reject["tenant_id"], reject["reason_code"], reject["payload"]) == (
        "acme", "missing_key", '{"event_id":"e2","tenant_id":"acme"}'
    )  # fmt: skip
    assert len({row["batch_id"] for row in landed(lake)}) == 1 and segments(folder) == []


def test_what_was_refused_stays_refused_however_late_it_lands(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event of the future is none any more when the lake takes it an hour later."""
    verdicts: list[Any] = []
    with monkeypatch.context() as patched, Spool(folder, lake, land_every=3600) as spool:
        patched.setattr(spool, "_lake", _Closed(lake.url))
        verdicts = spool.accept("acme", [{**EVENT, "occurred_at": "2999-01-01"}]).result(10)
    assert [verdict.reason_code for verdict in verdicts] == ["future_time"]
    monkeypatch.setattr(spools, "land", _later(spools.land))
    assert land_leftovers(folder, lake) == 1
    assert landed(lake) == []
    assert [row["reason_code"] for row in landed(lake, "rejected")] == ["future_time"]


def _later(land: Any) -> Any:
    from datetime import UTC, datetime

    return lambda *a, **k: land(*a, **k, received_at=datetime(2999, 6, 1, tzinfo=UTC))


class _Closed(Lake):
    """A lake that takes no file."""

    def write(self, *a: Any, **k: Any) -> bool:
        raise LakeNotWritable("full")


def test_a_lake_that_takes_nothing_keeps_events_on_disk_until_it_does(lake: Lake, folder: Path) -> None:
    spool = Spool(folder, _Closed(lake.url), land_every=3600)
    with spool:
        assert spool.accept("acme", [EVENT]).result(10)[0].reason_code is None
        assert spool.land() == 0
        state = spool.state()
        assert state["waiting_segments"] == 1
        # what comes meanwhile goes on being taken
        spool.accept("acme", [{**EVENT, "event_id": "e2"}]).result(10)
    assert leftovers(folder) and landed(lake) == []
    assert land_leftovers(folder, lake) == 2
    assert {row["event_id"] for row in landed(lake)} == {"e1", "e2"} and not leftovers(folder)


def test_a_line_cut_off_was_never_answered_for(lake: Lake, folder: Path) -> None:
    with Spool(folder, _Closed(lake.url), land_every=3600) as spool:
        for number in range(3):
            spool.accept("acme", [{**EVENT, "event_id": f"e{number}"}]).result(10)
    (segment,) = segments(folder)
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-10])
    assert land_leftovers(folder, lake) == 2
    assert [row["event_id"] for row in landed(lake)] == ["e0", "e1"]
    assert segments(folder) == [] and not list(folder.glob("*.damaged"))


def test_a_line_that_no_crash_explains_is_kept_for_somebody_to_look_at(lake: Lake, folder: Path) -> None:
    with Spool(folder, _Closed(lake.url), land_every=3600) as spool:
        for number in range(3):
            spool.accept("acme", [{**EVENT, "event_id": f"e{number}"}]).result(10)
    (segment,) = segments(folder)
    segment.write_bytes(segment.read_bytes().replace(b'"e1"', b'"e9"'))
    assert land_leftovers(folder, lake) == 2
    assert [row["event_id"] for row in landed(lake)] == ["e0", "e2"]
    (kept,) = folder.glob("*.damaged")
    rows, is_damaged = read_segment(kept)
    assert len(rows) == 2 and is_damaged
    with Spool(folder, lake) as spool:
        assert spool.state()["damaged_segments"] == 1


def test_a_disk_that_takes_half_a_line_keeps_nothing_of_it(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Spool(folder, lake, land_every=3600) as spool:
        spool.accept("acme", [EVENT]).result(10)

        def full(handle: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", full)
            with pytest.raises(SpoolFull, match="No space left"):
                spool.accept("acme", [{**EVENT, "event_id": "lost"}]).result(10)
        spool.accept("acme", [{**EVENT, "event_id": "e2"}]).result(10)
    assert {row["event_id"] for row in landed(lake)} == {"e1", "e2"}


def test_senders_wait_when_too_much_waits(lake: Lake, folder: Path) -> None:
    with (
        Spool(folder, lake, land_every=3600, spool_bytes=300) as spool,
        pytest.raises(SpoolFull, match="wait to be landed"),
    ):
        for number in range(5):
            spool.accept("acme", [{**EVENT, "event_id": f"e{number}"}]).result(10)


def test_a_large_segment_is_followed_by_another(lake: Lake, folder: Path) -> None:
    with Spool(folder, _Closed(lake.url), land_every=3600, segment_bytes=200) as spool:
        for number in range(4):
            spool.accept("acme", [{**EVENT, "event_id": f"e{number}"}]).result(10)
    assert len(segments(folder)) == 2
    assert land_leftovers(folder, lake) == 4


def test_one_process_has_a_spool(lake: Lake, folder: Path) -> None:
    with Spool(folder, lake, land_every=3600) as spool:
        with pytest.raises(SpoolBusy, match="RATEHOUSE_SPOOL"):
            Spool(folder, lake)
        spool.accept("acme", [EVENT]).result(10)
        assert not leftovers(folder) and land_leftovers(folder, lake) == 0
    assert len(landed(lake)) == 1


def test_one_request_that_nobody_can_judge_does_not_take_the_others_with_it(
    lake: Lake, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = spools.check

    def breaks(stream: str, rows: Any, **options: Any) -> Any:
        if any(row.get("event_id") == "bad" for row in rows):
            raise ZeroDivisionError
        return check(stream, rows, **options)

    monkeypatch.setattr(spools, "check", breaks)
    spool = Spool(folder, lake, land_every=3600)
    answers = [spool.accept("acme", [{**EVENT, "event_id": name}]) for name in ("e1", "bad", "e2")]
    with spool:
        assert answers[0].result(10) and answers[2].result(10)
        with pytest.raises(ZeroDivisionError):
            answers[1].result(10)
    assert {row["event_id"] for row in landed(lake)} == {"e1", "e2"}


def test_a_body_is_lines_or_an_array_or_one_event() -> None:
    one = b'{"event_id": "e1", "quantity": 1.10}'
    assert [row["quantity"] for row in rows_of(one, "application/json")] == ["1.1"]
    assert len(rows_of(b"[%s, %s]" % (one, one), "application/json")) == 2
    lines = rows_of(one + b"\n\nnonsense\n[1]\n" + one, "application/x-ndjson")
    assert [row.get("_code") for row in lines] == [None, "bad_json", "bad_json", None]
    cloud = (
        b'{"specversion": "1.0", "id": "e1", "type": "api", "subject": "c1", "time": "2026-01-05T10:00:00Z"}'
    )
    (row,) = rows_of(cloud, "application/cloudevents+json")
    assert (row["event_id"], row["customer_id"]) == ("e1", "c1")


@pytest.mark.parametrize("key", ["recorded_at", "tenant_id", "_code", "_raw", "_line", "amount"])
def test_a_sender_says_neither_when_it_became_known_nor_whose_it_is(key: str) -> None:
    (row,) = rows_of(b'{"event_id": "e1", "%s": "2020-01-01"}' % key.encode(), "application/json")
    assert (row["_code"], row["event_id"]) == ("unknown_key", "e1") and key in row["_reason"]


@pytest.mark.parametrize(
    ("body", "media_type", "why"),
    [
        (b"", "application/json", "no JSON"),
        (b"[]", "application/json", "no event"),
        (b"\n\n", "application/x-ndjson", "no event"),
        (b"\xff\xfe", "application/json", "no JSON"),
        (b'{"quantity": NaN}', "application/json", "no JSON"),
        (b"[" + b",".join([b"{}"] * (MAX_EVENTS + 1)) + b"]", "application/json", "10,001 events"),
    ],
)
def test_a_body_that_holds_no_events_is_refused(body: bytes, media_type: str, why: str) -> None:
    with pytest.raises(BodyRefused, match=why):
        rows_of(body, media_type)


def test_text_that_is_no_text_is_refused_and_kept(lake: Lake, folder: Path) -> None:
    (row,) = rows_of(rb'{"event_id": "\ud800", "customer_id": "c1"}', "application/json")
    with Spool(folder, lake, land_every=3600) as spool:
        (verdict,) = spool.accept("acme", [row]).result(10)
    assert verdict.reason_code == "bad_json"
    assert [reject["reason_code"] for reject in landed(lake, "rejected")] == ["bad_json"]
