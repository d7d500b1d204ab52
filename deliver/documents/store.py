"""Files of documents: rendered by several processes, written once, found again.

Belongs here: file names, the decision whether a file is up to date, atomic writing, and the worker
processes. Does not belong here: layout (`render`) and reading the marts (`model`).

Layout: `<documents>/<tenant>/<year of issue>/<number>.pdf`, and beside each a `.<number>.key` that holds
what the file was made from. A run that is killed leaves whole files only; the next run makes what is
missing.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import multiprocessing
import os
import posixpath
import re
import uuid
from collections.abc import Iterable, Iterator, Sequence, Sized
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import duckdb
import fsspec
from fsspec.implementations.local import LocalFileSystem

from deliver.documents.branding import template_version, tenant_version
from deliver.documents.model import (
    DocumentError,
    Heading,
    Key,
    connect_serving,
    load_documents,
    load_headings,
)
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

MAX_BATCH = 32
MAX_NAME = 120

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of one document; `path` is where its file is, `error` why there is none."""

    tenant_id: str
    invoice_id: str
    number: str | None
    outcome: Literal["written", "unchanged", "failed"]
    path: str | None = None
    error: str | None = None


def file_name(text: str) -> str:
    """A name that is safe in every file system and object store, and different for every text.

    Letters, digits, `.`, `_` and `-` stay; every other byte of its UTF-8 form becomes `~XX`. A leading dot
    is changed too, and a long name is cut and ends in a hash of the whole.
    """
    safe = re.sub(
        r"[^A-Za-z0-9._-]|^\.",
        lambda match: "".join(f"~{byte:02X}" for byte in match[0].encode("utf-8", "surrogatepass")),
        text,
    )
    if not safe or len(safe) > MAX_NAME:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        safe = f"{safe[: MAX_NAME - 33].rstrip('.')}~{digest}"
    return safe


def document_path(settings: Settings, tenant_id: str, number: str, year: int) -> str:
    """Where the PDF of an issued document is (or will be) kept: a local path or an fsspec URL."""
    return posixpath.join(settings.documents_url, file_name(tenant_id), str(year), f"{file_name(number)}.pdf")


def read_pdf(settings: Settings, tenant_id: str, number: str, year: int) -> bytes | None:
    """The stored PDF of a document, None if it has not been rendered yet."""
    filesystem, path = _filesystem(document_path(settings, tenant_id, number, year))
    return bytes(filesystem.cat_file(path)) if filesystem.exists(path) else None


