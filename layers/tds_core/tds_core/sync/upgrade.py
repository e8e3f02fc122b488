"""The migrations as a part of the deploy."""

from collections.abc import Callable

from tds_core.database.migrate import migrate
from tds_core.settings import Settings
from tds_core.sync import wiring
from tds_core.sync.custom_resource import CustomResource

_LOGINS = ("database_secret_arn", "database_reader_secret_arn")
_NEEDED = ("database_host", "database_name", "database_owner_secret_arn", *_LOGINS)


def resource(settings: Settings) -> CustomResource:
    """The migrations of this layer on the database of these settings."""
    settings.require(*_NEEDED)
    owner = wiring.secret(settings.database_owner_secret_arn)
    logins = [wiring.secret(getattr(settings, name)) for name in _LOGINS]

    def apply() -> list[str]:
        passwords = {str(login["username"]): str(login["password"]) for login in (read() for read in logins)}
        return migrate(wiring.conninfo(settings, owner()), passwords=passwords)

    return CustomResource(lambda: told(apply), name="tds-migrations")


def told(apply: Callable[[], list[str]]) -> str:
    """Apply, and say which migrations were new."""
    return f"applied {', '.join(apply()) or 'nothing new'}"
