"""The way in which a job outlives the connection: what this host offers, the best first."""

# A piece of launch_job.py: all pieces run in one namespace, and job_folder.py imports for them.

SYSTEM, USER, SESSION = "system-unit", "user-unit", "session"
PATIENCE = 20
"""Seconds that a manager of services may take for an answer."""
LINGERING = "/var/lib/systemd/linger"
LOGIND_SETTINGS = (
    "/usr/lib/systemd/logind.conf",
    "/etc/systemd/logind.conf",
    "/etc/elogind/logind.conf",
    "/usr/lib/systemd/logind.conf.d/*.conf",
    "/run/systemd/logind.conf.d/*.conf",
    "/etc/systemd/logind.conf.d/*.conf",
    "/etc/elogind/logind.conf.d/*.conf",
)
"""logind.conf(5): later ones win."""

ASKED = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")


class WayError(Exception):
    """This way was there, and the job could not be begun by it."""


def ladder(notes):
    """Yield the ways that this host offers, the best first; `notes` gets why one is not there.

    Raises `JobError` where none is left, as this host ends all of a login's processes with its last session.
    """
    if booted_by_systemd():
        if os.geteuid() == 0:
            yield SYSTEM
        else:
            reason = why_no_user_unit()
            if reason is None:
                yield USER
            else:
                notes.append(reason)
    if outlives_logout():
        yield SESSION
        raise JobError("refused", "nothing on this host begins the job: %s" % "; ".join(notes), None)
    message = "this host ends whatever a login runs when it logs out: %s" % "; ".join(notes)
    name = login_name()
    hint = "ask its administrator for `loginctl enable-linger %s`, or for KillUserProcesses=no in logind.conf" % name
    raise JobError("logout", message, hint)


def booted_by_systemd():
    return os.path.isdir("/run/systemd/system") and first_process() == "systemd"


def first_process():
    try:
        with open("/proc/1/comm") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def login_name():
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def ran(*words):
    """Run a program of the host; return its exit code and what it wrote, in one text."""
    environment = dict(os.environ, LC_ALL="C", **bus())
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment
        )
    except OSError as error:
        return 127, "%s: %s" % (words[0], error.strerror)
    try:
        said = process.communicate(timeout=PATIENCE)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return 124, "%s has not answered for %d s" % (words[0], PATIENCE)
    return process.returncode, said.decode("utf-8", "replace").strip()


def bus():
    """Return what leads to the login's own manager: a session that is not PAM's has no such variables."""
    runtime = runtime_folder()
    return {"XDG_RUNTIME_DIR": runtime, "DBUS_SESSION_BUS_ADDRESS": "unix:path=%s/bus" % runtime}


def runtime_folder():
    return "/run/user/%d" % os.geteuid()


def why_no_user_unit():
    """Return why the login has no manager of its own that stays when it logs out; ``None`` where it has one."""
    asked = ""
    if not lingers():
        asked = ran("loginctl", "enable-linger")[1] or "loginctl enable-linger changes nothing"
        if not lingers():
            return "its user manager ends with the last session (%s)" % one_line(asked)
    socket_path = os.path.join(runtime_folder(), "systemd/private")
    deadline = time.monotonic() + (5 if asked else 0)
    while not os.path.exists(socket_path):
        if time.monotonic() >= deadline:
            return "its user manager does not run (%s)" % socket_path
        time.sleep(0.05)
    return None


def lingers():
    if os.path.exists(os.path.join(LINGERING, login_name())):
        return True
    if os.path.isdir(LINGERING):
        return False
    code, said = ran("loginctl", "show-user", str(os.geteuid()), "-p", "Linger")
    return code == 0 and said == "Linger=yes"


def outlives_logout():
    """Whether a process in a session of its own goes on when its login has logged out."""
    if not booted_by_systemd() and not os.path.isdir("/run/systemd/seats"):
        return True
    known = logind_answers() or logind_settings()
    name = login_name()
    only, never = known.get("KillOnlyUsers", "").split(), known.get("KillExcludeUsers", "root").split()
    # Where nothing tells, the job is not risked: upstream's default is yes.
    ends = known.get("KillUserProcesses", "yes").lower() not in ("no", "false", "off", "0")
    return not ends or name in never or bool(only and name not in only)


def logind_answers():
    """Return what logind itself says; nothing where it cannot be asked. loginctl does not show it in a session."""
    place = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
    code, said = ran("busctl", "get-property", *place, *ASKED)
    values = list(map(busctl_words, said.splitlines()))
    return dict(zip(ASKED, values)) if code == 0 and len(values) == len(ASKED) else {}  # noqa: B905 - not in 3.6


def busctl_words(line):
    """Return what stands in a line of ``busctl``, like ``b false`` or ``as 2 "one" "other"``."""
    kind, *words = line.replace('"', "").split()
    return " ".join(words[1:] if kind == "as" else words)


def logind_settings():
    """Return what the files say; a setting that is commented out is the default of whoever built it."""
    known = {}
    for pattern in LOGIND_SETTINGS:
        for path in sorted(glob.glob(pattern)):
            try:
                with open(path, errors="replace") as stream:
                    for line in stream:
                        name, _, value = line.strip().partition("=")
                        if name.startswith("Kill"):
                            known[name] = value
                        elif name.startswith("#Kill") and value:
                            known.setdefault(name[1:], value)
            except OSError:
                pass
    return known


def one_line(said):
    return " ".join(said.split())[:300]
