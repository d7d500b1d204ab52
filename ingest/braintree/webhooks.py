"""Braintree's notices: nothing is read before the SDK has checked who signed it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from xml.parsers.expat import ExpatError

from braintree.exceptions.invalid_challenge_error import InvalidChallengeError
from braintree.exceptions.invalid_signature_error import InvalidSignatureError

from ingest.braintree.landing import Object, disbursement, dispute, land_objects, transaction
from ingest.stripe.landing import Landing
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake


class NoticeRefused(RatehouseError):
    """A notice that Braintree did not write: answer 400 and keep nothing."""


def answer_challenge(gateway: Any, challenge: str) -> str:
    """What Braintree wants to hear when an endpoint is set up.

    Raises:
        NoticeRefused: it is no challenge.
    """
    try:
        return str(gateway.webhook_notification.verify(challenge))
    except InvalidChallengeError as error:
        raise NoticeRefused("This is no challenge of Braintree's.", reason_code="bad_signature") from error


def receive(
    lake: Lake,
    signature: str | None,
    payload: str | None,
    gateway: Any,
    *,
    tenant_id: str,
    received_at: datetime | None = None,
) -> Landing:
    """Check a notice and land what it tells of money; delivered twice it lands once.

    A notice of something else (a subscription of Braintree's own, a report) lands nothing.

    Args:
        lake: where to.
        signature: the form field `bt_signature`.
        payload: the form field `bt_payload`.
        gateway: the SDK's gateway of the account; its keys sign.
        tenant_id: whose endpoint it came to.
        received_at: when it arrived (UTC; default now).

    Raises:
        NoticeRefused: no signature, a forged one, or a payload that is none.
    """
    try:
        notice = gateway.webhook_notification.parse(signature, payload)
    except InvalidSignatureError as error:
        raise NoticeRefused("The notice is not signed by Braintree.", reason_code="bad_signature") from error
    except (ExpatError, KeyError, ValueError) as error:
        raise NoticeRefused("The notice cannot be read.", reason_code="bad_json") from error
    return land_objects(
        lake, _told(notice, gateway), tenant_id=tenant_id, source="braintree-webhook", received_at=received_at
    )


def _told(notice: Any, gateway: Any) -> list[Object]:
    if (read := getattr(notice, "dispute", None)) is not None:
        return [dispute(read)]
    if (read := getattr(notice, "disbursement", None)) is not None:
        return [disbursement(read)]
    if (read := getattr(notice, "transaction", None)) is not None:
        refunded = getattr(read, "refunded_transaction_id", None)
        return [transaction(read, gateway.transaction.find(refunded) if refunded else None)]
    return []
