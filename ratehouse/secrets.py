"""Where the secrets of a tenant are: only in the environment, so that none is in any file, log or fact."""

from __future__ import annotations

import re


def variable(service: str, tenant_id: str, part: str = "") -> str:
    """The variable that holds a part of what a tenant's account with a service is opened with, as RATEHOUSE_STRIPE_ACME_KEY.

    Args:
        service: such as stripe, avalara or smtp.
        tenant_id: whose account it is; what no variable's name may hold becomes an underscore.
        part: such as KEY; without one the result is what all parts begin with.
    """
    return f"RATEHOUSE_{service.upper()}_{re.sub(r'[^A-Z0-9]', '_', tenant_id.upper())}_{part}"
