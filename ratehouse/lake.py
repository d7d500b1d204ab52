"""The lake: append-only Parquet files below one URL, each visible as a whole or not at all.

What belongs here is the care of files: atomic writes, listing, reading, clear errors. What the rows mean does
not: that is `ratehouse.streams` for facts and the ledger for documents. Credentials of an object store come
from the environment of its client; they are never arguments of a command, never logged, and are cut out of
every message.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
import uuid
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from ratehouse.errors import RatehouseError

_SUFFIX = ".parquet"
_TMP = ".tmp-"
# A writer that is still alive after an hour is not expected; one killed mid-write leaves a file nobody will
# rename.
_TMP_MAX_AGE_SECONDS = 3600
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.=:@+-]{0,200}")


class LakeNotWritable(RatehouseError):
    """The lake takes no file: full disk, missing permission, no such store. Nothing half-written stays."""


class LakeUnreadable(RatehouseError):
    """A file of the lake exists but is no readable Parquet file."""


def display_url(url: str) -> str:
    """The URL without user name, password and query, fit for messages and logs."""
    return re.sub(r"(?<=://)[^/@]*@", "", url).split("?", 1)[0]


class Lake:
    """Parquet files below `url`, by relation ("raw/usage_events", "ledger/invoices") and name.

    Args:
        url: a folder or any fsspec URL (`s3://bucket/prefix`).
        storage_options: passed to fsspec; leave it out to let the store's client read its environment.
    """

    def __init__(self, url: str, storage_options: dict[str, Any] | None = None) -> None:
        self.url = url.rstrip("/") or "/"
        self.fs, root = fsspec.core.url_to_fs(self.url, **(storage_options or {}))
        self.root: str = root.rstrip("/")
        self._local = isinstance(self.fs, LocalFileSystem)
        self._swept: set[str] = set()

    def __repr__(self) -> str:
        """The place, without credentials."""
        return f"Lake({display_url(self.url)!r})"

    def path(self, relation: str, name: str, *, partition: str = "") -> str:
        """The path of one file inside the file system of the lake (no protocol)."""
        for part in (*relation.split("/"), name, *([partition] if partition else [])):
            if not _NAME.fullmatch(part):
                raise ValueError(f"{part!r} cannot be part of a lake path")
        return "/".join(p for p in (self.root, relation, partition, name + _SUFFIX) if p)

    def exists(self, relation: str, name: str, *, partition: str = "") -> bool:
        """Whether this file is there, complete."""
        path = self.path(relation, name, partition=partition)
        if not self._local:
            self.fs.invalidate_cache(self.fs._parent(path))
        return bool(self.fs.exists(path))

    def write(self, relation: str, name: str, table: pa.Table, *, partition: str = "") -> bool:
        """Write one file atomically; False, and nothing changed, if a file of that name is there already.

        Raises:
            LakeNotWritable: the store refuses the file; no trace of the attempt stays visible.
        """
        path = self.path(relation, name, partition=partition)
        if self.exists(relation, name, partition=partition):
            return False
        try:
            return self._write_local(path, table) if self._local else self._write_object(path, table)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._not_writable(path, error) from error

    def files(self, relation: str) -> list[str]:
        """All complete files of a relation, in every partition, as full paths or URLs, sorted."""
        base = f"{self.root}/{relation}"
        self.fs.invalidate_cache()
        found = self.fs.find(base) if self.fs.exists(base) else []
        return sorted(
            self.fs.unstrip_protocol(f) if not self._local else f for f in found if f.endswith(_SUFFIX)
        )

    def read_file(self, file: str) -> pa.Table:
        """One file of `files()`.

        Raises:
            LakeUnreadable: it is damaged.
        """
        try:
            with self.fs.open(file, "rb") as handle:
                # not read_table: that would add the partition folder as a second column `received_on`
                return pq.ParquetFile(handle).read()
        except pa.ArrowInvalid as error:
            raise LakeUnreadable(
                f"{display_url(file)} is not a readable Parquet file ({error}). Restore it from a backup."
            ) from error

    def read(self, relation: str) -> pa.Table | None:
        """All rows of a relation in the order of its files; None if it has no file."""
        tables = [self.read_file(file) for file in self.files(relation)]
        return pa.concat_tables(tables, promote_options="default") if tables else None

    def check_writable(self) -> None:
        """Try to write and remove a small file.

        Raises:
            LakeNotWritable: with the place and the fix.
        """
        probe = f"{self.root}/{_TMP}{uuid.uuid4().hex}"
        try:
            if self._local:
                self.fs.makedirs(self.root, exist_ok=True)
            self.fs.pipe_file(probe, b"ratehouse")
            self.fs.rm_file(probe)
        except OSError as error:
            raise self._not_writable(self.root, error) from error
        except Exception as error:
            if self._local:
                raise
            # object-store clients raise their own families of errors, which this module must not have to
            # import
            raise self._not_writable(self.root, error) from error

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB connection read this lake: an object store through the same client, with its credentials."""
        if not self._local:
            connection.register_filesystem(self.fs)

    def _write_local(self, path: str, table: pa.Table) -> bool:
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        self._sweep(final.parent)
        tmp = final.with_name(f"{final.name}{_TMP}{os.getpid()}-{uuid.uuid4().hex}")
        try:
            with tmp.open("wb") as handle:
                pq.write_table(table, handle, compression="zstd")
                handle.flush()
                os.fsync(handle.fileno())
            return _publish(tmp, final)
        finally:
            with contextlib.suppress(FileNotFoundError):
                tmp.unlink()

    def _write_object(self, path: str, table: pa.Table) -> bool:
        # One PUT of an object is atomic by itself: there is nothing to rename, and a copy would not be
        # atomic.
        buffer = BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        try:
            self.fs.pipe_file(path, buffer.getvalue(), mode="create")
        except Exception as error:
            # object-store clients raise errors of their own kind, which this module must not import
            if self._taken(path, error):
                return False
            raise self._not_writable(path, error) from error
        return True

    def _taken(self, path: str, error: Exception) -> bool:
        """Whether another writer was first, which is what mode "create" refuses to overwrite."""
        try:
            self.fs.invalidate_cache(self.fs._parent(path))
            return bool(self.fs.exists(path))
        except Exception:
            # the store is out of reach altogether; the error of the write says it best
            raise self._not_writable(path, error) from error

    def _sweep(self, folder: Path) -> None:
        """Remove what killed writers left behind, once per folder and process."""
        if str(folder) in self._swept:
            return
        self._swept.add(str(folder))
        limit = time.time() - _TMP_MAX_AGE_SECONDS
        with os.scandir(folder) as entries:
            for entry in entries:
                if _TMP in entry.name:
                    # another writer may sweep at the same time
                    with contextlib.suppress(FileNotFoundError):
                        if entry.stat().st_mtime < limit:
                            Path(entry.path).unlink()

    def _not_writable(self, path: str, error: Exception) -> LakeNotWritable:
        place = display_url(self.fs.unstrip_protocol(path) if not self._local else path)
        number = getattr(error, "errno", None)
        # the text of an unknown client error may quote the request, signature and all: name its kind only
        what = (os.strerror(number) if number else str(error)) if self._local else type(error).__name__
        fix = {
            errno.ENOSPC: "Free space there or point RATEHOUSE_LAKE at a larger disk, then run again.",
            errno.EDQUOT: "Raise the quota or point RATEHOUSE_LAKE elsewhere, then run again.",
            errno.EROFS: "The file system is read-only; remount it or point RATEHOUSE_LAKE elsewhere.",
            errno.EFBIG: "Raise the limit on the size of a file (ulimit -f), then run again.",
        }.get(
            number or 0,
            "Give this user the right to write there, or point RATEHOUSE_LAKE elsewhere."
            if self._local
            else "Check that the bucket exists and that the environment holds credentials to write there.",
        )
        return LakeNotWritable(f"The lake cannot write {place}: {what}. {fix} Nothing was half-written.")


def _publish(tmp: Path, final: Path) -> bool:
    """Give a finished file its name; False if another writer was first."""
    try:
        # link fails when the name is taken, where rename would silently replace the other writer's file
        os.link(tmp, final)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        # a file system without hard links: rename is still atomic, and writers of one batch write the same
        # bytes
        tmp.replace(final)
    folder = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return True
