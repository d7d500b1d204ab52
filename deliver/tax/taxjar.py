"""TaxJar v2: tax of a document, and documents for the returns that TaxJar files.

TaxJar calculates an order and keeps nothing of it. A document that was issued is an order or a refund under our code,
with our tax.
"""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from deliver.http import Endpoint, Http, Unanswered
from deliver.tax.provider import Environment, Recorded, exact, exemptions

# The product code of what bears no tax whatever it is.
_EXEMPT_PRODUCT = "99999"
_RESOURCES = {"sale": ("orders", "order"), "return": ("refunds", "refund")}


class TaxJar:
    """One account of TaxJar: RATEHOUSE_TAXJAR_<TENANT>_KEY, and unless the default will do _URL and _TIMEOUT."""

    name = "taxjar"

    def __init__(self, endpoint: Endpoint, wait: Callable[[float], None] = time.sleep) -> None:
        self._http = Http(endpoint, wait)

    @classmethod
    def load(
        cls,
        tenant_id: str,
        environ: Mapping[str, str] | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> TaxJar:
        """The account of a tenant.

        Raises:
            TaxError: a part of it is not in the environment.
        """
        env = Environment("taxjar", tenant_id, environ)
        headers = {"Authorization": f"Bearer {env.need('KEY')}"}
        return cls(Endpoint("taxjar", env.url("https://api.taxjar.com"), headers, env.seconds()), wait)

    def quote(self, request: Mapping[str, Any]) -> Any:
        """See `Provider.quote`."""
        items = [
            {
                "id": item["no"],
                "quantity": 1,
                "product_tax_code": _product(request, item),
                "unit_price": exact(item["amount"]),
            }
            for item in request["items"]
        ]
        body = {**_places(request), "shipping": 0, "line_items": items}
        answer = self._http.send("POST", "/v2/taxes", body=body)
        if not isinstance(answer.body, dict) or "amount_to_collect" not in (answer.body.get("tax") or {}):
            raise Unanswered("the answer names no amount_to_collect")
        return answer.body

    def find(self, transaction: Mapping[str, Any]) -> Recorded | None:
        """See `Provider.find`."""
        answer = self._http.send("GET", self._path(transaction), accept=(404,))
        return None if answer.status == 404 else self._recorded(transaction, answer.body)

    def record(self, transaction: Mapping[str, Any]) -> Recorded:
        """See `Provider.record`; a second transaction of the same code is refused by TaxJar."""
        resource, _ = _RESOURCES[transaction["type"]]
        body = {
            **_places(transaction),
            "transaction_id": transaction["code"],
            "transaction_date": transaction["tax_on"],
            "transaction_reference_id": transaction.get("corrects"),
            "amount": sum(exact(item["amount"]) for item in transaction["items"]),
            "shipping": 0,
            "sales_tax": exact(transaction["tax"]),
            "line_items": [
                {
                    "id": item["no"],
                    "quantity": 1,
                    "product_tax_code": _product(transaction, item),
                    "description": item.get("description"),
                    "unit_price": exact(item["amount"]),
                    "sales_tax": exact(item["tax"]),
                }
                for item in transaction["items"]
            ],
        }
        answer = self._http.send("POST", f"/v2/transactions/{resource}", body=body)
        return self._recorded(transaction, answer.body)

    def void(self, transaction: Mapping[str, Any]) -> None:
        """See `Provider.void`: TaxJar deletes it."""
        self._http.send("DELETE", self._path(transaction), accept=(404,))

    @staticmethod
    def _path(transaction: Mapping[str, Any]) -> str:
        resource, _ = _RESOURCES[transaction["type"]]
        return f"/v2/transactions/{resource}/{urllib.parse.quote(str(transaction['code']), safe='')}"

    @staticmethod
    def _recorded(transaction: Mapping[str, Any], body: Any) -> Recorded:
        _, name = _RESOURCES[transaction["type"]]
        found = body.get(name) if isinstance(body, dict) else None
        if not isinstance(found, dict) or "sales_tax" not in found:
            raise Unanswered(f"the answer names no {name}")
        # What TaxJar has is reported.
        return Recorded(str(found.get("transaction_id")), exact(found["sales_tax"]), is_final=True)


def _places(request: Mapping[str, Any]) -> dict[str, Any]:
    """What a question and a record have in common."""
    origin, destination = request["origin"], request["destination"]
    lines = destination.get("lines") or []
    return {
        "from_country": origin["country"],
        "from_zip": origin["postal_code"],
        "from_state": origin.get("region"),
        "from_city": origin.get("city"),
        "from_street": origin.get("line"),
        "to_country": destination["country"],
        "to_zip": destination.get("postal_code"),
        "to_state": destination.get("region"),
        "to_street": lines[0] if lines else None,
        "exemption_type": _exemption_type(request),
        "customer_id": request["customer_id"],
    }


def _exemption_type(request: Mapping[str, Any]) -> str:
    """TaxJar exempts an order as a whole; where certificates cover some items only, those have an exempt product code."""
    if request["exempt"]:
        return "other"
    certificates = exemptions(request)
    if not all(item["no"] in certificates for item in request["items"]):
        return "non_exempt"
    reasons = {certificate["reason"] for certificate in certificates.values()}
    if reasons == {"resale"}:
        return "wholesale"
    return "government" if all(reason.endswith("_government") for reason in reasons) else "other"


def _product(request: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    is_exempt_alone = item["no"] in exemptions(request) and _exemption_type(request) == "non_exempt"
    return _EXEMPT_PRODUCT if is_exempt_alone else item.get("tax_code")
