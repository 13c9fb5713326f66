"""The environment that a command gets: a generation of ours, and the variables."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

UNUSED = ("OLDPWD", "PWD", "SHLVL", "_", "PYTHONHOME")
UNUSED_KINDS = ("SSH_", "PROVISION_", "CONDA_")
UNSET_FOR_US = ("CDPATH", "ENV", "BASH_ENV", "PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "GREP_OPTIONS")
"""Variables that the shell around this program has unset for it."""
CONDA_UNSET = "***unset***"
"""What conda writes for a variable that activation takes away (CONDA_ENV_VARS_UNSET_VAR)."""
MARKER = ".provision-generation.json"


def resolved_environment(request):
    """Return the record of the generation that is in use now and its marker; a later switch does not reach the job."""
    if request["environment"] is None:
        return None, None
    name = request["environment"]["name"]
    state = os.fsencode(os.path.expanduser(request["state_dir"]))
    current = os.path.join(state, b"envs", raw(request["project"]), raw(name), b"current")
    prefix = os.path.realpath(current)
    marker = marker_of(prefix)
    if marker is None or os.path.lexists(os.path.join(prefix, b".provision-rejected")):
        message = "the environment %s is not there (%s)" % (name, text(current))
        raise JobError("no-environment", message, "`provision up HOST` builds it")
    record = {
        "name": name,
        "generation": text(os.path.basename(prefix)),
        "prefix": text(prefix),
        "digest": marker.get("digest"),
        "packages": marker.get("packages"),
    }
    return record, marker


def marker_of(prefix):
    """Return what a generation says of itself; ``None`` where it was not built to its end."""
    try:
        with open(os.path.join(prefix, raw(MARKER)), "rb") as stream:
            value = json.loads(stream.read().decode())
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def variables(request, environment):
    """Return all variables of the command; the secrets come last."""
    found = session_variables()
    for name in list(found):
        if name in UNUSED or name.startswith(UNUSED_KINDS):
            del found[name]
    if environment is not None:
        prefix = environment["prefix"]
        found["CONDA_PREFIX"] = prefix
        found["CONDA_DEFAULT_ENV"] = environment["name"]
        found["CONDA_SHLVL"] = "1"
        found["PATH"] = ":".join([prefix + "/bin"] + [one for one in [found.get("PATH")] if one])
        for name, value in set_by_conda(raw(prefix)).items():
            if value == CONDA_UNSET:
                found.pop(name, None)
            else:
                found[name] = value
    found.setdefault("PYTHONUNBUFFERED", "1")
    found["PROVISION_JOB"] = request["id"]
    found["PROVISION_JOB_NAME"] = request["name"] or ""
    found.update(request["env"])
    found.update(request["secrets"])
    return sorted(found.items())


def session_variables():
    """Return the variables of this ssh session, as they were before the shell around this program set its own."""
    now = {text(name): text(value) for name, value in os.environb.items()}
    before = variables_of(os.getppid())
    if before is None:
        return now
    for name in UNSET_FOR_US:
        if name in before:
            now.setdefault(name, before[name])
    if now.get("LC_ALL") == "C":
        del now["LC_ALL"]
        if "LC_ALL" in before:
            now["LC_ALL"] = before["LC_ALL"]
    path, own = now.get("PATH", ""), before.get("PATH", "")
    if own and path.endswith(":" + own):
        # The user's own order first: what we put in front of it is only to be there at all.
        known = own.split(":")
        now["PATH"] = ":".join([own] + [one for one in path[: -len(own) - 1].split(":") if one not in known])
    return now


def variables_of(pid):
    """Return what a process was started with; ``None`` where that cannot be known."""
    try:
        with open("/proc/%d/environ" % pid, "rb") as stream:
            pairs = [one.partition(b"=") for one in stream.read().split(b"\0") if b"=" in one]
    except OSError:
        return None
    return {text(name): text(value) for name, _, value in pairs if name}


def set_by_conda(prefix):
    """Return the variables of an environment (``conda env config vars``)."""
    try:
        with open(os.path.join(prefix, b"conda-meta/state"), "rb") as stream:
            pairs = json.loads(stream.read().decode())["env_vars"]
        return {str(name): str(value) for name, value in pairs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
