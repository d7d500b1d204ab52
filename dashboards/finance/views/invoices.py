"""Invoices: the list with its filters, one document, and each of its lines opened down to the events.

`?tenant=…&invoice=…&line=…` is the address of every state.
"""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from typing import Any, Literal
from urllib.parse import quote

import streamlit as st

from dashboards import data, figures, files
from dashboards.finance import shell, why
from ratehouse.errors import RatehouseError
from ratehouse.explain import Document, ExplainError, explain_line, load_document

LIST_LIMIT = 1000
_COLOURS: dict[str, Literal["green", "blue", "orange", "red", "gray"]] = {
    "paid": "green",
    "issued": "blue",
    "partially_paid": "orange",
    "disputed": "red",
    "uncollectible": "red",
    "void": "gray",
}


def main() -> None:
    """Show the list, or the document that the address names."""
    tenant = shell.tenant()
    number = st.query_params.get("invoice")
    if number is None:
        _list(tenant)
        return
    tenant_id = str(tenant["tenant_id"])
    try:
        document = data.remembered(
            ("document", tenant_id, number), lambda cursor: load_document(cursor, tenant_id, number)
        )
    except ExplainError:
        _back()
        shell.empty(
            "search_off",
            f"{tenant['name']} has no document {number}",
            "Another tenant may have; choose it on the left.",
        )
        return
    _document(document)


# --- the list ----------------------------------------------------------------------------------------------


def _list(tenant: data.Row) -> None:
    tenant_id = tenant["tenant_id"]
    shell.head("Invoices", shell.clocks(tenant))
    found = data.query("invoice_filters", tenant_id)
    if not found:
        shell.empty(
            "receipt_long",
            "No documents yet",
            "The first run that finds something due issues them: `ratehouse run`.",
        )
        return
    chosen = _filters(found)
    chosen["run"] = st.query_params.get("run")
    if chosen["run"]:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(f"Run {chosen['run'][:12]}", icon=":material/filter_alt:")
            if st.button("Show all runs", type="tertiary"):
                del st.query_params["run"]
                st.rerun()
    largest_first = chosen.pop("largest_first")
    totals = data.query("invoice_totals", tenant_id, **chosen)
    count = sum(row["documents"] for row in totals)
    if not count:
        shell.empty("filter_alt_off", "No document passes these filters", "Clear one of them.")
        return
    st.markdown(
        f"**{figures.number(count)}** {'document' if count == 1 else 'documents'} · "
        + " · ".join(f"**{figures.money(row['total'], row['currency'])}**" for row in totals)
    )
    rows = data.query("invoices", tenant_id, **chosen, largest_first=largest_first, limit=LIST_LIMIT)
    shown = [
        {
            **row,
            "kind": figures.label(row["kind"]),
            "status": figures.label(row["status"]),
            "total": figures.amount(row["total"], row["currency"]),
            "amount_due": figures.amount(row["amount_due"], row["currency"]),
        }
        for row in rows
    ]
    columns = {
        "invoice_number": shell.text("Number", 140),
        "customer": shell.text("Customer", 240),
        "kind": shell.text("Kind"),
        "bill_date": shell.day("Billed"),
        "due_on": shell.day("Due"),
        "status": shell.text("Status"),
        "total": shell.figure("Total"),
        "amount_due": shell.figure("Amount due"),
        "currency": shell.text("Currency", "small"),
        "lines": shell.count("Lines"),
        "adjustments": shell.count("Corrections", help="Lines that correct an earlier line."),
    }
    if all(row["amount_due"] == row["total"] for row in rows):
        del columns["amount_due"]
    visit = st.session_state.setdefault("list_visit", 0)
    picked = shell.table(shown, columns, key=f"invoices_{visit}", opens=True, rows_shown=16)
    if count > len(rows):
        st.caption(f"The first {figures.number(len(rows))} are shown; narrow the filters for the others.")
    if picked is not None and picked < len(rows):
        st.session_state["list_visit"] += 1
        st.query_params["invoice"] = rows[picked]["invoice_number"]
        st.rerun()


def _filters(found: list[data.Row]) -> dict[str, Any]:
    months: list[date] = sorted({row["month"] for row in found}, reverse=True)
    customers: dict[str, str] = {row["customer_id"]: row["customer"] for row in found}
    currencies = sorted({row["currency"] for row in found})
    columns = st.columns([2, 3, 2, 2, 2, 2])
    search = columns[0].text_input("Number", placeholder="Any", key="filter_number")
    customer = columns[1].selectbox(
        "Customer",
        sorted(customers, key=lambda code: customers[code].casefold()),
        index=None,
        format_func=lambda code: f"{customers[code]} ({code})",
        placeholder="All customers",
        key="filter_customer",
    )
    month = columns[2].selectbox(
        "Month", months, index=None, format_func=figures.month, placeholder="All months", key="filter_month"
    )
    kind = columns[3].selectbox(
        "Kind",
        sorted({row["kind"] for row in found}),
        index=None,
        format_func=figures.label,
        placeholder="All kinds",
        key="filter_kind",
    )
    status = columns[4].selectbox(
        "Status",
        sorted({row["status"] for row in found}),
        index=None,
        format_func=figures.label,
        placeholder="All",
        key="filter_status",
    )
    currency = columns[5].selectbox(
        "Currency", currencies, index=None, placeholder="All", key="filter_currency"
    )
    order = st.segmented_control(
        "Order",
        ["Newest first", "Largest first"],
        default="Newest first",
        required=True,
        key="filter_order",
        label_visibility="collapsed",
    )
    return {
        "search": search.strip() or None,
        "customer": customer,
        "month": month,
        "kind": kind,
        "status": status,
        "currency": currency,
        "largest_first": order == "Largest first",
    }


