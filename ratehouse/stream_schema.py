"""The shape of every stream: its columns, their kinds, what is required, what identifies a row.

Only shape belongs here. Reading values is `ratehouse.parsing`, landing is `ratehouse.streams`, and rules
about what a fact means (duplicates, forbidden transitions, unknown plans) are SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import pyarrow as pa

Kind = Literal[
    "text", "instant", "date", "quantity", "money", "rate", "whole", "flag", "json", "object", "list"
]

INSTANT = pa.timestamp("us", tz="UTC")
ARROW: dict[str, pa.DataType] = {
    "text": pa.string(),
    "instant": INSTANT,  # UTC
    "date": pa.date32(),  # local to what the stream says
    "quantity": pa.decimal128(28, 10),
    "money": pa.decimal128(20, 4),
    "rate": pa.decimal128(28, 12),
    "whole": pa.int64(),
    "flag": pa.bool_(),
    "json": pa.string(),  # any JSON value, canonical text
    "object": pa.string(),  # a JSON object
    "list": pa.string(),  # a JSON array; a bare text is an array of one
}
# digits before the point, digits after it
WIDTH: dict[str, tuple[int, int]] = {"quantity": (18, 10), "money": (16, 4), "rate": (16, 12)}


@dataclass(frozen=True)
class Column:
    """One column as it arrives.

    Attributes:
        name: its name in the row and in the lake.
        kind: how its value is read and stored.
        missing: the reason code if it is absent; None if it may be absent.
        optional_if: (column, values): it may be absent where that column has one of these values.
        choices: the only texts allowed, if they are closed.
        pattern: what a text must match in full, and the words for a person who has to fix one that does not.
        default: the text an absent value is read as.
        least: the smallest number it may be.
        whole_units: it is money that moved, so a whole number of the smallest unit of the row's `currency`.
    """

    name: str
    kind: Kind = "text"
    missing: str | None = None
    optional_if: tuple[str, frozenset[str]] | None = None
    choices: frozenset[str] | None = None
    pattern: tuple[str, str] | None = None
    default: str | None = None
    least: int | None = None
    whole_units: bool = False


@dataclass(frozen=True)
class Stream:
    """One stream of facts.

    Attributes:
        name: its folder below `raw/`.
        columns: its own columns, in order; tenant_id, recorded_at, source and batch_id come with every
        stream. key: the columns that identify a fact within a tenant.
        one_of: at least one of these columns must have a value, else `missing_customer`.
        by_received_day: files are partitioned by the UTC date of recorded_at, which is also a column.
        span: (first day, day after the last): the second must be after the first, else `bad_time`.
        future_of: the instant that may be at most an hour after recorded_at, else `future_time`.
        max_bytes: the longest text of a column, in bytes of UTF-8, else `too_large`.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    one_of: tuple[str, ...] = ()
    by_received_day: bool = False
    span: tuple[str, str] | None = None
    future_of: str | None = None
    max_bytes: int | None = None

    @cached_property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the landed files."""
        own = [pa.field(c.name, ARROW[c.kind]) for c in self.columns]
        day = [pa.field("received_on", pa.date32())] if self.by_received_day else []
        return pa.schema(
            [
                pa.field("tenant_id", pa.string()),
                *own,
                pa.field("recorded_at", INSTANT),
                *day,
                pa.field("source", pa.string()),
                pa.field("batch_id", pa.string()),
            ]
        )

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that a row must have."""
        return tuple(c.name for c in self.columns if c.missing)

    @property
    def accepted_keys(self) -> frozenset[str]:
        """The keys that a row may have."""
        return frozenset(c.name for c in self.columns) | {"tenant_id", "recorded_at", "source"}


def empty(stream: str) -> pa.Table:
    """A table of no rows with the stream's schema; `rejected` and `batches` have one too."""
    schema = {"rejected": REJECTED, "batches": BATCHES}.get(stream)
    return (schema or STREAMS[stream].schema).empty_table()


def _id(name: str) -> Column:
    return Column(name, missing="missing_id")


def _need(name: str, kind: Kind = "text", *, choices: frozenset[str] | None = None) -> Column:
    missing = {"instant": "bad_time", "date": "bad_time", "money": "bad_number", "rate": "bad_number"}
    return Column(name, kind, missing=missing.get(kind, "missing_key"), choices=choices)


def _moved(name: str, *, missing: str | None = "bad_number") -> Column:
    """Money that moved."""
    return Column(name, "money", missing=missing, whole_units=True)


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


