"""AvaTax REST v2: tax of a document, and documents for the returns that Avalara files.

A question is a `SalesOrder`, which AvaTax calculates and forgets. A document that was issued is a `SalesInvoice` or a
`ReturnInvoice` under our code, with our tax of every line as an override, since what was collected is what is to be
paid; it is saved, compared, committed.
"""

from __future__ import annotations

import base64
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from deliver.http import Endpoint, Http, Refused, Unanswered
from deliver.tax.provider import Environment, Recorded, exact, exemptions

# Entity use codes of AvaTax.
_REASONS = {
    "federal_government": "A",
    "state_government": "B",
    "diplomat": "D",
    "charity": "E",
    "religion": "F",
    "resale": "G",
    "agriculture": "H",
    "manufacturing": "I",
    "direct_pay": "J",
    "other": "L",
    "education": "M",
    "local_government": "N",
}
_TYPES = {"sale": "SalesInvoice", "return": "ReturnInvoice"}


class Avalara:
    """One account of AvaTax: RATEHOUSE_AVALARA_<TENANT>_ACCOUNT and _KEY, and unless the default will do _URL and _TIMEOUT."""

    name = "avalara"

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        self._http = Http(endpoint, wait)

    @classmethod
    def load(
        cls,
        tenant_id: str,
        environ: Mapping[str, str] | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> Avalara:
        """The account of a tenant.

        Raises:
            TaxError: a part of it is not in the environment.
        """
        env = Environment("avalara", tenant_id, environ)
        secret = base64.b64encode(f"{env.need('ACCOUNT')}:{env.need('KEY')}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "X-Avalara-Client": "ratehouse"}
        return cls(Endpoint("avalara", env.url("https://rest.avatax.com"), headers, env.seconds()), wait)

    def quote(self, request: Mapping[str, Any]) -> Any:
        """See `Provider.quote`."""
        return self._create({**_document(request), "type": "SalesOrder", "lines": _lines(request)})

    def find(self, transaction: Mapping[str, Any]) -> Recorded | None:
        """See `Provider.find`."""
        answer = self._http.send(
            "GET",
            self._path(transaction),
            query={"documentType": _TYPES[transaction["type"]], "$include": "SummaryOnly"},
            accept=(404,),
        )
        return None if answer.status == 404 else _recorded(answer.body)

    def record(self, transaction: Mapping[str, Any]) -> Recorded:
        """See `Provider.record`; what is saved under the code already is adjusted, so that doing it twice is doing it once."""
        lines = [
            {
                **line,
                "taxOverride": {
                    "type": "TaxAmount",
                    "taxAmount": exact(item["tax"]),
                    "reason": "as on the document issued",
                },
            }
            for item, line in zip(transaction["items"], _lines(transaction), strict=True)
        ]
        saved = _recorded(
            self._create(
                {
                    **_document(transaction),
                    "type": _TYPES[transaction["type"]],
                    "code": transaction["code"],
                    "referenceCode": transaction.get("corrects"),
                    "commit": False,
                    "lines": lines,
                }
            )
        )
        if saved.tax != exact(transaction["tax"]):
            raise Refused(
                f"AvaTax saved {saved.tax} of tax where the document has {transaction['tax']}; it is not committed"
            )
        answer = self._http.send(
            "POST",
            self._path(transaction) + "/commit",
            query={"documentType": _TYPES[transaction["type"]]},
            body={"commit": True},
        )
        return _recorded(answer.body)

    def void(self, transaction: Mapping[str, Any]) -> None:
        """See `Provider.void`."""
        self._http.send(
            "POST",
            self._path(transaction) + "/void",
            query={"documentType": _TYPES[transaction["type"]]},
            body={"code": "DocVoided"},
        )

    def _create(self, document: Mapping[str, Any]) -> Any:
        answer = self._http.send(
            "POST",
            "/api/v2/transactions/createoradjust",
            query={"$include": "Lines,Details"},
            body={"createTransactionModel": document},
        )
        if not isinstance(answer.body, dict) or "totalTax" not in answer.body:
            raise Unanswered("the answer names no totalTax")
        return answer.body

    @staticmethod
    def _path(transaction: Mapping[str, Any]) -> str:
        company, code = (urllib.parse.quote(str(transaction[name]), safe="") for name in ("company", "code"))
        return f"/api/v2/companies/{company}/transactions/{code}"


def _document(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a question and a record have in common."""
    origin, destination = request["origin"], request["destination"]
    lines = destination.get("lines") or []
    return {
        "companyCode": request["company"],
        "customerCode": request["customer_id"],
        "date": request["tax_on"],
        "currencyCode": request["currency"],
        "businessIdentificationNo": request.get("tax_id"),
        # Of a customer who is exempt without a certificate of ours, Avalara has the certificate on file.
        "exemptionNo": "EXEMPT" if request["exempt"] else None,
        "addresses": {
            "shipFrom": {
                "line1": origin.get("line"),
                "city": origin.get("city"),
                "region": origin.get("region"),
                "postalCode": origin["postal_code"],
                "country": origin["country"],
            },
            "shipTo": {
                **{f"line{place}": line for place, line in enumerate(lines[:3], start=1)},
                "region": destination.get("region"),
                "postalCode": destination.get("postal_code"),
                "country": destination["country"],
            },
        },
    }


def _lines(request: Mapping[str, Any]) -> list[dict[str, Any]]:
    certificates = exemptions(request)
    return [
        {
            "number": item["no"],
            "quantity": 1,
            "amount": exact(item["amount"]),
            "taxCode": item.get("tax_code"),
            "itemCode": (item.get("description") or "")[:50] or None,
            "description": item.get("description"),
            **_exemption(certificates.get(item["no"])),
        }
        for item in request["items"]
    ]


def _exemption(certificate: Mapping[str, Any] | None) -> dict[str, str]:
    if certificate is None:
        return {}
    # AvaTax takes 25 characters; the reason alone exempts.
    return {"exemptionCode": certificate["number"][:25], "entityUseCode": _REASONS[certificate["reason"]]}


def _recorded(body: Any) -> Recorded:
    if not isinstance(body, dict) or "totalTax" not in body:
        raise Unanswered("the answer names no totalTax")
    status = body.get("status")
    return Recorded(
        str(body.get("code")), exact(body["totalTax"]), status == "Committed", is_void=status == "Cancelled"
    )
