"""Tenant settings: defaults, and what is refused where."""

import pytest

from ratehouse.tenant import ACCOUNTS, PriceBookError, load_tenant, parse_tenant


def test_a_tenant_with_only_its_name_works():
    document = parse_tenant({"tenant": "acme"}).document()
    assert document["name"] == document["legal_entity"]["name"] == "acme"
    assert (document["currency"], document["timezone"], document["rounding"]) == (
        "USD",
        "UTC",
        {"mode": "half_up"},
    )
    assert document["proration"] == {"method": "day", "credit": "next_invoice", "minimum_charge": "0"}
    assert document["invoicing"] == {
        "due_days": 30,
        "draft_hours": 0,
        "number_format": "INV-{year}-{seq:06d}",
        "bill_day": None,
        "group_by": "customer",
        "late_usage": "next_invoice",
        "materiality": "0",
        "adjustment_approval": "requested",
    }
    assert document["tax"] == {
        "provider": "table",
        "rates": [],
        "inclusive": False,
        "reverse_charge": None,
        "tax_id_check": None,
        "tax_id_max_age_days": 30,
        "origin": None,
        "company": None,
    }
    assert document["dunning"]["steps"] == []
    assert document["accounts"] == ACCOUNTS
    assert document["revenue"] == {
        "ratable": "day",
        "flux": {"amount": "0", "percent": "10", "required": False},
    }


def test_what_is_given_is_kept():
    document = parse_tenant(
        {
            "tenant": "acme",
            "accounts": {"revenue": "4010"},
            "dunning": {
                "retry_days": [1, 3],
                "threshold": {"EUR": "150.00"},
                "limits": [{"network": "visa", "max": 15, "days": 30}],
                "quiet_hours": ["22:00", "07:00"],
                "steps": [
                    {"after_days": 0, "actions": ["remind"]},
                    {"after_days": 7, "actions": ["suspend"], "billing": "credit"},
                ],
            },
            "tax": {"rates": [{"code": "vat", "country": "FR", "percent": "20.0"}], "reverse_charge": "eu"},
        }
    ).document()
    assert document["accounts"]["revenue"] == "4010"
    assert document["accounts"]["receivable"] == "1100"
    assert document["dunning"]["threshold"] == {"EUR": "150"}
    assert [step["billing"] for step in document["dunning"]["steps"]] == ["keep", "credit"]
    assert document["tax"]["rates"] == [
        {"code": "vat", "country": "FR", "region": None, "percent": "20", "since": None, "until": None}
    ]


@pytest.mark.parametrize(
    ("settings", "code", "key"),
    [
        ({"timezone": "Europe/Pari"}, "bad_time_zone", "timezone"),
        ({"timezone": "../etc/passwd"}, "bad_time_zone", "timezone"),
        ({"currency": "XXX"}, "bad_currency", "currency"),
        ({"colour": "red"}, "unknown_key", "colour"),
        ({"invoicing": {"due_days": -1}}, "bad_value", "invoicing.due_days"),
        ({"invoicing": {"bill_day": 32}}, "bad_value", "invoicing.bill_day"),
        ({"invoicing": {"number_format": "INV-{year}"}}, "bad_value", "invoicing.number_format"),
        ({"invoicing": {"number_format": "INV-{week}-{seq}"}}, "bad_value", "invoicing.number_format"),
        ({"invoicing": {"number_format": "INV-{seq!x}"}}, "bad_value", "invoicing.number_format"),
        ({"invoicing": {"number_format": "{seq.__class__}"}}, "bad_value", "invoicing.number_format"),
        ({"invoicing": {"number_format": "{customer_seq}"}}, "bad_value", "invoicing.number_format"),
        ({"proration": {"minimum_charge": 0.5}}, "float_value", "proration.minimum_charge"),
        ({"accounts": {"revenues": "1"}}, "unknown_key", "accounts.revenues"),
        ({"accounts": {"revenue": 4000}}, "bad_value", "accounts.revenue"),
        ({"dunning": {"quiet_hours": ["22:00", "24:00"]}}, "bad_time", "dunning.quiet_hours.1"),
        ({"dunning": {"retry": "model", "retry_days": [1]}}, "bad_value", "dunning.retry"),
        ({"tax": {"provider": "vertex"}}, "bad_value", "tax.provider"),
        ({"tax": {"provider": "taxjar"}}, "missing_key", "tax.origin"),
        (
            {"tax": {"provider": "avalara", "origin": {"country": "US", "postal_code": "94105"}}},
            "missing_key",
            "tax.company",
        ),
        (
            {
                "tax": {
                    "rates": [
                        {
                            "code": "v",
                            "country": "DE",
                            "percent": "19",
                            "since": "2021-01-01",
                            "until": "2020-07-01",
                        }
                    ]
                }
            },
            "bad_value",
            "tax.rates.0.until",
        ),
        (
            {"dunning": {"steps": [{"after_days": 9, "actions": []}, {"after_days": 1, "actions": []}]}},
            "bad_value",
            "dunning.steps",
        ),
    ],
)
def test_settings_that_are_refused(settings, code, key):
    with pytest.raises(PriceBookError) as error:
        parse_tenant({"tenant": "acme", **settings})
    assert [(each.reason_code, each.key) for each in error.value.errors] == [(code, key)]


