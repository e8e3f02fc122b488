"""How the parts are put together at a function's start: settings and secrets in, use cases out."""

from collections.abc import Callable, Mapping
from typing import Any

from psycopg.conninfo import make_conninfo

from tds_core import lossless_json
from tds_core.aws import Storage, publisher, secret_reader
from tds_core.database.connection import Database
from tds_core.database.mirror import Mirror
from tds_core.errors import ConfigurationError, InvalidDocument
from tds_core.settings import Settings
from tds_core.sync import silence
from tds_core.sync.alert import Alert
from tds_core.sync.console import Console
from tds_core.sync.dead_letters import DeadLetters, Places
from tds_core.sync.deletion import DeletionGuard
from tds_core.sync.doctor import Deployment, Doctor
from tds_core.sync.doctor.zoho import ZohoDoctor
from tds_core.sync.drain import Drain
from tds_core.sync.fetch import Fetcher
from tds_core.sync.health import Health
from tds_core.sync.housekeeping import Housekeeping, steps
from tds_core.sync.image_check import ImageCheck
from tds_core.sync.image_feed import ImageFeed
from tds_core.sync.image_proof import ImageProof
from tds_core.sync.image_store import ImageStore
from tds_core.sync.poll import Poll
from tds_core.sync.publish import EventBridge, Publisher
from tds_core.sync.queue import DrainWaker
from tds_core.sync.remap import Remap
from tds_core.sync.verify import Verify
from tds_core.sync.walk import Walk
from tds_core.sync.watch import Watch, counters
from tds_core.zoho.auth import ZohoCredentials
from tds_core.zoho.client import UnifiedZohoClient

_SECRET_AGE_S = 300
_DATABASE = ("database_host", "database_name", "database_secret_arn")
_ZOHO = ("zoho_api_url", "zoho_accounts_url", "zoho_secret_arn", "zoho_organization_id")


def secret(arn: str) -> Callable[[], Mapping[str, Any]]:
    """A function that gives a secret's JSON object, at most five minutes old; it raises ConfigurationError."""
    read = secret_reader(arn, max_age_s=_SECRET_AGE_S)

    def fields() -> Mapping[str, Any]:
        try:
            value = lossless_json.loads(read())
        except InvalidDocument as exc:
            raise ConfigurationError("a secret is not a JSON object") from exc
        if not isinstance(value, dict):
            raise ConfigurationError("a secret is not a JSON object")
        return value

    return fields


def conninfo(settings: Settings, login: Mapping[str, Any]) -> str:
    """libpq's connection string for a login {"username", "password"}."""
    try:
        return make_conninfo(
            host=settings.database_host,
            port=settings.database_port,
            dbname=settings.database_name,
            sslmode=settings.database_sslmode,
            sslrootcert=settings.database_ca_file or None,
            user=login["username"],
            password=login["password"],
        )
    except KeyError as exc:
        raise ConfigurationError(f"the database secret lacks {exc}") from exc


def database(settings: Settings) -> Database:
    """The application's connection."""
    login = secret(settings.require(*_DATABASE).database_secret_arn)
    return Database(lambda: conninfo(settings, login()), application_name=f"tds-{settings.function}")


def mirror(settings: Settings, connected: Database) -> Mirror:
    """The one write path."""
    return Mirror(connected, ripple_hold_s=settings.ripple_hold_s)


def client(settings: Settings) -> UnifiedZohoClient:
    """The only access to Zoho, with a connection of its own, so that permits wait for no transaction."""
    read = secret(settings.require(*_ZOHO).zoho_secret_arn)

    def credentials() -> ZohoCredentials:
        fields = read()
        try:
            return ZohoCredentials(
                client_id=fields["client_id"],
                client_secret=fields["client_secret"],
                refresh_token=fields["refresh_token"],
            )
        except KeyError as exc:
            raise ConfigurationError(f"the Zoho secret lacks {exc}") from exc

    return UnifiedZohoClient(settings, database(settings), credentials)


