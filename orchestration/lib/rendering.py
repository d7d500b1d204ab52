"""Rendering the PDFs of issued documents inside a run. How a document looks is `deliver.documents`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from deliver.documents.model import Key
from deliver.documents.store import render_many
from ratehouse.settings import Settings


@dataclass
class Rendering:
    """What became of the documents; `failures` are sentences."""

    written: int = 0
    unchanged: int = 0
    failures: list[str] = field(default_factory=list)


def render(settings: Settings, keys: Sequence[Key]) -> Rendering:
    """Render the documents that are missing or would look different.

    Args:
        settings: the installation.
        keys: (tenant_id, invoice_id) of published documents.
    """
    done = Rendering()
    # A pool of processes pays off from a few dozen documents on; most nights have fewer.
    processes = 1 if len(keys) < 32 else None
    for result in render_many(settings, keys, processes=processes) if keys else ():
        if result.outcome == "failed":
            done.failures.append(f"{result.tenant_id} {result.number or result.invoice_id}: {result.error}")
        elif result.outcome == "written":
            done.written += 1
        else:
            done.unchanged += 1
    return done
