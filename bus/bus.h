/* bus.h - how messages travel between the orchestrator and everybody else.
 *
 * Two ends, each a seam: a bus is the orchestrator's, a port a participant's.
 * Delivery is at least once: a message may come twice, late, after others that
 * were sent later, or (when a process dies) again. Both ends settle what they
 * polled: the orchestrator acknowledges once the outcome is stored and sent on,
 * a participant by its reply once its own commit is durable.
 *
 * bus_memory.c keeps both ends in one process, bus_local.c and port_local.c
 * use a Unix socket. The comments below are the contract; tests/unit/test_bus.c and
 * test_bus_inquiry.c run it against every implementation.
 */
#ifndef SKALD_BUS_BUS_H
#define SKALD_BUS_BUS_H

#include "base/err.h"
#include "base/shards.h"
#include "proto/message.h"

struct bus {
	const struct bus_ops *ops;
};

/* What is known of one participant, for statistics. */
struct bus_participant {
	struct slice name;
	uint32_t processes; /* connected now */
	uint32_t inflight;  /* commands pushed and not answered */
	uint32_t held;      /* commands that wait for a process or its window */
};

/* What became of an inquiry. */
struct inquired {
	uint64_t request;
	bool lost; /* whoever was asked has left: ask again */
	struct records_message records;
};

struct bus_ops {
	/* Hand a command over towards its participant. What is handed over while
	 * nobody is connected waits. ERR_BUSY: too much waits for this participant,
	 * try again later; others are not concerned. ERR_NOMEM. */
	enum err (*send)(struct bus *bus, const struct command_message *command);

	/* The next message for the orchestrator; false: none is there now. Valid
	 * until acknowledge. */
	bool (*poll)(struct bus *bus, struct inbox_message *out);

	/* Answer a start or a signal; nothing happens where the asker is gone or
	 * `origin` is 0. */
	void (*answer)(struct bus *bus, uint64_t origin, const struct result_message *result);

	/* A saga that its starter watches has ended or is parked; likewise. */
	void (*ended)(struct bus *bus, uint64_t origin, struct slice saga_id,
		      struct slice status);

	/* The outcome of everything polled so far is stored: tell the senders. */
	void (*acknowledge)(struct bus *bus);

	/* Push out what was buffered, take in what came; never blocks. Called once
	 * per turn of the loop, in front of poll(). What poll() gave stays valid. */
	void (*pump)(struct bus *bus);

	/* Readable when pump() has something to do; -1: this bus has none and pump
	 * must be called again and again. To be waited for when poll() has nothing
	 * more to give. */
	int (*fd)(struct bus *bus);

	/* Call for every participant that is known. */
	void (*participants)(struct bus *bus,
			     void (*visit)(void *context,
					   const struct bus_participant *participant),
			     void *context);

	/* Ask what a participant remembers; NULL, all three: nobody can be asked over
	 * this bus. The bus sets `request`. ERR_NOT_FOUND: no process of it is
	 * connected; ERR_INVALID: none that is can answer; ERR_UNAVAILABLE: not over
	 * this bus; ERR_BUSY: not now, as too much is asked already or the brokers are away;
	 * ERR_NOMEM. The diag may say more. Nothing says that an answer ever comes. */
	enum err (*inquire)(struct bus *bus, struct slice participant,
			    struct inquiry_message *inquiry, struct diag *diag);

	/* The next answer; false: none is there now. Valid until the next call. */
	bool (*inquired)(struct bus *bus, struct inquired *out);

	/* Nobody waits for that answer any more. */
	void (*forget)(struct bus *bus, uint64_t request);

	/* --- what a bus may lack: NULL -------------------------------------------- */

	/* This message that was polled is of no use, and why. True: it comes back as
	 * INBOX_DEAD, with its place and all that it had; it counts as acknowledged
	 * once it is where that comes from. False: whoever asks has to keep it. */
	bool (*bury)(struct bus *bus, const struct inbox_message *message, struct slice reason,
		     struct slice text);