def _back() -> None:
    if st.button("All invoices", icon=":material/arrow_back:", type="tertiary"):
        for name in ("invoice", "line"):
            st.query_params.pop(name, None)
        st.rerun()


# --- one document ------------------------------------------------------------------------------------------


def _document(document: Document) -> None:
    _back()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.title(document.number, anchor=False, width="content")
        st.badge(figures.label(document.status), color=_COLOURS.get(document.status, "gray"))
    what = figures.label(document.kind)
    st.caption(
        f"{what} to **{document.customer_name}** ({document.customer_id}) · days in {document.timezone}"
    )
    columns = st.columns(4)
    columns[0].metric("Total", figures.money(document.total, document.currency), border=True)
    columns[1].metric("Amount due", figures.money(document.amount_due, document.currency), border=True)
    columns[2].metric("Billed", figures.day(document.bill_date), border=True)
    columns[3].metric("Due", figures.day(document.due_on) or "none", border=True)
    lines, paper, record = st.tabs([f"Lines ({len(document.lines)})", "Document", "Record"])
    with lines:
        _lines(document)
    with paper:
        _paper(document)
    with record:
        _record(document)


def _lines(document: Document) -> None:
    rows = [
        {
            "line_no": line.line_no,
            "description": why.title(line),
            "group": ", ".join(line.groups.values()),
            "plan": line.plan_name or line.plan,
            "kind": figures.label(line.line_type),
            "service": figures.period(line.service_start, line.service_end),
            "quantity": "" if line.quantity is None else figures.number_text(line.quantity),
            "amount": figures.amount(line.amount, document.currency),
        }
        for line in document.lines
    ]
    columns = {
        "line_no": shell.count("#"),
        "description": shell.text("Description", "medium"),
        "group": shell.text("Group"),
        "plan": shell.text("Plan", "small"),
        "kind": shell.text("Kind"),
        "service": shell.text("Service", "medium"),
        "quantity": shell.figure("Quantity"),
        "amount": shell.figure(f"Amount ({document.currency})"),
    }
    if not any(row["group"] for row in rows):
        del columns["group"]
    st.caption("Click a line to see why its number is what it is.")
    picked = shell.table(rows, columns, key=f"lines_{document.invoice_id}", opens=True)
    if picked is not None and picked < len(rows):
        st.query_params["line"] = str(document.lines[picked].line_no)
    _sums(document)
    asked = st.query_params.get("line", "")
    if not asked.isascii() or not asked.isdigit():
        return
    try:
        line = document.line(int(asked))
        explanation = data.remembered(
            ("line", document.tenant_id, line.line_id),
            lambda cursor: explain_line(cursor, document, line, events=why.EVENT_LIMIT),
        )
    except ExplainError as error:
        shell.empty("error", "This line cannot be opened", str(error))
        return
    why.show(document, explanation)


def _sums(document: Document) -> None:
    parts = [
        ("Subtotal", document.subtotal),
        ("Discount", document.discount),
        ("Tax", document.tax),
        ("Credits", -document.credits_applied),
    ]
    shown = [(name, value) for name, value in parts if value or name == "Subtotal"]
    if len(shown) > 1:
        words = " · ".join(f"{name} {figures.amount(value, document.currency)}" for name, value in shown)
        st.markdown(
            f":gray[{words}] · **Amount due {figures.money(document.amount_due, document.currency)}**"
        )


def _paper(document: Document) -> None:
    made = f"pdf {document.tenant_id} {document.invoice_id}"
    pdf = files.stored_pdf(document.tenant_id, document.number, document.issued_on.year)
    pdf = pdf or st.session_state.get(made)
    if pdf is None:
        if not st.button("Make the PDF", icon=":material/picture_as_pdf:"):
            st.caption("This document has not been rendered yet; it takes a few seconds.")
            return
        try:
            with st.spinner("Rendering"):
                st.session_state[made] = files.rendered_pdf(document.tenant_id, document.number)
        except RatehouseError as error:
            shell.empty("error", "The PDF could not be made", str(error))
            return
        st.rerun()
    name = f"{document.number}.pdf"
    st.download_button(
        "Download PDF", pdf, name, "application/pdf", icon=":material/download:", on_click="ignore"
    )
    # The viewer is an extra of Streamlit.
    if find_spec("streamlit_pdf"):
        st.pdf(pdf, height=900)


def _record(document: Document) -> None:
    facts = {
        "Billed as of": figures.instant(document.billing_as_of),
        "Facts known at": figures.instant(document.known_as_of),
        "Issued on": figures.day(document.issued_on),
        "Corrects": document.corrects_number or "none",
        "Corrected by": _corrected_by(document) or "none",
        "Run": f"`{document.run_key}`",
        "Content hash": f"`{document.content_hash}`",
        "In the terminal": f"`ratehouse explain {document.number} --tenant {document.tenant_id}`",
    }
    st.table(
        {"": [f":gray[{name}]" for name in facts], " ": list(facts.values())},
        border="horizontal",
        hide_header=True,
        hide_index=True,
        width="stretch",
    )


def _corrected_by(document: Document) -> str:
    words = []
    for row in data.query("corrected_by", document.tenant_id, number=document.number):
        number, lines = row["invoice_number"], "line" if row["lines"] == 1 else "lines"
        amount = figures.money(row["amount"], document.currency)
        address = f"?tenant={quote(document.tenant_id)}&invoice={quote(number)}"
        words.append(f"[{number}]({address}) ({row['lines']} {lines}, {amount})")
    return ", ".join(words)


main()
