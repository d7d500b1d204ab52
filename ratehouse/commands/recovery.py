"""`ratehouse recovery`: when to try failed payments again. Arguments and terminal output; the work is in `deliver.recovery`."""

from __future__ import annotations

import json
from collections import Counter
from typing import Annotated

import typer

from ratehouse.settings import Settings

app = typer.Typer(help="Retries of failed payments: learn, plan, judge.", no_args_is_help=True)

TenantOption = Annotated[str, typer.Option("--tenant", "-t", help="Whose payments.")]
TenantsOption = Annotated[
    list[str] | None, typer.Option("--tenant", "-t", help="Only this tenant; may be repeated.")
]
WHY = {
    "not_better_than_base_rate": "it is not surely better than the average rate of success",
    "no_propensities": "no logged plan judges it yet",
}


@app.command()
def train(tenant: TenantOption) -> None:
    """Learn from the attempts of which the outcome is final, and say whether the model may choose times."""
    from deliver.recovery.records import train_tenant

    trained = train_tenant(Settings.load(), tenant)
    card, metrics = trained.card, trained.card["metrics"]
    counts = ", ".join(f"{count:,} to {name}" for name, count in card["attempts"].items())
    typer.echo(f"{trained.card_path}: {counts}")
    loss = metrics["log_loss"]
    typer.echo(
        f"log loss {loss['model']:.4f} (base rate {loss['base_rate']:.4f}, schedule {loss['schedule']:.4f}), "
        f"AUC {metrics['auc']:.3f}, calibration error {metrics['calibration_error']:.3f}"
    )
    for currency, gain in card["gain"].items():
        typer.echo(
            f"{currency}: recovered value versus the fixed schedule {gain['value']:+.2f} per failed invoice, "
            f"95 % interval {gain['low']:+.2f} to {gain['high']:+.2f}, {gain['invoices']:,} invoices"
        )
    reasons = [WHY[gate] for gate in card["gates"]]
    if not reasons and not any(gain["low"] > 0 for gain in card["gain"].values()):
        reasons = ["its gain is not surely above zero in any currency"]
    typer.echo(f"The fixed schedule stays: {'; '.join(reasons)}." if reasons else "The model chooses.")


@app.command()
def plan(tenant: TenantsOption = None) -> None:
    """Choose a time for each next retry that may have one, and land the choices. Run it as often as you like."""
    from deliver.recovery.records import plan_retries

    plans = plan_retries(Settings.load(), tenant or ())
    counts = Counter(one.reason for one in plans)
    listed = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.items()))
    typer.echo(f"{len(plans):,} planned: {listed}" if plans else "nothing to plan")


@app.command()
def evaluate(
    tenant: TenantOption,
    as_json: Annotated[bool, typer.Option("--json", help="Print the estimates as JSON.")] = False,
) -> None:
    """Estimate the recovered value versus the fixed schedule, with its interval, from logged plans."""
    from deliver.recovery.evaluate import LEAST_INVOICES
    from deliver.recovery.records import evaluate_tenant

    found = evaluate_tenant(Settings.load(), tenant)
    if as_json:
        typer.echo(json.dumps([one.as_json() for one in found], indent=2))
        return
    if not found:
        typer.echo(
            f"No currency has {LEAST_INVOICES} failed invoices that were planned and are closed; nothing is estimated."
        )
        return
    for one in found:
        typer.echo(
            f"{one.currency}, per failed invoice; {one.invoices:,} invoices, which say as much as "
            f"{one.effective_invoices:,.0f} that the policy had treated"
        )
        for name, estimate in (
            ("recovered value versus the fixed schedule", one.gain),
            ("the same by inverse propensities", one.gain_ips),
            ("the same by self-normalised propensities", one.gain_snips),
            ("the fixed schedule itself", one.fixed),
            ("the policy itself", one.policy),
        ):
            typer.echo(
                f"  {name}: {estimate.value:.2f}, 95 % interval {estimate.low:.2f} to {estimate.high:.2f}"
            )
