"""Tell what list_packages.py does not of a conda environment: what each package needs, and checksums of pip's wheels.

Arguments: the prefix, and pip's cache. Prints one JSON object; any Python from 3.6 runs it, nothing of the prefix runs.
A wheel's checksum is known where pip noted it (an address was installed), or where pip's cache still has the file: the
one whose own list of files, with their checksums, is in what is installed.
"""

# Text for an interpreter of the host, as old as 3.6 and given with -c: no module of the package.
# ruff: noqa: PTH100, PTH118, PTH119, PTH123, PTH202, PTH207, PTH208

import csv
import glob
import hashlib
import io
import json
import os
import re
import sys
import zipfile

BLOCK = 1 << 20
WRONG = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)


def main(arguments):
    prefix = os.path.abspath(arguments[0])
    installed = dict(distributions(prefix))
    wheels = {}
    for folder in installed:
        known = noted(folder)
        if known:
            wheels[os.path.basename(folder)] = known
    open_ones = {
        os.path.basename(folder): files
        for folder, files in installed.items()
        if files and os.path.basename(folder) not in wheels
    }
    if open_ones:
        wheels.update(cached(arguments[1], open_ones))
    answer = {"format": 1, "conda": dict(conda(prefix)), "pip": wheels}
    sys.stdout.write(json.dumps(answer, sort_keys=True) + "\n")


def conda(prefix):
    """Yield each package's name with the names that it needs and the size of its archive."""
    for path in sorted(glob.glob(os.path.join(glob.escape(prefix), "conda-meta", "*.json"))):
        try:
            with open(path, encoding="utf-8") as stream:
                record = json.load(stream)
            needs = [re.split(r"[\s=<>!~\[]", one, maxsplit=1)[0] for one in record.get("depends") or []]
            size = record.get("size")
            yield str(record["name"]), {"needs": needs, "size": size if isinstance(size, int) else 0}
        except WRONG:
            continue


def distributions(prefix):
    """Yield the folder of each distribution's metadata with its list of files and their checksums."""
    for site in sorted(glob.glob(os.path.join(glob.escape(prefix), "lib", "[pP]y*3.*", "site-packages"))):
        for name in sorted(os.listdir(site)):
            if not name.endswith(".dist-info"):
                continue
            try:
                with open(os.path.join(site, name, "RECORD"), encoding="utf-8", newline="") as stream:
                    files = listed(stream)
            except WRONG:
                files = {}
            yield os.path.join(site, name), files


def listed(stream):
    return {row[0]: row[1] for row in csv.reader(stream) if len(row) > 1 and row[1]}


def noted(folder):
    """Return what pip noted of an address that it installed from."""
    try:
        with open(os.path.join(folder, "direct_url.json"), encoding="utf-8") as stream:
            told = json.load(stream)
        archive = told["archive_info"]
        kind, _, digest = str(archive.get("hash") or "").partition("=")
        digest = (archive.get("hashes") or {}).get("sha256") or (digest if kind == "sha256" else None)
    except WRONG:
        return None
    return {"sha256": digest, "url": str(told.get("url") or "")} if isinstance(digest, str) else None


def cached(cache, wanted):
    """Return the wheels of pip's cache that are what is installed, by the name of their metadata's folder."""
    found = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(cache), "http-v2", "*", "*", "*", "*", "*", "*.body"))):
        try:
            with zipfile.ZipFile(path) as wheel:
                name = next(one for one in wheel.namelist() if re.match(r"[^/]+\.dist-info/RECORD$", one))
                folder = name.partition("/")[0]
                if folder not in wanted or not same(wheel.read(name), wanted[folder]):
                    continue
            found[folder] = {"sha256": digest_of(path), "size": os.path.getsize(path)}
        except (zipfile.BadZipFile, StopIteration, NotImplementedError, RuntimeError, *WRONG):
            continue
    return found


def same(record, installed):
    """Whether every file of a wheel is installed as it was; scripts and headers go elsewhere under other names."""
    files = {
        name: digest
        for name, digest in listed(io.StringIO(record.decode("utf-8"), newline="")).items()
        if not re.match(r"[^/]+\.data/", name)
    }
    return bool(files) and all(installed.get(name) == digest for name, digest in files.items())


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(BLOCK), b""):
            digest.update(block)
    return digest.hexdigest()


if __name__ == "__main__":
    main(sys.argv[1:])
