"""The commands `plan`, `up` and `verify`: their words; what they do is imported only when it is really asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from provision.cli import options

if TYPE_CHECKING:
    import argparse

DESCRIPTIONS = {
    "plan": "Show what `up` would change on the hosts, and why, like a diff. Nothing is touched.",
    "up": "Bring hosts to what their playbook says: Miniconda, the conda environment, GPU and CUDA proven to work.",
    "verify": "Judge hosts without changing them: every check is repeated, whatever was recorded before.",
}
EXAMPLES = {
    "plan": "  provision plan gpu-box\n  provision plan all --exit-code     exit with 7 when changes are pending\n",
    "up": (
        "  provision up gpu-box\n  provision up train '!ali-7'        a group, but for one host\n"
        "  provision up all --forks 50 --json\n  provision up gpu-box --wait        when another run holds the host\n"
    ),
    "verify": (
        "  provision verify gpu-box\n  provision verify all --json\n"
        "  provision verify all --drift       also what was changed by hand; exit with 7 where something was\n"
        "  provision verify --explain GPU-DRIVER-OLD     what a finding means and what to do\n"
    ),
}


def main(name: str, argv: list[str]) -> int:
    """Run `plan`, `up` or `verify`."""
    asked = _parse(name, argv)
    if getattr(asked, "explain", None) is not None:
        from provision.cli.explaining import main as explaining

        return explaining(asked)
    from provision.cli.convergence import converge

    return converge(name, argv, asked)


def _parse(name: str, argv: list[str]) -> argparse.Namespace:
    words = options.parser(name, DESCRIPTIONS[name], EXAMPLES[name])
    options.add_hosts(words)
    options.add_inventory(words)
    words.add_argument("-p", "--playbook", metavar="NAME|FILE", help="instead of the hosts' own")
    if name in {"plan", "up"}:
        words.add_argument("--frozen", action="store_true", help="build from fresh locks alone, or not at all")
    if name == "plan":
        words.add_argument("--exit-code", action="store_true", help="exit with 7 when changes are pending")
    if name in {"plan", "up"}:
        words.add_argument(
            "--keep-drift", action="store_true", help="leave an environment that was changed by hand as it is"
        )
    if name == "up":
        words.add_argument("--dry-run", action="store_true", help="the same as `provision plan`")
        words.add_argument("--bundle", metavar="FILE", help="take all packages from this file (see `env bundle`)")
        words.add_argument("--power-on", action="store_true", help="start rented machines that are stopped, first")
        words.add_argument("--wait", action="store_true", help="wait for another run that holds the host")
        words.add_argument(
            "--build-anyway",
            action="store_true",
            help="build although environment.yml asks for a CUDA that this driver or card does not serve",
        )
    if name == "verify":
        words.add_argument(
            "--drift",
            action="store_true",
            help="also compare environments with their builds, and the system with that of the last `up`; exit with 7"
            " where something was changed",
        )
        words.add_argument(
            "--explain", metavar="CODE", help="print what a finding or a known pitfall means, and no more"
        )
        words.add_argument(
            "--language", type=str.lower, choices=("en", "zh"), help="of --explain (default: as your locale says)"
        )
    if name in {"up", "verify"}:
        words.add_argument(
            "--notify",
            action="store_true",
            help="tell failures, recoveries and drift through `notify:` of provision.yaml",
        )
    options.add_fleet(words)
    options.add_output(words)
    return words.parse_args(argv)
