"""How models are written and described: what a reviewer would otherwise say about every change of SQL."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

PROJECT = ROOT / "dbt_project"
MODELS = sorted((PROJECT / "models").rglob("*.sql"), key=lambda path: path.stem)
MARTS = [path for path in MODELS if "marts" in path.parts]
MACROS = sorted((PROJECT / "macros").rglob("*.sql"))

# Rows without a key: nothing tells copies of an event apart, and the others are lists for people.
WITHOUT_KEY = {
    # Two changes of one day leave a span of no days.
    "int_dunning__open_spans",
    "stg_ratehouse__usage_events",
    "int_metering__event_keys",
    "int_metering__repeated_events",
    "int_metering__running_levels",
    "int_metering__placed_states",
    "int_invoicing__differences",
    "int_reconciliation__usage",
    # Two equal postings on one day are two postings.
    "int_revenue__billing",
    "upcoming_invoice_lines",
    "metered_spans",
    # Views over all events, asked for one slice at a time; the events' key is tested where they are accepted.
    "usage_events",
    "metered_events",
}
# Relations of the calendar and of definitions, which no tenant owns.
WITHOUT_TENANT = {
    "int_metering__zone_offsets",
    "int_metering__event_keys",
    "int_rating__charges",
    "int_rating__prices",
    "int_rating__tiers",
    "int_rating__event_fees",
    # Views over relations where it is tested.
    "usage_events",
    "metered_events",
}
FLOAT_TYPE = re.compile(r"\b(double|float|float4|float8|real)\b", re.IGNORECASE)


def name_of(path: Path) -> str:
    return path.stem


@cache
def entry_of(path: Path) -> dict[str, Any]:
    """What the YAML file beside a model says about it."""
    entries = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
    assert [entry["name"] for entry in entries] == [path.stem], (
        "one file describes one model, the one beside it"
    )
    return dict(entries[0])


def columns_of(path: Path) -> dict[str, dict[str, Any]]:
    return {column["name"]: column for column in entry_of(path).get("columns", [])}


def code_of(path: Path) -> str:
    """SQL without comments and without the text of literals."""
    text = re.sub(r"{#.*?#}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    return re.sub(r"'[^'\n]*'", "''", re.sub(r"--[^\n]*", "", text))


@pytest.mark.parametrize("path", MODELS, ids=name_of)
def test_a_model_is_described_beside_it_with_its_grain(path: Path) -> None:
    assert path.with_suffix(".yml").is_file(), f"write {path.with_suffix('.yml').name} beside it"
    description = " ".join(entry_of(path)["description"].split())
    assert re.search(r"One row per [^.]+\.$", description), (
        f"end the description with the grain: {description!r}"
    )


@pytest.mark.parametrize("path", [path for path in MODELS if path.stem not in WITHOUT_KEY], ids=name_of)
def test_the_key_of_a_model_is_tested(path: Path) -> None:
    of_the_model = [
        next(iter(test)) for test in entry_of(path).get("data_tests", []) if isinstance(test, dict)
    ]
    of_columns = [test for column in columns_of(path).values() for test in column.get("data_tests", [])]
    assert "unique_combination" in of_the_model or "unique" in of_columns


@pytest.mark.parametrize("path", [path for path in MODELS if path.stem not in WITHOUT_TENANT], ids=name_of)
def test_every_row_has_a_tenant(path: Path) -> None:
    assert "not_null" in columns_of(path)["tenant_id"]["data_tests"]


@pytest.mark.parametrize("path", MARTS, ids=name_of)
def test_every_column_of_a_mart_is_described_and_typed(path: Path) -> None:
    for column, entry in columns_of(path).items():
        assert entry.get("description"), column
        kind = entry.get("data_type", "")
        assert kind and not FLOAT_TYPE.search(kind), column
        assert not re.search(r"\b(decimal|numeric)\b(?!\s*\()", kind), f"{column}: {kind} needs its precision"


def test_the_contract_of_every_mart_is_enforced() -> None:
    settings = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert settings["models"]["ratehouse"]["marts"]["+contract"] == {"enforced": True}


@pytest.mark.parametrize("path", [*MODELS, *MACROS], ids=name_of)
def test_sql_names_no_floating_point_type(path: Path) -> None:
    assert not FLOAT_TYPE.search(code_of(path))


@pytest.mark.parametrize("path", MODELS, ids=name_of)
def test_sql_stays_portable_and_testable(path: Path) -> None:
    code = code_of(path).lower()
    assert not re.search(r"\bwith\s+recursive\b", code), "dbt unit tests and Spark know no recursive query"
    assert "run_query" not in code and "information_schema" not in code, (
        "a model asks the warehouse nothing while it compiles"
    )
    assert "::" not in code, "write cast(… as …)"
    assert not re.search(r"\bavg\s*\(", code), "avg() is a float; use divide_by_integer"


@pytest.mark.parametrize("path", MODELS, ids=name_of)
def test_division_is_left_to_the_macros(path: Path) -> None:
    assert not re.search(r"(?<![/*])/(?![/*])", code_of(path)), (
        "decimal / anything is a float; use a macro of macros/money.sql"
    )


def test_only_sources_read_tables_by_name() -> None:
    direct = {
        path.stem
        for path in MODELS
        if "staging" not in path.parts
        and re.search(r"\b(from|join)\s+(raw|ledger|staging|intermediate|marts)\.", code_of(path))
    }
    assert not direct


_WORDS = frozenset(
    "and as between bigint boolean case cast date decimal distinct else end false from hugeint in integer interval is json like"
    " not null or struct then true varchar when day".split()
)


@pytest.mark.parametrize(
    "path", [path for path in (*MODELS, *MACROS) if "list_reduce" in path.read_text()], ids=name_of
)
def test_a_fold_reads_no_column_of_its_row(path: Path) -> None:
    """See docs/naming.md: DuckDB drops rows where the function of a `list_reduce` reads a column of equal values."""
    text = re.sub(r"--[^\n]*|loop\.\w+", "", path.read_text(encoding="utf-8"))
    for start in [found.end() for found in re.finditer(r"list_reduce\(", text)]:
        _, function, *_ = _arguments(text[start:])
        parameters = {
            name.strip()
            for names in re.findall(r"lambda\s+([\w,\s]+?):", function)
            for name in names.split(",")
        }
        # Texts of SQL are read where a macro takes them for SQL: those are the only ones with a dot in them.
        quoted = " ".join(one for one in re.findall(r"'([^']*)'", function) if "." in one)
        heads = re.findall(
            r"(?<![\w.'])([a-z_]\w*)\s*(?=\.)", re.sub(r"'[^']*'", "''", function) + " " + quoted
        )
        assert set(heads) <= parameters, (path.name, sorted(set(heads) - parameters))
        plain = re.sub(
            r"{{.*?}}|{%.*?%}", " ", re.sub(r"'[^']*'|\"[^\"]*\"", "''", function), flags=re.DOTALL
        )
        bare = set(re.findall(r"(?<![\w.])([a-z_]\w*)\b(?!\s*(?:[.(:]|:=))", plain))
        assert bare <= parameters | _WORDS | {"lambda"}, (path.name, sorted(bare - parameters - _WORDS))


def _arguments(text: str) -> list[str]:
    """The arguments of a call whose opening bracket has just been read."""
    arguments, depth, quoted = [""], 0, False
    for sign in text:
        quoted ^= sign == "'"
        if not quoted:
            depth += (sign in "([{") - (sign in ")]}")
            if depth < 0:
                break
        if sign == "," and depth == 0 and not quoted:
            # The comma between the parameters of a lambda divides nothing.
            if not re.search(r"lambda\s+\w+$", arguments[-1]):
                arguments.append("")
                continue
        arguments[-1] += sign
    return arguments


@cache
def _parents() -> dict[str, list[str]]:
    return {path.stem: re.findall(r"ref\('(\w+)'\)", path.read_text(encoding="utf-8")) for path in MODELS}


def _ancestry(models: set[str]) -> set[str]:
    """The models themselves and all that they stand on."""
    waiting, found = list(models), set()
    while waiting:
        model = waiting.pop()
        if model not in found:
            found.add(model)
            waiting += _parents().get(model, [])
    return found


def test_what_keeps_its_rows_is_built_whenever_their_marks_are() -> None:
    """Also by a night that builds only what is issued: the next one would take for made what was never made."""
    selectors = yaml.safe_load((PROJECT / "selectors.yml").read_text(encoding="utf-8"))["selectors"]
    (for_issuing,) = (one["definition"]["union"] for one in selectors if one["name"] == "for_issuing")
    assert all(one.startswith("+") for one in for_issuing)
    built = _ancestry({one[1:] for one in for_issuing})
    kept = {
        path.stem
        for path in MODELS
        if re.search(r"materialized='(incremental|by_subscription)'", path.read_text(encoding="utf-8"))
    }
    assert kept and not kept - built


def test_what_is_made_by_subscription_stands_on_nothing_that_its_marks_leave_out() -> None:
    """Else a fact could change what a row should be, and the row would stay."""
    changes = {
        path.stem: found.group(1)
        for path in MODELS
        if (found := re.search(r"materialized='by_subscription', changes='(\w+)'", path.read_text("utf-8")))
    }
    assert changes
    models = {path.stem for path in MODELS}
    for model, kind in changes.items():
        marked = _ancestry({f"int_subscriptions__{kind}_marks"})

        def is_marked(name: str, marked: set[str] = marked) -> bool:
            above = [parent for parent in _parents().get(name, []) if parent in models]
            return name in marked or name in changes or (above != [] and all(map(is_marked, above)))

        apart = f"int_subscriptions__changed_{kind}"
        assert [name for name in _parents()[model] if name != apart and not is_marked(name)] == [], model


def test_what_is_made_by_contract_is_noted_and_stands_on_nothing_that_its_marks_leave_out() -> None:
    """What is stated of contracts is in no mark: all of it is made again in every build."""
    kept = {path.stem for path in MODELS if "materialized='by_contract'" in path.read_text(encoding="utf-8")}
    assert kept and kept <= set(_parents()["int_revenue__made_contracts"])
    marked = _ancestry({"int_revenue__contract_marks", "int_revenue__changed_contracts"})
    models = {path.stem for path in MODELS}
    waiting = set(kept)
    while waiting:
        model = waiting.pop()
        for parent in _parents()[model]:
            # A relation of stated contracts alone, or one that follows from what is marked or kept.
            if (
                parent in models
                and parent not in marked
                and parent not in kept
                and parent != "int_revenue__new_months"
            ):
                above = [name for name in _parents()[parent] if name in models]
                assert above, f"{model} stands on {parent}, of which nothing is marked"
                waiting.add(parent)
