"""A small file system for the data of a node, and somebody else's file in it that fills it. Needs root."""
import os
import subprocess
import unittest

MIB = 1 << 20
SOFT, HARD, BALLAST = 64 * MIB, 32 * MIB, 8 * MIB
RESERVES = ("--set", f"disk-soft-reserve={SOFT}", "--set", f"disk-hard-reserve={HARD}", "--set", f"ballast-bytes={BALLAST}")


class SmallDisk:
    """Mounted when it is made, before the pair is; SkipTest where that is not allowed."""

    def __init__(self, directory, node):
        self.data = directory / node / "data"
        self.data.mkdir(parents=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=192m,mode=0700", "tmpfs", str(self.data)]
        mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        if mounted.returncode != 0:
            self.data.rmdir()
            raise unittest.SkipTest(f"no file system may be mounted here: {mounted.stderr.strip()}")

    def unmount(self):
        subprocess.run(["umount", "--lazy", str(self.data)], check=False)

    def free(self):
        stat = os.statvfs(self.data)
        return stat.f_bavail * stat.f_frsize

    def fill_to(self, left):
        """Somebody else's file leaves `left` octets of room."""
        with open(self.data / "foreign", "ab") as file:
            while self.free() > left:
                size = min(self.free() - left, 16 * MIB)
                os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, size)

    def make_room(self):
        (self.data / "foreign").unlink()
