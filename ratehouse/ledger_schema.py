"""The columns of what is issued and closed.

Values come from the `int_…__due_*` models; the issue and close steps add identity, number and hash.
"""

from __future__ import annotations

import pyarrow as pa

MONEY = pa.decimal128(20, 4)
QUANTITY = pa.decimal128(28, 10)
PRICE = pa.decimal128(28, 12)
INSTANT = pa.timestamp("us", tz="UTC")


def _schema(*fields: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields])


def _texts(*names: str) -> list[tuple[str, pa.DataType]]:
    return [(name, pa.string()) for name in names]


INVOICES = _schema(
    *_texts("tenant_id", "invoice_id", "invoice_number", "series"),
    ("seq", pa.int64()),
    *_texts("kind", "customer_id", "currency"),
    ("bill_date", pa.date32()),
    ("issued_on", pa.date32()),
    ("issued_at", INSTANT),
    ("due_on", pa.date32()),
    *[(name, MONEY) for name in ("subtotal", "discount", "tax", "total", "credits_applied", "amount_due")],
    *_texts("corrects_invoice_id", "seller_name", "legal_entity"),
    *_texts("bill_to_name", "bill_to_address", "bill_to_country", "bill_to_tax_id"),
    *_texts("timezone", "language", "po_number", "notes"),
    ("due_days", pa.int64()),
    # Of a document in another currency than the seller's: the rate as it was published, and the tax at it.
    *_texts("fx_base", "fx_quote"),
    ("fx_rate", PRICE),
    ("fx_rate_on", pa.date32()),
    *_texts("fx_source", "functional_currency"),
    ("functional_tax", MONEY),
    ("billing_as_of", INSTANT),
    ("known_as_of", INSTANT),
    *_texts("code_version", "run_key", "content_hash", "previous_hash"),
)

INVOICE_LINES = _schema(
    *_texts("tenant_id", "invoice_id", "line_id"),
    ("line_no", pa.int64()),
    *_texts("customer_id", "subscription_id", "plan", "plan_name", "charge"),
    ("charge_position", pa.int64()),
    *_texts("charge_description", "line_type", "model", "meter", "price_book", "dimensions"),
    ("service_start", pa.date32()),
    ("service_end", pa.date32()),
    ("quantity", QUANTITY),
    ("unit_price", PRICE),
    ("amount", MONEY),
    # As the price book prices it: with the tax where prices include it. What differences are made of.
    ("priced_amount", MONEY),
    *_texts("currency", "tax_code"),
    ("tax_percent", PRICE),
    # What a tax provider was asked about the line: the request, and the item of it; and the tax that follows from its answer.
    *_texts("tax_request_hash"),
    ("tax_item_no", pa.int64()),
    ("tax_amount", MONEY),
    # Where the line is taxed, how, and for which certificate it is not.
    *_texts("tax_country", "tax_region", "tax_treatment", "certificate_id", "certificate_number"),
    # The line that is charged anew by this one without its tax, and the invoice that line stands on.
    *_texts("replaces_line_id", "replaces_invoice_id"),
    *_texts("gl_account", "corrects_line_id", "cause_event_id", "slice_id", "rated_id"),
    # The coupon of a discount and its application; the manual adjustment that a line carries out.
    *_texts("coupon", "discount_id", "adjustment_id"),
    # The slice as it stands after this line: what the next difference starts from.
    ("slice_start_at", INSTANT),
    ("slice_end_at", INSTANT),
    ("billing_as_of", INSTANT),
    ("issued_at", INSTANT),
    *_texts("run_key"),
)

RUNS = _schema(
    *_texts("run_key", "tenant_id"),
    ("billing_as_of", INSTANT),
    ("known_as_of", INSTANT),
    ("documents", pa.int64()),
    ("lines", pa.int64()),
    ("issued_at", INSTANT),
    *_texts("code_version"),
)

# Credit that an invoice drew from a grant, in money and in the grant's own measure (a grant may be in a pricing unit).
CREDIT_DRAWS = _schema(
    *_texts("tenant_id", "grant_id", "invoice_id", "customer_id"),
    ("amount", MONEY),
    *_texts("currency"),
    ("measure", QUANTITY),
    *_texts("unit"),
    ("drawn_on", pa.date32()),
    ("issued_at", INSTANT),
    *_texts("run_key"),
)

# What a credit note took off an open invoice when it was issued; the rest of its value is a grant.
CREDIT_NOTE_USES = _schema(
    *_texts("tenant_id", "credit_note_id", "invoice_id", "customer_id"),
    ("amount", MONEY),
    *_texts("currency"),
    ("issued_at", INSTANT),
    *_texts("run_key"),
)

# A closed month. `known_as_of`: what was learned later is late; `content_hash` covers the frozen revenue and the
# journal of the month.
CLOSED_PERIODS = _schema(
    *_texts("tenant_id", "period"),
    ("closed_at", INSTANT),
    *_texts("prepared_by", "approved_by"),
    ("billing_as_of", INSTANT),
    ("known_as_of", INSTANT),
    ("revenue_rows", pa.int64()),
    ("journal_lines", pa.int64()),
    *_texts("code_version", "run_key", "content_hash", "previous_hash"),
)

# Revenue as it was posted when its month was closed (or a later one, if that was closed first).
CLOSED_REVENUE = _schema(
    *_texts(
        "tenant_id", "closed_period", "posting_period", "contract_id", "obligation_id", "period", "method"
    ),
    ("recognised", MONEY),
    ("breakage", MONEY),
    ("prior_performance", MONEY),
    *_texts("currency", "run_key"),
)

# Where contracts stood at the ends of closed months, to date: what later months move on from.
CLOSED_BALANCES = _schema(
    *_texts("tenant_id", "closed_period", "contract_id", "customer_id", "period"),
    *[
        (name, MONEY)
        for name in (
            "billed",
            "credited",
            "refunded",
            "recognised",
            "interest",
            "refund_liability",
            "receivable",
            "liability_current",
        )
    ],
    *_texts("currency", "run_key"),
)

# The journal of closed months: what they show for ever. What is derived otherwise later is posted as its difference.
CLOSED_JOURNAL = _schema(
    *_texts("tenant_id", "closed_period", "period", "entry_id"),
    ("line_no", pa.int64()),
    *_texts("kind", "owner", "performance_period"),
    ("posted_on", pa.date32()),
    *_texts("account_role", "account"),
    ("debit", MONEY),
    ("credit", MONEY),
    *_texts("currency"),
    ("functional_debit", MONEY),
    ("functional_credit", MONEY),
    *_texts("functional_currency", "sub_ledger", "contract_id", "invoice_id", "run_key"),
)

RELATIONS: dict[str, pa.Schema] = {
    "invoices": INVOICES,
    "invoice_lines": INVOICE_LINES,
    "credit_draws": CREDIT_DRAWS,
    "credit_note_uses": CREDIT_NOTE_USES,
    "runs": RUNS,
    "closed_revenue": CLOSED_REVENUE,
    "closed_balances": CLOSED_BALANCES,
    "closed_journal": CLOSED_JOURNAL,
    "closed_periods": CLOSED_PERIODS,
}

# The relation that is written last: what it does not have was never committed.
COMMITTED_BY: dict[str, str] = {
    relation: "closed_periods" if relation.startswith("closed_") else "runs" for relation in RELATIONS
}
