"""Scenarios: billing stories with the numbers that must come out, run through the real pipeline (landing, dbt, issue).

Belongs here: reading scenario files, giving each scenario a tenant of its own, stepping the clocks, comparing marts.
Does not belong here: any rule; a scenario knows nothing that another tenant could not.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import yaml

from ratehouse import billing, closing, ledger, warehouse
from ratehouse.configuration import KNOWN_FROM_THE_START, book_row, tenant_row, with_negotiated_charges
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.price_book import PriceBookError, parse_price_book
from ratehouse.settings import Settings
from ratehouse.stream_schema import STREAMS
from ratehouse.streams import land
from ratehouse.tenant import parse_tenant

FACTS = (
    "customers",
    "subscription_events",
    "usage_events",
    "credit_grants",
    "adjustments",
    "adjustment_approvals",
    "payments",
    "refunds",
    "disputes",
    "balance_transactions",
    "payouts",
    "retry_plans",
    "bank_lines",
    "bank_statements",
    "manual_matches",
    "manual_acceptances",
    "intercompany_claims",
    "imported_invoice_lines",
    "fx_rates",
    "tax_quotes",
    "tax_id_checks",
    "exemption_certificates",
    "withholding_certificates",
    "contracts",
    "contract_events",
    "period_closes",
    "flux_explanations",
)
_KEYS = {
    "scenario",
    "source",
    "tenant",
    "price_books",
    "clock",
    "expect",
    "expect_after",
    "expect_exactly",
    "expect_rejected",
    "expect_error",
    *FACTS,
}
# What stands in for recorded_at where a fact names no such instant.
_RECORDED_BY = {
    "usage_events": ("occurred_at",),
    "adjustment_approvals": ("decided_at",),
    "payments": ("settled_at", "attempted_at"),
    "balance_transactions": ("available_on",),
    "payouts": ("arrival_on",),
    "bank_lines": ("value_on",),
    "bank_statements": ("closed_on",),
    "imported_invoice_lines": ("issued_at",),
    "fx_rates": ("rate_on",),
    "tax_quotes": ("quoted_at",),
    "tax_id_checks": ("asked_at",),
    "exemption_certificates": ("valid_from",),
    "contracts": ("signed_on",),
    "contract_events": ("effective_on",),
    "period_closes": ("closed_at",),
    "flux_explanations": ("effective_at",),
}


class ScenarioError(RatehouseError):
    """A scenario file that does not follow the format."""


@dataclass(frozen=True)
class Failure:
    """One difference between what was expected and what came out."""

    table: str
    expected: Mapping[str, Any]
    found: list[Mapping[str, Any]]
    reason: str


@dataclass
class Outcome:
    """The result of one scenario."""

    scenario: str
    failures: list[Failure] = field(default_factory=list)
    error: str | None = None

    @property
    def passed(self) -> bool:
        """Whether everything expected came out, and nothing else where that was asked."""
        return not self.failures and self.error is None

    def as_json(self) -> dict[str, Any]:
        """The shape written by `--json`."""
        return {
            "scenario": self.scenario,
            "passed": self.passed,
            "failures": [
                {
                    "table": f.table,
                    "expected": dict(f.expected),
                    "found": [dict(row) for row in f.found],
                    "reason": f.reason,
                }
                for f in self.failures
            ],
            "error": self.error,
        }


@dataclass
class Scenario:
    """One story, read and given a tenant of its own."""

    name: str
    file: str
    content: dict[str, Any]
    tenant_id: str
    zone: ZoneInfo
    clock: list[tuple[datetime, datetime]]  # (billing_as_of, known_as_of) of each run
    clock_labels: list[str]


class _Loader(yaml.CSafeLoader):
    """Numbers stay what they are written as, `yes`, `on` and `off` stay words, and a day that no calendar has stays text."""

    def construct_yaml_timestamp(self, node: yaml.ScalarNode) -> Any:
        try:
            return super().construct_yaml_timestamp(node)
        except ValueError:
            return self.construct_scalar(node)


_Loader.yaml_implicit_resolvers = {
    first: [
        (tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"
    ]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _Loader.construct_yaml_timestamp)


def load(paths: Iterable[Path]) -> list[Scenario]:
    """Read scenario files and folders.

    Raises:
        ScenarioError: a file cannot be read, breaks the format, or two scenarios have one name.
    """
    scenarios: list[Scenario] = []
    seen: dict[str, str] = {}
    for path in paths:
        if not path.exists():
            raise ScenarioError(f"There is no scenario file or folder {path}.")
        for file in sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]:
            for content in _documents(file):
                scenario = _scenario(content, str(file))
                if scenario.name in seen:
                    raise ScenarioError(
                        f"{file}: the scenario {scenario.name!r} is also in {seen[scenario.name]}; names are unique."
                    )
                seen[scenario.name] = str(file)
                scenarios.append(scenario)
    return scenarios


def run(scenarios: Sequence[Scenario], settings: Settings) -> list[Outcome]:
    """Run scenarios together in one fresh warehouse, each step of the clocks for all of them at once.

    Args:
        scenarios: what `load` gave.
        settings: an empty home; lake and warehouse are created in it and left for inspection.
    """
    lake = Lake(settings.lake_url)
    outcomes = {scenario.name: Outcome(scenario.name) for scenario in scenarios}
    runnable = []
    rows: dict[str, list[dict[str, Any]]] = {}
    for scenario in scenarios:
        outcome = outcomes[scenario.name]
        try:
            facts = _facts(scenario)
        except RatehouseError as error:
            _judge_error(scenario, outcome, error)
            continue
        if scenario.content.get("expect_error"):
            for expected in scenario.content["expect_error"]:
                outcome.failures.append(Failure("expect_error", expected, [], "the facts were accepted"))
            continue
        runnable.append(scenario)
        for stream, stream_rows in facts.items():
            rows.setdefault(stream, []).extend(stream_rows)
    for stream, stream_rows in rows.items():
        land(
            lake,
            stream,
            stream_rows,
            tenant_id=None,
            source="scenario",
            batch_id="facts",
            received_at=KNOWN_FROM_THE_START,
        )

    with warehouse.writer(settings):
        steps = max((len(scenario.clock) for scenario in runnable), default=0)
        for step in range(steps):
            _step(step, steps, runnable, outcomes, settings, lake)
    return [outcomes[scenario.name] for scenario in scenarios]


def _step(
    step: int,
    steps: int,
    scenarios: list[Scenario],
    outcomes: dict[str, Outcome],
    settings: Settings,
    lake: Lake,
) -> None:
    stepping = [scenario for scenario in scenarios if step < len(scenario.clock)]
    clocks = [
        {
            "tenant_id": scenario.tenant_id,
            "billing_as_of": scenario.clock[step][0],
            "known_as_of": scenario.clock[step][1],
            "recorded_at": KNOWN_FROM_THE_START + timedelta(seconds=step),
        }
        for scenario in stepping
    ]
    land(lake, "tenant_clocks", clocks, tenant_id=None, source="scenario", batch_id=f"step-{step:03d}")
    billing.refresh_for_issuing(settings, lake)
    with warehouse.connect(settings) as connection:
        issued = ledger.issue(connection, lake)
    checked = [
        (scenario, scenario.content["expect_after"][scenario.clock_labels[step]])
        for scenario in stepping
        if scenario.clock_labels[step] in scenario.content["expect_after"]
    ]
    is_last = step == steps - 1
    # Of a run that nobody looks at and that closes no month, only what it issues matters.
    if not (checked or is_last or any("period_closes" in scenario.content for scenario in stepping)):
        return
    billing.refresh_after_issuing(settings, lake, issued)
    if closing.is_due(settings):
        with warehouse.connect(settings) as connection:
            closed = closing.close(connection, lake)
        if closed:
            warehouse.build_on_ledger(settings, lake, closing.RELATIONS)
    with warehouse.connect(settings) as connection:
        marts = _Marts(connection)
        for scenario, expected in checked:
            _compare(scenario, expected, (), marts, outcomes[scenario.name])
        if is_last:
            for scenario in scenarios:
                exactly = scenario.content.get("expect_exactly", ())
                _compare(
                    scenario, scenario.content.get("expect", {}), exactly, marts, outcomes[scenario.name]
                )
                _compare_rejected(scenario, marts, outcomes[scenario.name])


# --- reading -----------------------------------------------------------------------------------------------


def _documents(file: Path) -> list[Any]:
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
    except yaml.YAMLError as error:
        raise ScenarioError(f"{file}: not valid YAML: {error}") from error
    return [
        one
        for document in documents
        for one in (document if isinstance(document, list) else [document])
        if one is not None
    ]


def _scenario(content: Any, file: str) -> Scenario:
    if not isinstance(content, dict) or not content.get("scenario"):
        raise ScenarioError(f"{file}: a scenario is a mapping with the key `scenario`, its name.")
    name = str(content["scenario"])
    unknown = sorted(set(content) - _KEYS)
    if unknown:
        raise ScenarioError(f"{file}: scenario {name!r}: unknown key {', '.join(map(repr, unknown))}.")
    if not content.get("clock"):
        raise ScenarioError(f"{file}: scenario {name!r}: `clock` must list at least one run.")
    zone_name = (content.get("tenant") or {}).get("timezone", "UTC")
    try:
        zone = ZoneInfo(str(zone_name))
    except (KeyError, ValueError) as error:
        raise ScenarioError(f"{file}: scenario {name!r}: unknown time zone {zone_name!r}.") from error
    clock, labels = [], []
    for entry in content["clock"]:
        moment = entry if isinstance(entry, Mapping) else {"billing_as_of": entry, "known_as_of": entry}
        billing = _instant(moment["billing_as_of"], zone)
        clock.append((billing, _instant(moment.get("known_as_of", moment["billing_as_of"]), zone)))
        labels.append(_label(moment["billing_as_of"]))
    content = {
        **content,
        "expect_after": {_label(key): value for key, value in (content.get("expect_after") or {}).items()},
    }
    strange = set(content["expect_after"]) - set(labels)
    if strange:
        raise ScenarioError(
            f"{file}: scenario {name!r}: expect_after names {sorted(strange)}, which is no run of its clock."
        )
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return Scenario(name, file, content, f"t-{digest}", zone, clock, labels)


def _label(value: Any) -> str:
    """A run of the clock by the words it is written in, quoted or not."""
    if isinstance(value, str) and len(value) > 10:
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return value
    return value.isoformat() if isinstance(value, date) else str(value)


def _day(value: Any) -> date | None:
    """A date or an instant that YAML read as one, and a date in quotes; what is neither is for the landing to judge."""
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        return None


def _instant(value: Any, zone: ZoneInfo) -> datetime:
    """A date is that day's first instant in the zone."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if day := _day(value):
        return datetime.combine(day, time(), zone).astimezone(UTC)
    try:
        return _instant(datetime.fromisoformat(str(value)), zone)
    except ValueError as error:
        raise ScenarioError(f"{value!r} is no date and no instant.") from error


