#!/usr/bin/env python3
"""Runs a command and prints, as a row of a table, its seconds and the peaks of its memory as the kernel counts it.

    tests/bench/peak_memory.py NAME COMMAND [ARGUMENT...]
"""
import re
import subprocess
import sys
import time

TICK = 0.005


def megabytes(status, field):
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.M)
    return int(found.group(1)) * 1024 / 1e6 if found else 0.0


def main():
    name, command = sys.argv[1], sys.argv[2:]
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    anonymous = resident = 0.0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                status = file.read()
        except FileNotFoundError:
            continue
        anonymous = max(anonymous, megabytes(status, "RssAnon"))
        resident = max(resident, megabytes(status, "VmHWM"))
        time.sleep(TICK)
    print(f"| {name} | {time.monotonic() - start:.1f} s | {anonymous:.0f} MB | {resident:.0f} MB |", flush=True)
    sys.exit(process.returncode)


main()
