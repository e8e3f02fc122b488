"""PostgreSQL as the application's role sees it: the server, the schemas, the role's limits."""

from collections.abc import Iterator

from tds_core.database import condition
from tds_core.database import migrate as migrations
from tds_core.sync.doctor.deployment import Deployment
from tds_core.sync.doctor.findings import Finding, broken, good, worth_a_look

_TESTED, _OLDEST = 18, 15
_CONNECTIONS = 50


def database(of: Deployment) -> Iterator[Finding]:
    """Whether PostgreSQL is one that carries the mirror."""
    server = condition.server(of.database)
    yield good(f"PostgreSQL {server.version} can be reached with the application's secret")
    if server.major < _OLDEST:
        yield broken(f"PostgreSQL {server.major} is too old", f"upgrade it to {_OLDEST} or newer")
    elif server.major != _TESTED:
        yield worth_a_look(f"tests run on PostgreSQL {_TESTED}, this is {server.major}", "nothing if all else is good")
    if server.is_read_only:
        yield broken("this server only reads: it is a replica", "set DatabaseHost to the writer's address")
    if server.encoding != "UTF8":
        yield broken(f"its encoding is {server.encoding}", "make the database with ENCODING 'UTF8' and restore into it")
    if server.max_connections < 2 * _CONNECTIONS:
        yield worth_a_look(
            f"it allows {server.max_connections} connections, and the functions may take {_CONNECTIONS} of them",
            f"set max_connections to {2 * _CONNECTIONS} or more",
        )
    if not server.is_encrypted:
        yield worth_a_look(
            "the connection is not encrypted", "DatabaseSslmode=verify-full, unless it never leaves the host"
        )


def migrated(of: Deployment) -> Iterator[Finding]:
    """Whether the schemas are those of this code."""
    difference = migrations.difference(of.database)
    if difference.missing:
        yield broken(f"migrations are missing: {', '.join(difference.missing)}", "run `tds migrate`, or deploy again")
    elif difference.unknown:
        yield worth_a_look(
            f"the database is newer than this code: {', '.join(difference.unknown)}",
            "nothing after a rollback, since migrations only add; else deploy the newer code",
        )
    else:
        yield good("every migration of this code is applied")


def role(of: Deployment) -> Iterator[Finding]:
    """Whether the functions' role is limited as it should be."""
    role = condition.role(of.database)
    endless = [name for name, limit in role.timeouts.items() if limit == "0"]
    if role.is_powerful:
        yield broken(
            f"{role.name} may do more than work on its tables", f"take away its attributes: ALTER ROLE {role.name}"
        )
    if endless or not 0 < role.connection_limit <= _CONNECTIONS:
        yield worth_a_look(
            f"{role.name} has no {', '.join(endless) or 'limit of connections'}", "set it as migration 0001 does"
        )
    elif not role.is_powerful:
        limits = ", ".join(f"{name} {limit}" for name, limit in role.timeouts.items())
        yield good(f"{role.name}: {role.connection_limit} connections, {limits}")
