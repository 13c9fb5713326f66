"""Bring the archives of a lock into the host's own folder of channels, each checked by its SHA-256.

fetch_packages.py LIST FOLDER EXPLICIT [PATIENCE]
LIST: a JSON file: {"packages": [{"path": "conda-forge/noarch/x.conda", "sha256": "...", "urls": ["https://..."]}]}.
EXPLICIT: the file to write for conda: ``@EXPLICIT`` and the archives' file:// addresses, in the list's order.
Exit codes: 0 all there, 14 some could not be had from anywhere, 73 cannot write.

What arrived of an archive is kept, and taken up by the next try, from whatever server: the checksum decides. A server
that fails is asked last from then on, and what it said is told once. Any Python from 3.6 runs it.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package.
# ruff: noqa: PTH103, PTH104, PTH108, PTH116, PTH118, PTH119, PTH120, PTH123, PTH207, S310, SIM115

import errno
import glob
import hashlib
import http.client
import json
import os
import queue
import re
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request

AT_ONCE = 6
ROUNDS = 4
PAUSE = 1.5
PATIENCE = float((sys.argv[4:] or ["20"])[0])
"""Seconds without a byte, or with less than LEAST a second, after which a server is given up for now."""
LEAST = 20 << 10
PIECE = 256 << 10
TELL = 2.0
FIRST_WITH_SHA256 = (24, 9)
PASSING = (408, 425, 429, 500, 502, 503, 504)
"""Answers that another moment may change."""
NOTHING_MORE, PART_OF_IT, LACKS_IT = 416, 206, 404
GIVEN_UP = 3
"""Failures after which a server is asked last, until it has served as often."""
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO)


class WrongContentError(Exception):
    """A server sent something else than was asked for."""


class TooSlowError(Exception):
    """A server hardly sends anything."""


class DiskError(Exception):
    """Nothing can be written here: no other server helps."""


class Servers:
    """How the servers behaved so far: a server is what all archives of a channel have in common of their addresses."""

    def __init__(self):
        self.lock = threading.Lock()
        self.failures = {}
        self.taken = {}
        self.said = set()

    def order(self, urls):
        """Return the addresses, those of servers that fail last; else in the list's order."""
        with self.lock:
            return sorted(urls, key=lambda url: self.fails(server_of(url)))

    def fails(self, server):
        failures = self.failures.get(server, 0)
        return failures >= GIVEN_UP and failures > self.taken.get(server, 0)

    def failed(self, url, error):
        server = server_of(url)
        # A mirror may lack what is new, and have all the rest.
        lacks = isinstance(error, urllib.error.HTTPError) and error.code == LACKS_IT
        with self.lock:
            self.failures[server] = self.failures.get(server, 0) + (1 if lacks else GIVEN_UP)
            new = server not in self.said
            self.said.add(server)
        if new:
            say("not from %s: %s" % (server, plain(error)))

    def served(self, url):
        server = server_of(url)
        with self.lock:
            self.taken[server] = self.taken.get(server, 0) + 1
            self.failures[server] = max(0, self.failures.get(server, 0) - 1)


class Progress:
    """What has arrived so far, told every now and then."""

    def __init__(self, count):
        self.lock = threading.Lock()
        self.count, self.done, self.bytes, self.told = count, 0, 0, time.monotonic()

    def add(self, size):
        with self.lock:
            self.bytes += size

    def finished(self):
        with self.lock:
            self.done += 1

    def tell(self, last=False):
        now = time.monotonic()
        with self.lock:
            if not last and now - self.told < TELL:
                return
            self.told = now
            text = "%d of %d packages, %.1f MB" % (self.done, self.count, self.bytes / 1e6)
        say(text)


SAYING = threading.Lock()


def say(text):
    with SAYING:
        sys.stdout.write(text + "\n")
        sys.stdout.flush()


def server_of(url):
    return url.rsplit("/", 2)[0]


def plain(error):
    if isinstance(error, urllib.error.HTTPError):
        return "HTTP %d" % error.code
    reason = getattr(error, "reason", error)
    return " ".join(str(reason).split())[:200] or type(error).__name__


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for piece in iter(lambda: stream.read(PIECE), b""):
            digest.update(piece)
    return digest.hexdigest()


def is_there(path, sha256):
    try:
        return sha256_of(path) == sha256
    except OSError:
        return False


