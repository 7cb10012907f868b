#include "orchestrator/gateway/listen.h"

#include "base/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024, HOST_MAX = 256, PORT_MAX = 8 };

struct place {
	char host[HOST_MAX]; /* empty: every address */
	char port[PORT_MAX];
};

static bool is_port(const char *text)
{
	unsigned long port = 0;

	if (!*text || strlen(text) >= PORT_MAX)
		return false;
	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9')
			return false;
		port = port * 10 + (unsigned long)(*c - '0');
	}
	return port <= 65535;
}

static enum err parse(const char *where, struct place *out, struct diag *diag)
{
	const char *colon = strrchr(where, ':');
	struct slice host = {where, colon ? (size_t)(colon - where) : 0};
	bool bare = host.len && memchr(host.at, ':', host.len) && host.at[0] != '[';

	if (host.len >= 2 && host.at[0] == '[' && host.at[host.len - 1] == ']')
		host = (struct slice){host.at + 1, host.len - 2};
	if (!colon || bare || !is_port(colon + 1) || host.len >= HOST_MAX)
		return diag_set(diag, ERR_INVALID,
				"`%.200s` is no place to listen at; write HOST:PORT, such as "
				"127.0.0.1:7420 or [::1]:7420",
				where);
	snprintf(out->host, sizeof out->host, "%.*s", SLICE_ARG(host));
	snprintf(out->port, sizeof out->port, "%s", colon + 1);
	return OK;
}

static enum err cannot(const struct place *place, int reason, struct diag *diag)
{
	const char *host = place->host[0] ? place->host : "every address";

	if (reason == EADDRINUSE)
		return diag_set(diag, ERR_UNAVAILABLE,
				"port %s of %.200s is in use: another server runs there; stop "
				"it, or choose another port with --listen",
				place->port, host);
	if (reason == EACCES)
		return diag_set(diag, ERR_UNAVAILABLE,
				"port %s may only be used by root; choose one above 1023 with "
				"--listen",
				place->port);
	return diag_set(diag, ERR_UNAVAILABLE,
			"cannot listen at port %s of %.200s: %s; give --listen an address of "
			"this machine",
			place->port, host, strerror(reason));
}

/* -1: errno says why. */
static int open_socket(const struct addrinfo *at)
{
	const int yes = 1;
	int fd = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
	int reason;

	if (fd < 0)
		return -1;
	/* Connections of the server before may linger. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
	    bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	reason = errno;
	close(fd);
	errno = reason;
	return -1;
}

static void write_address(int fd, char address[LISTEN_TEXT_MAX])
{
	struct sockaddr_storage at;
	socklen_t len = sizeof at;
	char host[HOST_MAX] = "?", port[PORT_MAX] = "?";
	bool brackets;

	if (getsockname(fd, (struct sockaddr *)&at, &len) == 0)
		getnameinfo((struct sockaddr *)&at, len, host, sizeof host, port, sizeof port,
			    NI_NUMERICHOST | NI_NUMERICSERV);
	brackets = strchr(host, ':') != NULL;
	snprintf(address, LISTEN_TEXT_MAX, "%s%s%s:%s", brackets ? "[" : "", host,
		 brackets ? "]" : "", port);
}

enum err listen_check(const char *where, struct diag *diag)
{
	struct place place;

	return parse(where, &place, diag);
}

enum err listen_open(const char *where, int *fd, char address[LISTEN_TEXT_MAX],
		     struct diag *diag)
{
	const struct addrinfo hints = {.ai_family = AF_UNSPEC,
				       .ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
	struct addrinfo *list;
	struct place place;
	int failure, reason;
	enum err err = parse(where, &place, diag);

	if (err)
		return err;
	failure = getaddrinfo(place.host[0] ? place.host : NULL, place.port, &hints, &list);
	if (failure)
		return diag_set(diag, ERR_INVALID,
				"cannot listen at `%.200s`: %s; give --listen an address of "
				"this machine",
				where, gai_strerror(failure));
	*fd = open_socket(list);
	reason = errno;
	freeaddrinfo(list);
	if (*fd < 0)
		return cannot(&place, reason, diag);
	write_address(*fd, address);
	return OK;
}
