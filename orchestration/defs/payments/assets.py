"""What happens beside the night: what processors tell, retries that get their time, charges that are due, the weekly training.

None of them writes the warehouse: they append to the lake, and the next night reads it. What is due is SQL.
"""

import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    asset_check,
)

from deliver.payments.attempts import read_attempts
from deliver.payments.dispatch import dispatch
from deliver.recovery.records import plan_retries, train_tenant
from deliver.recovery.train import TooFewAttempts
from ingest.braintree import account as braintree_account
from ingest.braintree import pull as braintree_pull
from ingest.stripe import pull as stripe_pull
from orchestration.lib.names import COLLECTION, PROCESSORS, RECOVERY_MODELS, RETRIES, SERVING
from ratehouse.configuration import load_configuration
from ratehouse.lake import Lake
from ratehouse.secrets import variable
from ratehouse.settings import Settings

_FRESH = FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=6))
# Nobody is asked after an unknown charge by hand before the gateway was asked three times.
_UNKNOWN_FOR = timedelta(days=1)


@asset(
    key=PROCESSORS,
    group_name="payments",
    freshness_policy=_FRESH,
    check_specs=[
        AssetCheckSpec("accounts_were_read", asset=PROCESSORS, description="Every account could be read.")
    ],
)
def processors(
    context: AssetExecutionContext, settings: ResourceParam[Settings]
) -> Iterator[MaterializeResult[None]]:
    """What is new at Stripe and Braintree, for each tenant whose keys are in the environment; the others are left alone."""
    lake = Lake(settings.lake_url)
    told: Counter[str] = Counter()
    failures: dict[str, str] = {}
    for tenant in sorted(load_configuration(settings).tenants):
        for name, read in (("stripe", _pull_stripe), ("braintree", _pull_braintree)):
            try:
                told += read(lake, tenant)
            except Exception as error:
                # Whatever the client of one account raises, the others are read; the check fails, and people are told.
                failures[f"{tenant} {name}"] = type(error).__name__
                context.log.error(f"{name} of {tenant} was not read: {error}")
    yield MaterializeResult(
        metadata={"told": MetadataValue.json(dict(told))},
        check_results=[
            AssetCheckResult(
                check_name="accounts_were_read",
                passed=not failures,
                severity=AssetCheckSeverity.ERROR,
                description=", ".join(f"{name}: {why}" for name, why in failures.items()) or None,
                metadata={"not read": MetadataValue.json(failures)},
            )
        ],
    )


def _pull_stripe(lake: Lake, tenant: str) -> Counter[str]:
    key = os.environ.get(variable("stripe", tenant, "KEY"))
    if not key:
        return Counter()
    landings = stripe_pull.pull(lake, stripe_pull.lister(key), tenant_id=tenant)
    return sum((landing.rows for landing in landings.values()), Counter({"accounts": 1}))


def _pull_braintree(lake: Lake, tenant: str) -> Counter[str]:
    if not os.environ.get(variable("braintree", tenant, "MERCHANT_ID")):
        return Counter()
    landings = braintree_pull.pull(lake, braintree_account.gateway(tenant), tenant_id=tenant)
    return sum((landing.rows for landing in landings.values()), Counter({"accounts": 1}))


@asset(key=RETRIES, deps=[PROCESSORS, SERVING], group_name="payments")
def retries(settings: ResourceParam[Settings]) -> MaterializeResult[None]:
    """Times for the next retries of failed payments, where the tenant lets a model choose."""
    if not settings.serving_path.is_file():
        return MaterializeResult(metadata={"planned": 0, "why": "nothing is published yet"})
    plans = plan_retries(settings)
    reasons = Counter(plan.reason for plan in plans)
    return MaterializeResult(metadata={"planned": len(plans), "reasons": MetadataValue.json(dict(reasons))})


@asset(key=COLLECTION, deps=[RETRIES, SERVING], group_name="payments")
def collection(context: AssetExecutionContext, settings: ResourceParam[Settings]) -> MaterializeResult[None]:
    """Charges, retries and refunds that the dunning ladders say are due; what is unknown is asked after first."""
    if not settings.serving_path.is_file():
        return MaterializeResult(metadata={"outcomes": {}, "why": "nothing is published yet"})
    done = dispatch(settings)
    for problem in done.problems:
        context.log.warning(problem)
    return MaterializeResult(
        metadata={
            "outcomes": MetadataValue.json(dict(done.outcomes)),
            "problems": MetadataValue.json(done.problems),
        }
    )


@asset_check(asset=COLLECTION, description="No charge has been without an answer for a day.")
def charges_are_answered(settings: ResourceParam[Settings]) -> AssetCheckResult:
    """Name the charges and refunds that a person has to look up at the gateway."""
    late = datetime.now(UTC) - _UNKNOWN_FOR
    waiting = [
        f"{attempt.tenant_id} {attempt.kind} {attempt.payment_id}"
        for attempt in read_attempts(Lake(settings.lake_url))
        if attempt.state == "unknown" and attempt.claimed_at <= late
    ]
    return AssetCheckResult(
        passed=not waiting,
        severity=AssetCheckSeverity.ERROR,
        description=f"{len(waiting)} without an answer for a day: {', '.join(waiting[:5])}"
        if waiting
        else None,
        metadata={"waiting": MetadataValue.json(waiting)},
    )


@asset(key=RECOVERY_MODELS, deps=[SERVING], group_name="payments")
def recovery_models(
    context: AssetExecutionContext, settings: ResourceParam[Settings]
) -> MaterializeResult[None]:
    """Train the model of each tenant that lets one choose; its card says whether it may. Too little history leaves the old."""
    verdicts: dict[str, str] = {}
    for name, tenant in sorted(load_configuration(settings).tenants.items()):
        if not tenant.dunning.uses_model:
            continue
        if not settings.serving_path.is_file():
            verdicts[name] = "nothing is published yet"
            continue
        try:
            card = train_tenant(settings, name).card
        except TooFewAttempts as error:
            verdicts[name] = f"not trained: {error}"
            context.log.info(f"{name}: {error}")
            continue
        gains = any(gain["low"] > 0 for gain in card["gain"].values())
        gates = card["gates"] or ([] if gains else ["gain_not_significant"])
        verdicts[name] = f"the schedule stays: {', '.join(gates)}" if gates else "the model chooses"
    return MaterializeResult(metadata={"verdicts": MetadataValue.json(verdicts)})
