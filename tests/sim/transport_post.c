#include "tests/sim/transport.h"

#include "proto/wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	INBOXES_MAX = 16,
	COPIED = INBOXES_MAX, /* the inbox of what is there for somebody else, too */
	LATE_PERCENT = 30,    /* of what comes for a shard that another one had */
};

/* A message on its way, and once it is there. */
struct letter {
	struct letter *next;
	struct post_transport *post;
	struct mailbox *mailbox; /* where it goes: a command; NULL: an inbox */
	uint32_t inbox;          /* in which it was, */
	struct arena arena;
	struct frame frame;
};

struct letters {
	struct letter *first, **end;
};

struct mailbox {
	struct mailbox *next;
	char participant[WIRE_NAME_MAX + 1];
	struct letters letters;
	uint32_t n; /* of them */
};

struct post_bus {
	struct bus base; /* first, so that the two pointers are one */
	struct post_transport *post;
	struct letters polled; /* and not acknowledged */
	struct letters late;   /* what is another one's by now */
};

/* What comes for a shard, or all that comes. */
struct inbox {
	struct letters letters;
	struct post_bus *reader, *former; /* NULL: nobody */
};

struct post_port {
	struct port base; /* first, so that the two pointers are one */
	struct post_port *next;
	struct post_transport *post;
	struct mailbox *mailbox;
	uint32_t process;
	struct letters polled; /* and not answered */
};

struct post_transport {
	struct transport base; /* first, so that the two pointers are one */
	struct mailbox *mailboxes;
	struct inbox inboxes[INBOXES_MAX];
	uint32_t n_inboxes;       /* at least one */
	struct letters under_way; /* what is on the agenda; freed at the end */
	struct post_bus *bus;     /* the newest; NULL: none */
	struct post_port *ports;
	struct bytes scratch;
};

/* --- letters ------------------------------------------------------------------------ */

static void letters_add(struct letters *letters, struct letter *letter)
{
	letter->next = NULL;
	if (!letters->end)
		letters->end = &letters->first;
	*letters->end = letter;
	letters->end = &letter->next;
}

static struct letter *letters_take(struct letters *letters)
{
	struct letter *letter = letters->first;

	if (!letter)
		return NULL;
	letters->first = letter->next;
	if (!letters->first)
		letters->end = &letters->first;
	return letter;
}

static void letter_free(struct letter *letter)
{
	arena_release(&letter->arena);
	free(letter);
}

static void letters_clear(struct letters *letters)
{
	struct letter *letter;

	while ((letter = letters_take(letters)))
		letter_free(letter);
}

/* Put them in front of the others, in the same order. */
static void letters_give_back(struct letters *from, struct letters *to)
{
	if (!from->first)
		return;
	*from->end = to->first;
	if (!to->first)
		to->end = from->end;
	to->first = from->first;
	*from = (struct letters){0};
}

/* --- on the way --------------------------------------------------------------------- */

static void wake_readers(struct post_transport *post, const struct mailbox *mailbox)
{
	const struct transport_user *user = &post->base.setup.user;

	for (const struct post_port *port = post->ports; port; port = port->next)
		if (port->mailbox == mailbox)
			user->process_woken(user->context, port->process);
}

static void unlink_letter(struct letters *letters, struct letter *letter)
{
	struct letter **link = &letters->first;

	while (*link != letter)
		link = &(*link)->next;
	*link = letter->next;
	if (letters->end == &letter->next)
		letters->end = link;
}

static struct letter *make_letter(struct post_transport *post, struct mailbox *mailbox,
				  struct slice bytes)
{
	struct letter *letter = calloc(1, sizeof *letter);
	enum err err;

	assert(letter);
	letter->post = post;
	letter->mailbox = mailbox;
	err = wire_read(
		(struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE},
		&letter->arena, &letter->frame, NULL);
	assert(!err);
	return letter;
}

static struct letter *copy_letter(struct post_transport *post, const struct letter *letter)
{
	enum err err;

	bytes_clear(&post->scratch);
	err = wire_write(&letter->frame, &post->scratch, NULL);
	assert(!err);
	return make_letter(post, NULL, bytes_slice(&post->scratch));
}

/* The key by which it finds its shard. */
static struct slice key_of(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_START: return frame->start.id.len ? frame->start.id : frame->start.key;
	case FRAME_SIGNAL: return frame->signal.saga_id;
	default: assert(frame->type == FRAME_REPLY); return frame->reply.id;
	}
}

static void wake_bus(struct post_transport *post, struct post_bus *bus)
{
	const struct transport_user *user = &post->base.setup.user;

	if (bus)
		user->orchestrator_woken(user->context, &bus->base);
}

