"""Reading files in pieces: CSV, NDJSON (or a JSON array), Parquet; gzipped or not.

Every reader yields frames of the wanted columns with `_file` and `_line`; a row that cannot be read at all
carries `_code`, `_reason` and `_raw` instead, so that it is rejected by itself and the rest lands. What
columns mean does not belong here.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import itertools
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Literal, TypeVar, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ingest.files.mapping import JSON_SUFFIX
from ratehouse.canonical_json import BadJson, canonical, parse
from ratehouse.errors import RatehouseError

Format = Literal["csv", "ndjson", "parquet", "cloudevents"]
# Rows of one batch. It is part of what identifies a batch: another value would cut a file at other places.
CHUNK_ROWS = 500_000

_GZIP_MAGIC = b"\x1f\x8b"
_SUFFIXES: dict[str, Format] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "ndjson",
    ".ndjson": "ndjson",
    ".json": "ndjson",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_LINES_AT_ONCE = 20_000
# an opening quote that is never closed may swallow this much before it is given up
_MAX_FIELD = 1 << 20
_SPOOL = 64 << 20
_T = TypeVar("_T")


class FileUnreadable(RatehouseError):
    """A file that cannot be imported at all; the text names it and the fix."""


def file_format(path: Path) -> Format:
    """The format by the name, without a .gz.

    Raises:
        FileUnreadable: the name does not tell.
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _SUFFIXES:
        raise FileUnreadable(
            f"{path}: the name does not tell the format. Give --format csv, ndjson, parquet or cloudevents."
        )
    return _SUFFIXES[suffixes[-1]]


def content_hash(path: Path) -> str:
    """SHA-256 of the content; the same file is the same whether it is gzipped or not."""
    digest = hashlib.sha256()
    with open_binary(path) as handle:
        while block := _guard(path, lambda: handle.read(1 << 20)):
            digest.update(block)
    return digest.hexdigest()


def open_binary(path: Path) -> IO[bytes]:
    """The file's content, decompressed if it is gzip (told by its first bytes, not by its name).

    Raises:
        FileUnreadable: it is missing, a folder, or not ours to read.
    """
    try:
        handle = path.open("rb")
        if handle.read(2) == _GZIP_MAGIC:
            handle.seek(0)
            return cast(IO[bytes], gzip.GzipFile(fileobj=handle))
        handle.seek(0)
        return handle
    except FileNotFoundError as error:
        raise FileUnreadable(f"There is no file {path}; check the path.") from error
    except IsADirectoryError as error:
        raise FileUnreadable(f"{path} is a folder; name its files, for example {path}/*.csv.") from error
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror}. Check its permissions.") from error


def read_csv(path: Path, wanted: Callable[[list[str]], list[str]]) -> Iterator[pl.DataFrame]:
    """A CSV file with a header line, as text columns, in pieces of CHUNK_ROWS rows.

    The separator is the one of comma, semicolon, tab and bar that stands most often in the header. Encoding
    UTF-8. A line with more or fewer fields than the header, a broken quote or other bytes than UTF-8 is a row
    of its own kind.

    Args:
        path: the file.
        wanted: given the header, returns the columns to keep (or raises).
    """
    csv.field_size_limit(_MAX_FIELD)
    with open_binary(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="")
        lines = _Lines(path, text)
        first = lines.take(1)
        if not first or not first[0].strip():
            raise FileUnreadable(f"{path} has no header line; the first line must name the columns.")
        if "\0" in first[0]:
            raise FileUnreadable(f"{path} is not UTF-8 text; save it as UTF-8 CSV.")
        separator = max(",;\t|", key=first[0].count)
        header = [name.strip() for name in next(csv.reader(first, delimiter=separator))]
        if len(set(header)) != len(header):
            double = next(name for name in header if header.count(name) > 1)
            raise FileUnreadable(f"{path}: two columns are called {double!r}; rename one in the header.")
        keep = wanted(header)
        yield from _cut(_csv_frames(lines, separator, header, keep))


