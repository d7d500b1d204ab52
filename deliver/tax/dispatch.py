"""Asking tax providers what SQL wants to know, telling them what was issued, and landing their answers.

Belongs here: the order of the steps. Does not belong here: providers (`provider` and those that carry it out), and
what an answer means (`dbt_project/models/taxes`). An answer is landed under the hash of its question, so it does not
matter when, how often or by whom it is asked.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

import duckdb

from deliver import facts
from deliver.documents.formats import clean
from deliver.documents.model import DocumentError, connect_serving
from deliver.http import NotTaken, Refused, Unanswered
from deliver.tax.avalara import Avalara
from deliver.tax.outbox import State, Transaction, read_transactions, record
from deliver.tax.provider import Provider, TaxError
from deliver.tax.taxjar import TaxJar
from deliver.tax.vies import Vies
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.settings import Settings

STREAM, CHECKS = "tax_quotes", "tax_id_checks"
# So many questions at once, and so many answers a file: what a killed process asked in vain is asked again.
AT_ONCE, A_FILE = 8, 200
_NAMES = ("tenant_id", "request_hash", "request", "provider", "customer_id", "currency", "status")
_PROVIDERS: dict[str, Callable[[str], Provider]] = {"avalara": Avalara.load, "taxjar": TaxJar.load}

Clock = Callable[[], datetime]
Opener = Callable[[str, str], Provider]


@dataclass
class Dispatched:
    """What a dispatch did. `outcomes` counts questions or transactions; `problems` are sentences for a person."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def open_provider(name: str, tenant_id: str) -> Provider:
    """The account of a tenant, with keys from the environment.

    Raises:
        TaxError: there is no such provider, or its keys are not there.
    """
    if name not in _PROVIDERS:
        raise TaxError(f"There is no tax provider {name}; use one of {', '.join(_PROVIDERS)}.")
    return _PROVIDERS[name](tenant_id)


