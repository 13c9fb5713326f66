"""The entry point: finds the command, runs it, and turns what went wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import contextlib
import errno
import gc
import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn

from provision import __version__
from provision.errors import BadFileError, InterruptedRunError, ProvisionError, UnreachableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

OBJECTS_BETWEEN_COLLECTIONS = 100_000

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "write hosts.yaml, and environment.yml where there is none"),
    "hosts": ("hosts", "show the fleet; add a host; end password-only logins"),
    "plan": ("converge", "show what `up` would do, and touch nothing"),
    "up": ("converge", "bring hosts to what their playbook says"),
    "verify": ("converge", "judge hosts without changing them"),
    "sync": ("sync", "make the project's folder on hosts what it is here"),
    "run": ("run", "run a command there that outlives this laptop"),
    "jobs": ("jobs", "show what runs, what waits for GPUs, and how things ended"),
    "logs": ("logs", "print what a job has printed, and follow it"),
    "stop": ("stop_job", "end a job with everything that it started"),
    "pull": ("pull", "bring files of a host here"),
    "env": ("env", "environments: lock them, compare, export and migrate them"),
    "doctor": ("doctor", "judge this machine and its venv against what the hosts have"),
    "power": ("power", "start rented machines, and stop them"),
    "ssh": ("ssh", "open a shell on a host"),
    "exec": ("exec", "run a command on many hosts"),
    "trust": ("trust", "accept a host's new key"),
    "report": ("report", "write what was met, and how it was solved, for the team"),
    "history": ("history", "show what was run from here, and what changed on a host"),
    "schedule": ("schedule", "do it again at fixed times: systemd, cron or launchd waits"),
    "notify": ("notify", "show where notices of failures and drift go, and try it"),
    "demo": ("demo", "try everything on a host of our own, on this machine"),
}
"""Each command: its module below provision.cli, and one line of help."""

PROBLEMS_SHOWN = 5
"""Further problems of a file that are shown without -v."""

EPILOG = """\
examples:
  provision init                     write hosts.yaml from your ssh_config or a pasted ssh command
  provision plan gpu-box             what would be done there, and why
  provision up gpu-box               do it: Miniconda, environment, GPU and CUDA proven to work
  provision up all --forks 50        the whole fleet at once
  provision sync gpu-box --watch     your code there, and each change as soon as it is saved
  provision run gpu-box -- python train.py    a job that outlives this laptop
  provision exec 'gpu-*' -- nvidia-smi

`provision COMMAND --help` shows each command's options with examples.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, exit code 2."""

    typed: Sequence[str] = ()

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Remember the words, for what argparse says of them."""
        self.typed = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage; an unknown option gets its near match."""
        known = [name for action in self._actions for name in action.option_strings]
        option = message.partition("unrecognized arguments: ")[2].split(" ")[0]
        if "arguments are required" in message:
            # A misspelt option is why its value is missing, or stands in the way of what is.
            option = next((one for one in self.typed if one[:2] == "--" != one and one.split("=")[0] not in known), "")
        if option.startswith("-"):
            from provision.decode.near import suggestion

            message = f"unknown option {_plain(option)}{suggestion(option.split('=')[0], known)}"
        raise UsageError(message, hint=f"{self.prog} --help")


