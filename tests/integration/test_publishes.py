"""Why a number moved: two publishes compared down to rows and facts, kept within bounds, with the SQL behind each number."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

import dashboards.finance
from ratehouse import billing, flux, lineage, period_closes, publishes, warehouse
from ratehouse.cli import app
from ratehouse.flux import FluxRefused, Line
from ratehouse.publishes import NoPublish
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.reliability.installation import FEE_AND_CALLS, Installation

pytestmark = pytest.mark.slow

START = datetime(2026, 9, 1, tzinfo=UTC)
FORMULA = "=cmd|' /C calc'!A0"


def _land(installation: Installation, stream: str, name: str, row: dict[str, object]) -> None:
    land(installation.lake, stream, [row], tenant_id="acme", source="test", batch_id=name)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """September closed by two people; then 500 calls of October are learned, and billed on 2 November."""
    installation = Installation(tmp_path_factory.mktemp("told"))
    installation.add_tenant("acme", FEE_AND_CALLS)
    created = {"event_id": "s1", "subscription_id": "s1", "customer_id": "c1", "type": "created"}
    installation.land(
        "acme",
        customers=[{"customer_id": "c1", "name": FORMULA, "effective_at": START}],
        subscription_events=[{**created, "effective_at": START, "data": {"plan": "basic"}}],
        usage_events=[
            {
                "event_id": f"e{n}",
                "customer_id": "c1",
                "event_type": "call",
                "occurred_at": START + timedelta(days=n),
                "quantity": "100",
            }
            for n in range(60)
        ],
    )
    billing.bill_days(installation.settings, [date(2026, month, 1) for month in (10, 11)])
    period_closes.prepare(installation.settings, "acme", "2026-09", by="alice")
    period_closes.approve(installation.settings, "acme", "2026-09", by="bob")
    late = {"event_id": "late", "customer_id": "c1", "event_type": "call", "quantity": "500"}
    _land(installation, "usage_events", "late", {**late, "occurred_at": "2026-10-10T00:00:00Z"})
    billing.run(installation.settings, date(2026, 11, 2))
    return installation


def test_two_publishes_differ_by_rows_and_the_facts_in_between(told: Installation) -> None:
    settings = told.settings
    before, after = publishes.of_last_close(settings, "acme"), publishes.found(settings, "newest")
    assert before.clocks["acme"].closed_with == "2026-09" and before.publish_id < after.publish_id
    differences = {one.mart: one for one in publishes.compare("acme", before, after)}
    revenue = differences["revenue_by_period"]
    assert (revenue.added, revenue.removed, revenue.changed) == (0, 0, 1)
    assert revenue.sums == {"USD": (Decimal("80.0000"), Decimal("85.0000"))}
    # The correction is a document of its own.
    assert differences["invoices"].added == 1 and not differences["invoices"].removed
    assert not differences["revenue_by_period"].is_other_sql

    (row,) = publishes.changed_rows("acme", before, after, "revenue_by_period")
    assert row.kind == "changed" and row.key["period"] == "2026-10"
    assert row.changes["recognised"] == (Decimal("30.0000"), Decimal("35.0000"))
    learned = publishes.facts(settings, "acme", before, after)
    (cause,) = publishes.causes(row, learned)
    assert cause.stream == "usage_events" and cause.rows == 1 and cause.content["quantity"] == 500
    assert (
        "billed from 2026-11-01 up to 2026-11-02"
        in publishes.circumstances("acme", before, after, "invoices")[0]
    )
    # The same two are equal, and nothing was learned between them.
    assert not any(one.added or one.removed or one.changed for one in publishes.compare("acme", after, after))
    assert publishes.facts(settings, "acme", after, after) == []
    assert not publishes.changed_rows("acme", before, after, "revenue_by_period", like="2026-09")


def test_a_fact_that_says_an_earlier_day_than_it_came_is_found_too(
    told: Installation, tmp_path: Path
) -> None:
    installation = Installation(tmp_path / "home")
    shutil.copytree(told.home, installation.home)
    fact = {"event_id": "backdated", "customer_id": "c1", "event_type": "call", "quantity": "7"}
    said = {"occurred_at": "2026-10-11T00:00:00Z", "recorded_at": "2026-10-12T00:00:00Z"}
    _land(installation, "usage_events", "backdated", {**fact, **said})
    billing.run(installation.settings, date(2026, 11, 3))
    before, after = (publishes.found(installation.settings, name) for name in ("previous", "newest"))
    (learned,) = publishes.facts(installation.settings, "acme", before, after)
    assert learned.content["quantity"] == 7 and learned.recorded_at == datetime(2026, 10, 12, tzinfo=UTC)


def test_what_is_kept_has_bounds_and_readers_keep_what_they_have(told: Installation, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    shutil.copytree(told.home, installation.home)
    settings = installation.settings.model_copy(update={"publishes_kept": 2})
    pinned = publishes.of_last_close(settings, "acme")
    with duckdb.connect(str(settings.serving_path), read_only=True) as reader:
        for _ in range(3):
            warehouse.publish(settings)
        assert reader.execute("select count(*) from marts.invoices").fetchall() == [(3,)]
    kept = publishes.listed(settings)
    # Two, and the one of the last close.
    assert [one.publish_id == pinned.publish_id for one in kept] == [False, False, True]
    assert {path.name for path in settings.publishes_dir.iterdir()} == {one.publish_id for one in kept}
    # Half a publish, of a process that was killed, is nobody's, and goes.
    (settings.publishes_dir / ".writing-1").mkdir()
    small = settings.model_copy(update={"publishes_limit": kept[0].bytes + 10})
    warehouse.publish(small)
    assert len(publishes.listed(small)) == 1
    assert not list(settings.publishes_dir.glob(".writing*"))
    with pytest.raises(NoPublish, match="There is no previous publish"):
        publishes.found(small, "previous")
    before = len(list(settings.publishes_dir.iterdir()))
    warehouse.publish(settings.model_copy(update={"publishes_kept": 0}))
    assert len(list(settings.publishes_dir.iterdir())) == before


def test_the_command_line_says_what_moved_and_what_made_it(
    told: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(told.home))
    runner = CliRunner()
    listed = runner.invoke(app, ["publish", "list"])
    assert listed.exit_code == 0 and "2026-09" in listed.output
    said = runner.invoke(app, ["publish", "diff", "--tenant", "acme", "--since-close"])
    assert (
        said.exit_code == 0 and "revenue_by_period" in said.output and "usage_events recorded" in said.output
    )
    rows = runner.invoke(
        app, ["publish", "diff", "--tenant", "acme", "--since-close", "--mart", "revenue_by_period"]
    )
    assert "recognised: 30 → 35" in rows.output and "because of usage_events" in rows.output
    nothing = runner.invoke(app, ["publish", "diff", "20", "--tenant", "nobody"])
    assert isinstance(nothing.exception, Exception) and nothing.exit_code == 1
    made = runner.invoke(app, ["sql", "revenue_by_period"])
    assert "int_revenue__recognised" in made.output and "raw.contracts" in made.output
    assert runner.invoke(app, ["sql", "marts.nothing"]).exit_code == 1


def test_the_sql_of_a_number_reaches_the_facts_and_can_be_run(told: Installation) -> None:
    with duckdb.connect(":memory:") as connection:
        connection.execute(f"attach '{told.settings.serving_path}' as serving (read_only)")
        models = lineage.published(connection)
    ancestry = [model.relation for _, model in lineage.ancestry(models, "marts.journal_entries")]
    assert {"raw.contracts", "raw.subscription_events", "ledger.invoice_lines"} <= set(ancestry)
    assert all(models[name].sql for name in ancestry if models[name].kind == "model")
    with warehouse.connect(told.settings, read_only=True) as connection:
        shown = connection.sql(models["marts.revenue_by_period"].sql).order("1, 2, 3, 5, 6").fetchall()
        built = connection.sql("from marts.revenue_by_period").order("1, 2, 3, 5, 6").fetchall()
    assert shown == built and built


def test_one_explains_a_change_and_somebody_else_accepts_it(told: Installation, tmp_path: Path) -> None:
    installation = Installation(tmp_path / "home")
    shutil.copytree(told.home, installation.home)
    settings = installation.settings
    calls = Line("2026-10", "calls")
    (before,) = (row for row in flux.lines(settings, "acme", period="2026-10") if row["charge"] == "calls")
    assert (before["status"], before["change"], before["volume"]) == (
        "open",
        Decimal("5.0000"),
        Decimal("5.0000"),
    )
    for line, by, said, words in (
        (Line("2026-10", "nothing"), "alice", "x", "has no line nothing"),
        (Line("October", "calls"), "alice", "x", "is no month"),
        (calls, " ", "x", "who you are"),
        (calls, "alice", " ", "what is behind"),
    ):
        with pytest.raises(FluxRefused, match=words):
            flux.explain(settings, "acme", line, by=by, explanation=said)
    with pytest.raises(FluxRefused, match="Nobody has explained"):
        flux.accept(settings, "acme", calls, by="bob")
    assert flux.explain(
        settings, "acme", calls, by="alice", explanation="a busier month", owner="ops"
    ) == Decimal("5")
    with pytest.raises(FluxRefused, match="somebody else accepts"):
        flux.accept(settings, "acme", calls, by="Alice")
    flux.accept(settings, "acme", calls, by="bob")
    billing.run(settings, date(2026, 11, 3))
    (now,) = (row for row in flux.lines(settings, "acme", period="2026-10") if row["charge"] == "calls")
    assert (now["status"], now["explanation"], now["owner"]) == ("accepted", "a busier month", "ops")
    assert (now["explained_by"], now["accepted_by"]) == ("alice", "bob")
    # Another number is another change: it is asked for again.
    late = {"event_id": "later", "customer_id": "c1", "event_type": "call", "quantity": "100"}
    _land(installation, "usage_events", "later", {**late, "occurred_at": "2026-10-12T00:00:00Z"})
    billing.run(settings, date(2026, 11, 4))
    (moved,) = (row for row in flux.lines(settings, "acme", period="2026-10") if row["charge"] == "calls")
    assert (moved["status"], moved["change"], moved["explained_change"]) == (
        "moved",
        Decimal("6.0000"),
        Decimal("5.0000"),
    )


def _page(settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("RATEHOUSE_HOME", str(settings.home))
    test = AppTest.from_file(str(Path(dashboards.finance.__file__).with_name("app.py")), default_timeout=120)
    test.query_params["tenant"] = "acme"
    test.run()
    test.switch_page(f"views/{name}.py")
    test.run()
    assert not test.exception, test.exception
    return test


def test_the_page_shows_the_rows_that_moved_and_why(
    told: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = _page(told.settings, "changes", monkeypatch)
    test.toggle("changes_since_close").set_value(True).run()
    assert not test.exception
    assert "revenue_by_period" in list(test.dataframe[0].value["mart"])
    mart = next(box for box in test.selectbox if box.label == "Mart")
    mart.set_value("revenue_by_period").run()
    rows, facts = test.dataframe[1].value, test.dataframe[2].value
    assert list(rows["kind"]) == ["Changed"] and "Recognised 30 → 35" in rows["what"][0]
    assert list(facts["stream"]) == ["Usage events"] and "quantity 500" in facts["content"][0]


def test_the_flux_page_opens_a_driver_to_its_contract_and_takes_an_explanation(
    told: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(tmp_path / "home")
    shutil.copytree(told.home, installation.home)
    test = _page(installation.settings, "flux", monkeypatch)
    assert {one.label: one.value for one in test.metric}["Change"] == "5.00 USD"
    lines = test.dataframe[0].value
    assert list(lines["charge"]) == ["calls", "base"] and list(lines["volume"]) == ["5.00", ""]
    made = next(box for box in test.selectbox if box.key == "flux_made")
    assert made.options[0] == "marts.revenue_flux" and any("raw.usage_events" in one for one in made.options)
    assert "revenue_flux_items" in "".join(block.value for block in test.code)