	/* Send a dead letter to where it was found. ERR_INVALID: it cannot be, says the
	 * diag; ERR_BUSY: not now; ERR_NOMEM. */
	enum err (*replay)(struct bus *bus, const struct dead_letter *letter,
			   struct diag *diag);

	/* Tell whoever listens what happened to a saga, in the order of the calls. It is
	 * kept until it is where that is read, also while nothing can be sent. ERR_NOMEM:
	 * it is not; tell it again. NULL, all three: nobody listens to this bus. */
	enum err (*publish)(struct bus *bus, const struct event_message *event);

	/* So much of that waits that nothing more is to happen until some of it is there. */
	bool (*crowded)(const struct bus *bus);

	/* All that belongs to the batch of this number, and to those before it, was
	 * published. The newest batch of which all is known to be there; never goes back. */
	uint64_t (*arrived)(struct bus *bus, uint64_t batch);

	/* Which shards this end has: what is for others' does not come here. *turn is
	 * another number whenever that was settled anew. False: it is being settled;
	 * until it is, what was so before counts. NULL: it has all, undivided. */
	bool (*owned)(struct bus *bus, struct shards *out, uint64_t *turn);

	void (*close)(struct bus *bus);
};
CHECKED enum err bus_send(struct bus *bus, const struct command_message *command);
bool bus_poll(struct bus *bus, struct inbox_message *out);
void bus_answer(struct bus *bus, uint64_t origin, const struct result_message *result);
void bus_ended(struct bus *bus, uint64_t origin, struct slice saga_id, struct slice status);
void bus_acknowledge(struct bus *bus);
void bus_pump(struct bus *bus);
int bus_fd(struct bus *bus);
void bus_participants(struct bus *bus,
		      void (*visit)(void *context, const struct bus_participant *participant),
		      void *context);
CHECKED enum err bus_inquire(struct bus *bus, struct slice participant,
			     struct inquiry_message *inquiry, struct diag *diag);
bool bus_inquired(struct bus *bus, struct inquired *out);
void bus_forget(struct bus *bus, uint64_t request);
bool bus_bury(struct bus *bus, const struct inbox_message *message, struct slice reason,
	      struct slice text);
CHECKED enum err bus_replay(struct bus *bus, const struct dead_letter *letter,
			    struct diag *diag);
bool bus_publishes(const struct bus *bus);
CHECKED enum err bus_publish(struct bus *bus, const struct event_message *event);
bool bus_crowded(const struct bus *bus);
uint64_t bus_arrived(struct bus *bus, uint64_t batch);
bool bus_owned(struct bus *bus, struct shards *out, uint64_t *turn);
void bus_close(struct bus *bus); /* NULL is fine */

struct port {
	const struct port_ops *ops;
};

struct port_ops {
	/* The next command; false: none is there now. Valid until its reply, or the
	 * reply to a later attempt of the same command that was polled after it. */
	bool (*poll)(struct port *port, struct command_message *out);

	/* Answer a command; it need not come again. ERR_BUSY, ERR_NOMEM: not now; it
	 * will come again, not before poll() has returned false. ERR_TOO_LARGE,
	 * ERR_INVALID: no answer that a bus carries. */
	enum err (*reply)(struct port *port, const struct reply_message *reply);

	/* Push out, take in, reconnect; blocks up to `timeout_ms` (0: not) while
	 * nothing comes. */
	void (*pump)(struct port *port, int timeout_ms);

	/* The next inquiry, valid until the next call, and its answer. An answer that
	 * cannot be sent is dropped: whoever waits for it asks again. NULL, both:
	 * nobody asks over this bus. */
	bool (*inquiry)(struct port *port, struct inquiry_message *out);
	void (*records)(struct port *port, const struct records_message *records);

	void (*close)(struct port *port);
};

bool port_poll(struct port *port, struct command_message *out);
CHECKED enum err port_reply(struct port *port, const struct reply_message *reply);
void port_pump(struct port *port, int timeout_ms);
bool port_inquiry(struct port *port, struct inquiry_message *out);
void port_records(struct port *port, const struct records_message *records);
void port_close(struct port *port); /* NULL is fine */

#endif
