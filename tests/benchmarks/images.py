"""Product images: 700 of them on the local stack, and one of 12 megapixels in one function's memory.

The stack is the deployed template with the simulator; time runs from the walk of the products list to the last link,
the products' own documents among it. Memory is the peak of a process of its own that has imported what the function
imports and renders a photograph, as JPEG, and as PNG and WebP with alpha.
"""

import json
import subprocess
import sys
import time
from io import BytesIO
from typing import Any

import httpx

from cli.deployment import Deployment
from cli.follow import Follower
from cli.local.stack import Wish
from cli.local.state import StackState
from tests.benchmarks.stack import running_stack

_SHARE = 0.73  # of the simulator's products have an image
_RATE, _IN_FLIGHT = 6_000, 10
_MEGAPIXELS = (4_000, 3_000)


def run(*, images: int = 700) -> dict[str, Any]:
    """Seconds for the images, Zoho calls for them, calls of a second run, and memory in MB by kind of file."""
    wish = Wish(
        counts={"products": round(images / _SHARE)}, minute_limit=_RATE, in_flight_limit=_IN_FLIGHT, schedules=False
    )
    with running_stack(wish) as state:
        return _measure(state) | {"peak_mb": {kind: _peak_mb(kind) for kind in ("JPEG", "PNG", "WEBP")}}


def _measure(state: StackState) -> dict[str, Any]:
    deployment = Deployment(stack=state.stack_name, region=state.region, local=state)
    follower = Follower(deployment.ask, timeout_s=600)
    started = time.monotonic()
    deployment.ask("backfill", {"entities": ["products"]})
    follower.until_over(lambda _: None, entities=("products", "product_images"), scans=("products",))
    seconds = time.monotonic() - started
    calls = _image_calls(state)
    began = time.monotonic()
    report = deployment.ask("images_verify", {})
    checked_s = time.monotonic() - began
    deployment.ask("images_sync", {})
    deployment.ask("backfill", {"entities": ["products"]})
    follower.until_over(lambda _: None, entities=("products", "product_images"), scans=("products",))
    return {
        "images": report["expected"],
        "stored": report["stored"],
        "reachable": report["reachable"],
        "seconds": round(seconds, 1),
        "zoho_calls": calls,
        "zoho_calls_of_a_second_run": _image_calls(state) - calls,
        "verified_in_s": round(checked_s, 1),
    }


def _image_calls(state: StackState) -> int:
    calls = httpx.get(f"{state.control_url}/stats", timeout=10).json()["calls"]
    return sum(count for path, count in calls.items() if path.endswith("/items/{id}/image"))


def _peak_mb(kind: str) -> int:
    """The largest memory of a new process that renders a photograph of 12 megapixels of that kind."""
    code = "from tests.benchmarks.images import render_one; render_one(sys.stdin.buffer.read())"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; {code}"], input=photograph(kind), capture_output=True, check=True
    )
    return round(int(done.stdout) / 1024)


def render_one(body: bytes) -> None:
    """Render it as the function does, and print this process's peak memory in kB."""
    import resource

    import tds_core.sync.image_sync
    from tds_core.sync.images import render

    assert tds_core.sync.image_sync is not None
    render(body)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def photograph(kind: str) -> bytes:
    """Twelve megapixels, with alpha where the kind knows that; smooth, so that PNG stays below the largest file."""
    from PIL import Image

    grey = Image.linear_gradient("L").resize(_MEGAPIXELS)
    image = Image.merge("RGB", (grey, grey.rotate(180), grey)) if kind == "JPEG" else Image.merge("RGBA", (grey,) * 4)
    file = BytesIO()
    image.save(file, kind, quality=90)
    return file.getvalue()


if __name__ == "__main__":
    print(json.dumps(run(), indent=2))
