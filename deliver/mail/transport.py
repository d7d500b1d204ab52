"""The way to the mail server: its settings, and handing one message over with the last dot under control.

Belongs here: SMTP. Does not belong here: what a message says, what its result means for the outbox.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import smtplib
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal

from deliver.mail.outbox import MailError
from ratehouse.secrets import variable

Security = Literal["starttls", "tls", "none"]
SECURITY: tuple[Security, ...] = ("starttls", "tls", "none")
PORTS = {"starttls": 587, "tls": 465, "none": 25}


@dataclass(frozen=True)
class SmtpSettings:
    """Where mail goes out; from the environment only, so that no password is ever in a file of the project."""

    host: str
    port: int
    security: Security = "starttls"
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 30.0
    ca_file: str | None = None

    @classmethod
    def load(cls, tenant_id: str | None = None, *, environ: Mapping[str, str] | None = None) -> SmtpSettings:
        """Read RATEHOUSE_SMTP_HOST, _PORT, _SECURITY, _USER, _PASSWORD, _TIMEOUT and _CA_FILE.

        A tenant with a server of its own has the same variables with its name in them, as in
        RATEHOUSE_SMTP_ACME_HOST; they count together or not at all.

        Raises:
            MailError: no server is named, or a variable cannot be used as it is.
        """
        env = os.environ if environ is None else environ
        own = variable("smtp", tenant_id) if tenant_id else ""
        prefix = own if own and env.get(f"{own}HOST") else "RATEHOUSE_SMTP_"
        host = env.get(f"{prefix}HOST")
        if not host:
            raise MailError("No mail server is set. Put its name into RATEHOUSE_SMTP_HOST.")
        wanted = env.get(f"{prefix}SECURITY") or "starttls"
        security = next((name for name in SECURITY if name == wanted), None)
        if security is None:
            raise MailError(f"{prefix}SECURITY is {wanted!r}; use one of {', '.join(SECURITY)}.")
        user = env.get(f"{prefix}USER") or None
        if user and security == "none" and host not in ("localhost", "127.0.0.1", "::1"):
            raise MailError(
                f"{prefix}SECURITY=none would send the password of {host} in the clear; use starttls."
            )
        try:
            port = int(env.get(f"{prefix}PORT") or PORTS[security])
            timeout = float(env.get(f"{prefix}TIMEOUT") or 30)
        except ValueError as error:
            raise MailError(f"{prefix}PORT and {prefix}TIMEOUT are numbers: {error}.") from error
        return cls(
            host,
            port,
            security,
            user,
            env.get(f"{prefix}PASSWORD"),
            timeout,
            env.get(f"{prefix}CA_FILE") or None,
        )


class NotTaken(Exception):
    """The message did not reach the server's queue, for certain.

    Attributes:
        code: what the server answered; None if it answered nothing.
        permanent: another try would end the same.
        out_of_reach: it is about the server, not about this message.
    """

    def __init__(
        self, text: str, *, code: int | None = None, permanent: bool = False, out_of_reach: bool = False
    ) -> None:
        super().__init__(text)
        self.code, self.permanent, self.out_of_reach = code, permanent, out_of_reach


class RefusedAfterClaim(NotTaken):
    """The server had the whole message and said no to it."""


class Unanswered(Exception):
    """The last dot was sent and no answer came: nobody here knows whether the server has the message."""


class AlreadyClaimed(Exception):
    """Another process hands this message over, or did."""


class Connection:
    """A session with the server, opened when first needed and again after it broke."""

    def __init__(self, settings: SmtpSettings) -> None:
        self.settings = settings
        self._smtp: smtplib.SMTP | None = None

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._smtp is not None:
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._smtp.quit()
        self._drop()

    def hand_over(
        self, *, key: str, sender: str, recipient: str, content: bytes, claim: Callable[[], bool]
    ) -> tuple[int, str]:
        """Give one message to the server; returns its answer.

        Args:
            key: the idempotency key; also the envelope id that a delivery report comes back with.
            sender: where reports go.
            recipient: the one recipient.
            content: the message with CRLF line ends.
            claim: called when the server has everything but the last dot; False means: stop.

        Raises:
            NotTaken: the server does not have the message.
            AlreadyClaimed: `claim` said no; the server does not have it from here.
            Unanswered: it may have it.
        """
        smtp = self._open()
        try:
            self._envelope(smtp, key, sender, recipient)
            body = re.sub(rb"(?m)^\.", b"..", content)
            smtp.send(body if body.endswith(b"\r\n") else body + b"\r\n")
            self._stop_if_interrupted(smtp)
        except NotTaken:
            self._drop()
            raise
        except (OSError, smtplib.SMTPServerDisconnected) as error:
            self._drop()
            raise NotTaken(f"the connection broke: {error}") from error
        if not claim():
            # Without the dot the server forgets what it has.
            self._drop()
            raise AlreadyClaimed
        try:
            smtp.send(b".\r\n")
            code, text = smtp.getreply()
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            raise Unanswered(str(error)) from error
        answer = text.decode("utf-8", "replace")
        if code == 250:
            return code, answer
        self._drop()
        raise RefusedAfterClaim(answer, code=code, permanent=code >= 500)

    def _envelope(self, smtp: smtplib.SMTP, key: str, sender: str, recipient: str) -> None:
        reports = smtp.has_extn("dsn")
        steps = (
            (f"MAIL FROM:<{sender}>" + (f" RET=HDRS ENVID={key}" if reports else ""), 250),
            (f"RCPT TO:<{recipient}>" + (" NOTIFY=SUCCESS,FAILURE" if reports else ""), 250),
            ("DATA", 354),
        )
        for command, wanted in steps:
            code, text = smtp.docmd(command)
            if code // 10 != wanted // 10:
                raise NotTaken(text.decode("utf-8", "replace"), code=code, permanent=code >= 500)

    def _stop_if_interrupted(self, smtp: smtplib.SMTP) -> None:
        """A server that has had enough says so, or hangs up, before it saw the end of the message."""
        sock = smtp.sock
        if not isinstance(sock, socket.socket) or isinstance(sock, ssl.SSLSocket):
            return
        if select.select([sock], [], [], 0)[0]:
            if not sock.recv(1, socket.MSG_PEEK):
                raise NotTaken("the server hung up in the middle of the message")
            code, text = smtp.getreply()
            raise NotTaken(text.decode("utf-8", "replace"), code=code, permanent=code >= 500)

    def _open(self) -> smtplib.SMTP:
        if self._smtp is not None:
            try:
                if self._smtp.rset()[0] == 250:
                    return self._smtp
            except (OSError, smtplib.SMTPException):
                pass
            self._drop()
        settings = self.settings
        try:
            context = (
                ssl.create_default_context(cafile=settings.ca_file) if settings.security != "none" else None
            )
            if settings.security == "tls":
                smtp: smtplib.SMTP = smtplib.SMTP_SSL(
                    settings.host, settings.port, timeout=settings.timeout, context=context
                )
            else:
                smtp = smtplib.SMTP(settings.host, settings.port, timeout=settings.timeout)
            self._smtp = smtp
            smtp.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                smtp.starttls(context=context)
                smtp.ehlo()
            if settings.user:
                smtp.login(settings.user, settings.password or "")
        except (OSError, smtplib.SMTPException) as error:
            self._drop()
            code = error.smtp_code if isinstance(error, smtplib.SMTPResponseException) else None
            what = f"{settings.host}:{settings.port} cannot be used: {_words(error)}"
            raise NotTaken(what, code=code, out_of_reach=True) from error
        return smtp

    def _drop(self) -> None:
        if self._smtp is not None:
            with contextlib.suppress(OSError):
                self._smtp.close()
            self._smtp = None


def _words(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
    return str(error) or type(error).__name__
