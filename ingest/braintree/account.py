"""The account of a tenant, opened with keys of the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import braintree

from ratehouse.errors import RatehouseError
from ratehouse.secrets import variable

# Seconds to wait for an answer.
TIMEOUT = 60.0


class AccountUnknown(RatehouseError):
    """A key of the account is not in the environment."""


def gateway(tenant_id: str, environ: Mapping[str, str] | None = None) -> Any:
    """The SDK's gateway of a tenant: RATEHOUSE_BRAINTREE_<TENANT>_MERCHANT_ID, _PUBLIC_KEY, _PRIVATE_KEY.

    Unless the default will do _ENVIRONMENT (production or sandbox) and _BASE (another address), the same as for collection.

    Raises:
        AccountUnknown: one is not set, or would go somewhere in the clear.
    """
    env = os.environ if environ is None else environ
    prefix = variable("braintree", tenant_id)
    keys = {}
    for part in ("MERCHANT_ID", "PUBLIC_KEY", "PRIVATE_KEY"):
        value = env.get(prefix + part)
        if not value:
            raise AccountUnknown(f"{prefix}{part} is not set. Put it into the environment of this command.")
        keys[part.lower()] = value
    name = env.get(f"{prefix}ENVIRONMENT") or "production"
    if name not in ("production", "sandbox"):
        raise AccountUnknown(f"{prefix}ENVIRONMENT is {name!r}; use production or sandbox.")
    environment = braintree.Environment.parse_environment(name)
    base = env.get(f"{prefix}BASE")
    if base:
        address = urlsplit(base)
        if address.scheme != "https" and address.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise AccountUnknown(f"{prefix}BASE would send the account's key in the clear; use https.")
        # The client speaks TLS on port 443, and plain HTTP on every other.
        environment = braintree.Environment("own", address.hostname, str(address.port or 443), "", True, True)
    return braintree.BraintreeGateway(
        braintree.Configuration(environment=environment, timeout=TIMEOUT, wrap_http_exceptions=True, **keys)
    )
