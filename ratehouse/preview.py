"""What a change of a subscription would bill: the compiled SQL of the nightly run, on one customer's facts and one more.

Publishing copies what that needs beside the marts (schema `preview` of the serving file): the relations at the edge of
everything that a subscription event changes, and the SQL between that edge and the next documents. A preview loads the
customer's rows of the edge into memory, adds the hypothetical event and runs the SQL. Belongs here: that. Does not
belong here: any rule.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from ratehouse.errors import RatehouseError
from ratehouse.periods import start_of_day
from ratehouse.settings import Settings

EVENT_ID = "preview"
TYPES = (
    "plan_changed",
    "quantity_changed",
    "anchor_changed",
    "paused",
    "resumed",
    "cancelled",
    "cancel_undone",
    "reactivated",
    "renewed",
    "trial_extended",
    "price_migrated",
    "coupon_applied",
    "coupon_removed",
    "item_bought",
)
_CHANGED = "stg_ratehouse__subscription_events"
_TERMS = "int_subscriptions__terms"
_STATES = "int_metering__states"
# They read of subscription events who has which subscription and how it starts; a change tells none of that. So what became
# of the customer's money is as it stands.
_UNCHANGED = (
    "int_subscriptions__customers",
    "int_payments__deadlines",
    "int_dunning__debtors",
    "int_dunning__cancellations",
)
_ANSWERS = ("int_invoicing__due_documents", "int_invoicing__due_lines", "subscriptions")
# Usage is not read again: its states are those of the last build, each under the terms that now hold at its instant.
_STATES_UNDER_NEW_TERMS = """
    select states.* replace (terms.terms_no as terms_no, terms.price_book as price_book)
    from {known} as states
    inner join {terms} as terms
        on
            states.tenant_id = terms.tenant_id
            and states.subscription_id = terms.subscription_id
            and states.latest_at >= terms.starts_at
            and (terms.ends_at is null or states.latest_at < terms.ends_at)
