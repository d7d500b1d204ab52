"""`ratehouse reconcile`: decide by hand what belongs together, and what stands as it is. Arguments and printing only."""

from __future__ import annotations

from typing import Annotated

import typer

from ratehouse import acceptances, cash_decisions, matches
from ratehouse.commands.options import positive_amount
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.stream_schema import ACCEPTED_AS

app = typer.Typer(help="Decide by hand what belongs together, and what stands.", no_args_is_help=True)

_Left = Annotated[
    str, typer.Argument(help="cash: a payment; processor: a movement; bank: a line of the statement.")
]
_Right = Annotated[
    str,
    typer.Argument(
        help="cash: an invoice number; processor: payment, refund, payout; bank: payout, payment."
    ),
]
_Tenant = Annotated[str, typer.Option("--tenant", "-t", help="Whose reconciliation.")]
_Area = Annotated[str, typer.Option("--area", help="cash, processor or bank.")]
_By = Annotated[str, typer.Option("--by", help="Who you are.")]
_Reference = Annotated[str, typer.Argument(help="What the item is about, as the page shows it.")]
_Status = Annotated[str | None, typer.Option("--status", help="Its class, where a reference has several.")]
_Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later.")]


@app.callback()
def _group() -> None:
    """Decide by hand what belongs together, and what stands."""


@app.command("match")
def match(left: _Left, right: _Right, tenant: _Tenant, area: _Area, by: _By, reason: _Reason) -> None:
    """Say that two things belong together; it counts from now, with the next build."""
    _decide("match", left, right, tenant, area, by, reason)


@app.command("unmatch")
def unmatch(left: _Left, right: _Right, tenant: _Tenant, area: _Area, by: _By, reason: _Reason) -> None:
    """Say that two things do not belong together, whoever or whatever matched them; no rule matches them again."""
    _decide("unmatch", left, right, tenant, area, by, reason)


@app.command("accept")
def accept(
    reference: _Reference,
    tenant: _Tenant,
    area: _Area,
    by: _By,
    reason: _Reason,
    account: Annotated[
        str | None,
        typer.Option(
            "--as", help=f"Which account takes it: {', '.join(sorted(ACCEPTED_AS))}. None: booked elsewhere."
        ),
    ] = None,
    status: _Status = None,
) -> None:
    """Let an item stand as it is, such as a fee of the bank, and book its difference; it counts from now."""
    settings = Settings.load()
    item = acceptances.find(
        settings.serving_path, tenant_id=tenant, area=area, reference=reference, status=status
    )
    accepted = acceptances.accept(
        Lake(settings.lake_url), item, tenant_id=tenant, account_role=account, by=by, reason=reason
    )
    where = f"{account} takes" if account else "nothing is booked for"
    said = "counts from now, with the next build" if accepted.is_new else "stood already, nothing added"
    typer.echo(
        f"{tenant} {area}: {where} {item.difference:f} {item.currency} of {reference}; it {said} ({accepted.acceptance_id})"
    )


@app.command("withdraw")
def withdraw(
    reference: _Reference, tenant: _Tenant, area: _Area, by: _By, reason: _Reason, status: _Status = None
) -> None:
    """Take an acceptance back: the item is an exception again, and what was booked is reversed today."""
    done = acceptances.withdraw(
        Lake(Settings.load().lake_url),
        tenant_id=tenant,
        area=area,
        reference=reference,
        by=by,
        reason=reason,
        status=status,
    )
    typer.echo(
        f"{tenant} {area}: {reference} is an exception again from now, with the next build ({done.acceptance_id})"
    )


@app.command("hold")
def hold(
    payment: Annotated[str, typer.Argument(help="The payment whose money it is.")],
    tenant: _Tenant,
    entity: Annotated[str, typer.Option("--for", help="The legal entity whose money it is.")],
    by: _By,
    reason: _Reason,
) -> None:
    """Keep a payment's money for another legal entity of the group; it is applied to nothing from now on."""
    said = cash_decisions.hold(
        Lake(Settings.load().lake_url),
        tenant_id=tenant,
        payment_id=payment,
        entity=entity,
        by=by,
        reason=reason,
    )
    _say(f"{tenant} cash: {payment} is held for {entity}", said)


@app.command("release")
def release(
    payment: Annotated[str, typer.Argument(help="The payment that is held.")],
    tenant: _Tenant,
    by: _By,
    reason: _Reason,
) -> None:
    """Take a hold back; the money waits on the customer's account again."""
    said = cash_decisions.release(
        Lake(Settings.load().lake_url), tenant_id=tenant, payment_id=payment, by=by, reason=reason
    )
    _say(f"{tenant} cash: {payment} is held for nobody", said)


@app.command("certificate")
def certificate(
    invoice: Annotated[str, typer.Argument(help="Number of the invoice of which the tax was kept.")],
    tenant: _Tenant,
    by: _By,
    reason: _Reason,
    amount: Annotated[str | None, typer.Option(help="What it is over; none: all that waits.")] = None,
    number: Annotated[str | None, typer.Option(help="The certificate's own number.")] = None,
    refused: Annotated[bool, typer.Option("--refused", help="None will come: it is owed after all.")] = False,
) -> None:
    """Say that the certificate of a withheld tax came, or that none will."""
    settings = Settings.load()
    withheld = cash_decisions.find_withheld(settings.serving_path, tenant_id=tenant, invoice_number=invoice)
    said = cash_decisions.certify(
        Lake(settings.lake_url),
        withheld,
        tenant_id=tenant,
        status="refused" if refused else "received",
        by=by,
        reason=reason,
        amount=None if amount is None else positive_amount(amount, "--amount"),
        number=number,
    )
    _say(f"{tenant} cash: the certificate of {invoice} {'will not come' if refused else 'came'}", said)


def _say(what: str, said: cash_decisions.Said) -> None:
    counts = "it counts from now, with the next build" if said.is_new else "this stood already, nothing added"
    typer.echo(f"{what}; {counts} ({said.fact_id})")


def _decide(action: str, left: str, right: str, tenant: str, area: str, by: str, reason: str) -> None:
    decided = matches.decide(
        Lake(Settings.load().lake_url),
        tenant_id=tenant,
        area=area,
        left=left,
        right=right,
        action=action,
        by=by,
        reason=reason,
    )
    said = (
        "is noted; it counts from now, with the next build"
        if decided.is_new
        else "stood already, nothing added"
    )
    typer.echo(f"{tenant} {area}: {action} {left} = {right} {said} ({decided.match_id})")