static void arrive_at_inbox(struct post_transport *post, struct letter *letter)
{
	struct post_bus *former;
	struct letter *late;
	struct inbox *inbox;

	letter->inbox = shard_of(key_of(&letter->frame), post->n_inboxes);
	inbox = &post->inboxes[letter->inbox];
	former = inbox->former;
	if (former && random_percent(post->base.setup.random, LATE_PERCENT)) {
		late = copy_letter(post, letter);
		late->inbox = COPIED;
		letters_add(&former->late, late);
		wake_bus(post, former);
	}
	letters_add(&inbox->letters, letter);
	wake_bus(post, inbox->reader);
}

static void arrive(void *context, uint64_t argument)
{
	struct letter *letter = context;
	struct post_transport *post = letter->post;
	const struct transport_user *user = &post->base.setup.user;

	unlink_letter(&post->under_way, letter);
	switch (letter->frame.type) {
	case FRAME_COMMAND:
		letters_add(&letter->mailbox->letters, letter);
		letter->mailbox->n++;
		wake_readers(post, letter->mailbox);
		return;
	case FRAME_RESULT:
		user->result(user->context, (uint32_t)letter->frame.request,
			     &letter->frame.result);
		letter_free(letter);
		return;
	case FRAME_ENDED:
		user->ended(user->context, letter->frame.ended.saga_id,
			    letter->frame.ended.status);
		letter_free(letter);
		return;
	default: arrive_at_inbox(post, letter);
	}
}

static void post_one(struct post_transport *post, struct mailbox *mailbox, struct slice bytes)
{
	struct transport_setup *setup = &post->base.setup;
	struct letter *letter = make_letter(post, mailbox, bytes);

	letters_add(&post->under_way, letter);
	agenda_add(setup->agenda, setup->clock->monotonic_ms + transport_delay_ms(&post->base),
		   arrive, letter, 0);
}

/* Not OK: it is none that the wire carries. */
static enum err try_post(struct post_transport *post, struct mailbox *mailbox,
			 const struct frame *frame)
{
	struct transport_setup *setup = &post->base.setup;
	enum err err;

	bytes_clear(&post->scratch);
	err = wire_write(frame, &post->scratch, NULL);
	if (err)
		return err;
	if (chance_take(setup->chance, CHANCE_LOST, setup->weather.lost_percent)) {
		diary_write(setup->diary, "  lost");
		return OK;
	}
	post_one(post, mailbox, bytes_slice(&post->scratch));
	if (chance_take(setup->chance, CHANCE_REPEATED, setup->weather.repeated_percent)) {
		diary_write(setup->diary, "  repeated");
		post_one(post, mailbox, bytes_slice(&post->scratch));
	}
	return OK;
}

static void post_frame(struct post_transport *post, struct mailbox *mailbox,
		       const struct frame *frame)
{
	enum err err = try_post(post, mailbox, frame);

	assert(!err);
}

static struct mailbox *find_mailbox(struct post_transport *post, struct slice participant)
{
	struct mailbox *mailbox = post->mailboxes;

	while (mailbox && !slice_is(participant, mailbox->participant))
		mailbox = mailbox->next;
	if (mailbox)
		return mailbox;
	mailbox = calloc(1, sizeof *mailbox);
	assert(mailbox && participant.len < sizeof mailbox->participant);
	memcpy(mailbox->participant, participant.at, participant.len);
	mailbox->next = post->mailboxes;
	post->mailboxes = mailbox;
	return mailbox;
}

/* --- the orchestrator's end --------------------------------------------------------- */

static struct post_transport *post_of(struct bus *bus)
{
	return ((struct post_bus *)bus)->post;
}

static enum err post_send(struct bus *bus, const struct command_message *command)
{
	const struct frame frame = {.type = FRAME_COMMAND, .command = *command};
	struct post_transport *post = post_of(bus);
	struct mailbox *mailbox = find_mailbox(post, command->participant);

	if (mailbox->n >= post->base.setup.queue)
		return ERR_BUSY;
	post_frame(post, mailbox, &frame);
	return OK;
}

/* One alone takes all, also where a newer one is there. */
static struct letter *take_letter(struct post_bus *bus)
{
	struct post_transport *post = bus->post;
	struct letter *letter = letters_take(&bus->late);

	for (uint32_t i = 0; !letter && i < INBOXES_MAX; i++)
		if (!post->base.setup.n_shards || post->inboxes[i].reader == bus)
			letter = letters_take(&post->inboxes[i].letters);
	return letter;
}

