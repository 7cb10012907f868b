#!/usr/bin/env python3
"""What a participant that stands still costs the sagas that do not use it.

    bench/stall.py FOLDER [--stall SECONDS] [--rate N] [--timeout D] [--limits YAML]

with skald in FOLDER; make bench-stall. Two plants run side by side, each a real `skald
serve` with its services in a temporary folder (in TMPDIR or /tmp), and both have the same
two kinds of work: orders of `skald bench`, as many as go through, with inventory and
payment; and notes, sagas of one step for notification, of which so many are started every
second whatever becomes of them. First notification works in both; then one plant's is
stopped (SIGSTOP) while the other's works, then the other way round. So the orders with a
stall and those without are of the same seconds, on the same machine, and it does not
matter which of the two plants is the faster one, or what else the machine does.

Exit 1: with a stall fewer than 90 % of the orders went through, the server took more memory
for a note that waits than it may, or notes did not end once notification went on.
"""

import argparse
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from limits import Server

RATIO = 0.9
NOTE_BYTES = 4096  # of the server's memory, for one that waits
INFLIGHT = 500  # orders, in each plant
SETTLE_S = 5  # measured without a stall, for comparison
FEED_S = 0.1  # between two requests that start notes

# The call as sagas/order.yaml has it, but that it never gives up.
DEFINITION = """
saga: note
version: 1.0.0
use: { retry: { quick: { first: 200ms, factor: 2, max: 10s, attempts: 1000 } } }
steps:
  - tell:
      kind: pivot
      call: notification.send
      with: { to: =input.to }
      timeout: TIMEOUT
      retry: quick
"""


def until(what, seconds, condition):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            sys.exit(f"stall.py: {what} took longer than {seconds} s")
        time.sleep(0.1)


class Notes:
    """Starts so many a second, from a thread of its own."""

    def __init__(self, server, rate):
        self.server = server
        self.rate = rate
        self.started = 0
        self.wrong = None
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.feed, daemon=True)
        self.thread.start()

    def feed(self):
        connection = self.server.connect()
        began = time.monotonic()
        while not self.stopped.wait(FEED_S):
            due = int((time.monotonic() - began) * self.rate)
            lines = [json.dumps({"saga": "note", "input": {"to": f"ada-{i}@example.org"}})
                     for i in range(self.started, due)]
            connection.request("POST", "/v1/sagas:batch", "\n".join(lines))
            answer = connection.getresponse().read()
            if answer.count(b'"created":true') != len(lines):
                self.wrong = answer[:300]
                return
            self.started = due

    def stop(self):
        self.stopped.set()
        self.thread.join()
        if self.wrong:
            sys.exit(f"stall.py: notes were not started: {self.wrong}")


