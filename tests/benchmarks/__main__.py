"""All benchmarks, each beside its floor or ceiling of the same run: `make bench`, or some by name."""

import json
import sys
from collections.abc import Callable
from typing import Any

from tests.benchmarks import apply, history, images, receiver, simulator, status_page, verification, webhook_to_row

BENCHMARKS: dict[str, Callable[[], dict[str, Any]]] = {
    "receiver": receiver.run,
    "apply": apply.run,
    "simulator": simulator.run,
    "webhook_to_row": webhook_to_row.run,
    "history": history.run,
    "images": images.run,
    "status_page": status_page.run,
    "verification": verification.run,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all, and print their figures as JSON."""
    for name in names or BENCHMARKS:
        print(json.dumps({name: BENCHMARKS[name]()}, indent=2), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