static bool post_poll(struct bus *base, struct inbox_message *out)
{
	struct post_bus *bus = (struct post_bus *)base;
	struct letter *letter = take_letter(bus);
	const struct frame *frame;

	if (!letter)
		return false;
	letters_add(&bus->polled, letter);
	frame = &letter->frame;
	*out = (struct inbox_message){.origin = frame->request, .watch = frame->watch};
	switch (frame->type) {
	case FRAME_START:
		out->type = INBOX_START;
		out->start = frame->start;
		return true;
	case FRAME_SIGNAL:
		out->type = INBOX_SIGNAL;
		out->signal = frame->signal;
		return true;
	default:
		assert(frame->type == FRAME_REPLY);
		out->type = INBOX_REPLY;
		out->reply = frame->reply;
		return true;
	}
}

static void post_answer(struct bus *bus, uint64_t origin, const struct result_message *result)
{
	post_frame(post_of(bus), NULL,
		   &(struct frame){.type = FRAME_RESULT, .request = origin, .result = *result});
}

static void post_ended(struct bus *bus, uint64_t origin, struct slice saga_id,
		       struct slice status)
{
	post_frame(post_of(bus), NULL,
		   &(struct frame){.type = FRAME_ENDED, .ended = {saga_id, status}});
}

static void post_acknowledge(struct bus *base)
{
	letters_clear(&((struct post_bus *)base)->polled);
}

static void post_pump(struct bus *base)
{
}

static int post_fd(struct bus *base)
{
	return -1;
}

static void post_participants(struct bus *base,
			      void (*visit)(void *context,
					    const struct bus_participant *participant),
			      void *context)
{
}

/* What the end has polled of an inbox, and not acknowledged, is there again for the next
 * one. It goes on with what it has, as a copy. */
static void leave_inbox(struct post_bus *bus, uint32_t i)
{
	struct inbox *inbox = &bus->post->inboxes[i];
	struct letters again = {0};

	for (struct letter *letter = bus->polled.first; letter; letter = letter->next) {
		struct letter *copy;

		if (letter->inbox != i)
			continue;
		copy = copy_letter(bus->post, letter);
		copy->inbox = i;
		letters_add(&again, copy);
		letter->inbox = COPIED;
	}
	letters_give_back(&again, &inbox->letters);
}

static void post_assign(struct transport *transport, struct bus *base,
			const struct shards *given)
{
	struct post_transport *post = (struct post_transport *)transport;
	struct post_bus *bus = (struct post_bus *)base;

	assert(given->n <= INBOXES_MAX);
	if (post->n_inboxes < given->n)
		post->n_inboxes = given->n;
	for (uint32_t i = 0; i < given->n; i++) {
		struct inbox *inbox = &post->inboxes[i];

		if (shards_has(given, i) == (inbox->reader == bus))
			continue;
		if (inbox->reader) {
			leave_inbox(inbox->reader, i);
			inbox->former = inbox->reader;
		}
		inbox->reader = inbox->reader == bus ? NULL : bus;
		if (inbox->former == inbox->reader)
			inbox->former = NULL;
	}
}

static void post_close(struct bus *base)
{
	struct post_bus *bus = (struct post_bus *)base;

	for (uint32_t i = 0; i < INBOXES_MAX; i++) {
		struct inbox *inbox = &bus->post->inboxes[i];

		leave_inbox(bus, i);
		if (inbox->reader == bus)
			inbox->reader = NULL;
		if (inbox->former == bus)
			inbox->former = NULL;
	}
	letters_clear(&bus->polled);
	letters_clear(&bus->late);
	if (bus->post->bus == bus)
		bus->post->bus = NULL;
	free(bus);
}

static struct bus *post_open_bus(struct transport *transport)
{
	static const struct bus_ops ops = {
		.send = post_send,
		.poll = post_poll,
		.answer = post_answer,
		.ended = post_ended,
		.acknowledge = post_acknowledge,
		.pump = post_pump,
		.fd = post_fd,
		.participants = post_participants,
		.close = post_close,
	};
	struct post_transport *post = (struct post_transport *)transport;
	struct post_bus *bus = calloc(1, sizeof *bus);

	assert(bus);
	bus->base.ops = &ops;
	bus->post = post;
	post->bus = bus;
	if (!transport->setup.n_shards)
		post->inboxes[0].reader = bus;
	return &bus->base;
}

/* --- a participant's end ------------------------------------------------------------ */

static bool post_poll_command(struct port *base, struct command_message *out)
{
	struct post_port *port = (struct post_port *)base;
	struct letter *letter = letters_take(&port->mailbox->letters);

	if (!letter)
		return false;
	port->mailbox->n--;
	letters_add(&port->polled, letter);
	*out = letter->frame.command;
	return true;
}

/* The command needs not be kept any more, nor do attempts of it that were polled
 * earlier; each copy has a reply of its own. What the reply says may be a part of
 * what is forgotten. */
