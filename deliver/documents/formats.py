"""Numbers, dates and words in the language of the customer.

Belongs here: locale choice, number and date formats, the catalogue of words, making foreign text safe to
print. Does not belong here: which number is printed where (see `view`).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from copy import copy
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path

import yaml
from babel import Locale, UnknownLocaleError
from babel.dates import format_interval, format_skeleton
from babel.numbers import NumberPattern, get_currency_symbol, parse_pattern

from ratehouse.money import minor_units

CATALOGUE = Path(__file__).with_name("translations.yaml")
DEFAULT_LANGUAGE = "en"

Words = Mapping[str, str]

# Line breaks inside a value become blanks. Other controls, and the marks that reorder or hide text (a name
# must not be able to show a different amount), are dropped; what no font can show becomes the replacement
# character.
_BLANKS = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]+")
_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\xad\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
_UNPRINTABLE = re.compile(r"[\ud800-\udfff\ufdd0-\ufdef\ufff9-\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]")


def clean(text: str) -> str:
    """Text of unknown origin as one printable line; markup is left alone, escaping is the template's part."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", _HIDDEN.sub("", _BLANKS.sub(" ", text))).strip()


def catalogue(templates: Path | None = None) -> dict[str, dict[str, str]]:
    """Words by language; a tenant's `templates/translations.yaml` adds languages or replaces single words."""
    own = templates / "translations.yaml" if templates is not None else None
    changed = own.stat().st_mtime_ns if own is not None and own.is_file() else None
    return _catalogue(own if changed is not None else None, changed)


@lru_cache(maxsize=64)
def _catalogue(own: Path | None, _changed_ns: int | None) -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    if own is not None:
        for language, changes in (yaml.safe_load(own.read_text(encoding="utf-8")) or {}).items():
            base = words.get(language) or words[DEFAULT_LANGUAGE]
            words[str(language)] = {
                **base,
                **{str(key): str(value) for key, value in (changes or {}).items()},
            }
    return words


def pick_language(language: str | None, words: Mapping[str, Words]) -> str:
    """The tag itself, its base language, or English: words and formats always speak the same language.

    A region is kept where it only changes formats: `de-CH` gives Swiss numbers with German words.
    """
    tag = (language or DEFAULT_LANGUAGE).replace("_", "-")
    base = tag.split("-")[0].lower()
    return tag if base in words or tag in words else DEFAULT_LANGUAGE


class Formats:
    """Number and date formats of one language and currency.

    Args:
        language: a tag such as `de` or `de-CH`. Plain `en` writes dates day first ("1 Jan 2026", unambiguous
            everywhere); `en-US` writes "Jan 1, 2026".
        currency: ISO 4217 code; decides how many decimals an amount has.

    Raises:
        RatehouseError: the currency is unknown.
    """

    def __init__(self, language: str, currency: str) -> None:
        self.language = language
        self.currency_code = currency
        self.digits = minor_units(currency)
        self.locale = _locale(language)
        self._date_locale = Locale("en", "GB") if str(self.locale) == "en" else self.locale

    @cached_property
    def _money(self) -> NumberPattern:
        return self._pattern(self.locale.decimal_formats[None], self.digits, self.digits)

    @cached_property
    def _price(self) -> NumberPattern:
        return self._pattern(self.locale.decimal_formats[None], self.digits, 12)

    @cached_property
    def _quantity(self) -> NumberPattern:
        return self._pattern(self.locale.decimal_formats[None], 0, 10)

    @cached_property
    def _percent(self) -> NumberPattern:
        return self._pattern(self.locale.percent_formats[None], 0, 6)

    @cached_property
    def _currency(self) -> NumberPattern:
        pattern = self.locale.currency_formats["standard"].pattern
        symbol = get_currency_symbol(self.currency_code, self.locale)
        if symbol[-1].isalpha() and "¤#" in pattern:  # "KWD 1.000", not "KWD1.000"
            pattern = pattern.replace("¤#", "¤\N{NO-BREAK SPACE}#")
        return self._pattern(parse_pattern(pattern), self.digits, self.digits)

    @staticmethod
    def _pattern(pattern: NumberPattern, minimum: int, maximum: int) -> NumberPattern:
        changed = copy(pattern)
        changed.frac_prec = (minimum, maximum)
        return changed

    def amount(self, value: Decimal) -> str:
        """Money without its currency, for a column whose head names it: 1,234.50."""
        return str(self._money.apply(value, self.locale))

    def currency(self, value: Decimal) -> str:
        """Money with its currency: $1,234.50."""
        return str(
            self._currency.apply(value, self.locale, currency=self.currency_code, currency_digits=False)
        )  # fmt: skip

    def price(self, value: Decimal) -> str:
        """A unit price or exact amount: the currency's decimals or more, at most 12, no further zeros."""
        return str(self._price.apply(value, self.locale))

    def quantity(self, value: Decimal) -> str:
        """A quantity: as many decimals as it has, at most 10."""
        return str(self._quantity.apply(value, self.locale))

    def percent(self, value: Decimal) -> str:
        """20 -> "20%"."""
        return str(self._percent.apply(value / 100, self.locale))

    def date(self, value: dt.date) -> str:
        """One day."""
        return _date(value, self._date_locale)

    def period(self, start: dt.date | None, end: dt.date | None) -> str:
        """Days from `start` up to, but not including, `end`, as people say it: both days inclusive."""
        if start is None:
            return self.date(end - dt.timedelta(days=1)) if end else ""
        return _period(start, max(start, end - dt.timedelta(days=1)) if end else start, self._date_locale)


@lru_cache(maxsize=256)
def formats(language: str, currency: str) -> Formats:
    """A shared `Formats`."""
    return Formats(language, currency)


def _locale(language: str) -> Locale:
    try:
        return Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        base = language.split("-")[0].lower()
        return Locale.parse(base if base != language else DEFAULT_LANGUAGE)


@lru_cache(maxsize=4096)
def _date(value: dt.date, locale: Locale) -> str:
    return _plain(format_skeleton("yMMMd", value, locale=locale))


@lru_cache(maxsize=4096)
def _period(first: dt.date, last: dt.date, locale: Locale) -> str:
    if first == last:
        return _date(first, locale)
    return _plain(format_interval(first, last, "yMMMd", locale=locale))


def _plain(text: str) -> str:
    """Thin spaces around a dash as ordinary ones, so that people can search for a period."""
    return text.replace("\N{THIN SPACE}", " ")
