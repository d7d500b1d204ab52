"""Bad input end to end, by the command line alone: what is said about it, and that it harms nobody else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import duckdb
import pytest

from tests.reliability.installation import START, Installation

# One warehouse serves all of them.
pytestmark = pytest.mark.xdist_group("bad-input")

BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: USD
meters:
  api: {event_type: api, aggregation: sum}
  calls: {event_type: call, aggregation: count}
plans:
  metered:
    charges:
      api: {type: usage, meter: api, model: per_unit, unit_price: "0.5"}
      calls: {type: usage, meter: calls, model: per_unit, unit_price: "PRICE"}
"""
AT = "2026-01-10T10:00:00Z"
GOOD = {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": AT, "quantity": "5"}
# Line for line what is in the file, and why it is refused; None for what is accepted, or is a copy of it.
LINES: list[tuple[dict[str, Any] | str, str | None]] = [
    (GOOD, None),
    ({**GOOD, "event_id": "e2", "properties": {"a": 1, "b": [1.50]}}, None),
    ({**GOOD, "quantity": 5.0}, None),
    ({**GOOD, "event_id": "e2", "properties": {"b": [1.5], "a": 1.0}}, None),
    ({**GOOD, "quantity": "6"}, "duplicate_conflict"),
    ({**GOOD, "event_id": "e2", "customer_id": "c2"}, "duplicate_conflict"),
    ({**GOOD, "event_id": ""}, "missing_id"),
    ({name: value for name, value in GOOD.items() if name != "event_id"}, "missing_id"),
    ({**GOOD, "event_id": "e3", "customer_id": None}, "missing_customer"),
    ({**GOOD, "event_id": "e4", "occurred_at": "last Tuesday"}, "bad_time"),
    ({**GOOD, "event_id": "e5", "occurred_at": "2026-02-30T00:00:00Z"}, "bad_time"),
    ({**GOOD, "event_id": "e6", "occurred_at": "2999-01-01T00:00:00Z"}, "future_time"),
    ({**GOOD, "event_id": "e7", "quantity": "NaN"}, "bad_number"),
    ({**GOOD, "event_id": "e8", "quantity": "1e30"}, "bad_number"),
    ({**GOOD, "event_id": "e9", "quantity": "many"}, "bad_number"),
    ({**GOOD, "event_id": "e10", "properties": {"text": "x" * 70_000}}, "too_large"),
    ({**GOOD, "event_id": "e11", "properties": [1]}, "bad_json"),
    ('{"event_id": "e12", "customer_id": ', "bad_json"),
    ('"a text"', "bad_json"),
    ({**GOOD, "event_id": "e13", "amount": "5"}, "unknown_key"),
    ({**GOOD, "event_id": "e14", "customer_id": "nobody"}, None),
    ({**GOOD, "event_id": "e15", "event_type": "unmetered"}, None),
    ({**GOOD, "event_id": "e16", "occurred_at": "2025-06-01T00:00:00Z"}, None),
    ({**GOOD, "event_id": "e17", "event_type": "call", "quantity": "-3"}, None),
]
RATED, NOT_BILLABLE = ("e1", "e2", "e17"), ("e14", "e15", "e16")
ABSURD = "999999999999999999"


@dataclass(frozen=True)
class Outcome:
    """What the commands said, and what they published."""

    installation: Installation
    ingested: CompletedProcess[str]
    run: CompletedProcess[str]
    serving: duckdb.DuckDBPyConnection
    files: dict[str, Path]

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self.serving.execute(query).fetchall()


@pytest.fixture(scope="session")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outcome]:
    home = tmp_path_factory.mktemp("bad-input")
    installation = Installation(home)
    customer = {"customer_id": "c1", "effective_at": START, "name": "One"}
    created = {
        "event_id": "created",
        "subscription_id": "s1",
        "customer_id": "c1",
        "type": "created",
        "effective_at": START,
        "data": {"plan": "metered"},
    }
    calls = [{**GOOD, "event_id": name, "event_type": "call"} for name in ("e2", "e3")]
    usage = {"dirty": [], "calm": [GOOD], "broken": [GOOD], "absurd": [{**GOOD, "quantity": ABSURD}, *calls]}
    for tenant, events in usage.items():
        book = BOOK.replace("PRICE", "0.25")
        installation.add_tenant(tenant, book.replace('"0.5"', '"999999"') if tenant == "absurd" else book)
        installation.land(tenant, customers=[customer], subscription_events=[created], usage_events=events)
    file = home / "dirty.ndjson"
    texts = [line if isinstance(line, str) else json.dumps(line) for line, _ in LINES]
    file.write_text("\n".join(texts) + "\n", encoding="utf-8")
    ingested = installation.run("ingest", "file", "--tenant", "dirty", file)
    book_file = installation.settings.tenants_dir / "broken" / "price_books" / "1.yaml"
    book_file.write_text(BOOK.replace('unit_price: "0.5"', "unit_price: 0.5"), encoding="utf-8")
    run = installation.run("run", "--date", "2026-02-01")
    assert installation.settings.serving_path.exists(), run.stdout + run.stderr
    with duckdb.connect(str(installation.settings.serving_path), read_only=True) as serving:
        yield Outcome(installation, ingested, run, serving, {"dirty": file, "book": book_file})


def refused_at_the_door() -> Counter[str]:
    return Counter(code for _, code in LINES if code and code != "duplicate_conflict")