_SUBSCRIPTION_EVENT_TYPES = frozenset(
    "created plan_changed quantity_changed anchor_changed paused resumed trial_extended cancelled"
    " cancel_undone coupon_applied coupon_removed overridden price_migrated item_bought renewed"
    " reactivated".split()
)
_COUPON_EVENTS = frozenset({"coupon_applied", "coupon_removed"})
_CONTRACT_EVENT_TYPES = frozenset(
    "delivered redeemed progress breakage modification estimate billed paid credit refund cancelled".split()
)

# Accounts that can take what the bank or the processor has and no document explains. None of them has a sub-ledger.
ACCEPTED_AS = frozenset(
    {"fees", "bad_debt", "fx_gain_loss", "interest_income", "interest_expense", "intercompany"}
)

_DELIVERY_EVENTS = frozenset(
    "queued claimed sent refused deferred failed received not_received bounced retried".split()
)
_COUNTRY = ("[A-Z]{2}", "an ISO 3166 code of two capital letters, as in DE")
# Each has its word with every tax provider (deliver.tax).
EXEMPTION_REASONS = frozenset(
    "federal_government state_government local_government diplomat charity religion education resale agriculture"
    " manufacturing direct_pay other".split()
)
_TAX_EVENTS = frozenset("committed refused unknown voided".split())
_POSTING_EVENTS = frozenset("claimed posted refused deferred voided".split())

