"""The error tree, grouped by what the caller does.

TdsError
├── RetriableError          try again later; never leads to a dead letter by itself
│   ├── DatabaseUnavailable     PostgreSQL cannot be reached or broke off; nothing was committed
│   ├── PermitDenied            the call budget says wait: `reason` and `wait_s` tell how long
│   ├── ZohoThrottled           Zoho answered 429 (code 44 or 1070), or 45: the day is used up
│   ├── ZohoUnavailable         5xx, HTML, truncated or no answer; counts for the circuit breaker
│   ├── TokenUnavailable        no access token right now: mint limit, or another worker is minting
│   ├── DeletionDoubted         Zoho says for the first time that a record is gone, and nothing else does
│   ├── DeletionUnconfirmed     Zoho says a record is gone, but that is not proved yet
│   ├── ImageUnlisted           Zoho's list names no image of a product, but Zoho serves one
│   ├── QueueUnavailable        SQS or S3 did not store or give what it was asked to
│   ├── OutOfTime               a run's time was up before its work was done; the next one goes on
│   ├── BusUnavailable          EventBridge did not say that it has the events
│   └── StepsFailed             some steps of a run failed, the others were done
├── PermanentError          the same input fails again; dead letter or parked, with its reason
│   ├── WrongUsage              whoever asked has to ask otherwise: a command ends with 2, a page with 4xx
│   │   ├── InvalidId               not 1 to 25 ASCII digits
│   │   ├── InvalidText             holds characters that PostgreSQL cannot
│   │   ├── UnknownEntity           a name that is in no registry
│   │   ├── UnknownProduct          an id that the mirror has no live product of
│   │   └── UnknownCommand          the console has no such command, or not with these arguments
│   ├── InvalidDocument         cannot be understood as a document of its entity
│   ├── InvalidImage            an answer that is no picture, or none that is taken
│   ├── NoDeadLetter            nothing dead has this id, or has it any more
│   ├── DocumentNotFound        Zoho says code 1002: does not exist
│   ├── Unforeseen              an error of nobody's kind, at a place where one thing must not cost its neighbours
│   └── ZohoRejected            any other 4xx answer; `code` is Zoho's own
└── ConfigurationError      a person has to act; functions fail at their start
    ├── CredentialsRejected     invalid client, revoked refresh token or wrong data centre
    ├── ScopeMissing            the token may not read this endpoint (code 57)
    ├── OrganizationRejected    the organization id is not the token's (codes 6041, 4029)
    ├── FilterIgnored           a list did not honour the filter that change detection rests on
    └── AwsRefused              AWS did not answer a question about the deployment: a right, a name or the network
"""

import traceback
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


class TdsError(Exception):
    """Whatever this product raises on purpose."""

    @property
    def reason(self) -> str:
        """The class name, as it stands in logs, dead letters and tables."""
        return type(self).__name__


class RetriableError(TdsError):
    """Try again later; the input is fine."""


class DatabaseUnavailable(RetriableError):
    """PostgreSQL cannot be reached or broke off; nothing was committed."""


@dataclass(eq=False)
class PermitDenied(RetriableError):
    """The call budget says wait; `limit` is one of minute, in_flight, day, circuit."""

    limit: str
    wait_s: float

    def __str__(self) -> str:
        return f"no permit: {self.limit} limit, wait {self.wait_s:.1f} s"


@dataclass(eq=False)
class ZohoThrottled(RetriableError):
    """Zoho answered 429; `code` is 44 (minute), 45 (day) or 1070 (in flight)."""

    code: int
    retry_after_s: float

    def __str__(self) -> str:
        return f"Zoho throttled the call, code {self.code}, wait {self.retry_after_s:.0f} s"


class ZohoUnavailable(RetriableError):
    """Zoho gave a 5xx, something that is not its JSON, or no whole answer; counts for the circuit breaker."""


class TokenUnavailable(RetriableError):
    """No access token right now: the mint limit is reached or another worker is minting."""


class DeletionDoubted(RetriableError):
    """Zoho says for the first time that a live record is gone, and nothing else says so: it is asked again."""


