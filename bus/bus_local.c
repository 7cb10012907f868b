#include "bus/bus_local.h"

#include "bus/socket.h"
#include "proto/wire.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 64 * 1024, EVENTS = 64 };

/* epoll tells of changes alone, and of room to write only to those who wait for
 * it: everybody else would be told whenever the other side has read something. */
static const uint32_t peer_events = (uint32_t)EPOLLIN | EPOLLRDHUP | EPOLLET;

struct peer {
	struct peer *next;
	struct hub_connection *connection;
	int fd;
	bool readable, writable; /* as far as we know */
	bool waits;              /* to be told when it is writable */
	bool left;               /* the other side has: read to the end */
	bool lost;
};

struct bus_local {
	struct bus base; /* first, so that the two pointers are one */
	struct hub *hub;
	const struct clock *clock;
	size_t io_max;
	int listener;
	int epoll;
	int wake;   /* an eventfd: there is something to push out */
	bool awake; /* it is set */
	int spare;  /* closed to turn somebody away when there are no descriptors */
	struct peer *peers;
	dev_t device; /* of the socket's file */
	ino_t inode;
	char path[SOCKET_PATH_MAX];
	char bytes[READ_BYTES];
};

static size_t at_most(const struct bus_local *bus, size_t n)
{
	return bus->io_max && n > bus->io_max ? bus->io_max : n;
}

/* --- who comes and goes ------------------------------------------------------------ */

/* Say why, as far as it goes, and hang up. */
static void turn_away(int fd, const char *why)
{
	const struct frame frame = {.type = FRAME_REFUSE, .refuse = slice_of(why)};
	char room[DIAG_MAX];
	struct bytes bytes = {.at = room, .capacity = sizeof room, .max = sizeof room};
	size_t n;

	if (!wire_write(&frame, &bytes, NULL) &&
	    !socket_write(fd, (struct slice){bytes.at, bytes.len}, &n))
		(void)n;
	close(fd);
}

