"""Mail servers on loopback for tests: one that behaves, and one that does what servers do on bad days."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from email.policy import default
from typing import Any

from aiosmtpd.controller import Controller


class Inbox:
    """Handler of a server that keeps what it takes; `answer` decides what it says to a message."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.recipients: list[list[str]] = []
        self.answer: Callable[[], str] = lambda: "250 2.0.0 queued"
        self.refuse: dict[str, str] = {}

    async def handle_RCPT(
        self, server: Any, session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if address in self.refuse:
            return self.refuse[address]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        answer = self.answer()
        if answer.startswith("250"):
            self.contents.append(envelope.original_content)
            self.recipients.append(list(envelope.rcpt_tos))
        return answer

    @property
    def mails(self) -> list[Message]:
        return [message_from_bytes(content, policy=default) for content in self.contents]


@contextmanager
def mail_server(inbox: Inbox, port: int = 0, **options: Any) -> Iterator[int]:
    """A real SMTP server on loopback; yields its port."""
    port = port or free_port()
    controller = Controller(inbox, hostname="127.0.0.1", port=port, **options)
    controller.start()
    try:
        yield port
    finally:
        controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class BadServer:
    """Speaks SMTP up to DATA; what it does in the middle of a message, or instead of an answer, is its `mood`.

    hang_up: closes the connection after some of the message. refuse: says 552 after some of the message.
    kill: kills the sender with SIGKILL after some of the message. silent: takes the whole message, dot and all, and
    closes without an answer. kill_after: takes the whole message, kills the sender, keeps the message.
    """

    def __init__(self, mood: str, enough: int = 4096) -> None:
        self.mood, self.enough = mood, enough
        self.whole: list[bytes] = []
        self.begun = 0
        self.sender_pid: int | None = None
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=10)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.sendall(b"220 loopback\r\n")
        reader = connection.makefile("rb")
        while line := reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                connection.sendall(b"354 go on\r\n")
                self.begun += 1
                if self._message(connection, reader):
                    return
            else:
                connection.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")

    def _message(self, connection: socket.socket, reader: Any) -> bool:
        """Take a message according to the mood; True ends the connection."""
        body = b""
        while line := reader.readline():
            body += line
            if line == b".\r\n":
                self.whole.append(body)
                if self.mood == "kill_after":
                    self._kill()
                return self.mood in ("silent", "kill_after")
            if len(body) > self.enough and self.mood in ("hang_up", "refuse", "kill"):
                if self.mood == "kill":
                    self._kill()
                    while reader.readline():
                        pass
                if self.mood == "refuse":
                    connection.sendall(b"552 5.3.4 message too big\r\n")
                    connection.shutdown(socket.SHUT_WR)
                    while reader.readline():
                        pass
                return True
        return True

    def _kill(self) -> None:
        assert self.sender_pid is not None
        os.kill(self.sender_pid, signal.SIGKILL)
