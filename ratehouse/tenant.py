"""Settings of a tenant, one seller: the grammar of `tenants/<tenant>/tenant.yaml` with every default.

Belongs here: which settings exist, their defaults and what makes them valid. Does not belong here: what they
do to a number (SQL reads the normalised document), and the settings of the installation (`settings.py`).
"""

from __future__ import annotations

import string
import zoneinfo
from collections.abc import Mapping
from decimal import Decimal
from email.headerregistry import Address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, StrictBool, model_validator
from stdnum import iban
from stdnum.exceptions import ValidationError

from ratehouse.price_book_source import (
    Amount,
    Count,
    Currency,
    Date,
    LineMap,
    Percent,
    PositiveAmount,
    PositiveCount,
    PriceBookError,
    Source,
    Strict,
    Text,
    as_document,
    find_floats,
    read_yaml,
    refusal,
    text_keys,
    validate,
)

__all__ = ["PriceBookError", "Tenant", "load_tenant", "parse_tenant"]

# Roles as in the mart journal_entries; the numbers are those of a plain US chart of accounts.
ACCOUNTS: dict[str, str] = {
    "cash": "1000",
    "clearing": "1050",
    "receivable": "1100",
    "withholding_receivable": "1150",
    "withheld_tax": "1160",
    "contract_asset": "1250",
    "contract_cost": "1300",
    "tax_payable": "2200",
    "unapplied_cash": "2300",
    "intercompany": "2350",
    "deferred_revenue": "2400",
    "refund_liability": "2450",
    "revenue": "4000",
    "breakage_revenue": "4100",
    "contra_revenue": "4900",
    "fees": "6100",
    "disputes": "6150",
    "bad_debt": "6200",
    "contract_cost_amortisation": "6300",
    "interest_income": "7100",
    "interest_expense": "7200",
    "fx_gain_loss": "7300",
}
# Roles that are booked only where a tenant maps them to an account.
OPTIONAL_ACCOUNTS = ("allowance", "recovery_income")


def check_zone(name: str) -> str:
    """Give an IANA time zone name back if there is such a zone; for use in models only."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
        text = f"{name[:40]!r} is no IANA time zone, as in Europe/Paris."
        raise refusal("bad_time_zone", text) from error
    return name


def _number_format(text: str) -> str:
    """Check that a format works and gives every document of a series its own number."""
    allowed = {"year", "month", "seq", "customer_seq", "customer_id"}
    try:
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        unknown = names - allowed
        if unknown:
            raise ValueError(f"it may use {', '.join('{' + name + '}' for name in sorted(allowed))}")
        if not names & {"seq", "customer_seq"}:
            raise ValueError("without {seq} or {customer_seq} all documents have one number")
        if "customer_seq" in names and "seq" not in names and "customer_id" not in names:
            raise ValueError("{customer_seq} needs {customer_id}, or two customers share a number")
        text.format(year=2026, month="01", seq=1, customer_seq=1, customer_id="c1")
    except (ValueError, KeyError, IndexError) as error:
        raise refusal("bad_value", f"{text!r}: {error}.") from error
    return text


def _clock_time(text: str) -> str:
    hour, colon, minute = text.partition(":")
    digits = len(hour) == len(minute) == 2 and (hour + minute).isascii() and (hour + minute).isdigit()
    if not (colon and digits and int(hour) < 24 and int(minute) < 60):
        raise refusal("bad_time", f"{text[:20]!r} is no time of day, as in 22:00.")
    return text


def _iban(text: str) -> str:
    try:
        return iban.compact(iban.validate(text))
    except ValidationError as error:
        raise refusal("bad_value", f"{text[:40]!r} is no IBAN: {error}") from error


def _mailbox(text: str) -> str:
    try:
        Address(addr_spec=text)
    except Exception as error:  # its parser raises what it stumbles over
        raise refusal(
            "bad_value", f"{text[:80]!r} is no e-mail address, as in billing@acme.example."
        ) from error
    if "@" not in text or not text.isascii():
        raise refusal("bad_value", f"{text[:80]!r} is no e-mail address, as in billing@acme.example.")
    return text


Mailbox = Annotated[Text, AfterValidator(_mailbox)]
TimeZone = Annotated[Text, AfterValidator(check_zone)]
NumberFormat = Annotated[Text, AfterValidator(_number_format)]
ClockTime = Annotated[Text, AfterValidator(_clock_time)]
Iban = Annotated[Text, AfterValidator(_iban)]
Country = Annotated[Text, Field(pattern="^[A-Z]{2}$")]


class LegalEntity(Strict):
    """Who the documents are from."""

    name: Text | None = None
    address: list[Text] = Field(default_factory=list)
    country: Country | None = None
    tax_id: Text | None = None
    registration: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    website: Text | None = None
    bank: Text | None = None
    account_name: Text | None = None
    iban: Iban | None = None
    bic: Annotated[Text, Field(pattern="^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$")] | None = None


class Affiliate(Strict):
    """Another legal entity of the group whose money may come here by mistake, and how the numbers of its invoices begin."""

    entity: Text
    number_prefix: Text


class Branding(Strict):
    """How documents look: a logo file of the tenant's folder, a colour, lines at the foot of every page."""

    logo: Text | None = None
    accent_color: Annotated[Text, Field(pattern="^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})$")] | None = None
    footer: Text | None = None


