"""What a tenant's folder adds to its documents, and the versions that say when a stored file is out of date.

Belongs here: logo, accent colour, the folder's templates and words, hashes over them. Does not belong here:
layout; this module does not load the PDF engine, so that a run in which nothing changed stays cheap.
"""

from __future__ import annotations

import base64
import hashlib
import mimetypes
import re
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote_to_bytes

from deliver.documents.model import Branding, DocumentError

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
DEFAULT_ACCENT = "#1f3a5f"
MAX_CACHED_LOGOS = 64


@lru_cache(maxsize=1)
def template_version() -> str:
    """Hash of everything in this package that shapes a page, and of the layout engine's version."""
    digest = hashlib.sha256(version("weasyprint").encode())
    own = (HERE / name for name in ("formats.py", "view.py", "render.py", "translations.yaml"))
    for path in (*own, *files(TEMPLATES)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def tenant_version(folder: Path | None, branding: Branding) -> str:
    """Hash of a tenant's templates, logo and branding: of all that changes how its documents look."""
    digest = hashlib.sha256(repr(branding).encode())
    if own := templates(folder):
        for path in files(own):
            digest.update(path.relative_to(own).as_posix().encode() + b"\0" + path.read_bytes())
    if found := logo(folder, branding):
        digest.update(found[0])
    return digest.hexdigest()[:16]


def files(folder: Path) -> list[Path]:
    """All files below a folder, in a stable order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def templates(folder: Path | None) -> Path | None:
    """The tenant's own templates, if it has any."""
    own = folder / "templates" if folder is not None else None
    return own if own is not None and own.is_dir() else None


def accent(branding: Branding) -> str:
    """The tenant's colour, checked as it ends up in the style sheet: `#rgb`, `#rrggbb` or the default."""
    color = branding.accent_color or ""
    return color if re.fullmatch(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})", color) else DEFAULT_ACCENT


def logo(folder: Path | None, branding: Branding) -> tuple[bytes, str] | None:
    """Content and media type of the logo, None without one.

    Raises:
        DocumentError: the file does not exist or lies outside the tenant's folder.
    """
    name = branding.logo
    if not name:
        return None
    if name.startswith("data:"):
        return _data_url(name)
    if folder is None:
        return None
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DocumentError(f"branding.logo {name!r} must lie inside the tenant's folder.")
    if not path.is_file():
        raise DocumentError(f"branding.logo {name!r} does not exist in the tenant's folder {folder}.")
    return _content(path, path.stat().st_mtime_ns), mimetypes.guess_type(name)[
        0
    ] or "application/octet-stream"


@lru_cache(maxsize=MAX_CACHED_LOGOS)
def _content(path: Path, _changed_ns: int) -> bytes:
    return path.read_bytes()


@lru_cache(maxsize=MAX_CACHED_LOGOS)
def _data_url(url: str) -> tuple[bytes, str]:
    head, _, data = url.partition(",")
    content = base64.b64decode(data) if head.endswith(";base64") else unquote_to_bytes(data)
    return content, head.removeprefix("data:").split(";")[0] or "text/plain"