def test_errors_have_lines(tmp_path):
    path = tmp_path / "tenant.yaml"
    path.write_text("tenant: acme\nlegal_entity:\n  country: Norway\n  tax: x\n")
    with pytest.raises(PriceBookError) as error:
        load_tenant(path)
    assert [(each.line, each.key) for each in error.value.errors] == [
        (3, "legal_entity.country"),
        (4, "legal_entity.tax"),
    ]
    path.write_text("tenant: acme\nlegal_entity: {country: NO}\n")
    assert load_tenant(path).legal_entity.country == "NO"


def test_what_a_segment_does_not_say_is_as_for_everybody() -> None:
    tenant = parse_tenant(
        {
            "tenant": "t",
            "dunning": {
                "retry_days": [1, 3],
                "grace_days": 2,
                "steps": [{"after_days": 3, "actions": ["remind"]}],
                "segments": [
                    {"segment": "big", "metadata": {"tier": "big"}, "grace_days": 5},
                    {"segment": "smart", "countries": ["DE"], "retry": "model"},
                    {"segment": "alone", "customers": ["c4"], "retry_days": [], "steps": []},
                ],
            },
        }
    )
    big, smart, alone = tenant.dunning.segments
    assert (big.grace_days, big.retry_days, len(big.steps)) == (5, [1, 3], 1)
    assert (smart.retry, smart.retry_days, smart.grace_days) == ("model", [], 2)
    assert (alone.retry_days, alone.steps) == ([], [])
    assert tenant.dunning.uses_model
    document = tenant.document()["dunning"]
    assert [segment["grace_days"] for segment in document["segments"]] == [5, 2, 2]
    assert document["segments"][0]["metadata"] == {"tier": "big"}


@pytest.mark.parametrize(
    ("segments", "said"),
    [
        ([{"segment": "everybody"}], "says nothing about whom it takes"),
        (
            [{"segment": "a", "customers": ["c1"]}, {"segment": "a", "customers": ["c2"]}],
            "an earlier segment",
        ),
        ([{"segment": "a", "customers": ["c1"], "color": "red"}], "color"),
        ([{"segment": "a", "countries": ["Germany"]}], "countries"),
        ([{"segment": "a", "customers": ["c1"], "retry": "model", "retry_days": [1]}], "not both"),
    ],
)
def test_a_segment_that_cannot_be_is_refused(segments: list[dict[str, object]], said: str) -> None:
    with pytest.raises(PriceBookError) as refused:
        parse_tenant({"tenant": "t", "dunning": {"segments": segments}})
    assert said in str(refused.value)


def test_shares_of_an_age_are_written_as_the_ages_are() -> None:
    allowance = {"not_due": "0.5", "1-30": "2", "90+": "50"}
    tenant = parse_tenant(
        {"tenant": "t", "receivables": {"allowance": allowance, "withholding": {"IN": "10"}}}
    )
    receivables = tenant.document()["receivables"]
    assert receivables["allowance"] == {
        "not_due": "0.5",
        "1-30": "2",
        "31-60": None,
        "61-90": None,
        "90+": "50",
    }
    assert receivables["withholding"] == {"IN": "10"}


def test_a_tolerance_is_an_amount_per_currency() -> None:
    short = {
        "since": "2026-01-01",
        "tolerance": {"EUR": {"amount": "1.5", "percent": "0.5"}, "USD": {"amount": "2"}},
        "bank_fee": {"EUR": "25.5"},
        "cash_discount": {"days": 10, "percent": "2"},
    }
    document = parse_tenant({"tenant": "t", "receivables": {"short_payment": short}}).document()
    assert document["receivables"]["short_payment"] == {
        **short,
        "tolerance": {
            "EUR": {"amount": "1.5", "percent": "0.5"},
            "USD": {"amount": "2", "percent": None},
        },
    }
    for tolerance in ({"EUR": {"amount": "0"}}, {"EUR": {"percent": "1"}}, {"euro": {"amount": "1"}}):
        with pytest.raises(PriceBookError):
            parse_tenant({"tenant": "t", "receivables": {"short_payment": {"tolerance": tolerance}}})


def test_roles_that_are_booked_only_where_they_are_mapped_have_no_account_by_default() -> None:
    assert not {"allowance", "recovery_income"} & set(ACCOUNTS)
    document = parse_tenant({"tenant": "t", "accounts": {"allowance": "1190"}}).document()
    assert document["accounts"]["allowance"] == "1190"
    assert "recovery_income" not in document["accounts"]
