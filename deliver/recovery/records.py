"""Where the history comes from and where plans go: the serving file, the lake, the models' folder.

Belongs here: reading and landing. Does not belong here: any choice (`plan`) or estimate (`evaluate`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from deliver.recovery import model as models
from deliver.recovery.evaluate import Judgement, judge
from deliver.recovery.features import FEATURES, WORDS
from deliver.recovery.plan import Plan, plan, plan_id
from deliver.recovery.train import train
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

STREAM = "retry_plans"
SLOTS = pl.List(pl.Struct({name: pl.String if name in WORDS else pl.Float64 for name in FEATURES}))


class NothingToRead(RatehouseError):
    """There is no serving file, no such tenant or no model yet; the message says what makes one."""


@dataclass(frozen=True)
class Trained:
    """A tenant's new model: where its card is, and what is on it."""

    tenant_id: str
    card_path: Path
    card: dict[str, Any]


def folder(settings: Settings) -> Path:
    """Where models are kept: beside the warehouse, a build product like it."""
    return settings.warehouse_path.parent / "models" / "recovery"


def train_tenant(settings: Settings, tenant_id: str) -> Trained:
    """Learn from all that is closed and keep the model with its card.

    Raises:
        TooFewAttempts: there is not enough history; a model that was trained before stays.
        NothingToRead: there is no serving file.
    """
    attempts = read_mart(settings, "recovery_attempts", tenant_id).filter("is_closed")
    trained = train(attempts, read_log(settings, tenant_id))
    return Trained(tenant_id, models.save(trained, folder(settings), tenant_id), dict(trained.card))


def plan_retries(
    settings: Settings, tenants: Sequence[str] = (), *, now: datetime | None = None
) -> list[Plan]:
    """Choose times for the next retries that have none, and land the choices. Run it as often as you like.

    A retry is planned once: its plan is in the lake before the next build can show that it is. A time that was reached in the
    meantime is no choice any more, so a retry whose fixed time has come keeps it.

    Args:
        settings: the installation; the allowed times come from its serving file.
        tenants: whose retries; none means all.
        now: when the plans are made (UTC; default now).

    Raises:
        NothingToRead: there is no serving file.
        ModelRefused: a model does not fit its card or this version.
    """
    at = now or datetime.now(UTC)
    lake = Lake(settings.lake_url)
    slots = read_mart(settings, "recovery_slots")
    if tenants:
        slots = slots.filter(pl.col("tenant_id").is_in(list(tenants)))
    made = read_plans(lake)
    known = {one.plan_id for one in made}
    fresh = [
        rows
        for (tenant_id, invoice_id, retry_no), rows in slots.group_by(
            "tenant_id", "invoice_id", "retry_no", maintain_order=True
        )
        if plan_id(str(tenant_id), str(invoice_id), int(retry_no)) not in known
        and rows["retry_at"].min() > at  # type: ignore[operator]
    ]
    if not fresh:
        return []
    slots = pl.concat(fresh)
    found = {str(name): models.load(folder(settings), str(name)) for name in slots["tenant_id"].unique()}
    plans = plan(slots, {name: one for name, one in found.items() if one is not None}, made)
    batch = hashlib.sha256("".join(sorted(one.plan_id for one in plans)).encode()).hexdigest()[:40]
    landed = land(
        lake, STREAM, [_row(one) for one in plans],
        tenant_id=None, source="recovery", batch_id=f"retry-plans-{batch}", received_at=at,
    )  # fmt: skip
    if landed.rejected:
        raise RatehouseError(f"{landed.rejected} plans of retries are not in order: {dict(landed.reasons)}.")
    return plans


def evaluate_tenant(settings: Settings, tenant_id: str) -> list[Judgement]:
    """What the tenant's model brings versus the fixed schedule, on invoices that failed after all that it has seen.

    Raises:
        NothingToRead: there is no serving file or no model.
        ModelRefused: the model does not fit its card or this version.
    """
    model = models.load(folder(settings), tenant_id)
    if model is None:
        raise NothingToRead(f"Tenant {tenant_id} has no model; run `ratehouse recovery train` first.")
    log = read_log(settings, tenant_id)
    later = log.filter(pl.col("first_failed_at") > datetime.fromisoformat(model.card["splits"]["test_until"]))
    return judge(later, model)


def read_mart(settings: Settings, mart: str, tenant_id: str | None = None) -> pl.DataFrame:
    """The rows of a mart, of one tenant or all.

    Raises:
        NothingToRead: there is no serving file, or it is of an earlier version.
    """
    if not settings.serving_path.exists():
        raise NothingToRead(
            f"There is no serving file at {settings.serving_path}; `ratehouse run` publishes one."
        )
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            rows = connection.sql(
                f"select * from marts.{mart} where $1 is null or tenant_id = $1 order by all",
                params=[tenant_id],
            )
            return rows.pl()
        except duckdb.CatalogException as error:
            raise NothingToRead(
                f"The serving file has no {mart}; `ratehouse run` publishes it. {error}"
            ) from error


def read_log(settings: Settings, tenant_id: str) -> pl.DataFrame:
    """The plans of a tenant whose outcome is closed, with the features of their times."""
    rows = read_mart(settings, "recovery_plans", tenant_id).filter("is_closed")
    slots = [
        [
            {
                name: slot[name] if name in WORDS or slot[name] is None else float(slot[name])
                for name in FEATURES
            }
            for slot in json.loads(text)
        ]
        for text in rows["slots"]
    ]
    return rows.with_columns(pl.Series("slots", slots, dtype=SLOTS))


def read_plans(lake: Lake) -> list[Plan]:
    """Every plan in the lake."""
    table = lake.read(f"raw/{STREAM}")
    rows = table.to_pylist() if table is not None else []
    names = [field.name for field in fields(Plan)]
    return [
        Plan(**{**{name: row[name] for name in names}, "slots": json.loads(row["slots"])}) for row in rows
    ]


def _row(one: Plan) -> dict[str, Any]:
    """A plan as a row of the stream; JSON carries amounts as text."""
    slots = [
        {name: str(v) if isinstance(v, Decimal) else v for name, v in slot.items()} for slot in one.slots
    ]
    return {**asdict(one), "slots": slots}
