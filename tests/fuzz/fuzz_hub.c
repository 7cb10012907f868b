/* fuzz_hub.c - several connections at once that say anything: the hub goes on,
 * and says nothing itself that is no frame.
 *
 * The input is a sequence of moves. A byte says which (its lower four bits) and
 * with which of four connections (the next two); some take further bytes. */
#include "bus/hub.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/moves.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CONNECTIONS = 4, TALK_MAX = 1 << 20 };

/* What the hub may say: all that a participant or client may not. */
enum {
	MAY_SAY = ~(HEARD_MAY_SAY(FRAME_HELLO) | HEARD_MAY_SAY(FRAME_REPLY) |
		    HEARD_MAY_SAY(FRAME_START) | HEARD_MAY_SAY(FRAME_SIGNAL))
};

enum move {
	MOVE_BYTES, /* then how many, then the bytes */
	MOVE_HELLO, /* of a participant; then its window */
	MOVE_HELLO_CLIENT,
	MOVE_REPLY, /* then to which command */
	MOVE_START,
	MOVE_COMMAND, /* then which */
	MOVE_POLL,
	MOVE_ACKNOWLEDGE,
	MOVE_ANSWER,
	MOVE_PUMP,
	MOVE_READ, /* then how many bytes */
	MOVE_DROP,
	MOVE_INQUIRE, /* then how much */
	MOVE_RECORDS, /* then of which inquiry */
	MOVES
};

struct guest {
	struct hub_connection *connection; /* NULL: there is none */
	struct bytes heard;                /* what the hub said, not cut into frames yet */
};

struct world {
	struct hub *hub;
	struct guest guests[CONNECTIONS];
	uint64_t origin; /* of the newest start */
	uint32_t attempt;
};

static void connect_guest(struct world *world, struct guest *guest)
{
	enum err err;

	if (guest->connection)
		return;
	err = hub_accept(world->hub, 0, &guest->connection);
	assert(!err);
	guest->heard = BYTES(2 * TALK_MAX, NULL);
}

static void drop_guest(struct world *world, struct guest *guest)
{
	if (!guest->connection)
		return;
	hub_drop(world->hub, guest->connection);
	guest->connection = NULL;
	bytes_release(&guest->heard);
}

static void read_some(struct world *world, struct guest *guest, size_t n)
{
	struct slice bytes = hub_output(guest->connection);

	if (n < bytes.len)
		bytes.len = n;
	if (!bytes.len)
		return;
	bytes_append(&guest->heard, bytes);
	assert(!guest->heard.err);
	hub_sent(world->hub, guest->connection, bytes.len);
	heard_understand(&guest->heard, MAY_SAY);
}

static void say(struct world *world, struct guest *guest, const struct frame *frame)
{
	struct bytes bytes = BYTES(64 * 1024, NULL);
	enum err err = wire_write(frame, &bytes, NULL);

	assert(!err);
	if (hub_wants(world->hub, guest->connection))
		hub_receive(world->hub, guest->connection, bytes_slice(&bytes));
	bytes_release(&bytes);
}

/* Out of a block of their own size. */
static void say_bytes(struct world *world, struct guest *guest, struct moves *moves)
{
	struct slice bytes = moves_bytes(moves);
	char *copy = malloc(bytes.len + 1);

	assert(copy);
	if (bytes.len)
		memcpy(copy, bytes.at, bytes.len);
	if (hub_wants(world->hub, guest->connection))
		hub_receive(world->hub, guest->connection, (struct slice){copy, bytes.len});
	free(copy);
}

static struct slice id_of(uint8_t which)
{
	static const struct slice ids[] = {
		SLICE_LITERAL("s/a#0/0/do"), SLICE_LITERAL("s/b#0/0/do"),
		SLICE_LITERAL("t/a#0/0/do"), SLICE_LITERAL("t/a#0/0/undo")};

	return ids[which % 4];
}

