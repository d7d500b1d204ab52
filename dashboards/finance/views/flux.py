"""Flux: what changed revenue between two months, each driver down to its contracts, and who explained it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import altair as alt
import pandas as pd
import streamlit as st

from dashboards import data, figures
from dashboards.finance import contract, made, shell
from ratehouse import flux
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

DRIVERS = {
    "price": ("Price", "What the same units cost more or less than at the contract's own earlier price."),
    "volume": ("Volume", "More or fewer units, at the charge's earlier average price."),
    "mix": (
        "Mix",
        "Units that cost more or less than that average: other customers, other plans, other groups of usage.",
    ),
    "late": ("Late", "Earned in months that were closed, posted now."),
    "catch_up": ("Caught up", "New estimates and prices of what was done before."),
    "one_off": ("One-off", "Fees billed once, credits by hand, prices of certain days."),
    "other": ("Other", "What has no units: minimums, shifts between charges, interest, breakage."),
    "fx": ("FX", "What exchange rates did."),
}
STATUS = {
    "open": ":red-badge[to be explained]",
    "moved": ":red-badge[moved since it was explained]",
    "explained": ":orange-badge[explained]",
    "accepted": ":green-badge[accepted]",
    "below_threshold": ":gray-badge[below the threshold]",
}
COMPARISONS = {"month": "Month before", "year": "Same month a year before"}
COLOURS = {"Revenue": "#9fb3c1", "More": "#0f766e", "Less": "#d0604f"}
ZERO = Decimal(0)


def main() -> None:
    """Show the page."""
    tenant = shell.tenant()
    tenant_id = tenant["tenant_id"]
    shell.head("Flux", shell.clocks(tenant))
    comparison = str(
        st.segmented_control(
            "Compared with", list(COMPARISONS), default="month", required=True, format_func=COMPARISONS.__getitem__,
            key="flux_comparison", label_visibility="collapsed",
        )
    )  # fmt: skip
    every = data.query("flux_lines", tenant_id, comparison=comparison)
    if not every:
        shell.empty("compare_arrows", "Nothing to compare", "Two complete months with revenue are needed.")
        return
    periods = sorted({row["period"] for row in every}, reverse=True)
    period = str(st.selectbox("Month", periods, key="flux_period"))
    rows = [row for row in every if row["period"] == period]
    # Lines without a rate cannot be added to others: each currency for itself then.
    own = all(row["functional_change"] is not None for row in rows)
    currency = (
        tenant["currency"]
        if own
        else shell.choose_currency({row["currency"] for row in rows}, tenant["currency"], "flux")
    )
    rows = rows if own else [row for row in rows if row["currency"] == currency]
    lines = [_in(row, own) for row in rows]
    _headline(lines, currency)
    _waterfall(lines, currency)
    st.subheader("By account and charge", anchor=False)
    picked = _lines(lines, currency)
    shell.download("Rows as CSV", rows, f"{tenant_id}-flux-{period}-{comparison}.csv")
    made.behind("revenue_flux", "revenue_flux_items", query="flux_lines", key="flux")
    if picked is not None:
        _line(tenant_id, rows[picked], lines[picked], currency, own)


def _in(row: data.Row, own: bool) -> data.Row:
    """The amounts of a line as they are shown: in the tenant's own currency where every line has a rate."""
    names = ("prior_amount", "amount", "change", *DRIVERS)
    return {**row, **{name: row[f"functional_{name}"] if own else row.get(name, ZERO) for name in names}}


def _total(lines: Sequence[data.Row], name: str) -> Decimal:
    return sum((row[name] for row in lines), ZERO)


def _headline(lines: Sequence[data.Row], currency: str) -> None:
    before, now = _total(lines, "prior_amount"), _total(lines, "amount")
    waiting = sum(row["status"] in ("open", "moved") for row in lines)
    first, second, third, fourth = st.columns(4)
    first.metric(lines[0]["prior_period"], figures.money(before, currency), border=True, height="stretch")
    second.metric(lines[0]["period"], figures.money(now, currency), border=True, height="stretch")
    third.metric(
        "Change",
        figures.money(now - before, currency),
        figures.growth(now, before),
        delta_color="off",
        border=True,
        height="stretch",
    )
    fourth.metric(
        "To be explained",
        f"{waiting} of {sum(row['is_material'] for row in lines)}",
        help="Lines whose change reaches the tenant's thresholds (revenue.flux in tenant.yaml).",
        border=True,
        height="stretch",
    )


