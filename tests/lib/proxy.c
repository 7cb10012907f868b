#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "tests/lib/proxy.h"

#include "tests/lib/mongo_wire.h"

#include <arpa/inet.h>
#include <assert.h>
#include <mongoc/mongoc.h>
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
	atomic_int certain; /* writes before the one that is in doubt; -1: none is */
	atomic_bool doubted;
	atomic_int asked, written, careless, connected;
};

/* In one piece, for which nobody waits. */
static bool give(int to, const uint8_t *message, uint32_t len)
{
	return write(to, message, len) == (ssize_t)len;
}

static bool is_one_of(const char *command, const char *const *names)
{
	while (*names && strcmp(command, *names) != 0)
		names++;
	return *names;
}

/* Whether its answer is to be in doubt. */
static bool count(struct proxy_orders *orders, const uint8_t *message, uint32_t len)
{
	static const char *const writes[] = {"insert",        "update",        "delete",
					     "findAndModify", "createIndexes", NULL};
	static const char *const reads[] = {"find", "aggregate", NULL};
	const char *command = mongo_wire_command(message, len);
	bool write = is_one_of(command, writes), read = is_one_of(command, reads);
	const char *majority =
		mongo_wire_text(message, len, write ? "writeConcern.w" : "readConcern.level");

	orders->asked++;
	orders->written += write;
	orders->careless += (write || read) && strcmp(majority, "majority") != 0;
	if (!write || orders->certain < 0)
		return false;
	orders->doubted = orders->certain == 0;
	orders->certain--;
	return orders->doubted;
}

/* To nobody where `to` is -1; false: that was all. */
static bool pass(uint8_t *message, int to, uint32_t len)
{
	bool good = message && (to < 0 || give(to, message, len));

	free(message);
	return good;
}

static uint8_t *put_in_doubt(uint8_t *answer, uint32_t *len)
{
	enum { NOT_IN_TIME = 64 };
	bson_t *doubt = BCON_NEW("writeConcernError", "{", "code", BCON_INT32(NOT_IN_TIME),
				 "errmsg", "waiting for replication timed out", "}");

	answer = mongo_wire_add(answer, len, doubt);
	bson_destroy(doubt);
	return answer;
}

/* Questions and answers in turn, until one is lost. */
static void serve(struct proxy_orders *orders, int client, int server)
{
	uint8_t *message;
	bool lose = false;
	uint32_t len;

	while (!lose && (message = mongo_wire_take(client, &len)) != NULL) {
		int left = orders->left;
		bool answer = orders->answer, doubt;

		lose = left == 0;
		orders->left = left < 0 ? -1 : left - 1;
		orders->lost = orders->lost || lose;
		doubt = count(orders, message, len);
		if (!pass(message, lose && !answer ? -1 : server, len) || (lose && !answer))
			return;
		message = mongo_wire_take(server, &len);
		if (message && doubt)
			message = put_in_doubt(message, &len);
		if (!pass(message, lose ? -1 : client, len))
			return;
	}
}

/* One connection at a time, as the client has no more. */
static void run(struct proxy_orders *orders, int listening, int server_port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)server_port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int client = accept(listening, NULL, NULL);
		int server = socket(AF_INET, SOCK_STREAM, 0);

		orders->connected++;
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
	int port, listening = mongo_wire_listen(&port);

	snprintf(behind, MONGO_URI_SIZE, "mongodb://127.0.0.1:%d/%s?retryReads=false", port,
		 strrchr(uri, '/') + 1);
	proxy->orders = mmap(NULL, sizeof *proxy->orders, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(proxy->orders != MAP_FAILED);
	proxy->orders->left = -1;
	proxy->orders->certain = -1;
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

void proxy_doubt(struct proxy *proxy, int n)
{
	proxy->orders->doubted = false;
	proxy->orders->certain = n;
}

bool proxy_doubted(struct proxy *proxy)
{
	proxy->orders->certain = -1;
	return proxy->orders->doubted;
}

struct proxy_counts proxy_counts(const struct proxy *proxy)
{
	return (struct proxy_counts){proxy->orders->asked, proxy->orders->written,
				     proxy->orders->careless, proxy->orders->connected};
}
