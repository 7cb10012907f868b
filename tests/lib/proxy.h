/* proxy.h - something in between a client of MongoDB and its server, that counts what the
 * client asks, and loses one message: what the client asked, or what the server answered to
 * it. The connection ends with it; the next one is as good as new. Or it says that the
 * majority has not what was written.
 *
 * It is a process of its own, which ends with proxy_stop. */
#ifndef SKALD_TESTS_LIB_PROXY_H
#define SKALD_TESTS_LIB_PROXY_H

#include "tests/lib/engines.h"

#include <stdbool.h>
#include <sys/types.h>

struct proxy_orders;

struct proxy {
	pid_t pid;
	struct proxy_orders *orders; /* shared with the process */
};

/* To the server of the URI, which is on this machine; `behind` is the same database by
 * way of the proxy. What is lost is not asked again by the client itself. */
void proxy_start(struct proxy *proxy, const char *uri, char behind[MONGO_URI_SIZE]);
void proxy_stop(struct proxy *proxy);

/* Lose the nth question from now on, counted from 0; or its answer. */
void proxy_lose(struct proxy *proxy, int n, bool answer);

/* No more of that; whether it has lost one. */
bool proxy_lost(struct proxy *proxy);

/* The nth write from now on, counted from 0, is answered as one that the majority of the
 * replicas did not get in time. */
void proxy_doubt(struct proxy *proxy, int n);

/* No more of that; whether one was. */
bool proxy_doubted(struct proxy *proxy);

/* What was asked since the start. */
struct proxy_counts {
	int asked;     /* the library's own questions as well */
	int written;   /* those of them that write */
	int careless;  /* that do not wait for the majority, or read what it may not have */
	int connected; /* connections that were made */
};
struct proxy_counts proxy_counts(const struct proxy *proxy);

#endif
