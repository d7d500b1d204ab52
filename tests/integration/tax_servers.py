"""AvaTax and TaxJar on loopback for tests: they calculate and keep transactions in the documented shapes, and fail as
networks do."""

from __future__ import annotations

import base64
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from urllib.parse import unquote

from tests.integration.payment_servers import Reply, Unreliable, _Quiet

ACCOUNT, KEY = "2000123456", "tax_key_never_to_be_seen"
# By region: the state, and one county of it.
RATES: dict[str, list[tuple[str, str, Decimal]]] = {
    "CA": [("State", "CALIFORNIA", Decimal("0.0625")), ("County", "LOS ANGELES", Decimal("0.01375"))],
    "NJ": [("State", "NEW JERSEY", Decimal("0.06625"))],
    "OR": [],
}
NO_ZIP = "99999"


def _cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _json(body: Any, status: int = 200) -> Reply:
    return status, json.dumps(body, default=float).encode(), "application/json"


class AvaTax(Unreliable):
    """One company, ACME. `documents` holds what it was told by (type, code), `created` how often each was saved."""

    def __init__(self) -> None:
        self.documents: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        # Calculates this much too much where it is told what was collected.
        self.off_by = Decimal(0)
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        if path.endswith("/createoradjust"):
            return "create"
        return path.rsplit("/", 1)[1] if path.endswith(("/commit", "/void")) else "find"

    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        secret = base64.b64encode(f"{ACCOUNT}:{KEY}".encode()).decode()
        if handler.headers["Authorization"] != f"Basic {secret}":
            return _json(
                {"error": {"code": "AuthenticationException", "message": "Authentication failed."}}, 401
            )
        path, _, query = handler.path.partition("?")
        if path == "/api/v2/transactions/createoradjust":
            return self._create(json.loads(body, parse_float=Decimal)["createTransactionModel"])
        found = re.fullmatch(r"/api/v2/companies/ACME/transactions/([^/]+)(/commit|/void)?", path)
        assert found, path
        kind = re.search(r"documentType=(\w+)", query)
        assert kind
        document = self.documents.get((kind[1], unquote(found[1])))
        if document is None:
            return _json({"error": {"code": "EntityNotFoundError", "message": "Document not found"}}, 404)
        if found[2] == "/commit":
            assert json.loads(body) == {"commit": True}
            document["status"] = "Committed"
        elif found[2] == "/void":
            assert json.loads(body) == {"code": "DocVoided"}
            document["status"] = "Cancelled"
        return _json(document)

    def _create(self, model: dict[str, Any]) -> Reply:
        self.requests.append(model)
        to = model["addresses"]["shipTo"]
        assert model["companyCode"] == "ACME" and model["addresses"]["shipFrom"]["postalCode"]
        if to["postalCode"] == NO_ZIP:
            message = "The postal code is invalid."
            return _json({"error": {"code": "InvalidPostalCode", "message": message, "details": []}}, 400)
        lines = []
        for line in model["lines"]:
            details = [
                {
                    "region": to["region"],
                    "jurisType": kind,
                    "jurisName": name,
                    "rate": rate,
                    "tax": _cents(line["amount"] * rate),
                }
                for kind, name, rate in RATES[to["region"]]
                # A use code of AvaTax exempts by itself, and here everywhere but in California, which knows no resale.
                if model["exemptionNo"] is None
                and (line.get("entityUseCode") is None or to["region"] == "CA")
            ]
            override = line.get("taxOverride")
            tax = sum((d["tax"] for d in details), Decimal(0))
            if override:
                assert override["type"] == "TaxAmount"
                tax = Decimal(str(override["taxAmount"])) + self.off_by
            lines.append(
                {"lineNumber": line["number"], "lineAmount": line["amount"], "tax": tax, "details": details}
            )
        document = {
            "code": model.get("code") or "temporary",
            "type": model["type"],
            "status": "Temporary",
            "totalAmount": sum(line["lineAmount"] for line in lines),
            "totalTax": sum(line["tax"] for line in lines),
            "lines": lines,
        }
        if model["type"] != "SalesOrder":
            document["status"] = "Committed" if model["commit"] else "Saved"
            self.documents[model["type"], model["code"]] = document
        return _json(document, 201)


