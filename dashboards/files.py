"""The PDF of an issued document: read where it is kept, made by the command line where it is not.

Belongs here: getting a file to the page. Does not belong here: rendering (`deliver`, which no page imports).
"""

from __future__ import annotations

import posixpath
import re
import subprocess
import sys
from pathlib import Path

import fsspec

import ratehouse
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

TIMEOUT_SECONDS = 180
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
    command = [sys.executable, "-m", "ratehouse.cli", "invoice", "pdf", "--tenant", tenant_id, "--", number]
    root = Path(ratehouse.__file__).resolve().parent.parent
    settings = Settings.load()
    environment = {**_environment(settings)}
    try:
        done = subprocess.run(  # noqa: S603 - our own command, arguments as a list
            command,
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NoFile(f"Rendering {number} took more than {TIMEOUT_SECONDS} seconds.") from error
    path = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    found = _read(path) if done.returncode == 0 and path else None
    if found is None:
        raise NoFile(f"{number} could not be rendered: {done.stderr.strip() or 'the command said nothing'}")
    return found


def _read(path: str) -> bytes | None:
    filesystem, location = fsspec.core.url_to_fs(path)
    return bytes(filesystem.cat_file(location)) if filesystem.exists(location) else None


def _environment(settings: Settings) -> dict[str, str]:
    import os

    # The command runs in the project's folder, so what was relative to this process is said in full.
    return {
        **os.environ,
        "RATEHOUSE_HOME": str(settings.home),
        "RATEHOUSE_SERVING": str(settings.serving_dir),
        "RATEHOUSE_DOCUMENTS": settings.documents_url,
        "RATEHOUSE_TENANTS": str(settings.tenants_dir),
    }
