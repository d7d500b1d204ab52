"""Price books: the grammar, what it refuses and where, the normalised document, overrides, the command."""

import copy
import datetime as dt
import json

import pyarrow as pa
import pytest
import yaml
from typer.testing import CliRunner

from ratehouse.commands.price_book import app
from ratehouse.lake import Lake
from ratehouse.price_book import (
    PriceBookError,
    check_against_lake,
    load_price_book,
    normalise_overrides,
    parse_price_book,
)
from ratehouse.price_book_diff import describe_charge, diff

BOOK = """\
price_book: "2026-11"
effective_from: 2026-11-01
currency: USD
meters:
  api_calls:
    event_type: api.request
    aggregation: count
    dimensions: [tier, region]
  seconds: {aggregation: sum}
plans:
  growth:
    charges:
      base: {type: recurring, timing: advance, model: flat, amount: "99.00"}
      seats: {type: recurring, timing: advance, quantity: seats, model: per_unit, unit_price: "29.00"}
      api:
        type: usage
        meter: api_calls
        model: graduated
        included: "10000"
        tiers:
          - {up_to: "100000", unit_price: "0.0050"}
          - {up_to: null, unit_price: "0.003"}
units:
  credits: {EUR: "0.5", USD: "0.55"}
coupons:
  LAUNCH20: {percent: "20", duration: repeating, periods: 3, applies_to: [base]}
"""


def book(**charge):
    data = yaml.safe_load(BOOK)
    if charge:
        data["plans"]["growth"]["charges"]["api"] = {"type": "usage", "meter": "api_calls", **charge}
    return data


def refused(data):
    with pytest.raises(PriceBookError) as error:
        parse_price_book(data)
    return {(each.reason_code, each.key) for each in error.value.errors}


def prices(**charge):
    return parse_price_book(book(**charge)).document()["plans"]["growth"]["charges"]["api"]["prices"]


def test_defaults_are_filled():
    document = parse_price_book(yaml.safe_load(BOOK)).document()
    assert document["effective_from"] == "2026-11-01"
    assert document["meters"]["seconds"] == {
        "event_type": "seconds",
        "aggregation": "sum",
        "property": "$quantity",
        "where": {},
        "where_not": [],
        "multiply_by": "1",
        "round_each": None,
        "dimensions": [],
        "round_quantity": None,
        "window": None,
        "over_windows": None,
        "operation_property": None,
        "reading": "delta",
        "per": "period",
        "persistent": False,
    }
    assert document["meters"]["api_calls"]["property"] is None
    assert document["meters"]["api_calls"]["dimensions"] == ["region", "tier"]
    plan = document["plans"]["growth"]
    assert (plan["name"], plan["interval"], plan["interval_count"], plan["anchor"]) == (
        "growth",
        "month",
        1,
        "subscription",
    )
    assert [charge["position"] for charge in plan["charges"].values()] == [0, 1, 2]
    api = plan["charges"]["api"]
    assert (api["timing"], api["recognise"], api["splits"], api["charge_at_zero"]) == (
        "arrears",
        "as_invoiced",
        False,
        None,
    )
    assert api["prices"][0]["tiers"][0] == {
        "position": 0,
        "up_to": "100000",
        "unit_price": "0.005",
        "flat_fee": "0",
        "amount": None,
        "package_size": None,
        "percent": None,
        "per": None,
    }
    assert document["units"] == {"credits": {"EUR": "0.5", "USD": "0.55", "digits": 2}}
    assert document["coupons"]["LAUNCH20"]["amount"] is None


def test_lines_and_all_errors_at_once(tmp_path):
    path = tmp_path / "book.yaml"
    text = BOOK.replace('"29.00"', "29.00").replace("meter: api_calls", "meter: api_call")
    path.write_text(text.replace("up_to: null", 'up_to: "1"') + "extra: 1\n")
    with pytest.raises(PriceBookError) as error:
        load_price_book(path)
    assert [str(each).removeprefix(f"{tmp_path}/") for each in error.value.errors] == [
        "book.yaml:14: plans.growth.charges.seats.unit_price: 29.00 is a binary float. "
        'Write it as text: "29.00".',
        "book.yaml:17: plans.growth.charges.api.meter: there is no meter 'api_call'. "
        "Did you mean 'api_calls'?",
        "book.yaml:22: plans.growth.charges.api.tiers.1.up_to: "
        "1 must be above the 100000 of the tier before it.",
        "book.yaml:27: extra: unknown key.",
    ]
    assert error.value.reason_code == "float_value"
    assert (error.value.line, error.value.key) == (14, "plans.growth.charges.seats.unit_price")


