"""`provision hosts install-key`: a host that only takes a password learns the user's key."""

from __future__ import annotations

import dataclasses
import os
import sys
from typing import TYPE_CHECKING, Literal

from provision.cli import options, workspace
from provision.cli.questions import agreed, answerable
from provision.cli.workspace import Workspace
from provision.errors import AuthenticationError, StepFailedError, UsageError
from provision.report.display import visible
from provision.ssh.route import Route, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from provision.model.host import Host
    from provision.remote.keys import Installed
    from provision.ssh.own_keys import KeyPair

    Ask = Callable[[str], str | None]

DESCRIPTION = """\
Put your public key into the host's ~/.ssh/authorized_keys, then log in with it to prove that it works. The password
is asked once, or taken from PROVISION_SSH_PASSWORD; it is stored nowhere. The key is the host's `identity_file`, else
the first of ~/.ssh/id_ed25519, id_ecdsa, id_rsa; where there is none, one is made after asking.
"""
EXAMPLES = """\
  provision hosts install-key gpu-box
  provision hosts install-key gpu-box --key ~/.ssh/id_rental
  PROVISION_SSH_PASSWORD=... provision hosts install-key gpu-box --yes
"""


def main(name: str, argv: list[str]) -> int:
    """Install the key and prove it."""
    words = options.parser(f"{name} install-key", DESCRIPTION, EXAMPLES)
    words.add_argument("host", metavar="HOST", help="a host of the inventory, or a jump host")
    words.add_argument("--key", metavar="FILE", help="the key to install, instead of the host's own")
    words.add_argument("--yes", action="store_true", help="make a key where there is none, without asking")
    options.add_inventory(words)
    asked = words.parse_args(argv)
    space = Workspace.open(asked.inventory)
    host = space.any_host(asked.host)
    route = space.route(host)
    pair = _pair(asked.key or host.identity_file, asked.key, yes=asked.yes)

    _say(f"installing {pair.path}.pub on {host.target}")
    answers = Answers(host)
    result = _install(route, answers.settings(asked.host_keys), pair)
    _say("the key was there already" if result.state != "added" else "the key was added to ~/.ssh/authorized_keys")
    answers.without_password = True
    _prove(_by_key(route, pair), answers.settings(asked.host_keys), pair, result)
    print(visible(f"{host.target}: logs in with {pair.path}, without a password"))
    if asked.key and str(pair.path) != host.identity_file:
        print(visible(f"  -> identity_file: {pair.path}     in hosts.yaml, so that it is used"))
    print(f"next: provision plan {asked.host}")
    return 0


class Answers:
    """Passwords, each asked once; the one from the environment is the host's alone, never a jump host's."""

    def __init__(self, host: Host) -> None:
        from provision.ssh.identities import PASSWORD_VARIABLE

        # Taken out of the environment: no proxy command sees it, and the proof must do without it.
        self._given = os.environ.pop(PASSWORD_VARIABLE, None)
        self._host = host.name
        self._known: dict[str, str | None] = {}
        self.without_password = False
        """Refuse to answer for the host itself: its key alone must do."""

    def settings(self, host_keys: Literal["accept-new", "strict"]) -> Settings:
        """Return how to connect with these answers."""
        usual = workspace.settings(host_keys)
        if usual.ask_password is None and self._given is None:
            return usual
        return dataclasses.replace(usual, ask_password=self._answer(usual.ask_password))

    def _answer(self, ask: Ask | None) -> Ask:
        def answer(prompt: str) -> str | None:
            if prompt.rstrip(": ").endswith(f" on {self._host}"):
                if self.without_password:
                    return None
                if self._given is not None:
                    return self._given
            if prompt not in self._known:
                self._known[prompt] = ask(prompt) if ask is not None else None
            return self._known[prompt]

        return answer


def _pair(chosen: str | None, named: str | None, *, yes: bool) -> KeyPair:
    from provision.ssh.own_keys import find_pair, make_pair, new_pair_path

    found = find_pair(chosen)
    if found is not None:
        return found
    path = new_pair_path(chosen)
    if named is not None:
        raise UsageError(f"{named}: no such key", hint=f"ssh-keygen -t ed25519 -f {path}    makes it")
    if not yes and not answerable():
        raise UsageError(f"there is no key to install: {path} does not exist", hint="--yes makes one")
    if not yes and not agreed(f"There is no key here yet. Make {path} (ed25519, without a passphrase)?"):
        raise UsageError("no key, nothing to install", hint=f"ssh-keygen -t ed25519 -f {path}    makes one your way")
    made = make_pair(path)
    _say(f"made {path} and {path.name}.pub")
    return made


def _install(route: Route, how: Settings, pair: KeyPair) -> Installed:
    from provision.remote.keys import install_key, read_answer
    from provision.ssh.link import SshLink

    try:
        link = SshLink(route, how)
    except AuthenticationError as error:
        if how.ask_password is None:
            error.hint = "there is no terminal to ask for the password: give it in PROVISION_SSH_PASSWORD"
        raise
    try:
        for note in link.notes:
            _say(note)
        done = link.run(install_key(pair.public))
    finally:
        link.close()
    answer = read_answer(done.stdout)
    if done.code or answer is None:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise StepFailedError(f"the key was not installed: {said}", hint="the host's authorized_keys is as it was")
    return answer


def _by_key(route: Route, pair: KeyPair) -> Route:
    """Return the route with that one key for the host, and no other."""
    *before, target = route.hops
    host = dataclasses.replace(target.host, identity_file=str(pair.path))
    alias = dataclasses.replace(target.alias, identities_only=True, identity_files=())
    return Route((*before, dataclasses.replace(target, host=host, alias=alias)))


def _prove(route: Route, how: Settings, pair: KeyPair, result: Installed) -> None:
    from provision.ssh.link import SshLink

    try:
        SshLink(route, how).close()
    except AuthenticationError as error:
        raise AuthenticationError(
            f"the key stands in authorized_keys, and no login with it is proven: {error.message}",
            hint=_advice(result, pair),
            detail=error.detail,
        ) from error


def _advice(result: Installed, pair: KeyPair) -> str:
    from provision.ssh.own_keys import is_locked

    if is_locked(pair.path):
        return f"the key has a passphrase and nobody was asked for it: ssh-add {pair.path}, then run this again"
    if result.open_home is not None:
        return f"others can write {result.open_home}, so sshd refuses keys: chmod go-w {result.open_home} on the host"
    if result.state == "restricted":
        return "it stands there behind options (from=, command=...): edit ~/.ssh/authorized_keys on the host"
    if not pair.path.exists():
        return f"{pair.path} is not here, only its .pub file: is the key in your agent?"
    return "does its sshd_config allow PubkeyAuthentication, and look into ~/.ssh/authorized_keys?"


def _say(text: str) -> None:
    print(visible(text), file=sys.stderr)
