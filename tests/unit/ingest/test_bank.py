"""Bank statements of three formats: what is read, what is refused, and that landing is all or nothing and once."""

from __future__ import annotations

import gzip
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ingest.bank.csv_export import MapRefused, load_map
from ingest.bank.landing import land_statements, read_statements
from ingest.bank.statement import Statement, StatementRefused
from ratehouse.commands.ingest import app
from ratehouse.lake import Lake

NOW = datetime(2026, 2, 1, tzinfo=UTC)
IBAN = "DE89370400440532013000"
MT940 = """\
:20:STMT
:25:DE89370400440532013000
:28C:12/1
:60F:C260105EUR1000,00
:61:2601060106C58,00NTRFpo_1//BANKREF1
:86:166?00GUTSCHRIFT?20PAYOUT PO_1 TRANSFER?32STRIPE PAYMENTS
:61:2601070107D10,5NMSCNONREF
:86:monthly fee
:61:2601070107RC3,NMSCNONREF
:62F:C260107EUR1044,50
-
:20:STMT
:25:DE89370400440532013000
:28C:13/1
:60F:C260107EUR1044,50
:61:2601080108C1,NMSCNONREF
:61:2601080108C1,NMSCNONREF
:62F:C260108EUR1046,50
-
"""
CAMT = """\
<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-01-07T20:00:00</CreDtTm></GrpHdr>
<Stmt><Id>S1</Id><ElctrncSeqNb>7</ElctrncSeqNb>
<Acct><Id><IBAN>FR7630006000011234567890189</IBAN></Id><Ccy>EUR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">0.10</Amt><CdtDbtInd>DBIT</CdtDbtInd>
<Dt><Dt>2026-01-06</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">90.20</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<Dt><Dt>2026-01-07</Dt></Dt></Bal>
<Ntry><Amt Ccy="EUR">100.30</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-01-07</Dt></BookgDt><ValDt><DtTm>2026-01-08T00:00:00</DtTm></ValDt><AcctSvcrRef>R1</AcctSvcrRef>
<NtryDtls>
<TxDtls><Refs><EndToEndId>E2E-1</EndToEndId></Refs><Amt Ccy="EUR">60.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>
<AmtDtls><InstdAmt><Amt Ccy="USD">66.00</Amt></InstdAmt></AmtDtls>
<RltdPties><Dbtr><Pty><Nm>Acme Inc</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>INV-1</Ustrd></RmtInf></TxDtls>
<TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs><Amt Ccy="EUR">40.30</Amt>
<RmtInf><Strd><CdtrRefInf><Ref>RF18</Ref></CdtrRefInf></Strd></RmtInf></TxDtls>
</NtryDtls></Ntry>
<Ntry><Amt Ccy="EUR">10.00</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-01-07</Dt></BookgDt>
<NtryDtls><TxDtls><AmtDtls><InstdAmt><Amt Ccy="USD">11.00</Amt></InstdAmt></AmtDtls></TxDtls></NtryDtls>
<AddtlNtryInf>Card fee</AddtlNtryInf></Ntry>
<Ntry><Amt Ccy="EUR">5.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""
MAP = """\
account: DE1
currency: EUR
columns:
  booked_on: Buchung
  value_on: Wert
  credit: Haben
  debit: Soll
  balance: Saldo
  reference: [Zweck, Art]