class MoneyRounding(Strict):
    """How money is rounded; the digits are those of ISO 4217."""

    mode: Literal["half_up", "half_even", "up", "down"] = "half_up"


class Proration(Strict):
    """How parts of a period are priced."""

    method: Literal["day", "second", "fixed_30", "none"] = "day"
    credit: Literal["next_invoice", "credit_note", "refund", "none"] = "next_invoice"
    minimum_charge: Amount = Decimal(0)


class Invoicing(Strict):
    """When documents are issued, for whom, and what they are called."""

    due_days: Count = 30
    draft_hours: Count = 0
    number_format: NumberFormat = "INV-{year}-{seq:06d}"
    bill_day: Annotated[int, Field(strict=True, ge=1, le=31)] | None = None
    group_by: Literal["customer", "subscription", "parent"] = "customer"
    late_usage: Literal["next_invoice", "credit_note", "ignore"] = "next_invoice"
    materiality: Amount = Decimal(0)
    # Which adjustments wait for a second person: those that name who asks for them, or all of them.
    adjustment_approval: Literal["requested", "always"] = "requested"


class Imports(Strict):
    """Documents of another system: how the numbers of its credit notes begin."""

    credit_note_prefix: Text | None = None


class TaxRate(Strict):
    """One rate of a country or region, and from which tax day to which it holds: `until` is the first that it does not."""

    code: Text
    country: Country
    region: Text | None = None
    percent: Percent
    since: Date | None = None
    until: Date | None = None


class TaxOrigin(Strict):
    """Where the seller supplies from, as a tax provider asks for it."""

    line: Text | None = None
    city: Text | None = None
    region: Text | None = None
    postal_code: Text
    country: Country


class Tax(Strict):
    """Where tax comes from: the rates here, or what a provider says about each document."""

    provider: Literal["table", "avalara", "taxjar"] = "table"
    rates: list[TaxRate] = Field(default_factory=list)
    inclusive: StrictBool = False
    reverse_charge: Literal["eu"] | None = None
    tax_id_check: Literal["vies"] | None = None
    tax_id_max_age_days: Count = 30
    origin: TaxOrigin | None = None
    company: Text | None = None


class DunningStep(Strict):
    """What happens so many days after the due date."""

    after_days: Count
    actions: list[Literal["remind", "degrade", "suspend", "cancel", "write_off"]]
    billing: Literal["keep", "credit"] = "keep"


class DunningLimit(Strict):
    """The attempts a card network allows."""

    network: Text
    max: PositiveCount
    days: PositiveCount


