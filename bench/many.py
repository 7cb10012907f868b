#!/usr/bin/env python3
"""Looking at a store of many sagas: every command held to 100 ms.

    bench/many.py FOLDER [SAGAS]      with skald in it; make bench-many

bench_many fills a store in a temporary folder (in TMPDIR or /tmp) with 1,000,000 sagas
that have ended and one more in a hundred that has not. A real `skald serve` has it open,
and real commands ask it, one after the other, seven times each: the figures are their
whole time, the process included. Exit 1: a median is over the limit.
"""

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

LIMIT_MS = 100
RUNS = 7

# What is asked, and how many lines or which text must come.
LOOKS = [
    ("ls", 100),
    ("ls --limit 1000", 1000),
    ("ls --saga order", 100),
    ("ls --saga trial", 100),
    ("ls --saga trial --status completed", 0),
    ("ls --saga subscription", 0),
    ("ls --status parked", 100),
    ("ls --status parked,running", 100),
    ("ls --status completed", 100),
    ("ls --status killed", 100),
    ("ls --status killed --saga trial", 0),
    ("ls --key 123456", 1),
    ("ls --key nobody", 0),
    ("ls --step confirm", 100),
    ("ls --step notify", 0),
    ("ls --step nosuch", 0),
    ("ls --step confirm --saga trial", 0),
    ("ls --since 1h", 100),
    ("ls --older 19h", 100),
    ("ls --since 19h --older 18h --status parked", 100),
    ("ls --status compensating --saga order --step reserve --since 10h", 100),
    ("show order-0", "completed"),
    ("show order-100", "parked"),
    ("explain order-0", "it has ended"),
    ("explain order-100", "what you can do"),
    ("explain trial-302", "if nothing comes"),
    ("undo-plan trial-302", "a cancel would now"),
]


def start(build, folder):
    log = open(os.path.join(folder, "serve.log"), "w+")
    process = subprocess.Popen(
        [os.path.join(build, "skald"), "serve", "--data", folder, "--sagas", "sagas",
         "--listen", "127.0.0.1:0", "--retention", "0s"], stderr=log)
    while True:
        with open(log.name) as lines:
            found = re.search(r"event=ready url=(\S+) .*\n", lines.read())
        if found:
            return process, found[1]
        if process.poll() is not None:
            sys.exit("many.py: the server ended; " + log.name)
        time.sleep(0.01)


def look(build, url, command, expected):
    """The time of one command in milliseconds."""
    words = command.split()
    words += ["--json"] if words[0] == "ls" else []
    if words[0] == "ls" and "--limit" not in words:
        words += ["--limit", "100"]
    began = time.monotonic()
    result = subprocess.run([os.path.join(build, "skald"), *words, "--server", url],
                            stdout=subprocess.PIPE, check=True, text=True)
    took_ms = (time.monotonic() - began) * 1000
    found = result.stdout.count("\n") if isinstance(expected, int) else expected in result.stdout
    if found != (expected if isinstance(expected, int) else True):
        sys.exit(f"many.py: skald {command}: {found} and not {expected}:\n{result.stdout[:500]}")
    return took_ms


def main():
    build = os.path.abspath(sys.argv[1])
    sagas = sys.argv[2] if len(sys.argv) > 2 else "1000000"
    folder = tempfile.mkdtemp(prefix="skald-many-")
    missed = False
    process = None
    try:
        began = time.monotonic()
        subprocess.run([os.path.join(build, "bench", "bench_many"), folder, sagas], check=True)
        size = os.path.getsize(os.path.join(folder, "skald.db"))
        print(f"{int(sagas):,} sagas and those that have not ended: filled in "
              f"{time.monotonic() - began:.0f} s, {size / 1e6:,.0f} MB", flush=True)
        process, url = start(build, folder)
        for command, expected in LOOKS:
            times = [look(build, url, command, expected) for _ in range(RUNS)]
            median = statistics.median(times)
            missed |= median >= LIMIT_MS
            print(f"{median:6.1f} ms, at most {max(times):6.1f} ms  skald {command}"
                  f"{' - MISSED' if median >= LIMIT_MS else ''}", flush=True)
    finally:
        if process:
            process.send_signal(signal.SIGTERM)
            process.wait()
        shutil.rmtree(folder)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: bench/many.py FOLDER [SAGAS]")
    main()
