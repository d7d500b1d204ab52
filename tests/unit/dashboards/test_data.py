from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from dashboards import data, files
from tests.unit.dashboards.published import published_home

# The company is billed once per process, so one worker takes all tests of it.
pytestmark = pytest.mark.xdist_group("published")


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RATEHOUSE_HOME", str(published_home().home))
    return published_home().home


def test_every_query_asks_for_one_tenant() -> None:
    for path in sorted(data.QUERIES.glob("*.sql")):
        sql = re.sub(r"--.*", "", path.read_text(encoding="utf-8"))
        if path.stem == "tenants":
            continue
        relations = re.findall(r"from marts\.\w+", sql)
        assert len(re.findall(r"tenant_id = \$tenant", sql)) >= len(relations) >= 1, path.name
        for joined in re.findall(r"join marts\.\w+ as \w+(.*?)(?=where|join|$)", sql, flags=re.S):
            assert "tenant_id" in joined, path.name


def test_a_tenant_sees_its_own_documents_only(home: Path) -> None:
    found = {tenant: data.query("invoice_filters", tenant) for tenant in ("shop", "annex")}
    assert {row["currency"] for row in found["shop"]} == {"USD"}
    assert {row["currency"] for row in found["annex"]} == {"JPY"}
    assert [row["tenant_id"] for row in data.tenants()] == ["shop", "till", "annex"]
    assert data.query("runs", "nobody") == []


def test_amounts_are_exact(home: Path) -> None:
    (total,) = data.query(
        "invoice_totals",
        "shop",
        **dict.fromkeys(("month", "customer", "status", "currency", "kind", "run", "search")),
    )
    assert total["total"] == Decimal("122.25") and isinstance(total["total"], Decimal)


def _publish(path: Path, number: int) -> None:
    fresh = path.with_name("fresh.duckdb")
    with duckdb.connect(str(fresh)) as connection:
        connection.execute("create schema marts")
        connection.execute(
            f"create table marts.runs as select 't' as tenant_id, 'run {number}' as run_key,"
            " 1 as documents, 1 as lines, now() as billing_as_of, now() as known_as_of,"
            " now() as issued_at, '1' as code_version"
        )
    fresh.replace(path)


def test_a_new_file_is_seen_at_once_and_an_open_reader_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    with pytest.raises(data.NothingPublished):
        data.version()
    path = tmp_path / "data" / "serving" / "current.duckdb"
    path.parent.mkdir(parents=True)
    _publish(path, 1)
    reader = data.cursor()
    assert data.query("runs", "t")[0]["run_key"] == "run 1"
    _publish(path, 2)
    assert data.query("runs", "t")[0]["run_key"] == "run 2"
    assert reader.execute("select run_key from marts.runs").fetchall() == [("run 1",)]
    with pytest.raises(duckdb.InvalidInputException):
        data.cursor().execute("create table marts.other as select 1")


def test_a_stored_pdf_is_read_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    kept = tmp_path / "data" / "documents" / "shop" / "2026" / "SHP-1.pdf"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"%PDF")
    assert files.stored_pdf("shop", "SHP-1", 2026) == b"%PDF"
    assert files.stored_pdf("shop", "SHP-2", 2026) is None
    assert files.stored_pdf("shop", "../2026/SHP-1", 2026) is None


def test_a_document_that_cannot_be_rendered_says_why(home: Path) -> None:
    with pytest.raises(files.NoFile, match="SHP-2026-0009"):
        files.rendered_pdf("shop", "SHP-2026-0009")
