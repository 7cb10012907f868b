#include "bus/bus_memory.h"

#include "proto/message_copy.h"

#include <stdlib.h>

struct parcel {
	struct parcel *next;
	void *message; /* struct command_message or struct reply_message, owned */
};

/* What waits for one receiver: polled parcels first, then those that are new. */
struct queue {
	struct parcel *first;
	struct parcel **end;
	struct parcel **unread; /* where the first one not polled yet hangs */
	size_t n;
};

struct mailbox {
	struct mailbox *next;
	char *participant;
	struct queue commands;
	struct queue again; /* those whose reply could not be taken */
	bool attended;      /* somebody has opened it */
};

struct post {
	struct queue replies;
	struct mailbox *mailboxes;
};

struct bus_memory {
	struct bus base; /* first, so that the two pointers are one */
	struct post *post;
};

struct port_memory {
	struct port base; /* first, so that the two pointers are one */
	struct post *post;
	struct mailbox *mailbox;
};

/* --- queues ------------------------------------------------------------------------ */

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){0};
	queue->end = queue->unread = &queue->first;
}

static void queue_put(struct queue *queue, struct parcel *parcel)
{
	parcel->next = NULL;
	*queue->end = parcel;
	queue->end = &parcel->next;
	queue->n++;
}

/* Takes the message, whether or not it succeeds. */
static enum err queue_add(struct queue *queue, void *message)
{
	struct parcel *parcel = message ? malloc(sizeof *parcel) : NULL;

	if (!parcel || queue->n == BUS_MEMORY_QUEUE_MAX) {
		free(message);
		free(parcel);
		return queue->n == BUS_MEMORY_QUEUE_MAX ? ERR_BUSY : ERR_NOMEM;
	}
	*parcel = (struct parcel){.message = message};
	queue_put(queue, parcel);
	return OK;
}

static void *queue_poll(struct queue *queue)
{
	struct parcel *parcel = *queue->unread;

	if (!parcel)
		return NULL;
	queue->unread = &parcel->next;
	return parcel->message;
}

static struct parcel *queue_cut(struct queue *queue, struct parcel **link)
{
	struct parcel *parcel = *link;

	*link = parcel->next;
	if (queue->end == &parcel->next)
		queue->end = link;
	if (queue->unread == &parcel->next)
		queue->unread = link;
	queue->n--;
	return parcel;
}

static void queue_remove(struct queue *queue, struct parcel **link)
{
	struct parcel *parcel = queue_cut(queue, link);

	free(parcel->message);
	free(parcel);
}

static void queue_clear(struct queue *queue)
{
	while (queue->first)
		queue_remove(queue, &queue->first);
}

/* --- the orchestrator's end -------------------------------------------------------- */

static struct mailbox *find_mailbox(struct post *post, struct slice participant)
{
	struct mailbox *mailbox;

	for (mailbox = post->mailboxes; mailbox; mailbox = mailbox->next)
		if (slice_is(participant, mailbox->participant))
			return mailbox;
	mailbox = malloc(sizeof *mailbox);
	if (!mailbox)
		return NULL;
	mailbox->participant = calloc(1, participant.len + 1);
	if (!mailbox->participant) {
		free(mailbox);
		return NULL;
	}
	memcpy(mailbox->participant, participant.at, participant.len);
	queue_init(&mailbox->commands);
	queue_init(&mailbox->again);
	mailbox->attended = false;
	mailbox->next = post->mailboxes;
	post->mailboxes = mailbox;
	return mailbox;
}

static enum err memory_send(struct bus *base, const struct command_message *command)
{
	struct bus_memory *bus = (struct bus_memory *)base;
	struct mailbox *mailbox = find_mailbox(bus->post, command->participant);

	if (!mailbox)
		return ERR_NOMEM;
	if (mailbox->commands.n + mailbox->again.n == BUS_MEMORY_QUEUE_MAX)
		return ERR_BUSY;
	return queue_add(&mailbox->commands, command_message_copy(command));
}

static bool memory_poll(struct bus *base, struct inbox_message *out)
{
	struct bus_memory *bus = (struct bus_memory *)base;
	const struct reply_message *reply = queue_poll(&bus->post->replies);

	if (reply)
		*out = (struct inbox_message){.type = INBOX_REPLY, .reply = *reply};
	return reply != NULL;
}

/* Nobody but participants is connected here, so that nobody has asked. */
static void memory_answer(struct bus *base, uint64_t origin,
			  const struct result_message *result)
{
}

static void memory_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			 struct slice status)
{
}

static void memory_acknowledge(struct bus *base)
{
	struct queue *replies = &((struct bus_memory *)base)->post->replies;

	while (replies->unread != &replies->first)
		queue_remove(replies, &replies->first);
}

