#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct proxy_orders {
	atomic_int left; /* questions before the one that is lost; -1: none is */
	atomic_bool answer;
	atomic_bool lost;
};

static bool read_all(int from, unsigned char *to, size_t n)
{
	while (n > 0) {
		ssize_t got = read(from, to, n);

		if (got <= 0)
			return false;
		to += got;
		n -= (size_t)got;
	}
	return true;
}

/* A message begins with its length, which is all that is read here; 0: the end. */
static uint32_t begin(int from, unsigned char head[4])
{
	if (!read_all(from, head, 4))
		return 0;
	return head[0] | (uint32_t)head[1] << 8 | (uint32_t)head[2] << 16 |
	       (uint32_t)head[3] << 24;
}

/* To nobody where `to` is -1. In one piece, for which nobody waits. */
static bool finish(int from, int to, const unsigned char head[4], uint32_t len)
{
	unsigned char *message = malloc(len);
	bool good = message && read_all(from, message + 4, len - 4);

	if (good && to >= 0) {
		memcpy(message, head, 4);
		good = write(to, message, len) == (ssize_t)len;
	}
	free(message);
	return good;
}

/* Questions and answers in turn, until one is lost. */
static void serve(struct proxy_orders *orders, int client, int server)
{
	unsigned char head[4];
	bool lose = false;
	uint32_t len;

	while (!lose && (len = begin(client, head)) != 0) {
		int left = orders->left;
		bool answer = orders->answer;

		lose = left == 0;
		orders->left = left < 0 ? -1 : left - 1;
		orders->lost = orders->lost || lose;
		if (!finish(client, lose && !answer ? -1 : server, head, len))
			return;
		if (lose && !answer)
			return;
		len = begin(server, head);
		if (!len || !finish(server, lose ? -1 : client, head, len))
			return;
	}
}

static struct sockaddr_in at_port(int port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* One connection at a time, as the client has no more. */
static void run(struct proxy_orders *orders, int listening, int server_port)
{
	struct sockaddr_in address = at_port(server_port);

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(listening, NULL, NULL);
		int server = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(server, (struct sockaddr *)&address, sizeof address) == 0)
			serve(orders, client, server);
		close(client);
		close(server);
	}
}

static int port_of(const char *uri)
{
	const char *host = strstr(uri, "://"), *colon = host ? strchr(host + 3, ':') : NULL;

	return colon ? (int)strtol(colon + 1, NULL, 10) : 27017;
}

void proxy_start(struct proxy *proxy, const char *uri, char behind[MONGO_URI_SIZE])
{
	struct sockaddr_in address = at_port(0);
	socklen_t size = sizeof address;
	int listening = socket(AF_INET, SOCK_STREAM, 0);
	bool good = listening >= 0 &&
		    bind(listening, (struct sockaddr *)&address, sizeof address) == 0 &&
		    listen(listening, 8) == 0 &&
		    getsockname(listening, (struct sockaddr *)&address, &size) == 0;

	assert(good);
	snprintf(behind, MONGO_URI_SIZE, "mongodb://127.0.0.1:%d/%s?retryReads=false",
		 ntohs(address.sin_port), strrchr(uri, '/') + 1);
	proxy->orders = mmap(NULL, sizeof *proxy->orders, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(proxy->orders != MAP_FAILED);
	proxy->orders->left = -1;
	proxy->pid = fork();
	assert(proxy->pid >= 0);
	if (proxy->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(proxy->orders, listening, port_of(uri));
		_exit(0);
	}
	close(listening);
}

void proxy_stop(struct proxy *proxy)
{
	kill(proxy->pid, SIGKILL);
	waitpid(proxy->pid, NULL, 0);
	munmap(proxy->orders, sizeof *proxy->orders);
}

void proxy_lose(struct proxy *proxy, int n, bool answer)
{
	proxy->orders->lost = false;
	proxy->orders->answer = answer;
	proxy->orders->left = n;
}

bool proxy_lost(struct proxy *proxy)
{
	proxy->orders->left = -1;
	return proxy->orders->lost;
}
