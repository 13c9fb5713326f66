"""Exchange a tree: a journal says all of it before anything moves, and from then on it only goes forward.

Whatever ends this program, the next one does the rest by the journal; each step may be done again. What was changed on
the host is moved aside, never lost.
"""

# A piece of sync_tree.py: all pieces run in one namespace, and sync_tree_client.py imports for them.
# ruff: noqa: F821, B905


class Placing:
    """The steps of a journal; each one may find itself done already."""

    def __init__(self, tree, journal, old, stamp_of, new):
        self.tree = tree
        self.journal = journal
        self.old = old
        self.stamp_of = stamp_of
        self.new = new
        self.places = Folders(tree.fd)
        self.kept = Folders(tree.own)
        self.temporary = raw(journal["temporary"])
        self.removed = self.adopted = 0
        self.at = b""
        """Where it is at work, for who has to mend it."""

    def run(self):
        tree = self.tree
        # The manifest is renamed last of the three: while it is there, something is left to do.
        if tree.has(b"manifest.new"):
            take_kept(tree, self.journal)
            for path in self.journal["deletes"]:
                self.delete(check_path(raw(path)))
            self.places.forget()
            for path in self.journal["folders"]:
                self.remove_folder(check_path(raw(path)))
            self.places.forget()
            self.merge()
            self.places.forget()
            for path, kind in self.journal["modes"]:
                self.set_mode(check_path(raw(path)), kind)
            self.places.forget()
            for name in (b"folders", b"adopted", b"owner.json", b"manifest"):
                try:
                    os.rename(name.split(b".")[0] + b".new", name, src_dir_fd=tree.own, dst_dir_fd=tree.own)
                except FileNotFoundError:
                    pass
        if tree.read(b"adopted") == b"":
            forget_file(tree, b"adopted")
        self.kept.forget()
        drop_unused_kept(tree, self.journal)
        forget_file(tree, b"journal")
        remove(tree, b"staging")
        remove(tree, b"partial")

    def delete(self, path):
        self.at = path
        folder, name = split(path)
        fd = self.places.find(folder)
        found = None if fd is None else lstat(name, fd)
        if found is None or stat.S_ISDIR(found.st_mode):
            return
        if is_old(self, path, name, fd, found):
            os.unlink(name, dir_fd=fd)
        else:
            self.keep(path, name, fd)
        self.removed += 1

    def remove_folder(self, path):
        folder, name = split(path)
        fd = self.places.find(folder)
        if fd is not None:
            try:
                os.rmdir(name, dir_fd=fd)
            except OSError:
                # Not empty, or no longer a folder.
                pass

    def merge(self):
        """Move what is staged into the tree, whole folders where there is none yet."""
        try:
            top = os.open(b"staging/t", FOLDER, dir_fd=self.tree.own)
        except FileNotFoundError:
            return
        staged = Folders(top)
        device = os.fstat(top).st_dev
        todo = [b""]
        while todo:
            folder = todo.pop()
            source, target = staged.get(folder), self.places.get(folder)
            apart = os.fstat(target).st_dev != device
            for name in names_in(source):
                path = join(folder, name)
                found, there = lstat(name, source), lstat(name, target)
                if not stat.S_ISDIR(found.st_mode):
                    if apart:
                        # A copy that was not finished, as an earlier run was killed; its name is this journal's own.
                        forget_in(target, self.temporary)
                    self.place(path, found, source, target, there)
                    continue
                if there is not None and not stat.S_ISDIR(there.st_mode):
                    self.keep(path, name, target)
                    there = None
                if there is None and self.move_folder(name, source, target):
                    continue
                todo.append(path)
        staged.forget()
        os.close(top)

    def move_folder(self, name, source, target):
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            os.mkdir(name, 0o777, dir_fd=target)
            return False
        return True

    def place(self, path, found, source, target, there):
        self.at = path
        name = split(path)[1]
        if there is not None:
            if stat.S_ISDIR(there.st_mode):
                try:
                    os.rmdir(name, dir_fd=target)
                except OSError:
                    self.keep(path, name, target)
            elif not is_old(self, path, name, target, there):
                difference = differs(name, target, there, self.new[path])
                if not difference:
                    os.unlink(name, dir_fd=source)
                    self.adopted += 1
                    return
                if difference != "mode":
                    self.keep(path, name, target)
        try:
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            copy_file(name, found, source, target, self.temporary)
            os.unlink(name, dir_fd=source)

    def keep(self, path, name, fd):
        """Move something aside, under a path of its own that tells where it was."""
        self.at = path
        number = 0
        found = lstat(name, fd)
        while True:
            number += 1
            folder, _ = split(path)
            try:
                try:
                    os.mkdir(b"kept", 0o700, dir_fd=self.tree.own)
                except FileExistsError:
                    pass
                aside = self.kept.get(join(kept_top(self.journal, number), folder).rstrip(b"/"), True)
            except NotADirectoryError:
                continue
            there = lstat(name, aside)
            if there is None:
                break
            if same_content(name, found, fd, there, aside):
                # Copied before the journal was written, or by a run that was killed.
                os.unlink(name, dir_fd=fd)
                return
        try:
            os.rename(name, name, src_dir_fd=fd, dst_dir_fd=aside)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            if kind_of(found) is None:
                raise conflict(path, "it cannot be moved aside") from None
            copy_file(name, found, fd, aside, self.temporary, lasting=True)
            os.unlink(name, dir_fd=fd)

    def set_mode(self, path, kind):
        folder, name = split(path)
        fd = self.places.find(folder)
        try:
            opened = os.open(name, PLAIN, dir_fd=-1 if fd is None else fd)
        except OSError:
            # Gone, or a link now: the next question says so.
            return
        try:
            mode = os.fstat(opened).st_mode
            if stat.S_ISREG(mode):
                umask = os.umask(0o077)
                os.umask(umask)
                os.fchmod(opened, stat.S_IMODE(mode) & ~0o111 | (0o111 & ~umask if kind == EXECUTABLE else 0))
        finally:
            os.close(opened)


