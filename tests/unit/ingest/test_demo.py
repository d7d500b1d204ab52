"""The demo is the same everywhere, is what it says it is, and fits the price books it is billed by."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
import yaml

from ingest.demo import DemoPlan, land_demo, write_demo_files
from ingest.demo.companies import SELLERS, Company, certificate_rows, customer_rows, subscription_event_rows
from ingest.demo.faults import DEFECTS, Received, event_ids
from ingest.demo.landing import DemoError, companies, received
from ingest.demo.plan import TENANTS
from ingest.demo.usage import KINDS, plain, quantity, usage
from ratehouse.canonical_json import canonical_text
from ratehouse.lake import Lake
from ratehouse.price_book import PriceBook, load_price_book, normalise_overrides
from ratehouse.stream_schema import EXEMPTION_REASONS
from ratehouse.tenant import load_tenant

SMALL = DemoPlan(events=24_000, customers=60)
TENANT_FOLDERS = Path(__file__).parents[3] / "tenants"
each_tenant = pytest.mark.parametrize("tenant", TENANTS)


@cache
def demo() -> dict[str, tuple[Company, Received]]:
    return {of.tenant_id: (of, received(SMALL, of)) for of in companies(SMALL)}


def first_copies(tenant: str) -> pl.DataFrame:
    return demo()[tenant][1].rows.unique("event_id", keep="first", maintain_order=True)


def good_events(tenant: str) -> pl.DataFrame:
    known = [c.customer_id for c in demo()[tenant][0].customers]
    types = [kind.event_type for kind in KINDS[tenant]]
    return first_copies(tenant).filter(pl.col("customer_id").is_in(known) & pl.col("event_type").is_in(types))


@cache
def loaded(tenant: str) -> dict[str, PriceBook]:
    files = sorted((TENANT_FOLDERS / tenant / "price_books").glob("*.yaml"))
    return {file.stem: load_price_book(file) for file in files}


@cache
def books(tenant: str) -> dict[str, dict[str, Any]]:
    return {version: book.document() for version, book in loaded(tenant).items()}


# --- the plan -----------------------------------------------------------------------------------------------


def test_plan_spans_whole_months_and_shares_without_a_rest() -> None:
    plan = DemoPlan()
    assert (plan.end, plan.days) == (date(2026, 11, 1), 184)
    assert plan.closes_at == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert DemoPlan(start=date(2026, 11, 1), months=14).end == date(2028, 1, 1)
    for total in (12, 299, 300, 2_000_000):
        assert sum(plan.share(total, 0).values()) == sum(plan.share(total, 1).values()) == total
    assert DemoPlan(lifecycle=True).key != plan.key == DemoPlan().key


@pytest.mark.parametrize(
    "wrong", [{"start": date(2026, 5, 2)}, {"months": 0}, {"customers": 3}, {"events": 10}], ids=str
)
def test_plan_refuses_what_cannot_be_filled(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DemoPlan(**wrong)


# --- the same everywhere ------------------------------------------------------------------------------------

# These change only if the demo is changed on purpose.
FINGERPRINTS = {
    "acme": "e001749bc0692043",
    "nordlys": "0054b011a79013e9",
    "kumo": "133011a3ec0e14de",
}


@each_tenant
def test_demo_is_the_same_on_every_machine(tenant: str) -> None:
    of, got = demo()[tenant]
    facts = [customer_rows(SMALL, of), subscription_event_rows(SMALL, of), got.malformed]
    digest = hashlib.sha256(json.dumps(facts, default=str, sort_keys=True).encode())
    digest.update(got.rows.write_csv().encode())
    assert digest.hexdigest()[:16] == FINGERPRINTS[tenant]


def test_another_seed_is_another_demo() -> None:
    other = DemoPlan(seed=8, events=24_000, customers=60)
    names = [[c.name for c in of.customers] for of in companies(other)]
    assert names != [[c.name for c in of.customers] for of, _ in demo().values()]


def test_texts_and_decimals_are_exact() -> None:
    values = pl.Series([0, 5, 1234, 100_000]).to_numpy()
    assert plain(values, 3).to_list() == ["0.000", "0.005", "1.234", "100.000"]
    assert plain(values, 0).to_list() == ["0", "5", "1234", "100000"]
    exact = quantity(pl.Series([-1_500, 0, 7, 10**11]).to_numpy(), 3)
    assert exact.dtype == pl.Decimal(28, 10)
    assert [str(v.normalize()) for v in exact] == ["-1.5", "0", "0.007", "1E+8"]


# --- what goes wrong, and how much of it --------------------------------------------------------------------


@each_tenant
def test_counts_are_those_of_the_plan(tenant: str) -> None:
    _, got = demo()[tenant]
    events = SMALL.share(SMALL.events, 1)[tenant]
    distinct = events + got.strays
    assert got.strays == events * SMALL.stray_ppm // 1_000_000
    assert got.rows.height == distinct + got.duplicates + got.conflicts
    assert got.rows["event_id"].n_unique() == distinct
    assert got.duplicates == distinct // 100
    assert abs(got.late - events * 0.02) < events * 0.006


@each_tenant
def test_copies_and_conflicts_come_after_the_first(tenant: str) -> None:
    _, got = demo()[tenant]
    content = ["customer_id", "event_type", "occurred_at", "quantity", "properties"]
    first = first_copies(tenant)
    copies = got.rows.with_columns(pl.int_range(pl.len()).over("event_id").alias("n")).filter(pl.col("n") > 0)
    pairs = copies.join(first, on="event_id", suffix="_first")
    assert (pairs["recorded_at"] > pairs["recorded_at_first"]).all()
    same = pairs.select(pl.all_horizontal(pl.col(c) == pl.col(f"{c}_first") for c in content)).to_series()
    assert (int(same.sum()), int((~same).sum())) == (got.duplicates, got.conflicts)


@each_tenant
def test_nothing_is_recorded_before_it_occurred_or_after_the_close(tenant: str) -> None:
    rows = demo()[tenant][1].rows
    assert rows["recorded_at"].is_sorted()
    assert (first_copies(tenant).select(pl.col("recorded_at") > pl.col("occurred_at"))).to_series().all()
    first, last = rows["recorded_at"].min(), rows["recorded_at"].max()
    assert isinstance(first, datetime) and isinstance(last, datetime)
    assert SMALL.opens_at < first
    assert last < SMALL.closes_at


def test_ids_are_unique_in_a_tenant_and_shared_between_tenants() -> None:
    ids = event_ids(1, 300_000)
    assert ids.n_unique() == 300_000
    assert set(ids.str.len_bytes().unique()) == {12}
    acme, kumo = (set(demo()[t][1].rows["event_id"]) for t in ("acme", "kumo"))
    assert acme & kumo


@each_tenant
def test_malformed_rows_have_ids_of_their_own(tenant: str) -> None:
    _, got = demo()[tenant]
    assert not set(got.rows["event_id"]) & {row["event_id"] for row in got.malformed}


# --- what the events say ------------------------------------------------------------------------------------


@each_tenant
def test_properties_are_canonical_json(tenant: str) -> None:
    for text in demo()[tenant][1].rows["properties"].unique().sort().gather_every(37):
        assert canonical_text(text) == text


@each_tenant
def test_usage_lies_inside_its_subscription(tenant: str) -> None:
    of, _ = demo()[tenant]
    zones = {c.customer_id: c.place.timezone for c in of.customers}
    starts = {
        c.customer_id: min(s.start_day for s in of.subscriptions if s.customer is c and s.plan != "care")
        for c in of.customers
    }
    bounds = (
        good_events(tenant)
        .group_by("customer_id")
        .agg(pl.col("occurred_at").min().alias("first"), pl.col("occurred_at").max().alias("last"))
    )
    for customer, first, last in bounds.iter_rows():
        zone = ZoneInfo(zones[customer])
        assert (first.astimezone(zone).date() - SMALL.start).days >= starts[customer]
        assert last.astimezone(zone).date() < SMALL.end


def test_stored_level_is_never_negative() -> None:
    changes = (
        good_events("nordlys")
        .filter(pl.col("event_type") == "storage.change")
        .sort("occurred_at", maintain_order=True)
    )
    level = changes.select(pl.col("quantity").cum_sum().over("customer_id", "properties")).to_series()
    assert level.len() > 500
    assert not (level < 0).any()


def test_terminals_are_added_before_they_are_removed() -> None:
    moves = good_events("kumo").filter(pl.col("event_type") == "terminal.changed").sort("occurred_at")
    seen: dict[tuple[str, str], str] = {}
    for customer, text in moves.select("customer_id", "properties").iter_rows():
        move = json.loads(text)
        before = seen.get((customer, move["terminal"]), "remove")
        assert move["operation"] == {"remove": "add", "add": "remove"}[before]
        seen[customer, move["terminal"]] = move["operation"]
    assert seen


def test_amounts_have_the_digits_of_the_customers_currency() -> None:
    of, _ = demo()["kumo"]
    digits = {c.customer_id: {"JPY": 0, "USD": 2, "KWD": 3}[c.currency] for c in of.customers}
    assert set(digits.values()) == {0, 2, 3}
    payments = good_events("kumo").filter(pl.col("event_type") == "payment.captured")
    for customer, text in payments.select("customer_id", "properties").iter_rows():
        assert len(json.loads(text)["amount"].partition(".")[2]) == digits[customer]


def test_usage_breathes_with_the_week_and_grows() -> None:
    plan = DemoPlan(events=60_000)
    acme = companies(plan)[0]
    local = usage(plan, acme, 60_000)["occurred_at"].dt.convert_time_zone("America/New_York")
    by_weekday = dict(local.dt.weekday().value_counts().iter_rows())
    assert by_weekday[3] > 2 * by_weekday[7]
    by_month = dict(local.dt.month().value_counts().iter_rows())
    assert by_month[10] > 1.3 * by_month[5]
    sizes = usage(plan, acme, 60_000)["customer_id"].value_counts(sort=True)["count"]
    assert sizes[0] > 20 * sizes[len(sizes) // 2]


# --- customers and subscriptions ----------------------------------------------------------------------------


def test_customers_are_of_many_places_and_nobody_real() -> None:
    rows = [row for of in companies(DemoPlan()) for row in customer_rows(DemoPlan(), of)]
    assert len({row["country"] for row in rows}) > 15
    assert {row["language"] for row in rows} == {"en", "de", "fr", "es", "ja"}
    assert all(mail.endswith(".example") for row in rows for mail in row["emails"])
    assert any("株式会社" in row["name"] for row in rows) and any("é" in row["name"] for row in rows)
    assert any(row["parent_customer_id"] for row in rows) and any(row["po_number"] for row in rows)
    # every customer of a tenant has a name of its own
    for of in companies(DemoPlan(customers=900)):
        assert len({c.name for c in of.customers}) == len(of.customers)


def test_certificates_end_come_late_and_are_revoked_within_the_demo() -> None:
    plan = DemoPlan()
    rows = [row for of in companies(plan) for row in certificate_rows(plan, of)]
    assert {row["reason"] for row in rows} <= EXEMPTION_REASONS
    assert all(row["recorded_at"] < plan.closes_at for row in rows)
    assert any(row["recorded_at"].date() > plan.start for row in rows) and any(
        row.get("revoked_on") for row in rows
    )
    assert any(row["valid_until"] and row["valid_until"] < plan.end for row in rows)


def test_starts_include_the_ends_of_months_and_old_anchors() -> None:
    plan = DemoPlan()
    events = [row for of in companies(plan) for row in subscription_event_rows(plan, of)]
    created = [row for row in events if row["type"] == "created"]
    days = {row["effective_at"].day for row in created}
    assert {29, 30, 31} <= days
    assert {row["data"].get("anchor_day") for row in created} >= {None, 29, 30, 31}
    assert {row["type"] for row in events} == {"created", "price_migrated"}
    assert {row["data"]["price_book"] for row in events if row["type"] == "price_migrated"} == {"2026-08"}
    assert sum("overrides" in row["data"] for row in created) >= 5
    assert len({(row["tenant_id"], row["event_id"]) for row in events}) == len(events)


def test_lifecycle_adds_facts_and_leaves_the_others_alone() -> None:
    with_it = DemoPlan(lifecycle=True)
    for plain_of, of in zip(companies(DemoPlan()), companies(with_it), strict=True):
        before = subscription_event_rows(DemoPlan(), plain_of)
        after = subscription_event_rows(with_it, of)
        added = [row for row in after if row not in before]
        assert len(after) == len(before) + len(added)
        assert {row["type"] for row in added} == {"quantity_changed", "plan_changed", "cancelled"}
        assert all(with_it.opens_at < row["recorded_at"] < with_it.closes_at for row in added)
        events = SMALL.share(SMALL.events, 1)[of.tenant_id]
        assert usage(with_it, of, events).equals(usage(DemoPlan(), plain_of, events))


# --- the price books ----------------------------------------------------------------------------------------


@each_tenant
def test_what_is_sold_is_in_the_price_books(tenant: str) -> None:
    assert load_tenant(TENANT_FOLDERS / tenant / "tenant.yaml").document()["currency"] == next(
        iter(SELLERS[tenant].currencies)
    )
    of = next(of for of in companies(DemoPlan(lifecycle=True)) if of.tenant_id == tenant)
    for version, book in books(tenant).items():
        metered = {meter["event_type"] for meter in book["meters"].values()}
        assert metered == {kind.event_type for kind in KINDS[tenant]}
        for row in subscription_event_rows(DemoPlan(lifecycle=True), of):
            data = row["data"]
            assert (
                data.get("plan", "care" if tenant == "kumo" else next(iter(book["plans"]))) in book["plans"]
            )
            assert set(data.get("coupons", ())) <= set(book["coupons"])
            if "overrides" in data:
                normalise_overrides(data["overrides"], loaded(tenant)[version], plan=data["plan"])
        for plan, (name, _, _) in SELLERS[tenant].counted.items():
            charges = book["plans"][plan]["charges"].values()
            assert name in {charge["quantity"] for charge in charges}
        for plan in book["plans"].values():
            for charge in plan["charges"].values():
                assert {price["currency"] for price in charge["prices"]} == set(SELLERS[tenant].currencies)


@each_tenant
def test_every_usage_charge_of_a_plan_gets_events(tenant: str) -> None:
    for book in books(tenant).values():
        for code, plan in book["plans"].items():
            meters = {c["meter"] for c in plan["charges"].values() if c["type"] == "usage"}
            types = {book["meters"][meter]["event_type"] for meter in meters}
            sent = {kind.event_type for kind in KINDS[tenant] if code in kind.plans}
            assert types <= sent


def test_the_newer_book_starts_when_the_demo_says() -> None:
    migrates_to = SELLERS["acme"].migrates_to
    assert migrates_to is not None
    assert books("acme")[migrates_to[0]]["effective_from"] in (migrates_to[1], str(migrates_to[1]))


def test_the_price_books_show_every_model_and_aggregation() -> None:
    documents = [book for tenant in TENANTS for book in books(tenant).values()]
    models = {
        price["model"]
        for book in documents
        for plan in book["plans"].values()
        for charge in plan["charges"].values()
        for price in charge["prices"]
    }
    assert models == {
        *("flat", "per_unit", "graduated", "volume", "stairstep", "package"),
        *("percentage", "graduated_percentage", "dynamic"),
    }
    aggregations = {meter["aggregation"] for book in documents for meter in book["meters"].values()}
    assert aggregations == set("count sum max min latest average unique_count time_weighted".split())
    intervals = {plan["interval"] for book in documents for plan in book["plans"].values()}
    assert {"month", "quarter", "year"} <= intervals


# --- landing ------------------------------------------------------------------------------------------------


def test_landing_twice_adds_nothing(tmp_path: Path) -> None:
    lake, plan = Lake(str(tmp_path / "lake")), DemoPlan(events=6_000, customers=20, months=1)
    steps: list[float] = []
    first = land_demo(lake, plan, progress=lambda _what, done: steps.append(done))
    files = {file: Path(file).stat().st_mtime_ns for file in lake.files("raw")}
    again = land_demo(lake, plan)
    assert {file: Path(file).stat().st_mtime_ns for file in lake.files("raw")} == files
    assert again.batches_new == 0 < first.batches_new == first.batches == again.batches
    assert steps == sorted(steps) and steps[-1] == 1.0
    assert (first.accepted, first.rejected) == (again.accepted, again.rejected)
    assert first.accepted + first.rejected == first.usage_rows
    assert set(first.reasons) == set(DEFECTS)
    assert first.rejected == sum(first.reasons.values())
    landed = lake.read("raw/usage_events")
    assert landed is not None and landed.num_rows == first.accepted
    assert (first.customers, sum(first.events_by_tenant.values())) == (20, first.accepted)


def test_another_demo_is_refused(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    land_demo(lake, DemoPlan(events=200, customers=12, months=1))
    before = lake.files("raw")
    with pytest.raises(DemoError, match="another size or seed"):
        land_demo(lake, DemoPlan(events=200, customers=12, months=1, seed=8))
    assert lake.files("raw") == before


# --- files --------------------------------------------------------------------------------------------------


def _ndjson(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]


def _csv(path: Path) -> list[dict[str, Any]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


READERS: dict[str, Callable[[Path], list[dict[str, Any]]]] = {
    ".gz": _ndjson,
    ".csv": _csv,
    ".parquet": lambda path: pl.read_parquet(path).to_dicts(),
}


def test_files_are_the_events_of_the_demo(tmp_path: Path) -> None:
    written = write_demo_files(tmp_path / "a", SMALL)
    again = write_demo_files(tmp_path / "b", SMALL)
    assert [p.read_bytes() for p in written] == [p.read_bytes() for p in again]
    for tenant, file, map_file in zip(TENANTS, written[::2], written[1::2], strict=True):
        document = yaml.safe_load(map_file.read_text())
        rows = READERS[file.suffix](file)
        ids = [row[document["event_id"].strip("{}")] for row in rows]
        known = dict(first_copies(tenant).select("event_id", "properties").iter_rows())
        bad = [event_id for event_id in ids if event_id.startswith("bad-")]
        assert len(bad) == (2 if file.suffix == ".csv" else 0)
        assert len(ids) > len(bad)
        for event_id, row in zip(ids, rows, strict=True):
            if event_id in bad:
                continue
            assert {name: row[col] for name, col in document["properties"].items()} == json.loads(
                known[event_id]
            )
