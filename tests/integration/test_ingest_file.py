"""Files of every kind through the command, small ones made here and real ones with known totals."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from ingest.files import importer, readers
from ingest.files.importer import import_files
from ingest.files.mapping import FileMap, MapError
from ingest.files.readers import FileUnreadable
from ratehouse.commands.ingest import app as ingest_app
from ratehouse.commands.rejected import app as rejected_app
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake, LakeNotWritable
from ratehouse.rejects import replay

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared/realdata"
MAPS = Path(__file__).parent / "fixtures/maps"
NOW = datetime(2026, 2, 1, tzinfo=UTC)

MAP = """
event_id: "{id}"
customer_id: "acct-{cust}"
event_type: api
occurred_at: {column: at, timezone: Europe/Paris}
quantity: {column: n}
properties: {model: model}
"""


def real(path: str) -> Path:
    if not (REAL / path).exists():
        pytest.skip(f"../shared/realdata/{path} is not here")
    return REAL / path


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(str(tmp_path / "lake"))


@pytest.fixture
def simple_map(tmp_path: Path) -> FileMap:
    (tmp_path / "map.yaml").write_text(MAP)
    return FileMap.load(tmp_path / "map.yaml", "usage_events")


def run(lake: Lake, file: Path, file_map: FileMap | None, **options: Any) -> importer.Imported:
    arguments: dict[str, Any] = {"tenant_id": "t", "stream": "usage_events", "received_at": NOW} | options
    return import_files(lake, [file], file_map=file_map, **arguments)[0]


def rows(lake: Lake, stream: str = "usage_events") -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


def test_csv_with_every_kind_of_bad_line(lake: Lake, tmp_path: Path, simple_map: FileMap) -> None:
    file = tmp_path / "usage.csv"
    file.write_bytes(
        b"\xef\xbb\xbfid;cust;at;n;model\r\n"
        b"e1;c;2026-01-01 10:00:00;1.50;x\r\n"
        b'e2;c;2026-01-01T10:00:00Z;2;"two\r\nlines; and ""quotes"""\r\n'
        b"\r\n"
        b"e3;c;2026-01-01;3\r\n"  # line 6: a field short
        b'e4;"c;2026-01-01;4;x\r\n'  # line 7: a quote that never closes
        b"e5;c;2026-01-01;5;\xff\r\n"  # line 8: not UTF-8
        b";c;2026-01-01;6;x\r\n"  # line 9: no id
        b"e7;c;yesterday;7;x\r\n"  # line 10
        b"e8;c;2026-03-29 02:30:00;8;x\r\n"  # line 11: an hour that Paris skipped
        b"e9;c;2026-01-01;1,5;x\r\n"  # line 12
        b"e10;c;2026-01-01;10;caf\xc3\xa9\r\n"
    )
    result = run(lake, file, simple_map)
    assert (result.accepted, result.rejected) == (3, 7)
    assert result.reasons == Counter(bad_json=3, bad_time=2, missing_id=1, bad_number=1)
    rejects = {row["line"]: row for row in rows(lake, "rejected")}
    assert sorted(rejects) == [6, 7, 8, 9, 10, 11, 12]
    assert {row["file"] for row in rejects.values()} == {file.as_posix()}
    assert rejects[6]["reason"] == "the line has 4 fields, the header has 5"
    assert json.loads(rejects[12]["payload"])["quantity"] == "1,5"
    events = {row["event_id"]: row for row in rows(lake)}
    assert events["e1"]["occurred_at"] == datetime(2026, 1, 1, 9, tzinfo=UTC)
    assert events["e1"]["quantity"] == Decimal("1.5")
    assert events["e2"]["occurred_at"] == datetime(2026, 1, 1, 10, tzinfo=UTC)
    assert json.loads(events["e2"]["properties"]) == {"model": 'two\r\nlines; and "quotes"'}
    assert events["e10"]["customer_id"] == "acct-c"


