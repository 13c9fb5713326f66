"""List what is installed in a prefix, as JSON lines; any Python from 3.6 runs it.

Arguments: the prefix (conda environment or venv), and the seconds that looking for missing files may take.
Reads ``conda-meta`` and site-packages; runs nothing of the prefix. The last line has the counts.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package.
# ruff: noqa: PTH100, PTH110, PTH113, PTH118, PTH119, PTH123, PTH207, PTH208

import glob
import json
import os
import re
import sys
import time

FORMAT = 1
EXAMPLES = 3
LONGEST = 400


def main(arguments):
    prefix = os.path.abspath(arguments[0])
    deadline = time.monotonic() + (float(arguments[1]) if len(arguments) > 1 else 10.0)
    problems = []
    conda = list(conda_packages(prefix, deadline, problems))
    version, implementation = python_of(prefix, conda)
    header = {"kind": "prefix", "format": FORMAT, "prefix": prefix}
    if version is not None:
        header["markers"] = markers(version, implementation)
    say(header)
    for package in conda:
        say(package)
    pip = list(distributions(prefix, problems))
    for distribution in pip:
        say(distribution)
    for problem in problems[:20]:
        say({"kind": "problem", "text": problem[:LONGEST]})
    say({"kind": "end", "conda": len(conda), "pip": len(pip)})


def say(record):
    sys.stdout.write(json.dumps(record, sort_keys=True) + "\n")


def said(error):
    """Return an error in words, without the path: the name of the record is told beside it."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def conda_packages(prefix, deadline, problems):
    for path in sorted(glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "*.json"))):
        try:
            with open(path, encoding="utf-8") as stream:
                record = json.load(stream)
            package = {
                "kind": "conda",
                "name": str(record["name"]),
                "version": str(record["version"]),
                "build": str(record.get("build", "")),
                "build_number": record.get("build_number"),
                "channel": str(record.get("channel") or record.get("schannel") or "") or None,
            }
            for key in ("subdir", "url", "md5", "sha256"):
                package[key] = record[key] if isinstance(record.get(key), str) and record[key] else None
            package["asked"] = asked_for(record)
            files = [name for name in record.get("files") or [] if isinstance(name, str)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            problems.append("{}: {}".format(os.path.basename(path), said(error)))
            continue
        package["files"] = len(files)
        package["distributions"] = sorted(filter(None, map(distribution_in, files)))
        package["missing"], package["missing_examples"] = missing_files(prefix, files, deadline)
        yield package


def asked_for(record):
    """Return the specifications by which somebody asked for the package itself; none: another one needs it."""
    asked = record.get("requested_specs") or [record.get("requested_spec")]
    return [text for text in asked if isinstance(text, str) and text and text != "None"]


def missing_files(prefix, files, deadline):
    """Count the files that are not there; None where the time is over. Byte code is made anew when needed."""
    missing = []
    for index, name in enumerate(files):
        if index % 256 == 0 and time.monotonic() > deadline:
            return None, []
        if not name.endswith(".pyc") and not os.path.lexists(os.path.join(prefix, name)):
            missing.append(name)
    return len(missing), missing[:EXAMPLES]


def distribution_in(name):
    """Return the Python distribution whose metadata file this is."""
    match = re.search(r"site-packages/([^/]+?)-[^/-]+(?:-py[0-9.]+)?\.(?:dist|egg)-info(?:/METADATA|/PKG-INFO)?$", name)
    return match.group(1) if match else None


def site_packages(prefix):
    found = []
    for folder in ("lib", "lib64"):
        found += glob.glob(os.path.join(glob.escape(prefix), folder, "[pP]y*3.*", "site-packages"))
    unique = {}
    for path in found:
        unique.setdefault(os.path.realpath(path), path)
    return sorted(unique.values())


def distributions(prefix, problems):
    for folder in site_packages(prefix):
        for name in sorted(os.listdir(folder)):
            if not name.endswith((".dist-info", ".egg-info")):
                continue
            path = os.path.join(folder, name)
            try:
                yield distribution(path)
            except (OSError, ValueError, KeyError) as error:
                problems.append("{}: {}".format(name, said(error)))


def distribution(path):
    if os.path.isfile(path):
        metadata = path
    else:
        metadata = os.path.join(path, "METADATA" if path.endswith(".dist-info") else "PKG-INFO")
    fields = {}
    with open(metadata, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if not line.strip():
                break
            key, colon, value = line.partition(":")
            if colon and not line[0].isspace():
                fields.setdefault(key.strip().lower(), value.strip())
    record = {"kind": "pip", "name": fields["name"], "version": fields["version"]}
    record["installer"] = first_line(os.path.join(path, "INSTALLER"))
    record["requested"] = os.path.exists(os.path.join(path, "REQUESTED"))
    origin = first_line(os.path.join(path, "direct_url.json"), 65536)
    if origin:
        address = json.loads(origin)
        record["direct_url"] = str(address.get("url") or "") or None
        record["editable"] = bool((address.get("dir_info") or {}).get("editable"))
        record["commit"] = (address.get("vcs_info") or {}).get("commit_id")
    return record


def first_line(path, size=200):
    """Return a small file's text (a one-line file), or None where it is not there."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read(size).strip() or None
    except OSError:
        return None


def python_of(prefix, conda):
    """Return version and implementation of the prefix's Python, without running it."""
    for package in conda:
        if package["name"] == "python":
            return package["version"], "pypy" if "pypy" in package["build"] else "cpython"
    try:
        with open(os.path.join(prefix, "pyvenv.cfg"), encoding="utf-8") as stream:
            match = re.search(r"(?m)^version(?:_info)?\s*=\s*([0-9]+\.[0-9]+\.[0-9]+)", stream.read(LONGEST * 10))
        if match:
            return match.group(1), "cpython"
    except OSError:
        pass
    for folder in site_packages(prefix):
        match = re.search(r"py(thon|py)(3\.[0-9]+)/site-packages$", folder)
        if match:
            return match.group(2), "pypy" if match.group(1) == "py" else "cpython"
    return None, None


def markers(version, implementation):
    """Return what PEP 508 markers are about, for the prefix's Python on this machine."""
    system = os.uname()
    return {
        "implementation_name": implementation,
        "implementation_version": version,
        "os_name": os.name,
        "platform_machine": system.machine,
        "platform_python_implementation": {"cpython": "CPython", "pypy": "PyPy"}[implementation],
        "platform_release": system.release,
        "platform_system": system.sysname,
        "platform_version": system.version,
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": sys.platform,
    }


main(sys.argv[1:])