@pytest.mark.parametrize(
    ("charge", "expected"),
    [
        ({"model": "per_unit", "unit_price": "1e3"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": "NaN"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": "1,000"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": "\u0661"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": 1}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": True}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": "0.0000000000001"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": "12345678901234567"}, ("bad_number", "unit_price")),
        ({"model": "per_unit", "unit_price": float("inf")}, ("float_value", "unit_price")),
        ({"model": "per_unit"}, ("missing_key", "unit_price")),
        ({"unit_price": "1"}, ("missing_key", "model")),
        ({"model": "per_unit", "unit_price": "1", "amount": "1"}, ("unknown_key", "amount")),
        ({"model": "per_unit", "unit_price": "1", "included": "-1"}, ("bad_number", "included")),
        ({"model": "graduated", "tiers": []}, ("bad_tiers", "tiers")),
        ({"model": "volume", "tiers": [{"unit_price": "1"}, {"up_to": "5"}]}, ("bad_tiers", "tiers.0.up_to")),
        ({"model": "volume", "tiers": [{"up_to": "5"}, {"up_to": "5"}]}, ("bad_tiers", "tiers.1.up_to")),
        ({"model": "volume", "tiers": [{"up_to": "5", "percent": "1"}]}, ("unknown_key", "tiers.0.percent")),
        ({"model": "stairstep", "tiers": [{"up_to": None}]}, ("missing_key", "tiers.0.amount")),
        ({"model": "package", "package_price": "1", "package_size": "0"}, ("bad_number", "package_size")),
        ({"model": "percentage", "free_events": "3"}, ("missing_key", "percent")),
        ({"model": "cubic"}, ("bad_value", "model")),
        ({"model": "flat", "amount": "1", "in": "points"}, ("unknown_unit", "in")),
        ({"model": "flat", "amount": "1", "timing": "advance"}, ("bad_value", "timing")),
        ({"model": "flat", "amount": "1", "on_demand": True}, ("bad_value", "on_demand")),
        ({"model": "flat", "amount": "1", "prorate": "day"}, ("bad_value", "prorate")),
        ({"model": "flat", "amount": "1", "minimum": "2", "maximum": "1"}, ("bad_value", "maximum")),
        ({"model": "flat", "amount": "1", "prices_in": {"EURO": {}}}, ("bad_currency", "prices_in.EURO")),
        (
            {"model": "flat", "amount": "1", "prices": [{"when": {"colour": "red"}, "amount": "2"}]},
            ("unknown_key", "prices.0.when.colour"),
        ),
    ],
)
def test_charges_that_are_refused(charge, expected):
    code, key = expected
    assert refused(book(**charge)) == {(code, f"plans.growth.charges.api.{key}")}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"effective_from": "2026-13-01"}, ("bad_time", "effective_from")),
        ({"effective_from": dt.datetime(2026, 1, 1)}, ("bad_time", "effective_from")),
        ({"currency": "usd"}, ("bad_currency", "currency")),
        ({"price_book": 7}, ("bad_value", "price_book")),
        ({"plan": {}}, ("unknown_key", "plan")),
        (
            {"coupons": {"X": {"percent": "1", "applies_to": ["bse"]}}},
            ("unknown_charge", "coupons.X.applies_to.0"),
        ),
        ({"coupons": {"X": {"percent": "101"}}}, ("bad_number", "coupons.X.percent")),
        ({"coupons": {"X": {"duration": "once"}}}, ("missing_key", "coupons.X")),
        ({"coupons": {"X": {"percent": "1", "duration": "repeating"}}}, ("missing_key", "coupons.X.periods")),
        ({"units": {"u": {"EURO": "1"}}}, ("unknown_key", "units.u.EURO")),
        (
            {"meters": {"api_calls": {"aggregation": "unique_count"}}},
            ("missing_key", "meters.api_calls.property"),
        ),
        (
            {"meters": {"api_calls": {"aggregation": "sum", "per": "hour"}}},
            ("bad_value", "meters.api_calls.per"),
        ),
        ({"plans": {"p": {"charges": {}, "interval_count": 0}}}, ("bad_value", "plans.p.interval_count")),
        ({"plans": {"p": {}}}, ("missing_key", "plans.p.charges")),
        (
            {"plans": {"p": {"charges": {}, "minimum_commitment": {"amount": "1", "charges": ["x"]}}}},
            ("unknown_charge", "plans.p.minimum_commitment.charges.0"),
        ),
        (
            {
                "plans": {
                    "p": {
                        "charges": {"overage": {"type": "one_time", "model": "flat", "amount": "1"}},
                        "minimum_commitment": {"amount": "1"},
                    }
                }
            },
            ("bad_value", "plans.p.charges.overage"),
        ),
        (
            {
                "plans": {
                    "p": {
                        "charges": {"early_termination": {"type": "one_time", "model": "flat", "amount": "1"}}
                    }
                }
            },
            ("bad_value", "plans.p.charges.early_termination"),
        ),
        (
            {"plans": {"p": {"charges": {}, "bill_at_usage": {"thresholds": ["2", "1"]}}}},
            ("bad_value", "plans.p.bill_at_usage.thresholds.1"),
        ),
        (
            {"plans": {"p": {"charges": {"a": {"type": "recurring", "model": "flat", "amount": "1"}}}}},
            ("missing_key", "plans.p.charges.a.timing"),
        ),
        (
            {"plans": {"p": {"charges": {}, "features": {"rate": 1.5}}}},
            ("float_value", "plans.p.features.rate"),
        ),
    ],
)
def test_books_that_are_refused(change, expected):
    data = yaml.safe_load(BOOK)
    data.pop("coupons")
    assert expected in refused({**data, **change})