def test_ndjson_keeps_exact_numbers_and_types(lake: Lake, tmp_path: Path) -> None:
    file_map = FileMap.parse(
        {
            "event_id": "{id}",
            "customer_id": "c",
            "event_type": "{kind}",
            "occurred_at": {"column": "ts", "unit": "milliseconds"},
            "quantity": {"column": "usage.n"},
            "properties": {"n": "usage.n", "ok": "ok", "tags": ["kind", "id"], "deep": {"id": "id"}},
        },
        "usage_events",
    )
    file = tmp_path / "usage.ndjson.gz"
    lines = [
        '{"id":7,"kind":"a","ts":1767225600250,"usage":{"n":0.1000000000},"ok":true}',
        "nonsense",
        "[1]",
        '{"id":8,"kind":"a","ts":1767225600.5,"usage":{"n":123456789012345678.5}}',
        '{"id":9,"kind":"a","ts":"later"}',
    ]
    file.write_bytes(gzip.compress("\n".join(lines).encode()))
    result = run(lake, file, file_map)
    assert (result.accepted, result.reasons) == (2, Counter(bad_json=2, bad_time=1))
    first, second = rows(lake)
    assert first["occurred_at"] == datetime(2026, 1, 1, 0, 0, 0, 250000, UTC)
    assert first["properties"] == '{"deep":{"id":7},"n":0.1,"ok":true,"tags":["a","7"]}'
    assert second["quantity"] == Decimal("123456789012345678.5")
    assert {row["line"] for row in rows(lake, "rejected")} == {2, 3, 5}


