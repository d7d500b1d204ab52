"""What goes wrong on the way: delays, second copies, conflicting copies, strays and malformed rows.

Everything here must come out again: a copy in `usage_completeness`, a stray in `reconciliation_items`, a
malformed row in `rejected_rows`. Events as they were meant are `ingest.demo.usage`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ingest.demo.dice import Dice, Ints
from ingest.demo.plan import MILLION, DemoPlan

SECOND = 1_000_000  # microseconds, as in all instants here
DAY = 86_400 * SECOND
TOO_LARGE = 66_000  # characters of a blob, above the 64 KiB that properties may have

# reason code -> share among the malformed rows, in hundredths
DEFECTS: dict[str, int] = {
    "missing_id": 18,
    "missing_customer": 18,
    "bad_time": 18,
    "future_time": 14,
    "bad_number": 18,
    "bad_json": 8,
    "unknown_key": 5,
    "too_large": 1,
}

_HEX = np.array([f"{n:02x}".encode() for n in range(256)], dtype="S2")


@dataclass(frozen=True)
class Received:
    """All rows of one tenant as its sender sent them.

    Attributes:
        rows: well-formed rows, in order of recorded_at.
        malformed: raw rows that will be rejected.
        late, duplicates, conflicts, strays: how many of `rows` are such.
    """

    rows: pl.DataFrame
    malformed: list[dict[str, Any]]
    late: int
    duplicates: int
    conflicts: int
    strays: int


def event_ids(first: int, count: int) -> pl.Series:
    """Ids of twelve hex digits: all different (an odd factor is a bijection of 48 bits), and not in order."""
    # every tenant counts from the same number, so tenants share ids: an id is unique within its tenant only
    numbers = (
        np.arange(first, first + count, dtype=np.uint64) * np.uint64(0x9E3779B97F4B) + np.uint64(0x5DEECE66D)
    ) & np.uint64(2**48 - 1)
    digits = np.ascontiguousarray(numbers.astype(">u8")[:, None].view(np.uint8)[:, 2:])
    offsets = np.arange(count + 1, dtype=np.int32) * 12
    text = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(_HEX[digits].tobytes()))
    return pl.Series("event_id", text)


def receive(plan: DemoPlan, tenant_id: str, clean: pl.DataFrame) -> Received:
    """Give clean events of one tenant ids and arrival times, and let things go wrong as the plan says."""
    dice = Dice(plan.seed, tenant_id, "faults")
    clean, strays = _with_strays(plan, dice, clean)
    clean = clean.with_columns(event_ids(1, clean.height))
    occurred = clean["occurred_at"].cast(pl.Int64).to_numpy()
    recorded, is_late = _arrival(plan, dice, occurred)
    clean = clean.with_columns(_instants("recorded_at", recorded))

    copies = dice.sample(clean.height, clean.height * plan.duplicates_ppm // MILLION)
    again = clean[copies].with_columns(_instants("recorded_at", _later(plan, dice, recorded[copies])))
    clashing = dice.sample(clean.height, clean.height * plan.conflicts_ppm // MILLION)
    other = _changed(
        clean[clashing].with_columns(_instants("recorded_at", _later(plan, dice, recorded[clashing])))
    )
    malformed = _malformed(plan, dice, tenant_id, clean)

    rows = pl.concat([clean, again, other]).sort("recorded_at", maintain_order=True)
    rows = rows.select(
        pl.lit(tenant_id).alias("tenant_id"),
        "event_id",
        "customer_id",
        "subscription_id",
        "event_type",
        "occurred_at",
        "quantity",
        "properties",
        "recorded_at",
    )
    return Received(rows, malformed, int(is_late.sum()), again.height, other.height, strays)


def _instants(name: str, microseconds: Ints) -> pl.Series:
    return pl.Series(name, microseconds).cast(pl.Datetime("us", "UTC"))


def _with_strays(plan: DemoPlan, dice: Dice, clean: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Add events of customers nobody knows and of types nobody meters, made from good ones."""
    count = clean.height * plan.stray_ppm // MILLION
    source = dice.sample(clean.height, count)
    unknown = clean[source].with_columns(pl.lit(None, pl.String).alias("subscription_id"))
    number, kind = dice.between(1, 12, count), dice.below(10, count)
    customers = pl.Series(number + 9_900).cast(pl.String)
    unknown = unknown.with_columns(
        pl.when(pl.Series(kind < 8))
        .then(pl.concat_str(pl.lit("c-"), customers))
        .otherwise("customer_id")
        .alias("customer_id"),
        pl.when(pl.Series(kind < 8)).then("event_type").otherwise(pl.lit("beta.preview")).alias("event_type"),
    )
    return pl.concat([clean, unknown]).sort("occurred_at", maintain_order=True), count