def test_variants_and_currencies_resolve_in_order():
    found = prices(
        model="per_unit",
        unit_price="1",
        prices=[
            {"when": {"region": "eu"}, "unit_price": "2", "prices_in": {"EUR": {"unit_price": "3"}}},
            {"when": {"region": None}, "model": "flat", "amount": "5"},
        ],
        prices_in={"EUR": {"unit_price": "4"}, "JPY": {"model": "staircase", "tiers": [{"amount": "500"}]}},
    )
    assert [(p["position"], p["currency"], p["when"], p["model"], p["unit_price"]) for p in found] == [
        (0, "USD", {"region": "eu"}, "per_unit", "2"),
        (1, "USD", {"region": None}, "flat", None),
        (2, "USD", None, "per_unit", "1"),
        (3, "EUR", {"region": "eu"}, "per_unit", "3"),
        (4, "EUR", None, "per_unit", "4"),
        (5, "JPY", None, "stairstep", None),
    ]


def test_a_charge_may_have_prices_for_its_groups_only():
    found = prices(model="per_unit", prices=[{"when": {"region": "eu"}, "unit_price": "2"}])
    assert [(p["when"], p["unit_price"]) for p in found] == [({"region": "eu"}, "2")]


def test_a_price_in_a_unit_holds_in_every_currency_of_the_unit():
    found = prices(model="per_unit", unit_price="3", **{"in": "credits"})
    assert [(p["currency"], p["unit_price"]) for p in found] == [("USD", "3"), ("EUR", "3")]


def test_a_unit_without_the_currency_of_the_book():
    data = book(model="flat", amount="1", **{"in": "points"}) | {"units": {"points": {"EUR": "1"}}}
    assert refused(data) == {("no_price_in_currency", "plans.growth.charges.api.in")}


def test_percentage_without_a_percent_is_a_fee_per_event():
    (price,) = prices(model="percentage", fixed_fee="0.30")
    assert (price["percent"], price["fixed_fee"], price["free_events"]) == ("0", "0.3", None)


def test_where_takes_the_text_of_json_scalars():
    data = yaml.safe_load(BOOK)
    data["meters"]["api_calls"]["where"] = {"ok": [True, 200, "x"]}
    assert parse_price_book(data).document()["meters"]["api_calls"]["where"] == {"ok": ["true", "200", "x"]}


def test_yaml_is_read_as_written(tmp_path):
    path = tmp_path / "book.yaml"
    path.write_text(
        "price_book: 2026-11\neffective_from: 2026-11-01\ncurrency: USD\n"
        "meters: {on: {aggregation: sum, where: {country: [NO], clock: [1:30]}}}\n"
        "plans: {off: {charges: {}}}\n"
    )
    document = load_price_book(path).document()
    assert document["price_book"] == "2026-11"
    assert document["meters"]["on"]["where"] == {"country": ["NO"], "clock": ["1:30"]}
    assert list(document["plans"]) == ["off"]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("a: 1\na: 2\n", "duplicate_key", 2),
        ("a: [1\nb: 2\n", "bad_yaml", 2),
        ("- 1\n", "bad_yaml", 1),
        ("a: &x [*x]\n", "bad_yaml", 1),
        ("a: &x {b: 1}\nc:\n  <<: *x\n", "unknown_key", 3),
    ],
)
def test_yaml_that_is_refused(tmp_path, text, code, line):
    path = tmp_path / "book.yaml"
    path.write_text(text)
    with pytest.raises(PriceBookError) as error:
        load_price_book(path)
    assert (error.value.reason_code, error.value.line) == (code, line)