"""

Row = dict[str, Any]


class PreviewRefused(RatehouseError):
    """The subscription is in no state that allows the change, or the change asks for what does not exist."""


class PreviewUnavailable(RatehouseError):
    """Nothing that a preview could run on was published."""


@dataclass(frozen=True)
class Preview:
    """What a change would come to.

    Attributes:
        effective_on: the customer's local day from which it holds.
        state: the subscription after it, a row of the mart `subscriptions`.
        documents: what the run at the change's instant would issue to the customer, before numbering.
        lines: their lines, in the order in which they stand on them.
    """

    effective_on: date
    state: Row
    documents: list[Row]
    lines: list[Row]

    @property
    def due(self) -> dict[str, Decimal]:
        """What is to be paid at once, by currency; negative is given back."""
        sums: dict[str, Decimal] = {}
        for document in self.documents:
            sums[document["currency"]] = sums.get(document["currency"], Decimal(0)) + document["amount_due"]
        return sums


def preview_change(
    settings: Settings,
    tenant_id: str,
    subscription_id: str,
    change: str,
    data: Mapping[str, Any] | None = None,
    *,
    on: date | None = None,
    customer_id: str | None = None,
) -> Preview:
    """What `change` would bill, if it were told now.

    Args:
        settings: the installation; only its serving file is opened.
        tenant_id: whose subscription it is.
        subscription_id: the subscription.
        change: the type of the subscription event, one of `TYPES`.
        data: its data, as shared by the stream `subscription_events`.
        on: the local day on which it is to hold; None is the day up to which was billed.
        customer_id: if given, the subscription must be this customer's; what is somebody else's does not exist.

    Raises:
        PreviewUnavailable: nothing was published to run on.
        PreviewRefused: there is no such subscription, or the change is refused.
    """
    if change not in TYPES:
        raise PreviewRefused(f"There is no change {change!r}; there are: {', '.join(TYPES)}.")
    if not settings.serving_path.exists():
        raise PreviewUnavailable(
            f"There is no serving file at {settings.serving_path}; `ratehouse run` publishes one."
        )
    with duckdb.connect(":memory:") as connection:
        connection.execute("set TimeZone = 'UTC'")
        # A customer's rows are few: planning is most of the time, and more threads only add to it.
        connection.execute("set threads = 1")
        connection.execute("pragma disable_optimizer")
        path = str(settings.serving_path).replace("'", "''")
        connection.execute(f"attach '{path}' as serving (read_only)")
        return _Session(connection, tenant_id, subscription_id).run(change, data or {}, on, customer_id)


class _Session:
    """One preview in a database of its own, in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, tenant_id: str, subscription_id: str) -> None:
        self._connection = connection
        self._tenant_id = tenant_id
        self._subscription_id = subscription_id
        try:
            self._models: list[tuple[str, str, str, str, str | None]] = connection.execute(
                "select database_name, schema_name, name, kind, sql from serving.preview.models order by position"
            ).fetchall()
        except duckdb.CatalogException as error:
            raise PreviewUnavailable(
                "The serving file holds no models to preview with; `ratehouse run` publishes them."
            ) from error
        database = self._models[0][0]
        connection.execute(f"""attach ':memory:' as "{database}"; use "{database}" """)
        for schema in sorted({schema for _, schema, *_ in self._models}):
            connection.execute(f'create schema if not exists "{schema}"')
        self._places = {name: f'"{schema}"."{name}"' for _, schema, name, _, _ in self._models}

    def run(self, change: str, data: Mapping[str, Any], on: date | None, customer_id: str | None) -> Preview:
        family, subscriptions, zone, billed_until, known_until = self._found(customer_id)
        for _, _, name, kind, _ in self._models:
            if kind == "input":
                self._load(name, family, subscriptions)
        effective_at = start_of_day(on, zone) if on else billed_until
        now = max(billed_until, effective_at)
        self._connection.execute(
            f"update {self._places['stg_ratehouse__tenants']}"
            " set billing_as_of = $now, known_as_of = greatest(known_as_of, $now)",
            {"now": now},
        )
        self._connection.execute(
            f"insert into {self._places[_CHANGED]} by name select $tenant as tenant_id, $event as event_id,"
            " $subscription as subscription_id, $customer as customer_id, $type as type, $effective_at as effective_at,"
            " $recorded_at as recorded_at, 'preview' as actor, $data as data",
            {
                "tenant": self._tenant_id,
                "event": EVENT_ID,
                "subscription": self._subscription_id,
                "customer": family[0],
                "type": change,
                "effective_at": effective_at,
                "recorded_at": max(known_until, now),
                "data": json.dumps(data),
            },
        )
        for _, _, name, kind, sql in self._models:
            if kind == "model":
                self._connection.execute(f"create or replace table {self._places[name]} as ({sql}\n)")
        return self._answer(family[0])

    def _found(self, customer_id: str | None) -> tuple[list[str], list[str], str, datetime, datetime]:
        """The customer first, then who is billed for it; their subscriptions; the zone and the two clocks."""
        rows = self._connection.execute(
            "select subscriptions.customer_id, customers.parent_customer_id, subscriptions.timezone,"
            " tenants.billing_as_of, tenants.known_as_of"
            " from serving.marts.subscriptions as subscriptions"
            " inner join serving.preview.stg_ratehouse__tenants as tenants"
            " on subscriptions.tenant_id = tenants.tenant_id"
            " left join serving.preview.int_subscriptions__customers as customers"
            " on subscriptions.tenant_id = customers.tenant_id and subscriptions.customer_id = customers.customer_id"
            " where subscriptions.tenant_id = $tenant and subscriptions.subscription_id = $subscription",
            {"tenant": self._tenant_id, "subscription": self._subscription_id},
        ).fetchall()
        if not rows or customer_id not in (None, rows[0][0]):
            raise PreviewRefused(f"There is no subscription {self._subscription_id!r}.")
        row = rows[0]
        family = [name for name in row[:2] if name]
        subscriptions = self._connection.execute(
            "select subscription_id from serving.marts.subscriptions where tenant_id = $tenant and customer_id in $family",
            {"tenant": self._tenant_id, "family": family},
        ).fetchall()
        return family, [name for (name,) in subscriptions], row[2], row[3], row[4]

    def _load(self, name: str, family: list[str], subscriptions: list[str]) -> None:
        """Copy the rows of a relation that are the tenant's and, as far as it says so, the customer's."""
        source = f'serving.preview."{name}"'
        columns = {column for column, *_ in self._connection.execute(f"describe {source}").fetchall()}
        parameters: dict[str, Any] = {}
        conditions = []
        if "tenant_id" in columns:
            conditions.append("tenant_id = $tenant")
            parameters["tenant"] = self._tenant_id
        # Usage is the largest relation by far, and lies in the order of its customers.
        if "subscription_id" in columns and name != _STATES:
            owner = (
                " or (subscription_id is null and customer_id in $family)" if "customer_id" in columns else ""
            )
            conditions.append(f"(subscription_id in $subscriptions{owner})")
            parameters["subscriptions"] = subscriptions
        if "customer_id" in columns:
            if "subscription_id" not in columns or name == _STATES:
                conditions.append("customer_id in $family")
            parameters["family"] = family
        where = f" where {' and '.join(conditions)}" if conditions else ""
        self._connection.execute(f"create table {self._places[name]} as from {source}{where}", parameters)

    def _answer(self, customer_id: str) -> Preview:
        verdicts = self._connection.execute(
            "select folds.verdict, folds.effective_on, events.effective_on"
            f" from {self._places['int_subscriptions__events']} as events"
            f" left join {self._places['int_subscriptions__folds']} as folds using (tenant_id, subscription_id, event_order)"
            " where events.event_id = $event",
            {"event": EVENT_ID},
        ).fetchall()
        verdict, holds_from, told_on = verdicts[0] if verdicts else ("forbidden_transition", None, None)
        if verdict != "accepted":
            code = str(verdict)
            words = {
                "forbidden_transition": "The subscription is in no state that allows this change.",
                "unknown_plan": "There is no such plan in the subscription's price book.",
                "no_price_in_currency": "The plan has no price in the subscription's currency.",
                "bad_number": "A number of the change is none that a subscription can have.",
            }
            raise PreviewRefused(words.get(code, f"The change is refused: {code}."), reason_code=code)
        mine = {"tenant": self._tenant_id, "customer": customer_id}
        lines = self._rows(
            f"select * from {self._places['int_invoicing__due_lines']}"
            " where tenant_id = $tenant and customer_id = $customer order by document_key, line_no",
            mine,
        )
        keys = sorted({line["document_key"] for line in lines})
        documents = self._rows(
            f"select * from {self._places['int_invoicing__due_documents']}"
            " where tenant_id = $tenant and document_key in $keys order by currency, kind desc, document_key",
            {"tenant": self._tenant_id, "keys": keys},
        )
        (state,) = self._rows(
            f"select * from {self._places['subscriptions']} where tenant_id = $tenant and subscription_id = $subscription",
            {"tenant": self._tenant_id, "subscription": self._subscription_id},
        )
        return Preview(holds_from or told_on, state, documents, lines)

    def _rows(self, sql: str, parameters: dict[str, Any]) -> list[Row]:
        rows: list[Row] = self._connection.sql(sql, params=parameters).to_arrow_table().to_pylist()
        return rows


