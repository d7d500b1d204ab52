"""`make bench`: measure, compare with the targets, print. Exit status 1 if a target is missed or an answer is wrong.

PostgreSQL needs its Debian package; a peer that is not installed is reported as such. The data stay in the folder given by
`--data` for the next time, else they go to a temporary folder that is removed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import closed_months, documents, lifecycle, ours, payments, peers, revenue
from tests.benchmarks.data import FIRST_DAY, Data, Size, prepare
from tests.benchmarks.measure import ROOT, Failed, Measured, process, wrong

POSTGRES_EVENTS = 2_000_000
FLOOR_NAMES = {
    "floor": "DuckDB, one statement: group by key, arg_min by recorded_at",
    "hash_set": "DuckDB, one statement: hash set of repeated keys",
    "polars": "Polars, streaming: group by key, min_by recorded_at",
    "chdb": "chDB: group by key, argMin by recorded_at",
    "postgres": "PostgreSQL: unique index, on conflict do nothing, group by",
}


@dataclass
class Report:
    """What was measured and how it stands to the targets."""

    console: Console
    runs: Table = field(
        default_factory=lambda: Table("Run", "Events", "Wall s", "CPU s", "Peak GiB", "Answer")
    )
    ratios: Table = field(default_factory=lambda: Table("Comparison", "Target", "By wall", "By CPU", "Met"))
    missed: int = 0

    def ran(self, name: str, events: int, measured: Measured, fault: str | None = None) -> None:
        self.console.print(f"[dim]{name}: {measured.wall:.1f} s, {measured.cpu:.1f} s of CPU[/]")
        cells = [f"{measured.wall:.1f}", f"{measured.cpu:.1f}", f"{measured.peak_gib:.2f}"]
        self.runs.add_row(name, f"{events:,}" if events else "", *cells, fault or "exact")
        self.missed += fault is not None

    def compare(
        self, name: str, target: str, wall: float, cpu: float | None, met: bool, unit: str = "×"
    ) -> None:
        cells = [f"{wall:.2f}{unit}", "" if cpu is None else f"{cpu:.2f}{unit}"]
        self.ratios.add_row(name, target, *cells, "[green]yes[/]" if met else "[red]no[/]")
        self.missed += not met


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.benchmarks", description="Measure speed.")
    options.add_argument(
        "--events", type=int, default=20_000_000, help="events of the large set (default 20 million)"
    )
    options.add_argument(
        "--repeat", type=int, default=2, help="runs of each, of which the least disturbed counts"
    )
    options.add_argument(
        "--subscriptions",
        type=int,
        default=100_000,
        help="subscriptions with three changes each (default 100,000)",
    )
    options.add_argument("--documents", type=int, default=1_000, help="invoices to render (default 1,000)")
    options.add_argument(
        "--lines", type=int, default=1_000_000, help="invoice lines that are recognised (default 1 million)"
    )
    options.add_argument("--data", type=Path, help="keep the generated data here for the next time")
    options.add_argument(
        "--invoices",
        type=int,
        default=1_000_000,
        help="invoices, each with a payment or nearly (default 1 million)",
    )
    parts: dict[str, Callable[[Report, argparse.Namespace, Path], None]] = {
        "rebuild": _rebuild,
        "postgres": _postgres,
        "lifecycle": _lifecycle,
        "payments": _payments,
        "pdf": _pdf,
        "revenue": _revenue,
        "scenarios": _scenarios,
        "demo": _demo,
    }
    options.add_argument("--only", action="append", choices=[*parts], help="only this part; may be repeated")
    chosen = options.parse_args()
    report = Report(Console())
    folder = chosen.data.resolve() if chosen.data else Path(tempfile.mkdtemp(prefix="ratehouse-bench-"))
    try:
        for name, part in parts.items():
            if not chosen.only or name in chosen.only:
                part(report, chosen, folder)
    finally:
        if not chosen.data:
            shutil.rmtree(folder)
    report.console.print(report.runs, report.ratios)
    return 1 if report.missed else 0


def _rebuild(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """The large set: full rebuild against the peers, then one more day, then under a small memory limit."""
    report.console.print(f"[dim]generating {chosen.events:,} events[/]")
    data = prepare(folder / "large", Size(chosen.events))
    best: dict[str, Measured] = {}
    names = [name for name in peers.PEERS if name != "postgres"]
    # In turns, so that a busy minute of the machine hits all of them.
    for _ in range(chosen.repeat):
        best["ours"] = _build(data).better(best.get("ours"))
        for name in list(names):
            try:
                best[name] = _peer(name, data).better(best.get(name))
            except Failed as failure:
                report.console.print(f"[yellow]{FLOOR_NAMES[name]} is left out: {str(failure)[-300:]}[/]")
                names.remove(name)
    report.ran(
        "Ratehouse, full rebuild",
        chosen.events,
        best["ours"],
        _fault(data, ours.METERED) or _fault(data, ours.RATED, "storage_gb"),
    )
    for name in names:
        report.ran(FLOOR_NAMES[name], chosen.events, best[name], wrong(_answer(data, name), data.truth()))
    for name, limit in (("floor", 2.0), ("hash_set", None), ("polars", 1 / 1.5), ("chdb", 1 / 1.2)):
        if name in names:
            _against(report, best["ours"], best[name], name, limit)
    report.compare(
        "Peak memory of the full rebuild",
        "< 6 GiB",
        best["ours"].peak_gib,
        None,
        best["ours"].peak_gib < 6,
        " GiB",
    )

    _one_more_day(report, chosen, data, best["ours"])
    data.remove_next_day()
    small = _build(data, memory="2GB")
    report.ran("Ratehouse, full rebuild, memory_limit 2 GB", chosen.events, small, _fault(data, ours.METERED))
    report.compare("Peak memory under a limit of 2 GB", "finishes", small.peak_gib, None, True, " GiB")


def _one_more_day(report: Report, chosen: argparse.Namespace, data: Data, full: Measured) -> None:
    """The night after: its own data, its own date. The warehouse is put back before each repetition."""
    before = data.home / "before.duckdb"
    shutil.copy(data.settings.warehouse_path, before)
    best: Measured | None = None
    for _ in range(chosen.repeat):
        shutil.copy(before, data.settings.warehouse_path)
        data.land_next_day()
        best = _build(data, nights=1).better(best)
    assert best is not None
    before.unlink()
    report.ran(
        "Ratehouse, one more day",
        chosen.events // data.size.days,
        best,
        _fault(data, ours.METERED, next_day=True),
    )
    share = best.cpu / full.cpu * 100
    report.compare(
        "One more day, of the full rebuild", "≤ 15 %", best.wall / full.wall * 100, share, share <= 15, " %"
    )
    parts, whole = best.told["models_elapsed"], full.told["models_elapsed"]
    report.compare("… without starting Python and dbt", "", parts / whole * 100, None, True, " %")


def _postgres(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """A row store with a unique key, at a size that it can bear."""
    events = min(chosen.events, POSTGRES_EVENTS)
    data = prepare(folder / "small", Size(events))
    best = _build(data)
    for _ in range(chosen.repeat - 1):
        best = _build(data).better(best)
    report.ran("Ratehouse, full rebuild", events, best, _fault(data, ours.METERED))
    try:
        peer = _peer("postgres", data)
    except Failed as failure:
        report.console.print(f"[yellow]{FLOOR_NAMES['postgres']} is left out: {str(failure)[-300:]}[/]")
        return
    # The server is no child of the process, so its CPU is not known; reading the text counts as it does for everybody.
    timed = Measured(sum(peer.told.values()), float("nan"), float("nan"), peer.told)
    fault = wrong(_answer(data, "postgres"), data.truth())
    report.ran(
        FLOOR_NAMES["postgres"] + " (" + ", ".join(f"{k} {v:.1f} s" for k, v in peer.told.items()) + ")",
        events,
        timed,
        fault,
    )
    ratio = timed.wall / best.wall
    report.compare("Ratehouse is faster than PostgreSQL", "≥ 10×", ratio, None, ratio >= 10)


def _lifecycle(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Subscriptions with changes: rebuilt in full, against one hand-written join; then a night on which 2 % of them changed."""
    lives = lifecycle.prepare(folder / "lifecycle", chosen.subscriptions)
    home = str(lives.home)
    module = "tests.benchmarks.lifecycle"
    best: dict[str, Measured] = {}
    for _ in range(chosen.repeat):
        best["floor"] = process(module, "floor", home).better(best.get("floor"))
        best["full"] = process(module, "build", home, str(lifecycle.LAST_DAY), "--full").better(
            best.get("full")
        )
    lifecycle.land_night(lives)
    best["night"] = process(module, "build", home, str(lifecycle.NEXT_DAY))
    full, floor, night = best["full"].told, best["floor"].told, best["night"].told
    # The floor rounds the same shares of the same fees.
    apart = abs(full["total"] - floor["total"])
    fault = f"the totals are {apart:.2f} apart" if apart > 0.005 else None
    report.ran("Subscriptions: one hand-written join", 0, best["floor"])
    report.ran("Subscriptions: full rebuild", 0, best["full"], fault)
    report.ran("Subscriptions: one night, 2 % changed", 0, best["night"])
    _models_against(report, "Subscriptions: full rebuild / one join", best["full"], best["floor"], 6)
    wall, cpu = (night[spent] / full[spent] * 100 for spent in ("models_elapsed", "models_cpu"))
    report.compare(
        "Subscriptions: one night of a full rebuild", "≤ 25 %", wall, cpu, min(wall, cpu) <= 25, " %"
    )


