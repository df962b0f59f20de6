"""One request for one file, from some byte on: https only, never for longer than it may take."""

from __future__ import annotations

import http.client
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import IO, Any

import fathom


class FetchError(Exception):
    """Why an address did not give the file. `final`: asking it again would change nothing."""

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


@dataclass
class Reply:
    """`body` starts at byte `start` of a file of `total` bytes, if the server says how many."""

    body: http.client.HTTPResponse
    start: int
    total: int | None
    is_page: bool


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but not from https to anything less."""

    def __init__(self, plain_hosts: Collection[str]) -> None:
        self.plain_hosts = plain_hosts

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Any,
        newurl: str,
    ) -> urllib.request.Request | None:
        try:
            require_https(newurl, self.plain_hosts, "redirects to")
        except FetchError:
            fp.close()  # nobody else will read it
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def require_https(url: str, plain_hosts: Collection[str], verb: str) -> None:
    """Raises FetchError for an address that is not https, save on `plain_hosts`."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in plain_hosts):
        raise FetchError(f"{verb} {parts.scheme or 'a'} address, not https", final=True)


def host_of(url: str) -> str:
    return urllib.parse.urlsplit(url).netloc


def ask(url: str, start: int, timeout: float, plain_hosts: Collection[str] = ()) -> Reply:
    """Send the request and read the head of the reply. Raises FetchError.

    `plain_hosts` may be asked by http: a test's own server, never one of a data set.
    """
    require_https(url, plain_hosts, "is an")
    request = urllib.request.Request(url, headers={"User-Agent": f"fathom/{fathom.__version__}"})
    request.add_header("Accept-Encoding", "identity")
    if start:
        request.add_header("Range", f"bytes={start}-")
    body = _in_time(lambda: _open(request, timeout, plain_hosts), timeout)
    begins, total = _range(body, start)
    is_page = body.headers.get_content_type() in ("text/html", "application/xhtml+xml")
    return Reply(body, begins, total, is_page)


def _open(
    request: urllib.request.Request, timeout: float, plain_hosts: Collection[str]
) -> http.client.HTTPResponse:
    try:
        body: http.client.HTTPResponse = _opener(plain_hosts).open(request, timeout=timeout)
        return body
    except urllib.error.HTTPError as error:
        with error:
            final = error.code < 500 and error.code not in (408, 416, 425, 429)
            raise FetchError(f"answered {error.code} {error.reason}", final=final) from None
    except (OSError, http.client.HTTPException) as error:
        raise FetchError(reason(error)) from None


def _in_time(
    call: Callable[[], http.client.HTTPResponse], timeout: float
) -> http.client.HTTPResponse:
    """What `call` gives, if it does within `timeout` seconds in all.

    A socket's own timeout holds for each address of a host and each redirect anew, and not at all
    for a dead name server.
    """
    outcome: list[http.client.HTTPResponse | Exception] = []
    done, given_up = threading.Event(), threading.Event()

    def run() -> None:
        try:
            outcome.append(call())
        except Exception as error:  # raised again where it is waited for
            outcome.append(error)
        done.set()
        if given_up.is_set() and isinstance(outcome[0], http.client.HTTPResponse):
            outcome[0].close()

    threading.Thread(target=run, daemon=True).start()
    if not done.wait(timeout):
        given_up.set()
        raise FetchError("gave no answer in time")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def reason(error: BaseException) -> str:
    """A network error in few words."""
    inner = getattr(error, "reason", error)
    if isinstance(inner, TimeoutError):
        return "gave no answer in time"
    if isinstance(inner, ConnectionRefusedError):
        return "refused the connection"
    if isinstance(inner, socket.gaierror):
        return "is not known (no network?)"
    if isinstance(inner, http.client.IncompleteRead | ConnectionResetError):
        return "broke off"
    return str(getattr(inner, "strerror", None) or inner or type(inner).__name__)


def _range(body: http.client.HTTPResponse, asked: int) -> tuple[int, int | None]:
    """Where the body begins, and how long the whole file is."""
    length = body.headers.get("Content-Length")
    left = int(length) if length and length.isdecimal() else None
    if body.status != 206:  # the server does not do ranges: it sends the whole file
        return 0, left
    unit, _, rest = body.headers.get("Content-Range", "").partition(" ")
    span, _, total = rest.partition("/")
    begins = span.partition("-")[0]
    if unit != "bytes" or not begins.isdecimal() or int(begins) > asked:
        body.close()
        raise FetchError("answered with a range that was not asked for")
    return int(begins), int(total) if total.isdecimal() else None


def _opener(plain_hosts: Collection[str]) -> urllib.request.OpenerDirector:
    """http, https and proxies: not the file: and ftp: that urllib would follow by itself."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        _HttpsOnly(plain_hosts),
    ):
        opener.add_handler(handler)
    return opener
