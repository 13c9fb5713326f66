"""The entry point: finds the command, runs it, and turns what went wrong into one line and an exit code."""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import sys
from typing import NoReturn

from provision import __version__
from provision.errors import InterruptedRunError, ProvisionError, UsageError

OBJECTS_BETWEEN_COLLECTIONS = 100_000

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "write hosts.yaml, and environment.yml where there is none"),
    "hosts": ("hosts", "show the fleet; add a host; end password-only logins"),
    "plan": ("converge", "show what `up` would do, and touch nothing"),
    "up": ("converge", "bring hosts to what their playbook says"),
    "verify": ("converge", "judge hosts without changing them"),
    "ssh": ("ssh", "open a shell on a host"),
    "exec": ("exec", "run a command on many hosts"),
    "trust": ("trust", "accept a host's new key"),
    "demo": ("demo", "try everything on a host of our own, on this machine"),
}
"""Each command: its module below provision.cli, and one line of help."""

EPILOG = """\
examples:
  provision init                     write hosts.yaml from your ssh_config or a pasted ssh command
  provision plan gpu-box             what would be done there, and why
  provision up gpu-box               do it: Miniconda, environment, GPU and CUDA proven to work
  provision up all --forks 50        the whole fleet at once
  provision exec 'gpu-*' -- nvidia-smi

`provision COMMAND --help` shows each command's options with examples.
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are ours: one line, exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the whole usage; an unknown option gets its near match."""
        option = message.partition("unrecognized arguments: ")[2].split(" ")[0]
        if option.startswith("-"):
            from provision.decode.near import suggestion

            known = [name for action in self._actions for name in action.option_strings]
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


def main() -> NoReturn:
    """Run the command line of this process and exit."""
    # Loading modules makes many objects and no garbage: collecting so often meanwhile costs a sixth of the start.
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
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
    # A thread that waits for a dead network must not hold up the exit.
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def complain(error: ProvisionError) -> int:
    """Print an error as one line, with what to do next below it, and return its exit code."""
    from provision.report.display import visible

    print(f"provision: {visible(error.message)}", file=sys.stderr)
    if error.hint:
        print(f"  -> {visible(error.hint)}", file=sys.stderr)
    if error.detail and "-v" in sys.argv:
        for line in error.detail.splitlines():
            print(f"     {visible(line)}", file=sys.stderr)
    return error.exit_code


def _plain(text: str) -> str:
    from provision.report.display import visible

    return visible(text)[:60]


if __name__ == "__main__":
    main()
