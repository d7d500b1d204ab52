"""Tax of documents through AvaTax and TaxJar on loopback: nothing goes out without it, or twice to them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import Result
from dagster import DagsterInstance, materialize
from typer.testing import CliRunner

from deliver import http
from deliver.tax.avalara import Avalara
from deliver.tax.dispatch import commit, quote, quote_in_run
from deliver.tax.outbox import read_transactions
from deliver.tax.provider import TaxError
from deliver.tax.taxjar import TaxJar
from orchestration.build import build_defs
from orchestration.defs.taxes.assets import tax_transactions
from orchestration.lib.names import TAX_TRANSACTIONS
from orchestration.lib.resources import BillingNight
from ratehouse import billing
from ratehouse.commands.tax import app
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.integration.payment_servers import closing
from tests.integration.tax_servers import ACCOUNT, KEY, NO_ZIP, AvaTax, TaxJarServer
from tests.reliability.installation import Installation

# One warehouse serves all of them.
pytestmark = pytest.mark.xdist_group("tax")

DAY = date(2026, 1, 1)
BOOK = """\
price_book: "1"
effective_from: 2025-01-01
currency: USD
plans:
  std:
    anchor: calendar
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "100.00", tax_code: SW054000}
      seat: {type: recurring, timing: advance, model: flat, amount: "13.37"}
