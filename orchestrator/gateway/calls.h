/* calls.h - HTTP requests to other orchestrators, none of which is waited for.
 *
 * They share one descriptor and are pumped by the loop of the gateway, as everything
 * else is. A call ends exactly once: with an answer, whatever its status, or without
 * one. Redirections and proxies of the environment are not followed: the URL is of an
 * orchestrator. (Where it is a name and no number, libcurl looks it up in a thread of
 * its own.)
 */
#ifndef SKALD_GATEWAY_CALLS_H
#define SKALD_GATEWAY_CALLS_H

#include "base/bytes.h"
#include "base/clock.h"

struct calls;
struct call;

struct call_header {
	const char *name;
	const char *value; /* NULL: it is left out */
};

struct call_end {
	bool answered;
	bool sent; /* some of the request was sent: the other one may have acted on it */
	unsigned status;
	const char *type;      /* of the content; NULL: none. Valid during the call, as */
	const char *why;       /* the reason why there is no answer, for people */
	int64_t retry_after_s; /* 0: the answer names no time */
	struct bytes *body;    /* may be taken: on the heap */
};

enum call_part {
	CALL_TAKEN,
	CALL_FULL,   /* no room: the part comes again after call_resume() */
	CALL_ENOUGH, /* the call ends, without an answer */
};

/* What a call tells. */
struct call_events {
	void (*ended)(void *context, const struct call_end *end);

	/* NULL: the body is kept for the end. Otherwise parts of an answer that is 200 go
	 * here as they come, and all other bodies to the end. */
	enum call_part (*take)(void *context, struct slice part);
};

struct call_setup {
	const char *method; /* these are copied, but for the body */
	const char *url;
	const struct call_header *headers;
	size_t n_headers;
	struct slice body; /* stays where it is until the call is over */
	size_t answer_max; /* bytes; more is no answer */
	int64_t quiet_ms;  /* nothing came for so long: there is no answer */
	bool once;         /* it must not arrive twice, whatever the connection does */
	const struct call_events *events;
	void *context;
};

/* NULL: out of memory, or of descriptors. */
struct calls *calls_new(const struct clock *clock);

/* Calls that are under way are forgotten. NULL is fine. */
void calls_free(struct calls *calls);

/* NULL: out of memory. Otherwise it ends, but not before calls_pump(). */
struct call *call_begin(struct calls *calls, const struct call_setup *setup);

/* Nobody wants to know any more. Not from within call_events.take of this call. */
void call_forget(struct call *call);

/* From now on it tells somebody else, and may be quiet for so long. */
void call_hand_over(struct call *call, int64_t quiet_ms, const struct call_events *events,
		    void *context);

/* There is room again. */
void call_resume(struct call *call);

/* Readable when there is something to pump. */
int calls_fd(const struct calls *calls);
void calls_pump(struct calls *calls);

/* When to pump although nothing came, by the monotonic clock; INT64_MAX: never. */
int64_t calls_wake_ms(const struct calls *calls);

#endif