def render_many(
    settings: Settings, keys: Iterable[Key], *, processes: int | None = None, out: Path | None = None
) -> Iterator[Rendered]:
    """Render documents and keep their files, only those that are missing or would look different.

    Memory does not grow with the number of documents: `keys` is read as work is handed out, and each
    process holds a few dozen documents. One document that fails is reported and stops no other.

    Args:
        settings: where the serving file, the tenants and the documents are.
        keys: (tenant_id, invoice_id) of issued documents.
        processes: default: `settings.threads`, else the number of cores; 1 renders in this process.
        out: a local folder to write `<number>.pdf` to, always, instead of the documents store.

    Yields:
        One `Rendered` per key, as they are finished.

    Raises:
        DocumentError: there is no serving file.
    """
    if not settings.serving_path.exists():
        connect_serving(settings.serving_path)
    count = processes or settings.threads or len(os.sched_getaffinity(0))
    size = MAX_BATCH
    if isinstance(keys, Sized):
        # Small jobs are cut so that every process gets its share, and none waits long for the last batch.
        size = max(1, min(MAX_BATCH, len(keys) // (count * 4)))
        count = min(count, max(1, len(keys)))
    batches = _batches(keys, size)
    # One snapshot for the whole job, even if a build publishes a new serving file meanwhile.
    job = (settings, settings.serving_path.resolve(), out)
    if count == 1:
        with connect_serving(settings.serving_path, threads=1) as connection:
            for batch in batches:
                yield from _render_batch(connection, settings, batch, out)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_start, initargs=job) as pool:
        waiting: set[Future[list[Rendered]]] = set()
        try:
            for batch in batches:
                waiting.add(pool.submit(_work, batch))
                if len(waiting) >= 2 * count:
                    done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield from future.result()
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _batches(keys: Iterable[Key], size: int) -> Iterator[list[Key]]:
    remaining = iter(keys)
    while batch := list(islice(remaining, size)):
        yield batch


_worker: dict[str, Any] = {}


def _start(settings: Settings, serving: Path, out: Path | None) -> None:
    # A long invoice is millions of objects that live until it is written; looking for garbage
    # among them at the default pace costs a tenth of the time.
    gc.set_threshold(50_000, 20, 50)
    _worker.update(connection=connect_serving(serving, threads=1), settings=settings, out=out)


def _work(batch: list[Key]) -> list[Rendered]:
    return _render_batch(_worker["connection"], _worker["settings"], batch, _worker["out"])


def _render_batch(
    connection: duckdb.DuckDBPyConnection, settings: Settings, batch: Sequence[Key], out: Path | None
) -> list[Rendered]:
    found = {(h.tenant_id, h.invoice_id): h for h in load_headings(connection, batch)}
    results: list[Rendered] = []
    pending: list[tuple[Heading, str, str]] = []
    for key in batch:
        heading = found.get(key)
        if heading is None:
            results.append(Rendered(*key, None, "failed", error="there is no such invoice"))
        else:
            try:
                path = _target(settings, heading, out)
                fingerprint = _fingerprint(settings, heading)
                if out is None and _stored_fingerprint(path) == fingerprint:
                    results.append(Rendered(*key, heading.number, "unchanged", path))
                else:
                    pending.append((heading, path, fingerprint))
            except (RatehouseError, OSError) as error:
                results.append(Rendered(*key, heading.number, "failed", error=str(error)))
    return results + _render_pending(connection, settings, pending, keep_key=out is None)


def _render_pending(
    connection: duckdb.DuckDBPyConnection,
    settings: Settings,
    pending: Sequence[tuple[Heading, str, str]],
    *,
    keep_key: bool,
) -> list[Rendered]:
    # Here and not above: it loads the PDF engine, which a run without changes does not need.
    from deliver.documents.render import render

    documents = (
        load_documents(connection, [(h.tenant_id, h.invoice_id) for h, _, _ in pending]) if pending else []
    )
    results = []
    for document, (heading, path, fingerprint) in zip(documents, pending, strict=True):
        try:
            _write(path, render(document, _tenant_folder(settings, document.tenant_id)))
            if keep_key:
                _write(_key_path(path), fingerprint.encode())
        # The layout engine raises what it likes. It is reported with its document, and stops no other.
        except Exception as error:
            _log.exception("document %s of tenant %s cannot be rendered", heading.number, heading.tenant_id)
            reason = str(error) if isinstance(error, RatehouseError) else f"{type(error).__name__}: {error}"
            results.append(
                Rendered(heading.tenant_id, heading.invoice_id, heading.number, "failed", error=reason)
            )
        else:
            results.append(Rendered(heading.tenant_id, heading.invoice_id, heading.number, "written", path))
    return results


def _target(settings: Settings, heading: Heading, out: Path | None) -> str:
    if heading.status == "draft" or heading.number is None or heading.issued_on is None:
        raise DocumentError("a draft has no document yet")
    if out is not None:
        return str(out.resolve() / f"{file_name(heading.number)}.pdf")
    return document_path(settings, heading.tenant_id, heading.number, heading.issued_on.year)


def _tenant_folder(settings: Settings, tenant_id: str) -> Path | None:
    folder = settings.tenants_dir / tenant_id
    inside = folder.resolve().parent == settings.tenants_dir.resolve()
    return folder if inside and folder.is_dir() else None


def _fingerprint(settings: Settings, heading: Heading) -> str:
    """What a stored file was made from: the issued content, our templates, the tenant's."""
    folder = _tenant_folder(settings, heading.tenant_id)
    parts = (heading.content_hash, template_version(), tenant_version(folder, heading.branding))
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def _stored_fingerprint(path: str) -> str | None:
    filesystem, name = _filesystem(path)
    key = _key_path(name)
    if not filesystem.exists(name) or not filesystem.exists(key):
        return None
    return bytes(filesystem.cat_file(key)).decode()


def _key_path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name.removesuffix('.pdf')}.key"


def _filesystem(url: str) -> tuple[Any, str]:
    filesystem, path = fsspec.core.url_to_fs(url)
    return filesystem, path


def _write(url: str, content: bytes) -> None:
    """Write a file whole or not at all. An object store does that by itself; a folder needs the rename.

    Raises:
        DocumentError: the place cannot be written to, or is full.
    """
    filesystem, path = _filesystem(url)
    if not isinstance(filesystem, LocalFileSystem):
        filesystem.pipe_file(path, content)
        return
    target = Path(path)
    beside = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(content)
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise DocumentError(
            f"{target} cannot be written ({error.strerror}). Check RATEHOUSE_DOCUMENTS."
        ) from error