def quote(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    again: bool = False,
    opener: Opener = open_provider,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Ask about the documents that wait as the serving file has them; the next run issues those that were answered.

    Args:
        settings: the installation.
        tenants: whose documents; none means all.
        again: also ask what was refused, or answered in numbers that do not add up.
        opener: gives the account of a tenant at a provider.
        clock: tells the time (UTC).

    Raises:
        DocumentError: there is no serving file, or it is of another version.
    """
    with connect_serving(settings.serving_path) as serving:
        try:
            rows = _requests(serving, "marts.tax_requests")
        except duckdb.CatalogException as error:
            text = "The serving file does not have what taxes need; build it again."
            raise DocumentError(f"{text} {error}") from error
    return _ask(Lake(settings.lake_url), rows, tenants, again, opener, clock)


def quote_in_run(
    connection: duckdb.DuckDBPyConnection, lake: Lake, tenants: Sequence[str]
) -> tuple[int, list[str]]:
    """Ask about what the warehouse is about to issue: how many answers were landed, and the problems.

    A provider that cannot be asked stops nobody: its documents wait.
    """

    def clock() -> datetime:
        return datetime.now(UTC)

    rows = _requests(connection, "intermediate.int_taxes__document_quotes")
    ids = _unchecked(connection, "intermediate.int_taxes__tax_ids")
    if not tenants:
        return 0, []
    checked = _check(lake, ids, tenants, Vies.load, clock)
    done = _ask(lake, rows, tenants, False, open_provider, clock)
    landed = done.outcomes["quoted"] + done.outcomes["refused"] + sum(checked.outcomes.values())
    return landed, [*checked.problems, *done.problems]


def check_tax_ids(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    opener: Callable[[], Vies] = Vies.load,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Ask VIES about the tax ids that documents wait for, or that it could not confirm; the next run reads the answers.

    Raises:
        DocumentError: there is no serving file, or it is of another version.
    """
    with connect_serving(settings.serving_path) as serving:
        try:
            ids = _unchecked(serving, "marts.tax_ids")
        except duckdb.CatalogException as error:
            text = "The serving file does not have what taxes need; build it again."
            raise DocumentError(f"{text} {error}") from error
    return _check(Lake(settings.lake_url), ids, tenants, opener, clock)


def _unchecked(connection: duckdb.DuckDBPyConnection, relation: str) -> list[tuple[str, str]]:
    return connection.execute(
        f"select distinct tenant_id, tax_id from {relation} where standing in ('unchecked', 'unconfirmed') order by all"
    ).fetchall()


def _check(
    lake: Lake,
    ids: Sequence[tuple[str, str]],
    tenants: Sequence[str],
    opener: Callable[[], Vies],
    clock: Clock,
) -> Dispatched:
    """Land what VIES says about numbers, also that it says nothing: a document that waits must not wait for ever."""
    done = Dispatched()
    wanted = [one for one in ids if not tenants or one[0] in tenants]
    if not wanted:
        return done
    try:
        vies, away = opener(), None
    except TaxError as error:
        done.problems.append(f"{error} Documents with tax ids wait.")
        return done
    for tenant_id, group in groupby(wanted, key=lambda one: one[0]):
        at, landed = clock(), []
        for _, tax_id in group:
            found = away or vies.check(tax_id)
            # Once VIES itself is away it is not asked about the next number.
            away = found if found.is_of_service else None
            done.outcomes[found.status] += 1
            if found.status != "valid":
                done.problems.append(
                    f"{tenant_id} {clean(tax_id)}: {found.status} ({clean(found.detail or '')})"
                )
            landed.append(
                {
                    "tax_id": tax_id,
                    "status": found.status,
                    "asked_at": at,
                    "recorded_at": at,
                    "response": None if found.response is None else canonical(found.response),
                    "detail": clean(found.detail)[:500] if found.detail else None,
                }
            )
        meaning = canonical([tenant_id, at, [fact["tax_id"] for fact in landed]])
        facts.append(
            lake,
            CHECKS,
            landed,
            tenant_id=tenant_id,
            source="vies",
            name=f"tax-ids-{hashlib.sha256(meaning.encode()).hexdigest()[:40]}",
            error=TaxError,
        )
    return done


def commit(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    again: bool = False,
    opener: Opener = open_provider,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Tell the providers about the documents that were issued, each once. Safe to run at any time, by anybody, again.

    Args:
        settings: the installation.
        tenants: whose documents; none means all.
        again: also tell what was refused before.
        opener: gives the account of a tenant at a provider.
        clock: tells the time (UTC).

    Raises:
        DocumentError: there is no serving file, or it is of another version.
    """
    lake, done = Lake(settings.lake_url), Dispatched()
    open_ones = [
        one
        for one in read_transactions(settings, lake, tenants=tenants)
        if not one.is_settled or (again and one.state == "refused")
    ]
    for (tenant_id, name), group in groupby(open_ones, key=lambda one: (one.tenant_id, one.provider)):
        try:
            provider = opener(name, tenant_id)
            for one in group:
                _tell(lake, provider, one, done, clock)
        except (NotTaken, TaxError) as error:
            done.outcomes["out of reach"] += 1
            done.problems.append(f"{tenant_id}: {error}; the rest waits")
    return done


def _tell(lake: Lake, provider: Provider, one: Transaction, done: Dispatched, clock: Clock) -> None:
    """Bring the provider to where the document is. It is asked first: whoever told it before may have died before noting it."""
    body, detail = json.loads(one.body), None
    event: State = "voided" if one.is_void else "committed"
    try:
        found = provider.find(body)
        if one.is_void:
            if found is not None and not found.is_void:
                provider.void(body)
        else:
            if found is None or not found.is_final:
                found = provider.record(body)
            if found.is_void or not found.is_final or found.tax != one.tax:
                state = "void" if found.is_void else "final" if found.is_final else "open"
                raise Refused(f"the provider has it {state}, with {found.tax} of tax")
    except Refused as error:
        event, detail = "refused", str(error)
    except Unanswered as error:
        event, detail = "unknown", str(error)
    if not record(lake, one, event, at=clock(), detail=detail):
        done.outcomes["taken by another process"] += 1
        return
    done.outcomes[event] += 1
    if detail:
        done.problems.append(f"{one.tenant_id} {one.invoice_number}: {one.provider}, {event} ({detail})")


def _requests(connection: duckdb.DuckDBPyConnection, relation: str) -> list[dict[str, Any]]:
    # Documents of equal content share a question.
    rest = ", ".join(f"min({name})" for name in _NAMES[2:])
    rows = connection.execute(
        f"select tenant_id, request_hash, {rest} from {relation}"
        " where status in ('waiting', 'refused', 'mismatched') group by 1, 2 order by 1, 2"
    ).fetchall()
    return [dict(zip(_NAMES, row, strict=True)) for row in rows]


def _ask(
    lake: Lake,
    rows: Sequence[dict[str, Any]],
    tenants: Sequence[str],
    again: bool,
    opener: Opener,
    clock: Clock,
) -> Dispatched:
    done = Dispatched()
    answered = _answered(lake, again) if rows else set()
    wanted = [
        row
        for row in rows
        if (not tenants or row["tenant_id"] in tenants)
        and (again or row["status"] == "waiting")
        and (row["tenant_id"], row["request_hash"]) not in answered
    ]
    for (tenant_id, name), group in groupby(wanted, key=lambda row: (row["tenant_id"], row["provider"])):
        try:
            provider = opener(name, tenant_id)
            for chunk in _chunks(list(group)):
                _chunk(lake, provider, tenant_id, chunk, done, clock)
        except (NotTaken, TaxError) as error:
            # Another question would find out the same.
            done.outcomes["out of reach"] += 1
            done.problems.append(f"{tenant_id}: {error}; its documents wait")
    return done


def _chunk(
    lake: Lake,
    provider: Provider,
    tenant_id: str,
    rows: Sequence[dict[str, Any]],
    done: Dispatched,
    clock: Clock,
) -> None:
    """Ask some questions at once and land what was answered, also if the provider stopped answering in between."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda row: _one(provider, row), rows))
    at, landed = clock(), []
    for row, answer in zip(rows, answers, strict=True):
        if isinstance(answer, Unanswered | NotTaken):
            continue
        landed.append(
            {
                **{name: row[name] for name in ("request_hash", "provider", "customer_id", "currency", "request")},
                "status": "refused" if isinstance(answer, Refused) else "quoted",
                "detail": clean(str(answer))[:500] if isinstance(answer, Refused) else None,
                "response": None if isinstance(answer, Refused) else canonical(answer),
                "quoted_at": at,
                "recorded_at": at,
            }
        )  # fmt: skip
    if landed:
        meaning = canonical([tenant_id, at, [fact["request_hash"] for fact in landed]])
        facts.append(
            lake,
            STREAM,
            landed,
            tenant_id=tenant_id,
            source=provider.name,
            name=f"tax-quotes-{hashlib.sha256(meaning.encode()).hexdigest()[:40]}",
            error=TaxError,
        )
    for fact in landed:
        done.outcomes[str(fact["status"])] += 1
        if fact["status"] == "refused":
            done.problems.append(
                f"{tenant_id} {fact['customer_id']}: {provider.name} refused ({fact['detail']})"
            )
    unanswered = [answer for answer in answers if isinstance(answer, Unanswered)]
    if unanswered:
        done.outcomes["unanswered"] += len(unanswered)
        done.problems.append(f"{tenant_id}: {len(unanswered)} not answered ({unanswered[0]}); they wait")
    for answer in answers:
        if isinstance(answer, NotTaken):
            raise answer


def _one(provider: Provider, row: dict[str, Any]) -> Any:
    try:
        return provider.quote(json.loads(row["request"]))
    except (Refused, NotTaken, Unanswered) as error:
        return error


def _answered(lake: Lake, again: bool) -> set[tuple[str, str]]:
    """What was answered already, perhaps after the warehouse was built."""
    with duckdb.connect() as connection:
        facts.register(connection, lake, [STREAM])
        # A quote that does not add up is an answer too; who asks again wants another one.
        rows = connection.execute(
            f"select tenant_id, request_hash from {STREAM} where not $1", [again]
        ).fetchall()
    return {(tenant_id, request_hash) for tenant_id, request_hash in rows}


def _chunks(rows: Sequence[dict[str, Any]]) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(rows), A_FILE):
        yield rows[start : start + A_FILE]
