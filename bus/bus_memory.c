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

/* --- queues -------------------------------------------------------------------- */

static void queue_init(struct queue *queue)
{
	*queue = (struct queue){0};
	queue->end = queue->unread = &queue->first;
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
	*queue->end = parcel;
	queue->end = &parcel->next;
	queue->n++;
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

static void queue_remove(struct queue *queue, struct parcel **link)
{
	struct parcel *parcel = *link;

	*link = parcel->next;
	if (queue->end == &parcel->next)
		queue->end = link;
	if (queue->unread == &parcel->next)
		queue->unread = link;
	free(parcel->message);
	free(parcel);
	queue->n--;
}

static void queue_clear(struct queue *queue)
{
	while (queue->first)
		queue_remove(queue, &queue->first);
}

/* --- the orchestrator's end ------------------------------------------------------- */

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
	mailbox->next = post->mailboxes;
	post->mailboxes = mailbox;
	return mailbox;
}

static enum err memory_send(struct bus *base, const struct command_message *command)
{
	struct bus_memory *bus = (struct bus_memory *)base;
	struct mailbox *mailbox = find_mailbox(bus->post, command->participant);

	return mailbox ? queue_add(&mailbox->commands, command_message_copy(command))
		       : ERR_NOMEM;
}

static bool memory_poll(struct bus *base, struct reply_message *out)
{
	struct bus_memory *bus = (struct bus_memory *)base;
	const struct reply_message *reply = queue_poll(&bus->post->replies);

	if (reply)
		*out = *reply;
	return reply != NULL;
}

static void memory_acknowledge(struct bus *base)
{
	struct queue *replies = &((struct bus_memory *)base)->post->replies;

	while (replies->unread != &replies->first)
		queue_remove(replies, &replies->first);
}

static void memory_close(struct bus *base)
{
	free(base);
}

struct bus *bus_memory_open(struct post *post)
{
	static const struct bus_ops ops = {memory_send, memory_poll, memory_acknowledge,
					   memory_close};
	struct bus_memory *bus = malloc(sizeof *bus);

	if (!bus)
		return NULL;
	*bus = (struct bus_memory){{&ops}, post};
	post->replies.unread = &post->replies.first;
	return &bus->base;
}

/* --- a participant's end ------------------------------------------------------------- */

static bool memory_poll_command(struct port *base, struct command_message *out)
{
	struct port_memory *port = (struct port_memory *)base;
	struct queue *commands = &port->mailbox->commands;
	const struct command_message *command = queue_poll(commands);

	if (command)
		*out = *command;
	else /* from the beginning: what could not be answered comes again */
		commands->unread = &commands->first;
	return command != NULL;
}

static enum err memory_reply(struct port *base, const struct reply_message *reply)
{
	struct port_memory *port = (struct port_memory *)base;
	struct queue *commands = &port->mailbox->commands;
	enum err err = queue_add(&port->post->replies, reply_message_copy(reply));

	if (err)
		return err;
	for (struct parcel **link = &commands->first; link != commands->unread;
	     link = &(*link)->next) {
		const struct command_message *command = (*link)->message;

		if (slice_equal(command->id, reply->id) && command->attempt == reply->attempt) {
			queue_remove(commands, link);
			break;
		}
	}
	return OK;
}

static void memory_close_port(struct port *base)
{
	free(base);
}

struct port *port_memory_open(struct post *post, const char *participant)
{
	static const struct port_ops ops = {memory_poll_command, memory_reply,
					    memory_close_port};
	struct port_memory *port = malloc(sizeof *port);
	struct mailbox *mailbox = find_mailbox(post, slice_of(participant));

	if (!port || !mailbox) {
		free(port);
		return NULL;
	}
	*port = (struct port_memory){{&ops}, post, mailbox};
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
		free(mailbox->participant);
		free(mailbox);
	}
	free(post);
}