def _waterfall(lines: Sequence[data.Row], currency: str) -> None:
    level = _total(lines, "prior_amount")
    steps = [
        {"step": lines[0]["prior_period"], "from": ZERO, "to": level, "amount": level, "kind": "Revenue"}
    ]
    for code, (name, _) in DRIVERS.items():
        amount = _total(lines, code)
        if amount:
            steps.append(
                {
                    "step": name,
                    "from": level,
                    "to": level + amount,
                    "amount": amount,
                    "kind": "More" if amount > 0 else "Less",
                }
            )
            level += amount
    steps.append({"step": lines[0]["period"], "from": ZERO, "to": level, "amount": level, "kind": "Revenue"})
    frame = pd.DataFrame(
        [
            {
                **step,
                # Only the drawing is a binary fraction; what is written comes from the exact amounts.
                "from": float(step["from"]),
                "to": float(step["to"]),
                "top": float(max(step["from"], step["to"])),
                "written": f"{'+' if step['kind'] == 'More' else ''}{figures.amount(step['amount'], currency)}",
            }
            for step in steps
        ]
    )
    edges = (
        [min(min(step["from"], step["to"]) for step in steps if step["kind"] != "Revenue")]
        if len(steps) > 2
        else [ZERO]
    )
    levels = [step["to"] for step in steps]
    low = min(*edges, *levels)
    # Drivers are small beside revenue: the axis starts near them, and says so.
    span = max(levels) - low
    floor = float(max(ZERO, low - span / 2)) if low > 0 else float(low)
    base = alt.Chart(frame).encode(
        x=alt.X("step:N", sort=None, title=None, axis=alt.Axis(labelAngle=0)),
        tooltip=[alt.Tooltip("step:N", title=" "), alt.Tooltip("written:N", title=currency)],
    )
    bars = (
        base.transform_calculate(begin=f"max(datum.from, {floor})")
        .mark_bar(size=46, cornerRadius=2)
        .encode(
            y=alt.Y(
                "begin:Q",
                title=currency,
                scale=alt.Scale(
                    domain=[floor, float(max(levels)) + 0.08 * float(span or 1)], zero=False, nice=False
                ),
                axis=alt.Axis(format="~s", tickCount=5),
            ),
            y2="to:Q",
            color=alt.Color(
                "kind:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None
            ),
        )
    )
    words = base.mark_text(dy=-8, fontSize=12, color="#4a5763").encode(y=alt.Y("top:Q"), text="written:N")
    shell.chart(bars + words, height=280)
    if floor > 0:
        st.caption(f"The axis starts at {floor:,.0f}, not at zero.")


def _lines(lines: Sequence[data.Row], currency: str) -> int | None:
    shown = [code for code in DRIVERS if any(row[code] for row in lines)]
    return shell.table(
        [
            {
                **row,
                "account": f"{row['account'] or ''} {figures.label(row['account_role'])}",
                "status": figures.label(row["status"]),
                "percent": figures.growth(row["amount"], row["prior_amount"]) or "",
                **{
                    name: figures.amount(row[name], currency) if row[name] else ""
                    for name in ("prior_amount", "amount", "change", *shown)
                },
            }
            for row in lines
        ],
        {
            "charge": shell.text("Charge"),
            "currency": shell.text("Currency", "small"),
            "account": shell.text("Account"),
            "prior_amount": shell.figure("Before"),
            "amount": shell.figure(f"Now, {currency}"),
            "change": shell.figure("Change"),
            "percent": shell.figure("%", "small"),
            **{code: shell.figure(DRIVERS[code][0], help=DRIVERS[code][1]) for code in shown},
            "status": shell.text("Status"),
            "owner": shell.text("Owner"),
            "explanation": shell.text("Explanation", "large"),
        },
        key="flux_lines",
        opens=True,
        rows_shown=20,
    )