date_format: "%d.%m.%Y"
decimal_mark: ","
newest_first: true
"""
CSV = """\
Buchung;Wert;Haben;Soll;Saldo;Zweck;Art
07.01.2026;08.01.2026;;0,50;1.499,50;fee;
07.01.2026;07.01.2026;1.000,00;;1.500,00;INV-1;transfer
06.01.2026;06.01.2026;;-0,50;500,00;fee;
"""


def write(folder: Path, name: str, content: str) -> Path:
    (folder / name).write_text(content, encoding="utf-8")
    return folder / name


def one(path: Path, **options: Any) -> Statement:
    (statement,) = read_statements(path, **options)
    return statement


def rows(lake: Lake, stream: str) -> list[dict[str, Any]]:
    table = lake.read(f"raw/{stream}")
    return [] if table is None else table.to_pylist()


def files(lake: Lake) -> list[str]:
    return lake.files("raw")


def test_mt940_statements_are_read_with_the_sign_of_a_reversal(tmp_path: Path) -> None:
    first, second = read_statements(write(tmp_path, "a.sta", MT940))
    assert (first.account, first.currency, first.number) == (IBAN, "EUR", "00012/00001")
    assert (first.opening, first.closing, first.closed_on) == (
        Decimal(1000),
        Decimal("1044.50"),
        date(2026, 1, 7),
    )
    assert [line.amount for line in first.lines] == [Decimal(58), Decimal("-10.5"), Decimal(-3)]
    payout = first.lines[0]
    assert (payout.reference, payout.counterparty) == (
        "po_1 GUTSCHRIFT PAYOUT PO_1 TRANSFER",
        "STRIPE PAYMENTS",
    )
    assert (payout.bank_reference, payout.value_on) == ("BANKREF1", date(2026, 1, 6))
    assert [line.end_to_end_id for line in first.lines] == ["po_1", None, None]
    assert len(second.lines) == 2


def test_camt_takes_the_details_of_an_entry_where_they_add_up_and_nothing_that_is_pending(
    tmp_path: Path,
) -> None:
    statement = one(write(tmp_path, "a.xml", CAMT))
    assert (statement.number, statement.opening, statement.closing) == (
        "00007",
        Decimal("-0.10"),
        Decimal("90.20"),
    )
    # The amount in which a customer instructed is not the amount of the account.
    assert [line.amount for line in statement.lines] == [Decimal(60), Decimal("40.30"), Decimal(-10)]
    assert [line.reference for line in statement.lines] == ["INV-1", "RF18", "Card fee"]
    assert [line.end_to_end_id for line in statement.lines] == ["E2E-1", None, None]
    assert (statement.lines[0].counterparty, statement.lines[0].value_on) == ("Acme Inc", date(2026, 1, 8))
    assert statement.lines[2].value_on == date(2026, 1, 7)


def test_csv_export_is_read_by_its_map_and_its_running_balance_is_followed(tmp_path: Path) -> None:
    bank_map = load_map(write(tmp_path, "map.yaml", MAP))
    statement = one(write(tmp_path, "a.csv", CSV), bank_map=bank_map)
    assert [line.amount for line in statement.lines] == [Decimal("-0.50"), Decimal(1000), Decimal("-0.50")]
    assert (statement.opening, statement.closing) == (Decimal("500.50"), Decimal("1499.50"))
    assert statement.lines[1].reference == "INV-1 transfer"
    broken = write(tmp_path, "b.csv", CSV.replace("1.500,00", "1.500,10"))
    with pytest.raises(
        StatementRefused, match=r"b\.csv, line 3: balance 500\.00 \+ line 1000\.00 = 1500\.00"
    ):
        one(broken, bank_map=bank_map)
    # A point that groups no three digits is a decimal mark that the map does not know.
    foreign = write(tmp_path, "c.csv", CSV.replace("1.000,00", "1000.00"))
    with pytest.raises(StatementRefused, match="no amount with the decimal mark"):
        one(foreign, bank_map=bank_map)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (MT940.replace("1044,50\n-", "1044,60\n-", 1), r"\+ 3 lines 44\.5.* = 1044\.5.* EUR.*1044\.60, \+0\.10"),
        (CAMT.replace("90.20", "90.21"), r"opening -0\.10 \+ 3 lines 90\.30 = 90\.20 EUR.*90\.21, \+0\.01"),
        (MT940.replace(":62F:C260107EUR1044,50\n", ""), "lacks its account"),
        (MT940.replace("C58,00NTRF", "C58.00NTRF"), "not every :61: line"),
        (CAMT.replace("camt.053", "camt.052"), "is no statement"),
        (CAMT.replace("</Stmt>", ""), "no XML that can be read"),
        (CAMT.replace('<Amt Ccy="EUR">10.00', '<Amt Ccy="USD">10.00'), "a line in USD"),
        ("nothing of a bank", "neither MT940 nor camt"),
    ],
)  # fmt: skip
def test_a_statement_that_cannot_be_right_is_refused_and_nothing_is_landed(
    tmp_path: Path, content: str, said: str
) -> None:
    lake = Lake(str(tmp_path / "lake"))
    good = write(tmp_path, "good.xml", CAMT)
    bad = write(tmp_path, "bad.txt", content)
    with pytest.raises(StatementRefused, match=said) as refused:
        land_statements(lake, [good, bad], tenant_id="acme", received_at=NOW)
    assert str(bad) in str(refused.value)
    assert files(lake) == []


def test_landing_again_adds_nothing_and_another_content_is_a_conflict(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    statements = [write(tmp_path, "a.sta", MT940), write(tmp_path, "a.xml", CAMT)]
    first = land_statements(lake, statements, tenant_id="acme", received_at=NOW)
    assert [landing.already_landed for landing in first] == [False] * 3
    lines = rows(lake, "bank_lines")
    assert len({line["bank_line_id"] for line in lines}) == len(lines) == 8
    assert sum(line["amount"] for line in lines) == Decimal("46.50") + Decimal("90.30")
    before = files(lake)
    packed = tmp_path / "again.sta.gz"
    packed.write_bytes(gzip.compress(MT940.encode()))
    again = land_statements(lake, [packed, *statements], tenant_id="acme")
    assert all(landing.already_landed for landing in again)
    assert files(lake) == before
    # Another tenant's statement of the same number is its own.
    other = land_statements(lake, [statements[1]], tenant_id="nordlys", received_at=NOW)
    assert [landing.already_landed for landing in other] == [False]
    before = files(lake)
    changed = write(tmp_path, "b.sta", MT940.replace("monthly fee", "another fee"))
    with pytest.raises(StatementRefused, match="known with other lines") as refused:
        land_statements(lake, [changed], tenant_id="acme", received_at=NOW)
    assert refused.value.reason_code == "duplicate_conflict"
    assert files(lake) == before


def test_exports_that_overlap_give_each_line_once(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    bank_map = load_map(write(tmp_path, "map.yaml", MAP))
    header, *lines = CSV.splitlines(keepends=True)
    older = write(tmp_path, "a.csv", header + lines[2])
    newer = write(tmp_path, "b.csv", CSV)
    for path in (older, newer, newer):
        land_statements(lake, [path], tenant_id="acme", bank_map=bank_map, received_at=NOW)
    assert len({line["bank_line_id"] for line in rows(lake, "bank_lines")}) == 3


def test_a_landing_that_was_killed_between_lines_and_statement_is_completed(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    path = write(tmp_path, "a.xml", CAMT)
    land_statements(lake, [path], tenant_id="acme", received_at=NOW)
    whole = files(lake)
    for file in whole:
        if "bank_statements" in file:
            Path(file).unlink()
    assert land_statements(lake, [path], tenant_id="acme")[0].already_landed is False
    assert files(lake) == whole


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("account: DE1", "acount: DE1"), "account: Field required"),
        (("  credit: Haben\n  debit: Soll\n", ""), "either amount, or credit and debit"),
        (("currency: EUR", "currency: euro"), "no currency code"),
    ],
)
def test_a_map_that_cannot_be_used_is_refused(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(StatementRefused, match=said):
        load_map(write(tmp_path, "map.yaml", MAP.replace(*change)))


def test_a_column_that_the_export_lacks_is_named(tmp_path: Path) -> None:
    bank_map = load_map(write(tmp_path, "map.yaml", MAP.replace("Saldo", "Stand")))
    with pytest.raises(MapRefused, match="has no column Stand"):
        one(write(tmp_path, "a.csv", CSV), bank_map=bank_map)


def test_the_command_shows_balances_and_what_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("RATEHOUSE_LAKE", str(tmp_path / "lake"))
    path = write(tmp_path, "a.xml", CAMT)
    monkeypatch.setenv("COLUMNS", "250")
    arguments = ["bank", str(path), "--tenant", "acme"]
    shown = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert shown.exit_code == 0 and "90.20 EUR" in shown.output
    again = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert "already imported" in " ".join(again.output.split())
    assert len(rows(Lake(str(tmp_path / "lake")), "bank_statements")) == 1