def publish_models(connection: duckdb.DuckDBPyConnection, settings: Settings, database: str) -> bool:
    """Copy to `database`.preview what previews run on; nothing where the models were not compiled by a run yet.

    Args:
        connection: the warehouse, with the new serving file attached.
        settings: where dbt left its manifest and the compiled SQL.
        database: the serving file's name in the connection.
    """
    models = _models(settings.warehouse_path.parent / "dbt_target")
    present = set(
        connection.execute(
            "select table_schema, table_name from information_schema.tables where table_catalog = current_database()"
        ).fetchall()
    )
    if not models or not all((schema, name) in present for _, schema, name, _, _ in models):
        return False
    connection.execute(f"create schema {database}.preview")
    for _, schema, name, kind, _ in models:
        if kind == "input":
            order = " order by tenant_id, customer_id" if name == _STATES else ""
            connection.execute(f'create table {database}.preview."{name}" as from "{schema}"."{name}"{order}')
    connection.execute(
        f"create table {database}.preview.models"
        " (position integer, database_name varchar, schema_name varchar, name varchar, kind varchar, sql varchar)"
    )
    connection.executemany(
        f"insert into {database}.preview.models values (?, ?, ?, ?, ?, ?)",
        [(position, *model) for position, model in enumerate(models)],
    )
    return True


def _models(target: Path) -> list[tuple[str, str, str, str, str | None]]:
    """The edge (kind `input`) and the models behind it in the order in which they build on each other."""
    manifest = target / "manifest.json"
    if not manifest.exists():
        return []
    nodes = {
        node["name"]: node
        for node in json.loads(manifest.read_text(encoding="utf-8"))["nodes"].values()
        if node["resource_type"] in ("model", "seed")
    }
    # A source may have the name of a mart. Which subscriptions a build makes again is none of a preview's business.
    parents = {
        name: [
            parent
            for key in node["depends_on"].get("nodes", [])
            if key.startswith(("model.", "seed."))
            and "marks" not in nodes[parent := key.rsplit(".", 1)[-1]]["tags"]
        ]
        for name, node in nodes.items()
    }
    changed: dict[str, bool] = {_CHANGED: True, **dict.fromkeys(_UNCHANGED, False)}

    def is_changed(name: str) -> bool:
        if name not in changed:
            changed[name] = any(is_changed(parent) for parent in parents[name])
        return changed[name]

    ordered: list[tuple[str, str, str, str, str | None]] = []
    placed: set[str] = set()

    def place(name: str) -> None:
        if name in placed:
            return
        placed.add(name)
        node = nodes[name]
        sql: str | None = None
        if name == _STATES:
            place(_TERMS)
            terms = nodes[_TERMS]
            sql = _STATES_UNDER_NEW_TERMS.format(
                known=f'"{node["schema"]}"."{name}"', terms=f'"{terms["schema"]}"."{_TERMS}"'
            )
            ordered.append((node["database"], node["schema"], name, "input", None))
            ordered.append((node["database"], node["schema"], name, "model", sql))
            return
        if name != _CHANGED and is_changed(name):
            for parent in parents[name]:
                place(parent)
            compiled = target / "compiled" / node["package_name"] / node["original_file_path"]
            if not compiled.exists():
                raise FileNotFoundError(compiled)
            sql = compiled.read_text(encoding="utf-8")
        ordered.append((node["database"], node["schema"], name, "input" if sql is None else "model", sql))

    try:
        for name in _ANSWERS:
            place(name)
    except FileNotFoundError:
        return []
    return ordered