def _arrival(plan: DemoPlan, dice: Dice, occurred: Ints) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """When each was recorded: seconds later, some minutes later, the late ones a day to six weeks later."""
    size = len(occurred)
    closes = int(plan.closes_at.timestamp()) * SECOND
    lag = SECOND // 5 + dice.below(30 * SECOND, size)
    lag = np.where(dice.hits(40_000, size), lag * 25, lag)
    # late only if a whole day still fits before the end; the odds make up for those that do not
    room = closes - occurred - DAY - SECOND
    late = dice.hits(plan.late_ppm, size) & (room > DAY)
    age, within = dice.below(10, size), dice.below(DAY // 1000, size) * 1000
    days = np.where(
        age < 6, dice.below(3, size), np.where(age < 9, 3 + dice.below(11, size), 14 + dice.below(29, size))
    )
    lag = np.where(late, DAY + (days * DAY + within) % np.maximum(room, 1), lag)
    return occurred + lag, late


def _later(plan: DemoPlan, dice: Dice, recorded: Ints) -> Ints:
    """When a second copy arrived: mostly within minutes (a retry), some days later (a replayed file)."""
    size = len(recorded)
    lag = SECOND + dice.below(600 * SECOND, size)
    lag = np.where(dice.hits(150_000, size), lag * 400, lag)
    room = int(plan.closes_at.timestamp()) * SECOND - recorded - 1
    return recorded + np.maximum(np.minimum(lag, room), 1)


def _changed(rows: pl.DataFrame) -> pl.DataFrame:
    """The same ids with another quantity, another instant, or other properties."""
    turn = pl.int_range(pl.len()) % 3
    return rows.with_columns(
        pl.when(turn == 0)
        .then(pl.col("quantity") + pl.lit(1).cast(pl.Decimal(28, 10)))
        .otherwise("quantity")
        .cast(pl.Decimal(28, 10))
        .alias("quantity"),
        pl.when(turn == 1)
        .then(pl.col("occurred_at") - timedelta(seconds=1))
        .otherwise("occurred_at")
        .alias("occurred_at"),
        pl.when(turn == 2).then(pl.lit('{"resent":true}')).otherwise("properties").alias("properties"),
    )


def _malformed(plan: DemoPlan, dice: Dice, tenant_id: str, clean: pl.DataFrame) -> list[dict[str, Any]]:
    """Raw rows, each broken in one way; their ids belong to no good row."""
    count = max(clean.height * plan.malformed_ppm // MILLION, len(DEFECTS))
    source = clean[dice.sample(clean.height, min(count, clean.height))]
    shares = np.cumsum(list(DEFECTS.values()))
    # every reason at least once, also in a small demo
    numbers = (
        np.arange(source.height) % 100
        if source.height >= 100
        else shares[np.arange(source.height) % len(DEFECTS)] - 1
    )
    reasons = np.array(list(DEFECTS))[np.searchsorted(shares, numbers, side="right")]
    ids = event_ids(clean.height + 1, source.height)
    rows: list[dict[str, Any]] = []
    for index, (row, reason) in enumerate(zip(source.iter_rows(named=True), reasons.tolist(), strict=True)):
        row |= {
            "tenant_id": tenant_id,
            "event_id": ids[index],
            "occurred_at": row["occurred_at"].isoformat(),
            "quantity": format(row["quantity"].normalize(), "f"),
        }
        _BREAK[reason](row, index)
        rows.append(row)
    return rows


def _future(row: dict[str, Any], index: int) -> None:
    row["occurred_at"] = (row["recorded_at"] + timedelta(hours=2 + index % 40)).isoformat()


_BREAK: dict[str, Callable[[dict[str, Any], int], None]] = {
    "missing_id": lambda row, index: row.update(event_id=("", None, "  ")[index % 3]),
    "missing_customer": lambda row, index: row.update(customer_id=None, subscription_id=None),
    "bad_time": lambda row, index: row.update(
        occurred_at=("yesterday", "2026-02-30T10:00:00Z", "31/07/2026 12:00", None)[index % 4]
    ),
    "future_time": _future,
    "bad_number": lambda row, index: row.update(
        quantity=("NaN", "12,5", "Infinity", "9" * 19, "many")[index % 5]
    ),
    "bad_json": lambda row, index: row.update(properties=('{"region":', "[1,2]", "not json")[index % 3]),
    "unknown_key": lambda row, index: row.update(amount_usd="1.00"),
    "too_large": lambda row, index: row.update(properties={"blob": "x" * TOO_LARGE}),
}
