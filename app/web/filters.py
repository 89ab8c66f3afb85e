"""Turns values into words and numbers for eyes; what a value means is decided elsewhere."""

from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flask import Flask

from app.models.mixins import utc_now
from app.web.access import find_viewer

NOTHING = "\N{EN DASH}"

_STEPS = (
    (timedelta(days=365), "year"),
    (timedelta(days=30), "month"),
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def relative_time(value: datetime | None, now: datetime | None = None) -> str:
    """`3 minutes ago`, `in 2 hours`, `just now`; the largest unit that fits, rounded down."""
    if value is None:
        return "never"
    distance = (now or utc_now()) - value
    for size, unit in _STEPS:
        if abs(distance) >= size:
            words = plural(abs(distance) // size, unit)
            return f"{words} ago" if distance > timedelta() else f"in {words}"
    return "just now"


def exact_time(value: datetime | None, zone: str | None = None) -> str:
    """`2026-11-22 21:09:36 CET` in the viewer's zone (or the given one), so that no reader has to guess which."""
    if value is None:
        return NOTHING
    local = value.astimezone(_zone(zone))
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname() or zone}"


def precise_time(value: datetime, zone: str | None = None) -> str:
    """`2026-11-22 21:09:36.123` in the viewer's zone (or the given one): for lines, of which many come in a second."""
    local = value.astimezone(_zone(zone))
    return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03}"


def clock(value: datetime | None, zone: str | None = None, now: datetime | None = None) -> str:
    """`14:02` in the viewer's zone (or the given one) for today, `2026-11-22 14:02` for another day."""
    if value is None:
        return NOTHING
    local, today = value.astimezone(_zone(zone)), (now or utc_now()).astimezone(_zone(zone)).date()
    return f"{local:%H:%M}" if local.date() == today else f"{local:%Y-%m-%d %H:%M}"


def duration(value: timedelta | None) -> str:
    """`0.4 s`, `12 s`, `3 min 12 s`, `1 h 5 min`: the two largest units, rounded down."""
    if value is None:
        return NOTHING
    seconds = max(value / timedelta(seconds=1), 0.0)
    if seconds < 10:
        return f"{int(seconds * 10) / 10:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def iso(value: datetime | None) -> str:
    """ISO 8601 in UTC to the second, for <time datetime="...">."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if value is not None else ""


def number(value: int | Decimal | None) -> str:
    """With thousands grouped: `12,345`."""
    return NOTHING if value is None else f"{value:,}"


def money(value: Decimal | None, currency: str = "USD", places: int = 2) -> str:
    """`$1,234.50`, or `1,234.50 EUR` for what has no sign of its own here; a negative keeps its minus in front."""
    if value is None:
        return NOTHING
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    sign = "\N{MINUS SIGN}" if rounded < 0 else ""
    amount = f"{abs(rounded):,}"
    return f"{sign}${amount}" if currency == "USD" else f"{sign}{amount} {currency}"


def percent_floor(part: Decimal | int | None, whole: Decimal | int | None = None, places: int = 2) -> str:
    """A share in per cent, rounded down: 99.996 % is never printed as 100 %.

    One argument is a ratio (1 = 100 %); two are part and whole. No whole, no figure: `no data`.
    """
    if part is None or (whole is not None and whole == 0):
        return "no data"
    ratio = Decimal(part) if whole is None else Decimal(part) / Decimal(whole)
    if ratio == 1:
        return "100%"
    return f"{(ratio * 100).quantize(Decimal(1).scaleb(-places), ROUND_FLOOR)}%"


def bytes_(value: int | None) -> str:
    """`1.4 MiB`: binary units, one decimal above bytes."""
    if value is None:
        return NOTHING
    size = Decimal(value)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            break
        size /= 1024
    return f"{value} B" if unit == "B" else f"{size:.1f} {unit}"


def plural(count: int, one: str, many: str | None = None) -> str:
    """`1 instance`, `12,000 instances`; give the plural when it is not the singular with an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def local_input(value: datetime) -> str:
    """For `<input type="datetime-local">`, in the viewer's zone: to the second, rounded up, so that what happened at
    that moment has happened."""
    up = value + timedelta(microseconds=-value.microsecond % 1_000_000)
    return up.astimezone(viewer_zone()).replace(tzinfo=None).isoformat(timespec="seconds")


def viewer_zone() -> ZoneInfo:
    """The zone in which times are shown to the viewer, and in which those that they enter are meant."""
    return _zone(None)


def _zone(name: str | None) -> ZoneInfo:
    if name is None:
        viewer = find_viewer()
        name = viewer.time_zone if viewer else "UTC"
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def register_filters(app: Flask) -> None:
    """Make the filters known to templates by their names."""
    for function in (
        relative_time,
        exact_time,
        precise_time,
        clock,
        duration,
        iso,
        local_input,
        number,
        money,
        percent_floor,
        plural,
    ):
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.filters["bytes"] = bytes_
