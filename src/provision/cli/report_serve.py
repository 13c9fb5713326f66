"""`report --serve`: the page on this machine, for whoever has its address."""

from __future__ import annotations

import logging
import os
import secrets
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from provision.errors import UsageError

if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

ADDRESS = "127.0.0.1"
"""Never another one: the page names hosts, logins and what is wrong with them."""


def serve(project: str | None, port: int) -> int:
    """Serve the page of a project (``None``: of all) until Ctrl-C.

    Args:
        project: Whose hosts are shown.
        port: Zero: any that is free.
    """
    try:
        create_server = import_module("waitress").create_server
    except ImportError:
        raise UsageError("--serve needs waitress", hint="pip install 'provision-gpu[report]'") from None
    from provision.page.from_ledger import fingerprint, fleet_of
    from provision.page.server import Served

    token = secrets.token_urlsafe(24)
    app = Served(lambda: fleet_of(os.environ, project), lambda: fingerprint(os.environ), token)
    # A browser that goes away in the middle of an answer is no news.
    logging.getLogger("waitress").setLevel(logging.CRITICAL)
    try:
        server = create_server(app, host=ADDRESS, port=port, threads=4, ident=None, clear_untrusted_proxy_headers=True)
    except OSError as error:
        raise UsageError(
            f"port {port}: {error.strerror or error}", hint="without --port any that is free is taken"
        ) from None
    port = int(server.effective_port)
    app.names = frozenset({f"{ADDRESS}:{port}", f"localhost:{port}"})
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _interrupted)
    try:
        print(f"http://{ADDRESS}:{port}/{token}/", flush=True)
        print("whoever has this address can read the report; Ctrl-C ends it", file=sys.stderr, flush=True)
        # Ends of itself, and well, when interrupted.
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        server.close()
    return 0


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001 - the signature of a signal handler
    raise KeyboardInterrupt