"""
SETTINGS = """\
proration: {credit: credit_note}
tax: {provider: PROVIDER, company: ACME, origin: {postal_code: "94105", region: CA, country: US}}
"""
PLACES = {
    "angeleno": {
        "country": "US",
        "region": "CA",
        "postal_code": "90012",
        "address": ["1 Main St", "Los Angeles"],
    },
    "exempt": {"country": "US", "region": "NJ", "postal_code": "07446", "tax_exempt": True},
    "no_zip": {"country": "US", "region": "NJ", "postal_code": NO_ZIP},
    "homeless": {},
}
TENANTS = {"ava": "avalara", "jar": "taxjar"}


@pytest.fixture(scope="module")
def avatax() -> Iterator[AvaTax]:
    with closing(AvaTax()) as server:
        yield server


@pytest.fixture(scope="module")
def taxjar() -> Iterator[TaxJarServer]:
    with closing(TaxJarServer()) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def accounts(avatax: AvaTax, taxjar: TaxJarServer) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "RATEHOUSE_AVALARA_AVA_ACCOUNT": ACCOUNT,
            "RATEHOUSE_AVALARA_AVA_KEY": KEY,
            "RATEHOUSE_AVALARA_AVA_URL": avatax.url,
            "RATEHOUSE_AVALARA_AVA_TIMEOUT": "0.4",
            "RATEHOUSE_TAXJAR_JAR_KEY": KEY,
            "RATEHOUSE_TAXJAR_JAR_URL": taxjar.url,
            "RATEHOUSE_TAXJAR_JAR_TIMEOUT": "0.4",
        }.items():
            patch.setenv(name, value)
        patch.setattr(http, "TRIES", 2)
        yield


@pytest.fixture(scope="module")
def blocked(
    tmp_path_factory: pytest.TempPathFactory, avatax: AvaTax, taxjar: TaxJarServer
) -> tuple[Installation, billing.Run]:
    """A company with each provider, billed while both were down. Not to be changed: copy it."""
    home = Installation(tmp_path_factory.mktemp("blocked"))
    for tenant, provider in TENANTS.items():
        home.add_tenant(tenant, BOOK, SETTINGS.replace("PROVIDER", provider))
        home.land(
            tenant,
            customers=[
                {"customer_id": name, "effective_at": "2025-12-01", **place} for name, place in PLACES.items()
            ],
            subscription_events=[
                {
                    "event_id": f"created-{name}",
                    "subscription_id": f"sub-{name}",
                    "customer_id": name,
                    "type": "created",
                    "effective_at": "2026-01-01",
                    "recorded_at": "2026-01-01",
                    "data": {"plan": "std"},
                }
                for name in PLACES
            ],
        )
    avatax.moods["create"], taxjar.moods["taxes"] = ["always down"], ["always down"]
    run = billing.run(home.settings, DAY, known_at_the_time=True, quoter=quote_in_run)
    avatax.moods.clear()
    taxjar.moods.clear()
    return home, run


@pytest.fixture
def home(blocked: tuple[Installation, billing.Run], tmp_path: Path) -> Installation:
    shutil.copytree(blocked[0].home, tmp_path / "home")
    return Installation(tmp_path / "home")


def rows(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(settings.serving_path), read_only=True) as serving:
        return serving.execute(query).fetchall()


def seen_anywhere(home: Path, *words: str) -> set[str]:
    """Which of the words stand in any file of an installation."""
    found = set()
    for path in home.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            found |= {word for word in words if word.encode() in content}
    return found


def test_while_a_provider_is_down_nothing_is_issued(blocked: tuple[Installation, billing.Run]) -> None:
    home, run = blocked
    assert run.issued.documents == 0
    assert [problem.split(":")[0] for problem in run.problems] == ["ava", "jar"]
    assert "not answered" in run.problems[0]
    found = rows(
        home.settings, "select tenant_id, customer_id, status, reason from marts.tax_requests order by all"
    )
    assert found == [
        (tenant, customer, *state)
        for tenant, provider in TENANTS.items()
        for customer, state in {
            "angeleno": ("waiting", f"quote_missing: {provider} has not been asked, or did not answer"),
            "exempt": ("waiting", f"quote_missing: {provider} has not been asked, or did not answer"),
            "homeless": ("incomplete", "address_missing: the customer has no country"),
            "no_zip": ("waiting", f"quote_missing: {provider} has not been asked, or did not answer"),
        }.items()
    ]
    assert rows(home.settings, "select count(*) from marts.invoices") == [(0,)]


@dataclass(frozen=True)
class Answered:
    """The company after its providers were there again."""

    home: Installation
    outputs: list[Result]
    run: billing.Run


@pytest.fixture(scope="module")
def answered(
    blocked: tuple[Installation, billing.Run],
    tmp_path_factory: pytest.TempPathFactory,
    avatax: AvaTax,
    taxjar: TaxJarServer,
) -> Answered:
    """Answers are lost, cut, garbled; whoever asks again gets one in the end. Not to be changed: copy it."""
    copy = tmp_path_factory.mktemp("answered") / "home"
    shutil.copytree(blocked[0].home, copy)
    home = Installation(copy)
    avatax.moods["create"] = ["lost", "cut", "ok"]
    taxjar.moods["taxes"] = ["garbled", "500", "cut_after", "ok"]
    environ = {"RATEHOUSE_HOME": str(copy), "COLUMNS": "200"}
    outputs = [CliRunner().invoke(app, ["quote"], env=environ) for _ in range(4)]
    outputs.append(CliRunner().invoke(app, ["status"], env=environ))
    return Answered(
        home, outputs, billing.run(home.settings, DAY, known_at_the_time=True, quoter=quote_in_run)
    )


def test_what_was_answered_is_issued_with_the_tax_of_the_provider(
    answered: Answered, avatax: AvaTax, taxjar: TaxJarServer
) -> None:
    home = answered.home
    first, *_, last, status = answered.outputs
    assert first.exit_code == 1 and "refused" in first.output
    assert (last.exit_code, last.output) == (0, "nothing was due\n")
    assert "address_missing: the customer has no country" in status.output
    assert answered.run.issued.documents == 4
    # 113.37: 6.25 + 0.84 for the state, 1.38 + 0.18 for the county; TaxJar rounds the whole, to 8.64.
    assert rows(
        home.settings, "select tenant_id, customer_id, subtotal, tax, total from marts.invoices order by all"
    ) == [
        ("ava", "angeleno", Decimal("113.37"), Decimal("8.65"), Decimal("122.02")),
        ("ava", "exempt", Decimal("113.37"), Decimal("0"), Decimal("113.37")),
        ("jar", "angeleno", Decimal("113.37"), Decimal("8.64"), Decimal("122.01")),
        ("jar", "exempt", Decimal("113.37"), Decimal("0"), Decimal("113.37")),
    ]
    assert rows(
        home.settings,
        "select tenant_id, tax_code, tax_percent, amount from marts.invoice_lines"
        " where line_type = 'tax' and customer_id = 'angeleno' order by all",
    ) == [
        ("ava", "CA CALIFORNIA state", Decimal("6.25"), Decimal("7.09")),
        ("ava", "CA LOS ANGELES county", Decimal("1.375"), Decimal("1.56")),
        ("jar", "CA LOS ANGELES county", Decimal("1.375"), Decimal("1.56")),
        ("jar", "CA state", Decimal("6.25"), Decimal("7.08")),
    ]
    reasons = rows(
        home.settings, "select reason from marts.tax_requests where status = 'refused' order by all"
    )
    assert [text.split(":")[0] for (text,) in reasons] == ["quote_refused", "quote_refused"]
    assert "InvalidPostalCode; The postal code is invalid." in reasons[0][0]

    asked = len(avatax.requests), len(taxjar.requests)
    assert billing.run(home.settings, DAY, known_at_the_time=True, quoter=quote_in_run).issued.run_key is None
    assert (len(avatax.requests), len(taxjar.requests)) == asked
    assert seen_anywhere(home.home, KEY, ACCOUNT) == set()


def test_the_customer_finds_their_postal_code(home: Installation) -> None:
    told = {
        "customer_id": "no_zip",
        "effective_at": "2025-12-02",
        "recorded_at": "2025-12-02",
        **PLACES["angeleno"],
    }
    land(home.lake, "customers", [told], tenant_id="ava", source="test", batch_id="moved")
    run = billing.run(home.settings, DAY, tenants=["ava"], known_at_the_time=True, quoter=quote_in_run)
    issued = rows(
        home.settings, "select customer_id, tax from marts.invoices where tenant_id = 'ava' order by all"
    )
    assert issued == [("angeleno", Decimal("8.65")), ("exempt", 0), ("no_zip", Decimal("8.65"))]
    assert run.problems == ()


def test_without_its_key_a_tenant_waits_and_the_other_does_not(
    home: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RATEHOUSE_AVALARA_AVA_KEY")
    done = quote(home.settings)
    assert done.outcomes == {"out of reach": 1, "quoted": 2, "refused": 1}
    assert "RATEHOUSE_AVALARA_AVA_KEY is not set" in done.problems[0]
    monkeypatch.setenv("RATEHOUSE_AVALARA_AVA_KEY", "wrong")
    assert "check the token of avalara in the environment" in quote(home.settings).problems[0]


def test_what_was_refused_is_asked_again_on_demand(home: Installation, taxjar: TaxJarServer) -> None:
    assert quote(home.settings, tenants=["jar"]).outcomes == {"quoted": 2, "refused": 1}
    assert not quote(home.settings, tenants=["jar"]).outcomes
    before = len(taxjar.requests)
    quote(home.settings, tenants=["jar"], again=True)
    assert len(taxjar.requests) > before


def test_providers_are_told_once_what_was_issued_corrected_and_voided(
    answered: Answered, tmp_path: Path, avatax: AvaTax, taxjar: TaxJarServer
) -> None:
    shutil.copytree(answered.home.home, tmp_path / "home")
    home = Installation(tmp_path / "home")
    numbers = {
        (tenant, customer): (invoice_id, number)
        for tenant, customer, invoice_id, number in rows(
            home.settings, "select tenant_id, customer_id, invoice_id, invoice_number from marts.invoices"
        )
    }
    # Sent and no answer: unknown, and found the next time. TaxJar would refuse the same transaction twice.
    avatax.moods["create"] = ["500_after", "500_after", "ok"]
    taxjar.moods["create"] = ["cut_after", "cut_after", "ok"]
    first = commit(home.settings)
    assert sum(first.outcomes.values()) == 4
    assert first.outcomes["unknown"] >= 1 and first.problems
    commit(home.settings, again=True)
    assert not commit(home.settings).outcomes
    assert {
        (kind, code): (document["status"], float(document["totalTax"]))
        for (kind, code), document in avatax.documents.items()
    } == {
        ("SalesInvoice", numbers["ava", "angeleno"][0]): ("Committed", 8.65),
        ("SalesInvoice", numbers["ava", "exempt"][0]): ("Committed", 0),
    }
    assert {(key, float(stated["sales_tax"])) for key, stated in taxjar.transactions.items()} == {
        (("orders", numbers["jar", "angeleno"][0]), 8.64),
        (("orders", numbers["jar", "exempt"][0]), 0),
    }

    # Ten of 31 days are kept of one, the other is void.
    cancelled = {
        "event_id": "cancelled",
        "subscription_id": "sub-angeleno",
        "customer_id": "angeleno",
        "type": "cancelled",
        "effective_at": "2026-01-11",
        "recorded_at": "2026-01-11",
        "data": {"when": "immediate"},
    }
    land(home.lake, "subscription_events", [cancelled], tenant_id="ava", source="test", batch_id="cancelled")
    void = {
        "adjustment_id": "v1",
        "invoice_number": numbers["jar", "angeleno"][1],
        "reason_code": "void",
        "effective_at": "2026-01-10",
        "recorded_at": "2026-01-10",
    }
    land(home.lake, "adjustments", [void], tenant_id="jar", source="test", batch_id="void")
    billing.run(home.settings, date(2026, 1, 11), known_at_the_time=True, quoter=quote_in_run)
    ((note, tax),) = rows(
        home.settings,
        "select invoice_id, tax from marts.invoices where tenant_id = 'ava' and kind = 'credit_note'",
    )
    # 67.74 of 100.00 and 9.06 of 13.37: 4.23 + 0.57 of the state, 0.93 + 0.12 of the county.
    assert tax == Decimal("-5.85")
    done = commit(home.settings)
    assert done.outcomes == {"committed": 1, "voided": 1}, done.problems
    returned = avatax.documents["ReturnInvoice", note]
    assert (returned["status"], float(returned["totalTax"])) == ("Committed", -5.85)
    assert avatax.requests[-1]["referenceCode"] == numbers["ava", "angeleno"][0]
    assert list(taxjar.transactions) == [("orders", numbers["jar", "exempt"][0])]
    assert not commit(home.settings).outcomes
    states = [one.state for one in read_transactions(home.settings, home.lake)]
    assert sorted(states) == ["committed"] * 4 + ["voided"]
    assert seen_anywhere(home.home, KEY, ACCOUNT) == set()


def test_providers_hear_of_certificates_and_have_the_last_word(
    blocked: tuple[Installation, billing.Run], tmp_path: Path, avatax: AvaTax, taxjar: TaxJarServer
) -> None:
    shutil.copytree(blocked[0].home, tmp_path / "home")
    home = Installation(tmp_path / "home")
    avatax.documents.clear()
    taxjar.transactions.clear()

    def certificate(tenant: str, recorded: str, **said: object) -> None:
        row = {
            "customer_id": "angeleno",
            "country": "US",
            "region": "CA",
            "valid_from": "2025-01-01",
            "recorded_at": recorded,
            **said,
        }
        landed = land(
            home.lake,
            "exemption_certificates",
            [row],
            tenant_id=tenant,
            source="test",
            batch_id=f"{tenant}-{said['certificate_id']}",
        )
        assert landed.accepted == 1

    certificate("ava", "2025-12-02", certificate_id="x1", number="RESALE-1", reason="resale")
    certificate(
        "jar", "2025-12-02", certificate_id="x1", number="CH-1", reason="charity", tax_codes=["SW054000"]
    )
    billing.run(home.settings, DAY, known_at_the_time=True, quoter=quote_in_run)
    line = next(model for model in avatax.requests[::-1] if model["customerCode"] == "angeleno")["lines"][0]
    assert (line["exemptionCode"], line["entityUseCode"]) == ("RESALE-1", "G")

    def asked() -> dict[str, Any]:
        return next(stated for stated in taxjar.requests[::-1] if stated["customer_id"] == "angeleno")

    assert asked()["exemption_type"] == "non_exempt"
    assert [item["product_tax_code"] for item in asked()["line_items"]] == ["99999", None]
    documents = (
        "select tenant_id, kind, tax, notes from marts.invoices where customer_id = 'angeleno' order by all"
    )
    assert rows(home.settings, documents) == [
        # AvaTax does not take the certificate in California: no exemption is claimed, and none given later.
        ("ava", "invoice", Decimal("8.65"), None),
        ("jar", "invoice", Decimal("1.02"), '["tax_exempt"]'),
    ]

    certificate("jar", "2026-01-05", certificate_id="x2", number="CH-2", reason="charity")
    billing.run(home.settings, date(2026, 1, 6), known_at_the_time=True, quoter=quote_in_run)
    assert rows(home.settings, documents) == [
        ("ava", "invoice", Decimal("8.65"), None),
        ("jar", "credit_note", Decimal("-1.02"), '["tax_exempt"]'),
        ("jar", "invoice", Decimal("1.02"), '["tax_exempt"]'),
    ]
    assert asked()["exemption_type"] == "other"
    done = commit(home.settings)
    assert done.outcomes["committed"] == sum(done.outcomes.values()) == 6, done.problems
    assert commit(home.settings).outcomes == {}
    told = {
        key: (float(stated["sales_tax"]), stated["exemption_type"])
        for key, stated in taxjar.transactions.items()
    }
    ((invoice,), (note,)) = rows(
        home.settings,
        "select invoice_id from marts.invoices where tenant_id = 'jar' and customer_id = 'angeleno' order by kind desc",
    )
    assert told["orders", invoice] == (1.02, "non_exempt")
    assert {key[0]: of for key, of in told.items() if key[1].startswith(note)} == {
        "orders": (0, "other"),
        "refunds": (-1.02, "non_exempt"),
    }
    places = rows(
        home.settings,
        "select region, jurisdiction, treatment, sum(taxable), sum(tax) from marts.tax_summary"
        " where tenant_id = 'jar' and region = 'CA' group by all order by all",
    )
    assert places == [
        ("CA", "CA LOS ANGELES county", "taxed", Decimal(0), Decimal(0)),
        ("CA", "CA state", "taxed", Decimal(0), Decimal(0)),
        ("CA", None, "exempt", Decimal("113.37"), Decimal(0)),
    ]


def test_the_night_tells_the_providers_and_a_second_one_finds_nothing_to_tell(
    answered: Answered, tmp_path: Path, avatax: AvaTax, taxjar: TaxJarServer
) -> None:
    shutil.copytree(answered.home.home, tmp_path / "home")
    home = Installation(tmp_path / "home")
    avatax.documents.clear()
    taxjar.transactions.clear()
    nightly = build_defs(settings=home.settings).resolve_job_def("nightly")
    assert TAX_TRANSACTIONS in nightly.asset_layer.executable_asset_keys

    def night(tenants: list[str]) -> dict[str, int]:
        with DagsterInstance.ephemeral() as instance:
            done = materialize(
                [tax_transactions],
                resources={"settings": home.settings, "night": BillingNight(tenants=tenants)},
                instance=instance,
            )
        (made,) = done.asset_materializations_for_node("taxes__transactions")
        return {name: value.value for name, value in made.metadata.items() if name != "problems"}  # type: ignore[misc]

    assert night(["jar"]) == {"committed": 2}
    assert night([]) == {"committed": 2}
    assert (len(avatax.documents), len(taxjar.transactions)) == (2, 2)
    assert night([]) == {}


def test_what_a_provider_saves_with_another_tax_is_not_committed(
    answered: Answered, tmp_path: Path, avatax: AvaTax
) -> None:
    shutil.copytree(answered.home.home, tmp_path / "home")
    home = Installation(tmp_path / "home")
    avatax.documents.clear()
    avatax.off_by = Decimal("0.01")
    try:
        done = commit(home.settings, tenants=["ava"])
    finally:
        avatax.off_by = Decimal(0)
    assert done.outcomes == {"refused": 2}
    assert {document["status"] for document in avatax.documents.values()} == {"Saved"}
    assert not commit(home.settings, tenants=["ava"]).outcomes
    assert commit(home.settings, tenants=["ava"], again=True).outcomes == {"committed": 2}


@pytest.mark.parametrize("provider", [Avalara, TaxJar])
def test_a_key_never_goes_in_the_clear(provider: type[Avalara] | type[TaxJar]) -> None:
    name = provider.name.upper()
    environ = {f"RATEHOUSE_{name}_T_{part}": "x" for part in ("ACCOUNT", "KEY")}
    with pytest.raises(TaxError, match="https"):
        provider.load("t", {**environ, f"RATEHOUSE_{name}_T_URL": "http://tax.example"})
    with pytest.raises(TaxError, match="TIMEOUT"):
        provider.load("t", {**environ, f"RATEHOUSE_{name}_T_TIMEOUT": "soon"})
    loaded = provider.load("t", environ)
    assert "x" not in repr(loaded._http.endpoint).replace("avatax", "").replace("taxjar", "")
