"""Import what an environment is for, with its own Python, and say what happened; from Python 3.6.

Argument: a nonce. Stdin: ``{"stdlib": [module], "conda": [name], "pip": [name], "timeout": s, "total": s}``.
The last line of stdout is the nonce, a space, and the report in JSON; what the imports print goes elsewhere.
"""

# Text for the environment's interpreter, given with -c: no module of the package.
# ruff: noqa: BLE001, PLR2004, PTH118, PTH119, PTH123, PTH207, RUF005

import glob
import importlib.util
import json
import os
import re
import select
import signal
import subprocess
import sys
import sysconfig
import time

KEPT = []
"""Descriptors that no child may hold open."""
LONGEST = 600
MOST_MODULES = 8
EXTENSION = re.compile(r"^([A-Za-z]\w*)(?:\.[\w.-]+)?\.so$")
# Folders at the top of site-packages that distributions leave there by mistake, or that only tools load.
IGNORED = {
    "test",
    "tests",
    "testing",
    "doc",
    "docs",
    "example",
    "examples",
    "bin",
    "scripts",
    "benchmarks",
    "tools",
}


def main(nonce):
    report = os.dup(1)
    KEPT.append(report)
    null = os.open(os.devnull, os.O_RDWR)
    with os.fdopen(os.dup(0), "rb") as stream:
        question = json.loads(stream.read().decode("utf-8") or "{}")
    os.dup2(null, 0)
    os.dup2(2, 1)
    began = time.monotonic()
    deadline = began + float(question.get("total", 900))
    modules, unmapped = modules_of(question)
    results = examine(modules, float(question.get("timeout", 120)), deadline)
    answer = {
        "format": 1,
        "python": ".".join(str(number) for number in sys.version_info[:3]),
        "prefix": sys.prefix,
        "modules": results,
        "unmapped": unmapped,
        "host_python": host_python(question.get("stdlib", [])),
        "seconds": round(time.monotonic() - began, 3),
    }
    # A newline first: a child may have left an unfinished line in the same pipe.
    text = "\n" + nonce + " " + json.dumps(answer, sort_keys=True) + "\n"
    remaining = text.encode("utf-8")
    while remaining:
        remaining = remaining[os.write(report, remaining) :]


# --- the host's own Python ---


def host_python(names):
    """Return path, version and missing modules of the python3 that a login finds; None where there is none."""
    path = own_python3()
    if path is None or not names:
        return None
    code = "import sys\nmissing = []\n"
    code += "for name in sys.argv[1:]:\n    try:\n        __import__(name)\n    except BaseException:\n"
    code += "        missing.append(name)\nprint('%d.%d.%d' % sys.version_info[:3], *missing)"
    try:
        done = subprocess.run(
            [path, "-I", "-B", "-c", code] + names,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    words = done.stdout.decode("utf-8", "replace").split()
    if done.returncode != 0 or not words:
        return None
    return {"path": path, "version": words[0], "missing": words[1:]}


def own_python3():
    inside = os.path.realpath(sys.prefix) + os.sep
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, "python3")
        if folder.startswith("/") and os.access(path, os.X_OK) and not os.path.realpath(path).startswith(inside):
            return path
    return None


# --- which modules a package brings ---


def modules_of(question):
    """Return (module, package, kind) for each import, and the packages that bring no module."""
    modules = [(name, name, "stdlib") for name in question.get("stdlib", [])]
    seen = {name for name, _, _ in modules}
    unmapped = []
    for kind, find in (("conda", conda_modules), ("pip", pip_modules)):
        for package in question.get(kind, []):
            try:
                found = find(package)
            except (OSError, ValueError) as error:
                found = []
                sys.stderr.write("{}: {!r}\n".format(package, error))
            if not found:
                unmapped.append(package)
            modules += [(name, package, kind) for name in found if name not in seen]
            seen.update(found)
    return modules, unmapped


def conda_modules(package, follow=True):
    record = conda_record(package)
    if record is None:
        return []
    paths = []
    for name in record.get("files") or []:
        _, inside, rest = name.partition("site-packages/")
        if inside:
            paths.append(rest)
    found = top_modules(paths, package)
    if found or not follow:
        return found
    # tensorflow and pytorch-gpu are empty: they stand for the dependency that shares their name.
    for dependency in record.get("depends") or []:
        name = dependency.split()[0].split("[")[0].lower()
        if name != package and (name.startswith(package + "-") or package.startswith(name + "-")):
            found += [one for one in conda_modules(name, follow=False) if one not in found]
    return found[:MOST_MODULES]


def conda_record(package):
    for path in glob.glob(os.path.join(glob.escape(sys.prefix), "conda-meta", glob.escape(package) + "-*.json")):
        if os.path.basename(path)[: -len(".json")].rsplit("-", 2)[0] == package:
            with open(path, encoding="utf-8") as stream:
                return json.load(stream)
    return None


def pip_modules(package):
    for folder in sorted({sysconfig.get_paths()[key] for key in ("purelib", "platlib")}):
        for path in glob.glob(os.path.join(glob.escape(folder), "*-info")):
            stem = os.path.basename(path).rsplit(".", 1)[0]
            if normalised(stem.split("-")[0]) == normalised(package):
                return distribution_modules(path, package)
    return []