def build_parser() -> Parser:
    """Return the parser of the words before the command; each command has its own for the rest."""
    lines = "\n".join(f"  {name:<10}{text}" for name, (_, text) in COMMANDS.items())
    parser = Parser(
        prog="provision",
        usage="provision [--version] COMMAND ...",
        description="A bare SSH box becomes a training machine that is proven to work.",
        epilog=f"commands:\n{lines}\n\n{EPILOG}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"provision {__version__}")
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def run(argv: list[str]) -> int:
    """Run one command line and return its exit code.

    Raises:
        ProvisionError: what the user is to be told.
    """
    parser = build_parser()
    # Options stand after the command: only these two stand alone, so that a command's own are never taken here.
    if not argv or argv[0] in {"-h", "--help", "help"}:
        parser.print_help()
        return 0 if argv else 2
    if argv[0] == "--version":
        parser.parse_args(argv[:1])
    name = argv[0]
    if name not in COMMANDS:
        from provision.decode.near import suggestion

        if name.startswith("-"):
            raise UsageError(f"unknown option {name}", hint="options stand after the command: provision --help")
        raise UsageError(f"there is no command '{_plain(name)}'{suggestion(name, COMMANDS)}", hint="provision --help")
    module = importlib.import_module(f"provision.cli.{COMMANDS[name][0]}")
    code: int = module.main(name, argv[1:])
    return code


def _open_closed_streams() -> None:
    """Put the null device where we were started with a closed stream: a file or socket would take its number."""
    for name, number, mode in (("stdin", 0, "r"), ("stdout", 1, "w"), ("stderr", 2, "w")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    # Loading modules makes many objects and no garbage: collecting so often meanwhile costs a sixth of the start.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    _open_closed_streams()
    if not os.environ.get("HOME", "/").startswith("/"):
        # An empty or relative one would put our files below / or here: the user database knows better.
        del os.environ["HOME"]
    _end_as_by_ctrl_c()
    try:
        if sys.argv[1:] and sys.argv[1] in COMMANDS:
            from provision.ledger.recorder import recorded

            code = recorded(sys.argv[1:], _code)
        else:
            code = _code()
    finally:
        try:
            _end_proxy_commands()
        finally:
            # A Ctrl-C in its first line would have left them.
            _end_proxy_commands()
    # A thread that waits for a dead network must not hold up the exit.
    with contextlib.suppress(OSError):
        sys.stderr.flush()
    try:
        sys.stdout.flush()
    finally:
        os._exit(code)


def _code() -> int:
    """Run the command line of this process; return its exit code, with what went wrong told."""
    try:
        code = run(sys.argv[1:])
        sys.stdout.flush()
    except ProvisionError as error:
        code = complain(error)
    except KeyboardInterrupt:
        code = complain(InterruptedRunError("interrupted"))
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong with us, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 141
    except OSError as error:
        code = complain(_local_trouble(error))
    return code


def _local_trouble(error: OSError) -> ProvisionError:
    """Return what a failure of this machine is called; any other is a bug, and raised."""
    if error.errno in {errno.EMFILE, errno.ENFILE}:
        hint = "ulimit -n 4096, or fewer hosts at once: --forks 8"
        return UnreachableError("this machine lets us open no more files", hint=hint)
    if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO} and error.filename is None:
        # What is left in the buffer cannot be written either, and must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return UsageError(f"what there is to say cannot be written: {error.strerror}", hint="is the disk full?")
    raise error


def _end_as_by_ctrl_c() -> None:
    """Let SIGTERM and a closed terminal end us as Ctrl-C does: the terminal and what we started are put in order."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        # What is ignored stays so: that is what nohup asks for.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


def _end_proxy_commands() -> None:
    """End the programs that stand for a connection: most end with their input, some only when told."""
    proxies = sys.modules.get("provision.ssh.proxy")
    if proxies is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Bounded to a few seconds: whoever is impatient now would leave them behind.
            signal.signal(number, signal.SIG_IGN)
        proxies.end_all()


def complain(error: ProvisionError) -> int:
    """Print an error as one line, with what to do next below it, and return its exit code."""
    with contextlib.suppress(OSError):
        _print_error(error)
    return error.exit_code


def _print_error(error: ProvisionError) -> None:
    from provision.report.display import visible

    print(f"provision: {visible(error.message)}", file=sys.stderr)
    detail = error.detail.splitlines() if error.detail else []
    if isinstance(error, BadFileError):
        # The first problem is the message itself; whoever mends the file wants to see the others now.
        shown = detail[1:] if "-v" in sys.argv else detail[1 : 1 + PROBLEMS_SHOWN]
        for line in shown:
            print(f"  {visible(line)}", file=sys.stderr)
        detail = []
    if error.hint:
        print(f"  -> {visible(error.hint)}", file=sys.stderr)
    if "-v" in sys.argv:
        for line in detail:
            print(f"     {visible(line)}", file=sys.stderr)


def _plain(text: str) -> str:
    from provision.report.display import visible

    return visible(text)[:60]


if __name__ == "__main__":
    main()
