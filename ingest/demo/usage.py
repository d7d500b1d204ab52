"""How much everybody uses, when, and of what: clean usage events, before anything goes wrong with them.

Volume is a table of subscription x day (size, trend, weekday, noise, fading) that is shared out without a
rest, so a plan gets exactly the number of events it asks for. What an event says is made per type. Copies,
delays and defects are `ingest.demo.faults`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pyarrow as pa

from ingest.demo.companies import Company
from ingest.demo.dice import Dice, Ints
from ingest.demo.plan import DemoPlan

DAY_MS = 86_400_000
HOUR_MS = 3_600_000

# relative activity of the hours of the customer's own day
HOURS: dict[str, tuple[int, ...]] = {
    "office": (5, 4, 3, 3, 3, 5, 9, 18, 38, 60, 68, 66, 52, 58, 68, 66, 60, 46, 30, 20, 15, 12, 9, 7),
    "machine": (
        62,
        90,
        96,
        70,
        44,
        38,
        38,
        40,
        44,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        46,
        48,
        52,
    ),
    "shopping": (12, 6, 3, 2, 2, 4, 9, 18, 28, 36, 46, 62, 78, 64, 48, 46, 50, 60, 76, 88, 92, 80, 54, 28),
}
# Monday to Sunday, in hundredths
WEEKDAYS: dict[str, tuple[int, ...]] = {
    "office": (104, 112, 114, 110, 96, 38, 30),
    "machine": (100, 100, 100, 100, 100, 92, 90),
    "shopping": (88, 86, 90, 98, 124, 136, 118),
}
DIGITS = {"JPY": 0, "USD": 2, "EUR": 2, "KWD": 3}
# minor units that are worth about one yen, times 1000
YEN_WORTH = {"JPY": 1000, "USD": 660, "KWD": 2050}

Built = tuple[Ints | None, pl.Expr, dict[str, pl.Series]]


@dataclass(frozen=True)
class Kind:
    """One type of event.

    Attributes:
        event_type: its name.
        share: thousandths of the tenant's events.
        plans: whose subscriptions send it.
        rhythm: its hours and weekdays.
        build: makes the quantity in thousandths (None: 1), the JSON text, and the columns the text reads.
    """

    event_type: str
    share: int
    plans: tuple[str, ...]
    rhythm: str
    build: Callable[[Draw], Built]


@dataclass
class Draw:
    """The events of one kind that `Kind.build` fills with content, ordered by subscription and instant."""

    plan: DemoPlan
    of: Company
    dice: Dice
    sub: Ints
    day: Ints
    trend: Ints  # subscription x day, 1000 = the start

    @property
    def size(self) -> int:
        """How many events."""
        return len(self.sub)

    @cached_property
    def scale(self) -> Ints:
        """How big the customer of each event is: 1 to 12."""
        ranks = np.array([s.customer.rank for s in self.of.subscriptions], dtype=np.int64)
        return np.asarray(np.maximum(36 // (ranks + 3), 1))[self.sub]

    def trend_of_event(self) -> Ints:
        """The customer's trend on the day of each event, in thousandths of its start."""
        return np.asarray(self.trend[self.sub, self.day])

    def words(self, words: tuple[str, ...], weights: tuple[int, ...]) -> pl.Series:
        """One word an event, by weight; which words are common differs from subscription to subscription."""
        table = np.repeat(np.arange(len(words), dtype=np.int64), weights)
        turn = self.dice.below(len(words), len(self.of.subscriptions))
        # a third of the subscriptions prefer another word than most
        turn = np.where(turn * 3 < len(words) * 2, 0, turn)
        codes = (table[self.dice.below(len(table), self.size)] + turn[self.sub]) % len(words)
        return texts(words, codes)


def texts(words: tuple[str, ...] | list[str | None], codes: Ints) -> pl.Series:
    """The word of each code."""
    return pl.Series(words, dtype=pl.String).gather(pl.Series(codes.astype(np.uint32)))


