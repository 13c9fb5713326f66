"""Take archives from the client into a host's cache: by content, each checked, taken up where a transfer broke.

receive_packages.py FOLDER missing    stdin: a JSON list of [path, sha256]; prints what is missing: [[path, bytes], ...]
receive_packages.py FOLDER take       stdin: for each archive a line of JSON, then its bytes from `offset` on
The line: {"path": "channels/conda-forge/noarch/x.conda", "sha256": "...", "size": 123, "offset": 0}.
Exit codes: 0 done, 65 an archive arrived damaged, 73 cannot write. Any Python from 3.6 runs it.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package.
# ruff: noqa: PTH103, PTH104, PTH108, PTH110, PTH116, PTH118, PTH120, PTH123

import hashlib
import json
import os
import re
import sys

PIECE = 256 << 10
PLAIN = re.compile(r"[A-Za-z0-9._%+!-]+(/[A-Za-z0-9._%+!-]+)*")


def place(folder, path, sha256):
    """Return where an archive stands, and where it grows."""
    if not PLAIN.fullmatch(path) or ".." in path.split("/") or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError("not a place for an archive: %r" % (path,))
    whole = os.path.join(folder, path)
    return whole, "%s.%s.part" % (whole, sha256[:16])


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def missing(folder, stream):
    found = []
    for path, sha256 in json.loads(stream.read().decode()):
        whole, part = place(folder, path, sha256)
        if os.path.exists(whole) and sha256_of(whole) == sha256:
            continue
        found.append([path, os.stat(part).st_size if os.path.exists(part) else 0])
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def take(folder, stream):
    while True:
        line = stream.readline(1 << 16)
        if not line:
            return 0
        about = json.loads(line.decode())
        whole, part = place(folder, about["path"], about["sha256"])
        os.makedirs(os.path.dirname(whole), mode=0o700, exist_ok=True)
        left = about["size"] - about["offset"]
        with open(part, "r+b" if about["offset"] else "wb") as file:
            file.seek(about["offset"])
            file.truncate()
            while left:
                # Not a piece is kept back: what came before the link broke need not come again.
                piece = stream.read1(min(PIECE, left)) if hasattr(stream, "read1") else stream.read(min(PIECE, left))
                if not piece:
                    return 0
                file.write(piece)
                file.flush()
                left -= len(piece)
        if sha256_of(part) != about["sha256"]:
            os.unlink(part)
            sys.stderr.write("%s arrived damaged\n" % about["path"])
            return 65
        os.rename(part, whole)


def main(arguments):
    folder, what = arguments
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        return (missing if what == "missing" else take)(folder, sys.stdin.buffer)
    except OSError as error:
        sys.stderr.write("cannot write below %s: %s\n" % (folder, error))
        return 73


sys.exit(main(sys.argv[1:]))