def distribution_modules(path, package):
    paths = []
    for name in ("RECORD", "SOURCES.txt"):
        try:
            with open(os.path.join(path, name), encoding="utf-8", errors="replace") as stream:
                paths = [re.sub(r",[^,]*,[^,]*$", "", line.strip()).strip('"') for line in stream]
            break
        except OSError:
            pass
    found = top_modules(paths, package)
    if found:
        return found
    # An editable installation lists no modules of its own.
    try:
        with open(os.path.join(path, "top_level.txt"), encoding="utf-8") as stream:
            return [line.strip() for line in stream if wanted(line.strip())][:MOST_MODULES]
    except OSError:
        pass
    guess = re.sub(r"[-.]+", "_", package)
    try:
        return [guess] if importlib.util.find_spec(guess) is not None else []
    except (ImportError, ValueError, AttributeError):
        return []


def top_modules(paths, package):
    """Return the packages at the top of site-packages; single modules where they bear the name."""
    packages, singles, deeper = [], [], {}
    for path in paths:
        parts = path.split("/")
        if len(parts) == 1:
            match = EXTENSION.match(parts[0])
            name = match.group(1) if match else parts[0][:-3] if parts[0].endswith(".py") else ""
            if wanted(name) and name not in singles:
                singles.append(name)
        elif parts[-1] == "__init__.py" and all(wanted(one) for one in parts[:-1]):
            name = ".".join(parts[:-1])
            if len(parts) == 2:
                packages.append(name)
            elif len(parts) <= 4:
                deeper.setdefault(len(parts), []).append(name)
    same = [one for one in singles if normalised(one) == normalised(package)]
    found = packages + [one for one in (same if packages else singles) if one not in packages]
    if not found and deeper:
        # A namespace package: the first level that can be imported stands for it.
        found = deeper[min(deeper)]
    return sorted(found)[:MOST_MODULES]


def wanted(name):
    return name.isidentifier() and not name.startswith("_") and name.lower() not in IGNORED


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


# --- importing, apart ---


def examine(modules, timeout, deadline):
    """Import all in one child; what fails is tried again alone: nothing is blamed for another."""
    results = []
    waiting = list(modules)
    while waiting:
        finished = in_child(waiting, timeout, deadline)
        waiting = waiting[len(finished) :]
        for result in finished:
            alone = len(modules) == 1 or result["ok"] or result["slow"]
            results.append(result if alone else again(result, timeout, deadline))
    return results


def again(result, timeout, deadline):
    module = (result["module"], result["package"], result["kind"])
    second = in_child([module], timeout, deadline)[0]
    if second["ok"]:
        second["together"] = result["error"]
    return result if second["slow"] else second


def in_child(modules, timeout, deadline):
    """Import modules in a child; return a result for each until the first that ended it, at least one."""
    reader, writer = os.pipe()
    noise_reader, noise_writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            for descriptor in [reader, noise_reader] + KEPT:
                os.close(descriptor)
            os.dup2(noise_writer, 1)
            os.dup2(noise_writer, 2)
            import_all(modules, writer)
        finally:
            os._exit(0)
    os.close(writer)
    os.close(noise_writer)
    results, noise, slow = follow(len(modules), reader, noise_reader, timeout, deadline)
    end(child)
    status = ended(child)
    os.close(reader)
    os.close(noise_reader)
    if len(results) < len(modules):
        module, package, kind = modules[len(results)]
        result = {"module": module, "package": package, "kind": kind, "ok": False, "seconds": None}
        result["error"] = slow or death(status, noise)
        result["slow"] = slow is not None
        results.append(result)
    return results


def import_all(modules, writer):
    for module, package, kind in modules:
        began = time.monotonic()
        result = {
            "module": module,
            "package": package,
            "kind": kind,
            "ok": True,
            "error": None,
            "slow": False,
        }
        try:
            importlib.import_module(module)
        except BaseException as error:
            # SystemExit and KeyboardInterrupt are failures of an import too.
            result["ok"] = False
            result["error"] = "{}: {}".format(type(error).__name__, one_line(str(error)))
            result["missing"] = getattr(error, "name", None) if isinstance(error, ImportError) else None
        result["seconds"] = round(time.monotonic() - began, 3)
        os.write(writer, (json.dumps(result) + "\n").encode("utf-8"))


def follow(count, reader, noise_reader, timeout, deadline):
    """Read results until all are there, the child ends, or one is too slow; say what was."""
    results, noise, pending = [], b"", b""
    watched = [reader, noise_reader]
    began = time.monotonic()
    while len(results) < count:
        limit = min(began + timeout, deadline)
        now = time.monotonic()
        if now >= limit:
            slow = "it took more than {:g} s".format(timeout) if limit < deadline else "no time was left for it"
            return results, noise, slow
        ready = select.select(watched, [], [], limit - now)[0]
        if noise_reader in ready:
            piece = os.read(noise_reader, 65536)
            noise = (noise + piece)[-LONGEST * 4 :]
            if not piece:
                watched.remove(noise_reader)
        elif reader in ready:
            piece = os.read(reader, 65536)
            if not piece:
                break
            *lines, pending = (pending + piece).split(b"\n")
            results += [json.loads(line.decode("utf-8")) for line in lines]
            began = time.monotonic()
    return results, noise, None


def end(child):
    # The group too: an import may have started processes. The child may not be its leader yet.
    for stop in (os.killpg, os.kill):
        try:
            stop(child, signal.SIGKILL)
        except OSError:
            pass


def ended(child):
    """Return how a killed child ended; one that hangs in a driver cannot be killed, and is left behind."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    return int(signal.SIGKILL)


def death(status, noise):
    words = one_line(noise.decode("utf-8", "replace"))
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        try:
            name = signal.Signals(number).name
        except ValueError:
            name = "signal {}".format(number)
        what = "the interpreter was killed by " + name
    else:
        what = "the interpreter ended with exit code {}".format(os.WEXITSTATUS(status))
    return what + (": " + words if words else "")


def one_line(text):
    return " ".join(text.split())[-LONGEST:]


main(sys.argv[1])
