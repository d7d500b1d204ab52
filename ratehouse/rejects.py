"""Rejected rows: looking at them and landing them again after a fix.

These are the rows that `ratehouse.streams.land` refused for their shape. Rows that SQL refuses for their
meaning (a conflicting copy, a forbidden transition) are in the mart `rejected_rows` and are repaired by new
facts.

A replay first writes down which rejects it lands again and how (`raw/rejected_replays`), then lands them. If
it is killed in between, the next replay of the tenant completes it. A reject that was replayed is never
landed a second time.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ratehouse.canonical_json import canonical, parse
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.stream_schema import REJECTED, STREAMS
from ratehouse.streams import check, land

Fix = Callable[[dict[str, Any]], Mapping[str, Any]]


@dataclass
class Replayed:
    """What a replay did.

    Attributes:
        accepted: rejects that are facts now.
        still_rejected: reason codes of those that were refused again; they stay as they are.
        unreadable: rejects whose payload is no row (a broken line of a file): correct the file and import it
        again.
    """

    accepted: int = 0
    still_rejected: Counter[str] = field(default_factory=Counter)
    unreadable: int = 0


def rejected_rows(
    lake: Lake, *, tenant_id: str, stream: str | None = None, reason_code: str | None = None
) -> pa.Table:
    """The rejects of a tenant, one row each, oldest first: the columns of REJECTED and `replayed` (bool)."""
    table = lake.read("raw/rejected")
    rows = REJECTED.empty_table() if table is None else table.select(REJECTED.names).cast(REJECTED)
    wanted = pc.equal(rows["tenant_id"], tenant_id)
    for column, value in (("stream", stream), ("reason_code", reason_code)):
        if value is not None:
            wanted = pc.and_(wanted, pc.equal(rows[column], value))
    rows = rows.filter(wanted).sort_by(
        [("recorded_at", "ascending"), ("file", "ascending"), ("line", "ascending")]
    )
    # the same row may have arrived in several batches
    first: dict[str, int] = {}
    for position, identity in enumerate(rows["reject_id"].to_pylist()):
        first.setdefault(identity, position)
    rows = rows.take(pa.array(list(first.values()), pa.int64()))
    done = {replay["reject_id"] for replay in _replays(lake, tenant_id)}
    flags = [identity in done for identity in rows["reject_id"].to_pylist()]
    return rows.append_column("replayed", pa.array(flags, pa.bool_()))


def replay(
    lake: Lake,
    *,
    tenant_id: str,
    stream: str | None = None,
    reason_code: str | None = None,
    fix: Fix | None = None,
    now: datetime | None = None,
) -> Replayed:
    """Land the tenant's rejects again, as they were or with fields replaced.

    Args:
        lake: where they are.
        tenant_id: whose.
        stream: only rejects of this stream.
        reason_code: only rejects with this code.
        fix: given a row, returns the fields that replace its own (None removes one).
        now: when they arrive again (UTC; default now); `recorded_at` of rows that carry none.

    Raises:
        LakeNotWritable: the lake takes no files; run again once it does.
    """
    _complete(lake, tenant_id)
    result = Replayed()
    received = now or datetime.now(UTC)
    open_rows = [
        row
        for row in rejected_rows(
            lake, tenant_id=tenant_id, stream=stream, reason_code=reason_code
        ).to_pylist()
        if not row["replayed"]
    ]
    for name in sorted({row["stream"] for row in open_rows}):
        _replay_stream(
            lake, tenant_id, name, [r for r in open_rows if r["stream"] == name], fix, received, result
        )
    return result


def _replay_stream(
    lake: Lake,
    tenant_id: str,
    stream: str,
    rejects: list[dict[str, Any]],
    fix: Fix | None,
    received: datetime,
    result: Replayed,
) -> None:
    rows: list[dict[str, Any]] = []
    kept: list[dict[str, Any]] = []
    for reject in rejects:
        row = parse(reject["payload"])
        if "_raw" in row:
            result.unreadable += 1
            continue
        if fix:
            row |= {key: value for key, value in fix(row).items()}
        rows.append({"source": reject["source"]} | row)
        kept.append(reject)
    if not rows:
        return
    checked = check(
        stream, rows, tenant_id=tenant_id, source="replay", batch_id="replay", received_at=received
    )
    result.still_rejected += Counter(checked.rejected["reason_code"].to_pylist())
    if not checked.positions:
        return
    identities = [kept[position]["reject_id"] for position in checked.positions]
    batch_id = (
        "replay-" + hashlib.sha256(canonical([tenant_id, stream, *identities]).encode()).hexdigest()[:24]
    )
    intents = [
        {
            "reject_id": kept[position]["reject_id"],
            "stream": stream,
            "payload": canonical(rows[position]),
            "replay_batch_id": batch_id,
        }
        for position in checked.positions
    ]
    land(
        lake,
        "rejected_replays",
        intents,
        tenant_id=tenant_id,
        source="replay",
        batch_id=batch_id,
        received_at=received,
    )
    result.accepted += _land_intents(lake, tenant_id, stream, batch_id, intents, received)


def _complete(lake: Lake, tenant_id: str) -> None:
    """Finish replays that were written down but not landed to the end."""
    batches: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for intent in _replays(lake, tenant_id):
        batches.setdefault((intent["stream"], intent["replay_batch_id"]), []).append(intent)
    for (stream, batch_id), intents in sorted(batches.items()):
        _land_intents(lake, tenant_id, stream, batch_id, intents, intents[0]["recorded_at"])


def _land_intents(
    lake: Lake,
    tenant_id: str,
    stream: str,
    batch_id: str,
    intents: list[dict[str, Any]],
    received: datetime,
) -> int:
    rows = [parse(intent["payload"]) for intent in intents]
    landed = land(
        lake, stream, rows, tenant_id=tenant_id, source="replay", batch_id=batch_id, received_at=received
    )
    return landed.accepted


def _replays(lake: Lake, tenant_id: str) -> list[dict[str, Any]]:
    table = lake.read("raw/rejected_replays")
    if table is None:
        return []
    rows: list[dict[str, Any]] = table.filter(pc.equal(table["tenant_id"], tenant_id)).to_pylist()
    return rows


def replacements(assignments: list[str], stream: str | None) -> dict[str, str | None]:
    """`key=value` texts as fields to replace; an empty value removes the field.

    Raises:
        RatehouseError: no `=`, or a key that the stream does not have.
    """
    fields: dict[str, str | None] = {}
    known = (
        STREAMS[stream].accepted_keys
        if stream
        else frozenset().union(*(s.accepted_keys for s in STREAMS.values()))
    )
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or key not in known - {"tenant_id"}:
            raise RatehouseError(
                f"--set {assignment}: write key=value with a key of {stream or 'the stream'}:"
                f" {', '.join(sorted(known - {'tenant_id'}))}.",
                reason_code="unknown_key",
            )
        fields[key] = value or None
    return fields
