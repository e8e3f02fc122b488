"""Whether a local stack is at work: a signed probe webhook becomes a row."""

import time

import httpx

from cli.deployment import Deployment
from cli.local.state import StackState
from tds_core import lossless_json
from tds_core.database import probe
from tds_core.zoho.webhooks import SIGNATURE_HEADER, sign

_HEALTH_TIMEOUT_S = 120.0


def wait_until_healthy(state: StackState, *, timeout_s: float = _HEALTH_TIMEOUT_S) -> None:
    """Send the probe webhook and wait until it was a row, which is taken away again; raises RuntimeError."""
    deployment = Deployment(stack=state.stack_name, region=state.region, local=state)
    send_probe(state)
    deadline = time.monotonic() + timeout_s
    while not deployment.ask("probe", {})["seen"]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the probe webhook did not become a row within {timeout_s:.0f} s")
        time.sleep(0.1)


def send_probe(state: StackState) -> None:
    """Send the probe webhook, signed; raises RuntimeError unless it was stored."""
    body = lossless_json.dumps(probe.document()).encode()
    headers = {"Content-Type": "application/json", SIGNATURE_HEADER: sign(state.webhook_secret, body)}
    answer = httpx.post(f"{state.api_url}/webhooks/zoho/invoices", content=body, headers=headers, timeout=60)
    if answer.status_code != httpx.codes.ACCEPTED:
        raise RuntimeError(f"the probe webhook was answered with {answer.status_code}: {answer.text[:300]}")


def point_simulator_at(state: StackState) -> None:
    """Have the simulator announce its changes to this stack."""
    settings = {"base_url": f"{state.api_url}/webhooks/zoho", "secret": state.webhook_secret}
    httpx.put(f"{state.control_url}/webhooks", json=settings, timeout=10).raise_for_status()
