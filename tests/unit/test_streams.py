from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from ratehouse.lake import Lake, LakeNotWritable
from ratehouse.rejects import rejected_rows, replacements, replay
from ratehouse.streams import STREAMS, empty, land

NOW = datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


def event(**changes: Any) -> dict[str, Any]:
    base = {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"}
    return base | changes


def land_all(
    lake: Lake, rows: Any, stream: str = "usage_events", batch_id: str = "b1", **changes: Any
) -> Any:
    options: dict[str, Any] = {"tenant_id": "t", "source": "test", "batch_id": batch_id, "received_at": NOW}
    return land(lake, stream, rows, **(options | changes))


def landed(lake: Lake, stream: str) -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


def only_reason(lake: Lake, row: dict[str, Any], **options: Any) -> str:
    result = land_all(lake, [row], **options)
    assert (result.accepted, result.rejected) == (0, 1)
    return str(next(iter(result.reasons)))


def test_an_accepted_event_has_the_columns_in_order(lake: Lake) -> None:
    land_all(lake, [event(quantity="1.50", properties={"b": 1.0, "a": {"y": [1, 2.50], "x": None}})])
    table = lake.read("raw/usage_events")
    assert table is not None
    assert table.schema.equals(empty("usage_events").schema)
    assert table.to_pylist() == [
        {
            "tenant_id": "t",
            "event_id": "e1",
            "customer_id": "c1",
            "subscription_id": None,
            "event_type": "api",
            "occurred_at": datetime(2026, 1, 5, 10, tzinfo=UTC),
            "quantity": Decimal("1.5"),
            "properties": '{"a":{"x":null,"y":[1,2.5]},"b":1}',
            "recorded_at": NOW,
            "received_on": date(2026, 2, 1),
            "source": "test",
            "batch_id": "b1",
        }
    ]
    assert lake.files("raw/usage_events")[0].endswith("raw/usage_events/received_on=2026-02-01/b1.parquet")


def test_types_of_files_are_those_of_the_contract() -> None:
    assert empty("usage_events").schema.field("quantity").type == pa.decimal128(28, 10)
    assert empty("payments").schema.field("amount").type == pa.decimal128(20, 4)
    assert empty("fx_rates").schema.field("rate").type == pa.decimal128(28, 12)
    assert all(
        field.type == pa.timestamp("us", tz="UTC")
        for stream in STREAMS.values()
        for field in stream.schema
        if field.name.endswith("_at")
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"event_id": None}, "missing_id"),
        ({"event_id": "  "}, "missing_id"),
        ({"event_id": ["x"]}, "missing_id"),
        ({"customer_id": None}, "missing_customer"),
        ({"customer_id": ""}, "missing_customer"),
        ({"event_type": None}, "missing_key"),
        ({"occurred_at": None}, "bad_time"),
        ({"occurred_at": "the other day"}, "bad_time"),
        ({"occurred_at": "2026-02-30T00:00:00Z"}, "bad_time"),
        ({"occurred_at": 1767225600}, "bad_time"),
        ({"recorded_at": "soon"}, "bad_time"),
        ({"occurred_at": "2026-02-01T01:00:01Z"}, "future_time"),
        ({"quantity": "NaN"}, "bad_number"),
        ({"quantity": float("nan")}, "bad_number"),
        ({"quantity": float("inf")}, "bad_number"),
        ({"quantity": "a lot"}, "bad_number"),
        ({"quantity": True}, "bad_number"),
        ({"quantity": "1000000000000000000"}, "bad_number"),
        ({"quantity": "0.00000000001"}, "bad_number"),
        ({"quantity": "1e18"}, "bad_number"),
        ({"properties": "nonsense"}, "bad_json"),
        ({"properties": "[1]"}, "bad_json"),
        ({"properties": [1]}, "bad_json"),
        ({"properties": '{"a": "\\ud800"}'}, "bad_json"),
        ({"properties": "[" * 100_000}, "bad_json"),
        ({"properties": {"a": float("nan")}}, "bad_number"),
        ({"properties": '{"a": 1e999999999}'}, "bad_number"),
        ({"properties": {"a": "x" * 65_536}}, "too_large"),
        ({"event_id": "x" * 65_537}, "too_large"),
        ({"colour": "blue"}, "unknown_key"),
        ({"tenant_id": "other"}, "unknown_key"),
    ],
)
def test_a_broken_event_is_rejected_with_its_reason(lake: Lake, changes: dict[str, Any], reason: str) -> None:
    assert only_reason(lake, event(**changes)) == reason
    (row,) = landed(lake, "rejected")
    assert (row["tenant_id"], row["stream"], row["batch_id"]) == ("t", "usage_events", "b1")
    assert row["recorded_at"] == NOW
    assert row["reason"]
    json.loads(row["payload"])


