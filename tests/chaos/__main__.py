"""A long random run that can be repeated: `python -m tests.chaos --seed 7 --minutes 3`.

Exits with 0 only if the mirror is Zoho's equal at the end, nothing is dead, and no limit of Zoho's was exceeded.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from cli.failure import CommandFailed
from cli.local.state import StateDirectory
from tests.chaos.judge import begin, judge, wish
from tests.chaos.plan import draw
from tests.chaos.storm import Storm
from tests.stack.running import deployed


def main() -> int:
    """Run one plan and judge it."""
    arguments = _arguments()
    steps = draw(arguments.seed, seconds=arguments.minutes * 60)
    print(f"seed {arguments.seed}, {len(steps)} steps:", *steps, sep="\n", flush=True)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="tds-chaos-", ignore_cleanup_errors=True) as folder,
        deployed(StateDirectory(Path(folder)), wish(arguments.seed)) as stack,
    ):
        begin(stack)
        print("the history is there; the storm begins", flush=True)
        Storm(stack, lambda text: print(text, flush=True)).run(steps, seconds=arguments.minutes * 60)
        print("the storm is over", flush=True)
        try:
            stats = judge(stack)
        except (AssertionError, CommandFailed) as exc:
            print(f"NOT EQUAL with seed {arguments.seed}: {exc}", flush=True)
            return 1
        ((written,),) = stack.query("SELECT count(*) FROM tds.change_log WHERE outcome IN ('created', 'updated')")
    print(
        f"equal: every document and total, nothing dead. {stats['total_calls']} calls, at most "
        f"{stats['max_calls_in_60_s']} in 60 s and {stats['max_in_flight']} in flight, {stats['mints']} tokens minted, "
        f"{written} states written, {time.monotonic() - began:.0f} s"
    )
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the plan and of the company")
    parser.add_argument("--minutes", type=float, default=3.0, help="of the storm; set-up and reckoning come on top")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