class Recovery(Strict):
    """How a model that chooses the times of retries is kept honest: who is left to chance, and what a try costs."""

    random_percent: Percent = Decimal(5)
    fixed_percent: Percent = Decimal(5)
    retry_cost: dict[Currency, PositiveAmount] = Field(default_factory=dict)


class Ladder(Strict):
    """How unpaid invoices are followed up. By default nothing is retried and nobody is written to."""

    retry_days: list[Count] = Field(default_factory=list)
    retry: Literal["model"] | None = None
    recovery: Recovery = Recovery()
    steps: list[DunningStep] = Field(default_factory=list)
    grace_days: Count = 0
    scope: Literal["invoice", "customer"] = "invoice"
    threshold: dict[Currency, PositiveAmount] = Field(default_factory=dict)
    max_attempts: Count | None = None
    days_between: Count | None = None
    limits: list[DunningLimit] = Field(default_factory=list)
    quiet_hours: Annotated[list[ClockTime], Field(min_length=2, max_length=2)] | None = None


class DunningSegment(Ladder):
    """Customers with a ladder of their own: those that are named, of these countries, or whose metadata say all of this."""

    segment: Text
    customers: list[Text] | None = None
    countries: list[Country] | None = None
    metadata: dict[Text, Text] = Field(default_factory=dict)


class Dunning(Ladder):
    """The ladder of everybody, and of segments; the first segment that takes a customer counts."""

    segments: list[DunningSegment] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _fill_segments(cls, data: Any) -> Any:
        """What a segment does not say is as for everybody."""
        if not isinstance(data, Mapping) or not isinstance(data.get("segments"), list):
            return data
        common = {key: value for key, value in data.items() if key != "segments"}
        # Two ways to say when a retry is due: the segment's own counts.
        ways = ("retry", "retry_days")
        filled: list[Any] = []
        for segment in data["segments"]:
            if not isinstance(segment, Mapping):
                filled.append(segment)
                continue
            own = ways if any(way in segment for way in ways) else ()
            filled.append({key: value for key, value in common.items() if key not in own} | dict(segment))
        return {**data, "segments": filled}

    @property
    def uses_model(self) -> bool:
        """Whether a model may choose the times of anybody's retries."""
        return any(ladder.retry == "model" for ladder in (self, *self.segments))


class Mail(Strict):
    """Documents by e-mail. Those issued before `since` are never sent; without it nothing is."""

    since: Date | None = None
    sender: Mailbox | None = None
    sender_name: Text | None = None
    reply_to: Mailbox | None = None
    bounces_to: Mailbox | None = None
    attach: Literal["pdf", "facturx"] = "pdf"


class FeeTerm(Strict):
    """What a processor agreed to take of a payment: a share and a fixed amount, in the currency it is settled in."""

    provider: Text | None = None
    method: Text | None = None
    # Of the customer who pays.
    country: Country | None = None
    currency: Currency | None = None
    percent: Percent = Decimal(0)
    fixed: Amount = Decimal(0)
    tolerance: Amount = Decimal(0)


class Collection(Strict):
    """Money taken from stored payment methods. Invoices issued before `since` are never charged; without a gateway none is."""

    gateway: Literal["stripe", "braintree"] | None = None
    since: Date | None = None
    merchant_accounts: dict[Currency, Text] = Field(default_factory=dict)
    fees: list[FeeTerm] = Field(default_factory=list)


class Allowance(Strict):
    """Which share of what is open will not be paid, in percent, by its age (ASC 326, IFRS 9: a provision matrix)."""

    not_due: Percent | None = None
    days_30: Percent | None = Field(default=None, alias="1-30")
    days_60: Percent | None = Field(default=None, alias="31-60")
    days_90: Percent | None = Field(default=None, alias="61-90")
    older: Percent | None = Field(default=None, alias="90+")


class Tolerance(Strict):
    """How much of an invoice may stay unpaid and be given up by itself: an amount, or a share of its total if less."""

    amount: PositiveAmount
    percent: Percent | None = None


