"""The status page at the size of the business: its time when warm, its size, and the queries that cost most.

First in this process, where each query can be watched, then over HTTP from the deployed template: API Gateway, gate and
page. What an unsigned webhook takes there, which one function refuses, stands beside it: the emulator's own share.
"""

import gzip
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from psycopg import sql
from psycopg.conninfo import make_conninfo

from cli.local.stack import Wish
from tds_core.database.connection import Database, Rows, Statement
from tds_core.entities import REGISTRY
from tds_core.page.site import Site
from tds_core.settings import Settings
from tests.benchmarks.database import database
from tests.benchmarks.stack import running_stack

COUNTS = {"products": 2_221, "customers": 2_503, "vendors": 81, "invoices": 23_972, "sales_orders": 19_636}
COUNTS |= {"payments": 20_000, "credit_notes": 900, "bills": 2_400, "purchase_orders": 1_000, "inventory": 1_500}
LIMIT_MS, LIMIT_BYTES, ROUNDS = 300.0, 100_000, 15
_PAUSE_S = 0.25  # the deployed page takes five requests a second


class Timed(Database):
    """A connection that remembers how long each statement took."""

    def __init__(self, conninfo: Callable[[], str], *, application_name: str) -> None:
        super().__init__(conninfo, application_name=application_name)
        self.took: list[tuple[float, str]] = []

    def execute(self, query: Statement, parameters: Any = ()) -> Rows:
        """As ever, with a watch beside it."""
        started = time.perf_counter()
        rows = super().execute(query, parameters)
        self.took.append((time.perf_counter() - started, " ".join(str(query).split())[:90]))
        return rows


def fill(owner: Database) -> None:
    """As many rows as the business has, each with a document of some 7 KB, and three days of 10,000 changes."""
    for name, count in COUNTS.items():
        spec = REGISTRY[name]
        money = [column for column in spec.totals if column in spec.model.model_fields]
        columns = [spec.key, *money, *(["currency"] if "currency" in spec.model.model_fields else [])]
        values = [sql.SQL("n::text"), *(sql.SQL("n * 1.25") for _ in money)]
        values += [sql.SQL("(ARRAY['IQD', 'USD', 'CNY'])[n %% 3 + 1]")] * ("currency" in columns)
        owner.execute(
            sql.SQL(
                """
                INSERT INTO {table} ({columns}, zoho, detail_observed_at, observed_at, last_modified_time)
                SELECT {values}, jsonb_build_object('text', (SELECT string_agg(md5((n * 1000 + i)::text), '')
                    FROM generate_series(1, 200) AS i)), now(), now(), now() - make_interval(mins => n)
                FROM generate_series(1, %s) AS n
                """
            ).format(
                table=sql.Identifier("erp", spec.table),
                columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                values=sql.SQL(", ").join(values),
            ),
            (count,),
        )
    owner.execute(
        """
        INSERT INTO tds.change_log (at, entity, id, outcome, kind, source, observed_at, webhook, trace_id)
        SELECT now() - make_interval(secs => n * 8.6), 'invoices', n::text, 'updated', 'document',
            (ARRAY['webhook', 'poll', 'drain'])[n %% 3 + 1], now() - make_interval(secs => n * 8.6 + 0.8),
            CASE WHEN n %% 3 = 0 THEN 'invoices/updated' END, n::text
        FROM generate_series(1, %s) AS n
        """,
        (30_000,),
    )
    owner.execute(
        "INSERT INTO tds.backlog (entity, id, priority, cause) SELECT 'invoices', n::text, 6, 'walk'"
        " FROM generate_series(1, 20000) AS n"
    )
    owner.execute("VACUUM ANALYZE")


@contextmanager
def _site() -> Iterator[tuple[Site, Timed]]:
    with database() as conninfo:
        owner = Database(lambda: conninfo, application_name="bench")
        fill(owner)
        reader = Timed(lambda: make_conninfo(conninfo, user="tds_reader"), application_name="bench")
        yield Site(Settings(zoho_api_url="https://www.zohoapis.com"), database=reader), reader
        reader.close()
        owner.close()


def run() -> dict[str, Any]:
    """The page's time in this process and over HTTP, warm, in milliseconds; the limits beside the figures."""
    return {
        "records": sum(COUNTS.values()),
        "limit_ms": LIMIT_MS,
        "limit_bytes": LIMIT_BYTES,
        "in_process": _in_process(),
        "deployed": _deployed(),
    }


def _in_process() -> dict[str, Any]:
    event: dict[str, Any] = {"httpMethod": "GET", "resource": "/status", "queryStringParameters": {"lang": "ar"}}
    event["requestContext"] = {"authorizer": {"user": "owner"}}
    with _site() as (site, reader):
        answer = site.handle(event)
        assert answer["statusCode"] == 200, "a page without figures is fast"
        body = answer["body"].encode()
        times = []
        for _ in range(ROUNDS):
            reader.took.clear()
            times.append(_took_ms(lambda: site.handle(event)))
    return _summary(times) | {
        "bytes": len(body),
        "bytes_compressed": len(gzip.compress(body)),
        "queries": len(reader.took),
        "queries_ms": round(sum(seconds for seconds, _ in reader.took) * 1_000),
        "slowest": {query: round(seconds * 1_000, 1) for seconds, query in sorted(reader.took, reverse=True)[:8]},
    }


def _deployed() -> dict[str, Any]:
    with running_stack(Wish(schedules=False)) as state:
        owner = Database(lambda: state.database_dsn, application_name="bench")
        fill(owner)
        owner.close()
        address = f"{state.status_url}?lang=ar"
        with httpx.Client(auth=("viewer", state.viewer_password), timeout=60) as http:
            first_ms = _took_ms(lambda: http.get(address).raise_for_status())
            pages = [_paced(lambda: http.get(address).raise_for_status()) for _ in range(ROUNDS)]
            webhook = f"{state.api_url}/webhooks/zoho/invoices"
            refused = [_paced(lambda: httpx.post(webhook, timeout=60)) for _ in range(ROUNDS)]
    return _summary(pages) | {"first_ms": round(first_ms), "refused_webhook": _summary(refused[1:])}


def _paced(deed: Callable[[], object]) -> float:
    """How long it takes, at the pace that the deployed page allows."""
    time.sleep(_PAUSE_S)
    return _took_ms(deed)


def _took_ms(deed: Callable[[], object]) -> float:
    started = time.perf_counter()
    deed()
    return (time.perf_counter() - started) * 1_000


def _summary(times_ms: list[float]) -> dict[str, Any]:
    return {"median_ms": round(statistics.median(times_ms)), "worst_ms": round(max(times_ms))}