def finish(placing):
    """Do all steps of a journal."""
    try:
        placing.run()
    except (OSError, SyncError) as error:
        number = getattr(error, "errno", None)
        words = "%s: %s" % (text(placing.at), error.strerror) if number else str(error)
        raise SyncError(
            "space" if number in (errno.ENOSPC, errno.EDQUOT) else "io",
            "the tree is between the old and the new one, as a step of its journal fails (%s)" % words,
            "mend that on the host and sync again: the next sync does the rest first, and nothing is lost",
        ) from error


def journal_of(tree):
    """Return the journal, where it is one of ours."""
    try:
        journal = json.loads((tree.read(b"journal") or b"").decode())
        texts = [journal["target"], journal["kept"], journal["temporary"], *journal["deletes"], *journal["folders"]]
        if journal["format"] == 1 and all(isinstance(one, str) for one in texts):
            return dict(journal, modes=[[path, int(kind)] for path, kind in journal["modes"]])
    except (ValueError, KeyError, TypeError):
        pass
    where = text(tree.root + b"/.provision/journal")
    raise SyncError(
        "io",
        "the journal of an interrupted sync is damaged, or of a newer version: %s" % where,
        "the tree may be half the old and half the new one: move that file away on the host and sync again",
    )


def list_of(tree, journal):
    """Return the list of the new tree that a journal speaks of; ``None`` where it is not there, or damaged."""
    manifest = manifest_at(tree, b"manifest.new")
    return manifest if manifest and manifest.id == journal["target"] else None


def abandon(tree):
    """Forget a journal whose list of the new tree is damaged: what it did by now shows as changed, and comes anew."""
    try:
        # Made by syncs, whatever came of them.
        os.rename(b"folders.new", b"folders", src_dir_fd=tree.own, dst_dir_fd=tree.own)
    except FileNotFoundError:
        pass
    discard(tree)
    forget_file(tree, b"journal")
    raise SyncError(
        "io",
        "an interrupted sync cannot be ended, as its list of the new tree is damaged (in %s): the tree may be half the "
        "old and half the new one" % text(tree.root + b"/.provision"),
        "sync again: what is missing or differs comes anew, and nothing is lost",
    )


def roll_forward(tree):
    """Do what is left of a journal, as its receiver was killed; return what had to make way."""
    ignore_signals()
    journal = journal_of(tree)
    old, new = manifest_at(tree, b"manifest"), list_of(tree, journal)
    if new is None and tree.has(b"manifest.new"):
        abandon(tree)
    stamp_of = dict(zip(old.names, stamps_for(tree, old))) if old else {}
    placing = Placing(tree, journal, old.entries() if old else {}, stamp_of, new.entries() if new else {})
    finish(placing)
    return kept_in(tree, journal)


def pending_in(tree):
    """Return a function that says whether an interrupted sync will still bring a path; nothing is written."""
    journal = journal_of(tree)
    modes = {raw(path) for path, _ in journal["modes"]}
    try:
        staged = Folders(os.open(b"staging/t", FOLDER, dir_fd=tree.own))
    except FileNotFoundError:
        return lambda path: path in modes

    def pending(path):
        folder, name = split(path)
        fd = staged.find(folder)
        return path in modes or (fd is not None and lstat(name, fd) is not None)

    return pending
