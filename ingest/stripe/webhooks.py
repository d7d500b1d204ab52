"""Stripe's notices: nothing is read before the signature has proven who wrote it, and no older than the tolerance allows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

import stripe

from ingest.stripe.landing import Landing, land_payloads
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake

TOLERANCE_SECONDS = 300


class NoticeRefused(RatehouseError):
    """A notice that Stripe did not write, or that is replayed: answer 400 and keep nothing."""


def receive(
    lake: Lake,
    body: bytes,
    signature: str | None,
    *,
    tenant_id: str,
    secrets: Sequence[str],
    account: str | None = None,
    tolerance: int = TOLERANCE_SECONDS,
    received_at: datetime | None = None,
) -> Landing:
    """Check a notice and land it. Delivered twice it lands once; delivered out of order it counts from when it was told.

    Args:
        lake: where to.
        body: the request's body, to the byte.
        signature: its header `Stripe-Signature`.
        tenant_id: whose endpoint it came to.
        secrets: signing secrets of the endpoint, several while they are rolled.
        account: the tenant's account at Stripe; what is told of another account (a connected one) is quarantined.
        tolerance: how old its signature may be, in seconds.
        received_at: when it arrived (UTC; default now).

    Raises:
        NoticeRefused: no signature, a forged or an old one, or no JSON.
    """
    if not any(_is_signed(body, signature, secret, tolerance) for secret in secrets):
        raise NoticeRefused(
            "The notice is not signed by Stripe, or too long ago.", reason_code="bad_signature"
        )
    try:
        payload = json.loads(body)
    except ValueError as error:
        raise NoticeRefused("The notice is no JSON.", reason_code="bad_json") from error
    return land_payloads(
        lake,
        [payload],
        tenant_id=tenant_id,
        source="stripe-webhook",
        account=account,
        received_at=received_at,
    )


def _is_signed(body: bytes, signature: str | None, secret: str, tolerance: int) -> bool:
    try:
        return bool(stripe.WebhookSignature.verify_header(body.decode(), signature or "", secret, tolerance))
    except (stripe.SignatureVerificationError, UnicodeDecodeError):
        return False