@pytest.mark.parametrize(
    "changes",
    [
        {"customer_id": None, "subscription_id": "s1"},
        {"occurred_at": "2026-02-01T01:00:00Z"},
        {"quantity": "999999999999999999.9999999999"},
        {"quantity": "1.00000000000000"},
        {"quantity": "-1e3"},
        {"quantity": 5},
        {"quantity": Decimal("0.1")},
        {"properties": {"a": "x" * 65_528}},
        {"properties": ""},
        {"properties": None},
    ],
)
def test_the_edge_is_still_in(lake: Lake, changes: dict[str, Any]) -> None:
    assert land_all(lake, [event(**changes)]).accepted == 1


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-01-05T10:00:00.1234567Z", datetime(2026, 1, 5, 10, 0, 0, 123456, UTC)),
        ("2026-01-05 10:00:00", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05T10:00:00+05:30", datetime(2026, 1, 5, 4, 30, tzinfo=UTC)),
        ("2026-01-05T10:00:00.5-0230", datetime(2026, 1, 5, 12, 30, 0, 500000, UTC)),
        ("2026-01-05T10:00Z", datetime(2026, 1, 5, 10, tzinfo=UTC)),
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
        (date(2026, 1, 5), datetime(2026, 1, 5, tzinfo=UTC)),
        (datetime(2026, 1, 5, 10), datetime(2026, 1, 5, 10, tzinfo=UTC)),
    ],
)
def test_instants_are_utc_unless_they_say_otherwise(lake: Lake, written: Any, instant: datetime) -> None:
    land_all(lake, [event(occurred_at=written)])
    assert landed(lake, "usage_events")[0]["occurred_at"] == instant


@pytest.mark.parametrize("count", [1, 30_000])
def test_equal_json_is_equal_text(lake: Lake, count: int) -> None:
    """Few rows are read one by one, many by their shape; both must write the same."""
    texts = [
        '{"n":1,"m":"é:,{x}","f":0}',
        '{ "m" : "é:,{x}", "n" : 1.0, "f": -0.0 }',
        '{"f":0e5,"n":1e0,"m":"\\u00e9:,{x}"}',
        '{"f":0.00,"m":"é:,{x}","n":1.000}',
    ]
    rows = pl.DataFrame(
        {
            "event_id": [f"{i}-{k}" for k in range(len(texts)) for i in range(count)],
            "customer_id": "c",
            "event_type": "api",
            "occurred_at": "2026-01-05T10:00:00Z",
            "properties": [f'{text[:-1]},"row":{i}}}' for text in texts for i in range(count)],
        }
    )
    assert land_all(lake, rows).accepted == len(rows)
    table = lake.read("raw/usage_events")
    assert table is not None
    properties = table["properties"].to_pylist()
    assert properties[0] == '{"f":0,"m":"é:,{x}","n":1,"row":0}'
    for start in range(0, len(rows), count):
        assert properties[start : start + count] == properties[:count]


def test_a_shape_with_a_double_key_keeps_the_last_value(lake: Lake) -> None:
    rows = pl.DataFrame(
        {
            "event_id": [str(i) for i in range(25_000)],
            "customer_id": "c",
            "event_type": "api",
            "occurred_at": "2026-01-05T10:00:00Z",
            "properties": [f'{{"a":{i},"a":{i + 1}}}' for i in range(25_000)],
        }
    )
    land_all(lake, rows)
    assert landed(lake, "usage_events")[7]["properties"] == '{"a":8}'


def test_a_frame_may_bring_its_own_types(lake: Lake) -> None:
    rows = pl.DataFrame(
        {
            "event_id": [1, 2, 3],
            "customer_id": ["c", "c", "c"],
            "event_type": ["api"] * 3,
            "occurred_at": pl.Series([datetime(2026, 1, 5, 10)] * 3, dtype=pl.Datetime("ns")),
            "quantity": [0.1, None, float("nan")],
            "properties": [{"a": 1, "b": None}, {"a": None, "b": 'say "x"'}, None],
        }
    )
    result = land_all(lake, rows)
    assert (result.accepted, result.reasons) == (2, Counter(bad_number=1))
    first, second = landed(lake, "usage_events")
    assert (first["event_id"], first["quantity"], first["properties"]) == ("1", Decimal("0.1"), '{"a":1}')
    assert (second["quantity"], second["properties"]) == (Decimal(1), '{"b":"say \\"x\\""}')
    with pytest.raises(ValueError, match="colour"):
        land_all(lake, rows.with_columns(colour=pl.lit("x")), batch_id="b2")


