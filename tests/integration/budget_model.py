"""What the budget must do, told again without SQL: lists of permits and plain arithmetic."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from tds_core.priority import Priority

WINDOW = timedelta(seconds=62)
SPREAD = timedelta(seconds=10)  # in which a history may take one permit of four a minute
QUARTER = timedelta(seconds=0.25)
NEVER = datetime.min.replace(tzinfo=UTC)
HELD = timedelta(seconds=60)
DAY = timedelta(hours=24)


@dataclass
class Day:
    """One product's day as far as it is known from headers."""

    resets_at: datetime
    limit: int
    remaining: int | None = None
    used: dict[Priority, int] = field(default_factory=lambda: dict.fromkeys(Priority, 0))
    asked: dict[Priority, datetime] = field(default_factory=dict)

    def left(self, in_flight: int) -> int:
        """Calls that are left to everybody."""
        known = self.limit - sum(self.used.values()) if self.remaining is None else self.remaining
        return known - in_flight

    def allows(self, priority: Priority, *, in_flight: int, now: datetime) -> bool:
        """Whether the shares leave a call to this priority."""
        left = Fraction(self.left(in_flight))
        rest = min(max(Fraction((self.resets_at - now) / DAY), Fraction(0)), Fraction(1))
        urgent_used = self.used[Priority.WEBHOOK] + self.used[Priority.MANUAL]
        urgent = max(Fraction(15, 100) * self.limit - urgent_used, Fraction(0))
        fixed_used = self.used[Priority.POLL] + self.used[Priority.VERIFICATION]
        polls = max(Fraction(self.limit, 4), min(Fraction(500), Fraction(self.limit, 2)))
        fixed = max(min(polls - fixed_used, polls * 2 * rest), Fraction(0))
        bulk_used = {p: self.used[p] for p in (Priority.BACKFILL, Priority.IMAGES)}
        bulk = max(left - urgent - fixed, Fraction(0)) + sum(bulk_used.values())
        if priority in (Priority.POLL, Priority.VERIFICATION):
            left -= min(urgent, Fraction(15, 100) * self.limit * 2 * rest)
        if priority >= Priority.RIPPLE:
            left -= urgent + fixed
        if priority in bulk_used:
            other = Priority.IMAGES if priority is Priority.BACKFILL else Priority.BACKFILL
            share = Fraction(1, 5) if other is Priority.IMAGES else Fraction(4, 5)
            left -= max(share * bulk - self.used[other], Fraction(0)) * self._interest(other, now, rest)
        return left >= 1

    def _interest(self, priority: Priority, now: datetime, rest: Fraction) -> Fraction:
        age = now - self.asked[priority] if priority in self.asked else None
        if age is None or age >= DAY:
            return Fraction(0)
        return Fraction(1) if age < timedelta(minutes=10) else rest


@dataclass
class Window:
    """Permits that count against the minute, those in flight by who holds them, and until when a history yields."""

    taken: list[datetime] = field(default_factory=list)
    held: dict[int, datetime] = field(default_factory=dict)
    urgent_until: datetime = NEVER

    def in_window(self, now: datetime, *, window: timedelta = WINDOW, slack: timedelta = timedelta(0)) -> int:
        """Permits of the last 62 seconds, or of another time."""
        return sum(now - at <= window + slack for at in self.taken)

    def holds_a_history_back(self, now: datetime) -> bool:
        """Whether others took enough just now, or wait."""
        return self.in_window(now, window=SPREAD) > 0 or now < self.urgent_until

    def in_flight(self, now: datetime) -> int:
        """Permits that were neither ended nor have run out."""
        return sum(now - at < HELD for at in self.held.values())
