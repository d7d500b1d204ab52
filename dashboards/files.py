"""The PDF of an issued document: read where it is kept, made by the command line where it is not.

Belongs here: getting a file to the page. Does not belong here: rendering (`deliver`, which no page imports).
"""

from __future__ import annotations

import posixpath
import re

import fsspec

from dashboards import commands
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

_PLAIN = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}")


class NoFile(RatehouseError):
    """The document could not be rendered."""


def stored_pdf(tenant_id: str, number: str, year: int) -> bytes | None:
    """The PDF if it was rendered before; None if not, or if its name had to be changed to be a file's."""
    if not (_PLAIN.fullmatch(tenant_id) and _PLAIN.fullmatch(number)):
        return None
    path = posixpath.join(Settings.load().documents_url, tenant_id, str(year), f"{number}.pdf")
    return _read(path)


def rendered_pdf(tenant_id: str, number: str) -> bytes:
    """The PDF, rendered by `ratehouse invoice pdf` in a process of its own.

    Raises:
        NoFile: with what the command said.
    """
    try:
        said = commands.run("invoice", "pdf", "--tenant", tenant_id, "--", number).strip().splitlines()
    except commands.CommandFailed as error:
        raise NoFile(f"{number} could not be rendered: {error}") from error
    found = _read(said[-1]) if said else None
    if found is None:
        raise NoFile(f"{number} could not be rendered: there is no file of it")
    return found


def _read(path: str) -> bytes | None:
    filesystem, location = fsspec.core.url_to_fs(path)
    return bytes(filesystem.cat_file(location)) if filesystem.exists(location) else None
