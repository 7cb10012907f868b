/* fuzz_client.c - somebody who starts sagas, and whose orchestrator says anything: the
 * library goes on, says nothing that no client may say, and what it tells its caller is
 * within the limits of the wire.
 *
 * The real client over a real socket, one in a folder of its own; the input is a sequence
 * of moves, as in fuzz_participant.c. */
#include "base/utf8.h"
#include "bus/client_local.h"
#include "bus/socket.h"
#include "tests/fuzz/heard.h"
#include "tests/fuzz/moves.h"
#include "tests/lib/clock_sim.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEARD_MAX = 16 << 20, READ_BYTES = 64 * 1024 };

/* What a client may say. */
enum {
	MAY_SAY = HEARD_MAY_SAY(FRAME_HELLO) | HEARD_MAY_SAY(FRAME_START) |
		  HEARD_MAY_SAY(FRAME_SIGNAL)
};

enum move {
	MOVE_BYTES, /* then how many, then the bytes */
	MOVE_WELCOME,
	MOVE_RESULT, /* then of which request */
	MOVE_ENDED,
	MOVE_REFUSE,
	MOVE_LOSE,
	MOVE_START,  /* then the input */
	MOVE_SIGNAL, /* then the payload */
	MOVE_POLL,
	MOVES
};

struct world {
	struct clock_sim clock;
	struct client_local *client;
	int listener;
	int fd; /* the server's end; -1: there is none */
	struct bytes heard;
};

/* The folder of the socket goes when the process ends. */
static char folder[] = "/tmp/skald-fuzz-XXXXXX";
static char path[sizeof folder + 16];

static void remove_folder(void)
{
	unlink(path);
	rmdir(folder);
}

static int listener(void)
{
	static int fd = -1;
	enum err err;

	if (fd >= 0)
		return fd;
	if (!mkdtemp(folder))
		abort();
	snprintf(path, sizeof path, "%s/bus.sock", folder);
	err = socket_listen(path, &fd, NULL);
	assert(!err);
	atexit(remove_folder);
	return fd;
}

static void hang_up(struct world *world)
{
	if (world->fd >= 0)
		close(world->fd);
	world->fd = -1;
	world->heard.len = 0;
}

static void listen_to(struct world *world)
{
	char bytes[READ_BYTES];
	size_t n = 1;

	while (world->fd >= 0 && n) {
		if (socket_read(world->fd, bytes, sizeof bytes, &n)) {
			hang_up(world);
			return;
		}
		bytes_append(&world->heard, (struct slice){bytes, n});
		assert(!world->heard.err);
	}
	heard_understand(&world->heard, MAY_SAY);
}

/* Both sides take what is there; the client comes again where it was lost. */
static void go_on(struct world *world)
{
	client_local_pump(world->client, 0);
	if (world->fd < 0 && socket_accept(world->listener, &world->fd))
		world->fd = -1;
	clock_sim_advance(&world->clock, LINK_PAUSE_MAX_MS);
	listen_to(world);
}

/* Moves are small, so that a socket takes them. */
static void tell(struct world *world, struct slice bytes)
{
	size_t n;

	if (world->fd < 0 || !bytes.len)
		return;
	if (socket_write(world->fd, bytes, &n))
		hang_up(world);
	client_local_pump(world->client, 0);
}

static void tell_frame(struct world *world, const struct frame *frame)
{
	struct bytes bytes = BYTES(64 * 1024, NULL);
	enum err err = wire_write(frame, &bytes, NULL);

	assert(!err);
	tell(world, bytes_slice(&bytes));
	bytes_release(&bytes);
}

static void check_text(struct slice text, size_t max)
{
	assert(text.len <= max && utf8_valid(text));
}

static void poll_events(struct world *world)
{
	struct client_event event;

	while (client_local_poll(world->client, &event)) {
		check_text(event.result.code, WIRE_ID_MAX);
		check_text(event.result.text, WIRE_TEXT_MAX);
		check_text(event.result.saga_id, WIRE_ID_MAX);
		check_text(event.result.status, WIRE_NAME_MAX);
		check_text(event.saga_id, WIRE_ID_MAX);
		check_text(event.status, WIRE_NAME_MAX);
	}
}

static void ask(struct world *world, enum move move, struct moves *moves)
{
	struct slice json = moves_bytes(moves);
	struct diag diag = {{0}};
	enum err err;

	if (move == MOVE_START)
		err = client_local_start(
			world->client, moves_next(moves),
			&(struct start_message){.saga = SLICE_LITERAL("order"), .input = json},
			true, &diag);
	else
		err = client_local_signal(
			world->client, moves_next(moves),
			&(struct signal_message){.saga_id = SLICE_LITERAL("s"),
						 .event = SLICE_LITERAL("go"),
						 .payload = json},
			&diag);
	assert(!err || diag.text[0]);
	assert(err != ERR_UNAVAILABLE || client_local_trouble(world->client));
}

static void move(struct world *world, struct moves *moves)
{
	uint8_t byte = moves_next(moves);
	enum move move = (byte & 15) % MOVES;

	go_on(world);
	switch (move) {
	case MOVE_BYTES: tell(world, moves_bytes(moves)); break;
	case MOVE_WELCOME:
		tell_frame(world, &(struct frame){.type = FRAME_WELCOME,
						  .welcome = {.version = WIRE_VERSION}});
		break;
	case MOVE_RESULT:
		tell_frame(world, &(struct frame){.type = FRAME_RESULT,
						  .request = moves_next(moves),
						  .result = {.saga_id = SLICE_LITERAL("s"),
							     .created = byte & 16}});
		break;
	case MOVE_ENDED:
		tell_frame(world, &(struct frame){.type = FRAME_ENDED,
						  .ended = {SLICE_LITERAL("s"),
							    SLICE_LITERAL("completed")}});
		break;
	case MOVE_REFUSE:
		tell_frame(world, &(struct frame){.type = FRAME_REFUSE,
						  .refuse = SLICE_LITERAL("go away")});
		break;
	case MOVE_LOSE: hang_up(world); break;
	case MOVE_START:
	case MOVE_SIGNAL: ask(world, move, moves); break;
	case MOVE_POLL:
	case MOVES: poll_events(world); break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world world = {.listener = listener(), .fd = -1};
	const struct link_setup link = {
		.path = path, .clock = &world.clock.base, .wake_fd = -1};
	struct moves moves = {data, size};
	enum err err;

	world.heard = BYTES(HEARD_MAX, NULL);
	clock_sim_init(&world.clock, 1700000000000);
	err = client_local_open(&link, "fuzz", &world.client, NULL);
	assert(!err);
	while (moves.left)
		move(&world, &moves);
	go_on(&world);
	poll_events(&world);
	client_local_close(world.client);
	hang_up(&world);
	/* Whoever knocked and was not let in. */
	while (!socket_accept(world.listener, &world.fd))
		hang_up(&world);
	bytes_release(&world.heard);
	return 0;
}
