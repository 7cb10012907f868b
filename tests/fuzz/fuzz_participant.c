/* fuzz_participant.c - a participant whose orchestrator says anything: the library goes
 * on, says nothing itself that no participant may say, and runs no command to its end
 * twice.
 *
 * The real library and its real end of the local bus, over a memory barrier. The input is
 * a sequence of moves: a byte says which (its lower four bits) and with which command
 * (the upper four); some take further bytes. */
#include "bus/session.h"
#include "participants/lib/barrier_memory.h"
#include "participants/lib/participant.h"
#include "skald/json.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/moves.h"
#include "tests/lib/clock_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COMMANDS = 16, HEARD_MAX = 32 << 20, PAST_THE_HORIZON_MS = 3600 * 1000 };

/* What a participant may say. */
enum {
	MAY_SAY = HEARD_MAY_SAY(FRAME_HELLO) | HEARD_MAY_SAY(FRAME_REPLY) |
		  HEARD_MAY_SAY(FRAME_RECORDS)
};

enum move {
	MOVE_BYTES, /* then how many, then the bytes */
	MOVE_WELCOME,
	MOVE_COMMAND, /* then verb and attempt, then its arguments */
	MOVE_SETTLED, /* then how many */
	MOVE_REFUSE,
	MOVE_LOSE,
	MOVE_POLL,
	MOVE_READ,   /* then how many bytes */
	MOVE_ANSWER, /* a command that was put off */
	MOVE_ADVANCE,
	MOVE_INQUIRE, /* after one command, or (an odd byte) a page of all */
	MOVES
};

/* The wire, and who is at its other end. */
struct wire {
	struct port base; /* first, so that the two pointers are one */
	struct session *session;
	bool connected;
	struct bytes heard; /* what the participant said, not cut into frames yet */
};

struct world {
	struct wire wire;
	struct clock_sim clock;
	struct barrier *barrier;
	skald_participant *participant;
	skald_deferred *deferred; /* NULL: none */
	int n_done[COMMANDS];     /* how often it answered ok */
};

/* --- the port ------------------------------------------------------------------------ */

static bool wire_poll(struct port *port, struct command_message *out)
{
	return session_poll(((struct wire *)port)->session, out);
}

static enum err wire_reply(struct port *port, const struct reply_message *reply)
{
	return session_reply(((struct wire *)port)->session, reply);
}

static void wire_pump(struct port *port, int timeout_ms)
{
}

static void wire_close(struct port *port)
{
}

static bool wire_inquiry(struct port *port, struct inquiry_message *out)
{
	return session_inquiry(((struct wire *)port)->session, out);
}

static void wire_records(struct port *port, const struct records_message *records)
{
	session_records(((struct wire *)port)->session, records);
}

static const struct port_ops wire_ops = {.poll = wire_poll,
					 .reply = wire_reply,
					 .inquiry = wire_inquiry,
					 .records = wire_records,
					 .pump = wire_pump,
					 .close = wire_close};

static void connect_wire(struct wire *wire)
{
	if (!wire->connected)
		session_connected(wire->session);
	wire->connected = true;
}

static void lose(struct wire *wire)
{
	if (wire->connected)
		session_lost(wire->session);
	wire->connected = false;
	wire->heard.len = 0;
}

/* --- the handlers -------------------------------------------------------------------- */

static int number_of(const skald_command *command)
{
	const char *id = skald_command_id(command);
	int number;

	return sscanf(id, "s/c%d#0/0/do", &number) == 1 && number >= 0 && number < COMMANDS
		       ? number
		       : -1;
}

/* What it does follows from its arguments. */
static skald_outcome handle(const skald_command *command, skald_reply *reply, void *context)
{
	struct world *world = context;
	int number = number_of(command);
	char text[8];
	int64_t n = 0;

	(void)skald_json_text(skald_command_args(command), "a.b", text, sizeof text);
	(void)skald_json_integer(skald_command_args(command), "n", &n);
	switch (n) {
	case 1: return skald_reply_refuse(reply, "no", "it is refused");
	case 2: return skald_reply_fail(reply, "later", skald_command_args(command));
	case 3:
		if (world->deferred || !(world->deferred = skald_command_defer(command)))
			return skald_reply_fail(reply, "busy", NULL);
		return SKALD_LATER;
	default: break;
	}
	if (number >= 0)
		world->n_done[number]++;
	return skald_reply_ok(reply, skald_command_output(command));
}

static skald_outcome unhandle(const skald_command *command, skald_reply *reply, void *context)
{
	return skald_reply_ok(reply, skald_command_args(command));
}

/* --- moves --------------------------------------------------------------------------- */

static void read_some(struct wire *wire, size_t n)
{
	struct slice bytes = session_output(wire->session);

	if (n < bytes.len)
		bytes.len = n;
	if (!bytes.len)
		return;
	bytes_append(&wire->heard, bytes);
	assert(!wire->heard.err);
	session_sent(wire->session, bytes.len);
	heard_understand(&wire->heard, MAY_SAY);
}

