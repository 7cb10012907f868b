#include "tests/lib/bus_sim.h"

#include "proto/message_copy.h"

#include <assert.h>
#include <stdlib.h>

enum { MESSAGES_MAX = 4096 };

struct pool {
	void *messages[MESSAGES_MAX];
	size_t n;
};

struct mailbox {
	struct mailbox *next;
	struct slice participant; /* of the first command that came for it */
	struct pool commands;
};

struct bus_sim {
	struct random random;
	struct sim_faults faults;
	struct pool replies;
	struct mailbox *mailboxes;
	struct pool delivered; /* kept alive for those that borrow them */
};

struct bus_sim_end {
	struct bus base; /* first, so that the two pointers are one */
	struct bus_sim *sim;
};

struct port_sim {
	struct port base; /* first, so that the two pointers are one */
	struct bus_sim *sim;
	const char *participant;
};

static void pool_clear(struct pool *pool)
{
	while (pool->n)
		free(pool->messages[--pool->n]);
}

static void pool_add(struct pool *pool, void *message)
{
	assert(message && pool->n < MESSAGES_MAX);
	pool->messages[pool->n++] = message;
}

/* Some message of the pool; the pool owns it no longer unless it is to come
 * again. NULL: none now. */
static void *pool_take(struct bus_sim *sim, struct pool *pool)
{
	for (size_t tries = pool->n; tries && pool->n; tries--) {
		size_t at = random_below(&sim->random, (uint32_t)pool->n);
		void *message = pool->messages[at];

		if (random_percent(&sim->random, sim->faults.late_percent))
			continue;
		pool->messages[at] = pool->messages[--pool->n];
		if (random_percent(&sim->random, sim->faults.lost_percent)) {
			free(message);
			continue;
		}
		return message;
	}
	return NULL;
}

static void keep_alive(struct bus_sim *sim, void *message)
{
	if (sim->delivered.n == MESSAGES_MAX / 2) { /* nobody borrows one for so long */
		for (size_t i = 0; i < MESSAGES_MAX / 4; i++)
			free(sim->delivered.messages[i]);
		sim->delivered.n -= MESSAGES_MAX / 4;
		memmove(sim->delivered.messages, sim->delivered.messages + MESSAGES_MAX / 4,
			sim->delivered.n * sizeof(void *));
	}
	pool_add(&sim->delivered, message);
}

static struct mailbox *find_mailbox(struct bus_sim *sim, struct slice participant)
{
	struct mailbox *mailbox = sim->mailboxes;

	while (mailbox && !slice_equal(mailbox->participant, participant))
		mailbox = mailbox->next;
	return mailbox;
}

static enum err sim_send(struct bus *base, const struct command_message *command)
{
	struct bus_sim *sim = ((struct bus_sim_end *)base)->sim;
	struct mailbox *mailbox = find_mailbox(sim, command->participant);

	if (!mailbox) {
		mailbox = calloc(1, sizeof *mailbox + command->participant.len);
		assert(mailbox);
		memcpy(mailbox + 1, command->participant.at, command->participant.len);
		mailbox->participant =
			(struct slice){(char *)(mailbox + 1), command->participant.len};
		mailbox->next = sim->mailboxes;
		sim->mailboxes = mailbox;
	}
	pool_add(&mailbox->commands, command_message_copy(command));
	return OK;
}

static bool sim_poll(struct bus *base, struct inbox_message *out)
{
	struct bus_sim *sim = ((struct bus_sim_end *)base)->sim;
	struct reply_message *reply = pool_take(sim, &sim->replies);

	if (!reply)
		return false;
	*out = (struct inbox_message){.type = INBOX_REPLY, .reply = *reply};
	keep_alive(sim, reply);
	if (random_percent(&sim->random, sim->faults.repeated_percent))
		pool_add(&sim->replies, reply_message_copy(reply));
	return true;
}

static void sim_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
}

static void sim_ended(struct bus *base, uint64_t origin, struct slice saga_id,
		      struct slice status)
{
}

static void sim_acknowledge(struct bus *base)
{
}

static void sim_pump(struct bus *base)
{
}

static int sim_fd(struct bus *base)
{
	return -1;
}

static void sim_participants(struct bus *base,
			     void (*visit)(void *context,
					   const struct bus_participant *participant),
			     void *context)
{
	const struct mailbox *mailbox = ((struct bus_sim_end *)base)->sim->mailboxes;

	for (; mailbox; mailbox = mailbox->next) {
		struct bus_participant participant = {.name = mailbox->participant,
						      .held = (uint32_t)mailbox->commands.n};

		visit(context, &participant);
	}
}

static void sim_close(struct bus *base)
{
	free(base);
}

struct bus *bus_sim_open(struct bus_sim *sim)
{
	static const struct bus_ops ops = {
		.send = sim_send,
		.poll = sim_poll,
		.answer = sim_answer,
		.ended = sim_ended,
		.acknowledge = sim_acknowledge,
		.pump = sim_pump,
		.fd = sim_fd,
		.participants = sim_participants,
		.close = sim_close,
	};
	struct bus_sim_end *end = malloc(sizeof *end);

	assert(end);
	*end = (struct bus_sim_end){{&ops}, sim};
	return &end->base;
}

static bool sim_poll_command(struct port *base, struct command_message *out)
{
	struct port_sim *port = (struct port_sim *)base;
	struct mailbox *mailbox = find_mailbox(port->sim, slice_of(port->participant));
	struct command_message *command =
		mailbox ? pool_take(port->sim, &mailbox->commands) : NULL;

	if (!command)
		return false;
	*out = *command;
	keep_alive(port->sim, command);
	if (random_percent(&port->sim->random, port->sim->faults.repeated_percent))
		pool_add(&mailbox->commands, command_message_copy(command));
	return true;
}

static enum err sim_reply(struct port *base, const struct reply_message *reply)
{
	pool_add(&((struct port_sim *)base)->sim->replies, reply_message_copy(reply));
	return OK;
}

static void sim_pump_port(struct port *base, int timeout_ms)
{
}

static void sim_close_port(struct port *base)
{
	free(base);
}

struct port *port_sim_open(struct bus_sim *sim, const char *participant)
{
	static const struct port_ops ops = {
		.poll = sim_poll_command,
		.reply = sim_reply,
		.pump = sim_pump_port,
		.close = sim_close_port,
	};
	struct port_sim *port = malloc(sizeof *port);

	assert(port);
	*port = (struct port_sim){{&ops}, sim, participant};
	return &port->base;
}

struct bus_sim *bus_sim_new(uint64_t seed, struct sim_faults faults)
{
	struct bus_sim *sim = calloc(1, sizeof *sim);

	assert(sim);
	sim->random.state = seed;
	sim->faults = faults;
	return sim;
}

void bus_sim_free(struct bus_sim *sim)
{
	pool_clear(&sim->replies);
	pool_clear(&sim->delivered);
	while (sim->mailboxes) {
		struct mailbox *mailbox = sim->mailboxes;

		sim->mailboxes = mailbox->next;
		pool_clear(&mailbox->commands);
		free(mailbox);
	}
	free(sim);
}