def test_a_json_array_and_rows_with_the_streams_own_names(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "payments.json"
    payment = {"payment_id": "p1", "amount": "5", "currency": "EUR", "status": "succeeded"}
    file.write_text(json.dumps([payment, payment | {"payment_id": "p2", "colour": "blue"}], indent=1))
    result = run(lake, file, None, stream="payments")
    assert (result.accepted, result.reasons) == (1, Counter(unknown_key=1))


def test_other_streams_have_maps_too(lake: Lake, tmp_path: Path) -> None:
    file = tmp_path / "subs.csv"
    file.write_text("sub,plan,seats,start\ns1,team,5,31/01/2026 08:00\n")
    file_map = FileMap.parse(
        {
            "event_id": "{sub}-created",
            "subscription_id": "{sub}",
            "customer_id": "{sub}",
            "type": "created",
            "effective_at": {"column": "start", "format": "%d/%m/%Y %H:%M", "timezone": "America/New_York"},
            "data": {"plan": "plan", "quantities": {"seats": "seats"}},
        },
        "subscription_events",
    )
    assert run(lake, file, file_map, stream="subscription_events").accepted == 1
    (row,) = rows(lake, "subscription_events")
    assert row["effective_at"] == datetime(2026, 1, 31, 13, tzinfo=UTC)
    assert row["data"] == '{"plan":"team","quantities":{"seats":"5"}}'


@pytest.mark.parametrize("packed", [False, True])
def test_parquet_floats_count_with_their_shortest_text(lake: Lake, tmp_path: Path, packed: bool) -> None:
    file = tmp_path / "usage.parquet"
    pl.DataFrame(
        {
            "id": [17850.0, 2.5],
            "at": [datetime(2026, 1, 1, 10), datetime(2026, 1, 1, 11)],
            "n": [0.1, float("nan")],
            "big": [2**62, 1],
            "raw": [b"bytes", b"\xff"],
            "clock": [time(8), time(9)],
        }
    ).write_parquet(file)
    if packed:
        file = file.rename(tmp_path / "usage.parquet.gz")
        file.write_bytes(gzip.compress(file.read_bytes()))
    file_map = FileMap.parse(
        {
            "event_id": "{id}",
            "customer_id": "{id}",
            "event_type": "api",
            "occurred_at": {"column": "at", "timezone": "Europe/Paris"},
            "quantity": {"column": "n"},
            "properties": {"big": "big", "n": "n", "raw": "raw", "t": "clock"},
        },
        "usage_events",
    )
    assert run(lake, file, file_map).reasons == Counter(bad_number=1)
    (row,) = rows(lake)
    assert (row["event_id"], row["quantity"]) == ("17850", Decimal("0.1"))
    assert row["properties"] == '{"big":4611686018427387904,"n":0.1,"raw":"bytes","t":"08:00:00"}'
    assert row["occurred_at"] == datetime(2026, 1, 1, 9, tzinfo=UTC)


def test_a_second_import_adds_nothing_gzipped_or_not(lake: Lake, tmp_path: Path, simple_map: FileMap) -> None:
    content = b"id,cust,at,n,model\ne1,c,2026-01-01,1,x\n,c,2026-01-01,1,x\n"
    plain, packed = tmp_path / "a.csv", tmp_path / "b.csv.gz"
    plain.write_bytes(content)
    packed.write_bytes(gzip.compress(content))
    assert run(lake, plain, simple_map).already_landed == 0
    assert run(lake, plain, simple_map, received_at=None).already_landed == 1
    assert run(lake, packed, simple_map).already_landed == 1
    assert len(rows(lake)) == len(rows(lake, "rejected")) == 1


@pytest.mark.parametrize("dies_after", [1, 2, 3, 4, 5, 6])
def test_an_import_killed_half_way_is_completed(
    lake: Lake, tmp_path: Path, simple_map: FileMap, monkeypatch: pytest.MonkeyPatch, dies_after: int
) -> None:
    monkeypatch.setattr(readers, "CHUNK_ROWS", 4)
    file = tmp_path / "a.csv"
    lines = [f"{'' if i == 3 else f'e{i}'},c,2026-01-01,1,x" for i in range(10)]
    file.write_text("\n".join(["id,cust,at,n,model", *lines]))
    write, count = Lake.write, 0

    def die(self: Lake, *arguments: Any, **options: Any) -> bool:
        nonlocal count
        count += 1
        if count > dies_after:
            raise LakeNotWritable("killed")
        return write(self, *arguments, **options)

    monkeypatch.setattr(Lake, "write", die)
    with pytest.raises(LakeNotWritable):
        run(lake, file, simple_map)
    monkeypatch.setattr(Lake, "write", write)
    result = run(lake, file, simple_map, received_at=datetime(2026, 2, 3, tzinfo=UTC))
    assert (result.accepted, result.rejected, result.batches) == (9, 1, 3)
    assert sorted(row["event_id"] for row in rows(lake)) == [f"e{i}" for i in range(10) if i != 3]
    assert [row["line"] for row in rows(lake, "rejected")] == [5]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("event_idd: x", r"no column event_idd \(did you mean event_id\?\)"),
        ('event_id: "{idd}"', r"event_id is made of column idd.*did you mean id\?"),
        ("event_id: {column: id, unti: s}", "unknown key unti"),
        ("occurred_at: {column: at, unit: fortnights}", "unit fortnights"),
        ("occurred_at: {column: at, timezone: Mars/Base}", "no IANA time zone"),
        ("occurred_at: {column: at, unit: days, origin: then}", "origin then"),
        ('event_id: "{id"', "lone brace"),
        ("quantity: 1.5", "write the number 1.5 in quotes"),
        ("event_id: a\nevent_id: b", "event_id stands twice"),
        ("event_id: [a]", "write a template"),
        ("", "this one is empty"),
        ("a: [", "no readable YAML"),
    ],
)
def test_a_wrong_map_is_explained(lake: Lake, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "map.yaml").write_text(text)
    file = tmp_path / "a.csv"
    file.write_text("id,at\n1,2\n")
    with pytest.raises(MapError, match=message) as raised:
        run(lake, file, FileMap.load(tmp_path / "map.yaml", "usage_events"))
    assert "map.yaml" in raised.value.message


def test_a_wrong_file_is_explained(lake: Lake, tmp_path: Path, simple_map: FileMap) -> None:
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "x.parquet").write_text("no parquet")
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"id,cust,at,n,model\n" * 9)[:-8])
    (tmp_path / "utf16.csv").write_text("id,cust\n", encoding="utf-16")
    (tmp_path / "broken.json").write_text('[{"a": 1')
    (tmp_path / "x.xls").write_text("")
    for name, message in {
        "missing.csv": "There is no file .*missing.csv",
        "": "is a folder",
        "empty.csv": "no header line",
        "x.parquet": "no readable Parquet file",
        "x.csv.gz": "damaged gzip",
        "utf16.csv": "not UTF-8",
        "broken.json": "is no JSON",
        "x.xls": "does not tell the format",
    }.items():
        with pytest.raises(FileUnreadable, match=message):
            run(lake, tmp_path / name, simple_map, **({"file_format": "csv"} if not name else {}))


