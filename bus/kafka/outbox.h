/* outbox.h - what leaves over Kafka: a line for each topic that is written to.
 *
 * A line to a participant's topic makes the topic where it is missing, and holds
 * what is sent meanwhile. A line whose messages do not arrive takes no more, and
 * no other line notices. What was handed over stays in order, unless librdkafka gives its
 * producer up: then another one sends again what did not arrive.
 */
#ifndef SKALD_BUS_KAFKA_OUTBOX_H
#define SKALD_BUS_KAFKA_OUTBOX_H

#include "bus/bus.h"
#include "bus/kafka/kafka.h"

enum {
	OUTBOX_LINES_MAX = 1000,    /* participants */
	OUTBOX_HELD_MAX = 1000,     /* commands while a topic is made */
	OUTBOX_ASKED_MAX = 100000,  /* commands of one line that are counted */
	OUTBOX_STALLED_MS = 2000,   /* so long nothing arrived */
	OUTBOX_LOOK_MS = 500,       /* for a topic, where no broker answers */
	OUTBOX_ASK_AGAIN_MS = 5000, /* for a topic that could not be made */
	OUTBOX_REPLACE_MS = 1000,   /* for what a failed producer gives back; until the next */
};

struct outbox;
struct line;

/* The setup is borrowed, and checked. `wake_fd`: an eventfd that is written to when
 * outbox_pump has something to do. ERR_NOMEM, ERR_INVALID. */
CHECKED enum err outbox_open(const struct kafka_setup *setup, int wake_fd, struct outbox **out,
			     struct diag *diag);

/* What was not delivered by then is given up. NULL is fine. */
void outbox_close(struct outbox *outbox, int flush_ms);

/* Its producer, for whoever asks the brokers something. */
const struct kafka_client *outbox_client(const struct outbox *outbox);

/* See kafka_client_connect. */
CHECKED enum err outbox_connect(struct outbox *outbox, int timeout_ms, struct diag *diag);

/* Whether librdkafka has given the producer up, as it does when it cannot tell any more
 * what has arrived, and it is time to replace it by another one: what outbox_client gave
 * is then closed. */
bool outbox_failed(const struct outbox *outbox);
void outbox_replace(struct outbox *outbox);

/* See kafka_topic_need. */
CHECKED enum err outbox_need(struct outbox *outbox, const char *topic, int32_t partitions,
			     int timeout_ms, struct diag *diag);

/* Hear what was delivered, and go on with what was held. */
void outbox_pump(struct outbox *outbox);

/* --- commands ---------------------------------------------------------------------- */

/* As bus_send. `reply_partition`: where the reply shall go; -1: anywhere. */
CHECKED enum err outbox_send(struct outbox *outbox, const struct command_message *command,
			     int32_t reply_partition);

/* A reply came. */
void outbox_answered(struct outbox *outbox, struct slice command_id);

void outbox_visit(struct outbox *outbox,
		  void (*visit)(void *context, const struct bus_participant *participant),
		  void *context);

/* --- anything ---------------------------------------------------------------------- */

/* The line to a topic that is there. NULL: out of memory. */
struct line *outbox_line(struct outbox *outbox, const char *topic);

struct parcel {
	struct slice key, value;
	int32_t partition;           /* -1: as the key says */
	rd_kafka_headers_t *headers; /* taken, whatever becomes of it; NULL: none */
};

/* ERR_BUSY: the line takes no more for now; ERR_TOO_LARGE; ERR_INVALID. */
CHECKED enum err outbox_put(struct outbox *outbox, struct line *line,
			    const struct parcel *parcel);

/* To a topic of ours by its name: the inbox, or a participant's. ERR_INVALID: it is none
 * of them, says the diag. */
CHECKED enum err outbox_replay(struct outbox *outbox, struct slice topic,
			       const struct parcel *parcel, struct diag *diag);

/* --- when it is there --------------------------------------------------------------- */

/* Remember what was handed over so far; one such mark at a time. */
void outbox_mark(struct outbox *outbox);

/* Whether all of that is with the brokers, or never will be, which was logged. */
bool outbox_reached(const struct outbox *outbox);

/* Whether anything is on its way. */
bool outbox_busy(const struct outbox *outbox);

/* Behind the last command to this participant that was delivered; 0: there is none. */
int64_t outbox_end(struct outbox *outbox, struct slice participant);

#endif