static void welcome(struct bus_local *bus, int fd)
{
	struct epoll_event event = {.events = peer_events};
	struct peer *peer = calloc(1, sizeof *peer);
	enum err err;

	if (!peer) {
		turn_away(fd, "the orchestrator is out of memory; try again");
		return;
	}
	err = hub_accept(bus->hub, clock_monotonic_ms(bus->clock), &peer->connection);
	event.data.ptr = peer;
	if (!err && epoll_ctl(bus->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		hub_drop(bus->hub, peer->connection);
		err = ERR_NOMEM;
	}
	if (err) {
		free(peer);
		turn_away(fd, err == ERR_BUSY ? "there are as many connections as there may be"
					      : "the orchestrator is out of memory; try again");
		return;
	}
	peer->fd = fd;
	peer->readable = peer->writable = true;
	peer->next = bus->peers;
	bus->peers = peer;
}

/* The last descriptor serves to say no: somebody who is left in the queue would
 * keep us awake. */
static bool turn_away_with_spare(struct bus_local *bus)
{
	int fd;
	bool done;

	if (bus->spare < 0)
		return false;
	close(bus->spare);
	done = socket_accept(bus->listener, &fd) == OK;
	if (done)
		turn_away(fd, "the orchestrator has no file descriptor left");
	bus->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return done;
}

static void accept_all(struct bus_local *bus)
{
	enum err err = OK;
	int fd;

	while (err != ERR_NOT_FOUND) {
		err = socket_accept(bus->listener, &fd);
		if (!err)
			welcome(bus, fd);
		else if (err == ERR_BUSY && !turn_away_with_spare(bus))
			return;
	}
}

/* True: somebody was dropped, and others may have got what was his. */
static bool drop_lost(struct bus_local *bus)
{
	struct peer **link = &bus->peers;
	bool dropped = false;

	while (*link) {
		struct peer *peer = *link;

		if (!peer->lost && !hub_closing(peer->connection)) {
			link = &peer->next;
			continue;
		}
		*link = peer->next;
		hub_drop(bus->hub, peer->connection);
		close(peer->fd);
		free(peer);
		dropped = true;
	}
	return dropped;
}

/* --- moving bytes ------------------------------------------------------------------ */

/* Whoever waits for us calls local_pump. */
static void ask_for_pump(struct bus_local *bus)
{
	const uint64_t one = 1;

	if (!bus->awake)
		bus->awake = write(bus->wake, &one, sizeof one) == sizeof one;
}

static void answer_pump(struct bus_local *bus)
{
	uint64_t n;

	if (bus->awake && read(bus->wake, &n, sizeof n) == sizeof n)
		bus->awake = false;
}

/* Ask to be told when there is room again. It may be there already: epoll looks
 * when it is asked. */
static void wait_for_room(struct bus_local *bus, struct peer *peer)
{
	struct epoll_event event = {.events = peer_events | EPOLLOUT, .data.ptr = peer};

	peer->writable = false;
	peer->waits = true;
	if (epoll_ctl(bus->epoll, EPOLL_CTL_MOD, peer->fd, &event) < 0)
		peer->lost = true;
}

static void find_room(struct bus_local *bus, struct peer *peer)
{
	struct epoll_event event = {.events = peer_events, .data.ptr = peer};

	peer->writable = true;
	if (peer->waits && epoll_ctl(bus->epoll, EPOLL_CTL_MOD, peer->fd, &event) == 0)
		peer->waits = false;
}

static void look(struct bus_local *bus)
{
	struct epoll_event events[EVENTS];
	bool knocks = false;
	int n;

	do {
		n = epoll_wait(bus->epoll, events, EVENTS, 0);
		for (int i = 0; i < n; i++) {
			struct peer *peer = events[i].data.ptr;

			if (!peer) {
				knocks = true;
				continue;
			}
			if ((void *)peer == bus)
				continue; /* the eventfd */
			peer->left |= (events[i].events & ~(EPOLLIN | EPOLLOUT)) != 0;
			peer->readable |= (events[i].events & EPOLLIN) || peer->left;
			if (events[i].events & EPOLLOUT)
				find_room(bus, peer);
		}
	} while (n == EVENTS && !knocks);
	if (knocks)
		accept_all(bus);
}

/* Once; true: and there may be more. */
static bool read_peer(struct bus_local *bus, struct peer *peer)
{
	size_t max = at_most(bus, sizeof bus->bytes), n;

	if (!peer->readable || peer->lost || !hub_wants(bus->hub, peer->connection))
		return false;
	if (socket_read(peer->fd, bus->bytes, max, &n)) {
		peer->lost = true;
		return false;
	}
	hub_receive(bus->hub, peer->connection, (struct slice){bus->bytes, n});
	peer->readable = n == max || peer->left;
	return peer->readable;
}

/* All there is, as far as the hub takes it, and in turn, so that nobody who sends
 * on and on keeps others out. */
static void read_all(struct bus_local *bus)
{
	bool more = true;

	while (more) {
		more = false;
		for (struct peer *peer = bus->peers; peer; peer = peer->next)
			more |= read_peer(bus, peer);
	}
}

static void write_peer(struct bus_local *bus, struct peer *peer)
{
	struct slice bytes;
	size_t n;

	while (peer->writable && !peer->lost && (bytes = hub_output(peer->connection)).len) {
		bytes.len = at_most(bus, bytes.len);
		if (socket_write(peer->fd, bytes, &n)) {
			/* What it said before it left counts: reading tells. */
			peer->writable = false;
			return;
		}
		hub_sent(bus->hub, peer->connection, n);
		if (n < bytes.len)
			wait_for_room(bus, peer);
	}
}

/* Whether writing has made the hub want more of what is there. */
static bool may_read(const struct bus_local *bus)
{
	for (const struct peer *peer = bus->peers; peer; peer = peer->next)
		if (peer->readable && hub_wants(bus->hub, peer->connection))
			return true;
	return false;
}

static void local_pump(struct bus *base)
{
	struct bus_local *bus = (struct bus_local *)base;

	answer_pump(bus);
	look(bus);
	do {
		read_all(bus);
		hub_pump(bus->hub, clock_monotonic_ms(bus->clock));
		for (struct peer *peer = bus->peers; peer; peer = peer->next)
			write_peer(bus, peer);
	} while (drop_lost(bus) || may_read(bus));
}

/* --- the bus ----------------------------------------------------------------------- */

static enum err local_send(struct bus *base, const struct command_message *command)
{
	struct bus_local *bus = (struct bus_local *)base;

	ask_for_pump(bus);
	return hub_send(bus->hub, command);
}

static bool local_poll(struct bus *base, struct inbox_message *out)
{
	return hub_poll(((struct bus_local *)base)->hub, out);
}

static void local_answer(struct bus *base, uint64_t origin, const struct result_message *result)
{
	struct bus_local *bus = (struct bus_local *)base;

	ask_for_pump(bus);
	hub_answer(bus->hub, origin, result);
}

static void local_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			struct slice status)
{
	struct bus_local *bus = (struct bus_local *)base;

	ask_for_pump(bus);
	hub_ended(bus->hub, origin, saga_id, status);
}

