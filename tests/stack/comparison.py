"""Whether the mirror is Zoho's equal and kept its limits, how it is begun anew, held up, killed, and let recover."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg

from cli.reckoning import accounts
from cli.verification import follow
from tds_core.entities import REGISTRY
from tds_core.zoho.retry import MINT_LIMIT
from tests.quoted import differing
from tests.stack.running import Json, Stack, wait_for

FAIR_WEATHER = {"loss": 0, "duplication": 0, "reordering": 0, "concurrency": 10, "timeout_s": 60}


def empty(stack: Stack) -> None:
    """Forget what other tests left in the mirror, which Zoho knows nothing of."""
    wait_for(stack.is_at_rest, "the stack does not come to rest", timeout_s=60)
    names = stack.query("SELECT tablename FROM pg_tables WHERE schemaname = 'erp'")
    tables = [f"erp.{name}" for (name,) in names]
    tables += [f"tds.{name}" for name in ("backlog", "tombstones", "change_log", "cursors", "runs")]
    stack.query(f"TRUNCATE {', '.join(tables)}")
    for queue in stack.deployment.dead_letters():
        stack.take(f"{queue}Queue")


def is_answering(stack: Stack) -> bool:
    try:
        return stack.query("SELECT 1") == [(1,)]
    except psycopg.OperationalError:
        return False


def told(stack: Stack) -> list[Json]:
    """The webhooks that were sent since the test began."""
    return list(stack.zoho("GET", "/webhooks", deliveries="10000")["deliveries"])


def catch_up(stack: Stack) -> None:
    """Find what no webhook tells of: stock and balances."""
    stack.poll()
    stack.backfill("customers", "vendors")


def recover(stack: Stack) -> int:
    """End the faults and let the stack do what its schedules would; returns how many calls they refused with 429."""
    faults = stack.zoho("GET", "/faults")["faults"]
    stack.zoho("DELETE", "/faults")
    stack.zoho("PUT", "/webhooks", FAIR_WEATHER)
    wait_for(stack.is_at_rest, "the stack does not come to rest", timeout_s=120)
    stack.follower.until_over(lambda _: None)
    stack.take("FailedRunsQueue")  # runs say what befell them; the next one went on
    catch_up(stack)
    return sum(fault["happened"] for fault in faults if fault["kind"] == "limit")


def verify(stack: Stack, *, heal: bool) -> Json:
    """Hold everything against Zoho, as every night does with healing; returns the report."""
    run = stack.deployment.ask("verify", {"heal": heal})["run"]
    report: Json = follow(stack.deployment.ask, run, lambda _: None, timeout_s=120)
    return report


def assert_limits_were_kept(
    stats: Json, refusals: int, *, per_minute: int, in_flight: int, mints: int = MINT_LIMIT
) -> None:
    """By Zoho's own counts; the only refusals are those of the faults."""
    assert stats["max_calls_in_60_s"] <= per_minute, f"{stats['max_calls_in_60_s']} calls in 60 s"
    assert stats["max_in_flight"] <= in_flight, f"{stats['max_in_flight']} calls in flight"
    assert sum(stats["refused"].values()) == refusals, f"{stats['refused']} refused, {refusals} of them by faults"
    assert stats["mints"] <= mints and not stats["mints_refused"], f"{stats['mints']} tokens, {stats['mints_refused']}"


def kill_functions(stack: Stack, function: str = "Backfill") -> int:
    """Kill a function as its timeout does: at once, wherever it is; returns how many processes that were."""
    processes = stack.workers().get(function, [])
    for process in processes:
        process.send_signal(signal.SIGKILL)
    return len(processes)


@contextmanager
def locked(stack: Stack, entity: str, record: str) -> Iterator[None]:
    """Hold a record as another writer would."""
    with psycopg.connect(stack.state.database_dsn) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(hashtext(%s), hashtext(%s))", (entity, record))
        yield
        connection.rollback()


def waits_for_lock(stack: Stack) -> bool:
    return stack.query("SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted") == [(True,)]


def crash_database(stack: Stack) -> int:
    """Kill a server process of PostgreSQL: it restarts from its log, and every connection is lost; returns how many."""
    stack.tick()  # somebody has to be connected
    killed = 0
    for (pid,) in stack.query("SELECT pid FROM pg_stat_activity WHERE starts_with(application_name, 'tds-') LIMIT 1"):
        with suppress(ProcessLookupError):  # its function ended just now
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return killed


def assert_equal(stack: Stack) -> None:
    """Every document and every total is Zoho's, and nothing is pending."""
    compared = accounts(stack.zoho("GET", "/truth"), stack.deployment.ask("status", {})["entities"])
    unequal = [part for part in compared if not part.is_equal]
    assert unequal == [], unequal
    for name, spec in REGISTRY.items():
        found = differing(spec, stack.stored(name), stack.documents(name))
        assert found == {}, f"{name}: {found}"


def assert_nothing_is_dead(stack: Stack) -> None:
    """No message, webhook or run is in a queue of dead things; if one is, its reason is told."""
    dead = stack.deployment.dead_letters()
    assert dead == {}, (dead, stack.deployment.ask("dlq_list", {})["things"])