def test_dicts_and_frames_are_judged_alike(lake: Lake) -> None:
    rows = [event(event_id=str(i), quantity=q) for i, q in enumerate(["1", "x", "2.5", "", None])]
    as_dicts = land_all(lake, rows, batch_id="dicts")
    as_frame = land_all(lake, pl.DataFrame(rows), batch_id="frame")
    assert (as_dicts.accepted, as_dicts.reasons) == (as_frame.accepted, as_frame.reasons)


def test_a_batch_lands_once(lake: Lake) -> None:
    rows = [event(), event(event_id=None)]
    first = land_all(lake, rows)
    second = land_all(lake, rows, received_at=datetime(2026, 3, 1, tzinfo=UTC))
    assert (second.accepted, second.rejected, second.reasons) == (1, 1, first.reasons)
    assert (first.already_landed, second.already_landed) == (False, True)
    assert len(landed(lake, "usage_events")) == len(landed(lake, "rejected")) == 1


def test_a_batch_that_was_killed_half_way_is_completed_as_it_began(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [
        event(recorded_at="2026-01-06"),
        event(event_id="e2", occurred_at="2026-02-01T00:30:00Z"),
        event(event_id="e3", occurred_at="2026-02-02T00:00:00Z"),
    ]
    write = Lake.write

    def die(self: Lake, relation: str, name: str, table: pa.Table, *, partition: str = "") -> bool:
        if partition == "received_on=2026-02-01":
            raise LakeNotWritable("killed")
        return write(self, relation, name, table, partition=partition)

    monkeypatch.setattr(Lake, "write", die)
    with pytest.raises(LakeNotWritable):
        land_all(lake, rows)
    monkeypatch.undo()
    assert len(landed(lake, "usage_events")) == 1
    # a day later e3 would no longer be in the future, but the batch is the batch
    result = land_all(lake, rows, received_at=datetime(2026, 2, 2, tzinfo=UTC))
    assert (result.accepted, result.rejected, result.already_landed) == (2, 1, False)
    assert [row["recorded_at"] for row in landed(lake, "usage_events")] == [
        datetime(2026, 1, 6, tzinfo=UTC),
        NOW,
    ]
    assert land_all(lake, rows).already_landed


def test_the_same_bad_row_is_one_reject(lake: Lake) -> None:
    land_all(lake, [event(quantity="x")], batch_id="b1")
    land_all(lake, [event(quantity="x")], batch_id="b2")
    assert len({row["reject_id"] for row in landed(lake, "rejected")}) == 1
    assert rejected_rows(lake, tenant_id="t").num_rows == 1
    assert rejected_rows(lake, tenant_id="other").num_rows == 0


def test_rows_may_name_their_own_tenant(lake: Lake) -> None:
    rows = [event(tenant_id="a"), event(tenant_id="b"), event()]
    result = land_all(lake, rows, tenant_id=None)
    assert (result.accepted, result.reasons) == (2, Counter(missing_id=1))
    assert [row["tenant_id"] for row in landed(lake, "usage_events")] == ["a", "b"]


def test_no_rows_are_no_files(lake: Lake) -> None:
    assert land_all(lake, []).accepted == 0
    assert lake.files("raw") == []


def test_money_is_never_a_float(lake: Lake) -> None:
    payment = {"payment_id": "p1", "customer_id": "c1", "currency": "USD", "status": "succeeded"}
    assert only_reason(lake, payment | {"amount": 1.5}, stream="payments") == "float_value"
    assert only_reason(lake, payment, stream="payments", batch_id="b2") == "bad_number"
    assert (
        only_reason(lake, payment | {"amount": "1.00001"}, stream="payments", batch_id="b3") == "bad_number"
    )
    assert land_all(lake, [payment | {"amount": "1.5"}], stream="payments", batch_id="b4").accepted == 1
    assert landed(lake, "payments")[0]["amount"] == Decimal("1.5")


@pytest.mark.parametrize(
    ("currency", "whole", "in_parts", "decimals"),
    [
        ("USD", ["5.01", "5.0100", "-5", "5e0"], ["5.005", "0.0001", "-5.005"], 2),
        ("JPY", ["1000", "1000.00"], ["1000.5"], 0),
        ("KWD", ["1.005"], ["1.0005"], 3),
        ("CLF", ["1.0005"], [], 4),
        # Nothing is known of a currency that is none; it finds no document either.
        ("POINTS", ["1.0005"], [], 4),
    ],
)
def test_money_that_moved_is_whole_in_its_currency(
    lake: Lake, currency: str, whole: list[str], in_parts: list[str], decimals: int
) -> None:
    rows = [
        {"payment_id": f"p{place}", "amount": amount, "currency": currency, "status": "succeeded"}
        for place, amount in enumerate([*whole, *in_parts])
    ]
    result = land_all(lake, rows, stream="payments")
    assert (result.accepted, result.rejected) == (len(whole), len(in_parts))
    assert [row["amount"] for row in landed(lake, "payments")] == [Decimal(amount) for amount in whole]
    if in_parts:
        refused = landed(lake, "rejected")
        assert {row["reason_code"] for row in refused} == {"bad_number"}
        assert {row["reason"] for row in refused} == {
            f"amount '{amount}' has more than the {decimals} decimals of {currency}; send what was really moved"
            for amount in in_parts
        }


def test_a_typed_amount_in_parts_of_a_unit_is_refused(lake: Lake) -> None:
    rows = pl.DataFrame(
        {
            "dispute_id": ["d1", "d2"],
            "amount": [Decimal("5.00"), Decimal("5.00")],
            "fee": [Decimal("15.005"), Decimal("15.000")],
            "currency": ["EUR", "EUR"],
            "stage": ["open", "open"],
            "effective_at": ["2026-01-01", "2026-01-01"],
        }
    )
    assert land_all(lake, rows, stream="disputes").accepted == 1
    (refused,) = landed(lake, "rejected")
    assert refused["reason"].startswith("fee Decimal('15.005') has more than the 2 decimals of EUR")


def test_closed_words_are_checked(lake: Lake) -> None:
    row = {"event_id": "x", "subscription_id": "s", "type": "upgraded", "effective_at": "2026-01-01"}
    assert only_reason(lake, row, stream="subscription_events") == "unknown_key"
    assert "plan_changed" in landed(lake, "rejected")[0]["reason"]


def test_a_coupon_may_be_the_customers(lake: Lake) -> None:
    row = {"event_id": "x", "customer_id": "c", "type": "coupon_applied", "effective_at": "2026-01-01"}
    assert land_all(lake, [row], stream="subscription_events").accepted == 1
    assert (
        only_reason(lake, row | {"type": "paused"}, stream="subscription_events", batch_id="b2")
        == "missing_id"
    )
    nobody = row | {"customer_id": None}
    assert only_reason(lake, nobody, stream="subscription_events", batch_id="b3") == "missing_customer"


def test_lists_and_objects_of_other_streams(lake: Lake) -> None:
    customer = {"customer_id": "c1", "emails": "a@b.c", "address": ["1 Main St", "Town"], "tax_exempt": True}
    land_all(lake, [customer], stream="customers")
    (row,) = landed(lake, "customers")
    assert (row["emails"], row["address"], row["tax_exempt"]) == ('["a@b.c"]', '["1 Main St","Town"]', True)
    grant = {"grant_id": "g", "customer_id": "c1", "amount": "5", "effective_at": date(2026, 1, 1)}
    land_all(lake, [grant | {"recurrence": {"every": "month"}}], stream="credit_grants")
    (row,) = landed(lake, "credit_grants")
    assert (row["priority"], row["recurrence"]) == (100, '{"every":"month"}')


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"certificate_id": None}, "missing_id", "certificate_id is missing"),
        ({"customer_id": " "}, "missing_customer", "customer_id is missing"),
        ({"number": None}, "missing_key", "number is missing"),
        ({"country": None}, "missing_key", "country is missing"),
        (
            {"country": "Germany"},
            "unknown_key",
            "country 'Germany' is not an ISO 3166 code of two capital letters, as in DE",
        ),
        ({"country": "us"}, "unknown_key", "two capital letters"),
        ({"reason": "friend"}, "unknown_key", "reason 'friend' is not one of agriculture, charity"),
        ({"valid_from": None}, "bad_time", "valid_from is missing"),
        ({"valid_until": "soon"}, "bad_time", "valid_until 'soon' is no ISO 8601"),
        ({"valid_until": "2026-01-01"}, "bad_time", "valid_until '2026-01-01' is not after valid_from"),
        (
            {"valid_until": date(2025, 1, 1)},
            "bad_time",
            "not after valid_from; it is the first day that is not in it",
        ),
        ({"expires": "2026-12-31"}, "unknown_key", "exemption_certificates has no field expires"),
    ],
)
def test_a_certificate_says_what_is_wrong_with_it(
    lake: Lake, change: dict[str, Any], code: str, words: str
) -> None:
    good = {
        "certificate_id": "x",
        "customer_id": "c",
        "number": "1",
        "country": "DE",
        "reason": "charity",
        "valid_from": "2026-01-01",
    }
    assert only_reason(lake, good | change, stream="exemption_certificates") == code
    rejected = lake.read("raw/rejected")
    assert rejected is not None and words in rejected["reason"].to_pylist()[0]
    assert (
        land_all(
            lake, [good | {"revoked_on": "2025-12-01"}], stream="exemption_certificates", batch_id="b2"
        ).accepted
        == 1
    )