class CashDiscount(Strict):
    """What a customer may take off for paying so many days after the bill date."""

    days: Count
    percent: Percent


class ShortPayment(Strict):
    """Invoices that were paid, but not in full: what of it is given up, and what explains the rest."""

    # Nothing that came before is given up.
    since: Date | None = None
    tolerance: dict[Currency, Tolerance] = Field(default_factory=dict)
    # What banks take of a transfer on its way, at most.
    bank_fee: dict[Currency, PositiveAmount] = Field(default_factory=dict)
    cash_discount: CashDiscount | None = None


class Receivables(Strict):
    """What is expected of receivables: what will not be paid, and what customers of a country withhold as a tax of theirs."""

    allowance: Allowance = Allowance()
    withholding: dict[Country, Percent] = Field(default_factory=dict)
    short_payment: ShortPayment = ShortPayment()


class Flux(Strict):
    """Which changes of revenue are to be explained: of this amount, own currency, and this percent of the earlier month."""

    amount: Amount = Decimal(0)
    percent: Percent = Decimal(10)
    # No month is closed before they are explained, and accepted by somebody else.
    required: StrictBool = False


class Revenue(Strict):
    """Defaults of revenue recognition."""

    ratable: Literal["day", "month"] = "day"
    flux: Flux = Field(default_factory=Flux)


class QuickBooks(Strict):
    """QuickBooks Online: its ids of accounts by role, their names in its files, the customer of receivable lines."""

    accounts: dict[Text, Text] = Field(default_factory=dict)
    names: dict[Text, Text] = Field(default_factory=dict)
    customer: Text | None = None


class Xero(Strict):
    """Xero: its account codes by role, where they differ from `accounts`, and the tax of a journal line."""

    accounts: dict[Text, Text] = Field(default_factory=dict)
    tax_rate: Text = "Tax Exempt"
    tax_type: Text = "NONE"


class NetSuite(Strict):
    """NetSuite: its internal ids of accounts by role, of the subsidiary and of the tenant's currency."""

    accounts: dict[Text, Text] = Field(default_factory=dict)
    subsidiary: Text | None = None
    currency: Text | None = None


class Accounting(Strict):
    """How the accounting system that takes the journal names what it has."""

    quickbooks: QuickBooks = QuickBooks()
    xero: Xero = Xero()
    netsuite: NetSuite = NetSuite()


class Tenant(Strict):
    """One seller and how it bills."""

    tenant: Text
    name: Text | None = None
    currency: Currency = "USD"
    timezone: TimeZone = "UTC"
    legal_entity: LegalEntity = LegalEntity()
    affiliates: list[Affiliate] = Field(default_factory=list)
    branding: Branding = Branding()
    rounding: MoneyRounding = MoneyRounding()
    proration: Proration = Proration()
    invoicing: Invoicing = Invoicing()
    imports: Imports = Imports()
    tax: Tax = Tax()
    dunning: Dunning = Dunning()
    mail: Mail = Mail()
    collection: Collection = Collection()
    receivables: Receivables = Receivables()
    accounts: dict[Text, Text] = Field(default_factory=dict)
    accounting: Accounting = Accounting()
    revenue: Revenue = Revenue()

    def document(self) -> dict[str, Any]:
        """Give the normalised settings as JSON data: every default filled, decimals as plain text."""
        result: dict[str, Any] = as_document(self)
        name = self.name or self.tenant
        result["name"] = name
        result["legal_entity"]["name"] = self.legal_entity.name or name
        result["accounts"] = ACCOUNTS | self.accounts
        return result


def load_tenant(path: Path) -> Tenant:
    """Read and check one tenant.yaml.

    Raises:
        PriceBookError: everything that is wrong, in `.errors`, each with file, line and key path.
    """
    data, lines = read_yaml(path)
    return parse_tenant(data, str(path), lines=lines)


