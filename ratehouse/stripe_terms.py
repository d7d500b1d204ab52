"""Stripe's own terms, which money coming in and money asked for share: the units of its amounts and what its declines mean.

Belongs here: tables of Stripe's reference. Does not belong here: calling Stripe (`deliver.payments`), reading what it sends
(`ingest.stripe`).
"""

from __future__ import annotations

# docs.stripe.com/currencies: amounts of these are whole units, or thousandths; ISK and UGX are in hundredths for compatibility.
ZERO_DECIMALS = frozenset("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split())
THREE_DECIMALS = frozenset("BHD JOD KWD OMR TND".split())

# docs.stripe.com/declines/codes: another attempt with the same card cannot succeed.
HARD = frozenset(
    "account_closed card_not_supported expired_card fraudulent incorrect_number invalid_account invalid_number"
    " lost_card merchant_blacklist new_account_information_available no_account pickup_card restricted_card"
    " revocation_of_all_authorizations revocation_of_authorization security_violation stolen_card stop_payment_order"
    " testmode_decline transaction_not_allowed".split()
)
TECHNICAL = frozenset(
    "api_error issuer_not_available processing_error reenter_transaction try_again_later".split()
)
AUTHENTICATION = frozenset("authentication_required authentication_not_handled offline_pin_required".split())


def digits(currency: str) -> int:
    """Digits after the point of the unit in which Stripe counts a currency; in a few it is not that of ISO 4217."""
    return 0 if currency in ZERO_DECIMALS else 3 if currency in THREE_DECIMALS else 2


def failure_class(code: str | None) -> str:
    """What a decline means for another attempt: hard, authentication, technical or soft."""
    for name, codes in (("hard", HARD), ("authentication", AUTHENTICATION), ("technical", TECHNICAL)):
        if code in codes:
            return name
    return "soft"
