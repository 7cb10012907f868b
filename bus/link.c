#include "bus/link.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

/* Read at a time, and in one call of link_pump. */
enum { READ_BYTES = 64 * 1024, READ_BYTES_MAX = 256 * 1024 };

static size_t at_most(const struct link *link, size_t n)
{
	return link->io_max && n > link->io_max ? link->io_max : n;
}

static void postpone(struct link *link)
{
	link->due_ms = clock_monotonic_ms(link->clock) + link->pause_ms;
	link->pause_ms *= 2;
	if (link->pause_ms > LINK_PAUSE_MAX_MS)
		link->pause_ms = LINK_PAUSE_MAX_MS;
}

static void hang_up(struct link *link)
{
	close(link->fd);
	link->fd = -1;
	link->user->lost(link->context);
	postpone(link);
}

static void dial(struct link *link)
{
	if (link->fd >= 0 || clock_monotonic_ms(link->clock) < link->due_ms)
		return;
	if (socket_connect(link->path, &link->fd, &link->trouble)) {
		postpone(link);
		return;
	}
	snprintf(link->trouble.text, sizeof link->trouble.text,
		 "the orchestrator at %s has not answered yet", link->path);
	link->user->connected(link->context);
}

/* As much as goes. Whether it went well shows when reading. */
static void write_out(struct link *link)
{
	struct slice bytes;
	size_t n = 1;

	while (link->fd >= 0 && n && (bytes = link->user->output(link->context)).len) {
		bytes.len = at_most(link, bytes.len);
		if (socket_write(link->fd, bytes, &n))
			return;
		link->user->sent(link->context, n);
	}
}

static void read_in(struct link *link)
{
	char bytes[READ_BYTES];
	size_t max = at_most(link, sizeof bytes), n = max;
	enum err err = OK;

	for (size_t all = 0; n == max && all < READ_BYTES_MAX; all += n) {
		if (socket_read(link->fd, bytes, max, &n)) {
			if (link->user->welcome(link->context))
				snprintf(link->trouble.text, sizeof link->trouble.text,
					 "the orchestrator at %s has hung up", link->path);
			hang_up(link);
			return;
		}
		if (n)
			err = link->user->receive(link->context, (struct slice){bytes, n},
						  &link->trouble);
		if (err) {
			hang_up(link);
			return;
		}
	}
	if (link->user->welcome(link->context))
		link->pause_ms = LINK_PAUSE_MIN_MS;
}

/* Until something comes, goes, or may be tried. */
static void wait(struct link *link, int timeout_ms)
{
	struct pollfd fds[2] = {{.fd = link->fd, .events = POLLIN},
				{.fd = link->wake_fd, .events = POLLIN}};

	if (link->fd < 0) {
		int64_t left_ms = link->due_ms - clock_monotonic_ms(link->clock);

		if (left_ms < timeout_ms)
			timeout_ms = left_ms > 0 ? (int)left_ms : 0;
	} else if (link->user->output(link->context).len) {
		fds[0].events |= POLLOUT;
	}
	(void)poll(fds, 2, timeout_ms); /* a signal ends it, too */
}

void link_pump(struct link *link, int timeout_ms)
{
	dial(link);
	write_out(link);
	if (timeout_ms > 0 && !link->user->ready(link->context)) {
		wait(link, timeout_ms);
		dial(link);
		write_out(link);
	}
	if (link->fd >= 0)
		read_in(link);
}

const char *link_trouble(const struct link *link)
{
	return link->fd >= 0 && link->user->welcome(link->context) ? NULL : link->trouble.text;
}

enum err link_init(struct link *link, const struct link_setup *setup,
		   const struct link_user *user, void *context, struct diag *diag)
{
	size_t len = strlen(setup->path);

	if (len == 0 || len >= SOCKET_PATH_MAX)
		return diag_set(diag, ERR_INVALID,
				"%s: the path of a socket has 1 to %d bytes, this has %zu",
				setup->path, SOCKET_PATH_MAX - 1, len);
	*link = (struct link){.user = user,
			      .context = context,
			      .clock = setup->clock,
			      .io_max = setup->io_max,
			      .wake_fd = setup->wake_fd,
			      .fd = -1,
			      .due_ms = clock_monotonic_ms(setup->clock),
			      .pause_ms = LINK_PAUSE_MIN_MS,
			      .trouble = {"no connection was tried yet"}};
	memcpy(link->path, setup->path, len + 1);
	return OK;
}

void link_release(struct link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
}
