"""Tell of every generation of every environment on this host: size, origin, who uses it.

argv: STATE_DIR. Prints one JSON object. Nothing is changed.
"""

# Text for an interpreter of the host, with its pieces in front.
# ruff: noqa: F821 - pieces run in one namespace


def told(base, name, used):
    prefix = os.path.join(base, name)
    room = Room()
    room.add(prefix)
    marker = marker_of(prefix)
    kept = ("digest", "asked", "lock", "variant", "cuda", "built")
    return {
        "name": name,
        "complete": marker is not None,
        "rejected": is_rejected(prefix),
        "marker": {key: marker[key] for key in kept if key in marker} if marker is not None else None,
        "bytes": room.taken,
        "freed": room.freed,
        "used_by": used.get(os.path.realpath(prefix), []),
    }


def main():
    state = os.path.realpath(os.path.expanduser(sys.argv[1]))
    used = users(state)
    found = [
        {
            "project": project,
            "name": name,
            "current": current_of(base),
            "generations": [told(base, one, used) for one in generations(base)],
        }
        for project, name, base in environments(state)
    ]
    print(json.dumps({"format": 1, "now": time.time(), "busy": step_held(state), "environments": found}))


main()
