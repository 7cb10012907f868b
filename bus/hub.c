#include "bus/hub.h"

#include "base/utf8.h"
#include "bus/inbox.h"
#include "bus/inquiries.h"
#include "bus/share.h"
#include "bus/stream.h"
#include "proto/wire.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 1024 };

/* A frame that is not whole yet and what was read with its end, twice. */
enum { IN_BYTES_MAX = 4 * (WIRE_LENGTH_SIZE + WIRE_FRAME_MAX) };

enum state {
	NEW,         /* no hello yet */
	PARTICIPANT, /* gets commands, sends replies */
	CLIENT,      /* sends starts and signals */
	CLOSING,
};

struct hub_connection {
	struct worker worker; /* first, so that the two pointers are one */
	struct hub_connection *next, *previous;
	enum state state;
	uint32_t number; /* no other has had it for long; its last bits are the slot */
	int64_t since_ms;
	struct stream in; /* what could not be taken yet */
	struct stream out;
	uint64_t settled;      /* replies of it that are acknowledged */
	uint64_t settled_told; /* so many it knows of */
	uint32_t newest;       /* version that it speaks */
	uint32_t n_inquiries;  /* that it has not answered */
	char participant[WIRE_NAME_MAX + 1];
};

struct hub {
	struct hub_limits limits;
	const char *server;
	struct share *share;
	struct inbox inbox;
	struct inquiries inquiries;
	struct bytes scratch; /* the command that is being shared out */
	struct hub_connection *slots[SLOTS];
	struct hub_connection *first;
	uint32_t n_connections;
	uint32_t last_number;
};

const struct hub_limits hub_default_limits = {
	.connections = 1000,
	.participants = 1000,
	.window = 10000,
	.held = 100000,
	.kept_bytes = 64 * 1024 * 1024,
	.inbox = 10000,
	.inbox_bytes = 32 * 1024 * 1024,
	.output_bytes = 1024 * 1024,
	.output_max = 8 * 1024 * 1024,
	.hello_ms = 10000,
};

/* --- what goes out ----------------------------------------------------------------- */

static size_t waiting(const struct hub_connection *connection)
{
	return stream_slice(&connection->out).len;
}

/* What cannot be said to a connection for want of memory, or because it does not
 * read, is the end of it. */
static void say(struct hub *hub, struct hub_connection *connection, const struct frame *frame)
{
	if (connection->state == CLOSING)
		return;
	stream_tidy(&connection->out);
	if (waiting(connection) > hub->limits.output_max ||
	    wire_write(frame, &connection->out.bytes, NULL))
		connection->state = CLOSING;
}