def _payments(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Payments against invoices, from their tellings to matches and exceptions, against one hand-written join."""
    cash = payments.prepare(folder / "payments", chosen.invoices)
    best: dict[str, Measured] = {}
    for _ in range(chosen.repeat):
        for what in ("floor", "build"):
            best[what] = process("tests.benchmarks.payments", what, str(cash.home)).better(best.get(what))
    rows = payments.differing(cash.settings)
    report.ran("Payments: one hand-written join", 0, best["floor"])
    report.ran("Payments: reconciled", 0, best["build"], f"{rows} rows are not the floor's" if rows else None)
    _models_against(report, "Payments: reconciled / one join", best["build"], best["floor"], 3)


def _pdf(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Invoices of one page: against the layout engine alone, then some of them changed, then a quarter of them."""
    count, module = chosen.documents, "tests.benchmarks.documents"
    settings = documents.prepare(Path(tempfile.mkdtemp(prefix="ratehouse-pdf-")), count)
    home = str(settings.home)
    try:
        floor = process(module, "floor", home, str(min(200, count // 2)))
        full = process(module, "render", home, str(count))
        documents.change(settings)
        again = process(module, "render", home, str(count))
        shutil.rmtree(settings.documents_url)
        few = process(module, "render", home, str(count // 4))
    finally:
        shutil.rmtree(home)
    lines = 20 * count
    long = documents.prepare_long(Path(tempfile.mkdtemp(prefix="ratehouse-pdf-")), lines)
    try:
        one = process(module, "long", str(long.home), str(lines))
    finally:
        shutil.rmtree(long.home)
    each, cores = floor.told, floor.told["cores"]
    report.ran(
        f"WeasyPrint alone, one process: {1 / each['wall_each']:.1f} pages/s, {each['cpu_each'] * 1000:.0f} ms of CPU a page",
        0,
        floor,
    )
    wrote = full.told["written"]
    report.ran(f"PDFs of {count:,} invoices", 0, full, None if wrote == count else f"{wrote} were written")
    wrote, left = again.told["written"], again.told["unchanged"]
    exact = (wrote, left) == (documents.CHANGED, count - documents.CHANGED)
    report.ran(f"… again, {documents.CHANGED} changed", 0, again, None if exact else f"{wrote} were written")
    report.ran(f"… {count // 4:,} of them", 0, few)
    said = f"One invoice of {lines:,} lines, {one.told['pages']:,} pages"
    report.ran(said, 0, one, None if one.told["whole"] else "it is not whole")
    wall, cpu = each["wall_each"] * count / cores / full.told["elapsed"], each["cpu_each"] * count / full.cpu
    report.compare(
        "PDFs: rate of WeasyPrint alone × cores",
        "≥ 85 %",
        wall * 100,
        cpu * 100,
        max(wall, cpu) >= 0.85,
        " %",
    )
    grown = full.peak_gib / few.peak_gib
    report.compare("PDFs: peak memory of a process, all / a quarter", "≤ 1.2×", grown, None, grown <= 1.2)
    share = again.cpu / full.cpu * 100
    report.compare("PDFs: run again", "≤ 10 %", again.wall / full.wall * 100, share, share <= 10, " %")


def _revenue(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """Schedules of issued lines, what each month recognises and the roll-forward, against one pass over the same rows."""
    books = revenue.prepare(folder / "revenue", chosen.lines)
    best: dict[str, Measured] = {}
    for _ in range(chosen.repeat):
        for what in ("floor", "build"):
            best[what] = process("tests.benchmarks.revenue", what, str(books.home)).better(best.get(what))
    schedules, recognised, rolled = revenue.differing(books.settings)
    fault = f"{schedules} schedules, {recognised} months and {rolled} roll-forwards are not the floor's"
    report.ran("Revenue: one hand-written pass", 0, best["floor"])
    report.ran(
        f"Revenue: {chosen.lines:,} lines, schedules to roll-forward",
        0,
        best["build"],
        fault if schedules or recognised or rolled else None,
    )
    _models_against(report, "Revenue: schedules to roll-forward / one pass", best["build"], best["floor"], 4)
    _closed_months(report, chosen, folder)


def _closed_months(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    """The same contracts under way, with one and with four years of contracts before them that are over and closed."""
    nights: dict[int, Measured] = {}
    for finished in (12, 48):
        # With four years before them as many lines as the other part has, and a little more.
        history = closed_months.prepare(folder / f"closed_{finished}", chosen.lines // 500, finished)
        home, module = str(history.home), "tests.benchmarks.closed_months"
        process(module, home, str(closed_months.BEFORE), "--full")
        before = history.home / "before.duckdb"
        shutil.copy(history.settings.warehouse_path, before)
        for _ in range(chosen.repeat):
            shutil.copy(before, history.settings.warehouse_path)
            night = process(module, home, str(closed_months.NIGHT))
            nights[finished] = min(nights.get(finished, night), night, key=lambda one: one.told["models_cpu"])
        before.unlink()
        rows = closed_months.differing(history)
        report.ran(
            f"Revenue: a month is over, {finished} months of contracts closed before",
            0,
            nights[finished],
            f"{rows} rows are not those of a full rebuild" if rows else None,
        )
    few, many = nights[12].told, nights[48].told
    wall = many["models_elapsed"] / few["models_elapsed"]
    cpu = many["models_cpu"] / few["models_cpu"]
    name = "Revenue: a month is over, 48 / 12 months closed before"
    report.compare(name, "≤ 1.25×", wall, cpu, cpu <= 1.25)


def _models_against(report: Report, name: str, build: Measured, floor: Measured, limit: float) -> None:
    """dbt's models against hand-written statements, both without the start of their process."""
    wall = build.told["models_elapsed"] / floor.told["wall"]
    cpu = build.told["models_cpu"] / floor.told["models_cpu"]
    report.compare(name, f"≤ {limit:g}×", wall, cpu, min(wall, cpu) <= limit)


def _scenarios(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    paths = [str(ROOT / "tests" / "scenarios" / area) for area in ("metering", "rating")]
    measured = process("ratehouse.cli", "scenario", "run", *paths)
    report.ran("scenario run: metering and rating", 0, measured)
    report.compare(
        "scenario run: metering and rating", "< 180 s", measured.wall, measured.cpu, measured.wall < 180, " s"
    )


def _demo(report: Report, chosen: argparse.Namespace, folder: Path) -> None:
    home = Path(tempfile.mkdtemp(prefix="ratehouse-demo-"))
    try:
        measured = process(
            "ratehouse.cli",
            "demo",
            environ={"RATEHOUSE_HOME": str(home), "RATEHOUSE_TENANTS": str(ROOT / "tenants")},
        )
    finally:
        shutil.rmtree(home)
    report.ran("demo", 0, measured)
    report.compare(
        "demo, after installation", "< 120 s", measured.wall, measured.cpu, measured.wall < 120, " s"
    )


def _against(report: Report, own: Measured, other: Measured, name: str, limit: float | None) -> None:
    wall, cpu = own.wall / other.wall, own.cpu / other.cpu
    if limit is None or limit >= 1:
        target = "" if limit is None else f"≤ {limit:g}×"
        report.compare(
            f"Full rebuild / {FLOOR_NAMES[name]}", target, wall, cpu, limit is None or min(wall, cpu) <= limit
        )
    else:
        met = max(1 / wall, 1 / cpu) >= 1 / limit
        report.compare(
            f"Ratehouse is faster than {FLOOR_NAMES[name]}", f"≥ {1 / limit:.2g}×", 1 / wall, 1 / cpu, met
        )


def _build(data: Data, *, nights: int = 0, memory: str | None = None) -> Measured:
    """A full rebuild on the last day of the history, or the build of a night after it."""
    bill_day = FIRST_DAY + timedelta(days=data.size.days + nights)
    flags = [] if nights else ["--full"]
    limit = {"RATEHOUSE_MEMORY_LIMIT": memory} if memory else {}
    return process("tests.benchmarks.ours", str(data.home), str(bill_day), *flags, environ=limit)


def _peer(name: str, data: Data) -> Measured:
    target = _answer(data, name)
    target.unlink(missing_ok=True)
    return process("tests.benchmarks.peers", name, str(data.home), str(data.size.events), str(target))


def _answer(data: Data, name: str) -> Path:
    return data.home / f"answer_{name}.parquet"


def _fault(data: Data, sql: str, only: str | None = None, *, next_day: bool = False) -> str | None:
    answer = ours.metered(data.settings, sql, _answer(data, "ours"))
    return wrong(answer, data.truth(with_next_day=next_day), only=only)


if __name__ == "__main__":
    sys.exit(main())
