"""A transport that does not wait for what it already knows: the login request follows the service request at once."""

from __future__ import annotations

from typing import Any

import paramiko
from paramiko.auth_handler import AuthHandler

from provision.ssh.early import IDENTIFICATION


class EagerAuthHandler(AuthHandler):
    """Sends the login in the same flight as the service request; RFC 4252 section 5 lets a client do so.

    Not for RSA keys: which signature the server takes is in its extension message, which may not be there yet.
    """

    _eager = False

    def _request_auth(self) -> None:
        super()._request_auth()  # type: ignore[misc]
        key = self.private_key
        if self.auth_method == "publickey" and key is not None and "rsa" not in key.get_name():
            self._eager = True
            accepted = paramiko.Message()
            accepted.add_string("ssh-userauth")
            accepted.rewind()
            super()._parse_service_accept(accepted)  # type: ignore[misc]

    def _parse_service_accept(self, message: paramiko.Message) -> None:
        if not self._eager:
            super()._parse_service_accept(message)  # type: ignore[misc]


class EagerTransport(paramiko.Transport):
    """paramiko's transport with that handler, and an identification line of our own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.local_version = IDENTIFICATION

    def __setattr__(self, name: str, value: object) -> None:
        # paramiko names its handler's class in each login method; this is the one place that all of them pass.
        if name == "auth_handler" and type(value) is AuthHandler:
            value.__class__ = EagerAuthHandler
        super().__setattr__(name, value)