def test_a_missing_file_is_an_error_a_person_understands(tmp_path):
    with pytest.raises(PriceBookError, match="cannot be read"):
        load_price_book(tmp_path / "none.yaml")


def test_overrides():
    whole = {"type": "usage", "meter": "api_calls", "model": "per_unit", "unit_price": "0.8"}
    version = parse_price_book(book())
    charges = normalise_overrides(
        {"api": whole, "support": {"type": "recurring", "timing": "arrears", "model": "flat", "amount": "5"}},
        version,
        plan="growth",
        currency="EUR",
    )
    assert (charges["api"]["position"], charges["support"]["position"]) == (2, 3)
    assert [(p["currency"], p["unit_price"]) for p in charges["api"]["prices"]] == [("EUR", "0.8")]


def test_a_partial_override_starts_from_the_charge_of_the_plan():
    version = parse_price_book(
        book(
            model="per_unit",
            unit_price="1",
            included="100",
            description="Calls",
            prices_in={"EUR": {"unit_price": "2"}},
            prices=[{"when": {"region": "eu"}, "unit_price": "3"}],
        )
    )
    api = normalise_overrides({"api": {"unit_price": "0.8"}}, version)["api"]
    assert (api["included"], api["description"], api["splits"]) == ("100", "Calls", False)
    assert [(p["currency"], p["unit_price"]) for p in api["prices"]] == [("USD", "0.8")]
    api = normalise_overrides({"api": {"model": "flat", "amount": "7"}}, version)["api"]
    assert (api["prices"][0]["model"], api["prices"][0]["unit_price"]) == ("flat", None)
    api = normalise_overrides({"api": {"included": "500"}}, version)["api"]
    assert (api["included"], len(api["prices"])) == ("500", 3)


def test_overrides_that_are_refused():
    version = parse_price_book(book())
    with pytest.raises(PriceBookError) as error:
        normalise_overrides(
            {
                "none": {"unit_price": "1"},
                "api": {"type": "usage", "meter": "calls", "model": "flat", "amount": "1"},
                "base": {"amount": 1.5},
            },
            version,
        )
    assert {(each.reason_code, each.key) for each in error.value.errors} == {
        ("missing_key", "none.type"),
        ("unknown_meter", "api.meter"),
        ("float_value", "base.amount"),
    }
    with pytest.raises(PriceBookError) as error:
        normalise_overrides({}, version, plan="grwth")
    assert error.value.reason_code == "unknown_plan"


def test_a_landed_version_never_changes():
    version = parse_price_book(book())
    landed = [json.loads(json.dumps(version.document()))]
    assert check_against_lake(version, landed, dt.date(2027, 1, 1)) is False
    other = parse_price_book(book(model="flat", amount="1"))
    with pytest.raises(PriceBookError) as error:
        check_against_lake(other, landed, None)
    assert error.value.reason_code == "version_changed"


def test_a_version_from_before_the_last_bill_says_so():
    version = parse_price_book(book())
    assert check_against_lake(version, [], dt.date(2026, 11, 1)) is True
    with pytest.raises(PriceBookError) as error:
        check_against_lake(version, [], dt.date(2026, 11, 2))
    assert error.value.reason_code == "retroactive"
    assert (
        check_against_lake(parse_price_book(book() | {"retroactive": True}), [], dt.date(2026, 11, 2)) is True
    )


def test_diff_says_what_changed():
    old, data = parse_price_book(book()), copy.deepcopy(book())
    charges = data["plans"]["growth"]["charges"]
    charges["api"]["tiers"][1]["unit_price"] = "0.002"
    charges["base"]["amount"] = "99.0"
    del charges["seats"]
    charges["setup"] = {"type": "one_time", "model": "flat", "amount": "250"}
    data["plans"]["free"] = {"charges": {"zero": {**charges["base"], "amount": "0"}}}
    assert [str(change) for change in diff(old, parse_price_book(data))] == [
        "- plans.growth.charges.seats: per_unit 29 USD",
        "~ plans.growth.charges.api.price.USD.tiers.1.unit_price: 0.003 → 0.002",
        "+ plans.growth.charges.setup: flat 250 USD",
        "+ plans.free: {zero: flat 0 USD}",
    ]
    assert diff(old, old) == []