def test_cloud_events(lake: Lake, tmp_path: Path) -> None:
    event = {
        "specversion": "1.0",
        "id": "e1",
        "type": "api.call",
        "source": "/gateway",
        "subject": "c1",
        "time": "2026-01-05T10:00:00Z",
        "data": {"tokens": 5},
    }
    file = tmp_path / "events.ndjson"
    others = [
        event | {"id": "e2", "data": "text"},
        event | {"specversion": "0.3"},
        event | {"id": "e3", "subject": None},
    ]
    file.write_text("\n".join(json.dumps(one) for one in [event, *others]))
    result = run(lake, file, None, file_format="cloudevents")
    assert (result.accepted, result.reasons) == (1, Counter(bad_json=1, unknown_key=1, missing_customer=1))
    (row,) = rows(lake)
    assert (row["event_id"], row["customer_id"], row["source"], row["properties"]) == (
        "e1",
        "c1",
        "/gateway",
        '{"tokens":5}',
    )


def test_cloud_events_of_the_specification(lake: Lake) -> None:
    file = real("formats/cloudevents/json_format_examples.json")
    result = run(lake, file, None, file_format="cloudevents")
    # its examples name no subject, so none can be billed; each says why
    assert (result.accepted, result.rejected) == (0, 8)
    assert result.reasons == Counter(bad_json=5, missing_customer=2, bad_time=1)


def test_azure_llm_trace(lake: Lake) -> None:
    truth = json.loads(real("azure_llm_2023/ground_truth.json").read_text())["by_service"]
    file_map = FileMap.load(MAPS / "azure_llm.yaml", "usage_events")
    for service, expected in truth.items():
        file = real(f"azure_llm_2023/AzureLLMInferenceTrace_{service}.csv")
        result = run(lake, file, file_map, tenant_id=service)
        assert (result.accepted, result.rejected) == (expected["rows"], 0)
        assert run(lake, file, file_map, tenant_id=service).already_landed == 1
    table = lake.read("raw/usage_events")
    assert table is not None
    events = (
        pl.DataFrame(table)
        .with_columns(
            pl.col("properties").str.json_decode(
                pl.Struct({"context_tokens": pl.String, "generated_tokens": pl.String})
            )
        )
        .unnest("properties")
    )
    for service, expected in truth.items():
        mine = events.filter(pl.col("tenant_id") == service)
        assert mine["context_tokens"].cast(pl.Int64).sum() == expected["context_tokens"]
        assert mine["generated_tokens"].cast(pl.Int64).sum() == expected["generated_tokens"]
        minutes = mine.group_by(pl.col("occurred_at").dt.strftime("%Y-%m-%d %H:%M:00")).len()
        assert dict(minutes.iter_rows()) == {m: v["requests"] for m, v in expected["by_minute"].items()}


def test_servegen(lake: Lake) -> None:
    truth = json.loads(real("servegen/ground_truth.json").read_text())["models"]
    file = real("servegen/servegen_client_10min_requests.parquet")
    result = run(lake, file, FileMap.load(MAPS / "servegen.yaml", "usage_events"))
    assert (result.accepted, result.rejected) == (sum(m["active_windows"] for m in truth.values()), 0)
    table = lake.read("raw/usage_events")
    assert table is not None
    events = pl.DataFrame(table).with_columns(
        pl.col("customer_id").str.split(":").list.to_struct(fields=["m", "c"])
    )
    events = events.unnest("customer_id").with_columns(
        day=(pl.col("occurred_at") - pl.lit(datetime(2026, 1, 1, tzinfo=UTC))).dt.total_days().cast(pl.String)
    )
    assert events["event_id"].n_unique() == len(events)
    for model, expected in truth.items():
        mine = events.filter(pl.col("m") == model)
        by_client = dict(mine.group_by("c").agg(pl.col("quantity").sum()).iter_rows())
        assert by_client == {client: Decimal(n) for client, n in expected["requests_by_client"].items()}
        by_day = dict(mine.group_by("day").agg(pl.col("quantity").sum()).iter_rows())
        assert {d: n for d, n in by_day.items() if int(d) < 14} == {
            d: Decimal(n) for d, n in expected["requests_by_day"].items()
        }


