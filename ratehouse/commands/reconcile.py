"""`ratehouse reconcile`: decide by hand what belongs together. Arguments and printing only; the work is `ratehouse.matches`."""

from __future__ import annotations

from typing import Annotated

import typer

from ratehouse import matches
from ratehouse.lake import Lake
from ratehouse.settings import Settings

app = typer.Typer(help="Decide by hand what belongs together.", no_args_is_help=True)

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
_Reason = Annotated[str, typer.Option("--reason", help="Why, for whoever asks later.")]


@app.callback()
def _group() -> None:
    """Decide by hand what belongs together."""


@app.command("match")
def match(left: _Left, right: _Right, tenant: _Tenant, area: _Area, by: _By, reason: _Reason) -> None:
    """Say that two things belong together; it counts from now, with the next build."""
    _decide("match", left, right, tenant, area, by, reason)


@app.command("unmatch")
def unmatch(left: _Left, right: _Right, tenant: _Tenant, area: _Area, by: _By, reason: _Reason) -> None:
    """Say that two things do not belong together, whoever or whatever matched them; no rule matches them again."""
    _decide("unmatch", left, right, tenant, area, by, reason)


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