def _facts(scenario: Scenario) -> dict[str, list[dict[str, Any]]]:
    content, tenant_id = scenario.content, scenario.tenant_id
    tenant = parse_tenant({"tenant": tenant_id, **(content.get("tenant") or {})}, scenario.file)
    books = [
        parse_price_book(book, file=f"{scenario.file}: {scenario.name}")
        for book in content.get("price_books", [])
    ]
    customers = [dict(row) for row in content.get("customers") or [{"customer_id": "c1"}]]
    ids = {row["customer_id"] for row in customers}
    only_customer = customers[0]["customer_id"] if len(ids) == 1 else None
    facts: dict[str, list[dict[str, Any]]] = {
        "tenants": [{**tenant_row(tenant_id, tenant), "recorded_at": KNOWN_FROM_THE_START}],
        "price_books": [book_row(tenant_id, book) for book in books],
    }
    for stream in FACTS:
        given = customers if stream == "customers" else content.get(stream) or []
        known = {column.name for column in STREAMS[stream].columns}
        rows = []
        for position, source in enumerate(given):
            row = {**source, "tenant_id": tenant_id}
            strange = set(source) - known - {"recorded_at", "source"}
            if strange:
                raise ScenarioError(
                    f"{scenario.file}: scenario {scenario.name!r}: {stream}[{position}] has no column {sorted(strange)[0]!r}.",
                    reason_code="unknown_key",
                )
            key = STREAMS[stream].key[0] if STREAMS[stream].key else None
            if key in ("event_id",) and not row.get("event_id"):
                row["event_id"] = f"{stream}-{position:06d}"
            if (
                "customer_id" in known
                and stream != "customers"
                and only_customer
                and not row.get("customer_id")
            ):
                if stream != "usage_events" or not row.get("subscription_id"):
                    row["customer_id"] = only_customer
            rows.append(_timed(stream, row, scenario.zone))
        facts[stream] = rows
    currencies = {str(row["customer_id"]): row["currency"] for row in customers if row.get("currency")}
    facts["subscription_events"] = with_negotiated_charges(
        facts["subscription_events"], books, currencies=currencies
    )
    return {stream: rows for stream, rows in facts.items() if rows}


