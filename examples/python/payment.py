"""A payment service in Python: a participant over Kafka, after docs/protocol.md.

    pip install -r requirements.txt
    python -m grpc_tools.protoc -I ../../proto --python_out=. skald.proto
    python payment.py --brokers 127.0.0.1:9092 --data payment.db

Each command is recorded in the transaction that has its effect, under its id: so it
takes effect once, however often it comes. Replies go out after the commit, and offsets
are committed after the replies are with the brokers. What it remembers it tells to
whoever asks (`skald reconcile`).
"""
import argparse
import json
import signal
import sqlite3
import sys
import time
from decimal import Decimal

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from google.protobuf.message import DecodeError

import skald_pb2 as skald

HORIZON_MS = 30 * 24 * 3600 * 1000  # how long records are kept

SCHEMA = """
CREATE TABLE IF NOT EXISTS record
    (id TEXT PRIMARY KEY, state TEXT NOT NULL, first_ms INTEGER NOT NULL, reply BLOB);
CREATE TABLE IF NOT EXISTS ledger (command TEXT PRIMARY KEY, cents INTEGER NOT NULL);
"""


class Refused(Exception):
    """A business no: nothing was done, and asking again changes nothing."""


# --- the business ---------------------------------------------------------------------


def charge(db, command):
    args = json.loads(command.args, parse_float=Decimal)
    cents = Decimal(args["amount"]) * 100
    if args.get("decline"):
        raise Refused("card_declined", "the bank said no")
    if cents != int(cents):
        raise Refused("bad_argument", "the amount is no number of whole cents")
    db.execute("INSERT INTO ledger VALUES (?, ?)", (command.id, int(cents)))
    return {"receipt": command.id}


def refund(db, command):
    """The undo of a charge that is recorded as done."""
    (cents,) = db.execute("SELECT cents FROM ledger WHERE command = ?", (command.do_id,)).fetchone()
    db.execute("INSERT INTO ledger VALUES (?, ?)", (command.id, -cents))
    return {}


HANDLERS = {"charge": charge, "refund": refund}

# --- the duties of a participant --------------------------------------------------------


def find(db, command_id):
    row = db.execute("SELECT state, reply FROM record WHERE id = ?", (command_id,)).fetchone()
    return row or (None, None)


def record(db, command, command_id, state, reply):
    db.execute("INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?)",
               (command_id, state, command.first_ms, reply.SerializeToString() if reply else None))


def answer(command, outcome, output=None, code="", text=""):
    reply = skald.Reply(id=command.id, attempt=command.attempt, outcome=outcome, code=code, text=text)
    if output is not None:
        reply.output = json.dumps(output).encode()
    return reply


def run(db, command):
    """Call the handler; record ok and refused, and roll a failure back."""
    handler = HANDLERS.get(command.command)
    if not handler:
        return answer(command, skald.FAILED, code="unknown-command", text="there is no such command")
    db.execute("SAVEPOINT one")
    try:
        reply = answer(command, skald.OK, handler(db, command))
        record(db, command, command.id, "ok", reply)
    except Refused as why:
        db.execute("ROLLBACK TO one")
        reply = answer(command, skald.REFUSED, code=why.args[0], text=why.args[1])
        record(db, command, command.id, "refused", reply)
    except (KeyError, ValueError, ArithmeticError, sqlite3.Error) as why:
        db.execute("ROLLBACK TO one")
        reply = answer(command, skald.FAILED, code="failed", text=str(why)[:1000])
    db.execute("RELEASE one")
    return reply


def expired(command):
    return command.first_ms < time.time() * 1000 - HORIZON_MS


def serve_do(db, command):
    state, stored = find(db, command.id)
    if state in ("barred", "undone"):
        return answer(command, skald.REFUSED, code="barred", text="it was undone before")
    if stored:
        reply = skald.Reply.FromString(stored)
        reply.attempt = command.attempt
        return reply
    return answer(command, skald.EXPIRED) if expired(command) else run(db, command)


def serve_undo(db, command):
    if find(db, command.id)[0]:
        return answer(command, skald.OK)
    state, stored = find(db, command.do_id)
    if not state and expired(command):
        return answer(command, skald.EXPIRED)
    if state == "ok":
        reply = run(db, command)
        if reply.outcome == skald.OK:
            db.execute("UPDATE record SET state = 'undone' WHERE id = ?", (command.do_id,))
        return reply
    if not state:
        record(db, command, command.do_id, "barred", None)
    reply = answer(command, skald.OK)
    record(db, command, command.id, "ok", reply)
    return reply


def serve_revoke(db, command):
    state, _ = find(db, command.do_id)
    if state == "ok":
        return answer(command, skald.REFUSED, code="already-done", text="it was done")
    if not state and expired(command):
        return answer(command, skald.EXPIRED)
    if not state:
        record(db, command, command.do_id, "barred", None)
    return answer(command, skald.OK)


