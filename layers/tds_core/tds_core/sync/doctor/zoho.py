"""The half of a deployment's check that needs Zoho: made by the function that calls Zoho, with its own rights."""

import time
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tds_core.database.connection import Database
from tds_core.entities.spec import EntitySpec
from tds_core.errors import ScopeMissing, TdsError
from tds_core.priority import Priority
from tds_core.settings import Settings
from tds_core.sync.doctor.findings import Check, Finding, broken, examine, good, unchecked, worth_a_look
from tds_core.zoho import scopes, status
from tds_core.zoho.client import UnifiedZohoClient

LOOK_S = 30.0
_PERMIT_S = 5.0
_LOGIN, _ORGANIZATION = "login", "organisation"
_SECRET = "write client_id, client_secret and refresh_token into the secret that ZohoSecretArn names"  # noqa: S105


class ZohoDoctor:
    """Looks at token, organisation and scopes: a call for each scope, within the budget, for half a minute."""

    def __init__(
        self,
        settings: Settings,
        *,
        database: Database,
        client: UnifiedZohoClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._clock = clock
        self._until = 0.0

    def examine(self) -> list[dict[str, Any]]:
        """Make the checks."""
        self._until = self._clock() + LOOK_S
        return examine(CHECKS, self)

    def login(self) -> Iterator[Finding]:
        """Whether the secret can be read and a token is to be had."""
        self._client.authenticate()
        yield good("the Zoho secret can be read and gives an access token")
        if told := status.read(self._settings, self._database).data_centre:
            yield broken(told, "deploy with the data centre's ZohoApiUrl and ZohoAccountsUrl")

    def organization(self) -> Iterator[Finding]:
        """Whether the token sees the configured organisation, and in which zone it lives."""
        found = self._client.organization(Priority.MANUAL, permit_wait_s=self._patience_s())
        yield good(f"{found.organization_id}, {found.name or 'without a name'}, base currency {found.currency_code}")
        if found.time_zone is None or not _is_zone(found.time_zone):
            yield worth_a_look(
                f"its time zone {found.time_zone!r} is not known here; {self._settings.zoho_time_zone} is used",
                "set the organisation's zone in Zoho, or ZohoTimeZone",
            )
        else:
            yield good(f"its day ends at midnight in {found.time_zone}")

    def scopes(self) -> Iterator[Finding]:
        """Whether the token may read each list that a scope opens."""
        for scope, spec in scopes.needed().items():
            yield self._scope(scope, spec)

    def _scope(self, scope: str, spec: EntitySpec) -> Finding:
        if self._clock() >= self._until:
            return unchecked("the others took all the time; try again", about=scope)
        try:
            self._client.list_page(spec, page=1, per_page=1, priority=Priority.MANUAL, permit_wait_s=self._patience_s())
        except ScopeMissing as exc:
            return broken(str(exc), "make a refresh token with every scope of docs/deploy.md", about=scope)
        except TdsError as exc:
            return unchecked(f"{exc.reason}: {exc}", about=scope)
        return good(f"reads {spec.product}{spec.path}", about=scope)

    def _patience_s(self) -> float:
        return max(0.0, min(_PERMIT_S, self._until - self._clock()))


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return False
    return True


CHECKS = (
    Check(_LOGIN, ZohoDoctor.login, _SECRET),
    Check(_ORGANIZATION, ZohoDoctor.organization, "set ZohoOrganizationId to the id that Zoho shows", needs=_LOGIN),
    Check("scope", ZohoDoctor.scopes, "make a refresh token with every scope of docs/deploy.md", needs=_LOGIN),
)