def logins(arn: str) -> Callable[[], Mapping[str, str]]:
    """The passwords by name of a secret; raises ConfigurationError unless they are texts."""
    read = secret(arn)

    def passwords() -> Mapping[str, str]:
        found = read()
        if not all(isinstance(password, str) for password in found.values()):
            raise ConfigurationError("a secret of logins holds something else than texts")
        return found

    return passwords


def console(settings: Settings) -> Console:
    """The commands of `tds`."""
    connected, starter = database(settings.require("unrouted_bucket")), DrainWaker(settings)
    places = Places.of(settings, database=connected, starter=starter)
    deployment = Deployment(settings=settings, database=connected, places=places.all)
    dead, doctor = DeadLetters(places.all, connected), Doctor(deployment)
    return Console(settings, database=connected, waker=starter, dead=dead, doctor=doctor)


def housekeeping(settings: Settings, *, gauge: Callable[[str, float], None]) -> Housekeeping:
    """What runs every minute; `gauge` sends one metric."""
    connected = database(settings)
    places = Places.of(settings, database=connected)
    health = Health(settings, database=connected, places=places, gauge=gauge)
    publisher = Publisher(settings, database=connected, bus=EventBridge(settings), gauge=gauge)
    watch = Watch(settings, database=connected, places=places, queues=counters(settings), gauge=gauge)
    tidy = steps(settings, database=connected, places=places, health=health, watch=watch)
    remap = Remap(connected, mirror(settings, connected))
    return Housekeeping(settings, connected, tidy | {"remap": remap.run, "publish": publisher.run})


def verify(settings: Settings, *, gauge: Callable[[str, float], None]) -> Verify:
    """Verification, which calls Zoho for lists, and for suspicions that it may not heal."""
    connected, zoho = database(settings), client(settings)
    guard = DeletionGuard(settings, database=connected, client=zoho)
    waker = DrainWaker(settings)
    check = ImageCheck(settings, database=connected, bucket=ImageStore(settings))
    return Verify(
        settings,
        database=connected,
        mirror=mirror(settings, connected),
        client=zoho,
        fetcher=Fetcher(zoho, guard),
        waker=waker,
        alert=Alert(settings, publish=publisher(), gauge=gauge),
        images=ImageProof(connected, check=check, waker=waker),
    )


class Backfill:
    """The modes that call Zoho."""

    def __init__(self, settings: Settings, *, gauge: Callable[[str, float], None]) -> None:
        connected = database(settings)
        zoho = client(settings)
        written = mirror(settings, connected)
        guard = DeletionGuard(settings, database=connected, client=zoho)
        self.poll = Poll(settings, database=connected, mirror=written, client=zoho)
        self.walk = Walk(settings, database=connected, mirror=written, client=zoho)
        self.drain = Drain(settings, database=connected, mirror=written, fetcher=Fetcher(zoho, guard))
        self.doctor = ZohoDoctor(settings, database=connected, client=zoho)
        self.images = ImageFeed(settings, database=connected, sender=Storage())
        self._work_s = settings.work_s
        self._settings = settings
        self._database = connected
        self._gauge = gauge

    def run(self, event: Mapping[str, Any], left_s: Callable[[], float]) -> dict[str, Any]:
        """Run the event's mode, for `work_s` at most, polls as long as it takes, and none past the function's own time.

        Images are handed on before and after it: they need not wait for a long drain, nor for the tick after a walk.
        Raises ConfigurationError for an unknown mode.
        """
        self.images.run()
        try:
            return self._run(event, left_s)
        finally:
            self.images.run()

    def _run(self, event: Mapping[str, Any], left_s: Callable[[], float]) -> dict[str, Any]:
        until = min(self._work_s, left_s())
        started = left_s()

        def remaining_s() -> float:
            return until - (started - left_s())

        match event.get("mode"):
            case "poll":
                try:
                    # a round cannot be cut in two, so it may take all of the function's time
                    return self.poll.run(left_s, force=bool(event.get("force")))
                finally:
                    silence.tell(silence.measure(self._settings, self._database), self._gauge)
            case "walk":
                return self.walk.run(remaining_s)
            case "drain":
                return self.drain.run(remaining_s)
            case "doctor":
                return {"checks": self.doctor.examine()}
        raise ConfigurationError(f"unknown mode {event.get('mode')!r}")