def _line(tenant_id: str, row: data.Row, line: data.Row, currency: str, own: bool) -> None:
    with st.container(border=True):
        st.subheader(f"{row['charge']}: {figures.money(line['change'], currency)}", anchor=False)
        st.markdown(STATUS[row["status"]])
        if row["explained_by"]:
            seen = figures.money(row["explained_change"], row["currency"])
            said = f"{row['explained_by']} on {figures.instant(row['explained_at'])}, of a change of {seen}"
            st.markdown(f"> {row['explanation']}")
            st.caption(
                f"{said}; owner {row['owner']}"
                + (
                    f"; accepted by {row['accepted_by']} on {figures.instant(row['accepted_at'])}"
                    if row["accepted_by"]
                    else ""
                )
            )
        _say(tenant_id, row)
        drivers = [code for code in DRIVERS if line[code]]
        if not drivers:
            st.caption("Nothing changed.")
            return
        driver = str(
            st.segmented_control(
                "Driver", ["all", *drivers], default="all", required=True, key="flux_driver",
                format_func=lambda code: "All" if code == "all" else f"{DRIVERS[code][0]} {figures.amount(line[code], currency)}",
            )
        )  # fmt: skip
        st.caption(
            DRIVERS[driver][1]
            if driver != "all"
            else "The drivers of a row sum to its change; nothing is left over."
        )
        items = data.query(
            "flux_items", tenant_id, comparison=row["comparison"], period=row["period"], role=row["account_role"],
            charge=row["charge"], currency=row["currency"],
        )  # fmt: skip
        items = [_in(item, own) for item in items]
        if driver != "all":
            items = sorted((item for item in items if item[driver]), key=lambda item: -abs(item[driver]))
        picked = _items(items, [driver] if driver != "all" else drivers, currency)
        shell.download("Rows as CSV", items, f"{tenant_id}-flux-{row['period']}-{row['charge']}.csv")
        made.behind("revenue_flux_items", query="flux_items", key="flux_items")
    if picked is not None:
        contract.show(tenant_id, str(items[picked]["contract_id"]), key="flux_contract")


def _items(items: Sequence[data.Row], drivers: Sequence[str], currency: str) -> int | None:
    amounts = ("prior_amount", "amount", "change", *drivers)
    return shell.table(
        [
            {
                **item,
                **{name: figures.amount(item[name], currency) if item[name] else "" for name in amounts},
                **{
                    name: figures.number_text(round(item[name], 4)) if item[name] else ""
                    for name in ("prior_units", "units")
                },
            }
            for item in items
        ],
        {
            "customer": shell.text("Customer"),
            "contract_id": shell.text("Contract"),
            "plan": shell.text("Plan", "small"),
            "dimensions": shell.text("Group"),
            "prior_units": shell.figure("Units before"),
            "units": shell.figure("Units now"),
            "prior_amount": shell.figure("Before"),
            "amount": shell.figure(f"Now, {currency}"),
            "change": shell.figure("Change"),
            **{code: shell.figure(DRIVERS[code][0]) for code in drivers},
        },
        key="flux_items",
        opens=True,
    )


def _say(tenant_id: str, row: data.Row) -> None:
    """Explain the change, or accept what somebody else found."""
    meant = flux.Line(row["period"], row["charge"], row["currency"], row["account_role"], row["comparison"])
    with st.expander("Explain or accept", icon=":material/edit_note:"):
        signed_in = shell.person()
        with st.form("flux_explain", border=False):
            left, right = st.columns(2)
            by = left.text_input("Who you are", value=signed_in, disabled=bool(signed_in), key="flux_by")
            owner = right.text_input("Who answers for it", key="flux_owner", placeholder="you")
            text = st.text_input("What is behind it", key="flux_text")
            with st.container(horizontal=True):
                explains = st.form_submit_button("Explain", type="primary")
                accepts = st.form_submit_button("Accept what was explained")
        try:
            if explains:
                change = flux.explain(Settings.load(), tenant_id, meant, by=by, explanation=text, owner=owner)
                st.success(
                    f"Noted: {figures.money(change, row['currency'])} is explained. It shows with the next build."
                )
            elif accepts:
                flux.accept(Settings.load(), tenant_id, meant, by=by)
                st.success("Noted: accepted. It shows with the next build.")
        except RatehouseError as error:
            st.error(error.message)


main()
