"""Print the variables that a conda environment sets, as JSON; any Python from 3.6 runs it.

Argument: the environment's prefix. Reads ``conda-meta/state``; where that is absent there are none. What cannot be
read is told as ``problem``.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package.
# ruff: noqa: PTH118, PTH123

import json
import os
import sys

LARGEST = 1 << 20


def main(arguments):
    said = {"format": 1, "variables": {}, "problem": None}
    try:
        said["variables"] = variables(os.path.join(arguments[0], "conda-meta", "state"))
    except (OSError, ValueError, AttributeError) as error:
        said["problem"] = repr(error)[:400]
    print(json.dumps(said, sort_keys=True))


def variables(path):
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read(LARGEST)
    except FileNotFoundError:
        return {}
    found = json.loads(text).get("env_vars") or {}
    return {name: value for name, value in found.items() if isinstance(value, str)}


main(sys.argv[1:])
