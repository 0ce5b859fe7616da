#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""onpty.py -- runs a program on a terminal of its own and plays the user.

usage: onpty.py [--size ROWSxCOLS] STEP... -- COMMAND ARG...

Steps, in order; all but the first kind take no time:
    wait=REGEX     until what was written since the last step matches; 20 seconds at most
    send=TEXT      keys; \\x03 is Ctrl-C
    size=ROWSxCOLS the window changes, with SIGWINCH
    mark           forget what was written so far
Then it waits for the end.  What was written since the last mark goes to stdout as it came; the exit
code is the program's, 128 + signal when it died of one, 99 when a step failed.
"""
import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time

LIMIT = 20.0


def set_size(fd, text):
    rows, cols = (int(n) for n in text.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, cols, 0, 0))


class Session:
    def __init__(self, argv, size):
        self.all = self.new = b""
        self.open = True
        hold, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.close(go)
            os.read(hold, 1)
            os.execvp(argv[0], argv)
        os.close(hold)
        set_size(self.fd, size)
        os.close(go)

    def read(self, seconds):
        if self.open and select.select([self.fd], [], [], seconds)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            self.open = bool(data)
            self.all += data
            self.new += data

    def step(self, step):
        kind, _, text = step.partition("=")
        if kind == "wait":
            end = time.monotonic() + LIMIT
            pattern = re.compile(text.encode(), re.M)
            while not pattern.search(self.new):
                if time.monotonic() > end or not self.open:
                    sys.stderr.write("onpty: not seen: %s\n" % text)
                    return False
                self.read(0.1)
            self.new = b""
        elif kind == "send":
            os.write(self.fd, text.encode().decode("unicode_escape").encode())
        elif kind == "size":
            set_size(self.fd, text)
        elif kind == "mark":
            self.all = self.new = b""
        return True

    def finish(self):
        end = time.monotonic() + LIMIT
        while self.open and time.monotonic() < end:
            self.read(0.1)
        if self.open:
            os.kill(self.pid, 9)
        status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(status)


def main():
    args = sys.argv[1:]
    size = "24x80"
    if args[0] == "--size":
        size, args = args[1], args[2:]
    cut = args.index("--")
    s = Session(args[cut + 1:], size)
    good = all(s.step(step) for step in args[:cut])
    if not good:
        os.kill(s.pid, 9)
    code = s.finish()
    sys.stdout.buffer.write(s.all)
    sys.stdout.flush()
    sys.exit(99 if not good else 128 - code if code < 0 else code)


main()