static void command(struct world *world, uint8_t which)
{
	struct slice id = id_of(which);
	const struct command_message message = {
		.id = id,
		.participant = which & 4 ? SLICE_LITERAL("pay") : SLICE_LITERAL("stock"),
		.command = SLICE_LITERAL("take"),
		.saga_id = {id.at, 1},
		.saga = SLICE_LITERAL("order"),
		.attempt = ++world->attempt};
	enum err err = hub_send(world->hub, &message);

	assert(!err || err == ERR_BUSY);
}

static void poll_one(struct world *world)
{
	struct inbox_message message;

	if (hub_poll(world->hub, &message) && message.type != INBOX_REPLY)
		world->origin = message.origin;
}

static void inquire(struct world *world, uint8_t limit)
{
	struct inquiry_message inquiry = {.limit = 1u + limit};
	struct inquired inquired;
	enum err err = hub_inquire(world->hub, SLICE_LITERAL("stock"), &inquiry);

	assert(!err || err == ERR_NOT_FOUND || err == ERR_INVALID || err == ERR_BUSY);
	while (hub_inquired(world->hub, &inquired))
		assert(inquired.records.n <= RECORDS_MAX);
}

static void move(struct world *world, struct moves *moves)
{
	uint8_t byte = moves_next(moves);
	struct guest *guest = &world->guests[byte >> 4 & 3];
	const struct result_message result = {.saga_id = SLICE_LITERAL("s")};

	connect_guest(world, guest);
	switch ((enum move)((byte & 15) % MOVES)) {
	case MOVE_BYTES: say_bytes(world, guest, moves); break;
	case MOVE_HELLO:
		say(world, guest,
		    &(struct frame){.type = FRAME_HELLO,
				    .hello = {.version = 1,
					      .newest = WIRE_NEWEST,
					      .participant = SLICE_LITERAL("stock"),
					      .window = moves_next(moves)}});
		break;
	case MOVE_HELLO_CLIENT:
		say(world, guest,
		    &(struct frame){.type = FRAME_HELLO, .hello = {.version = 1}});
		break;
	case MOVE_REPLY:
		say(world, guest,
		    &(struct frame){.type = FRAME_REPLY,
				    .reply = {.id = id_of(moves_next(moves)),
					      .attempt = world->attempt + 1}});
		break;
	case MOVE_START:
		say(world, guest,
		    &(struct frame){.type = FRAME_START,
				    .request = 1,
				    .start = {.saga = SLICE_LITERAL("order")}});
		break;
	case MOVE_COMMAND: command(world, moves_next(moves)); break;
	case MOVE_POLL: poll_one(world); break;
	case MOVE_ACKNOWLEDGE: hub_acknowledge(world->hub); break;
	case MOVE_ANSWER:
		hub_answer(world->hub, world->origin, &result);
		hub_ended(world->hub, world->origin, SLICE_LITERAL("s"),
			  SLICE_LITERAL("completed"));
		break;
	case MOVE_PUMP: hub_pump(world->hub, 0); break;
	case MOVE_READ: read_some(world, guest, moves_next(moves)); break;
	case MOVE_INQUIRE: inquire(world, moves_next(moves)); break;
	case MOVE_RECORDS:
		say(world, guest,
		    &(struct frame){.type = FRAME_RECORDS,
				    .records = {.request = moves_next(moves)}});
		break;
	case MOVE_DROP:
	case MOVES: drop_guest(world, guest); return;
	}
	if (hub_closing(guest->connection)) {
		read_some(world, guest, TALK_MAX);
		drop_guest(world, guest);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct hub_limits limits = {.connections = CONNECTIONS,
					  .participants = 2,
					  .window = 3,
					  .held = 4,
					  .kept_bytes = 10000,
					  .inbox = 6,
					  .inbox_bytes = 1 << 20,
					  .output_bytes = 300,
					  .output_max = 600,
					  .hello_ms = 1000};
	struct moves moves = {data, size};
	struct world world = {.hub = hub_new("fuzz", &limits)};

	assert(world.hub);
	while (moves.left)
		move(&world, &moves);
	for (int i = 0; i < CONNECTIONS; i++)
		drop_guest(&world, &world.guests[i]);
	hub_free(world.hub);
	return 0;
}
