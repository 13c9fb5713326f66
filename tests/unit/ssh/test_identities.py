from __future__ import annotations

import functools
import getpass
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
import pytest

from provision.errors import AuthenticationError, HostKeyError, UnreachableError
from provision.ssh.algorithms import new_transport
from provision.ssh.host_keys import AskAgainError, Verifier
from provision.ssh.identities import MAX_OFFERS, Login
from provision.ssh.known_hosts import KnownHosts, KnownKeys
from provision.ssh.private_keys import Keyring
from provision.ssh.trust import Identity, TrustStore
from tests.unit.ssh.keys import keygen, public
from tests.unit.ssh.servers import Rules, agent, openssh, server

if TYPE_CHECKING:
    from collections.abc import Iterator

needs_sshd = pytest.mark.skipif(
    shutil.which("sshd") is None and not Path("/usr/sbin/sshd").exists(), reason="no OpenSSH server here"
)
ME = getpass.getuser()


@pytest.fixture(scope="module")
def host_key() -> paramiko.PKey:
    return paramiko.ECDSAKey.generate()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home" / ".ssh").mkdir(parents=True)
    return tmp_path / "home"


def connected(port: int) -> paramiko.Transport:
    transport = new_transport(socket.create_connection(("127.0.0.1", port)))
    transport.auth_timeout = 10
    transport.start_client(timeout=10)
    return transport


def login(home: Path, *files: Path, **options: Any) -> Login:
    options = {"environ": {}, "keyring": Keyring(), **options}
    return Login(
        "gpu-box", options.pop("username", "ubuntu"), identity_files=tuple(map(str, files)), home=home, **options
    )


def attempt(rules: Rules, host_key: paramiko.PKey, how: Login) -> Login:
    with server(rules, host_key) as port:
        transport = connected(port)
        try:
            how.authenticate(transport)
        finally:
            transport.close()
            transport.join(10)
    return how


def accepting(*paths: Path) -> Rules:
    return Rules({public(path).blob for path in paths}, set())