static void local_acknowledge(struct bus *base)
{
	struct bus_local *bus = (struct bus_local *)base;

	if (hub_acknowledge(bus->hub))
		ask_for_pump(bus);
}

static enum err local_inquire(struct bus *base, struct slice participant,
			      struct inquiry_message *inquiry, struct diag *diag)
{
	struct bus_local *bus = (struct bus_local *)base;

	ask_for_pump(bus);
	return hub_inquire(bus->hub, participant, inquiry);
}

static bool local_inquired(struct bus *base, struct inquired *out)
{
	return hub_inquired(((struct bus_local *)base)->hub, out);
}

static void local_forget(struct bus *base, uint64_t request)
{
	hub_forget(((struct bus_local *)base)->hub, request);
}

static int local_fd(struct bus *base)
{
	return ((struct bus_local *)base)->epoll;
}

static void local_participants(struct bus *base,
			       void (*visit)(void *context,
					     const struct bus_participant *participant),
			       void *context)
{
	hub_participants(((struct bus_local *)base)->hub, visit, context);
}

static enum err local_replay(struct bus *base, const struct dead_letter *letter,
			     struct diag *diag)
{
	struct bus_local *bus = (struct bus_local *)base;

	ask_for_pump(bus);
	return hub_replay(bus->hub, letter, diag);
}

/* Unless somebody else has put another socket there. */
static void remove_file(const struct bus_local *bus)
{
	struct stat status;

	if (stat(bus->path, &status) == 0 && status.st_dev == bus->device &&
	    status.st_ino == bus->inode)
		unlink(bus->path);
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void local_close(struct bus *base)
{
	struct bus_local *bus = (struct bus_local *)base;

	while (bus->peers) {
		struct peer *next = bus->peers->next;

		close(bus->peers->fd);
		free(bus->peers);
		bus->peers = next;
	}
	if (bus->listener >= 0)
		remove_file(bus);
	close_fd(bus->listener);
	close_fd(bus->epoll);
	close_fd(bus->wake);
	close_fd(bus->spare);
	hub_free(bus->hub);
	free(bus);
}

static enum err failed(const char *what, struct diag *diag)
{
	return diag_set(diag, ERR_IO, "cannot %s: %s", what, strerror(errno));
}

static enum err open_all(struct bus_local *bus, const struct bus_local_setup *setup,
			 struct diag *diag)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct stat status;
	enum err err = socket_listen(setup->path, &bus->listener, diag);

	if (err)
		return err;
	memcpy(bus->path, setup->path, strlen(setup->path) + 1);
	if (stat(bus->path, &status) < 0)
		return failed("see the socket", diag);
	bus->device = status.st_dev;
	bus->inode = status.st_ino;
	bus->epoll = epoll_create1(EPOLL_CLOEXEC);
	bus->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bus->epoll < 0 || bus->wake < 0 ||
	    epoll_ctl(bus->epoll, EPOLL_CTL_ADD, bus->listener, &event) < 0)
		return failed("wait for connections", diag);
	event.data.ptr = bus;
	if (epoll_ctl(bus->epoll, EPOLL_CTL_ADD, bus->wake, &event) < 0)
		return failed("wait for connections", diag);
	bus->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return OK;
}

enum err bus_local_open(const struct bus_local_setup *setup, struct bus **out,
			struct diag *diag)
{
	static const struct bus_ops ops = {
		.send = local_send,
		.poll = local_poll,
		.answer = local_answer,
		.ended = local_ended,
		.acknowledge = local_acknowledge,
		.pump = local_pump,
		.fd = local_fd,
		.participants = local_participants,
		.inquire = local_inquire,
		.inquired = local_inquired,
		.forget = local_forget,
		.replay = local_replay,
		.close = local_close,
	};
	struct bus_local *bus = calloc(1, sizeof *bus);
	enum err err;

	if (!bus)
		return ERR_NOMEM;
	bus->base.ops = &ops;
	bus->clock = setup->clock;
	bus->io_max = setup->io_max;
	bus->listener = bus->epoll = bus->wake = bus->spare = -1;
	bus->hub = hub_new(setup->server, setup->limits ? setup->limits : &hub_default_limits);
	err = bus->hub ? open_all(bus, setup, diag) : ERR_NOMEM;
	if (err) {
		local_close(&bus->base);
		return err;
	}
	*out = &bus->base;
	return OK;
}