STREAMS: dict[str, Stream] = {
    stream.name: stream
    for stream in (
        Stream(
            "usage_events",
            (
                _id("event_id"),
                *_texts("customer_id", "subscription_id"),
                _need("event_type"),
                _need("occurred_at", "instant"),
                Column("quantity", "quantity", default="1"),
                Column("properties", "object", default="{}"),
            ),
            key=("event_id",),
            one_of=("customer_id", "subscription_id"),
            by_received_day=True,
            future_of="occurred_at",
            max_bytes=64 * 1024,
        ),
        Stream(
            "customers",
            (
                Column("customer_id", missing="missing_customer"),
                Column("effective_at", "instant"),
                Column("name"),
                Column("emails", "list"),
                Column("billing_contacts", "list"),
                *_texts("currency", "timezone", "country", "region", "postal_code"),
                Column("address", "list"),
                Column("tax_id"),
                Column("tax_exempt", "flag"),
                *_texts("tax_id_status", "parent_customer_id"),
                Column("payment_terms_days", "whole"),
                *_texts("po_number", "language"),
                # what is charged by itself: {gateway, customer_id, method_id}, in the gateway's own ids
                Column("payment_method", "object"),
                Column("metadata", "object"),
            ),
            key=("customer_id", "effective_at"),
        ),
        Stream(
            "subscription_events",
            (
                _id("event_id"),
                # a coupon may be given to a customer as a whole
                Column("subscription_id", missing="missing_id", optional_if=("type", _COUPON_EVENTS)),
                Column("customer_id"),
                _need("type", choices=_SUBSCRIPTION_EVENT_TYPES),
                _need("effective_at", "instant"),
                Column("actor"),
                Column("data", "object", default="{}"),
            ),
            key=("event_id",),
            one_of=("subscription_id", "customer_id"),
        ),
        Stream(
            "credit_grants",
            (
                _id("grant_id"),
                Column("customer_id", missing="missing_customer"),
                Column("amount", "money", missing="bad_number", least=0),
                *_texts("currency", "unit"),
                Column("kind", choices=frozenset({"prepaid", "promotional"})),
                Column("priority", "whole", default="100"),
                _need("effective_at", "instant"),
                Column("expires_at", "instant"),
                Column("applies_to", "list"),
                Column("paid_invoice"),
                Column("recurrence", "object"),
                Column("voided_at", "instant"),
            ),
            key=("grant_id",),
        ),
        Stream(
            "adjustments",
            (
                _id("adjustment_id"),
                *_texts("invoice_id", "line_id", "invoice_number", "charge"),
                Column("service_start", "date"),
                Column("subscription_id"),
                Column("amount", "money"),
                *_texts("reason_code", "reason", "requested_by", "approved_by"),
                _need("effective_at", "instant"),
            ),
            key=("adjustment_id",),
        ),
        Stream(
            # what a second person said to an adjustment that somebody asked for
            "adjustment_approvals",
            (
                _id("adjustment_id"),
                _need("decision", choices=frozenset({"approve", "refuse"})),
                _need("decided_by"),
                _need("decided_at", "instant"),
                Column("reason"),
            ),
            key=("adjustment_id", "decided_by", "decided_at"),
        ),
        Stream(
            "payments",
            (
                _id("payment_id"),
                *_texts("customer_id", "invoice_id", "invoice_number", "reference"),
                _moved("amount"),
                _need("currency"),
                _need(
                    "status",
                    choices=frozenset("initiated processing unknown succeeded failed cancelled".split()),
                ),
                *_texts("method", "provider", "provider_id"),
                Column("failure_class", choices=frozenset({"hard", "soft", "authentication", "technical"})),
                Column("failure_code"),
                Column("attempted_at", "instant"),
                Column("settled_at", "instant"),
                # of an attempt that was made here: the key of the action it carries out
                Column("idempotency_key"),
            ),
            key=("payment_id",),
        ),
        Stream(
            "refunds",
            (
                _id("refund_id"),
                Column("payment_id"),
                _moved("amount"),
                _need("currency"),
                Column("status"),
                _need("effective_at", "instant"),
                # of a refund that was asked for here: the key of its part of the action
                Column("idempotency_key"),
            ),
            key=("refund_id",),
        ),
        Stream(
            "disputes",
            (
                _id("dispute_id"),
                Column("payment_id"),
                _moved("amount"),
                _need("currency"),
                _need("stage", choices=frozenset({"warning", "open", "won", "lost", "partially_lost"})),
                _moved("fee", missing=None),
                _need("effective_at", "instant"),
            ),
            key=("dispute_id", "stage"),
        ),
        Stream(
            "balance_transactions",
            (
                _id("balance_transaction_id"),
                *_texts("source_id", "reporting_category"),
                _need("gross", "money"),
                Column("fee", "money", default="0"),
                _need("net", "money"),
                _need("currency"),
                Column("exchange_rate", "rate"),
                Column("available_on", "date"),
                Column("payout_id"),
            ),
            key=("balance_transaction_id",),
        ),
        Stream(
            "payouts",
            (
                _id("payout_id"),
                _need("amount", "money"),
                _need("currency"),
                Column("arrival_on", "date"),
                Column("status"),
                Column("automatic", "flag"),
            ),
            key=("payout_id",),
        ),
        Stream(
            "bank_lines",
            (
                _id("bank_line_id"),
                _need("amount", "money"),
                _need("currency"),
                _need("value_on", "date"),
                Column("booked_on", "date"),
                *_texts("reference", "counterparty", "end_to_end_id", "bank_reference"),
                *_texts("account", "statement_id"),
            ),
            key=("bank_line_id",),
        ),
        Stream(
            # what a statement says of itself; its lines are in bank_lines
            "bank_statements",
            (
                _id("statement_id"),
                _need("account"),
                _need("currency"),
                Column("number"),
                Column("opening_balance", "money"),
                Column("closing_balance", "money"),
                _need("opened_on", "date"),
                _need("closed_on", "date"),
                Column("line_count", "whole"),
                Column("statement_hash"),
            ),
            key=("statement_id",),
        ),
        Stream(
            # what a person decided: that two things belong together, or do not
            "manual_matches",
            (
                _id("match_id"),
                _need("area", choices=frozenset({"cash", "processor", "bank"})),
                _need("left_reference"),
                _need("right_reference"),
                _need("action", choices=frozenset({"match", "unmatch"})),
                _need("decided_by"),
                _need("effective_at", "instant"),
                Column("reason"),
            ),
            key=("match_id",),
        ),
        Stream(
            # what a person lets stand of an item of the reconciliation, and the account that takes the difference
            "manual_acceptances",
            (
                _id("acceptance_id"),
                _need("area", choices=frozenset({"cash", "processor", "bank"})),
                _need("item_status"),
                _need("reference"),
                _need("action", choices=frozenset({"accept", "withdraw"})),
                _need("amount", "money"),
                _need("currency"),
                Column("account_role", choices=ACCEPTED_AS),
                _need("decided_by"),
                _need("effective_at", "instant"),
                Column("reason"),
            ),
            key=("acceptance_id",),
        ),
        Stream(
            # what a person says of money that is another legal entity's: it is held for that entity, or no longer
            "intercompany_claims",
            (
                _id("claim_id"),
                _need("payment_id"),
                _need("entity"),
                _need("action", choices=frozenset({"hold", "release"})),
                _need("decided_by"),
                _need("effective_at", "instant"),
                Column("reason"),
            ),
            key=("claim_id",),
        ),
        Stream(
            # what Stripe sent, to the letter; an object is told as often as it changes
            "stripe_objects",
            (
                _id("object_id"),
                _need("object"),
                *_texts("event_id", "event_type", "api_version"),
                Column("created_at", "instant"),
                _need("payload", "object"),
            ),
            key=("object_id", "event_id", "payload"),
        ),
        Stream(
            # seconds since 1970, as Stripe writes them
            "stripe_cursors",
            (_need("resource"), Column("seen_until", "whole", missing="missing_key")),
            key=("resource", "seen_until"),
        ),
        Stream(
            # what is kept of what Braintree sent; an object is told as often as it changes
            "braintree_objects",
            (_id("object_id"), _need("object"), _need("payload", "object")),
            key=("object_id", "payload"),
        ),
        Stream(
            "braintree_cursors",
            (_need("resource"), _need("seen_until", "instant")),
            key=("resource", "seen_until"),
        ),
        Stream(
            # documents that another system issued, line by line as it wrote them; copies are kept
            "imported_invoice_lines",
            (
                _id("invoice_number"),
                Column("customer_id"),
                _need("issued_at", "instant"),
                *_texts("item", "description"),
                Column("quantity", "quantity", default="1"),
                _need("unit_price", "rate"),
                _need("currency"),
            ),
            key=(),
        ),
        Stream(
            "fx_rates",
            # who published the rate is the `source` that every stream has
            (_need("base"), _need("quote"), _need("rate", "rate"), _need("rate_on", "date")),
            key=("base", "quote", "rate_on", "source"),
        ),
        Stream(
            "tax_quotes",
            (
                _id("request_hash"),
                *_texts("provider", "customer_id", "invoice_id", "currency"),
                Column("status", choices=frozenset({"quoted", "refused"}), default="quoted"),
                # the provider's words to a refusal
                Column("detail"),
                Column("request", "json"),
                Column("response", "json"),
                Column("quoted_at", "instant"),
            ),
            key=("request_hash",),
        ),
        Stream(
            # what the register said about a tax id when it was asked; it says nothing about other days
            "tax_id_checks",
            (
                _id("tax_id"),
                _need("status", choices=frozenset({"valid", "invalid", "malformed", "unavailable"})),
                _need("asked_at", "instant"),
                Column("response", "json"),
                Column("detail"),
            ),
            key=("tax_id", "asked_at"),
        ),
        Stream(
            # why a customer's purchases bear no tax somewhere, and when; a later row about a certificate supersedes
            "exemption_certificates",
            (
                _id("certificate_id"),
                Column("customer_id", missing="missing_customer"),
                _need("number"),
                Column("country", missing="missing_key", pattern=_COUNTRY),
                Column("region"),
                Column("tax_codes", "list"),
                _need("reason", choices=EXEMPTION_REASONS),
                _need("valid_from", "date"),
                Column("valid_until", "date"),
                Column("revoked_on", "date"),
            ),
            key=("certificate_id",),
            span=("valid_from", "valid_until"),
        ),
        Stream(
            # the proof that a customer paid a tax that it kept of an invoice, or that none will come
            "withholding_certificates",
            (
                _id("certificate_id"),
                _need("invoice_number"),
                _need("status", choices=frozenset({"received", "refused"})),
                _need("amount", "money"),
                _need("currency"),
                Column("number"),
                _need("effective_at", "instant"),
                Column("decided_by"),
                Column("reason"),
            ),
            key=("certificate_id",),
        ),
        Stream(
            # what became of telling a tax provider about an issued document; its state is the last of these facts
            "tax_transactions",
            (
                _id("code"),
                _need("event", choices=_TAX_EVENTS),
                _need("attempt", "whole"),
                *_texts("provider", "invoice_id", "type", "currency"),
                Column("tax", "money"),
                _need("occurred_at", "instant"),
                Column("detail"),
            ),
            key=("code", "attempt"),
        ),
        Stream(
            "contracts",
            (
                _id("contract_id"),
                Column("customer_id"),
                Column("subscription_ids", "list"),
                _need("currency"),
                _need("signed_on", "date"),
                Column("cancellable", "flag", default="false"),
                Column("consideration", "money"),
                Column("obligations", "list"),
                Column("discount_groups", "list"),
                Column("variable", "list"),
                Column("financing", "object"),
                Column("costs", "list"),
            ),
            key=("contract_id",),
        ),
        Stream(
            "contract_events",
            (
                # revenue.md gives these events no id; one made from the content keeps a second landing
                # harmless
                Column("event_id"),
                _id("contract_id"),
                _need("type", choices=_CONTRACT_EVENT_TYPES),
                _need("effective_on", "date"),
                Column("data", "object", default="{}"),
            ),
            key=("event_id",),
        ),
        Stream(
            "period_closes",
            (
                # stated at once, or what each of two people did, or a reopening; a fold over these facts
                _id("period"),
                _need("closed_at", "instant"),
                *_texts("prepared_by", "approved_by", "prepared_hash", "reopened_by", "reason"),
            ),
            key=("period", "closed_at"),
        ),
        Stream(
            # what was found about the change of a line of revenue, and who accepted it
            "flux_explanations",
            (
                _id("explanation_id"),
                _need("comparison", choices=frozenset({"month", "year"})),
                _need("period"),
                _need("account_role"),
                _need("charge"),
                _need("currency"),
                _need("action", choices=frozenset({"explain", "accept"})),
                _need("change", "money"),
                *_texts("explanation", "owner"),
                _need("decided_by"),
                _need("effective_at", "instant"),
            ),
            key=("explanation_id",),
        ),
        Stream(
            "deliveries",
            (
                # what became of one message to one recipient; its state is a fold over these facts
                _id("delivery_id"),
                _need("event", choices=_DELIVERY_EVENTS),
                _need("attempt", "whole"),
                *_texts("channel", "invoice_id", "invoice_number", "kind", "customer_id"),
                *_texts("recipient", "recipient_name", "language", "message_id"),
                _need("occurred_at", "instant"),
                Column("next_attempt_at", "instant"),
                *_texts("code", "detail", "actor"),
            ),
            key=("delivery_id", "event", "attempt"),
        ),
        Stream(
            # the time that was chosen for one retry, and all that is needed to judge the choice later
            "retry_plans",
            (
                _id("plan_id"),
                _id("invoice_id"),
                Column("customer_id"),
                _need("currency"),
                _need("retry_no", "whole"),
                _need("retry_at", "instant"),
                Column("slot_no", "whole"),
                Column("planned_slot_no", "whole"),
                _need("arm", choices=frozenset({"fixed", "random", "planned"})),
                _need("reason"),
                Column("propensity", "rate"),
                Column("random_share", "rate"),
                Column("fixed_share", "rate"),
                Column("probability", "rate"),
                Column("expected_value", "money"),
                Column("open_amount", "money"),
                Column("retry_cost", "money"),
                Column("model"),
                Column("slots", "list"),
            ),
            key=("plan_id",),
        ),
        Stream(
            "journal_postings",
            (
                # what became of one part of an entry in one accounting system; its state is a fold over these facts
                _id("posting_id"),
                _need("event", choices=_POSTING_EVENTS),
                _need("attempt", "whole"),
                *_texts("target", "period", "entry_id", "number", "sent_hash"),
                Column("sent", "object"),
                Column("external_id"),
                _need("occurred_at", "instant"),
                Column("detail"),
            ),
            key=("posting_id", "event", "attempt"),
        ),
        Stream(
            "price_books",
            (
                _id("price_book"),
                _need("effective_from", "date"),
                Column("currency"),
                _need("document", "object"),
                Column("content_hash"),
            ),
            key=("price_book", "content_hash"),
        ),
        Stream("tenants", (_need("document", "object"), Column("content_hash")), key=("content_hash",)),
        Stream(
            "tenant_clocks",
            (_need("billing_as_of", "instant"), _need("known_as_of", "instant")),
            key=("recorded_at",),
        ),
        Stream(
            "negotiated_charges",
            (_id("event_id"), Column("charges", "object"), *_texts("reason_code", "reason")),
            key=("event_id",),
        ),
        Stream(
            "rejected_replays",
            (
                _id("reject_id"),
                _need("stream"),
                # the row as it was landed again; text, so that the lake keeps it letter by letter
                _need("payload"),
                _id("replay_batch_id"),
            ),
            key=("reject_id",),
        ),
    )
}

REJECTED = pa.schema(
    [
        ("tenant_id", pa.string()),
        ("stream", pa.string()),
        ("reason_code", pa.string()),
        ("reason", pa.string()),
        ("payload", pa.string()),
        ("file", pa.string()),
        ("line", pa.int64()),
        ("recorded_at", INSTANT),
        ("source", pa.string()),
        ("batch_id", pa.string()),
        ("reject_id", pa.string()),
    ]
)
# One row a batch, written before its files: what the batch will hold. It makes a landing that was killed half
# way repeatable to the letter on any later day, and is the count against which completeness can be proven.
BATCHES = pa.schema(
    [
        ("batch_id", pa.string()),
        ("stream", pa.string()),
        ("source", pa.string()),
        ("received_at", INSTANT),
        ("accepted", pa.int64()),
        ("rejected", pa.int64()),
        ("reasons", pa.string()),
        ("partitions", pa.string()),
    ]
)
