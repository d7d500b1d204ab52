"""Tenants, price books and negotiated charges on their way into the lake."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent

import pytest

from ratehouse.configuration import land_configuration, load_configuration
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land

BOOK = """
price_book: "1"
effective_from: 2026-01-01
currency: USD
plans:
  team:
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "AMOUNT", prices_in: {EUR: {amount: "9.00"}}}
"""


def installation(tmp_path: Path, **books: str) -> Settings:
    for tenant, book in books.items():
        folder = tmp_path / "tenants" / tenant / "price_books"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "tenant.yaml").write_text(f"tenant: {tenant}\n")
        (folder / "1.yaml").write_text(dedent(book))
    return Settings.load(tmp_path, environ={})


def landed(lake: Lake, relation: str) -> list[dict]:
    table = lake.read(relation)
    return table.to_pylist() if table is not None else []


def test_landing_again_adds_nothing_and_a_changed_version_is_refused(tmp_path: Path) -> None:
    settings = installation(tmp_path, acme=BOOK.replace("AMOUNT", "10.00"))
    lake = Lake(settings.lake_url)
    land_configuration(settings, lake)
    before = lake.files("raw")
    assert not land_configuration(settings, lake).failures
    assert lake.files("raw") == before
    installation(tmp_path, acme=BOOK.replace("AMOUNT", "11.00"))
    failure = land_configuration(settings, lake).failures["acme"]
    assert failure.reason_code == "version_changed"
    assert len(landed(lake, "raw/price_books")) == 1


def test_a_fault_of_one_tenant_leaves_the_others_alone(tmp_path: Path) -> None:
    settings = installation(
        tmp_path, good=BOOK.replace("AMOUNT", "10.00"), bad=BOOK.replace('"AMOUNT"', "0.1")
    )
    found = land_configuration(settings, Lake(settings.lake_url))
    assert list(found.tenants) == ["good"]
    assert "1.yaml" in str(found.failures["bad"])
    assert {row["tenant_id"] for row in landed(Lake(settings.lake_url), "raw/tenants")} == {"good"}


def test_without_a_folder_of_tenants_the_fix_is_named(tmp_path: Path) -> None:
    with pytest.raises(RatehouseError, match="create it"):
        load_configuration(Settings.load(tmp_path, environ={}))


def test_negotiated_charges_are_landed_once_in_the_currency_of_the_subscription(tmp_path: Path) -> None:
    settings = installation(tmp_path, acme=BOOK.replace("AMOUNT", "10.00"))
    lake = Lake(settings.lake_url)
    land(
        lake,
        "customers",
        [{"customer_id": "c2", "currency": "EUR"}],
        tenant_id="acme",
        source="t",
        batch_id="c",
    )
    created = {"type": "created", "effective_at": "2026-02-01", "customer_id": "c2"}
    events = [
        {
            **created,
            "event_id": "e1",
            "subscription_id": "s1",
            "data": {"plan": "team", "overrides": {"base": {"amount": "8.00"}}},
        },
        {
            **created,
            "event_id": "e2",
            "subscription_id": "s2",
            "data": {"plan": "team", "overrides": {"base": {"amuont": "8"}}},
        },
        {**created, "event_id": "e3", "subscription_id": "s3", "data": {"plan": "team"}},
    ]
    land(lake, "subscription_events", events, tenant_id="acme", source="t", batch_id="e")
    land_configuration(settings, lake)
    rows = {row["event_id"]: row for row in landed(lake, "raw/negotiated_charges")}
    assert sorted(rows) == ["e1", "e2"]
    [price] = json.loads(rows["e1"]["charges"])["base"]["prices"]
    assert (price["currency"], price["amount"]) == ("EUR", "8")
    assert rows["e2"]["reason_code"] == "unknown_key"
    before = lake.files("raw")
    land_configuration(settings, lake)
    assert lake.files("raw") == before
