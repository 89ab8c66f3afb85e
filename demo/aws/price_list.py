"""The Pricing API's GetProducts, which moto does not have: a small catalog with the usual traps in it.

For one instance type and region there are several products: other operating systems, licences, SQL Server, dedicated
tenancy, unused reservations. Only the full set of filters leads to exactly one. Source: Price List Query API.
"""

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from demo.aws.answers import Answer, RefusalError, json_answer
from demo.aws.calls import Call
from demo.aws.paging import Listings
from demo.aws.prices import LIST_PRICES, REGION_FACTORS, list_price

#: operatingSystem, preInstalledSw, licenseModel, operation, factor on the Linux price
_SOFTWARE = (
    ("Linux", "NA", "No License required", "RunInstances", Decimal(1)),
    ("Linux", "SQL Std", "No License required", "RunInstances:0004", Decimal("3.5")),
    ("RHEL", "NA", "No License required", "RunInstances:0010", Decimal("1.3")),
    ("SUSE", "NA", "No License required", "RunInstances:000g", Decimal("1.25")),
    ("Windows", "NA", "No License required", "RunInstances:0002", Decimal("1.9583")),
    ("Windows", "SQL Std", "No License required", "RunInstances:0006", Decimal("4.4")),
    ("Windows", "NA", "Bring your own license", "RunInstances:0800", Decimal(1)),
)
#: tenancy, capacitystatus, factor
_CAPACITY = (
    ("Shared", "Used", Decimal(1)),
    ("Shared", "UnusedCapacityReservation", Decimal(1)),
    ("Dedicated", "Used", Decimal("1.06")),
)


def get_products(call: Call, account_id: str, listings: Listings) -> Answer:
    """Products of AmazonEC2 that match every TERM_MATCH filter, each as JSON text. Raises RefusalError."""
    asked: dict[str, Any] = json.loads(call.body or b"{}")
    if asked.get("ServiceCode") != "AmazonEC2":
        raise RefusalError("NotFoundException", "Invalid service code.")
    size = int(asked.get("MaxResults") or 100)
    owner = (account_id, call.region, call.action)
    if token := asked.get("NextToken"):
        items, following = listings.next(owner, token, size)
    else:
        wanted = {entry["Field"]: entry["Value"] for entry in asked.get("Filters") or ()}
        items, following = listings.first(owner, list(_matching(wanted)), size)
    answer: dict[str, Any] = {"FormatVersion": "aws_v1", "PriceList": list(items)}
    if following:
        answer["NextToken"] = following
    return json_answer(answer)


def _matching(wanted: dict[str, str]) -> Iterator[str]:
    regions = [wanted["regionCode"]] if "regionCode" in wanted else sorted(REGION_FACTORS)
    types = [wanted["instanceType"]] if "instanceType" in wanted else sorted(LIST_PRICES)
    for region in regions:
        for instance_type in types:
            for attributes, price in _products(instance_type, region):
                if all(attributes.get(name, "").lower() == value.lower() for name, value in wanted.items()):
                    yield json.dumps(_product(attributes, price))


def _products(instance_type: str, region: str) -> Iterator[tuple[dict[str, str], Decimal]]:
    listed = list_price(instance_type, region)
    if listed is None:
        return
    for system, software, license_model, operation, factor in _SOFTWARE:
        for tenancy, status, surcharge in _CAPACITY:
            attributes = {
                "servicecode": "AmazonEC2",
                "regionCode": region,
                "locationType": "AWS Region",
                "instanceType": instance_type,
                "operatingSystem": system,
                "preInstalledSw": software,
                "licenseModel": license_model,
                "operation": operation,
                "tenancy": tenancy,
                "capacitystatus": status,
                "marketoption": "OnDemand",
            }
            price = listed * factor * surcharge
            # An unused reservation costs what its instance would; its neighbors are free.
            yield attributes, price.quantize(Decimal("0.0001"))


def _product(attributes: dict[str, str], price: Decimal) -> dict[str, Any]:
    sku = hashlib.sha256(json.dumps(attributes, sort_keys=True).encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.JRTCKXETXF", f"{sku}.JRTCKXETXF.6YS6EN2CT7"
    dimension = {
        "rateCode": rate,
        "unit": "Hrs",
        "beginRange": "0",
        "endRange": "Inf",
        "description": f"${price} per On Demand {attributes['operatingSystem']} {attributes['instanceType']} Hour",
        "appliesTo": [],
        "pricePerUnit": {"USD": f"{price:.10f}"},
    }
    return {
        "product": {"productFamily": "Compute Instance", "sku": sku, "attributes": attributes},
        "serviceCode": "AmazonEC2",
        "terms": {
            "OnDemand": {
                term: {
                    "sku": sku,
                    "offerTermCode": "JRTCKXETXF",
                    "effectiveDate": "2026-01-01T00:00:00Z",
                    "priceDimensions": {rate: dimension},
                    "termAttributes": {},
                }
            }
        },
        "version": "20260101000000",
        "publicationDate": "2026-01-01T00:00:00Z",
    }