def test_a_rate_names_its_own_source(lake: Lake) -> None:
    rate = {"base": "USD", "quote": "CAD", "rate": "1.35", "rate_on": date(2026, 1, 1), "source": "ecb"}
    land_all(lake, [rate], stream="fx_rates")
    assert (landed(lake, "fx_rates")[0]["source"], landed(lake, "fx_rates")[0]["rate"]) == (
        "ecb",
        Decimal("1.35"),
    )


def test_contract_events_without_id_keep_equal_ones_apart_and_land_alike(lake: Lake) -> None:
    delivery = {"contract_id": "k", "type": "delivered", "effective_on": "2026-01-01", "data": {"units": "1"}}
    land_all(lake, [delivery, delivery], stream="contract_events", batch_id="b1")
    land_all(lake, [delivery, delivery], stream="contract_events", batch_id="b2")
    ids = [row["event_id"] for row in landed(lake, "contract_events")]
    assert len(set(ids)) == 2 and ids[:2] == ids[2:]


def test_documents_have_a_hash(lake: Lake) -> None:
    book = {
        "price_book": "1",
        "effective_from": "2026-01-01",
        "currency": "EUR",
        "document": {"b": "1", "a": []},
    }
    land_all(lake, [book], stream="price_books")
    (row,) = landed(lake, "price_books")
    assert row["document"] == '{"a":[],"b":"1"}'
    assert len(row["content_hash"]) == 64