class DeletionUnconfirmed(RetriableError):
    """Zoho says a record is gone, but no live record answered, or too many went at once."""


class ImageUnlisted(RetriableError):
    """Zoho's list names no image of a product, but Zoho serves one: which of the two is right is not known."""


class QueueUnavailable(RetriableError):
    """SQS or S3 did not confirm that it stored the message, or did not give it."""


class StepsFailed(RetriableError):
    """Some steps of a run failed, each told by name; the others were done."""


class OutOfTime(RetriableError):
    """A run's time was up before its work was done; what it did is kept."""


class BusUnavailable(RetriableError):
    """EventBridge did not say that it has the events; they stay in the outbox."""


class PermanentError(TdsError):
    """The same input fails again."""


class Unforeseen(PermanentError):
    """An error of nobody's kind: a defect, told by its kind and place, since its text may hold what nobody may read."""


def foreseen(exc: Exception) -> TdsError:
    """The error itself if it is one of this tree, else Unforeseen; for the edges where one must not cost the others."""
    if isinstance(exc, TdsError):
        return exc
    place = traceback.extract_tb(exc.__traceback__)[-1]
    return Unforeseen(f"{type(exc).__name__} in {Path(place.filename).name}:{place.lineno}")


class WrongUsage(PermanentError):
    """Whoever asked has to ask otherwise."""


class InvalidId(WrongUsage):
    """Not 1 to 25 ASCII digits, so it may reach neither a URL nor a key."""


class InvalidText(WrongUsage):
    """Holds characters that PostgreSQL cannot: NUL, or half of a pair of surrogates."""


class UnknownEntity(WrongUsage):
    """A name that is in no registry."""


class UnknownProduct(WrongUsage):
    """An id that the mirror has no live product of."""


class UnknownCommand(WrongUsage):
    """The console has no such command, or not with these arguments."""


class InvalidDocument(PermanentError):
    """Cannot be understood as a document of its entity."""


class InvalidImage(PermanentError):
    """An answer that is no picture, or none that is taken; the message says what it is instead."""


class NoDeadLetter(PermanentError):
    """Nothing dead has this id, or has it any more."""


@dataclass(eq=False)
class DocumentNotFound(PermanentError):
    """Zoho says code 1002: the record did not exist at `observed_at`, the fetch's permit on PostgreSQL's clock."""

    observed_at: datetime

    def __str__(self) -> str:
        return "Zoho says code 1002: the record does not exist"


@dataclass(eq=False)
class ZohoRejected(PermanentError):
    """Zoho refused the call with a 4xx that no retry will change."""

    status: int
    code: int | None

    def __str__(self) -> str:
        return f"Zoho rejected the call: HTTP {self.status}, code {self.code}"


class ConfigurationError(TdsError):
    """A person has to act: a setting, secret, scope or permission is wrong."""


class CredentialsRejected(ConfigurationError):
    """The token host refused the client, the refresh token or the data centre."""


class ScopeMissing(ConfigurationError):
    """The token may not read this endpoint (HTTP 401, code 57)."""


class OrganizationRejected(ConfigurationError):
    """The organization id does not belong to the token (codes 6041, 4029)."""


class FilterIgnored(ConfigurationError):
    """A list returned rows that its filter excludes, so it cannot be used to find changes."""


class AwsRefused(ConfigurationError):
    """AWS did not answer a question about the deployment: a right is missing, a name wrong, or the network shut."""


def is_permanent(reason: str) -> bool:
    """Whether a stored reason ("InvalidDocument: cannot read date") says that the same input fails again.

    What nobody gave a reason for was not refused, only never finished; a reason that no class here has is permanent.
    """
    return bool(reason) and not _is_a(reason, RetriableError)


def is_wrong_usage(reason: str) -> bool:
    """Whether whoever asked has to ask otherwise."""
    return _is_a(reason, WrongUsage)


def _is_a(reason: str, tree: type[TdsError]) -> bool:
    kind = globals().get(reason.partition(":")[0])
    return isinstance(kind, type) and issubclass(kind, tree)