def test_a_payment_finer_than_its_currency_says_where_and_what(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(
        'payment_id: "{id}"\namount: {column: paid}\ncurrency: {column: in}\nstatus: succeeded\n'
    )
    file = tmp_path / "payments.csv"
    file.write_text("id,paid,in\np1,5.01,USD\np2,5.005,USD\np3,1000.0,JPY\np4,1000.5,JPY\np5,1.005,KWD\n")
    file_map = FileMap.load(tmp_path / "map.yaml", "payments")
    result = run(lake, file, file_map, stream="payments")
    assert (result.accepted, result.reasons) == (3, Counter(bad_number=2))
    refused = {(row["line"], row["reason"]) for row in rows(lake, "rejected")}
    assert refused == {
        (3, "amount '5.005' has more than the 2 decimals of USD; send what was really moved"),
        (5, "amount '1000.5' has more than the 0 decimals of JPY; send what was really moved"),
    }
    assert {Path(row["file"]).name for row in rows(lake, "rejected")} == {"payments.csv"}
    fixed = replay(
        lake, tenant_id="t", stream="payments", fix=lambda row: {"amount": row["amount"][:-1]}, now=NOW
    )
    assert (fixed.accepted, fixed.still_rejected) == (2, Counter())
    amounts = {row["payment_id"]: row["amount"] for row in rows(lake, "payments")}
    assert (amounts["p2"], amounts["p4"]) == (Decimal("5.00"), Decimal("1000"))


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    (tmp_path / "map.yaml").write_text(MAP)
    (tmp_path / "a.csv").write_text("id,cust,at,n,model\ne1,c,2026-01-01,1,x\ne2,c,2026-01-01,many,x\n")
    cli = CliRunner()
    arguments = ["file", "--tenant", "t", "--stream", "usage_events", "--map", str(tmp_path / "map.yaml")]
    first = cli.invoke(ingest_app, [*arguments, str(tmp_path / "a.csv")], catch_exceptions=False)
    assert first.exit_code == 0 and "bad_number 1" in first.output
    second = cli.invoke(ingest_app, [*arguments, str(tmp_path / "a.csv")], catch_exceptions=False)
    assert "nothing added" in second.output
    listed = cli.invoke(rejected_app, ["list", "--tenant", "t"], catch_exceptions=False)
    assert "a.csv:3" in listed.output and "bad_number" in listed.output
    (line,) = cli.invoke(rejected_app, ["list", "--tenant", "t", "--json"]).output.splitlines()
    assert json.loads(line)["replayed"] is False
    (tmp_path / "fix.yaml").write_text('customer_id: "{customer_id}-new"')
    replayed = cli.invoke(
        rejected_app,
        [
            "replay",
            "--tenant=t",
            "--stream=usage_events",
            "--set=quantity=2",
            f"--map={tmp_path / 'fix.yaml'}",
        ],
        catch_exceptions=False,
    )
    assert "Replayed 1 rows" in replayed.output
    table = Lake(str(tmp_path / "data/lake")).read("raw/usage_events")
    assert table is not None
    assert {(r["event_id"], r["customer_id"], r["quantity"]) for r in table.to_pylist()} == {
        ("e1", "acct-c", 1),
        ("e2", "acct-c-new", 2),
    }
    again = cli.invoke(rejected_app, ["replay", "--tenant", "t"], catch_exceptions=False)
    assert "Replayed 0 rows" in again.output
    for wrong in (["--stream", "usages"], ["--format", "xls"]):
        with pytest.raises(RatehouseError):
            cli.invoke(ingest_app, ["file", "--tenant", "t", *wrong, "a.csv"], catch_exceptions=False)
