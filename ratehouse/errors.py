"""The one family of errors that a person meets. Programming mistakes raise ordinary exceptions instead."""

from __future__ import annotations


class RatehouseError(Exception):
    """Something a user can fix; its text names the file or key and the fix.

    Args:
        message: what is wrong and what to do about it, in one or two sentences.
        reason_code: the stable machine-readable code (see docs on rejected rows and price books), where one exists.
    """

    def __init__(self, message: str, *, reason_code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason_code = reason_code
