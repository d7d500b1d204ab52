"""One item of the reconciliation, both of its sides, and what a person decides: what it belongs with, or that it stands as it is.

Belongs here: what the decision is about, and what could be the other side. Does not belong here: what a decision does,
which is SQL, and appending it, which is `ratehouse.matches`, `ratehouse.acceptances` and `ratehouse.cash_decisions`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

import streamlit as st

from dashboards import data, figures
from dashboards.finance import shell
from ratehouse import acceptances, cash_decisions, matches
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.stream_schema import ACCEPTED_AS

# Area -> what the item is -> what it can be matched with, and whether the item stands on the left.
PARTNERS: dict[str, dict[str, tuple[str, bool]]] = {
    "cash": {"payment": ("invoice", True), "invoice": ("payment", False)},
    "processor": {
        "movement": ("payment,refund,payout", True),
        "payment": ("movement", False),
        "payout": ("movement", False),
    },
    "bank": {"bank_line": ("payout,payment", True), "payout": ("bank_line", False)},
}


def show(tenant: data.Row, area: str, item: data.Row) -> None:
    """The item, its sides, and what can be decided."""
    tenant_id = tenant["tenant_id"]
    st.subheader(f"{figures.label(item['status'])}: {item['reference']}", anchor=False)
    if item["decided_by"]:
        st.caption(f"Decided by {item['decided_by']} at {figures.instant(item['decided_at'])}.")
    elif item["rule"]:
        st.caption(f"Found by the rule {item['rule']}.")
    sides = data.query(
        "cash_sides",
        tenant_id,
        reference=item["reference"],
        counterpart=item["counterpart"] or "",
    )
    _sides(sides)
    about = next((row for row in sides if row["side"] == 1 and row["kind"] in PARTNERS.get(area, {})), None)
    if item["status"] in ("accepted", "acceptance_without_effect"):
        _withdraw(tenant_id, area, item)
        return
    if item["status"] in ("entity_mismatch", "intercompany"):
        _claim(tenant_id, item, is_held=item["status"] == "intercompany")
    if item["status"] == "withholding_tax":
        _certify(tenant_id, item)
    if about is None:
        st.caption(
            "What explains this is a fact of its own system: a credit note, a rate, a statement of the bank."
        )
    else:
        _decide(tenant_id, area, item, about)
    if (
        item["status"] not in (*acceptances.SETTLED, *acceptances.WITHOUT_EFFECT)
        and item["currency"] is not None
    ):
        _accept(tenant_id, area, item)


def _sides(sides: Sequence[data.Row]) -> None:
    shell.table(
        [
            {
                **row,
                "side": "Item" if row["side"] == 1 else "Matched with",
                "kind": figures.label(row["kind"]),
                "status": figures.label(row["status"]),
                "amount": figures.money(row["amount"], row["currency"]),
            }
            for row in sides
        ],
        {
            "side": shell.text("Side", "small"),
            "kind": shell.text("What it is", "small"),
            "reference": shell.text("Reference"),
            "amount": shell.figure("Amount"),
            "dated_on": shell.day("Day"),
            "status": shell.text("Status", "small"),
            "customer": shell.text("Customer"),
            "details": shell.text("What its system says", "large"),
        },
    )


def _decide(tenant_id: str, area: str, item: data.Row, about: data.Row) -> None:
    """What can be decided about the item: put it with something, or take it from what it is with."""
    kinds, is_left = PARTNERS[area][about["kind"]]
    candidates = data.query(
        "match_candidates",
        tenant_id,
        area=area,
        currency=about["currency"],
        kinds=kinds,
        amount=str(about["amount"]),
        near=(about["dated_on"] or date.today()).isoformat(),
    )
    labels = {
        row["reference"]: f"{row['reference']} · {figures.money(row['amount'], about['currency'])}"
        f" · {figures.day(row['dated_on'])} · {row['details'] or ''}"
        for row in candidates
    }
    partners = [name for name in (item["counterpart"] or "").split(", ") if name]
    with st.form("resolve", border=True):
        action = st.radio(
            "Decision",
            ["match", "unmatch"] if partners else ["match"],
            format_func={"match": "Belongs with", "unmatch": "Does not belong with"}.__getitem__,
            horizontal=True,
            key="resolve_action",
        )
        other = st.selectbox(
            "The other side",
            [*partners, *(name for name in labels if name not in partners)],
            format_func=lambda name: labels.get(name, f"{name} · matched now"),
            index=None,
            placeholder="The nearest amounts first",
            key="resolve_other",
        )
        left, right = st.columns(2)
        by = left.text_input("Who you are", key="resolve_by")
        reason = right.text_input("Why", key="resolve_reason")
        if not st.form_submit_button("Decide", type="primary"):
            return
    own, found = item["reference"], other or ""
    _note(
        lambda lake: (
            matches.decide(
                lake,
                tenant_id=tenant_id,
                area=area,
                left=own if is_left else found,
                right=found if is_left else own,
                action=action,
                by=by,
                reason=reason,
            ).is_new
        )
    )


def _accept(tenant_id: str, area: str, item: data.Row) -> None:
    """Let the item stand, and say which account takes its difference where one does."""
    difference = item["difference"] if item["difference"] is not None else item["actual_amount"]
    posted = area in acceptances.POSTED and item["status"] != "fee_variance"
    with st.form("accept", border=True):
        st.markdown(f"**Nothing explains it: let {figures.money(difference, item['currency'])} stand**")
        account = st.selectbox(
            "Which account takes it",
            ["", *sorted(ACCEPTED_AS)] if posted else [""],
            format_func=lambda role: (
                figures.label(role) if role else "None: it is booked elsewhere, or is no money"
            ),
            index=None if posted else 0,
            placeholder="A fee of the bank: Fees",
            key="accept_account",
        )
        left, right = st.columns(2)
        by = left.text_input("Who you are", key="accept_by")
        reason = right.text_input("Why", key="accept_reason")
        if not st.form_submit_button("Let it stand"):
            return
    if account is None:
        st.error("Say which account takes it, or that none does.")
        return
    about = acceptances.Item(area, item["status"], item["reference"], difference, item["currency"])
    _note(
        lambda lake: (
            acceptances.accept(
                lake, about, tenant_id=tenant_id, account_role=account or None, by=by, reason=reason
            ).is_new
        )
    )


def _claim(tenant_id: str, item: data.Row, *, is_held: bool) -> None:
    """Keep the payment's money for the entity that it names, or give it back to its customer's account."""
    with st.form("claim", border=True):
        if is_held:
            st.markdown(
                f"**Held for {item['counterpart']}: release it, and it waits on the customer's account again**"
            )
            entity = ""
        else:
            st.markdown("**The money is another company's: hold it for that company**")
            entity = st.text_input("Legal entity", value=item["counterpart"] or "", key="claim_entity")
        left, right = st.columns(2)
        by = left.text_input("Who you are", key="claim_by")
        reason = right.text_input("Why", key="claim_reason")
        if not st.form_submit_button("Release it" if is_held else "Hold it"):
            return
    payment_id = item["reference"]

    def say(lake: Lake) -> bool:
        if is_held:
            return cash_decisions.release(
                lake, tenant_id=tenant_id, payment_id=payment_id, by=by, reason=reason
            ).is_new
        return cash_decisions.hold(
            lake, tenant_id=tenant_id, payment_id=payment_id, entity=entity, by=by, reason=reason
        ).is_new

    _note(say)


def _certify(tenant_id: str, item: data.Row) -> None:
    """The certificate of a tax that was kept came, or none will."""
    with st.form("certify", border=True):
        st.markdown("**The customer kept a tax: its certificate came, or none will**")
        came = st.radio(
            "Certificate",
            ["received", "refused"],
            format_func=figures.label,
            horizontal=True,
            key="certify_status",
        )
        number = st.text_input("Its number", key="certify_number")
        left, right = st.columns(2)
        by = left.text_input("Who you are", key="certify_by")
        reason = right.text_input("Why", key="certify_reason")
        if not st.form_submit_button("Note it"):
            return

    def say(lake: Lake) -> bool:
        withheld = cash_decisions.find_withheld(
            Settings.load().serving_path, tenant_id=tenant_id, invoice_number=item["reference"]
        )
        return cash_decisions.certify(
            lake,
            withheld,
            tenant_id=tenant_id,
            status=came,
            by=by,
            reason=reason,
            number=number.strip() or None,
        ).is_new

    _note(say)


def _withdraw(tenant_id: str, area: str, item: data.Row) -> None:
    """Make an exception of it again."""
    with st.form("withdraw", border=True):
        st.markdown("**Take the acceptance back: it is an exception again, and what was booked is reversed**")
        left, right = st.columns(2)
        by = left.text_input("Who you are", key="withdraw_by")
        reason = right.text_input("Why", key="withdraw_reason")
        if not st.form_submit_button("Take it back"):
            return
    _note(
        lambda lake: (
            acceptances.withdraw(
                lake, tenant_id=tenant_id, area=area, reference=item["reference"], by=by, reason=reason
            ).is_new
        )
    )


def _note(append: Callable[[Lake], bool]) -> None:
    """Append a decision and say what became of it."""
    try:
        is_new = append(Lake(Settings.load().lake_url))
    except RatehouseError as error:
        st.error(error.message)
        return
    if is_new:
        st.success("Noted, with your name and reason. It counts from now, and shows with the next build.")
    else:
        st.info("This stands already; nothing was added.")