def decimals(values: Ints, digits: int) -> pl.DataFrame:
    """Whole and fraction of minor units, ready for `plain`."""
    scale = 10**digits
    return pl.DataFrame({"whole": values // scale, "part": values % scale})


def plain(values: Ints, digits: int) -> pl.Series:
    """Minor units as plain decimal text with all its digits: 1234 with 2 digits is 12.34."""
    if digits == 0:
        return pl.Series(values).cast(pl.String)
    whole, part = pl.col("whole").cast(pl.String), pl.col("part").cast(pl.String).str.zfill(digits)
    return decimals(values, digits).select(pl.concat_str(whole, pl.lit("."), part).alias("x")).to_series()


def quantity(values: Ints, digits: int) -> pl.Series:
    """Integers of 10**-digits as decimal(28,10), without a float on the way."""
    low = values * 10 ** (10 - digits)
    words = np.empty((len(values), 2), dtype="<i8")
    words[:, 0] = low
    words[:, 1] = low >> 63
    array = pa.Array.from_buffers(pa.decimal128(28, 10), len(values), [None, pa.py_buffer(words.tobytes())])
    return pl.Series("quantity", array)


# --- what the events say ------------------------------------------------------------------------------------


def _completion(draw: Draw) -> Built:
    """A minute of model calls of one client: requests as the quantity, tokens both ways, region, status."""
    dice, size = draw.dice, draw.size
    requests = 1 + (dice.below(40, size) * (10 + dice.below(90, size)) // 40) * draw.scale // 2
    # the newest model exists from the day its price book starts
    since = (
        (draw.of.seller.migrates_to[1] - draw.plan.start).days
        if draw.of.seller.migrates_to
        else draw.plan.days
    )
    model = dice.below(20, size)
    large = 4 + dice.below(5, len(draw.of.subscriptions))[draw.sub]
    code = np.where(model < large, 1, 0)
    code = np.where(
        (draw.day >= since) & (model >= 20 - np.minimum((draw.day - since) // 20 + 1, 4)), 2, code
    )
    columns = {
        "input": pl.Series(requests * (120 + dice.below(3_600, size))),
        "model": texts(("atlas-mini", "atlas-large", "atlas-3"), code),
        "output": pl.Series(requests * (20 + dice.below(700, size))),
        "region": draw.words(("us", "eu", "ap"), (12, 6, 2)),
        "status": texts(("ok", "error"), dice.hits(18_000, size).astype(np.int64)),
    }
    text = pl.concat_str(
        pl.lit('{"input_tokens":'),
        pl.col("input"),
        pl.lit(',"model":"'),
        "model",
        pl.lit('","output_tokens":'),
        pl.col("output"),
        pl.lit(',"region":"'),
        "region",
        pl.lit('","status":"'),
        "status",
        pl.lit('"}'),
    )
    return requests * 1000, text, columns


def _tool(draw: Draw) -> Built:
    cost = 5 + draw.dice.below(400, draw.size) * draw.dice.below(100, draw.size) * draw.scale // 100
    columns = {
        "cost": plain(cost, 4),
        "tool": draw.words(("web-search", "code-runner", "maps", "ocr"), (9, 5, 3, 3)),
    }
    return (
        None,
        pl.concat_str(pl.lit('{"cost":"'), "cost", pl.lit('","tool":"'), "tool", pl.lit('"}')),
        columns,
    )


def _finetune(draw: Draw) -> Built:
    minutes = 20 + draw.dice.below(2_200, draw.size) * draw.scale // 3  # tenths
    columns = {"minutes": plain(minutes, 1), "base": draw.words(("atlas-mini", "atlas-large"), (4, 1))}
    return (
        None,
        pl.concat_str(
            pl.lit('{"base_model":"'), "base", pl.lit('","gpu_minutes":"'), "minutes", pl.lit('"}')
        ),
        columns,
    )


def _concurrency(draw: Draw) -> Built:
    streams = 1 + draw.dice.below(28, draw.size) * draw.scale * draw.trend_of_event() // 1000 // 2
    return (
        None,
        pl.concat_str(pl.lit('{"streams":'), pl.col("streams"), pl.lit("}")),
        {"streams": pl.Series(streams)},
    )


def _storage(draw: Draw) -> Built:
    """Changes of a level that wanders around the trend; their sum is the level, so it is never negative."""
    cold = draw.dice.below(10, draw.size) < 3
    base = (
        (20_000 + draw.dice.below(60_000, len(draw.of.subscriptions)))[draw.sub] * draw.scale * draw.scale
    )  # thousandths of GB
    level = base * draw.trend_of_event() // 1000 * (940 + draw.dice.below(121, draw.size)) // 100
    level = np.where(cold, level * 2, level)
    group = draw.sub * 2 + cold
    order = np.argsort(group, kind="stable")
    before = np.concatenate([[0], level[order][:-1]])
    first = np.concatenate([[True], group[order][1:] != group[order][:-1]])[: draw.size]
    change = np.empty_like(level)
    change[order] = level[order] - np.where(first, 0, before[: draw.size])
    return (
        change,
        pl.concat_str(pl.lit('{"class":"'), "class", pl.lit('"}')),
        {"class": texts(("hot", "cold"), cold.astype(np.int64))},
    )


def _backup(draw: Draw) -> Built:
    base = (50 + draw.dice.below(900, len(draw.of.subscriptions)))[draw.sub] * draw.scale * draw.scale
    gb = base * draw.trend_of_event() // 1000 * (97 + draw.dice.below(7, draw.size)) // 100
    return None, pl.concat_str(pl.lit('{"gb":'), pl.col("gb"), pl.lit("}")), {"gb": pl.Series(gb)}


def _egress(draw: Draw) -> Built:
    amount = 50 + draw.dice.below(9_000, draw.size) * draw.dice.below(1_000, draw.size) * draw.scale // 1_000
    columns = {"region": draw.words(("eu-west", "eu-north", "eu-south"), (6, 4, 2))}
    return amount, pl.concat_str(pl.lit('{"region":"'), "region", pl.lit('"}')), columns


def _logs(draw: Draw) -> Built:
    lines = 2_000 + draw.dice.below(900_000, draw.size) * draw.scale
    mb = lines * (150 + draw.dice.below(250, draw.size)) // 10_000  # hundredths: 150 to 400 bytes a line
    columns = {
        "lines": pl.Series(lines),
        "mb": plain(mb, 2),
        "source": draw.words(("app", "edge", "db"), (6, 3, 1)),
    }
    text = pl.concat_str(
        pl.lit('{"lines":'),
        pl.col("lines"),
        pl.lit(',"mb":"'),
        "mb",
        pl.lit('","source":"'),
        "source",
        pl.lit('"}'),
    )
    return None, text, columns


def _heartbeat(draw: Draw) -> Built:
    fleet = 2 + draw.dice.below(8, len(draw.of.subscriptions))[draw.sub] * draw.scale
    host = draw.dice.below(np.minimum(fleet, 90), draw.size)
    return (
        None,
        pl.concat_str(pl.lit('{"host":"'), "host", pl.lit('"}')),
        {"host": texts([f"h-{n:02d}" for n in range(90)], host)},
    )


def _throughput(draw: Draw) -> Built:
    mbps = (80 + draw.dice.below(240, draw.size)) * draw.scale  # tenths
    return None, pl.concat_str(pl.lit('{"mbps":"'), "mbps", pl.lit('"}')), {"mbps": plain(mbps, 1)}


def _query(draw: Draw) -> Built:
    scanned = (
        10 + draw.dice.below(4_000, draw.size) * draw.dice.below(100, draw.size) * draw.scale // 100
    )  # hundredths
    return (
        None,
        pl.concat_str(pl.lit('{"scanned_gb":"'), "scanned", pl.lit('"}')),
        {"scanned": plain(scanned, 2)},
    )


def _money(draw: Draw, yen: Ints) -> pl.Series:
    """Amounts of about so many yen, in the currency of each event's customer, as text in major units."""
    codes = np.array(
        [list(DIGITS).index(s.customer.currency) for s in draw.of.subscriptions], dtype=np.int64
    )[draw.sub]
    worth = np.array([YEN_WORTH.get(code, 0) for code in DIGITS], dtype=np.int64)
    minor = np.maximum(yen * worth[codes] // 1000, 1)
    digits = np.array(list(DIGITS.values()), dtype=np.int64)[codes]
    frame = pl.DataFrame({"digits": digits} | {f"d{d}": plain(minor, d) for d in (0, 2, 3)})
    return frame.select(
        pl.when(pl.col("digits") == 0).then("d0").when(pl.col("digits") == 2).then("d2").otherwise("d3")
    ).to_series()


def _payment(draw: Draw) -> Built:
    ticket = (600 + draw.dice.below(9_000, len(draw.of.subscriptions)))[draw.sub]
    yen = ticket * (20 + draw.dice.below(200, draw.size)) // 100
    yen = np.where(draw.dice.hits(6_000, draw.size), yen * 9, yen)  # now and then somebody buys a lot
    columns = {
        "amount": _money(draw, yen),
        "method": draw.words(("card", "wallet", "konbini", "bank_transfer"), (11, 5, 3, 1)),
    }
    return (
        None,
        pl.concat_str(pl.lit('{"amount":"'), "amount", pl.lit('","method":"'), "method", pl.lit('"}')),
        columns,
    )


def _refund(draw: Draw) -> Built:
    columns = {
        "amount": _money(draw, 500 + draw.dice.below(8_000, draw.size)),
        "reason": draw.words(("returned", "duplicate", "fraud"), (12, 2, 1)),
    }
    return (
        None,
        pl.concat_str(pl.lit('{"amount":"'), "amount", pl.lit('","reason":"'), "reason", pl.lit('"}')),
        columns,
    )


def _account(draw: Draw) -> Built:
    pool = (20 + draw.dice.below(110, len(draw.of.subscriptions)))[draw.sub] * draw.scale
    account = draw.dice.below(np.maximum(pool * draw.trend_of_event() // 1000, 5), draw.size)
    columns = {"account": pl.Series(account).cast(pl.String).str.zfill(5)}
    return None, pl.concat_str(pl.lit('{"account":"a'), "account", pl.lit('"}')), columns


def _terminal(draw: Draw) -> Built:
    """A terminal is added, removed, added again: the n-th event of a terminal decides, in order of time."""
    fleet = (3 + draw.dice.below(9, len(draw.of.subscriptions)))[draw.sub] * draw.scale
    terminal = draw.dice.below(fleet, draw.size)
    seen = pl.DataFrame({"sub": draw.sub, "terminal": terminal}).select(
        pl.int_range(pl.len()).over("sub", "terminal")
    )
    columns = {
        "terminal": pl.Series(terminal).cast(pl.String),
        "operation": texts(("add", "remove"), seen.to_series().to_numpy().astype(np.int64) % 2),
    }
    text = pl.concat_str(
        pl.lit('{"operation":"'), "operation", pl.lit('","terminal":"t'), "terminal", pl.lit('"}')
    )
    return None, text, columns


def _balance(draw: Draw) -> Built:
    merchants = (
        (5 + draw.dice.below(40, len(draw.of.subscriptions)))[draw.sub] * draw.trend_of_event() // 1000
    )
    columns = {
        "balance": _money(draw, 8_000 + draw.dice.below(900_000, draw.size) * draw.scale),
        "merchants": pl.Series(merchants),
    }
    text = pl.concat_str(
        pl.lit('{"balance":"'), "balance", pl.lit('","merchants":'), pl.col("merchants"), pl.lit("}")
    )
    return None, text, columns


def _fx(draw: Draw) -> Built:
    columns = {
        "markup": _money(draw, 5 + draw.dice.below(900, draw.size)),
        "pair": draw.words(("USDJPY", "EURJPY", "KWDUSD"), (6, 3, 1)),
    }
    return (
        None,
        pl.concat_str(pl.lit('{"markup":"'), "markup", pl.lit('","pair":"'), "pair", pl.lit('"}')),
        columns,
    )


def _tps(draw: Draw) -> Built:
    tps = 1 + draw.dice.below(30, draw.size) * draw.scale
    return None, pl.concat_str(pl.lit('{"tps":'), pl.col("tps"), pl.lit("}")), {"tps": pl.Series(tps)}


_ACME_ALL = ("enterprise", "scale", "team", "developer")
_PAYING = ("marketplace", "business", "shop")
KINDS: dict[str, tuple[Kind, ...]] = {
    "acme": (
        Kind("llm.completion", 880, _ACME_ALL, "office", _completion),
        Kind("tool.call", 80, _ACME_ALL, "office", _tool),
        Kind("finetune.run", 8, ("enterprise", "scale", "team"), "machine", _finetune),
        Kind("gauge.concurrency", 32, ("enterprise", "scale"), "office", _concurrency),
    ),
    "nordlys": (
        Kind("storage.change", 270, ("platform", "vault"), "machine", _storage),
        Kind("backup.level", 50, ("platform", "vault"), "machine", _backup),
        Kind("egress", 260, ("platform", "vault"), "office", _egress),
        Kind("logs.ingested", 230, ("platform", "watch"), "machine", _logs),
        Kind("host.heartbeat", 120, ("platform", "watch"), "machine", _heartbeat),
        Kind("throughput.sample", 20, ("platform",), "machine", _throughput),
        Kind("query.run", 50, ("platform", "watch"), "office", _query),
    ),
    "kumo": (
        Kind("payment.captured", 810, _PAYING, "shopping", _payment),
        Kind("payment.refunded", 50, _PAYING, "office", _refund),
        Kind("account.active", 80, ("marketplace",), "shopping", _account),
        Kind("terminal.changed", 10, ("business",), "office", _terminal),
        Kind("balance.reported", 15, ("marketplace", "business"), "machine", _balance),
        Kind("fx.converted", 20, ("marketplace", "shop"), "shopping", _fx),
        Kind("gauge.tps", 15, ("marketplace",), "shopping", _tps),
    ),
}


# --- volume and time ----------------------------------------------------------------------------------------


def _trend(plan: DemoPlan, of: Company, dice: Dice) -> Ints:
    """Subscription x day in thousandths: zero before the start, a ramp of three weeks, growth, fading."""
    subs = of.subscriptions
    start = np.array([s.start_day for s in subs], dtype=np.int64)
    fades = np.array([plan.days if s.fades_on is None else s.fades_on for s in subs], dtype=np.int64)
    growth = np.array([s.growth_ppm for s in subs], dtype=np.int64)
    # who was a customer before the demo starts has no ramp; a third of the fading end at once
    newcomer, sudden = start > 0, dice.below(3, len(subs)) == 0
    level = np.full(len(subs), 1_000_000, dtype=np.int64)
    table = np.zeros((len(subs), plan.days), dtype=np.int64)
    for day in range(plan.days):
        rate = np.where(day >= fades, np.where(sudden, -600_000, -90_000), growth)
        level = np.where(day > start, level * (1_000_000 + rate) // 1_000_000, level)
        ramp = np.where(newcomer, np.clip(day - start + 2, 0, 21), 21)
        table[:, day] = np.where(day >= start, level * ramp // 21_000, 0)
    return table


def _counts(weights: Ints, total: int) -> Ints:
    """Share `total` events out in proportion, by cumulative difference: the parts sum to it exactly."""
    flat = weights.ravel()
    # integers must hold the product of the running sum and the total
    while int(flat.sum()) * total >= 2**62:
        flat = flat >> 1
    upto = np.cumsum(flat) * total // int(flat.sum())
    return np.diff(upto, prepend=0)


def _offsets(plan: DemoPlan, of: Company) -> Ints:
    """Subscription x day: milliseconds that the customer's clock is ahead of UTC at noon."""
    per_zone: dict[str, list[int]] = {}
    for zone in {s.customer.place.timezone for s in of.subscriptions}:
        noons = (
            datetime.combine(plan.start + timedelta(days=d), time(12), ZoneInfo(zone))
            for d in range(plan.days)
        )
        per_zone[zone] = [int((noon.utcoffset() or timedelta()).total_seconds()) * 1000 for noon in noons]
    return np.array([per_zone[s.customer.place.timezone] for s in of.subscriptions], dtype=np.int64)


def usage(plan: DemoPlan, of: Company, events: int) -> pl.DataFrame:
    """`events` clean events of one tenant in order of time.

    Returns:
        customer_id, subscription_id, event_type, occurred_at (UTC), quantity decimal(28,10), properties
        (canonical JSON).
    """
    trend = _trend(plan, of, Dice(plan.seed, of.tenant_id, "trend"))
    noise = Dice(plan.seed, of.tenant_id, "noise")
    weight = np.array([s.weight for s in of.subscriptions], dtype=np.int64)
    weekday = (np.arange(plan.days) + plan.start.weekday()) % 7
    offsets = _offsets(plan, of)
    start_ms = int(datetime.combine(plan.start, time(), UTC).timestamp()) * 1000

    able: list[tuple[Kind, Ints]] = []
    for kind in KINDS[of.tenant_id]:
        sends = np.array([s.plan in kind.plans for s in of.subscriptions], dtype=np.int64)
        rhythm = np.array(WEEKDAYS[kind.rhythm], dtype=np.int64)[weekday]
        wobble = noise.between(65, 135, trend.size).reshape(trend.shape)
        wobble = np.where(noise.hits(2_500, trend.size).reshape(trend.shape), wobble * 3, wobble)
        cells = (weight * sends)[:, None] // 1000 * trend // 10 * rhythm[None, :] // 100 * wobble // 100
        if cells.any():
            able.append((kind, cells))

    frames: list[pl.DataFrame] = []
    shares = _counts(np.array([kind.share for kind, _ in able], dtype=np.int64), events)
    for (kind, cells), total in zip(able, shares.tolist(), strict=True):
        if total == 0:
            continue
        dice = Dice(plan.seed, of.tenant_id, kind.event_type)
        cell = np.repeat(np.arange(cells.size, dtype=np.int64), _counts(cells, total))
        sub, day = cell // plan.days, cell % plan.days
        hours = np.repeat(np.arange(24, dtype=np.int64), HOURS[kind.rhythm])
        local = day * DAY_MS + hours[dice.below(len(hours), total)] * HOUR_MS + dice.below(HOUR_MS, total)
        occurred = local - offsets[sub, day]
        # by subscription and instant: levels and memberships are built in this order
        order = np.argsort((sub << 40) + occurred, kind="stable")
        sub, day, occurred = sub[order], day[order], occurred[order]
        amount, text, columns = kind.build(Draw(plan, of, dice, sub, day, trend))
        frames.append(
            pl.DataFrame(
                {
                    "customer_id": texts([s.customer.customer_id for s in of.subscriptions], sub),
                    "subscription_id": texts(
                        [s.subscription_id if s.named else None for s in of.subscriptions], sub
                    ),
                    "event_type": texts((kind.event_type,), np.zeros(total, dtype=np.int64)),
                    "occurred_at": pl.Series((start_ms + occurred) * 1000).cast(pl.Datetime("us", "UTC")),
                    "quantity": quantity(np.full(total, 1000) if amount is None else amount, 3),
                    "properties": pl.DataFrame(columns).select(text.alias("x")).to_series(),
                }
            )
        )
    return pl.concat(frames).sort("occurred_at", maintain_order=True)
