"""Prices: on-demand in the shape of the Price List, spot as a history of steps; made up, plausible, repeatable."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from demo.aws.answers import Answer, ec2
from demo.aws.listing import zone_id

#: USD an hour, Linux, us-east-1 and us-west-2; other regions cost a little more.
ON_DEMAND = {
    "t3.medium": Decimal("0.0416"),
    "t3.large": Decimal("0.0832"),
    "m5.large": Decimal("0.096"),
    "m5.xlarge": Decimal("0.192"),
    "m6i.2xlarge": Decimal("0.384"),
    "c5.xlarge": Decimal("0.17"),
    "c6g.2xlarge": Decimal("0.272"),
    "r5.2xlarge": Decimal("0.504"),
    "r6g.4xlarge": Decimal("0.8064"),
    "g4dn.xlarge": Decimal("0.526"),
}
DEARER = {"eu-west-1": Decimal("1.11"), "eu-central-1": Decimal("1.2"), "ap-southeast-1": Decimal("1.25")}
#: What is added for what runs on it, by UsageOperation.
OPERATIONS = {"RunInstances": Decimal(1), "RunInstances:0002": Decimal("1.9"), "RunInstances:0010": Decimal("1.3")}
STEP = timedelta(hours=9)
WINDOW = timedelta(days=90)


def on_demand(instance_type: str, region: str, operation: str = "RunInstances") -> Decimal | None:
    """USD an hour; None where there is no such offer."""
    base, factor = ON_DEMAND.get(instance_type), OPERATIONS.get(operation)
    if base is None or factor is None:
        return None
    return base * DEARER.get(region, Decimal(1)) * factor


def get_products(asked: Mapping[str, Any]) -> Answer:
    """GetProducts: each product as a JSON string, those that match every filter."""
    filters = {item["Field"]: item["Value"] for item in asked.get("Filters", [])}
    products = [json.dumps(product) for product in _products() if _matches(product, filters)]
    body = {"FormatVersion": "aws_v1", "PriceList": products}
    return Answer(json.dumps(body).encode(), headers={"Content-Type": "application/x-amz-json-1.1"})


def _products() -> Iterator[dict[str, Any]]:
    for region in ("us-east-1", "us-west-2", *DEARER):
        for instance_type in ON_DEMAND:
            for operation in OPERATIONS:
                price = on_demand(instance_type, region, operation)
                sku = hashlib.sha256(f"{region}{instance_type}{operation}".encode()).hexdigest()[:16].upper()
                yield {
                    "product": {
                        "productFamily": "Compute Instance",
                        "sku": sku,
                        "attributes": {
                            "servicecode": "AmazonEC2",
                            "regionCode": region,
                            "instanceType": instance_type,
                            "operation": operation,
                            "operatingSystem": {"RunInstances:0002": "Windows", "RunInstances:0010": "RHEL"}.get(
                                operation, "Linux"
                            ),
                            "tenancy": "Shared",
                            "capacitystatus": "Used",
                            "preInstalledSw": "NA",
                            "licenseModel": "No License required",
                            "marketoption": "OnDemand",
                        },
                    },
                    "serviceCode": "AmazonEC2",
                    "terms": {
                        "OnDemand": {
                            f"{sku}.JRTCKXETXF": {
                                "priceDimensions": {
                                    f"{sku}.JRTCKXETXF.6YS6EN2CT7": {
                                        "unit": "Hrs",
                                        "pricePerUnit": {"USD": f"{price:.10f}"},
                                    }
                                }
                            }
                        }
                    },
                }


def _matches(product: Mapping[str, Any], filters: Mapping[str, str]) -> bool:
    attributes = product["product"]["attributes"] | {"ServiceCode": "AmazonEC2"}
    return all(attributes.get(name) == value for name, value in filters.items())


def spot_history(params: Mapping[str, str], region: str) -> Answer:
    """DescribeSpotPriceHistory: newest first, with the price in force at StartTime."""
    now = datetime.now(UTC).replace(microsecond=0)
    start = _time(params.get("StartTime")) or now - WINDOW
    end = _time(params.get("EndTime")) or now
    types = _indexed(params, "InstanceType") or list(ON_DEMAND)
    zones = (
        [params["AvailabilityZone"]] if params.get("AvailabilityZone") else [f"{region}{letter}" for letter in "abc"]
    )
    products = _indexed(params, "ProductDescription") or ["Linux/UNIX"]
    rows = [
        (at, instance_type, zone, price)
        for instance_type in types
        if instance_type in ON_DEMAND and "Linux/UNIX" in products
        for zone in zones
        for at, price in _steps(instance_type, region, zone, max(start, now - WINDOW), end)
    ]
    rows.sort(key=lambda row: row[0], reverse=True)
    size = int(params.get("MaxResults", "1000"))
    begin = int(params.get("NextToken") or 0)
    items = "".join(
        f"<item><instanceType>{instance_type}</instanceType><productDescription>Linux/UNIX</productDescription>"
        f"<spotPrice>{price}</spotPrice><timestamp>{at:%Y-%m-%dT%H:%M:%S.000Z}</timestamp>"
        f"<availabilityZone>{zone}</availabilityZone><availabilityZoneId>{zone_id(zone)}</availabilityZoneId></item>"
        for at, instance_type, zone, price in rows[begin : begin + size]
    )
    following = str(begin + size) if begin + size < len(rows) else ""
    return ec2(
        "DescribeSpotPriceHistory",
        f"<spotPriceHistorySet>{items}</spotPriceHistorySet><nextToken>{following}</nextToken>",
    )


def _steps(
    instance_type: str, region: str, zone: str, start: datetime, end: datetime
) -> Iterator[tuple[datetime, str]]:
    """Changes from the last one before `start` up to `end`: between a fifth and a half of the on-demand price."""
    price = on_demand(instance_type, region)
    assert price is not None
    origin = datetime(2026, 1, 1, tzinfo=UTC)
    first, last = (start - origin) // STEP, (end - origin) // STEP
    for index in range(first, last + 1):
        noise = int(hashlib.sha256(f"{instance_type}{zone}{index}".encode()).hexdigest()[:4], 16) / 0xFFFF
        yield origin + index * STEP, f"{price * Decimal(str(round(0.2 + 0.3 * noise, 4))):.6f}"


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _indexed(params: Mapping[str, str], name: str) -> list[str]:
    return [value for key, value in params.items() if key.startswith(f"{name}.")]