def test_the_import_counts_what_it_refused(outcome: Outcome) -> None:
    refused = refused_at_the_door()
    assert outcome.ingested.returncode == 0
    for code, count in refused.items():
        assert f"{code} {count}" in outcome.ingested.stdout
    assert "ratehouse rejected list --tenant dirty" in outcome.ingested.stdout


def test_each_refused_row_is_named_with_file_and_line(outcome: Outcome) -> None:
    listed = outcome.installation.run("rejected", "list", "--tenant", "dirty", "--json")
    assert listed.returncode == 0
    found = {
        (row["file"], row["line"]): row["reason_code"] for row in map(json.loads, listed.stdout.splitlines())
    }
    assert found == {
        (outcome.files["dirty"].as_posix(), number): code
        for number, (_, code) in enumerate(LINES, 1)
        if code and code != "duplicate_conflict"
    }
    shown = outcome.installation.run("rejected", "list", "--tenant", "dirty")
    assert "dirty.ndjson:10" in shown.stdout and "last Tuesday" in shown.stdout


def test_rejected_rows_hold_the_conflicts_too(outcome: Outcome) -> None:
    found = outcome.rows(
        "select reason_code, count(*) from marts.rejected_rows where tenant_id = 'dirty' group by all"
    )
    assert dict(found) == Counter(code for _, code in LINES if code)


def test_every_line_of_the_file_is_accounted_for(outcome: Outcome) -> None:
    counts = "received, accepted, duplicates, conflicts, rejected, rated, not_billable"
    for row in outcome.rows(f"select {counts} from marts.usage_completeness"):
        received, accepted, duplicates, conflicts, rejected, rated, not_billable = row
        assert received == accepted + duplicates + conflicts + rejected
        assert accepted == rated + not_billable
        assert min(row) >= 0
    sums = ", ".join(f"sum({name})" for name in counts.split(", "))
    (dirty,) = outcome.rows(f"select {sums} from marts.usage_completeness where tenant_id = 'dirty'")
    refused = sum(refused_at_the_door().values())
    assert dirty == (len(LINES), len(RATED + NOT_BILLABLE), 2, 2, refused, len(RATED), len(NOT_BILLABLE))


def test_what_is_good_in_a_bad_file_is_billed(outcome: Outcome) -> None:
    lines = outcome.rows(
        "select charge, quantity, amount from marts.invoice_lines where tenant_id = 'dirty' order by all"
    )
    assert lines == [("api", 10, Decimal("5.00")), ("calls", 1, Decimal("0.25"))]


def test_a_broken_price_book_stops_its_tenant_alone(outcome: Outcome) -> None:
    line = next(
        number
        for number, text in enumerate(outcome.files["book"].read_text().splitlines(), 1)
        if " 0.5" in text
    )
    assert outcome.run.returncode == 1
    assert "tenant broken was left out" in outcome.run.stdout
    assert f"{outcome.files['book']}:{line}" in outcome.run.stdout
    assert "unit_price" in outcome.run.stdout
    assert "Traceback" not in outcome.run.stderr
    assert outcome.rows("select tenant_id, total from marts.invoices order by all") == [
        ("absurd", Decimal("0.50")),
        ("calm", Decimal("2.50")),
        ("dirty", Decimal("5.25")),
    ]


def test_an_absurd_quantity_waits_alone(outcome: Outcome) -> None:
    waiting = outcome.rows(
        "select tenant_id, area, status, reference from marts.reconciliation_items"
        " where status = 'amount_overflow'"
    )
    assert waiting == [("absurd", "usage", "amount_overflow", "s1/api")]
    lines = "select charge, amount from marts.invoice_lines where tenant_id = 'absurd'"
    assert outcome.rows(lines) == [("calls", Decimal("0.50"))]


@pytest.mark.parametrize(
    ("content", "arguments", "code", "said"),
    [
        (None, [], 1, "There is no file FILE"),
        ("", ["--format", "csv"], 1, "FILE has no header line"),
        ("a,b\n1,2\n", ["--format", "csv"], 1, "FILE has a column a that usage_events does not have"),
        ("a,b\n1,2\n", ["--format", "csv", "--map", "MAP"], 1, "FILE"),
        ("not parquet", ["--format", "parquet"], 1, "FILE is no readable Parquet file"),
        (json.dumps(GOOD), ["--stream", "usages"], 1, "There is no stream usages"),
        (json.dumps(GOOD), ["--map", "BROKEN"], 1, "BROKEN"),
        (json.dumps(GOOD), ["--nonsense"], 2, "--nonsense"),
    ],
)
def test_a_file_that_cannot_be_read_at_all(
    tmp_path: Path, content: str | None, arguments: list[str], code: int, said: str
) -> None:
    installation = Installation(tmp_path)
    names = {name: tmp_path / f"{name.lower()}.ndjson" for name in ("FILE", "MAP", "BROKEN")}
    names["MAP"].write_text(
        "{event_id: '{nothing}', customer_id: c, event_type: t, occurred_at: {column: a}}"
    )
    names["BROKEN"].write_text("event_id: [\n")
    if content is not None:
        names["FILE"].write_text(content, encoding="utf-8")
    named = [str(names.get(argument, argument)) for argument in arguments]
    done = installation.run("ingest", "file", "--tenant", "t", *named, names["FILE"])
    for name, path in names.items():
        said = said.replace(name, str(path))
    assert done.returncode == code, done.stdout + done.stderr
    assert said in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not installation.lake.files("raw")
