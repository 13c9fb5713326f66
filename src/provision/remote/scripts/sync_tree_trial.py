"""A delta that is only tried: what stands in its way is told, and nothing is written."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821


class Trial:
    """Stands in the place of `Staging`: the same delta, without the content of its files."""

    def __init__(self, known):
        self.old = known.old
        self.received = {}
        self.modes = {}
        self.removed = []

    def take(self, stream):
        """Take all records; return the digest of the target's manifest."""
        take = stream.take
        while True:
            kind = take(1)
            if kind == b"Z":
                return take(32)
            if kind == b"D":
                self.removed.append(check_path(take(int.from_bytes(take(2), "big"))))
                continue
            of, length = TWO_BYTES.unpack(take(3))
            path = check_path(take(length))
            if kind == b"M":
                self.modes[path] = of
            elif kind == b"V":
                size, digest = struct.unpack(">Q32s", take(40))
                self.received[path] = ((of, size, digest), NO_STAMP)
            else:
                raise SyncError("protocol", "nothing that can be tried: %r" % kind)

    def drop_unused(self):
        """Nothing was ever staged here."""


def foresee(known, client, codec, blocks):
    """Take a delta without content, and say what would have to make way; raises what would stop it."""
    trial = Trial(known)
    target = trial.take(Stream(decoded(codec, data_of(blocks))))
    delta = Delta(known, trial, target)
    delta.check()
    left = sorted(delta.gone & delta.adopted)
    said = {"aside": delta.aside, "left": left}
    client.tell(
        b"F", dict({key: [text(one) for one in paths] for key, paths in said.items()}, adopted=len(delta.adopting))
    )
