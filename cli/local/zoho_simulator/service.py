"""One simulator put together: the organisation, the accounts server, the APIs and the control interface."""

from __future__ import annotations

import time
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from cli.local.zoho_simulator.activity import Activity
from cli.local.zoho_simulator.answers import Answer
from cli.local.zoho_simulator.api import ProductApi
from cli.local.zoho_simulator.clock import Now
from cli.local.zoho_simulator.control import Control
from cli.local.zoho_simulator.entities import SPECS
from cli.local.zoho_simulator.faults import Fault, Faults
from cli.local.zoho_simulator.limits import CallLimits, Stats
from cli.local.zoho_simulator.misbehaviour import answer_of, hold
from cli.local.zoho_simulator.oauth import THROTTLED, Accounts
from cli.local.zoho_simulator.options import Options
from cli.local.zoho_simulator.webhooks import Emitter
from cli.local.zoho_simulator.wire import Transports, send_answer
from cli.local.zoho_simulator.world import World, encode


class Service:
    """Everything behind one port; `now` is the only clock."""

    def __init__(self, options: Options, now: Now = time.time) -> None:
        self.options = options
        self.world = World(options, SPECS, now)
        self.accounts = Accounts(options.seed, now)
        self.limits = CallLimits(options.limits, options.quirks, now)
        self.accounts.stats = self.limits.stats
        self.faults = Faults(self.world.random("faults"))
        self.transports = Transports()
        self.emitter = Emitter(self.world.random("webhooks"), options.quirks, self.world.organisation.organization_id)
        self.world.listeners.append(self.emitter.announce)
        self.activity = Activity(self.world)
        self.base_url = ""

    def app(self) -> Starlette:
        """The ASGI application."""
        api = ProductApi(self.world, self.accounts, self.limits, self.faults, self.transports)
        routes = [*Control(self).routes(), Route("/oauth/v2/token", _Token(self)), Mount("/", api)]
        return Starlette(routes=routes)

    def reset_stats(self) -> None:
        """Count anew."""
        self.limits.stats = self.accounts.stats = Stats()

    def token_answer(self, form: dict[str, str], taken: dict[str, Fault]) -> Answer:
        """What the accounts server says."""
        if "access_denied" in taken:
            return Answer(status=400, body=encode(THROTTLED))
        if "token_error" in taken:
            return Answer(body=encode({"error": taken["token_error"].parameters.get("error", "invalid_code")}))
        return answer_of(taken) or self.accounts.token(form, self.base_url)


class _Token:
    """POST /oauth/v2/token; parameters come as a form or in the query."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        service, request = self._service, Request(scope, receive)
        if scope["method"] != "POST":
            await Response(status_code=405)(scope, receive, send)
            return
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        taken = service.faults.take("accounts", "/oauth/v2/token", {})
        await hold(taken)
        if "reset" in taken:
            service.transports.reset(scope)
            return
        await send_answer(send, service.token_answer({**request.query_params, **form}, taken), service.world.now())