static void memory_pump(struct bus *base)
{
}

static int memory_fd(struct bus *base)
{
	return -1;
}

static size_t count_unread(const struct queue *queue)
{
	size_t n = 0;

	for (const struct parcel *parcel = *queue->unread; parcel; parcel = parcel->next)
		n++;
	return n;
}

static void memory_participants(struct bus *base,
				void (*visit)(void *context,
					      const struct bus_participant *participant),
				void *context)
{
	const struct mailbox *mailbox = ((struct bus_memory *)base)->post->mailboxes;

	for (; mailbox; mailbox = mailbox->next) {
		size_t held = count_unread(&mailbox->commands) + mailbox->again.n;
		size_t all = mailbox->commands.n + mailbox->again.n;
		struct bus_participant participant = {.name = slice_of(mailbox->participant),
						      .processes = mailbox->attended,
						      .inflight = (uint32_t)(all - held),
						      .held = (uint32_t)held};

		visit(context, &participant);
	}
}

static void memory_close(struct bus *base)
{
	free(base);
}

struct bus *bus_memory_open(struct post *post)
{
	static const struct bus_ops ops = {
		.send = memory_send,
		.poll = memory_poll,
		.answer = memory_answer,
		.ended = memory_ended,
		.acknowledge = memory_acknowledge,
		.pump = memory_pump,
		.fd = memory_fd,
		.participants = memory_participants,
		.close = memory_close,
	};
	struct bus_memory *bus = malloc(sizeof *bus);

	if (!bus)
		return NULL;
	*bus = (struct bus_memory){{&ops}, post};
	post->replies.unread = &post->replies.first;
	return &bus->base;
}

/* --- a participant's end ----------------------------------------------------------- */

static void take_back(struct mailbox *mailbox)
{
	while (mailbox->again.first)
		queue_put(&mailbox->commands,
			  queue_cut(&mailbox->again, &mailbox->again.first));
}

static bool memory_poll_command(struct port *base, struct command_message *out)
{
	struct mailbox *mailbox = ((struct port_memory *)base)->mailbox;
	const struct command_message *command = queue_poll(&mailbox->commands);

	if (command)
		*out = *command;
	else
		take_back(mailbox);
	return command != NULL;
}

/* Whether the reply settles the command: its own attempt, and those before it. */
static bool settles(const struct reply_message *reply, const struct command_message *command)
{
	return slice_equal(command->id, reply->id) && command->attempt <= reply->attempt;
}

static enum err memory_reply(struct port *base, const struct reply_message *reply)
{
	struct port_memory *port = (struct port_memory *)base;
	struct mailbox *mailbox = port->mailbox;
	struct queue *commands = &mailbox->commands, settled;
	enum err err = queue_add(&port->post->replies, reply_message_copy(reply));
	bool last = false;

	/* The reply may well point at the texts of one of them. */
	queue_init(&settled);
	for (struct parcel **link = &commands->first; *link && !last;) {
		const struct command_message *command = (*link)->message;

		if (settles(reply, command)) {
			last = command->attempt == reply->attempt;
			queue_put(err ? &mailbox->again : &settled, queue_cut(commands, link));
		} else {
			link = &(*link)->next;
		}
	}
	queue_clear(&settled);
	return err;
}

static void memory_pump_port(struct port *base, int timeout_ms)
{
}

static void memory_close_port(struct port *base)
{
	((struct port_memory *)base)->mailbox->attended = false;
	free(base);
}

struct port *port_memory_open(struct post *post, const char *participant)
{
	static const struct port_ops ops = {
		.poll = memory_poll_command,
		.reply = memory_reply,
		.pump = memory_pump_port,
		.close = memory_close_port,
	};
	struct port_memory *port = malloc(sizeof *port);
	struct mailbox *mailbox = find_mailbox(post, slice_of(participant));

	if (!port || !mailbox) {
		free(port);
		return NULL;
	}
	*port = (struct port_memory){{&ops}, post, mailbox};
	mailbox->attended = true;
	take_back(mailbox);
	mailbox->commands.unread = &mailbox->commands.first;
	return &port->base;
}

struct post *post_new(void)
{
	struct post *post = calloc(1, sizeof *post);

	if (post)
		queue_init(&post->replies);
	return post;
}

void post_free(struct post *post)
{
	if (!post)
		return;
	queue_clear(&post->replies);
	while (post->mailboxes) {
		struct mailbox *mailbox = post->mailboxes;

		post->mailboxes = mailbox->next;
		queue_clear(&mailbox->commands);
		queue_clear(&mailbox->again);
		free(mailbox->participant);
		free(mailbox);
	}
	free(post);
}