def test_replay_after_a_fix(lake: Lake) -> None:
    land_all(
        lake, [event(quantity="x"), event(event_id="e2", occurred_at="2026-02-03"), event(event_id=None)]
    )
    later = datetime(2026, 2, 10, tzinfo=UTC)
    first = replay(lake, tenant_id="t", now=later)
    assert (first.accepted, first.still_rejected) == (1, Counter(bad_number=1, missing_id=1))
    fields = replacements(["quantity=7"], "usage_events")
    second = replay(lake, tenant_id="t", reason_code="bad_number", fix=lambda _: fields, now=later)
    assert (second.accepted, second.still_rejected) == (1, Counter())
    again = replay(lake, tenant_id="t", fix=lambda _: fields, now=later)
    assert (again.accepted, again.still_rejected) == (0, Counter(missing_id=1))
    events = {row["event_id"]: row for row in landed(lake, "usage_events")}
    assert events["e1"]["quantity"] == 7
    assert events["e2"]["recorded_at"] == later
    assert len(landed(lake, "usage_events")) == 2
    state = {row["reason_code"]: row["replayed"] for row in rejected_rows(lake, tenant_id="t").to_pylist()}
    assert state == {"bad_number": True, "future_time": True, "missing_id": False}


def test_a_replay_that_was_killed_is_completed_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    land_all(lake, [event(occurred_at="2026-02-03")])
    write = Lake.write

    def die(self: Lake, relation: str, name: str, table: pa.Table, *, partition: str = "") -> bool:
        if relation == "raw/usage_events":
            raise LakeNotWritable("killed")
        return write(self, relation, name, table, partition=partition)

    monkeypatch.setattr(Lake, "write", die)
    with pytest.raises(LakeNotWritable):
        replay(lake, tenant_id="t", now=datetime(2026, 2, 10, tzinfo=UTC))
    monkeypatch.undo()
    assert landed(lake, "usage_events") == []
    for _ in range(2):
        assert replay(lake, tenant_id="t").accepted == 0
        assert len(landed(lake, "usage_events")) == 1
