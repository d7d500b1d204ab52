"""Resources: which night it is. What a night does belongs to the assets.

The installation's settings are a resource too, the plain `ratehouse.settings.Settings`; nothing here wraps
them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from dagster import ConfigurableResource
from pydantic import Field

from ratehouse.configuration import Configuration
from ratehouse.errors import RatehouseError
from ratehouse.periods import local_day, start_of_day


class BillingNight(ConfigurableResource[None]):
    """The night a run is about. The schedule fills it in; left empty, it is the running day of every tenant.

    Attributes:
        bill_day: the local day that begins, ISO; empty means each tenant's own today.
        known_as_of: up to when facts count, ISO with offset; empty means now.
        tenants: whose night it is; empty means all.
    """

    bill_day: str = ""
    known_as_of: str = ""
    tenants: list[str] = Field(default_factory=list)

    def day_of(self, zone: str) -> date:
        """The local day that is billed in a zone."""
        return date.fromisoformat(self.bill_day) if self.bill_day else local_day(datetime.now(UTC), zone)

    def days(self, configuration: Configuration) -> dict[date, list[str]]:
        """The tenants of the night by the day that is billed; one that is not in order is not among them.

        Raises:
            RatehouseError: an unknown tenant.
        """
        unknown = sorted(set(self.tenants) - set(configuration.tenants) - set(configuration.failures))
        if unknown:
            raise RatehouseError(f"There is no tenant {', '.join(unknown)}; see the tenants folder.")
        days: dict[date, list[str]] = {}
        for name, tenant in configuration.tenants.items():
            if not self.tenants or name in self.tenants:
                days.setdefault(self.day_of(tenant.timezone), []).append(name)
        return days

    def starts(self, configuration: Configuration) -> dict[str, datetime]:
        """The instant (UTC) at which each tenant's day begins."""
        return {
            name: start_of_day(day, configuration.tenants[name].timezone)
            for day, names in self.days(configuration).items()
            for name in names
        }

    @property
    def known(self) -> datetime | None:
        """`known_as_of` as an instant; None means now."""
        return datetime.fromisoformat(self.known_as_of) if self.known_as_of else None