SERVE = {skald.DO: serve_do, skald.UNDO: serve_undo, skald.REVOKE: serve_revoke}

# --- what it remembers ------------------------------------------------------------------

STATES = {"ok": skald.RECORD_OK, "refused": skald.RECORD_REFUSED,
          "barred": skald.RECORD_BARRED, "undone": skald.RECORD_UNDONE}


def remember(db, inquiry):
    """The records of these commands; where none is named, a page of all."""
    told = skald.Records(request=inquiry.request, kept_ms=int(time.time() * 1000) - HORIZON_MS)
    if inquiry.ids:
        rows = [db.execute("SELECT id, state, first_ms FROM record WHERE id = ?", (one,)).fetchone()
                or (one, None, 0) for one in inquiry.ids]
    else:
        rows = db.execute("SELECT id, state, first_ms FROM record WHERE id > ? ORDER BY id LIMIT ?",
                          (inquiry.after, inquiry.limit)).fetchall()
        told.next = rows[-1][0] if len(rows) == inquiry.limit else ""
    for one, state, first_ms in rows:
        if inquiry.ids or first_ms >= inquiry.since_ms:
            told.records.add(id=one, state=STATES.get(state, skald.NO_RECORD), first_ms=first_ms)
    return told


# --- Kafka ------------------------------------------------------------------------------


def read(message, kind):
    """The command or inquiry of a message; None: it is none."""
    try:
        frame = skald.Frame.FromString(message.value() or b"")
    except DecodeError:
        return None
    return getattr(frame, kind) if frame.HasField(kind) else None


def send(producer, prefix, message, reply):
    headers = dict(message.headers() or [])
    where = {}
    if "skald-reply-partition" in headers:
        where["partition"] = int(headers["skald-reply-partition"])
    kept = [(name, headers[name]) for name in ("traceparent",) if name in headers]
    producer.produce(prefix + ".inbox", skald.Frame(reply=reply).SerializeToString(),
                     key=reply.id.split("/")[0], headers=kept, **where)


def bury(producer, prefix, message):
    place = {"skald-reason": "unreadable", "skald-text": "it is no command",
             "skald-topic": message.topic(), "skald-partition": str(message.partition()),
             "skald-offset": str(message.offset()), "skald-time": str(message.timestamp()[1])}
    producer.produce(prefix + ".dead", message.value(), key=message.key(),
                     headers=(message.headers() or []) + list(place.items()))


def serve(db, producer, prefix, messages):
    """One transaction for all of them; then the replies."""
    replies = []
    with db:
        db.execute("BEGIN IMMEDIATE")
        for message in messages:
            command = read(message, "command")
            known = command and command.id
            replies.append((message, SERVE[command.verb](db, command) if known else None))
    for message, reply in replies:
        if reply:
            send(producer, prefix, message, reply)
        else:
            bury(producer, prefix, message)
    producer.flush()


def tell(db, producer, prefix, messages):
    """Answer inquiries; an answer that is lost is asked for again."""
    for message in messages:
        inquiry = None if message.error() else read(message, "inquiry")
        if inquiry:
            told = skald.Frame(records=remember(db, inquiry))
            producer.produce(prefix + ".records", told.SerializeToString(), partition=0)
    producer.poll(0)


def consumer_of(brokers, topic, reset):
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": topic,
                         "auto.offset.reset": reset, "enable.auto.commit": False,
                         "topic.metadata.refresh.interval.ms": 1000})
    consumer.subscribe([topic])
    return consumer


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--brokers", required=True)
    parser.add_argument("--prefix", default="skald")
    parser.add_argument("--data", default="payment.db")
    options = parser.parse_args()
    db = sqlite3.connect(options.data, isolation_level=None)
    db.executescript(SCHEMA)
    producer = Producer({"bootstrap.servers": options.brokers, "acks": "all",
                         "enable.idempotence": True, "partitioner": "murmur2_random"})
    consumer = consumer_of(options.brokers, options.prefix + ".cmd.payment", "earliest")
    inquiries = consumer_of(options.brokers, options.prefix + ".inquiry.payment", "latest")
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    print("payment: ready: data in", options.data, file=sys.stderr, flush=True)
    while not stopping:
        tell(db, producer, options.prefix, inquiries.consume(8, timeout=0))
        messages = [m for m in consumer.consume(100, timeout=0.2) if not m.error()]
        if not messages:
            continue
        serve(db, producer, options.prefix, messages)
        ends = {(m.topic(), m.partition()): m.offset() + 1 for m in messages}
        try:
            consumer.commit(offsets=[TopicPartition(t, p, o) for (t, p), o in ends.items()],
                            asynchronous=False)
        except KafkaException:
            pass  # somebody else has the partition now, and gets them again
    consumer.close()
    inquiries.close()


if __name__ == "__main__":
    main()