def _timed(stream: str, row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    for column in STREAMS[stream].columns:
        if column.kind == "instant" and (day := _day(row.get(column.name))):
            row[column.name] = _instant(day, zone)
    if stream == "customers":
        row.setdefault("effective_at", KNOWN_FROM_THE_START)
    if row.get("recorded_at") is None:
        for name in (*_RECORDED_BY.get(stream, ()), "effective_at"):
            if isinstance(row.get(name), date):
                row["recorded_at"] = row[name]
                break
            if isinstance(row.get(name), str):
                try:
                    row["recorded_at"] = _instant(row[name], zone)
                    break
                except ScenarioError:
                    continue
    if isinstance(row.get("recorded_at"), date):
        row["recorded_at"] = _instant(row["recorded_at"], zone)
    return row


# --- comparing ---------------------------------------------------------------------------------------------


class _Marts:
    """The marts by tenant, each read once."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.columns: dict[str, set[str]] = {}
        for table, column in connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'marts'"
        ).fetchall():
            self.columns.setdefault(table, set()).add(column)
        self.zones: dict[tuple[str, str], str] = {
            (tenant, customer): zone
            for tenant, customer, zone in connection.execute(
                "select tenant_id, customer_id, timezone from marts.customers"
            ).fetchall()
        }

    def rows(self, table: str, tenant_id: str) -> list[dict[str, Any]]:
        if table not in self._rows:
            grouped: dict[str, list[dict[str, Any]]] = {}
            for row in self._connection.sql(f'select * from marts."{table}"').to_arrow_table().to_pylist():
                grouped.setdefault(row["tenant_id"], []).append(row)
            self._rows[table] = grouped
        return self._rows[table].get(tenant_id, [])


def _compare(
    scenario: Scenario, expect: Mapping[str, Any], exactly: Iterable[str], marts: _Marts, outcome: Outcome
) -> None:
    for table in sorted({*expect, *exactly}):
        if table not in marts.columns:
            outcome.error = f"there is no mart {table!r}"
            continue
        expected_rows = list(expect.get(table) or [])
        found = marts.rows(table, scenario.tenant_id)
        strange = sorted({column for row in expected_rows for column in row} - marts.columns[table])
        if strange:
            outcome.error = f"the mart {table} has no column {strange[0]!r}"
            continue
        wanted = Counter(json.dumps(row, sort_keys=True, default=str) for row in expected_rows)
        reported = set()
        for row in expected_rows:
            text = json.dumps(row, sort_keys=True, default=str)
            if text in reported:
                continue
            reported.add(text)
            matches = [other for other in found if _matches(row, other, scenario, marts)]
            if len(matches) != wanted[text]:
                reason = f"{len(matches)} rows match, {wanted[text]} must"
                nearest = (
                    matches or sorted(found, key=lambda other: -_likeness(row, other, scenario, marts))[:3]
                )
                outcome.failures.append(
                    Failure(table, row, [_shown(row, other) for other in nearest], reason)
                )
        if table in exactly:
            others = [o for o in found if not any(_matches(row, o, scenario, marts) for row in expected_rows)]
            if others:
                outcome.failures.append(
                    Failure(table, {}, [_shown({}, row) for row in others], "rows that must not exist")
                )


def _compare_rejected(scenario: Scenario, marts: _Marts, outcome: Outcome) -> None:
    expected_rows = scenario.content.get("expect_rejected") or []
    for stream in sorted({row["stream"] for row in expected_rows}):
        found = [row for row in marts.rows("rejected_rows", scenario.tenant_id) if row["stream"] == stream]
        left = list(found)
        for row in (row for row in expected_rows if row["stream"] == stream):
            match = next((other for other in left if _matches(row, other, scenario, marts)), None)
            if match is None:
                outcome.failures.append(
                    Failure("rejected_rows", row, [_shown(row, o) for o in left], "no such rejected row")
                )
            else:
                left.remove(match)
        if left:
            outcome.failures.append(
                Failure("rejected_rows", {}, [_shown({}, o) for o in left], "rejected, not expected")
            )


def _judge_error(scenario: Scenario, outcome: Outcome, error: RatehouseError) -> None:
    codes = {error.reason_code}
    if isinstance(error, PriceBookError):
        codes |= {one.reason_code for one in error.errors}
    expected = {row["reason_code"] for row in scenario.content.get("expect_error") or []}
    if not expected:
        outcome.error = str(error)
    elif not expected <= codes:
        outcome.failures.append(
            Failure(
                "expect_error",
                {"reason_code": sorted(expected)},
                [{"reason_code": sorted(map(str, codes))}],
                str(error),
            )
        )


def _matches(row: Mapping[str, Any], other: Mapping[str, Any], scenario: Scenario, marts: _Marts) -> bool:
    return all(_equal(value, other[column], other, scenario, marts) for column, value in row.items())


def _likeness(row: Mapping[str, Any], other: Mapping[str, Any], scenario: Scenario, marts: _Marts) -> int:
    return sum(_equal(value, other[column], other, scenario, marts) for column, value in row.items())


def _equal(expected: Any, found: Any, row: Mapping[str, Any], scenario: Scenario, marts: _Marts) -> bool:
    if expected is None or found is None:
        return expected is None and found is None
    if isinstance(found, bool) or isinstance(expected, bool):
        return str(expected).lower() == str(found).lower()
    if isinstance(found, Decimal | int):
        try:
            return Decimal(str(expected)) == Decimal(found)
        except InvalidOperation:
            return False
    if isinstance(found, datetime):
        if isinstance(expected, datetime) or len(str(expected)) > 10:
            return _instant(expected, scenario.zone) == found
        zone = marts.zones.get((scenario.tenant_id, str(row.get("customer_id"))), scenario.zone.key)
        return _instant(expected, ZoneInfo(zone)) == found
    if isinstance(found, date):
        return str(expected) == found.isoformat()
    return str(expected) == str(found)


def _shown(row: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that were asked for, and those that tell rows of this kind apart."""
    telling = (
        "subscription_id",
        "charge",
        "line_type",
        "dimensions",
        "service_start",
        "service_end",
        "amount",
        "reason_code",
        "total",
    )
    return {
        column: _plain(other[column])
        for column in {**dict.fromkeys(row), **dict.fromkeys(telling)}
        if column in other
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return value.isoformat() if isinstance(value, date) else value
