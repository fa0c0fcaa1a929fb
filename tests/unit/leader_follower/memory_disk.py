"""A disk in memory for tests: it can be full, and tells how often it was synced."""

import errno


class MemoryDisk:
    def __init__(self, files=None, room=None):
        self.files = dict(files or {})
        self.room = room
        self.syncs = 0

    def read(self, path):
        if path not in self.files:
            raise FileNotFoundError(path)
        return bytes(self.files[path])

    def append(self, path, data):
        if self.room is not None and len(data) > self.room:
            self.files[path] = self.files.get(path, b"") + data[: self.room]
            self.room = 0
            raise OSError(errno.ENOSPC, "no space left on device")
        if self.room is not None:
            self.room -= len(data)
        self.files[path] = self.files.get(path, b"") + data

    def write(self, path, data):
        self.files[path] = data

    def truncate(self, path, size):
        self.files[path] = self.files[path][:size]

    def rename(self, old, new):
        self.files[new] = self.files.pop(old)

    def remove(self, path):
        del self.files[path]

    def sync(self, path):
        assert path in self.files, path
        self.syncs += 1

    def list(self):
        return sorted(self.files)
