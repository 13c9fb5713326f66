"""Links between namespaces: veth pairs, their addresses, and the ways in which a link can be bad."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from ipaddress import IPv4Address

from tests.lab.controller import ADDRESS

FIRST = IPv4Address("198.18.1.0")
BEHIND = IPv4Address("198.19.0.0")
SLOTS = 12_000


@dataclass(frozen=True, slots=True)
class Addresses:
    """The two ends of one link, in a /30 of its own."""

    near: str
    far: str

    @classmethod
    def numbered(cls, number: int, *, behind: bool = False) -> Addresses:
        """Return the pair of the link with this number; `behind` a jump host from a range of its own."""
        base = (BEHIND if behind else FIRST) + 4 * (number % SLOTS)
        return cls(str(base + 1), str(base + 2))


@dataclass(frozen=True, slots=True)
class Link:
    """One link seen from its near namespace (None: the controller's, else that of a jump host's process)."""

    interface: str
    addresses: Addresses
    near: int | None
    far: int

    def connect(self) -> None:
        """Make a veth pair between the two namespaces and give both ends their addresses."""
        run_ip(self.near, f"link add {self.interface} type veth peer name eth0 netns {self.far}\n")
        self.assign("eth0")

    def assign(self, far_interface: str) -> None:
        """Give both ends of an existing pair of interfaces their addresses and routes."""
        near, far = self.addresses.near, self.addresses.far
        run_ip(
            self.near,
            f"addr add {near} peer {far} dev {self.interface}\nlink set {self.interface} up\n",
        )
        route = f"route add default via {near}\n"
        here = f"addr add {far} peer {near} dev {far_interface}\nlink set {far_interface} up\n"
        run_ip(self.far, f"link set lo up\n{here}{route}")

    def remove(self) -> None:
        """Take the near end away, and with it a veth pair; a link that has gone already is fine."""
        subprocess.run([*_inside(self.near), "ip", "link", "del", self.interface], check=False, capture_output=True)

    def drop(self, table: str, condition: str = "") -> None:
        """Drop packets both ways, all or those that meet an nft `condition`, under the table's name."""
        name = f"{table}_{self.interface}"
        self._nft(
            f"table inet {name} {{\n"
            f" chain arriving {{\n  type filter hook prerouting priority -300;\n"
            f'  iifname "{self.interface}" {condition} drop;\n }}\n'
            f" chain leaving {{\n  type filter hook postrouting priority 300;\n"
            f'  oifname "{self.interface}" {condition} drop;\n }}\n}}\n'
        )

    def lose(self, percent: float, far_interface: str) -> None:
        """Drop this share of the packets at random, each way.

        The link then carries packets as small as on a real wire, else a share would mean few and huge ones.
        """
        run_ip(self.near, f"link set {self.interface} gso_max_segs 1\n")
        run_ip(self.far, f"link set {far_interface} gso_max_segs 1\n")
        self.drop("loss", f"numgen random mod 10000 < {round(percent * 100)}")

    def allow(self, table: str) -> None:
        """Remove the rules under the table's name; none there is fine."""
        name = f"{table}_{self.interface}"
        self._nft(f"table inet {name}\ndelete table inet {name}\n")

    def _nft(self, rules: str) -> None:
        subprocess.run([*_inside(self.near), "nft", "-f", "-"], input=rules, text=True, check=True)


def run_ip(namespace: int | None, batch: str) -> None:
    """Run a batch of `ip` commands in the network namespace of a process, or in this process's own."""
    answer = subprocess.run(
        [*_inside(namespace), "ip", "-batch", "-"], input=batch, text=True, capture_output=True, check=False
    )
    if answer.returncode != 0:
        raise OSError(f"ip -batch failed: {answer.stderr.strip()} in: {batch!r}")


def _inside(namespace: int | None) -> list[str]:
    return [] if namespace is None else ["nsenter", f"--net=/proc/{namespace}/ns/net"]


__all__ = ["ADDRESS", "Addresses", "Link", "run_ip"]
