"""Bring the demo into a lake, or into files that `ratehouse ingest file` reads. Nothing is invented here."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from ingest.demo.companies import Company, certificate_rows, company, customer_rows, subscription_event_rows
from ingest.demo.dice import Dice
from ingest.demo.faults import Received, receive
from ingest.demo.plan import DemoPlan, DemoSummary
from ingest.demo.usage import usage
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import Landed, land

SOURCE = "demo"
# What a unit of foreign money is worth in the tenant's own on the first day, in millionths.
_FIRST_RATES = {("kumo", "USD", "JPY"): 149_200_000, ("kumo", "KWD", "JPY"): 486_700_000}
Progress = Callable[[str, float], None]


class DemoError(RatehouseError):
    """The lake cannot take this demo."""


def companies(plan: DemoPlan) -> list[Company]:
    """The tenants with their customers and subscriptions."""
    return [company(plan, tenant, size) for tenant, size in plan.share(plan.customers, 0).items()]


def received(plan: DemoPlan, of: Company) -> Received:
    """All usage rows of one tenant, good and bad."""
    return receive(plan, of.tenant_id, usage(plan, of, plan.share(plan.events, 1)[of.tenant_id]))


def months(plan: DemoPlan, rows: pl.DataFrame) -> Iterator[tuple[str, datetime, pl.DataFrame]]:
    """The rows by the UTC month they were recorded in: its name, its end (at most the demo's), its rows."""
    first = rows["recorded_at"].dt.strftime("%Y-%m")
    for month in sorted(first.unique().to_list()):
        after = (datetime.fromisoformat(f"{month}-01").replace(tzinfo=UTC) + timedelta(days=32)).replace(
            day=1
        )
        yield month, min(after, plan.closes_at), rows.filter(first == month)


def land_demo(lake: Lake, plan: DemoPlan, *, progress: Progress | None = None) -> DemoSummary:
    """Land customers, subscription events and usage events of the three tenants; a second call adds nothing.

    Tenant settings, price books and clocks are not landed here: they are documents under `tenants/`.

    Args:
        lake: where to.
        plan: which demo. All its facts are recorded before `plan.closes_at` (UTC).
        progress: called with what is being done and the fraction done so far.

    Raises:
        DemoError: the lake holds a demo of another plan, whose event ids would conflict with this one's.
        LakeNotWritable: see `Lake.write`.
    """
    began = time.monotonic()
    tell = progress or (lambda _what, _fraction: None)
    _refuse_another_demo(lake, plan)
    done = DemoSummary()

    def put(stream: str, rows: list[dict[str, Any]] | pl.DataFrame, name: str, at: datetime) -> Landed:
        landed = land(
            lake,
            stream,
            rows,
            tenant_id=None,
            source=SOURCE,
            batch_id=f"demo-{plan.key}{name}",
            received_at=at,
        )
        done.batches += 1
        done.batches_new += not landed.already_landed
        return landed

    tell("inventing customers", 0.0)
    sellers = companies(plan)
    customers = [row for of in sellers for row in customer_rows(plan, of)]
    events = [row for of in sellers for row in subscription_event_rows(plan, of)]
    put("customers", customers, "", plan.closes_at)
    put("subscription_events", events, "", plan.closes_at)
    certificates = [row for of in sellers for row in certificate_rows(plan, of)]
    if certificates:  # a small demo may have none, and a batch of nothing is no batch
        put("exemption_certificates", certificates, "", plan.closes_at)
    put("fx_rates", list(fx_rows(plan)), "", plan.closes_at)
    done.customers = sum(len(of.customers) for of in sellers)
    done.subscriptions = sum(len(of.subscriptions) for of in sellers)
    done.subscription_events = len(events)

    frames: list[pl.DataFrame] = []
    malformed: list[dict[str, Any]] = []
    for index, of in enumerate(sellers):
        tell(f"making usage of {of.tenant_id}", 0.05 + 0.1 * index)
        got = received(plan, of)
        frames.append(got.rows)
        malformed += got.malformed
        done.late += got.late
        done.duplicates += got.duplicates
        done.conflicts += got.conflicts
        done.strays += got.strays
        done.events_by_tenant[of.tenant_id] = got.rows.height
    rows = pl.concat(frames)
    frames.clear()
    done.events_by_type = dict(rows.group_by("event_type").len().sort("event_type").iter_rows())
    done.usage_rows = rows.height + len(malformed)

    left = rows.height
    for month, at, part in months(plan, rows):
        tell(f"landing usage received in {month}", 0.35 + 0.65 * (1 - left / rows.height))
        left -= part.height
        landed = put("usage_events", part, f"-{month}", at)
        done.accepted += landed.accepted
        done.rejected += landed.rejected
    # rows for which a typed frame has no place arrive as what they are: one by one, as dicts
    landed = put("usage_events", malformed, "-malformed", plan.closes_at)
    done.accepted += landed.accepted
    done.rejected += landed.rejected
    done.reasons = landed.reasons
    tell("done", 1.0)
    done.seconds = time.monotonic() - began
    return done


def fx_rows(plan: DemoPlan) -> Iterator[dict[str, Any]]:
    """What foreign money was worth on every working day, as a central bank would publish it in the afternoon."""
    for (tenant, base, quote), millionths in _FIRST_RATES.items():
        dice = Dice(plan.seed, "fx", tenant, base)
        day = plan.start - timedelta(days=10)
        while day < plan.end:
            millionths += millionths * dice.one(-400, 400) // 100_000
            if day.weekday() < 5:
                yield {
                    "tenant_id": tenant,
                    "base": base,
                    "quote": quote,
                    "rate": Decimal(millionths).scaleb(-6),
                    "rate_on": day,
                    "recorded_at": datetime.combine(day, time_of_day(15), UTC),
                }
            day += timedelta(days=1)


def _refuse_another_demo(lake: Lake, plan: DemoPlan) -> None:
    for file in lake.files("raw/batches"):
        name = Path(file).stem
        if name.startswith("customers__demo-") and name != f"customers__demo-{plan.key}":
            raise DemoError(
                f"{lake!r} already holds a demo of another size or seed. "
                "Use an empty lake (RATEHOUSE_LAKE), or delete that one."
            )


# --- files --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sample:
    """One file of raw events as some product might export them, with the map that reads it."""

    tenant_id: str
    event_type: str
    file: str
    columns: dict[str, str]  # column of the file -> column of the stream
    properties: dict[str, pl.DataType]
    occurred_at: dict[str, str]


_SAMPLES = (
    _Sample(
        "acme",
        "llm.completion",
        "acme_completions.ndjson.gz",
        {"request_id": "event_id", "client": "customer_id", "at": "occurred_at", "requests": "quantity"},
        {
            "input_tokens": pl.Int64(),
            "model": pl.String(),
            "output_tokens": pl.Int64(),
            "region": pl.String(),
            "status": pl.String(),
        },
        {"column": "at", "timezone": "UTC"},
    ),
    _Sample(
        "nordlys",
        "egress",
        "nordlys_egress.csv",
        {"id": "event_id", "account": "customer_id", "local_time": "occurred_at", "gb": "quantity"},
        {"region": pl.String()},
        {"column": "local_time", "timezone": "Europe/Paris"},
    ),
    _Sample(
        "kumo",
        "payment.captured",
        "kumo_payments.parquet",
        {"payment": "event_id", "shop": "customer_id", "captured_at": "occurred_at"},
        {"amount": pl.String(), "method": pl.String()},
        {"column": "captured_at", "timezone": "UTC"},
    ),
)


def write_demo_files(out_dir: Path, plan: DemoPlan, *, on: date | None = None) -> list[Path]:
    """Write one day of one event type of each tenant as a product would export it, each with its map.

    The events are those of the demo: importing a file into a lake that holds it adds only duplicates, which
    are dropped and counted. The CSV file ends with two bad lines, to be seen as rejected with file and line.

    Args:
        out_dir: made if missing.
        plan: which demo.
        on: the UTC day; default the fifteenth of the last month.

    Returns:
        The files and the maps, for each tenant its file before its map.
    """
    day = on or (plan.end - timedelta(days=1)).replace(day=15)
    out_dir.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for of in companies(plan):
        sample = next(s for s in _SAMPLES if s.tenant_id == of.tenant_id)
        # no second copies: a conflicting one has other properties than the file has columns
        first = received(plan, of).rows.unique("event_id", keep="first", maintain_order=True)
        rows = first.filter(
            (pl.col("recorded_at").dt.date() == day)
            & (pl.col("event_type") == sample.event_type)
            # the file names customers only
            & pl.col("subscription_id").is_null()
        )
        fields = pl.Struct(dict(sample.properties))
        properties = rows.select(pl.col("properties").str.json_decode(fields).alias("p")).unnest("p")
        frame = rows.select(pl.col(own).alias(name) for name, own in sample.columns.items()).hstack(
            properties
        )
        path = out_dir / sample.file
        _write(path, sample, frame)
        written += [path, _write_map(path, sample)]
    return written


def _write(path: Path, sample: _Sample, frame: pl.DataFrame) -> None:
    at = sample.occurred_at["column"]
    if path.suffix == ".parquet":
        frame.write_parquet(path, compression="zstd")
        return
    if path.suffix == ".csv":
        local = (
            pl.col(at)
            .dt.convert_time_zone(sample.occurred_at["timezone"])
            .dt.strftime("%Y-%m-%d %H:%M:%S%.6f")
        )
        text = frame.with_columns(local, _plain_number("gb")).write_csv()
        bad = "bad-1,c-0001,31/10/2026 10:00,1,eu-west\nbad-2,c-0001,2026-10-15 10:00:00,twelve,eu-west\n"
        path.write_text(text + bad, encoding="utf-8", newline="")
        return
    text = frame.with_columns(
        pl.col(at).dt.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"), _plain_number("requests")
    ).write_ndjson()
    # no time stamp and no name inside: the same demo is the same file
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _plain_number(name: str) -> pl.Expr:
    """A decimal(28,10) as text without trailing zeros."""
    return pl.col(name).cast(pl.String).str.strip_chars_end("0").str.strip_suffix(".").alias(name)


def _write_map(path: Path, sample: _Sample) -> Path:
    columns = {own: name for name, own in sample.columns.items()}
    document: dict[str, Any] = {
        "event_id": f"{{{columns['event_id']}}}",
        "customer_id": f"{{{columns['customer_id']}}}",
        "event_type": sample.event_type,
        "occurred_at": sample.occurred_at,
    }
    if "quantity" in columns:
        document["quantity"] = {"column": columns["quantity"]}
    document["properties"] = {name: name for name in sample.properties}
    target = path.with_name(path.name.split(".", 1)[0] + ".map.yaml")
    target.write_text(
        f"# ratehouse ingest file --tenant {sample.tenant_id} --stream usage_events"
        f" --map {target.name} {path.name}\n" + yaml.safe_dump(document, sort_keys=False),
        encoding="utf-8",
    )
    return target