def test_a_good_chosen_key_is_the_only_thing_looked_at(
    home: Path, host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = keygen(home / "chosen")
    keygen(home / ".ssh" / "id_ed25519")
    opened: list[str] = []
    real = os.open

    def spy(path: Any, *rest: Any, **named: Any) -> int:
        opened.append(str(path))
        return real(path, *rest, **named)

    rules = accepting(chosen)
    # An agent socket at this path would be a note, were it tried.
    how = login(home, chosen, environ={"SSH_AUTH_SOCK": str(home / "no-agent")})
    monkeypatch.setattr(os, "open", spy)
    attempt(rules, host_key, how)
    assert [path for path in opened if str(home) in path] == [str(chosen)]
    assert how.accepted == "~/chosen"
    assert how.notes == []
    assert len(rules.offers) == 1


def test_keys_are_offered_in_the_order_chosen_default_agent(
    home: Path, host_key: paramiko.PKey, tmp_path: Path
) -> None:
    chosen = keygen(home / "chosen")
    default = [
        keygen(home / ".ssh" / "id_ed25519"),
        keygen(home / ".ssh" / "id_ecdsa", "ecdsa"),
        keygen(home / ".ssh" / "id_rsa", "rsa"),
    ]
    held = keygen(tmp_path / "held")
    rules = accepting(held)
    with agent(tmp_path, held) as path:
        how = attempt(rules, host_key, login(home, chosen, environ={"SSH_AUTH_SOCK": path}))
    assert rules.offers == [f"key {public(one).blob}" for one in (chosen, *default, held)]
    assert how.accepted == "agent key 'held' (ssh-ed25519)"


def test_a_key_that_both_file_and_agent_have_is_offered_once(
    home: Path, host_key: paramiko.PKey, tmp_path: Path
) -> None:
    chosen = keygen(home / "chosen")
    rules = accepting()
    with (
        agent(tmp_path, chosen) as path,
        pytest.raises(AuthenticationError, match="the one way to log in as ubuntu was not accepted"),
    ):
        attempt(rules, host_key, login(home, chosen, environ={"SSH_AUTH_SOCK": path}))
    assert len(rules.offers) == 1


def test_no_more_keys_are_offered_than_a_server_puts_up_with(
    home: Path, host_key: paramiko.PKey, tmp_path: Path
) -> None:
    held = [keygen(tmp_path / f"held{number}") for number in range(8)]
    rules = accepting()
    with agent(tmp_path, *held) as path, pytest.raises(AuthenticationError, match="only 5 keys were offered"):
        attempt(rules, host_key, login(home, environ={"SSH_AUTH_SOCK": path}))
    assert len(rules.offers) == MAX_OFFERS


def test_identities_only_offers_the_chosen_key_alone(home: Path, host_key: paramiko.PKey, tmp_path: Path) -> None:
    chosen = keygen(home / "chosen")
    keygen(home / ".ssh" / "id_ed25519")
    rules = accepting()
    with agent(tmp_path, keygen(tmp_path / "held")) as path, pytest.raises(AuthenticationError):
        attempt(rules, host_key, login(home, chosen, identities_only=True, environ={"SSH_AUTH_SOCK": path}))
    assert rules.offers == [f"key {public(chosen).blob}"]


KINDS = [
    ("ed25519", ()),
    *((kind, options) for kind in ("ecdsa", "rsa") for options in ((), ("-m", "PEM"), ("-m", "PKCS8"))),
]


@pytest.mark.parametrize(("kind", "options"), KINDS)
@pytest.mark.parametrize("passphrase", ["", "secret"])
def test_keys_of_every_kind_and_format_log_in(
    home: Path, host_key: paramiko.PKey, kind: str, options: tuple[str, ...], passphrase: str
) -> None:
    chosen = keygen(home / "chosen", kind, passphrase, *options)
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return passphrase

    attempt(accepting(chosen), host_key, login(home, chosen, ask=ask))
    assert len(asked) == (1 if passphrase else 0)


def test_a_passphrase_is_asked_once_for_many_hosts_at_once(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen", "ed25519", "secret")
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    keyring = Keyring()
    rules = accepting(chosen)
    with server(rules, host_key) as port:

        def one() -> None:
            transport = connected(port)
            login(home, chosen, ask=ask, keyring=keyring).authenticate(transport)
            transport.close()
            transport.join(10)

        threads = [threading.Thread(target=one) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert len(rules.offers) == 6
    assert len(asked) == 1


def test_a_wrong_passphrase_is_asked_again_and_not_for_ever(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen", "ed25519", "secret")
    answers = iter(["wrong", "secret"])
    attempt(accepting(chosen), host_key, login(home, chosen, ask=lambda _: next(answers)))
    asked: list[str] = []

    def wrong(prompt: str) -> str:
        asked.append(prompt)
        return "wrong"

    with pytest.raises(AuthenticationError, match="ssh-add"):
        attempt(accepting(chosen), host_key, login(home, chosen, ask=wrong))
    assert len(asked) == 3


def test_an_encrypted_key_is_passed_over_where_nobody_can_be_asked(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen", "ed25519", "secret")
    rules = accepting(chosen)
    with pytest.raises(AuthenticationError, match=f"ssh-add {chosen}"):
        attempt(rules, host_key, login(home, chosen))
    assert rules.offers == []


def test_an_encrypted_key_that_the_agent_holds_needs_no_question(
    home: Path, host_key: paramiko.PKey, tmp_path: Path
) -> None:
    chosen = keygen(home / "chosen")
    with agent(tmp_path, chosen) as path:
        subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", chosen], check=True, stdout=subprocess.DEVNULL)
        (home / "chosen.pub").rename(home / "elsewhere.pub")
        rules = accepting(home / "elsewhere")
        how = attempt(rules, host_key, login(home, chosen, environ={"SSH_AUTH_SOCK": path}, ask=pytest.fail))
    assert how.accepted == "~/chosen (agent)"


def test_a_chosen_public_key_names_the_agents_private_one(home: Path, host_key: paramiko.PKey, tmp_path: Path) -> None:
    chosen = keygen(home / "chosen")
    other = keygen(tmp_path / "other")
    rules = accepting(chosen)
    with agent(tmp_path, other, chosen) as path:
        chosen.unlink()
        for name in ("chosen", "chosen.pub"):
            rules.offers.clear()
            attempt(rules, host_key, login(home, home / name, environ={"SSH_AUTH_SOCK": path}))
            assert rules.offers == [f"key {public(chosen).blob}"]


def test_an_agent_that_does_not_answer_is_passed_over(home: Path, host_key: paramiko.PKey) -> None:
    with pytest.raises(AuthenticationError, match="does not answer"):
        attempt(accepting(), host_key, login(home, environ={"SSH_AUTH_SOCK": str(home / "none")}))


def test_a_key_that_others_can_read_is_refused_with_the_command_to_type(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    chosen.chmod(0o644)
    rules = accepting(chosen)
    with pytest.raises(AuthenticationError, match=rf"mode 0644\): chmod 600 {chosen}"):
        attempt(rules, host_key, login(home, chosen))
    assert rules.offers == []


def test_what_is_no_key_file_is_passed_over_and_named(home: Path, host_key: paramiko.PKey) -> None:
    os.mkfifo(home / "fifo", 0o600)
    (home / "folder").mkdir()
    (home / "text").write_text("hello")
    (home / "large").write_bytes(b"x" * 100_000)
    (home / "damaged").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n")
    for name in ("text", "large", "damaged"):
        (home / name).chmod(0o600)
    good = keygen(home / "good")
    names = ["fifo", "folder", "text", "large", "damaged", "absent", "/dev/zero", "~nobody-here/key"]
    how = attempt(accepting(good), host_key, login(home, *(home / name for name in names), good))
    assert how.accepted == "~/good"
    assert len(how.notes) == len(names)


def test_keys_on_hardware_tokens_are_said(home: Path, host_key: paramiko.PKey) -> None:
    (home / ".ssh" / "id_ed25519_sk").write_text("")
    with pytest.raises(AuthenticationError, match="hardware tokens"):
        attempt(accepting(), host_key, login(home))


def test_the_error_names_host_user_and_everything_tried(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    keygen(home / ".ssh" / "id_ed25519")
    with pytest.raises(AuthenticationError) as caught:
        attempt(accepting(), host_key, login(home, chosen, home / "absent"))
    assert caught.value.message == (
        "gpu-box: none of 2 ways to log in as ubuntu was accepted: ~/chosen, ~/.ssh/id_ed25519; "
        "passed over: ~/absent: no such file"
    )
    assert "authorized_keys" in str(caught.value.hint)
    assert caught.value.exit_code == 3


def test_without_any_key_the_error_says_so(home: Path, host_key: paramiko.PKey) -> None:
    with pytest.raises(AuthenticationError, match="there is no key to log in as ubuntu"):
        attempt(accepting(), host_key, login(home))


def test_a_password_comes_last_and_from_the_environment(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    rules = Rules(set(), {"secret"})
    how = attempt(rules, host_key, login(home, chosen, environ={"PROVISION_SSH_PASSWORD": "secret"}))
    assert rules.offers[-1] == "password"
    assert how.accepted == "password"


def test_a_password_is_asked_for_only_where_the_server_takes_one(home: Path, host_key: paramiko.PKey) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    attempt(Rules(set(), {"secret"}), host_key, login(home, ask_password=ask))
    assert asked == ["Password of ubuntu on gpu-box: "]
    with pytest.raises(AuthenticationError):
        attempt(Rules(set(), set()), host_key, login(home, ask_password=ask))
    assert len(asked) == 1


def test_the_password_of_the_environment_is_never_offered_to_a_jump_host(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    rules = Rules(set(), {"secret"})
    how = login(home, chosen, environ={"PROVISION_SSH_PASSWORD": "secret"}, jump=True)
    with pytest.raises(AuthenticationError) as caught:
        attempt(rules, host_key, how)
    assert "password" not in rules.offers
    hint = caught.value.hint or ""
    assert "provision hosts install-key gpu-box (PROVISION_SSH_PASSWORD is never sent to a jump host)" in hint


def test_a_jump_host_that_wants_a_password_is_named_as_one_in_the_question(home: Path, host_key: paramiko.PKey) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    how = login(home, ask_password=ask, jump=True, environ={"PROVISION_SSH_PASSWORD": "another"})
    rules = Rules(set(), {"secret"})
    attempt(rules, host_key, how)
    assert asked == ["Password of ubuntu on the jump host gpu-box: "]
    assert rules.offers == ["password"]


def test_a_wrong_password_is_never_shown(home: Path, host_key: paramiko.PKey) -> None:
    with pytest.raises(AuthenticationError) as caught:
        attempt(Rules(set(), {"x"}), host_key, login(home, environ={"PROVISION_SSH_PASSWORD": "hunter2"}))
    assert "hunter2" not in caught.value.message
    assert "hunter2" not in repr(caught.value.__context__)


def test_a_key_and_then_a_password_are_two_factors(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    rules = Rules({public(chosen).blob}, {"secret"}, factors=2)
    attempt(rules, host_key, login(home, chosen, environ={"PROVISION_SSH_PASSWORD": "secret"}))
    assert rules.offers[-1] == "password"


def test_half_a_login_is_not_taken_for_a_whole_one(home: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    rules = Rules({public(chosen).blob}, {"secret"}, factors=2)
    with pytest.raises(AuthenticationError, match="second factor"):
        attempt(rules, host_key, login(home, chosen))


def test_a_server_that_hangs_up_after_refusals_has_refused(home: Path, host_key: paramiko.PKey) -> None:
    keys = [keygen(home / f"key{number}") for number in range(3)]
    rules = accepting()
    rules.hang_up_after = 2
    with pytest.raises(AuthenticationError, match="closed the connection"):
        attempt(rules, host_key, login(home, *keys))
    assert len(rules.offers) == 2


def test_a_link_lost_before_any_refusal_is_not_a_refusal(home: Path, host_key: paramiko.PKey) -> None:
    rules = accepting()
    rules.hang_up_after = 1
    with pytest.raises(UnreachableError) as caught:
        attempt(rules, host_key, login(home, keygen(home / "key")))
    assert not isinstance(caught.value, AuthenticationError)


def connect(port: int, how: Login, verifier: Verifier) -> Iterator[None]:
    client = paramiko.SSHClient()
    verifier.install(client)
    try:
        client.connect(
            "127.0.0.1",
            port,
            auth_strategy=how,
            timeout=10,
            transport_factory=functools.partial(new_transport, key_types=verifier.key_types),
        )
        yield
    finally:
        client.close()


def reach(port: int, how: Login, verifier: Verifier) -> None:
    for _ in connect(port, how, verifier):
        pass


def checker(tmp_path: Path, port: int, **options: Any) -> Verifier:
    options = {"known": KnownKeys(), **options}
    return Verifier(Identity.of("gpu-box", "127.0.0.1", port), store=TrustStore(tmp_path / "store"), **options)


def test_a_changed_host_key_is_refused_before_any_login(home: Path, tmp_path: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    rules = accepting(chosen)
    with server(rules, host_key) as port:
        reach(port, login(home, chosen), checker(tmp_path, port))
        rules.offers.clear()
    other = paramiko.ECDSAKey.generate()
    with server(rules, other) as second:
        verifier = Verifier(
            Identity.of("gpu-box", "127.0.0.1", port), store=TrustStore(tmp_path / "store"), known=KnownKeys()
        )
        with pytest.raises(HostKeyError, match="has changed"):
            reach(second, login(home, chosen), verifier)
    assert rules.offers == []


def test_the_policy_is_what_refuses(
    home: Path, tmp_path: Path, host_key: paramiko.PKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With paramiko's accept-all policy put back, a revoked key would be accepted: the other tests can fail."""
    chosen = keygen(home / "chosen")
    blob = host_key.get_base64()
    path = tmp_path / "known_hosts"
    path.write_text(f"@revoked * {host_key.get_name()} {blob}\n")
    with server(accepting(chosen), host_key) as port:
        known = KnownHosts((path,)).lookup("127.0.0.1", port)
        with pytest.raises(HostKeyError, match="revoked"):
            reach(port, login(home, chosen), checker(tmp_path, port, known=known))
        monkeypatch.setattr(
            paramiko.SSHClient,
            "set_missing_host_key_policy",
            lambda self, _: setattr(self, "_policy", paramiko.AutoAddPolicy()),
        )
        reach(port, login(home, chosen), checker(tmp_path, port, known=known))


def test_keys_in_the_clients_own_tables_do_not_bypass_us(home: Path, tmp_path: Path, host_key: paramiko.PKey) -> None:
    chosen = keygen(home / "chosen")
    with server(accepting(chosen), host_key) as port:
        client = paramiko.SSHClient()
        client.get_host_keys().add(f"[127.0.0.1]:{port}", host_key.get_name(), host_key)
        verifier = checker(tmp_path, port, policy="strict")
        verifier.install(client)
        with pytest.raises(HostKeyError, match="unknown host key"):
            client.connect("127.0.0.1", port, auth_strategy=login(home, chosen), timeout=10)
        client.close()


@needs_sshd
def test_a_real_server_with_three_keys_is_asked_for_the_one_that_we_know(home: Path, tmp_path: Path) -> None:
    chosen = keygen(home / "chosen")
    host_keys = [keygen(tmp_path / kind, kind) for kind in ("ed25519", "ecdsa", "rsa")]
    with openssh(tmp_path, host_keys, (home / "chosen.pub").read_text()) as port:
        for path in host_keys:
            key = public(path)
            files = tmp_path / "known_hosts"
            files.write_text(f"[127.0.0.1]:{port} {key.type} {key.blob}\n")
            verifier = checker(tmp_path, port, known=KnownHosts((files,)).lookup("127.0.0.1", port), policy="strict")
            reach(port, login(home, chosen, username=ME), verifier)


@needs_sshd
def test_a_real_server_is_found_by_the_bare_fingerprint_of_its_last_key(home: Path, tmp_path: Path) -> None:
    chosen = keygen(home / "chosen")
    host_keys = [keygen(tmp_path / kind, kind) for kind in ("ed25519", "ecdsa", "rsa")]
    with openssh(tmp_path, host_keys, (home / "chosen.pub").read_text()) as port:
        verifier = checker(tmp_path, port, pin=public(host_keys[2]).fingerprint)
        for _ in range(2):
            with pytest.raises(AskAgainError):
                reach(port, login(home, chosen, username=ME), verifier)
        reach(port, login(home, chosen, username=ME), verifier)
        reach(port, login(home, chosen, username=ME), checker(tmp_path, port, pin=public(host_keys[2]).fingerprint))


@needs_sshd
def test_a_real_server_takes_a_certificate_and_the_plain_key_where_it_knows_no_authority(
    home: Path, tmp_path: Path
) -> None:
    authority = keygen(tmp_path / "authority")
    host_key = keygen(tmp_path / "host")
    for kind in ("ed25519", "rsa", "ecdsa"):
        chosen = keygen(home / kind, kind)
        command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", ME, "-V", "-1h:+1h", f"{chosen}.pub"]
        subprocess.run(command, check=True)
        trusted = f"TrustedUserCAKeys {authority}.pub"
        with openssh(tmp_path, [host_key], "", trusted) as port:
            how = login(home, chosen, username=ME)
            reach(port, how, checker(tmp_path, port))
            assert how.accepted == f"~/{kind} with its certificate"
        with openssh(tmp_path, [host_key], (home / f"{kind}.pub").read_text()) as port:
            how = login(home, chosen, username=ME)
            reach(port, how, checker(tmp_path, port))
            assert how.accepted == f"~/{kind}"


@needs_sshd
def test_a_real_server_never_locks_us_out_with_too_many_failures(home: Path, tmp_path: Path) -> None:
    held = [keygen(tmp_path / f"held{number}", "rsa" if number % 2 else "ed25519") for number in range(7)]
    chosen = keygen(home / "chosen")
    with (
        openssh(tmp_path, [keygen(tmp_path / "host")], (home / "chosen.pub").read_text()) as port,
        agent(tmp_path, *held, chosen) as path,
    ):
        with pytest.raises(AuthenticationError, match="none of 5 ways"):
            reach(port, login(home, username=ME, environ={"SSH_AUTH_SOCK": path}), checker(tmp_path, port))
        how = login(home, chosen, username=ME, environ={"SSH_AUTH_SOCK": path})
        reach(port, how, checker(tmp_path, port))
