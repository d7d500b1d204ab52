"""Importing files into a stream: read, map, land, piece by piece.

A piece is a batch whose id follows from tenant, stream, map, content and position. So a second import adds
nothing, and an import that was killed half way is completed by running it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from ingest.files import readers
from ingest.files.cloudevents import usage_row
from ingest.files.mapping import FileMap, MapError
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.stream_schema import STREAMS, Stream
from ratehouse.streams import land


@dataclass
class Imported:
    """What became of one file.

    Attributes:
        file: its path as given.
        accepted: rows in the stream.
        rejected: rows in `raw/rejected`.
        reasons: rejected rows by reason code.
        batches: pieces of the file.
        already_landed: pieces that were in the lake before.
    """

    file: Path
    accepted: int = 0
    rejected: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    batches: int = 0
    already_landed: int = 0


def import_files(
    lake: Lake,
    files: Sequence[Path],
    *,
    tenant_id: str,
    stream: str,
    file_map: FileMap | None = None,
    file_format: readers.Format | None = None,
    source: str = "file",
    received_at: datetime | None = None,
    progress: Callable[[Imported], None] | None = None,
) -> list[Imported]:
    """Import files, in the order given.

    Args:
        lake: where to.
        files: paths; a missing one is refused before any is imported.
        tenant_id: whose facts they are.
        stream: a name of STREAMS.
        file_map: how its columns make the stream's; without one they must have the stream's names.
        file_format: default by the file's name.
        source: the `source` of the rows.
        received_at: when they arrived (UTC; default now).
        progress: called after every piece.

    Raises:
        FileUnreadable: a file cannot be read at all.
        MapError: the map names a column that a file does not have.
        LakeNotWritable: the lake takes no files; run again once it does.
    """
    plans = []
    for path in files:
        form = file_format or readers.file_format(path)
        if form == "cloudevents" and (stream != "usage_events" or file_map is not None):
            raise MapError(
                "CloudEvents become usage_events by themselves: leave --map out, use --stream usage_events."
            )
        readers.open_binary(path).close()
        plans.append((path, form))
    done = []
    for path, form in plans:
        result = Imported(path)
        identity = canonical(
            [
                tenant_id,
                stream,
                form,
                file_map.content if file_map else "",
                readers.content_hash(path),
                readers.CHUNK_ROWS,
            ]
        )
        name = "file-" + hashlib.sha256(identity.encode()).hexdigest()[:24]
        for number, rows in enumerate(_pieces(path, form, STREAMS[stream], file_map)):
            landed = land(
                lake,
                stream,
                rows,
                tenant_id=tenant_id,
                source=source,
                batch_id=f"{name}-{number:05d}",
                received_at=received_at,
            )
            result.accepted += landed.accepted
            result.rejected += landed.rejected
            result.reasons += landed.reasons
            result.batches += 1
            result.already_landed += landed.already_landed
            if progress:
                progress(result)
        done.append(result)
    return done


def _pieces(
    path: Path, form: readers.Format, contract: Stream, file_map: FileMap | None
) -> Iterator[pl.DataFrame | list[dict[str, Any]]]:
    if form == "cloudevents":
        for chunk in readers.chunks(readers.json_values(path)):
            yield [_cloud_row(path, line, value) for line, value in chunk]
    elif form == "ndjson" and file_map is None:
        for chunk in readers.chunks(readers.json_values(path)):
            yield [_plain_row(path, line, value) for line, value in chunk]
    elif file_map is None:
        yield from _by_name(path, form, contract)
    else:
        yield from _by_map(path, form, file_map)


def _by_map(path: Path, form: readers.Format, file_map: FileMap) -> Iterator[pl.DataFrame]:
    needed = list(file_map.columns())
    if form == "csv":

        def wanted(header: list[str]) -> list[str]:
            file_map.check_columns(header, str(path))
            return needed

        frames = readers.read_csv(path, wanted)
    elif form == "parquet":
        file_map.check_columns(readers.parquet_columns(path), str(path))
        frames = readers.read_parquet(path, needed)
    else:
        frames = readers.read_ndjson(path, needed, file_map.json_columns())
    for number, frame in enumerate(frames):
        if form == "ndjson" and number == 0:
            seen = [name for name in needed if frame[name].is_not_null().any()]
            good = frame.filter(pl.col("_code").is_null()) if "_code" in frame.columns else frame
            if not good.is_empty():
                file_map.check_columns(seen, str(path))
        yield file_map.apply(frame)


def _by_name(path: Path, form: readers.Format, contract: Stream) -> Iterator[pl.DataFrame]:
    known = contract.accepted_keys - {"tenant_id"}

    def check(header: list[str]) -> list[str]:
        unknown = [name for name in header if name not in known]
        if unknown:
            raise MapError(
                f"{path} has a column {unknown[0]} that {contract.name} does not have. Say with --map which"
                f" columns make {', '.join(c.name for c in contract.columns)}.",
                reason_code="unknown_key",
            )
        return header

    if form == "csv":
        yield from readers.read_csv(path, check)
    else:
        yield from readers.read_parquet(path, check(readers.parquet_columns(path)))


def _plain_row(path: Path, line: int, value: Any) -> dict[str, Any]:
    place = {"_file": path.as_posix(), "_line": line}
    if isinstance(value, dict):
        return {str(key): one for key, one in value.items() if key not in _NOTES} | place
    reason, raw = readers.no_object(value)
    return {"_code": "bad_json", "_reason": reason, "_raw": raw} | place


def _cloud_row(path: Path, line: int, value: Any) -> dict[str, Any]:
    if isinstance(value, readers.BadLine):
        return _plain_row(path, line, value)
    return usage_row(value) | {"_file": path.as_posix(), "_line": line}


# a file must not be able to speak in the reader's name
_NOTES = frozenset({"_file", "_line", "_code", "_field", "_reason", "_raw"})
