"""Where this installation keeps things and how much of the machine it may use.

Only places and limits belong here. Secrets do not: object-store credentials are read by their own client from
the environment. Business configuration does not either: it lives in `tenants/`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from ratehouse.errors import RatehouseError

_DBT_PROJECT = Path(__file__).resolve().parent.parent / "dbt_project"


class SettingsError(RatehouseError):
    """An environment variable that cannot be used as it is."""


class Settings(BaseModel):
    """The places and limits of one installation; immutable, so that a run cannot change them half way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    lake_url: str
    warehouse_path: Path
    serving_dir: Path
    documents_url: str
    tenants_dir: Path
    spool_dir: Path
    memory_limit: str | None = None
    threads: int | None = None
    publishes_kept: int = 30
    publishes_limit: int = 2 * 10**9
    dbt_project_dir: Path = _DBT_PROJECT

    @classmethod
    def load(cls, home: Path | None = None, *, environ: Mapping[str, str] | None = None) -> Settings:
        """Read the settings from the environment; everything has a default below `home`.

        Args:
            home: the installation's folder; default RATEHOUSE_HOME, else the current directory.
            environ: replaces `os.environ`, for tests.

        Raises:
            SettingsError: a variable that is a number is none.
        """
        env = os.environ if environ is None else environ
        base = (home or Path(env.get("RATEHOUSE_HOME") or Path.cwd())).expanduser().resolve()

        def path(variable: str, default: str) -> Path:
            return base / Path(env.get(variable) or default).expanduser()

        def url(variable: str, default: str) -> str:
            value = env.get(variable) or default
            return value if "://" in value else str(base / Path(value).expanduser())

        return cls(
            home=base,
            lake_url=url("RATEHOUSE_LAKE", "data/lake"),
            warehouse_path=path("RATEHOUSE_WAREHOUSE", "data/warehouse/ratehouse.duckdb"),
            serving_dir=path("RATEHOUSE_SERVING", "data/serving"),
            documents_url=url("RATEHOUSE_DOCUMENTS", "data/documents"),
            tenants_dir=path("RATEHOUSE_TENANTS", "tenants"),
            spool_dir=path("RATEHOUSE_SPOOL", "data/spool"),
            memory_limit=env.get("RATEHOUSE_MEMORY_LIMIT") or None,
            threads=_positive(env.get("RATEHOUSE_THREADS"), "RATEHOUSE_THREADS"),
            publishes_kept=_whole(env.get("RATEHOUSE_PUBLISHES"), "RATEHOUSE_PUBLISHES", default=30),
            publishes_limit=_bytes(
                env.get("RATEHOUSE_PUBLISHES_LIMIT"), "RATEHOUSE_PUBLISHES_LIMIT", default="2GB"
            ),
        )

    @property
    def lock_path(self) -> Path:
        """The lock that every writer of the warehouse file takes before it opens the file."""
        return self.warehouse_path.with_name(self.warehouse_path.name + ".lock")

    @property
    def serving_path(self) -> Path:
        """The published file, the only one that a page may open."""
        return self.serving_dir / "current.duckdb"

    @property
    def publishes_dir(self) -> Path:
        """The marts of earlier publishes, a folder each; `publishes_kept` of them, at most `publishes_limit` bytes."""
        return self.serving_dir / "publishes"


def _positive(value: str | None, variable: str) -> int | None:
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or int(value) < 1:
        raise SettingsError(f"{variable} is {value!r}; set it to a whole number of at least 1, or unset it.")
    return int(value)


def _whole(value: str | None, variable: str, *, default: int) -> int:
    if not value:
        return default
    if not value.isascii() or not value.isdigit():
        raise SettingsError(f"{variable} is {value!r}; set it to a whole number, 0 for none, or unset it.")
    return int(value)


def _bytes(value: str | None, variable: str, *, default: str) -> int:
    text = (value or default).strip().upper()
    for unit, size in (("KB", 10**3), ("MB", 10**6), ("GB", 10**9), ("TB", 10**12)):
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.isdigit():
            return int(number) * size
    raise SettingsError(f"{variable} is {value!r}; set it to a size such as 500MB or 2GB, or unset it.")