def parse_tenant(data: Mapping[str, Any], file: str = "<data>", *, lines: LineMap | None = None) -> Tenant:
    """Check tenant settings given as data; errors as `load_tenant`."""
    source = Source(file, lines)
    data = text_keys(data)
    find_floats(data, source)
    tenant = validate(Tenant, data, source)
    if tenant is not None:
        _check(tenant, source)
    source.raise_any()
    assert tenant is not None
    return tenant


def _check(tenant: Tenant, source: Source) -> None:
    _check_tax(tenant, source)
    if tenant.mail.since is not None and tenant.mail.sender is None and tenant.legal_entity.email is None:
        detail = "is needed to send documents: whom are they from? Or set legal_entity.email."
        source.add("missing_key", ("mail", "sender"), detail)
    if tenant.collection.gateway is not None and tenant.collection.since is None:
        detail = "is needed to charge: the first issue date that is charged by itself."
        source.add("missing_key", ("collection", "since"), detail)
    if tenant.collection.gateway == "braintree" and not tenant.collection.merchant_accounts:
        detail = "is needed by Braintree: the merchant account of each currency, as in {EUR: acme_eur}."
        source.add("missing_key", ("collection", "merchant_accounts"), detail)
    systems = tenant.accounting
    for place, roles in (
        (("accounts",), tenant.accounts),
        (("accounting", "quickbooks", "accounts"), systems.quickbooks.accounts),
        (("accounting", "quickbooks", "names"), systems.quickbooks.names),
        (("accounting", "xero", "accounts"), systems.xero.accounts),
        (("accounting", "netsuite", "accounts"), systems.netsuite.accounts),
    ):
        for role in roles:
            if role not in ACCOUNTS and role not in OPTIONAL_ACCOUNTS:
                detail = f"is no account role. Known: {', '.join([*ACCOUNTS, *OPTIONAL_ACCOUNTS])}."
                source.add("unknown_key", (*place, role), detail)
    _check_ladder(tenant.dunning, ("dunning",), source)
    for position, segment in enumerate(tenant.dunning.segments):
        where: tuple[str | int, ...] = ("dunning", "segments", position)
        _check_ladder(segment, where, source)
        if segment.customers is None and segment.countries is None and not segment.metadata:
            detail = "says nothing about whom it takes; give customers, countries or metadata."
            source.add("missing_key", (*where, "segment"), detail)
        if segment.segment in {earlier.segment for earlier in tenant.dunning.segments[:position]}:
            source.add("bad_value", (*where, "segment"), "is the name of an earlier segment.")


def _check_ladder(ladder: Ladder, where: tuple[str | int, ...], source: Source) -> None:
    if ladder.retry is not None and ladder.retry_days:
        source.add("bad_value", (*where, "retry"), "either `retry: model` or retry_days, not both.")
    recovery = ladder.recovery
    if recovery.random_percent + recovery.fixed_percent > 100:
        detail = "together with random_percent this is more than 100."
        source.add("bad_value", (*where, "recovery", "fixed_percent"), detail)
    steps = [step.after_days for step in ladder.steps]
    if steps != sorted(steps):
        source.add("bad_value", (*where, "steps"), "steps go in the order of their after_days.")


def _check_tax(tenant: Tenant, source: Source) -> None:
    tax = tenant.tax
    if tax.provider != "table" and tax.origin is None:
        detail = f'is needed by {tax.provider}: where is supplied from, as in {{postal_code: "94105", country: US}}.'
        source.add("missing_key", ("tax", "origin"), detail)
    if tax.provider != "table" and tax.inclusive:
        detail = f"prices that include tax need `provider: table`; {tax.provider} adds it to them."
        source.add("bad_value", ("tax", "inclusive"), detail)
    if tax.provider == "avalara" and tax.company is None:
        source.add("missing_key", ("tax", "company"), "is needed by Avalara: the company's code there.")
    for position, rate in enumerate(tax.rates):
        if rate.since is not None and rate.until is not None and rate.until <= rate.since:
            detail = "is the first day on which the rate does not hold; it comes after `since`."
            source.add("bad_value", ("tax", "rates", position, "until"), detail)