class TaxJarServer(Unreliable):
    """`transactions` holds what it was told by (resource, id)."""

    def __init__(self) -> None:
        self.transactions: dict[tuple[str, str], dict[str, Any]] = {}
        self.requests: list[dict[str, Any]] = []
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        if path == "/v2/taxes":
            return "taxes"
        return {"GET": "find", "POST": "create", "DELETE": "delete"}[method]

    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        if handler.headers["Authorization"] != f"Bearer {KEY}":
            return _json({"status": 401, "error": "Unauthorized", "detail": "Not authorized for route"}, 401)
        path = handler.path.partition("?")[0]
        stated = json.loads(body, parse_float=Decimal) if body else {}
        if path == "/v2/taxes":
            return self._taxes(stated)
        found = re.fullmatch(r"/v2/transactions/(orders|refunds)(?:/([^/]+))?", path)
        assert found, path
        resource, name = found[1], found[1].removesuffix("s")
        key = (resource, unquote(found[2] or stated.get("transaction_id", "")))
        if handler.command == "POST":
            if key in self.transactions:
                detail = "Provider tranx already imported for your user account"
                return _json({"status": 422, "error": "Unprocessable Entity", "detail": detail}, 422)
            assert resource == "orders" or stated["transaction_reference_id"]
            self.transactions[key] = stated
            return _json({name: stated}, 201)
        if key not in self.transactions:
            return _json({"status": 404, "error": "Not Found", "detail": "Resource can not be found"}, 404)
        if handler.command == "DELETE":
            return _json({name: self.transactions.pop(key)})
        return _json({name: self.transactions[key]})

    def _taxes(self, stated: dict[str, Any]) -> Reply:
        self.requests.append(stated)
        if stated["to_zip"] == NO_ZIP:
            detail = f"to_zip {NO_ZIP} is not used within to_state {stated['to_state']}"
            return _json({"status": 400, "error": "Bad Request", "detail": detail}, 400)
        rates = dict.fromkeys(("State", "County"), Decimal(0)) | {
            kind: rate
            for kind, _, rate in RATES[stated["to_state"]]
            if stated["exemption_type"] == "non_exempt"
        }
        taxable = {
            item["id"]: item["unit_price"] if item["product_tax_code"] != "99999" else Decimal(0)
            for item in stated["line_items"]
        }
        items = [
            {
                "id": item["id"],
                "state_sales_tax_rate": rates["State"],
                "state_amount": _cents(taxable[item["id"]] * rates["State"]),
                "county_tax_rate": rates["County"],
                "county_amount": _cents(taxable[item["id"]] * rates["County"]),
                "city_tax_rate": 0,
                "city_amount": 0,
                "special_tax_rate": 0,
                "special_district_amount": 0,
            }
            for item in stated["line_items"]
        ]
        # As TaxJar does: the whole is rounded by itself, so that its parts may miss it by a cent.
        amount = sum(taxable.values())
        total = _cents(amount * sum(rates.values()))
        jurisdictions = {
            "country": stated["to_country"],
            "state": stated["to_state"],
            "county": "LOS ANGELES",
        }
        tax: dict[str, Any] = {"amount_to_collect": total, "has_nexus": True, "jurisdictions": jurisdictions}
        if RATES[stated["to_state"]]:
            tax["breakdown"] = {"line_items": items}
        return _json({"tax": tax})


class ViesServer(Unreliable):
    """The register: `numbers` says how each stands; a word in capitals is what VIES answers instead of a yes or a no."""

    def __init__(self) -> None:
        self.numbers: dict[str, str] = {}
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        return "check"

    def carry_out(self, handler: _Quiet, body: bytes) -> Reply:
        found = re.fullmatch(r"/ms/([A-Z]{2})/vat/(\w+)", handler.path)
        assert found, handler.path
        state = self.numbers.get(found[1] + found[2], "INVALID")
        return _json(
            {
                "isValid": state == "VALID",
                "requestDate": "2026-01-01T08:00:00.000Z",
                "userError": state,
                "name": "---",
                "address": "---",
                "vatNumber": found[2],
            }
        )
