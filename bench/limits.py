#!/usr/bin/env python3
"""What a server takes: memory, disk, and time to be ready, each held to its limit.

    bench/limits.py FOLDER      with skald in it; make bench-limits

A real `skald serve` in a temporary folder (in TMPDIR or /tmp), asked over HTTP, and one
`skald bench`. Exit 1: a limit is exceeded.
"""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SAGAS = 100_000
AT_ONCE = 10_000  # starts in a request
DEFINITION = """
saga: visit
version: 1.0.0
steps:
  - talk: { await: { event: talked, timeout: 24h, then: compensate } }
"""


class Server:
    def __init__(self, skald, folder):
        """Returns once /readyz says so; ready_s is how long that took."""
        self.log = open(os.path.join(folder, "serve.log"), "w+")
        began = time.monotonic()
        self.process = subprocess.Popen(
            [skald, "serve", "--data", "data", "--listen", "127.0.0.1:0"],
            cwd=folder, stderr=self.log)
        self.connection = None
        while not self.is_ready():
            if self.process.poll() is not None:
                sys.exit("limits.py: the server ended: " + self.read_log())
            time.sleep(0.0005)
        self.ready_s = time.monotonic() - began

    def read_log(self):
        with open(self.log.name) as log:
            return log.read()

    def is_ready(self):
        if not self.connection:
            found = re.search(r"event=ready url=http://(\S+) .*\n", self.read_log())
            if not found:
                return False
            self.url = "http://" + found[1]
            self.connection = self.connect()
        return self.ask("GET", "/readyz")[0] == 200

    def connect(self):
        return http.client.HTTPConnection(self.url.removeprefix("http://"))

    def ask(self, method, path, body=None):
        self.connection.request(method, path, body)
        response = self.connection.getresponse()
        return response.status, response.read()

    def memory_kib(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])

    def start_sagas(self, first, n):
        for begin in range(first, first + n, AT_ONCE):
            numbers = range(begin, min(begin + AT_ONCE, first + n))
            body = "".join(json.dumps({"saga": "visit", "input": visit(i)}) + "\n" for i in numbers)
            status, answer = self.ask("POST", "/v1/sagas:batch", body)
            if status != 200 or answer.count(b'"created":true') != len(numbers):
                sys.exit(f"limits.py: the sagas were not started: {answer[:300]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait() != 0:
            sys.exit("limits.py: the server did not end well: " + self.read_log())


def visit(number):
    """An input of 125 bytes or so."""
    return {"order_id": number, "sku": "WINE-BX-6", "qty": 2, "total": 119.8,
            "email": "ada@example.org", "note": "ring twice, and mind the dog at the gate"}


class Report:
    missed = False

    def line(self, what, value, limit, unit):
        missed = value >= limit
        self.missed |= missed
        print(f"{what}: {value:,.0f} {unit}, under {limit:,} {unit}{' - MISSED' if missed else ''}",
              flush=True)


def measure_start(skald, folder, report):
    times = []
    for i in range(5):
        place = os.path.join(folder, f"empty-{i}")
        os.mkdir(place)
        server = Server(skald, place)
        times.append(server.ready_s)
        server.stop()
    report.line("ready on an empty folder, best of 5", min(times) * 1000, 100, "ms")


def measure_waiting(skald, folder, report):
    server = Server(skald, folder)
    status, answer = server.ask("POST", "/v1/definitions", DEFINITION)
    if status not in (200, 201):
        sys.exit(f"limits.py: the definition was refused: {answer}")
    server.start_sagas(0, AT_ONCE)
    before = server.memory_kib()
    server.start_sagas(AT_ONCE, SAGAS)
    after = server.memory_kib()
    server.stop()
    report.line(f"memory per waiting saga, {SAGAS:,} more", (after - before) * 1024 / SAGAS, 1536,
                "bytes")
    server = Server(skald, folder)
    report.line(f"ready with {SAGAS + AT_ONCE:,} unfinished sagas", server.ready_s * 1000, 3000, "ms")
    server.stop()


def measure_bench(skald, folder, report):
    figures = json.loads(subprocess.run(
        [skald, "bench", "--json", "--dir", folder, "--sagas", "50000", "--inflight", "1000",
         "--decline", "10%"], check=True, stdout=subprocess.PIPE).stdout)
    report.line("memory with 1,000 sagas in flight", figures["server_rss_kb"], 64 * 1024, "KiB")
    report.line("disk per finished saga", figures["disk_bytes_per_saga"], 1500, "bytes")


def main():
    skald = os.path.abspath(os.path.join(sys.argv[1], "skald"))
    folder = tempfile.mkdtemp(prefix="skald-limits-")
    report = Report()
    try:
        measure_start(skald, folder, report)
        measure_waiting(skald, folder, report)
        measure_bench(skald, folder, report)
    finally:
        shutil.rmtree(folder)
    sys.exit(1 if report.missed else 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: bench/limits.py FOLDER")
    main()
