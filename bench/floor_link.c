#include "bench/floor_link.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FRAME_BYTES = sizeof(struct floor_frame) };

static enum err failed(const struct floor_link *link, const char *what, struct diag *diag)
{
	bool gone = errno == EPIPE || errno == ECONNRESET;

	return diag_set(diag, gone ? ERR_UNAVAILABLE : ERR_IO, "cannot %s %s: %s", what,
			link->peer, strerror(errno));
}

enum err floor_link_pair(int fds[2], struct diag *diag)
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) < 0)
		return diag_set(diag, ERR_IO, "cannot make a pair of sockets: %s",
				strerror(errno));
	return OK;
}

enum err floor_link_init(struct floor_link *link, int fd, const char *peer, size_t out_max,
			 struct diag *diag)
{
	int size = FLOOR_LINK_SOCKET_BYTES;

	*link = (struct floor_link){
		.fd = fd,
		.peer = peer,
		.in = malloc((size_t)FLOOR_LINK_FRAMES * FRAME_BYTES),
		.out = malloc(out_max * FRAME_BYTES),
		.out_max_bytes = out_max * FRAME_BYTES,
	};
	if (!link->in || !link->out)
		return diag_set(diag, ERR_NOMEM, "out of memory for the frames of %s", peer);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size) < 0)
		return failed(link, "set the buffer of the socket to", diag);
	return OK;
}

void floor_link_release(struct floor_link *link)
{
	if (link->fd >= 0)
		close(link->fd);
	free(link->in);
	free(link->out);
	*link = (struct floor_link){.fd = -1};
}

enum err floor_link_receive(struct floor_link *link, size_t *n, struct diag *diag)
{
	size_t room = (size_t)FLOOR_LINK_FRAMES * FRAME_BYTES - link->in_bytes;
	ssize_t got;

	assert(link->in_bytes < FRAME_BYTES);
	*n = 0;
	do {
		got = recv(link->fd, link->in + link->in_bytes, room, 0);
		if (got < 0 && errno != EINTR)
			return failed(link, "read from", diag);
		if (got == 0 && link->in_bytes)
			return diag_set(diag, ERR_UNAVAILABLE,
					"%s ended in the middle of a frame", link->peer);
		if (got == 0)
			return OK;
		link->in_bytes += got > 0 ? (size_t)got : 0;
		room -= got > 0 ? (size_t)got : 0;
	} while (link->in_bytes < FRAME_BYTES);
	*n = link->in_bytes / FRAME_BYTES;
	return OK;
}

struct floor_frame floor_link_frame(const struct floor_link *link, size_t index)
{
	struct floor_frame frame;

	assert((index + 1) * FRAME_BYTES <= link->in_bytes);
	memcpy(&frame, link->in + index * FRAME_BYTES, sizeof frame);
	return frame;
}

void floor_link_consume(struct floor_link *link, size_t n)
{
	assert(n * FRAME_BYTES <= link->in_bytes);
	link->in_bytes -= n * FRAME_BYTES;
	memmove(link->in, link->in + n * FRAME_BYTES, link->in_bytes);
}

void floor_link_queue(struct floor_link *link, const struct floor_frame *frame)
{
	assert(link->out_bytes + FRAME_BYTES <= link->out_max_bytes);
	memcpy(link->out + link->out_bytes, frame, sizeof *frame);
	link->out_bytes += sizeof *frame;
}

enum err floor_link_flush(struct floor_link *link, bool wait, struct diag *diag)
{
	int flags = MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT);
	size_t sent = 0;

	while (sent < link->out_bytes) {
		ssize_t n = send(link->fd, link->out + sent, link->out_bytes - sent, flags);

		if (n >= 0)
			sent += (size_t)n;
		else if (errno == EAGAIN || errno == EWOULDBLOCK)
			break;
		else if (errno != EINTR)
			return failed(link, "send to", diag);
	}
	link->out_bytes -= sent;
	memmove(link->out, link->out + sent, link->out_bytes);
	return OK;
}
