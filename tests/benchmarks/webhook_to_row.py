"""From a signed webhook to its committed row, on the local stack: deployed template, real PostgreSQL, one machine.

Beside it the ceiling: how many calls a second the emulator's API and functions take at all, with a function that does
nothing.
"""

import io
import json
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import psycopg

from cli.local.deploy import Cloud
from cli.local.stack import Wish
from cli.local.state import StackState, StateDirectory
from tds_core import lossless_json
from tds_core.zoho.webhooks import SIGNATURE_HEADER, sign
from tests.benchmarks.stack import running_stack

_TEMPLATE = Path(__file__).parents[2] / "events/processor/invoices.json"
_SENDERS = 16
_DRAIN_LIMIT_S = 180.0
_EMPTY = "def handler(event, context):\n    return {'statusCode': 200, 'body': ''}\n"


def run(*, steady_per_s: int = 20, burst_per_s: int = 100, seconds: int = 60) -> dict[str, Any]:
    """Latency at 1,200 a minute, loss and drain time at 6,000 in a minute, and the empty function's ceiling."""
    with running_stack(Wish(schedules=False)) as state:
        ceiling = _ceiling(state)
        _send(state, first=10**15, count=40, per_s=20)
        _wait(state, first=10**15, count=40)
        return {
            "steady": _measure(state, first=10**16, per_s=steady_per_s, seconds=seconds),
            "burst": _measure(state, first=10**17, per_s=burst_per_s, seconds=seconds),
            "empty_function_per_s": round(ceiling),
        }


def _measure(state: StackState, *, first: int, per_s: int, seconds: int) -> dict[str, Any]:
    count = per_s * seconds
    started = time.monotonic()
    sent, answers, statuses = _send(state, first=first, count=count, per_s=per_s)
    sending_s = time.monotonic() - started
    committed = _wait(state, first=first, count=sum(status == 202 for status in statuses))
    waits = [(committed[number] - sent[number]).total_seconds() for number in sorted(committed)]
    return {
        "sent": count,
        "accepted": sum(status == 202 for status in statuses),
        "rows": len(committed),
        "sent_per_minute": round(count / sending_s * 60),
        "drained_after_s": round(time.monotonic() - started - sending_s, 1),
        "receiver_s": _percentiles(answers),
        "to_row_s": _percentiles(waits),
    }


def _percentiles(values: list[float]) -> dict[str, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 3), "p99": round(cuts[98], 3), "max": round(max(values), 3)}


def _send(
    state: StackState, *, first: int, count: int, per_s: int
) -> tuple[dict[int, datetime], list[float], list[int]]:
    """Send evenly paced webhooks of distinct invoices; when each was sent, how long its answer took, its status."""
    url = f"{state.api_url}/webhooks/zoho/invoices/created"
    bodies = _bodies(first, count)
    sent: dict[int, datetime] = {}
    started = time.monotonic()

    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=_SENDERS)) as http:

        def post(place: int) -> tuple[float, int]:
            time.sleep(max(started + place / per_s - time.monotonic(), 0))
            body = bodies(place)
            headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(state.webhook_secret, body)}
            sent[first + place] = datetime.now(UTC)
            begun = time.monotonic()
            status = http.post(url, content=body, headers=headers).status_code
            return time.monotonic() - begun, status

        with ThreadPoolExecutor(_SENDERS) as pool:
            answers = list(pool.map(post, range(count)))
    return sent, [seconds for seconds, _ in answers], [status for _, status in answers]


def _bodies(first: int, count: int) -> Callable[[int], bytes]:
    message = lossless_json.loads(json.loads(_TEMPLATE.read_text("utf-8"))["Records"][0]["body"])
    text = lossless_json.dumps({"invoice": message["document"]})
    known = message["document"]["invoice_id"]
    return lambda place: text.replace(known, str(first + place)).encode()


def _wait(state: StackState, *, first: int, count: int) -> dict[int, datetime]:
    """When each row was committed; gives up after a while and returns what there is."""
    deadline = time.monotonic() + _DRAIN_LIMIT_S
    with psycopg.connect(state.database_dsn, autocommit=True) as connection:
        while True:
            rows = connection.execute(
                """
                SELECT id::numeric, min(at) FROM tds.change_log
                WHERE entity = 'invoices' AND outcome = 'created' AND id::numeric BETWEEN %s AND %s GROUP BY 1
                """,
                (first, first + 10**6),
            ).fetchall()
            if len(rows) >= count or time.monotonic() > deadline:
                return {int(number): at.astimezone(UTC) for number, at in rows}
            time.sleep(0.5)


def _ceiling(state: StackState, *, calls: int = 1500) -> float:
    """Calls a second through an API to a function that does nothing."""
    url = _empty_api(state)
    with httpx.Client(timeout=60, limits=httpx.Limits(max_connections=_SENDERS)) as http:
        http.post(url, content=b"{}").raise_for_status()
        started = time.monotonic()
        with ThreadPoolExecutor(_SENDERS) as pool:
            list(pool.map(lambda _: http.post(url, content=b"{}").raise_for_status(), range(calls)))
        return calls / (time.monotonic() - started)


def _empty_api(state: StackState) -> str:
    cloud = Cloud(endpoint_url=state.aws_endpoint_url, state=StateDirectory(Path()))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", _EMPTY)
    function = cloud.client("lambda").create_function(
        FunctionName="empty",
        Runtime="python3.13",
        Handler="app.handler",
        Role="arn:aws:iam::000000000000:role/empty",
        Code={"ZipFile": code.getvalue()},
    )
    gateway = cloud.client("apigateway")
    api = gateway.create_rest_api(name="empty")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    gateway.put_method(restApiId=api, resourceId=root, httpMethod="POST", authorizationType="NONE")
    gateway.put_integration(
        restApiId=api,
        resourceId=root,
        httpMethod="POST",
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:{state.region}:lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations",
    )
    gateway.create_deployment(restApiId=api, stageName="empty")
    return f"{state.aws_endpoint_url}/_aws/execute-api/{api}/empty/"


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
