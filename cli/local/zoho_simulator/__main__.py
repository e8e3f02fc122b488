"""Run a simulator: prints one JSON line with its URLs and credentials, then serves until SIGTERM or its parent dies."""

from __future__ import annotations

import argparse
import gc
import json
import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import date
from types import FrameType

import uvicorn

from cli.local.zoho_simulator.options import SIZES, Limits, Options, Quirks
from cli.local.zoho_simulator.server import details, listen, uvicorn_server
from cli.local.zoho_simulator.service import Service

HIGHEST_PORT = 65_535


def count(text: str) -> tuple[str, int]:
    """`invoices=1000`."""
    entity, equals, number = text.partition("=")
    if not equals or not number.isdigit():
        raise argparse.ArgumentTypeError(f"not ENTITY=NUMBER: {text}")
    return entity, int(number)


def port(text: str) -> int:
    """0 to 65535."""
    number = int(text)
    if not 0 <= number <= HIGHEST_PORT:
        raise argparse.ArgumentTypeError(f"not a port: {text}, the highest is {HIGHEST_PORT}")
    return number


def limit(text: str) -> int | None:
    """A number, or 0 for no limit."""
    return int(text) or None


def parser(program: str) -> argparse.ArgumentParser:
    """The command's options."""
    result = argparse.ArgumentParser(prog=program, description=__doc__)
    defaults = Limits()
    result.add_argument("--port", type=port, default=0, help="0 takes a free one")
    result.add_argument("--size", choices=sorted(SIZES), default="small")
    result.add_argument("--seed", type=int, default=1)
    result.add_argument("--count", type=count, action="append", default=[], metavar="ENTITY=N")
    result.add_argument("--base-date", type=date.fromisoformat, metavar="DATE", help="the day after the history ends")
    result.add_argument("--per-minute", type=limit, default=defaults.per_minute, metavar="N", help="0: no limit")
    result.add_argument("--in-flight", type=limit, default=defaults.in_flight, metavar="N", help="0: no limit")
    result.add_argument("--per-day", type=limit, default=defaults.per_day, metavar="N", help="0: no limit")
    result.add_argument("--latency", type=float, default=0.0, metavar="SECONDS", help="of every answer")
    result.add_argument("--quirk", type=quirk, action="append", default=[], metavar="NAME=VALUE")
    return result


def quirk(text: str) -> tuple[str, str | int | bool]:
    """`retry_after=true`; names and kinds are those of Quirks."""
    name, _, value = text.partition("=")
    default = getattr(Quirks(), name, None)
    if default is None:
        raise argparse.ArgumentTypeError(f"unknown quirk {name}: choose of {', '.join(vars(Quirks()))}")
    if isinstance(default, bool):
        return name, value == "true"
    return name, int(value) if isinstance(default, int) else value


def end_with_parent(server: uvicorn.Server, parent: int) -> None:
    """Stop serving when the process that started this one is gone."""
    while os.getppid() == parent and not server.should_exit:
        time.sleep(0.5)
    server.should_exit = True


def end(number: int, frame: FrameType | None) -> None:
    """Leave with status 0."""
    raise SystemExit(0)


def main(argv: Sequence[str] | None = None, *, program: str = "python -m cli.local.zoho_simulator") -> None:
    """Serve; without `argv` the process's own arguments count."""
    parent = os.getppid()
    options_of = parser(program)
    arguments = options_of.parse_args(argv)
    limits = Limits(
        per_minute=arguments.per_minute,
        in_flight=arguments.in_flight,
        per_day=arguments.per_day,
        latency_s=arguments.latency,
    )
    options = Options(
        size=arguments.size,
        seed=arguments.seed,
        counts=dict(arguments.count),
        base_date=arguments.base_date,
        limits=limits,
        quirks=Quirks(**dict(arguments.quirk)),
    )
    try:
        sock = listen(arguments.port)
    except OSError as exc:
        options_of.error(f"cannot listen on port {arguments.port}: {exc.strerror}")
    try:
        service = Service(options)
    except ValueError as exc:
        options_of.error(str(exc))
    service.world.encode_all()
    gc.collect()
    gc.freeze()  # a large organisation is not searched for garbage again and again
    server = uvicorn_server(service)
    sock.listen(2048)
    print(json.dumps(details(service, sock, os.getpid()).as_dict()), flush=True)
    threading.Thread(target=end_with_parent, args=(server, parent), daemon=True).start()
    signal.signal(signal.SIGTERM, end)  # the server raises the signal again when it has stopped
    signal.signal(signal.SIGINT, end)
    server.run(sockets=[sock])


if __name__ == "__main__":
    main()
