"""A billing run from facts to published documents, as one function that a person, a schedule and a test all call.

Belongs here: the order of the steps and the clocks. Does not belong here: what a step does (`configuration`,
`warehouse`, `ledger`) nor rendering and sending (`deliver`), which read what a run published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb

from ratehouse import closing, ledger, warehouse
from ratehouse.configuration import Configuration, land_configuration
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.ledger import Issued
from ratehouse.periods import start_of_day
from ratehouse.settings import Settings
from ratehouse.streams import land

Progress = Callable[[str], None]
# Asks tax providers about what is about to be issued, for these tenants: how many answers were landed, and the problems.
Quoter = Callable[[duckdb.DuckDBPyConnection, Lake, Sequence[str]], tuple[int, list[str]]]


@dataclass(frozen=True)
class Run:
    """What one run did.

    Attributes:
        bill_day: the local day that was billed.
        issued: the documents, in the order of their numbers.
        failures: tenants that were left out, with what is wrong with them.
        refused_closes: closes that were due and were not carried out, a sentence each.
        problems: why documents wait for their tax, in sentences.
    """

    bill_day: date
    issued: Issued
    failures: dict[str, RatehouseError] = field(default_factory=dict)
    refused_closes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def run(
    settings: Settings,
    bill_day: date,
    *,
    tenants: Sequence[str] = (),
    known_at_the_time: bool = False,
    publish: bool = True,
    quoter: Quoter | None = None,
    progress: Progress = lambda step: None,
) -> Run:
    """Bill one day: every line that is due at the first instant of `bill_day` in each tenant's own zone.

    A tenant that was billed for a later day already is left as it is.

    Args:
        settings: the installation.
        bill_day: the local day; lines due by its start are issued.
        tenants: whose day it is; none means all.
        known_at_the_time: count only the facts recorded by the billed instant, as that night would have;
            else all that is known now.
        publish: replace the serving file afterwards; a catch-up publishes once, at its end.
        quoter: asks tax providers; without one, documents that need a provider wait.
        progress: called with the name of each step.

    Raises:
        RatehouseError: an unknown tenant, a lake or warehouse that cannot be written, a model that fails.
    """
    lake = Lake(settings.lake_url)
    lake.check_writable()
    with warehouse.writer(settings):
        progress("reading tenants and price books")
        configuration = land_configuration(settings, lake)
        wanted = _chosen(configuration, tenants)
        chosen = billable(lake, configuration, wanted, bill_day)
        issued = Issued(None, 0, 0, ())
        built = bool(chosen) or not wanted
        problems: list[str] = []
        if built:
            set_clocks(lake, configuration, chosen, bill_day, known_at_the_time=known_at_the_time)
            progress("rating usage and fees")
            refresh_for_issuing(settings, lake)
            problems = quote(settings, lake, quoter, chosen, progress=progress)
            progress("issuing documents")
            with warehouse.connect(settings) as connection:
                issued = ledger.issue(connection, lake, tenants=chosen)
        refused: list[str] = []
        # A night in the middle of a catch-up publishes nothing: the other models are for nobody, unless a month may be closed.
        if publish or (built and closing.is_stated(lake)):
            if built:
                refresh_after_issuing(settings, lake, issued)
            else:
                refresh(settings, lake)
            if built and closing.is_due(settings):
                progress("closing months")
                with warehouse.connect(settings) as connection:
                    closed = closing.close(connection, lake)
                    refused = closing.refused(connection)
                if closed and publish:
                    warehouse.build_on_ledger(settings, lake, closing.RELATIONS)
        if publish:
            progress("publishing")
            warehouse.publish(settings)
    return Run(bill_day, issued, configuration.failures, tuple(refused), tuple(problems))


def catch_up(
    settings: Settings,
    first: date,
    last: date,
    *,
    tenants: Sequence[str] = (),
    known_at_the_time: bool = True,
    quoter: Quoter | None = None,
    progress: Progress = lambda step: None,
) -> list[Run]:
    """Bill every day from `first` to `last`, in order, each as its own night would have.

    Args:
        settings: the installation.
        first: first local day to bill.
        last: last local day to bill, inclusive.
        tenants: whose days; none means all.
        known_at_the_time: count only the facts recorded by each night, as it would have been; else all known now.
        quoter: asks tax providers; without one, documents that need a provider wait.
        progress: called with the name of each step.
    """
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    return bill_days(
        settings, days, tenants=tenants, known_at_the_time=known_at_the_time, quoter=quoter, progress=progress
    )


def bill_days(
    settings: Settings,
    days: Iterable[date],
    *,
    tenants: Sequence[str] = (),
    known_at_the_time: bool = True,
    quoter: Quoter | None = None,
    progress: Progress = lambda step: None,
) -> list[Run]:
    """Bill the given days in order and publish once."""
    runs = []
    ordered = sorted(set(days))
    for position, day in enumerate(ordered):
        runs.append(
            run(
                settings,
                day,
                tenants=tenants,
                known_at_the_time=known_at_the_time,
                publish=position == len(ordered) - 1,
                quoter=quoter,
                progress=lambda step, day=day: progress(f"{day}: {step}"),  # type: ignore[misc]
            )
        )
    return runs


def refresh(settings: Settings, lake: Lake) -> None:
    """Build every model on the facts and the ledger as they are now."""
    warehouse.prepare(settings, lake)
    warehouse.seed(settings)
    warehouse.build(settings, command="run")


def refresh_for_issuing(settings: Settings, lake: Lake) -> None:
    """Build the half of the models that says what is to be issued."""
    warehouse.prepare(settings, lake)
    warehouse.seed(settings)
    warehouse.build(settings, command="run", selector="for_issuing")


def refresh_after_issuing(settings: Settings, lake: Lake, issued: Issued) -> None:
    """Build the other half, and again what reads the ledger if something was issued."""
    if issued.run_key:
        warehouse.prepare(settings, lake)
    warehouse.build(settings, command="run", selector="after_issuing" if issued.run_key else "beside_issuing")


def quote(
    settings: Settings,
    lake: Lake,
    quoter: Quoter | None,
    tenants: Sequence[str],
    *,
    select: Sequence[str] = (),
    progress: Progress = lambda step: None,
) -> list[str]:
    """Let the providers be asked about what is due, and build what their answers change.

    Args:
        settings: the installation.
        lake: where answers are landed.
        quoter: asks; without one nobody does.
        tenants: whose documents.
        select: what is built again; by default what the issue step reads of it.
        progress: called before providers are asked.

    Returns:
        Why documents still wait, in sentences.
    """
    if quoter is None:
        return []
    progress("asking tax providers")
    with warehouse.connect(settings) as connection:
        landed, problems = quoter(connection, lake, tenants)
    if landed:
        warehouse.prepare(settings, lake)
        selector = None if select else "for_issuing_on_answers"
        warehouse.build(
            settings, command="run", select=select, selector=selector, flags=warehouse.NO_ARTIFACTS
        )
    return problems


def billable(lake: Lake, configuration: Configuration, tenants: Sequence[str], bill_day: date) -> list[str]:
    """Those of the tenants that were not billed for a later day yet.

    What should have been billed by an earlier day is less than what was billed since, and the difference would
    be credited, so a tenant's days only go forward.
    """
    runs = lake.read("ledger/runs")
    last: dict[str, datetime] = {}
    for row in runs.select(["tenant_id", "billing_as_of"]).to_pylist() if runs is not None else []:
        last[row["tenant_id"]] = max(row["billing_as_of"], last.get(row["tenant_id"], row["billing_as_of"]))
    starts = {name: start_of_day(bill_day, configuration.tenants[name].timezone) for name in tenants}
    return [name for name in tenants if name not in last or last[name] <= starts[name]]


def set_clocks(
    lake: Lake,
    configuration: Configuration,
    tenants: Sequence[str],
    bill_day: date,
    *,
    known_at_the_time: bool = False,
    known_as_of: datetime | None = None,
) -> None:
    """Land the two clocks of the tenants: the start of their local day, and up to when facts count.

    That is `known_as_of` if given (UTC), the billed instant with `known_at_the_time`, else now.
    """
    now = datetime.now(UTC)
    rows = []
    for name in tenants:
        billing_as_of = start_of_day(bill_day, configuration.tenants[name].timezone)
        known = known_as_of or (billing_as_of if known_at_the_time else now)
        rows.append({"tenant_id": name, "billing_as_of": billing_as_of, "known_as_of": known})
    batch = f"clocks-{now:%Y%m%dT%H%M%S%f}"
    land(lake, "tenant_clocks", rows, tenant_id=None, source="run", batch_id=batch, received_at=now)


def _chosen(configuration: Configuration, tenants: Sequence[str]) -> list[str]:
    unknown = sorted(set(tenants) - set(configuration.tenants) - set(configuration.failures))
    if unknown:
        known = ", ".join(sorted(configuration.tenants)) or "none"
        raise RatehouseError(f"There is no tenant {', '.join(unknown)}; the tenants folder has: {known}.")
    return [name for name in configuration.tenants if not tenants or name in tenants]
