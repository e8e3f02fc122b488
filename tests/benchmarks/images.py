"""Product images: 700 of them on the local stack, and one of 12 megapixels in one function's memory.

The stack is the deployed template with the simulator; time runs from the walk of the products list to the last link,
the products' own documents among it. Memory is the peak of a new process that has started the function as Lambda does
and renders a photograph: as JPEG, and as PNG and WebP with alpha. It is read from the kernel's account of that process
alone: what `getrusage` tells begins with the peak of whoever started it, who made the photograph.
"""

import json
import os
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx

from cli.deployment import Deployment
from cli.follow import Follower
from cli.local import emulator
from cli.local.stack import Wish
from cli.local.state import StackState
from tests.benchmarks.stack import running_stack

_SHARE = 0.73  # of the simulator's products have an image
_RATE, _IN_FLIGHT = 6_000, 10
_MEGAPIXELS = (4_000, 3_000)
# enough for the function to start; nothing of it is reached while a picture is rendered
_SETTINGS: tuple[str, ...] = (
    "DATABASE_HOST",
    "DATABASE_SECRET_ARN",
    "ZOHO_SECRET_ARN",
    "ZOHO_API_URL",
    "ZOHO_ACCOUNTS_URL",
)
_SETTINGS += ("ZOHO_ORGANIZATION_ID", "IMAGE_BUCKET", "QUEUE_URL", "DEAD_LETTER_QUEUE_URL", "FUNCTION")
_ENVIRONMENT = {f"TDS_{name}": "benchmark" for name in _SETTINGS}


def run(*, images: int = 700) -> dict[str, Any]:
    """Seconds for the images, Zoho calls for them, calls of a second run, and memory in MB by kind of file."""
    wish = Wish(
        counts={"products": round(images / _SHARE)}, minute_limit=_RATE, in_flight_limit=_IN_FLIGHT, schedules=False
    )
    with running_stack(wish) as state:
        return _measure(state) | {"memory_mb": {kind: peak_mb(kind) for kind in ("JPEG", "PNG", "WEBP")}}


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


def peak_mb(kind: str) -> dict[str, int]:
    """The memory of a new process of the function that renders a photograph of 12 megapixels of that kind."""
    code = "import sys; from tests.benchmarks.images import render_one; render_one(sys.stdin.buffer.read())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=photograph(kind),
        capture_output=True,
        check=True,
        env={**os.environ, **emulator.CREDENTIALS, **_ENVIRONMENT},
    )
    told = json.loads(done.stdout.splitlines()[-1])
    return {name: round(told[name] / 1024) for name in ("started", "peak")}


def render_one(body: bytes) -> None:
    """Render it in the started function, and print this process's peak memory in kB, and that before it."""
    import functions.image_sync.app as function
    from tds_core.sync.images import render

    assert function.images is not None
    started = _peak_kb()
    picture = render(body)
    print(json.dumps({"started": started, "peak": _peak_kb(), "bytes": len(picture.jpeg)}))


def _peak_kb() -> int:
    """The most that this process has ever held since it was started."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text("ascii").splitlines())
    return int(lines["VmHWM"].split()[0])


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
