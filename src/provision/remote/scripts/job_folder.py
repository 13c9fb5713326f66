"""The folder of a job: what stands in it, and what that means. The first piece of every program about jobs."""

# All pieces of a program run in one namespace: what the others need is imported here.
# ruff: noqa: F401

import base64
import ctypes
import errno
import fcntl
import glob
import hashlib
import json
import os
import pwd
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading
import time
import zlib

FORMAT = 1
HEAD = struct.Struct(">cI")
RUN = struct.Struct(">QQ")
"""A record of log.index: milliseconds since the epoch, and the offset with the stream in its last two bits."""
LENGTH = struct.Struct(">I")
STDOUT, STDERR, NOTE = 0, 1, 2
JOB_ID = re.compile(r"[a-z][a-z2-7]{5}")
LARGEST_REQUEST = 64 << 20
STARTING = 15
"""Seconds after its submission in which a job may not have begun yet."""


class JobError(Exception):
    """It cannot be done, and why: a kind for programs, a message and a hint for people."""

    def __init__(self, kind, message, hint=None):
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint


class ClientGoneError(Exception):
    """Nobody reads any more what is said."""


class Voice:
    """What is said to the client: the begin line goes with the first message, as small pieces wait for each other."""

    def __init__(self):
        self.begin = b"\n" + os.environ.get("PROVISION_NONCE", "").encode() + b" begin\n"

    def say(self, kind, *parts):
        data = self.begin + HEAD.pack(kind, sum(map(len, parts))) + b"".join(parts)
        self.begin = b""
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(1, view) :]
        except OSError as error:
            raise ClientGoneError from error

    def json(self, kind, value):
        self.say(kind, json.dumps(value).encode())


def read_request():
    """Return what the client asks for; the rest of stdin is left where it is."""
    (length,) = LENGTH.unpack(read_exactly(LENGTH.size))
    if length > LARGEST_REQUEST:
        raise JobError("protocol", "a request of %d bytes" % length)
    request = json.loads(zlib.decompress(read_exactly(length)).decode())
    if request.get("format", FORMAT) != FORMAT:
        raise JobError("protocol", "a request of format %r" % request.get("format"), "update provision on this machine")
    return request


def read_exactly(count):
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            raise ClientGoneError
        data += piece
    return data


def spoken(main):
    """Run `main(voice)`: whatever it raises is told to the client."""
    voice = Voice()
    try:
        os.umask(0o077)
        main(voice)
    except ClientGoneError:
        pass
    except JobError as error:
        tell(voice, {"kind": error.kind, "message": error.message, "hint": error.hint})
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        message = (error.strerror or str(error)) + (": %s" % error.filename if error.filename else "")
        hint = "make room there" if full else None
        tell(voice, {"kind": "disk" if full else "refused", "message": message, "hint": hint})


def tell(voice, failure):
    try:
        voice.json(b"E", failure)
    except ClientGoneError:
        pass


def jobs_folder(request):
    return os.path.join(os.path.expanduser(request["state_dir"]), "jobs")


def job_folder(request, name):
    """Return the folder of a job, which must be there."""
    if not JOB_ID.fullmatch(name):
        raise JobError("unknown", "%r is no id of a job" % name)
    folder = os.path.join(jobs_folder(request), name)
    if not os.path.isdir(folder):
        raise JobError("unknown", "there is no job %s on this host" % name)
    return folder


def boot_id():
    with open("/proc/sys/kernel/random/boot_id") as stream:
        return stream.read().strip()


def uptime():
    with open("/proc/uptime") as stream:
        return float(stream.read().split()[0])


def start_time(pid):
    """Return when a process began, in ticks since the boot; ``None`` where there is none, or only its end."""
    try:
        with open("/proc/%d/stat" % pid, "rb") as stream:
            # After the name in parentheses, which may hold anything.
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def read_json(folder, name):
    """Return what a file of a job says; ``None`` where it is not there; raises ValueError where it says nothing."""
    try:
        with open(os.path.join(folder, name), "rb") as stream:
            value = json.loads(stream.read().decode())
    except FileNotFoundError:
        return None
    if not isinstance(value, dict):
        raise ValueError("%s is damaged" % name)  # noqa: TRY004 - as the JSON itself says it
    return value


def write_whole(folder, name, data, lasting=False):
    """Write a file of a job by rename: it is there whole or not at all. `lasting`: also after a power cut."""
    draft = os.path.join(folder, ".%s.%d" % (name, os.getpid()))
    try:
        with open(draft, "wb") as stream:
            stream.write(data)
            if lasting:
                stream.flush()
                os.fsync(stream.fileno())
        os.rename(draft, os.path.join(folder, name))
    except OSError:
        try:
            os.unlink(draft)
        except OSError:
            pass
        raise
    if lasting:
        sync_folder(folder)


def sync_folder(folder):
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def forget_drafts(folder, name):
    """Remove what killed writers of a file left beside it; whoever calls this writes it alone."""
    for one in os.listdir(folder):
        if one.startswith(".%s." % name):
            os.unlink(os.path.join(folder, one))


def write_json(folder, name, value, lasting=False):
    write_whole(folder, name, json.dumps(value).encode(), lasting)


def is_locked(path):
    """Return whether somebody holds the lock on a file."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


END = ("state", "exit_code", "signal", "reason", "message", "started", "ended", "ended_others", "log_lost")


def state_of(folder, record, boot):
    """Return what has become of a job: its own word, or what the lock and the boot say where it had no time for one.

    ``state`` is one of queued, running, exited, stopped, lost.
    """
    now = {"gpus": [], "waiting": None, **dict.fromkeys(END)}
    # Asked before the files are read: it may end in between, and then its end is there.
    alive = is_locked(os.path.join(folder, "alive"))
    told = read_json(folder, "state.json") or {}
    ended = read_json(folder, "end.json")
    now["gpus"], now["started"] = told.get("gpus") or [], told.get("started")
    if ended is not None:
        now.update((name, ended.get(name)) for name in END)
    elif record.get("boot_id") != boot:
        now.update(state="lost", reason="reboot", message="the host was restarted")
    elif alive:
        now.update(state=told.get("state", "queued"), waiting=told.get("waiting"))
    elif not told and uptime() < record.get("uptime", 0) + STARTING:
        now.update(state="queued")
    else:
        now.update(state="lost", reason="killed", message="what watched over it was ended")
    return now