class Sample:
    """What a plant has done until now."""

    def __init__(self, plant):
        self.at = time.monotonic()
        metrics = plant.server.ask("GET", "/metrics")[1].decode()
        starts = int(re.search(r"^skald_starts_total (\d+)", metrics, re.M)[1])
        self.orders = starts - plant.notes.started  # as many are in flight at any time
        self.live = plant.live()
        self.kib = plant.server.memory_kib()
        with open(f"/proc/{plant.server.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        self.cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Plant:
    def __init__(self, bindir, folder, options):
        self.processes = {}
        os.mkdir(folder)
        if options.limits:
            with open(os.path.join(folder, "skald.yaml"), "w") as settings:
                settings.write(f"participants: {{ notification: {options.limits} }}\n")
        self.server = Server(os.path.join(bindir, "skald"), folder)
        for name in ("inventory", "payment", "notification"):
            self.start(name, folder, [os.path.join(bindir, "skald-" + name), "--bus",
                                      "local:data/bus.sock", "--data", name])
        until("the services", 20, self.is_connected)
        status, answer = self.server.ask(
            "POST", "/v1/definitions", DEFINITION.replace("TIMEOUT", options.timeout))
        if status not in (200, 201):
            sys.exit(f"stall.py: the definition was refused: {answer}")
        self.notes = Notes(self.server, options.rate)
        self.start("orders", folder, [os.path.join(bindir, "skald"), "bench", "-q", "--server",
                                      self.server.url, "--inflight", str(INFLIGHT), "--sagas",
                                      "1000000", "--patience", "10m"])

    def start(self, name, folder, command):
        with open(os.path.join(folder, name + ".log"), "w") as log:
            self.processes[name] = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def stats(self):
        return json.loads(self.server.ask("GET", "/v1/stats")[1])

    def live(self):
        return self.stats()["engine"]["live"]

    def is_connected(self):
        participants = self.stats()["participants"]
        return all(participants.get(name, {}).get("connected") for name in self.processes)

    def is_drained(self):
        return self.live() < INFLIGHT + self.notes.rate

    def hold(self, number):
        self.processes["notification"].send_signal(number)

    def check(self):
        """Asking something now and then also keeps the connection open."""
        for name, process in self.processes.items():
            if process.poll() is not None:
                sys.exit(f"stall.py: {name} has ended")
        self.server.ask("GET", "/readyz")

    def finish(self):
        self.check()
        self.notes.stop()
        self.processes["orders"].terminate()
        until("the last sagas", 60, lambda: not self.live())

    def kill(self):
        self.notes.stopped.set()
        for process in self.processes.values():
            process.kill()
            process.wait()
        self.server.stop()


def measure(plants, seconds):
    """Of each plant: what it did in that time."""
    before = [Sample(plant) for plant in plants]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(1, max(0, end - time.monotonic())))
        for plant in plants:
            plant.check()
    after = [Sample(plant) for plant in plants]
    return [{"rate": (b.orders - a.orders) / (b.at - a.at),
             "cpu": (b.cpu_s - a.cpu_s) / max(b.orders - a.orders, 1),
             "notes": b.live - a.live,
             "bytes": (b.kib - a.kib) * 1024 / max(b.live - a.live, 1)}
            for a, b in zip(before, after)]


def show(what, done):
    print(f"{what}: {done['rate']:,.0f} orders/s, {done['cpu'] * 1e6:.0f} us of the server's "
          "CPU for each", flush=True)


def stalled(plants, which, seconds):
    """The orders with a stall, for one without it; and the memory for a note."""
    plants[which].hold(signal.SIGSTOP)
    try:
        done = measure(plants, seconds)
        seen = plants[which].stats()["participants"]["notification"]
    finally:
        plants[which].hold(signal.SIGCONT)
    held, free = done[which], done[1 - which]
    show(f"stalled for {seconds} s", held)
    show("at the same time, not stalled", free)
    print(f"  {held['notes']:,} notes waited, {held['bytes']:,.0f} bytes each: "
          f"{seen['inflight']} under way, {seen['held']} held, breaker {seen['breaker']}")
    began = time.monotonic()
    until("the notes that had waited", 120, plants[which].is_drained)
    print(f"  and had all ended {time.monotonic() - began:.1f} s later", flush=True)
    return held["rate"] / free["rate"], held["bytes"]


def report(what, value, good):
    print(what.format(value) + ("" if good else " - MISSED"), flush=True)
    return good


def run(options, folder):
    bindir = os.path.abspath(options.folder)
    plants = []
    try:
        for name in ("first", "second"):
            plants.append(Plant(bindir, os.path.join(folder, name), options))
        time.sleep(2)
        for done in measure(plants, SETTLE_S):
            show("no stall", done)
        results = [stalled(plants, which, options.stall) for which in (0, 1)]
        for plant in plants:
            plant.finish()
    finally:
        for plant in plants:
            plant.kill()
    ratio = math.sqrt(results[0][0] * results[1][0])
    good = report("orders with a stall: {:.2f} of those without, at least 0.90", ratio,
                  ratio >= RATIO)
    cost = max(cost for _, cost in results)
    return report("memory for a note that waits: {:,.0f} bytes, under 4,096", cost,
                  cost < NOTE_BYTES) and good


def main():
    parser = argparse.ArgumentParser(description="Measure what a stalled participant costs.")
    parser.add_argument("folder")
    parser.add_argument("--stall", type=int, default=20, help="seconds, for each plant")
    parser.add_argument("--rate", type=int, default=200, help="notes a second")
    parser.add_argument("--timeout", default="10s", help="of an attempt to send a note")
    parser.add_argument("--limits", metavar="YAML", help="of notification, as in skald.yaml: "
                        "'{ breaker: { failures: 5, pause: 5s } }'")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    folder = tempfile.mkdtemp(prefix="skald-stall-")
    try:
        good = run(options, folder)
    finally:
        shutil.rmtree(folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