static void refuse(struct hub *hub, struct hub_connection *connection, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void refuse(struct hub *hub, struct hub_connection *connection, const char *format, ...)
{
	char text[DIAG_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	say(hub, connection, &(struct frame){.type = FRAME_REFUSE, .refuse = slice_of(text)});
	connection->state = CLOSING;
}

/* See share.h. A command that does not fit ends the connection, and then goes to
 * somebody else. */
static bool give(void *context, struct worker *worker, struct slice frame)
{
	const struct hub *hub = context;
	struct hub_connection *connection = (struct hub_connection *)worker;

	stream_tidy(&connection->out);
	bytes_append(&connection->out.bytes, frame);
	if (connection->out.bytes.err)
		connection->state = CLOSING;
	return connection->state != CLOSING && waiting(connection) <= hub->limits.output_bytes;
}

static struct hub_connection *find(const struct hub *hub, uint32_t number)
{
	struct hub_connection *connection = hub->slots[number & (SLOTS - 1)];

	return connection && connection->number == number ? connection : NULL;
}

/* --- what comes in ----------------------------------------------------------------- */

/* Participants answer no more than they were asked, clients go on and on: those
 * must leave room for these. */
static bool may_take(const struct hub *hub, const struct hub_connection *connection)
{
	size_t part = connection->state == CLIENT ? 2 : 1;

	return hub->inbox.n < hub->limits.inbox / part &&
	       hub->inbox.bytes < hub->limits.inbox_bytes / part &&
	       (connection->state != CLIENT || waiting(connection) <= hub->limits.output_bytes);
}

static bool is_name(struct slice name)
{
	if (!name.len || name.at[0] < 'a' || name.at[0] > 'z')
		return false;
	for (size_t i = 0; i < name.len; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789-_", name.at[i]) ||
		    !name.at[i])
			return false;
	return true;
}

static void greet(struct hub *hub, struct hub_connection *connection, const struct hello *hello)
{
	const struct frame welcome = {
		.type = FRAME_WELCOME,
		.welcome = {WIRE_VERSION, slice_of(hub->server), WIRE_NEWEST}};
	uint32_t window = hello->window;
	enum err err;

	if (hello->version != WIRE_VERSION) {
		refuse(hub, connection,
		       "this orchestrator speaks version %d of the protocol, not %u",
		       WIRE_VERSION, (unsigned int)hello->version);
		return;
	}
	if (!hello->participant.len) {
		connection->state = CLIENT;
		say(hub, connection, &welcome);
		return;
	}
	if (!is_name(hello->participant)) {
		refuse(hub, connection,
		       "the name of a participant is a-z, then a-z, 0-9, '-' or '_'");
		return;
	}
	if (!window) {
		refuse(hub, connection, "a participant's window is at least 1");
		return;
	}
	connection->state = PARTICIPANT;
	connection->newest = hello->newest;
	memcpy(connection->participant, hello->participant.at, hello->participant.len);
	say(hub, connection, &welcome);
	if (window > hub->limits.window)
		window = hub->limits.window;
	err = share_join(hub->share, &connection->worker, hello->participant, window);
	if (err)
		refuse(hub, connection, "no further participant can be served: %s",
		       err_text(err));
}

static uint64_t origin_of(const struct hub_connection *connection, uint64_t request)
{
	return (uint64_t)connection->number << 32 | request;
}

static void deliver(struct hub *hub, struct hub_connection *connection,
		    const struct inbox_message *message)
{
	if (!inbox_add(&hub->inbox, connection->number, message))
		refuse(hub, connection, "the orchestrator is out of memory; try again");
}

/* Nobody can use what it sent: that is kept for people, as far as there is memory, and
 * the connection is told. Who has not said hello is no concern of theirs. */
static void refuse_frame(struct hub *hub, struct hub_connection *connection, struct slice bytes,
			 struct slice reason, const char *text)
{
	struct arena *arena = connection->state == NEW ? NULL : inbox_arena(&hub->inbox);
	struct inbox_message message = {
		.type = INBOX_DEAD,
		.dead = {.reason = reason,
			 .source = connection->state == CLIENT ? SLICE_LITERAL("a client")
							       : SLICE_LITERAL("a service"),
			 .partition = -1,
			 .offset = -1,
			 .size = bytes.len},
	};

	if (bytes.len > WIRE_FRAME_MAX)
		bytes.len = WIRE_FRAME_MAX;
	if (arena && arena_copy(arena, slice_of(text), &message.dead.text) &&
	    arena_copy(arena, bytes, &message.dead.value))
		(void)inbox_add(&hub->inbox, connection->number, &message);
	refuse(hub, connection, "%s", text);
}

static void take_reply(struct hub *hub, struct hub_connection *connection,
		       const struct reply_message *reply)
{
	deliver(hub, connection, &(struct inbox_message){.type = INBOX_REPLY, .reply = *reply});
	if (connection->state == PARTICIPANT)
		share_answered(hub->share, &connection->worker, reply->id, reply->attempt);
}

static void take_request(struct hub *hub, struct hub_connection *connection,
			 const struct frame *frame)
{
	struct inbox_message message = {.origin = origin_of(connection, frame->request)};

	if (frame->request > UINT32_MAX) {
		refuse(hub, connection, "the number of a request is at most 4294967295");
		return;
	}
	if (frame->type == FRAME_START) {
		message.type = INBOX_START;
		message.start = frame->start;
		message.watch = frame->watch;
	} else {
		message.type = INBOX_SIGNAL;
		message.signal = frame->signal;
	}
	deliver(hub, connection, &message);
}

static void take_records(struct hub *hub, struct hub_connection *connection,
			 const struct records_message *records)
{
	if (connection->n_inquiries)
		connection->n_inquiries--;
	if (inquiries_answered(&hub->inquiries, connection->number, records))
		refuse(hub, connection, "the orchestrator is out of memory; try again");
}

static void take_frame(struct hub *hub, struct hub_connection *connection,
		       const struct frame *frame, struct slice bytes)
{
	switch (connection->state) {
	case NEW:
		if (frame->type == FRAME_HELLO)
			greet(hub, connection, &frame->hello);
		else
			refuse(hub, connection, "the first frame must be a hello");
		return;
	case PARTICIPANT:
		if (frame->type == FRAME_REPLY)
			take_reply(hub, connection, &frame->reply);
		else if (frame->type == FRAME_RECORDS)
			take_records(hub, connection, &frame->records);
		else
			refuse_frame(hub, connection, bytes, SLICE_LITERAL("unexpected"),
				     "after its hello, a participant sends replies "
				     "and nothing else");
		return;
	case CLIENT:
		if (frame->type == FRAME_START || frame->type == FRAME_SIGNAL)
			take_request(hub, connection, frame);
		else
			refuse_frame(hub, connection, bytes, SLICE_LITERAL("unexpected"),
				     "after its hello, a client sends starts and "
				     "signals and nothing else");
		return;
	case CLOSING: return;
	}
}

/* Take the frame that these bytes are. */
static void read_frame(struct hub *hub, struct hub_connection *connection, struct slice bytes)
{
	struct arena *arena = inbox_arena(&hub->inbox);
	struct frame frame;
	struct diag diag = {{0}};
	enum err err = arena ? wire_read(bytes, arena, &frame, &diag) : ERR_NOMEM;

	if (err == ERR_NOMEM)
		refuse(hub, connection, "the orchestrator is out of memory; try again");
	else if (err)
		refuse_frame(hub, connection, bytes, SLICE_LITERAL("unreadable"), diag.text);
	else
		take_frame(hub, connection, &frame, bytes);
}

/* As much of it as is here. */
static void refuse_large(struct hub *hub, struct hub_connection *connection, struct slice rest)
{
	char text[96];

	snprintf(text, sizeof text, "the length of a frame is 1 to %d, so these are no frames",
		 WIRE_FRAME_MAX);
	refuse_frame(hub, connection, rest, SLICE_LITERAL("too-large"), text);
}

/* Take as many frames as there are and may be taken; returns how many bytes. */
static size_t take(struct hub *hub, struct hub_connection *connection, struct slice bytes)
{
	size_t taken = 0;

	while (connection->state != CLOSING && may_take(hub, connection)) {
		struct slice rest = {bytes.at + taken, bytes.len - taken}, frame;
		enum err err = rest.len ? wire_first(rest, &frame) : ERR_NOT_FOUND;

		if (err == ERR_TOO_LARGE)
			refuse_large(hub, connection, rest);
		if (err)
			break;
		read_frame(hub, connection, frame);
		taken += WIRE_LENGTH_SIZE + frame.len;
	}
	return taken;
}

void hub_receive(struct hub *hub, struct hub_connection *connection, struct slice bytes)
{
	struct stream *in = &connection->in;
	size_t taken = 0;

	if (connection->state == CLOSING || !bytes.len)
		return;
	if (connection->worker.crew)
		share_heard(hub->share, &connection->worker);
	if (!stream_slice(in).len)
		taken = take(hub, connection, bytes);
	if (taken == bytes.len || connection->state == CLOSING)
		return;
	stream_tidy(in);
	bytes_append(&in->bytes, (struct slice){bytes.at + taken, bytes.len - taken});
	if (in->bytes.err)
		refuse(hub, connection, "there is no memory for what came; try again");
	else
		stream_take(in, take(hub, connection, stream_slice(in)));
}

bool hub_wants(const struct hub *hub, const struct hub_connection *connection)
{
	return connection->state != CLOSING && may_take(hub, connection);
}

/* --- connections ------------------------------------------------------------------- */

enum err hub_accept(struct hub *hub, int64_t now_ms, struct hub_connection **out)
{
	struct hub_connection *connection;

	if (hub->n_connections == hub->limits.connections)
		return ERR_BUSY;
	connection = calloc(1, sizeof *connection);
	if (!connection)
		return ERR_NOMEM;
	do
		hub->last_number = hub->last_number % UINT32_MAX + 1;
	while (hub->slots[hub->last_number & (SLOTS - 1)]);
	connection->number = hub->last_number;
	connection->since_ms = now_ms;
	connection->in = STREAM(IN_BYTES_MAX);
	connection->out = STREAM(2 * (hub->limits.output_max + WIRE_FRAME_MAX));
	connection->next = hub->first;
	if (hub->first)
		hub->first->previous = connection;
	hub->first = connection;
	hub->slots[connection->number & (SLOTS - 1)] = connection;
	hub->n_connections++;
	*out = connection;
	return OK;
}

struct slice hub_output(const struct hub_connection *connection)
{
	return stream_slice(&connection->out);
}

void hub_sent(struct hub *hub, struct hub_connection *connection, size_t n)
{
	stream_take(&connection->out, n);
	if (connection->worker.crew && connection->worker.full &&
	    connection->state != CLOSING && waiting(connection) <= hub->limits.output_bytes / 2)
		share_ready(hub->share, &connection->worker);
}

bool hub_closing(const struct hub_connection *connection)
{
	return connection->state == CLOSING;
}

void hub_drop(struct hub *hub, struct hub_connection *connection)
{
	share_leave(hub->share, &connection->worker);
	inquiries_lost(&hub->inquiries, connection->number);
	*(connection->previous ? &connection->previous->next : &hub->first) = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	hub->slots[connection->number & (SLOTS - 1)] = NULL;
	hub->n_connections--;
	bytes_release(&connection->in.bytes);
	bytes_release(&connection->out.bytes);
	free(connection);
}

static void tell_settled(struct hub *hub, struct hub_connection *connection)
{
	if (connection->settled == connection->settled_told ||
	    waiting(connection) > hub->limits.output_bytes)
		return;
	say(hub, connection,
	    &(struct frame){.type = FRAME_SETTLED, .settled = connection->settled});
	connection->settled_told = connection->settled;
}

void hub_pump(struct hub *hub, int64_t now_ms)
{
	struct hub_connection *connection;

	for (connection = hub->first; connection; connection = connection->next) {
		struct stream *in = &connection->in;

		if (stream_slice(in).len)
			stream_take(in, take(hub, connection, stream_slice(in)));
		if (connection->state == NEW &&
		    now_ms - connection->since_ms >= hub->limits.hello_ms)
			refuse(hub, connection, "no hello came within %lld ms",
			       (long long)hub->limits.hello_ms);
		tell_settled(hub, connection);
	}
}

/* --- the bus ----------------------------------------------------------------------- */

enum err hub_send(struct hub *hub, const struct command_message *command)
{
	const struct frame frame = {.type = FRAME_COMMAND, .command = *command};
	enum err err;

	bytes_clear(&hub->scratch);
	err = wire_write(&frame, &hub->scratch, NULL);
	if (err)
		return err;
	return share_add(hub->share, command, bytes_slice(&hub->scratch));
}

bool hub_poll(struct hub *hub, struct inbox_message *out)
{
	const struct letter *letter = inbox_poll(&hub->inbox);

	if (letter)
		*out = letter->message;
	return letter != NULL;
}

bool hub_acknowledge(struct hub *hub)
{
	const struct letter *letter;
	bool any = false;

	while ((letter = inbox_oldest(&hub->inbox))) {
		struct hub_connection *connection = find(hub, letter->sender);

		if (connection && letter->message.type == INBOX_REPLY)
			connection->settled++;
		inbox_remove(&hub->inbox);
		any = true;
	}
	return any;
}

void hub_answer(struct hub *hub, uint64_t origin, const struct result_message *result)
{
	struct hub_connection *connection = find(hub, (uint32_t)(origin >> 32));
	struct frame frame = {
		.type = FRAME_RESULT, .request = origin & UINT32_MAX, .result = *result};

	frame.result.code = utf8_cut(result->code, WIRE_ID_MAX);
	frame.result.text = utf8_cut(result->text, WIRE_TEXT_MAX);
	if (connection && frame.request)
		say(hub, connection, &frame);
}

void hub_ended(struct hub *hub, uint64_t origin, struct slice saga_id, struct slice status)
{
	struct hub_connection *connection = find(hub, (uint32_t)(origin >> 32));
	struct frame frame = {.type = FRAME_ENDED, .ended = {saga_id, status}};

	if (connection)
		say(hub, connection, &frame);
}

enum err hub_replay(struct hub *hub, const struct dead_letter *letter, struct diag *diag)
{
	struct arena *arena = inbox_arena(&hub->inbox);
	struct inbox_message message = {0};
	struct frame frame;
	struct slice value;
	enum err err;

	if (!arena || !arena_copy(arena, letter->value, &value))
		return ERR_NOMEM;
	err = wire_read(value, arena, &frame, diag);
	if (err)
		return err == ERR_NOMEM ? err : ERR_INVALID;
	switch (frame.type) {
	case FRAME_REPLY:
		message.type = INBOX_REPLY;
		message.reply = frame.reply;
		break;
	case FRAME_START:
		message.type = INBOX_START;
		message.start = frame.start;
		break;
	case FRAME_SIGNAL:
		message.type = INBOX_SIGNAL;
		message.signal = frame.signal;
		break;
	default:
		return diag_set(diag, ERR_INVALID,
				"it is neither a reply nor a start nor a signal");
	}
	return inbox_add(&hub->inbox, 0, &message) ? OK : ERR_NOMEM;
}

void hub_participants(const struct hub *hub,
		      void (*visit)(void *context, const struct bus_participant *participant),
		      void *context)
{
	share_visit(hub->share, visit, context);
}

/* --- inquiries --------------------------------------------------------------------- */

/* Whoever has the least to answer: one that is held does not answer at all. ERR_NOT_FOUND:
 * there is none of that name; ERR_INVALID: none that can answer; ERR_BUSY. */
static enum err find_witness(const struct hub *hub, struct slice participant,
			     struct hub_connection **out)
{
	struct hub_connection *best = NULL, *connection;
	enum err err = ERR_NOT_FOUND;

	for (connection = hub->first; connection; connection = connection->next) {
		if (connection->state != PARTICIPANT ||
		    !slice_is(participant, connection->participant))
			continue;
		if (connection->newest < WIRE_NEWEST) {
			err = best ? OK : ERR_INVALID;
			continue;
		}
		if (!best || connection->n_inquiries < best->n_inquiries)
			best = connection;
		err = OK;
	}
	if (!err && (best->n_inquiries >= INQUIRIES_OF_PROCESS_MAX ||
		     waiting(best) > hub->limits.output_bytes))
		err = ERR_BUSY;
	*out = best;
	return err;
}

enum err hub_inquire(struct hub *hub, struct slice participant, struct inquiry_message *inquiry)
{
	struct frame frame = {.type = FRAME_INQUIRY};
	struct hub_connection *connection;
	enum err err = find_witness(hub, participant, &connection);

	if (err)
		return err;
	inquiry->request = inquiries_add(&hub->inquiries, connection->number);
	if (!inquiry->request)
		return ERR_BUSY;
	frame.inquiry = *inquiry;
	connection->n_inquiries++;
	say(hub, connection, &frame);
	return OK;
}

bool hub_inquired(struct hub *hub, struct inquired *out)
{
	return inquiries_poll(&hub->inquiries, out);
}

void hub_forget(struct hub *hub, uint64_t request)
{
	inquiries_forget(&hub->inquiries, request);
}

struct hub *hub_new(const char *server, const struct hub_limits *limits)
{
	struct hub *hub = calloc(1, sizeof *hub);
	struct share_setup setup = {.held_max = limits->held,
				    .bytes_max = limits->kept_bytes,
				    .crews_max = limits->participants,
				    .give = give,
				    .context = hub};

	assert(limits->connections <= SLOTS && strlen(server) <= WIRE_NAME_MAX);
	if (!hub)
		return NULL;
	hub->limits = *limits;
	hub->server = server;
	hub->scratch = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, NULL);
	inbox_init(&hub->inbox);
	inquiries_init(&hub->inquiries);
	hub->share = share_new(&setup);
	if (!hub->share) {
		free(hub);
		return NULL;
	}
	return hub;
}

void hub_free(struct hub *hub)
{
	if (!hub)
		return;
	while (hub->first)
		hub_drop(hub, hub->first);
	share_free(hub->share);
	inquiries_release(&hub->inquiries);
	inbox_release(&hub->inbox);
	bytes_release(&hub->scratch);
	free(hub);
}
