"""`mains serve`: the web server, on this machine only unless told otherwise."""

import socket
from ipaddress import ip_address
from typing import Annotated

import typer
import uvicorn

from mains.base.log import configure_log
from mains.base.problems import Problem
from mains.base.terminal import Json, answer, note
from mains.health import NotReady, not_applied
from mains.identity.acting import open_database
from mains.settings import settings

app = typer.Typer(name="serve", help="Serve the pages and the JSON API.")


class AddressNeedsConsent(Problem):
    """The server would be reachable from other machines, and nobody said so on the command line."""

    status = 409


class UnableToListen(Problem):
    """The address cannot be listened on."""

    status = 503


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; the default is this machine only.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 picks a free one.")] = None,
    as_json: Json = False,
) -> None:
    """Serve the pages and the JSON API until interrupted."""
    wanted = settings()
    address = host or wanted.host
    if not is_loopback(address) and host is None:
        cure = f"say it on the command line, behind a proxy that speaks TLS: mains serve --host {address}"
        raise AddressNeedsConsent(f"MAINS_HOST={address} would open this server to other machines", cure=cure)
    if missing := not_applied(open_database()):
        raise NotReady(f"the database is of another version: {', '.join(missing)} not applied", cure="mains db migrate")
    listening = listen(address, wanted.port if port is None else port)
    if not is_loopback(address):
        note(f"listening on {address}: whoever reaches this machine reaches the sign-in page")
        note("without a proxy that speaks TLS, passwords and rows travel in the clear")
    url = f"http://{f'[{address}]' if ':' in address else address}:{listening.getsockname()[1]}"
    answer({"url": url}, as_json=as_json, text=f"serving {url} (a way in: mains link LOGIN --address {url}; to end: Ctrl-C)")
    configure_log(wanted.log_level)
    config = uvicorn.Config("mains.app:from_environment", factory=True, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])


def is_loopback(address: str) -> bool:
    """Whether an address is reached from this machine only.

    >>> is_loopback("127.0.0.1"), is_loopback("::1"), is_loopback("localhost"), is_loopback("0.0.0.0"), is_loopback("db.example")
    (True, True, True, False, False)
    """
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def listen(address: str, port: int) -> socket.socket:
    """A socket that listens, so that a taken port is told before anything starts.

    Raises:
        UnableToListen: with who may have it.
    """
    opened: socket.socket | None = None
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family, kind, protocol)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(place)
        opened.listen(2048)
    except OSError as error:
        if opened is not None:
            opened.close()
        cure = "another server may have it: choose one with --port, or 0 for a free one"
        raise UnableToListen(f"{address} port {port} cannot be listened on: {error.strerror or error}", cure=cure) from error
    return opened
