"""A received delta, checked as a whole before anything of the tree is touched."""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, RUF005

SETTLED = 10**7
"""So long (ns) after its last change, a file that is changed once more is sure to get another time."""
MOST_WAIT = 0.5


class Delta:
    """What a received delta makes of the tree: checked before anything is touched."""

    def __init__(self, known, staging, target):
        self.tree = tree = known.tree
        self.request = known.request
        self.staging = staging
        self.old = known.old
        self.stamp_of = known.stamp_of
        self.gone = set(staging.removed)
        staging.drop_unused()
        new = dict(self.old)
        for path in self.gone:
            new.pop(path, None)
        for path, kind in staging.modes.items():
            if path not in new:
                raise SyncError("protocol", "removed, and its mode changed: %r" % path[:60])
            new[path] = (kind,) + new[path][1:]
        for path, (record, _) in staging.received.items():
            if path in self.gone:
                raise SyncError("protocol", "removed, and sent: %r" % path[:60])
            new[path] = record
        self.new = new
        self.folders = parents(new)
        if not self.folders.isdisjoint(new):
            raise SyncError("protocol", "a folder and a file at once: %r" % min(self.folders & set(new))[:60])
        others = {path: new[path] for path in [*staging.received, *staging.modes]}
        # The usual edit: much the same list, and its digest says whether it is the right one in any case.
        same_names = known.manifest and len(new) == len(self.old) and all(path in self.old for path in others)
        self.target = known.manifest.with_records(others) if same_names and not self.gone else Manifest.of(new)
        if self.target.digest != target:
            raise SyncError("changed", "what came is not the tree that was announced", "sync again")
        self.ours = {one for one in (tree.read(b"folders") or b"").split(b"\0") if one}
        self.made = set()
        self.apart = {}
        """Folders of the tree on another file system, with its number."""
        self.aside = []
        """What stands where something of ours must go."""
        self.leaving = []
        """What was changed on the host and is to be removed."""
        self.temporary = ".provision-%d.tmp" % int.from_bytes(os.urandom(4), "big")
        self.recovering = known.recovering
        self.adopting = set()
        """Other people's files that are what was sent already: a sync never removes them."""
        self.adopted = {one for one in (tree.read(b"adopted") or b"").split(b"\0") if one}

    def check(self):
        """Refuse what would lose something, or go through a link, while the tree is as it was."""
        places = Folders(self.tree.fd)
        absent = self.check_folders(places)
        self.check_room(places, absent)
        self.check_rights(places, absent)
        for path in self.staging.received:
            folder, name = split(path)
            if folder in absent:
                continue
            fd = places.get(folder)
            found = lstat(name, fd)
            if found is None:
                continue
            check_movable(path, name, fd, found)
            if stat.S_ISDIR(found.st_mode):
                self.check_vanishing(path)
            elif kind_of(found) is None:
                raise conflict(path, "there is a socket, a pipe or a device where a file must go")
            else:
                self.compare(path, name, fd, found)
        self.check_removed(places)
        if self.aside and self.must_not_move():
            raise SyncError(
                "owner",
                "%s has %d files that no sync put there, and other ones would go in their places (as %s)"
                % (text(self.tree.root), len(self.aside), text(self.aside[0])),
                "sync to another tree, or keep them aside there with --take-over",
            )
        if (self.aside or self.leaving) and self.tree.writes:
            make_kept(tree=self.tree, places=places, paths=self.aside + self.leaving, temporary=self.temporary)
        places.forget()

    def check_removed(self, places):
        """Find what was changed on the host and would be removed: it makes way too."""
        for path in sorted(self.gone - self.adopted):
            folder, name = split(path)
            fd = places.find(folder)
            found = None if fd is None else lstat(name, fd)
            if found is None or stat.S_ISDIR(found.st_mode):
                continue
            check_movable(path, name, fd, found)
            if not is_old(self, path, name, fd, found):
                self.leaving.append(path)

    def check_folders(self, places):
        """Return the folders that the tree does not have yet, or will no longer have as something else."""
        absent = set()
        device = os.fstat(self.tree.fd).st_dev
        for folder in sorted(parents(self.staging.received)):
            above, name = split(folder)
            if above in absent:
                absent.add(folder)
                continue
            fd = places.get(above)
            found = lstat(name, fd)
            if found is not None and stat.S_ISDIR(found.st_mode):
                if found.st_dev != device:
                    self.apart[folder] = found.st_dev
                continue
            absent.add(folder)
            if found is None or folder in self.gone:
                continue
            if stat.S_ISLNK(found.st_mode):
                raise conflict(folder, "there is a link where a folder must go")
            if kind_of(found) is None:
                raise conflict(folder, "there is a socket, a pipe or a device where a folder must go")
            check_movable(folder, name, fd, found)
            self.aside.append(folder)
        self.made = absent
        return absent

    def check_room(self, places, absent):
        """Refuse what a mount in the tree has no room for: what goes there is copied at the very end."""
        if not self.apart:
            return
        needs = {}
        for path, (record, _) in self.staging.received.items():
            place = split(path)[0]
            while place in absent:
                place = split(place)[0]
            if place in self.apart:
                device = self.apart[place]
                size, names, _ = needs.get(device, (0, set(), None))
                names.update([path], parents([path]) & absent)
                needs[device] = (size + record[1], names, place)
        for needed, names, place in needs.values():
            space = os.fstatvfs(places.get(place))
            if space.f_files and len(names) > space.f_favail:
                raise SyncError(
                    "space",
                    "%s takes %d more files and folders, and %d go there" % (text(place), space.f_favail, len(names)),
                    "remove something there; the tree is as it was",
                )
            if needed > space.f_bavail * space.f_frsize:
                raise SyncError(
                    "space",
                    "%s has %d MB of room, and %d MB go there"
                    % (text(place), (space.f_bavail * space.f_frsize) >> 20, (needed >> 20) + 1),
                    "remove something there; the tree is as it was",
                )

    def check_rights(self, places, absent):
        """Refuse where something must go into or out of a folder that this login may not change."""
        folders = {split(path)[0] for path in self.staging.received} - absent
        folders |= {split(folder)[0] for folder in absent} - absent
        folders |= {split(path)[0] for path in self.gone} | {split(one)[0] for one in self.ours - self.folders}
        for folder in sorted(folders):
            fd = places.find(folder)
            if fd is not None and not os.access(b".", os.W_OK | os.X_OK, dir_fd=fd):
                raise SyncError(
                    "refused",
                    "%s: this login may not write in that folder (it belongs to uid %d, mode %o)"
                    % (text(folder) or text(self.tree.root), os.fstat(fd).st_uid, os.fstat(fd).st_mode & 0o777),
                    "give it the right on the host (chmod u+w, or chown), or leave the path out of the sync; "
                    "the tree is as it was",
                )
        for path in self.staging.modes:
            folder, name = split(path)
            fd = places.find(folder)
            found = None if fd is None else lstat(name, fd)
            if found is not None and os.geteuid() not in (0, found.st_uid):
                raise SyncError("refused", "%s: its mode is another user's to change" % text(path))

    def must_not_move(self):
        """Without a record of a sync nothing makes way, unless the user said so."""
        return not self.request.get("take_over") and owner_of(self.tree) is None

    def compare(self, path, name, fd, found):
        if is_old(self, path, name, fd, found):
            return
        if differs(name, fd, found, self.new[path]) not in ("", "mode"):
            self.aside.append(path)
        elif path in self.adopted or (path not in self.old and not self.recovering):
            self.adopting.add(path)

    def check_vanishing(self, path):
        """Refuse a file in the place of a folder that will not be empty, or that is not ours."""
        places = Folders(self.tree.fd)
        device = os.fstat(places.get(split(path)[0])).st_dev
        todo = [path]
        while todo:
            folder = todo.pop()
            fd = places.find(folder)
            if fd is None or os.fstat(fd).st_dev != device or folder not in self.ours:
                raise conflict(path, "there is a folder of somebody else's where a file must go")
            for name in names_in(fd):
                inside = join(folder, name)
                if stat.S_ISDIR(lstat(name, fd).st_mode):
                    todo.append(inside)
                elif inside not in self.gone or inside in self.adopted:
                    raise conflict(
                        path, "there is a folder with something in it (%s) where a file must go" % text(inside)
                    )
        places.forget()

    def prepare(self):
        """Write all that the journal will speak of."""
        tree = self.tree
        origin = self.request["origin"]
        owner = {name: origin.get(name) for name in ("client", "root", "who", "project", "commit", "branch", "dirty")}
        owner.update(format=1, synced={"id": self.target.id, "at": int(time.time())})
        folders = sorted(one for one in self.ours | self.made if one in self.folders or self.stands(one))
        write_own(tree, b"folders.new", b"".join(one + b"\0" for one in folders))
        adopted = (self.adopted - set(self.staging.received) - self.gone) | self.adopting
        if adopted or self.adopted:
            write_own(tree, b"adopted.new", b"".join(one + b"\0" for one in sorted(adopted)))
        write_own(tree, b"owner.new", json.dumps(owner).encode())
        # The content of the files is not synced: that would take minutes on a slow disk. After a power cut some may
        # be hollow; their inodes and times differ from the stamps then, or no stamps are there, and they come anew.
        write_own(tree, b"manifest.new", self.target.blob, lasting=True)

    def stands(self, folder):
        found = lstat(folder, self.tree.fd)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def settle(self):
        """Wait until a change of a placed file is sure to show in its time."""
        newest = max([stamp[1] for _, stamp in self.staging.received.values()] or [0])
        left = (newest + SETTLED) / 1e9 - time.time()
        if left > 0:
            time.sleep(min(left, MOST_WAIT))
        self.settled = int(time.time() * 1e9) - SETTLED

    def draft(self):
        """Write all of the journal but its name."""
        going = [one for one in self.ours if one not in self.folders]
        journal = {
            "format": 1,
            "target": self.target.id,
            # What was here before us stays here.
            "deletes": [text(one) for one in sorted(self.gone - self.adopted)],
            "folders": [text(one) for one in sorted(going, key=lambda one: -one.count(b"/"))],
            "modes": [[text(path), kind] for path, kind in sorted(self.staging.modes.items())],
            "kept": kept_name(self.tree),
            "temporary": self.temporary,
        }
        write_draft(self.tree, b"journal", json.dumps(journal).encode(), lasting=True)
        return journal

    def begin(self):
        """Put the journal in its place: from now on the tree will be the new one."""
        os.rename(b"journal.tmp", b"journal", src_dir_fd=self.tree.own, dst_dir_fd=self.tree.own)
        os.fsync(self.tree.own)

    def stamps_now(self):
        """Return the stamps of the new tree: of a placed file only where it is still what it was while staged."""
        stamps = []
        for path in self.target.names:
            stamp = NO_STAMP
            if path in self.staging.received:
                before = self.staging.received[path][1]
                found = lstat(path, self.tree.fd)
                # Some file systems know whole seconds only.
                late = before[1] > self.settled - (0 if before[1] % 10**9 else RACY)
                if found and not late and (found.st_size, found.st_mtime_ns, found.st_ino) == before[:2] + before[3:]:
                    stamp = stamp_at(found)
            else:
                stamp = self.stamp_of.get(path, NO_STAMP)
                if path in self.staging.modes and stamp != NO_STAMP:
                    found = lstat(path, self.tree.fd)
                    same = found and (found.st_size, found.st_mtime_ns, found.st_ino) == stamp[:2] + stamp[3:]
                    stamp = stamp_at(found) if same and kind_of(found) == self.new[path][0] else NO_STAMP
            stamps.append(stamp)
        return stamps


def conflict(path, why):
    return SyncError(
        "conflict", "%s: %s" % (text(path), why), "move it away on the host, or leave the path out of the sync"
    )