static void forget_polled(struct post_port *port, const struct reply_message *reply)
{
	struct letters answered = {0}, others = {0};
	struct letter *letter;
	bool found = false;

	while ((letter = letters_take(&port->polled))) {
		const struct command_message *command = &letter->frame.command;
		bool is_answered = !found && slice_equal(command->id, reply->id) &&
				   command->attempt <= reply->attempt;

		found |= is_answered && command->attempt == reply->attempt;
		letters_add(is_answered ? &answered : &others, letter);
	}
	port->polled = others;
	letters_clear(&answered);
}

static enum err post_reply(struct port *base, const struct reply_message *reply)
{
	struct post_port *port = (struct post_port *)base;

	enum err err = try_post(port->post, NULL,
				&(struct frame){.type = FRAME_REPLY, .reply = *reply});

	if (!err)
		forget_polled(port, reply);
	return err;
}

static void post_pump_port(struct port *base, int timeout_ms)
{
}

/* What was polled and not answered comes again, or nobody has it any more. */
static void post_close_port(struct port *base)
{
	struct post_port *port = (struct post_port *)base, **link = &port->post->ports;
	uint32_t n = 0;

	for (const struct letter *letter = port->polled.first; letter; letter = letter->next)
		n++;
	if (random_percent(port->post->base.setup.random, 50)) {
		letters_give_back(&port->polled, &port->mailbox->letters);
		port->mailbox->n += n;
	} else {
		letters_clear(&port->polled);
	}
	while (*link != port)
		link = &(*link)->next;
	*link = port->next;
	free(port);
}

static struct port *post_open_port(struct transport *transport, const char *participant,
				   uint32_t process)
{
	static const struct port_ops ops = {
		.poll = post_poll_command,
		.reply = post_reply,
		.pump = post_pump_port,
		.close = post_close_port,
	};
	struct post_transport *post = (struct post_transport *)transport;
	struct post_port *port = calloc(1, sizeof *port);

	assert(port);
	*port = (struct post_port){.base = {&ops},
				   .next = post->ports,
				   .post = post,
				   .mailbox = find_mailbox(post, slice_of(participant)),
				   .process = process};
	post->ports = port;
	return &port->base;
}

/* --- everybody else ----------------------------------------------------------------- */

static bool post_start(struct transport *transport, uint32_t request,
		       const struct start_message *start)
{
	post_frame((struct post_transport *)transport, NULL,
		   &(struct frame){.type = FRAME_START,
				   .request = request,
				   .watch = true,
				   .start = *start});
	return true;
}

static bool post_signal(struct transport *transport, uint32_t request,
			const struct signal_message *signal)
{
	post_frame(
		(struct post_transport *)transport, NULL,
		&(struct frame){.type = FRAME_SIGNAL, .request = request, .signal = *signal});
	return true;
}

/* Messages here have no line that could break: they get lost one by one. */
static void post_cut(struct transport *transport)
{
}

/* Answers to what nobody asked. */
static void post_vandalize(struct transport *transport, struct slice saga_id)
{
	static const char *const endings[] = {"/nothing#0/0/do", "/x", "/reserve#7/0/do",
					      "/reserve#0/99999/do", "/reserve#0/0/don't"};
	char id[WIRE_ID_MAX];

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		struct reply_message reply = {
			.attempt = 1, .outcome = MESSAGE_OK, .output = SLICE_LITERAL("{]")};

		snprintf(id, sizeof id, "%.*s%s", SLICE_ARG(saga_id), endings[i]);
		reply.id = slice_of(id);
		post_frame((struct post_transport *)transport, NULL,
			   &(struct frame){.type = FRAME_REPLY, .reply = reply});
	}
}

static void post_free(struct transport *transport)
{
	struct post_transport *post = (struct post_transport *)transport;

	assert(!post->ports && !post->bus);
	while (post->mailboxes) {
		struct mailbox *mailbox = post->mailboxes;

		post->mailboxes = mailbox->next;
		letters_clear(&mailbox->letters);
		free(mailbox);
	}
	for (uint32_t i = 0; i < INBOXES_MAX; i++)
		letters_clear(&post->inboxes[i].letters);
	letters_clear(&post->under_way);
	bytes_release(&post->scratch);
	free(post);
}

struct transport *transport_post_new(const struct transport_setup *setup)
{
	static const struct transport_ops ops = {
		.open_bus = post_open_bus,
		.assign = post_assign,
		.open_port = post_open_port,
		.start = post_start,
		.signal = post_signal,
		.cut = post_cut,
		.vandalize = post_vandalize,
		.free = post_free,
	};
	struct post_transport *post = calloc(1, sizeof *post);

	assert(post);
	post->base = (struct transport){&ops, *setup};
	post->n_inboxes = setup->n_shards ? setup->n_shards : 1;
	post->scratch = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
	return &post->base;
}
