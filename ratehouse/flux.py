"""What people say about a change of revenue, as facts: `raw/flux_explanations`. One explains, somebody else accepts.

Belongs here: the two facts, and refusing early what the models would not count. Does not belong here: the change and what drove
it (`marts.revenue_flux`), and which changes are to be explained (the tenant's `revenue.flux`).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal

import duckdb

from ratehouse.canonical_json import canonical
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

STREAM = "flux_explanations"
COMPARISONS = ("month", "year")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

Row = dict[str, Any]


class FluxRefused(RatehouseError):
    """What is said about a change cannot count; the message says why."""


@dataclass(frozen=True)
class Line:
    """Which change is meant: a line of the mart `revenue_flux`.

    Attributes:
        period: the month, YYYY-MM.
        charge: the charge, or the obligation of a stated contract.
        currency: of the amounts; may be empty where the line has one only.
        account_role: revenue or breakage_revenue.
        comparison: month, with the month before, or year.
    """

    period: str
    charge: str
    currency: str = ""
    account_role: str = "revenue"
    comparison: str = "month"


def explain(
    settings: Settings,
    tenant_id: str,
    line: Line,
    *,
    by: str,
    explanation: str,
    owner: str = "",
    now: datetime | None = None,
) -> Decimal:
    """Say what is behind a change, as it is published.

    Args:
        settings: the installation; the change is looked up in its serving file.
        tenant_id: whose revenue.
        line: which change.
        by: who says it.
        explanation: what was found.
        owner: who answers for the line; default who explains it.
        now: when (UTC).

    Returns:
        The change that was explained.

    Raises:
        FluxRefused: there is no such line, or a word is missing.
    """
    who, why = _said(by, "who you are"), _said(explanation, "what is behind the change")
    found = _published(settings, tenant_id, line)
    said = {"explanation": why, "owner": owner.strip() or who}
    _land(settings, tenant_id, found, "explain", who, said, now or datetime.now(UTC))
    return Decimal(found["change"])


def accept(settings: Settings, tenant_id: str, line: Line, *, by: str, now: datetime | None = None) -> None:
    """Accept what somebody else found, of the change as it is published.

    Args:
        settings: the installation.
        tenant_id: whose revenue.
        line: which change.
        by: who accepts it.
        now: when (UTC).

    Raises:
        FluxRefused: nothing was explained, another change was, or the one who explained it accepts it.
    """
    who = _said(by, "who you are")
    found = _published(settings, tenant_id, line)
    before = [
        fact for fact in _facts(Lake(settings.lake_url), tenant_id, found) if fact["action"] == "explain"
    ]
    name = f"{found['charge']} {found['currency']} of {found['period']}"
    if not before:
        raise FluxRefused(f"Nobody has explained {name}; do it with `ratehouse flux explain`.")
    last = before[-1]
    if last["decided_by"].casefold() == who.casefold():
        raise FluxRefused(f"{who} explained {name}; somebody else accepts it.")
    if last["change"] != found["change"]:
        raise FluxRefused(
            f"{name} was explained when it had changed by {last['change'].normalize():f}; now it has by "
            f"{found['change'].normalize():f}. It is to be explained again."
        )
    _land(settings, tenant_id, found, "accept", who, {}, now or datetime.now(UTC))


def lines(
    settings: Settings, tenant_id: str, *, period: str | None = None, comparison: str = "month"
) -> list[Row]:
    """The lines of the flux analysis as published, the largest change of each month first.

    Raises:
        FluxRefused: nothing is published, or the month or comparison is none.
    """
    if period is not None:
        _check(period, comparison)
    rows = _query(
        settings,
        "select * from marts.revenue_flux where tenant_id = $tenant and comparison = $comparison"
        " and ($period is null or period = $period)"
        " order by period desc, abs(coalesce(functional_change, change)) desc, charge, currency, account_role",
        {"tenant": tenant_id, "comparison": comparison, "period": period},
    )
    return rows


def _published(settings: Settings, tenant_id: str, line: Line) -> Row:
    _check(line.period, line.comparison)
    found = [
        row
        for row in lines(settings, tenant_id, period=line.period, comparison=line.comparison)
        if (row["charge"], row["account_role"]) == (line.charge, line.account_role)
        and line.currency in ("", row["currency"])
    ]
    if not found:
        raise FluxRefused(
            f"The flux analysis of {tenant_id} has no line {line.charge} {line.currency} ({line.account_role}) in "
            f"{line.period}, compared by {line.comparison}; `ratehouse flux list` shows what there is."
        )
    if len(found) > 1:
        codes = ", ".join(sorted(row["currency"] for row in found))
        raise FluxRefused(f"{line.charge} has lines in {codes}; say which with --currency.")
    return found[0]


def _query(settings: Settings, sql: str, parameters: dict[str, Any]) -> list[Row]:
    if not settings.serving_path.exists():
        raise FluxRefused(f"Nothing is published at {settings.serving_path} yet; `ratehouse run` does it.")
    with duckdb.connect(str(settings.serving_path), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        try:
            rows: list[Row] = connection.sql(sql, params=parameters).to_arrow_table().to_pylist()
        except duckdb.CatalogException as error:
            raise FluxRefused(
                "What is published has no flux analysis; the next `ratehouse run` makes it."
            ) from error
        return rows


def _facts(lake: Lake, tenant_id: str, line: Row) -> list[Row]:
    table = lake.read(f"raw/{STREAM}")
    key = ("comparison", "period", "account_role", "charge", "currency")
    own = [
        row
        for row in (table.to_pylist() if table is not None else [])
        if row["tenant_id"] == tenant_id and all(row[name] == line[name] for name in key)
    ]
    return sorted(own, key=lambda row: (row["recorded_at"], row["explanation_id"]))


def _land(
    settings: Settings,
    tenant_id: str,
    line: Row,
    action: Literal["explain", "accept"],
    who: str,
    said: dict[str, str],
    at: datetime,
) -> None:
    lake = Lake(settings.lake_url)
    lake.check_writable()
    fact = {
        **{
            name: line[name]
            for name in ("comparison", "period", "account_role", "charge", "currency", "change")
        },
        **said,
        "action": action,
        "decided_by": who,
        "effective_at": at,
    }
    identity = canonical([tenant_id, {name: str(value) for name, value in fact.items()}])
    explanation_id = "fx_" + hashlib.sha256(identity.encode()).hexdigest()[:24]
    landed = land(
        lake,
        STREAM,
        [{**fact, "explanation_id": explanation_id}],
        tenant_id=tenant_id,
        source="person",
        batch_id=f"flux-{explanation_id}",
        received_at=at,
    )
    if landed.rejected:
        raise FluxRefused(f"The fact is not in order: {dict(landed.reasons)}.")


def _check(period: str, comparison: str) -> None:
    if not _MONTH.fullmatch(period):
        raise FluxRefused(f"{period!r} is no month; write it as 2026-10.")
    if comparison not in COMPARISONS:
        raise FluxRefused(f"There is no comparison {comparison!r}; use month or year.")


def _said(text: str, what: str) -> str:
    if not text.strip():
        raise FluxRefused(f"Say {what}.")
    return text.strip()