@pytest.mark.parametrize(
    ("charge", "text"),
    [
        ({"model": "package", "package_size": "100", "package_price": "5"}, "package 5 USD per 100"),
        ({"model": "percentage", "percent": "2.9", "fixed_fee": "0.3"}, "percentage 2.9 % + 0.3 USD"),
        ({"model": "dynamic", "amount_property": "cost"}, "dynamic cost USD"),
        ({"model": "per_unit", "unit_price": "1", "in": "credits"}, "per_unit 1 credits"),
        ({"model": "volume", "tiers": [{"unit_price": "1"}], "per": "1000"}, "volume, 1 tier, USD per 1000"),
        (
            {"model": "per_unit", "prices": [{"when": {"region": None}, "unit_price": "2"}], "minimum": "3"},
            "per_unit 2 USD for region=none; minimum 3",
        ),
    ],
)
def test_describe_charge(charge, text):
    assert (
        describe_charge(parse_price_book(book(**charge)).document()["plans"]["growth"]["charges"]["api"])
        == text
    )


def tenant_folder(root):
    folder = root / "tenants" / "acme"
    (folder / "price_books").mkdir(parents=True)
    (folder / "tenant.yaml").write_text("tenant: acme\n")
    (folder / "price_books" / "2026-11.yaml").write_text(BOOK)
    return folder


def test_validate_shows_the_book_or_every_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    folder = tenant_folder(tmp_path)
    result = CliRunner().invoke(app, ["validate"])
    assert result.exit_code == 0, result.output
    assert "tenant acme, USD, UTC" in result.output
    assert "graduated, 2 tiers" in result.output
    (folder / "price_books" / "copy.yaml").write_text(BOOK.replace("99.00", "98.00"))
    (folder / "tenant.yaml").write_text("tenant: acme\ntimezone: Mars/Base\n")
    result = CliRunner().invoke(app, ["validate", str(folder), "--no-lake"])
    assert result.exit_code == 1
    assert "tenant.yaml:2: timezone: 'Mars/Base' is no IANA time zone" in result.output
    assert "copy.yaml: price_book: version '2026-11' is also in 2026-11.yaml." in result.output


def test_validate_knows_the_lake(tmp_path, monkeypatch):
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    folder = tenant_folder(tmp_path)
    version = load_price_book(folder / "price_books" / "2026-11.yaml")
    lake = Lake(str(tmp_path / "data" / "lake"))
    rows = [{"tenant_id": "acme", "price_book": "2026-11", "document": json.dumps(version.document())}]
    lake.write("raw/price_books", "b1", pa.Table.from_pylist(rows))
    bills = [
        {"tenant_id": "acme", "bill_date": dt.date(2026, 12, 1)},
        {"tenant_id": "z", "bill_date": dt.date(2030, 1, 1)},
    ]
    lake.write("ledger/invoices", "r1", pa.Table.from_pylist(bills))
    assert CliRunner().invoke(app, ["validate", str(folder)]).exit_code == 0
    (folder / "price_books" / "2026-11.yaml").write_text(BOOK.replace("99.00", "98.00"))
    (folder / "price_books" / "next.yaml").write_text(BOOK.replace('"2026-11"', '"2026-11b"'))
    result = CliRunner().invoke(app, ["validate", str(folder)])
    assert result.exit_code == 1
    assert "2026-11.yaml:1: price_book: version '2026-11' is in use with other content." in result.output
    assert (
        "next.yaml:2: effective_from: 2026-11-01 is before the last bill date, 2026-12-01." in result.output
    )


def test_schema_and_diff_commands(tmp_path):
    result = CliRunner().invoke(app, ["schema"])
    schema = json.loads(result.output)
    assert "in" in schema["$defs"]["Charge"]["properties"]
    assert schema["additionalProperties"] is False
    out = tmp_path / "deep" / "tenant.json"
    assert CliRunner().invoke(app, ["schema", "--tenant", "--out", str(out)]).exit_code == 0
    assert "timezone" in json.loads(out.read_text())["properties"]
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text(BOOK)
    b.write_text(BOOK.replace("99.00", "98.50"))
    result = CliRunner().invoke(app, ["diff", str(a), str(b)])
    assert result.output == "~ plans.growth.charges.base.price.USD.amount: 99 → 98.5\n"
    b.write_text("x: 1")
    assert CliRunner().invoke(app, ["diff", str(a), str(b)]).exit_code == 1
