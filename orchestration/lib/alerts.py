"""Telling people: one short text to a webhook, by e-mail, or both, as the environment says.

RATEHOUSE_ALERT_WEBHOOK takes `{"text": …}` by POST, as chat systems do; RATEHOUSE_ALERT_EMAIL is one address or several with
commas, sent through the server of RATEHOUSE_SMTP_…, from RATEHOUSE_ALERT_FROM. An alert says what the check's own description
says, and no more.
"""

from __future__ import annotations

import json
import os
import smtplib
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from urllib.parse import urlsplit

from deliver.mail.transport import SmtpSettings
from ratehouse.errors import RatehouseError

TIMEOUT = 30.0


class AlertNotSent(RatehouseError):
    """An alert that did not go out; it is sent again at the next tick."""


@dataclass(frozen=True)
class Alert:
    """What people are told."""

    title: str
    text: str


def targets(environ: Mapping[str, str] | None = None) -> list[str]:
    """Where alerts go: `webhook`, `email`, both or neither."""
    env = os.environ if environ is None else environ
    names = {"webhook": "RATEHOUSE_ALERT_WEBHOOK", "email": "RATEHOUSE_ALERT_EMAIL"}
    return [target for target, name in names.items() if env.get(name)]


def send(alert: Alert, environ: Mapping[str, str] | None = None) -> None:
    """Send an alert everywhere it goes.

    Raises:
        AlertNotSent: one of the places did not take it.
    """
    env = os.environ if environ is None else environ
    for target in targets(env):
        if target == "webhook":
            _post(alert, env["RATEHOUSE_ALERT_WEBHOOK"])
        else:
            _mail(alert, env)


def _post(alert: Alert, address: str) -> None:
    if urlsplit(address).scheme not in ("https", "http"):
        raise AlertNotSent("RATEHOUSE_ALERT_WEBHOOK is no http address.")
    request = urllib.request.Request(  # noqa: S310 (the scheme was looked at)
        address,
        data=json.dumps({"text": f"{alert.title}\n{alert.text}"}).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
            answer.read()
    except (urllib.error.URLError, OSError) as error:
        # The address may hold a secret, so it is not in the message.
        raise AlertNotSent(f"The webhook did not take the alert: {type(error).__name__}.") from error


def _mail(alert: Alert, env: Mapping[str, str]) -> None:
    settings = SmtpSettings.load(environ=env)
    addresses = [address.strip() for address in env["RATEHOUSE_ALERT_EMAIL"].split(",") if address.strip()]
    message = EmailMessage()
    message["Subject"] = f"Ratehouse: {alert.title}"
    message["From"] = env.get("RATEHOUSE_ALERT_FROM") or addresses[0]
    message["To"] = ", ".join(addresses)
    message.set_content(alert.text)
    context = ssl.create_default_context(cafile=settings.ca_file)
    try:
        with (
            smtplib.SMTP_SSL(settings.host, settings.port, timeout=settings.timeout, context=context)
            if settings.security == "tls"
            else smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)
        ) as server:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password or "")
            server.send_message(message)
    except (smtplib.SMTPException, OSError) as error:
        raise AlertNotSent(f"The mail server did not take the alert: {type(error).__name__}.") from error
