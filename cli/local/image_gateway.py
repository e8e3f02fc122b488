"""The public address of product images on this machine: hands requests to the emulator's CloudFront.

A distribution is told by its host name, which resolves nowhere here, and redirects whoever comes without TLS. So this
server asks in its name; what answers is the deployed distribution with its origin, its access control and its error
pages. The emulator's edge keeps nothing: each request reaches the bucket.
"""

import sys
from typing import Any

import boto3
import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from cli.local.emulator import CREDENTIALS, REGION

_PASSED_ON = ("if-none-match", "if-modified-since", "range", "accept")
_KEPT_BACK = {"connection", "content-length", "date", "server", "transfer-encoding"}


class Gateway:
    """Asks one emulator; its distribution is looked for until there is one."""

    def __init__(self, emulator_url: str) -> None:
        self._emulator_url = emulator_url
        self._http = httpx.AsyncClient(base_url=emulator_url, timeout=30, trust_env=False)
        self._host = ""

    async def answer(self, request: Request) -> Response:
        """Whatever the distribution says."""
        self._host = self._host or await run_in_threadpool(self._find)
        if not self._host:
            return Response("no distribution is deployed yet\n", 503)
        passed_on = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        headers = {**passed_on, "Host": self._host, "X-Forwarded-Proto": "https"}
        told = await self._http.request(request.method, request.url.path, headers=headers)
        kept = {name: value for name, value in told.headers.items() if name not in _KEPT_BACK}
        return Response(told.content, told.status_code, headers=kept)

    def app(self) -> Starlette:
        """The server's application."""
        return Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "HEAD"])])

    def _find(self) -> str:
        client: Any = boto3.client(
            "cloudfront",
            endpoint_url=self._emulator_url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
        distributions = client.list_distributions()["DistributionList"].get("Items", ())
        return next((str(one["DomainName"]) for one in distributions), "")


def main(port: str, emulator_url: str) -> None:
    """Serve on a port of loopback until a signal."""
    uvicorn.run(Gateway(emulator_url).app(), host="127.0.0.1", port=int(port), log_level="warning", access_log=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