def _cut(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of CHUNK_ROWS, the last one shorter."""
    held: list[pl.DataFrame] = []
    for frame in frames:
        held.append(frame)
        while sum(map(len, held)) >= CHUNK_ROWS:
            rows = pl.concat(held, how="diagonal")
            yield rows.head(CHUNK_ROWS)
            held = [rows.slice(CHUNK_ROWS)]
    if any(map(len, held)):
        yield pl.concat(held, how="diagonal")


class _Lines:
    """The physical lines of a text file, numbered from 1, with a way to put some back."""

    def __init__(self, path: Path, text: Iterable[str]) -> None:
        self.path = path
        self.number = 0  # of the last line taken
        self._source = iter(text)
        self._back: deque[str] = deque()

    def take(self, count: int) -> list[str]:
        """Up to `count` more lines."""
        taken = [self._back.popleft() for _ in range(min(count, len(self._back)))]
        if len(taken) < count:
            taken += _guard(self.path, lambda: list(itertools.islice(self._source, count - len(taken))))
        self.number += len(taken)
        return taken

    def put_back(self, lines: list[str]) -> None:
        """Let these lines, the last ones taken, be taken again."""
        self._back.extendleft(reversed(lines))
        self.number -= len(lines)


# (line, fields) of a good row, (line, reason, text) of one that is none
_Record = tuple[int, list[str]] | tuple[int, str, str]


def _csv_frames(lines: _Lines, separator: str, header: list[str], keep: list[str]) -> Iterator[pl.DataFrame]:
    while block := lines.take(_LINES_AT_ONCE):
        start = lines.number - len(block) + 1
        if _is_plain(block):
            yield _plain_frame(lines.path, block, start, separator, header, keep)
        else:
            lines.put_back(block)
            records = list(_careful_records(lines, separator, len(header), upto=start + len(block)))
            yield _text_frame(lines.path, header, keep, records)


def _plain_frame(
    path: Path, block: list[str], start: int, separator: str, header: list[str], keep: list[str]
) -> pl.DataFrame:
    """Lines without quotes, split in bulk."""
    lines = pl.DataFrame({"text": pl.Series(block, dtype=pl.String).str.strip_chars_end("\r\n")})
    lines = lines.with_row_index("line", start).filter(pl.col("text") != "")
    fields = pl.col("text").str.count_matches(separator, literal=True) + 1
    good = lines.filter(fields == len(header))
    cells = good["text"].str.split_exact(separator, len(header) - 1).struct.unnest()
    place = {name: index for index, name in enumerate(header)}
    frame = pl.DataFrame({name: cells[f"field_{place[name]}"] for name in keep})
    frame = _noted(frame, path, good["line"].to_list())
    if len(good) == len(lines):
        return frame
    odd = lines.filter(fields != len(header)).select("line", fields.alias("fields"), "text")
    bad = [(line, _width_reason(found, len(header)), text) for line, found, text in odd.iter_rows()]
    return pl.concat([frame, _bad_frame(path, bad)], how="diagonal")


def _is_plain(block: list[str]) -> bool:
    """No quotes (so that a record is a line), no field that may be too long, nothing but UTF-8."""
    if max(map(len, block)) > _MAX_FIELD:
        return False
    joined = "".join(block)
    if '"' in joined or "\r" in joined.replace("\r\n", ""):
        return False
    if joined.isascii():
        return True
    try:
        joined.encode()
    except UnicodeEncodeError:
        return False
    return True


def _careful_records(lines: _Lines, separator: str, width: int, *, upto: int) -> Iterator[_Record]:
    """Record by record, for lines with quotes; a record that breaks costs its first line only."""
    while lines.number + 1 < upto:
        taken: list[str] = []

        def supply(taken: list[str] = taken) -> Iterator[str]:
            while line := lines.take(1):
                taken += line
                yield line[0]

        start = lines.number + 1
        try:
            fields = next(csv.reader(supply(), delimiter=separator, strict=True), None)
            if fields is None:
                return
            fault = None if len(fields) == width or not fields else _width_reason(len(fields), width)
        except csv.Error as error:
            fields, fault = [], f"the line is no CSV: {error}"
        if fault and len(taken) > 1:
            # a stray quote has swallowed lines that are rows of their own
            lines.put_back(taken[1:])
            taken = taken[:1]
        raw = "".join(taken).rstrip("\r\n")
        if fault is None and not _encodable(raw):
            fault = "the line is not UTF-8"
        if fault:
            yield start, fault, raw
        elif fields:
            yield start, fields


def _width_reason(found: int, width: int) -> str:
    return f"the line has {found} fields, the header has {width}"


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def chunks(records: Iterator[Any]) -> Iterator[list[Any]]:
    """The records in lists of CHUNK_ROWS, the last one shorter."""
    while chunk := list(itertools.islice(records, CHUNK_ROWS)):
        yield chunk


def _text_frame(path: Path, header: list[str], keep: list[str], chunk: list[_Record]) -> pl.DataFrame:
    good = [record for record in chunk if len(record) == 2]
    bad = [record for record in chunk if len(record) == 3]
    columns = list(zip(*(fields for _, fields in good), strict=True)) if good else [()] * len(header)
    place = {name: index for index, name in enumerate(header)}
    frame = pl.DataFrame({name: pl.Series(columns[place[name]], dtype=pl.String) for name in keep})
    frame = _noted(frame, path, [record[0] for record in good])
    return pl.concat([frame, _bad_frame(path, bad)], how="diagonal") if bad else frame


def _noted(frame: pl.DataFrame, path: Path, lines: list[int]) -> pl.DataFrame:
    reserved = [name for name in frame.columns if name in ("_file", "_line")]
    if reserved:
        raise FileUnreadable(f"{path}: a column may not be called {reserved[0]}; rename it.")
    notes = pl.DataFrame(
        {
            "_file": pl.Series([path.as_posix()], dtype=pl.String).new_from_index(0, len(lines)),
            "_line": pl.Series(lines, dtype=pl.Int64),
        }
    )
    return pl.concat([frame, notes], how="horizontal") if frame.width else notes


def _bad_frame(path: Path, bad: list[Any]) -> pl.DataFrame:
    """Rows that could not be read: (line, reason, text)."""
    return _noted(
        pl.DataFrame(
            {
                "_code": pl.Series(["bad_json"], dtype=pl.String).new_from_index(0, len(bad)),
                "_field": pl.Series([None], dtype=pl.String).new_from_index(0, len(bad)),
                "_reason": pl.Series([reason for _, reason, _ in bad], dtype=pl.String),
                "_raw": pl.Series([_printable(raw) for _, _, raw in bad], dtype=pl.String),
            }
        ),
        path,
        [line for line, _, _ in bad],
    )


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def json_values(path: Path) -> Iterator[tuple[int, Any]]:
    """The values of an NDJSON file with their line, or of a JSON array with their position (from 1).

    Numbers keep their exact value (`canonical_json.parse`). A line that is no JSON is yielded as a `BadLine`.
    """
    with open_binary(path) as binary:
        text = io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="\n")
        lines = _Lines(path, text)
        while block := lines.take(_LINES_AT_ONCE):
            start = lines.number - len(block) + 1
            if start == 1 and "".join(block).lstrip().startswith("["):
                whole = "".join(block) + _guard(path, text.read)
                yield from _array_values(path, whole)
                return
            for number, line in enumerate(block, start):
                if line.strip():
                    yield number, _json_line(line)


class BadLine(tuple[str, str]):
    """(reason, text) of a line that is no JSON."""

    __slots__ = ()


def _json_line(line: str) -> Any:
    if not _encodable(line):
        return BadLine(("the line is not UTF-8", _printable(line.strip())))
    try:
        return parse(line)
    except BadJson as error:
        return BadLine((f"the line is no JSON: {error}", line.strip()))


def _array_values(path: Path, whole: str) -> Iterator[tuple[int, Any]]:
    try:
        document = parse(whole)
    except BadJson as error:
        # NDJSON may begin with a broken line, or hold arrays
        values = [(n, _json_line(line)) for n, line in enumerate(whole.split("\n"), 1) if line.strip()]
        if not any(isinstance(value, dict | list) for _, value in values):
            raise FileUnreadable(
                f"{path} is no JSON: {error}. Give one JSON object a line, or one array."
            ) from error
        yield from ((n, one) for n, value in values for one in _flat(value))
        return
    yield from enumerate(_flat(document), 1)


def _flat(value: Any) -> Iterator[Any]:
    """The members of an array and of the arrays inside it: a batch of events may be a member of a file."""
    if isinstance(value, list):
        for member in value:
            yield from _flat(member)
    else:
        yield value


def read_ndjson(path: Path, columns: list[str], json_columns: set[str]) -> Iterator[pl.DataFrame]:
    """Chosen fields of the objects of an NDJSON file or JSON array, as text columns.

    A column is a key of the object, or a path of keys (`usage.tokens`). Beside one of `json_columns` that has
    values other than texts stands a column of the same values as JSON, so that properties keep their type.
    """
    for chunk in chunks(json_values(path)):
        good = [(line, value) for line, value in chunk if isinstance(value, dict)]
        bad = [(line, *no_object(value)) for line, value in chunk if not isinstance(value, dict)]
        data: dict[str, pl.Series] = {}
        for column in columns:
            values = [_walk(value, column) for _, value in good]
            data[column] = pl.Series([_scalar_text(value) for value in values], dtype=pl.String)
            if column in json_columns and any(
                type(value) is not str for value in values if value is not None
            ):
                texts = [None if value is None else canonical(value).encode() for value in values]
                data[column + JSON_SUFFIX] = pl.Series(texts, dtype=pl.Binary)
        frame = _noted(pl.DataFrame(data), path, [line for line, _ in good])
        yield pl.concat([frame, _bad_frame(path, bad)], how="diagonal") if bad else frame


def no_object(value: Any) -> tuple[str, str]:
    """Reason and text of a value that is no row."""
    if isinstance(value, BadLine):
        return value[0], value[1]
    return "the line is JSON, but no object", canonical(value)


def _walk(value: Any, column: str) -> Any:
    if column in value:
        return value[column]
    for key in column.split("."):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _scalar_text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return canonical(value)


def parquet_columns(path: Path) -> list[str]:
    """The columns of a Parquet file."""
    with _parquet(path) as (file, _):
        return list(file.schema_arrow.names)


def read_parquet(path: Path, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Chosen columns of a Parquet file with their own types; the line is the row's number, from 1."""
    with _parquet(path) as (file, _):
        done = 0
        pieces: list[pa.RecordBatch] = []
        for batch in file.iter_batches(batch_size=65_536, columns=columns):
            pieces.append(batch)
            # batches end with row groups; batches of exactly CHUNK_ROWS rows keep their identity whatever the
            # groups
            while sum(piece.num_rows for piece in pieces) >= CHUNK_ROWS:
                table = pa.Table.from_batches(pieces)
                yield _parquet_frame(path, table.slice(0, CHUNK_ROWS), done)
                done += CHUNK_ROWS
                pieces = table.slice(CHUNK_ROWS).to_batches()
        if sum(piece.num_rows for piece in pieces):
            yield _parquet_frame(path, pa.Table.from_batches(pieces), done)


def _parquet_frame(path: Path, table: pa.Table, before: int) -> pl.DataFrame:
    frame = cast(pl.DataFrame, pl.from_arrow(table))
    # bytes and times of day have no form of their own in a stream; their text has
    frame = frame.with_columns(pl.col(pl.Time, pl.Categorical).cast(pl.String))
    for name in frame.select(pl.col(pl.Binary)).columns:
        texts = [
            None if value is None else value.decode("utf-8", "backslashreplace") for value in frame[name]
        ]
        frame = frame.with_columns(pl.Series(name, texts, dtype=pl.String))
    return _noted(frame, path, list(range(before + 1, before + 1 + table.num_rows)))


class _parquet:
    """A Parquet file opened for reading; a gzipped one is decompressed first, since Parquet has to seek."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> tuple[pq.ParquetFile, IO[bytes]]:
        handle: Any = open_binary(self.path)
        if isinstance(handle, gzip.GzipFile):
            packed = handle
            spool = cast(IO[bytes], SpooledTemporaryFile(max_size=_SPOOL))
            while block := _guard(self.path, lambda: packed.read(1 << 20)):
                spool.write(block)
            packed.close()
            spool.seek(0)
            handle = spool
        self.handle = handle
        try:
            return pq.ParquetFile(handle), handle
        except (pa.ArrowInvalid, OSError) as error:
            handle.close()
            raise FileUnreadable(
                f"{self.path} is no readable Parquet file: {error}. Export it again."
            ) from error

    def __exit__(self, *_: object) -> None:
        self.handle.close()


def _guard(path: Path, read: Callable[[], _T]) -> _T:
    """Read, with damaged gzip files and failing disks told in words."""
    try:
        return read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileUnreadable(f"{path} is a damaged gzip file ({error}); fetch it again.") from error
    except OSError as error:
        raise FileUnreadable(f"{path} cannot be read: {error.strerror or error}. Check the disk.") from error