static void tell(struct wire *wire, struct slice bytes)
{
	struct diag diag = {{0}};
	char *copy = malloc(bytes.len + 1);

	assert(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	if (session_receive(wire->session, (struct slice){copy, bytes.len}, &diag)) {
		assert(diag.text[0]);
		lose(wire);
	}
	free(copy);
}

static void tell_frame(struct wire *wire, const struct frame *frame)
{
	struct bytes bytes = BYTES(64 * 1024, NULL);

	if (wire_write(frame, &bytes, NULL) == OK)
		tell(wire, bytes_slice(&bytes));
	bytes_release(&bytes);
}

static void command(struct world *world, unsigned which, struct moves *moves)
{
	unsigned how = moves_next(moves);
	enum message_verb verb = how % 3;
	struct slice args = moves_bytes(moves);
	char id[32], do_id[32];

	snprintf(do_id, sizeof do_id, "s/c%u#0/0/do", which);
	snprintf(id, sizeof id, "s/c%u#0/0/%s", which,
		 verb == MESSAGE_DO     ? "do"
		 : verb == MESSAGE_UNDO ? "undo"
					: "revoke");
	tell_frame(&world->wire,
		   &(struct frame){.type = FRAME_COMMAND,
				   .command = {.id = slice_of(id),
					       .participant = SLICE_LITERAL("shop"),
					       .command = verb == MESSAGE_REVOKE
								  ? (struct slice){0}
							  : verb == MESSAGE_UNDO
								  ? SLICE_LITERAL("put")
								  : SLICE_LITERAL("take"),
					       .verb = verb,
					       .do_id = verb == MESSAGE_DO ? (struct slice){0}
									   : slice_of(do_id),
					       .saga_id = SLICE_LITERAL("s"),
					       .saga = SLICE_LITERAL("order"),
					       .attempt = how / 3 + 1,
					       .first_ms = world->clock.now_ms,
					       .timeout_ms = 1000,
					       .args = args}});
}

static void inquire(struct world *world, unsigned which, unsigned how)
{
	char text[32];
	struct slice id;

	snprintf(text, sizeof text, "s/c%u#0/0/do", which);
	id = slice_of(text);
	tell_frame(&world->wire, &(struct frame){.type = FRAME_INQUIRY,
						 .inquiry = {.request = 1 + how,
							     .ids = &id,
							     .n_ids = how & 1 ? 0 : 1,
							     .limit = 1 + (how >> 1)}});
}

static void answer(struct world *world, unsigned which)
{
	if (!world->deferred)
		return;
	if (which & 1)
		skald_deferred_refuse(world->deferred, "no", NULL);
	else
		skald_deferred_ok(world->deferred, "{\"x\":1}");
	world->deferred = NULL;
}

static void move(struct world *world, struct moves *moves)
{
	uint8_t byte = moves_next(moves);
	struct wire *wire = &world->wire;
	unsigned which = byte >> 4;

	connect_wire(wire);
	switch ((enum move)((byte & 15) % MOVES)) {
	case MOVE_BYTES: tell(wire, moves_bytes(moves)); break;
	case MOVE_WELCOME:
		tell_frame(wire, &(struct frame){.type = FRAME_WELCOME,
						 .welcome = {.version = WIRE_VERSION,
							     .newest = WIRE_NEWEST}});
		break;
	case MOVE_COMMAND: command(world, which, moves); break;
	case MOVE_SETTLED:
		tell_frame(wire, &(struct frame){.type = FRAME_SETTLED,
						 .settled = moves_next(moves)});
		break;
	case MOVE_REFUSE:
		tell_frame(wire, &(struct frame){.type = FRAME_REFUSE,
						 .refuse = SLICE_LITERAL("go away")});
		break;
	case MOVE_LOSE: lose(wire); break;
	case MOVE_POLL: skald_participant_poll(world->participant); break;
	case MOVE_READ: read_some(wire, moves_next(moves)); break;
	case MOVE_ANSWER: answer(world, which); break;
	case MOVE_INQUIRE: inquire(world, which, moves_next(moves)); break;
	case MOVE_ADVANCE:
	case MOVES: clock_sim_advance(&world->clock, PAST_THE_HORIZON_MS / 4); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct session_setup setup = {"shop", "fuzz", 100};
	struct world world = {.wire = {.base = {&wire_ops}, .session = session_new(&setup)},
			      .barrier = barrier_memory_new()};
	struct moves moves = {data, size};
	bool known;

	world.wire.heard = BYTES(HEARD_MAX, NULL);
	clock_sim_init(&world.clock, 1700000000000);
	assert(world.wire.session && world.barrier);
	world.participant =
		participant_open(&world.wire.base, world.barrier, &world.clock.base, 0);
	assert(world.participant);
	known = skald_participant_on(world.participant, "take", handle, &world) &&
		skald_participant_on(world.participant, "put", unhandle, &world);
	assert(known);
	while (moves.left)
		move(&world, &moves);
	skald_participant_poll(world.participant);
	for (int i = 0; i < COMMANDS; i++)
		assert(world.n_done[i] <= 1);
	answer(&world, 0);
	skald_participant_free(world.participant);
	barrier_close(world.barrier);
	session_free(world.wire.session);
	bytes_release(&world.wire.heard);
	return 0;
}