def size_of(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def fetch(package, folder, servers, progress):
    """Bring one archive here; return what the servers said where none had it."""
    path = os.path.join(folder, package["path"])
    part = "%s.%s.part" % (path, package["sha256"][:16])
    if is_there(path, package["sha256"]):
        return None
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    except OSError as error:
        raise DiskError(error) from error
    said = {}
    for attempt in range(ROUNDS):
        lasting = True
        for url in servers.order(package["urls"]):
            error = tried(url, path, part, package, progress)
            if error is None:
                servers.served(url)
                return None
            servers.failed(url, error)
            said[server_of(url)] = plain(error)
            lasting = lasting and will_last(error)
        if lasting:
            break
        time.sleep(PAUSE * attempt)
    return "; ".join("%s: %s" % one for one in sorted(said.items()))


def tried(url, path, part, package, progress):
    """Bring an archive from one address; return what went wrong, or nothing."""
    try:
        take(url, part, progress, patient=len(package["urls"]) == 1)
        got = sha256_of(part)
        if got == package["sha256"]:
            os.rename(part, path)
            return None
        os.unlink(part)
    except (OSError, ValueError, http.client.HTTPException, TooSlowError) as error:
        if isinstance(error, OSError) and error.filename in (part, path) and error.errno in FULL:
            raise DiskError(error) from error
        return error
    return WrongContentError("it sent other content, of sha256 %s" % got[:16])


def will_last(error):
    """Whether asking once more is in vain."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code not in PASSING
    return isinstance(error, WrongContentError)


def take(url, part, progress, patient):
    """Read an address into a file, from where an earlier try ended."""
    have = size_of(part)
    headers = {"User-Agent": "provision", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = "bytes=%d-" % have
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=PATIENCE)
    except urllib.error.HTTPError as error:
        if error.code == NOTHING_MORE and have:
            # All of it is here, or more than there is: the checksum says which.
            error.close()
            return
        raise
    with answer:
        resumed = have and answer.getcode() == PART_OF_IT
        expected = answer.headers.get("Content-Length", "")
        expected = int(expected) if expected.isdigit() else None
        try:
            stream = open(part, "ab" if resumed else "wb")
        except OSError as error:
            raise DiskError(error) from error
        came, begun = 0, time.monotonic()
        with stream:
            while True:
                piece = answer.read(PIECE) if patient else answer.read1(PIECE)
                if not piece:
                    break
                try:
                    stream.write(piece)
                    stream.flush()
                except OSError as error:
                    raise DiskError(error) from error
                came += len(piece)
                progress.add(len(piece))
                progress.tell()
                lasted = time.monotonic() - begun
                if not patient and lasted > PATIENCE and came < LEAST * lasted:
                    raise TooSlowError("it hardly sends: %d bytes in %d seconds" % (came, lasted))
        if expected is not None and came < expected:
            raise OSError("it ended after %d of %d bytes" % (came, expected))


def work(waiting, folder, servers, progress, missing):
    while True:
        try:
            package = waiting.get_nowait()
        except queue.Empty:
            return
        try:
            said = fetch(package, folder, servers, progress)
        except Exception as error:  # noqa: BLE001 - the main thread tells it
            missing.append((package["path"], error))
            with waiting.mutex:
                waiting.queue.clear()
            return
        if said is not None:
            missing.append((package["path"], said))
        progress.finished()
        progress.tell()


def reads_sha256():
    """Whether the conda that this Python belongs to takes a SHA-256 behind an address: since 24.9 it does."""
    for path in glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", "conda-[0-9]*.json")):
        found = re.match(r"conda-([0-9]+)\.([0-9]+)", os.path.basename(path))
        if found and (int(found.group(1)), int(found.group(2))) >= FIRST_WITH_SHA256:
            return True
    return False


def main(arguments):
    source, folder, explicit = arguments[:3]
    with open(source, encoding="utf-8") as stream:
        packages = json.load(stream)["packages"]
    servers, progress, missing, waiting = Servers(), Progress(len(packages)), [], queue.Queue()
    for package in packages:
        waiting.put(package)
    threads = [
        threading.Thread(target=work, args=(waiting, folder, servers, progress, missing), daemon=True)
        for _ in range(min(AT_ONCE, len(packages)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    progress.tell(last=True)
    for server, count in sorted(servers.taken.items()):
        say("taken from %s: %d packages" % (server, count))
    for path, said in missing[:20]:
        if isinstance(said, DiskError):
            say("cannot write %s: %s" % (path, said))
            return 73
        if isinstance(said, Exception):
            raise said
        say("not had: %s (%s)" % (path, said or "nobody is to be asked"))
    if missing:
        say("%d of %d packages could not be had" % (len(missing), len(packages)))
        return 14
    behind = "#%s" if reads_sha256() else "%.0s"
    lines = ["@EXPLICIT"]
    for package in packages:
        address = "file://" + urllib.parse.quote(os.path.join(folder, package["path"]))
        lines.append(address + behind % package["sha256"])
    with open(explicit, "w", encoding="utf-8") as stream:
        stream.write("\n".join(lines) + "\n")
    return 0


sys.exit(main(sys.argv[1:]))
