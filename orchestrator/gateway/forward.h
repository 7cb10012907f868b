/* forward.h - what is for another orchestrator goes there; private to the gateway.
 *
 * A request about a saga whose shard another orchestrator has is asked of that one,
 * and its answer is ours. It says that it was forwarded, so that whoever gets it and
 * is not the owner either answers 421 and sends it nowhere: a request never goes
 * round in a circle. Where the owner cannot be reached, is not the owner any more or
 * is nobody, the owners are read anew and it is tried again for a short while.
 *
 * What may have arrived is sent again only where arriving twice is as good as once:
 * reads, starts and signals with an id, starts with a key. For others the answer is
 * then that nobody knows (504), and a person looks.
 */
#ifndef SKALD_GATEWAY_FORWARD_H
#define SKALD_GATEWAY_FORWARD_H

#include "orchestrator/gateway/calls.h"
#include "orchestrator/gateway/request.h"

enum {
	FORWARDS_AT_ONCE = 200,   /* calls under way; more wait for their turn */
	FORWARDS_MAX = 4000,      /* with those that wait */
	FORWARD_TRY_MS = 5000,    /* how long it is tried again */
	FORWARD_AGAIN_MS = 100,   /* between two tries */
	FORWARD_ANSWER_MS = 8000, /* how long an owner may be silent, with an answer due */
	FORWARD_LOOK_MS = 2000,   /* likewise, where this one can answer, too */
	FORWARD_STREAM_MS = 3 * GATEWAY_HEARTBEAT_MS, /* and in the midst of a stream */
};

/* With it a request was forwarded already. */
#define FORWARDED_HEADER "Skald-Forwarded"

enum repeat {
	REPEAT_NEVER, /* what may have arrived is not sent again */
	REPEAT_FREELY,
};

struct forward;

/* How it ends; one of these is called, once, and it is over. */
struct forward_events {
	void (*answered)(void *context, const struct call_end *end);

	/* Nobody answered, or nobody knows what was done. */
	void (*failed)(void *context, unsigned status, const char *code, const char *text);

	/* This orchestrator has become the owner. */
	void (*ours)(void *context);

	/* NULL, or of a stream: its first part came. True: the call was handed over, the
	 * part was taken, and it is over, too. False: nobody wants the stream. */
	bool (*begun)(void *context, struct call *call, struct slice part);
};

struct forward_setup {
	struct request *request; /* whose headers go with it; outlives it */
	struct slice saga_id;    /* whose owner is meant; empty: anybody with shards */
	const char *method;
	const char *target; /* path and query; these two and the body stay where they are */
	const char *type;   /* of the body; NULL: the request's */
	struct slice body;
	enum repeat repeat;
	int64_t try_ms;
	int64_t answer_ms;
	const struct forward_events *events;
	void *context;
};

/* Whether somebody else has it; an empty id: a saga that is still to get one. */
bool forward_is_due(const struct gateway *gateway, struct slice saga_id);

/* NULL: there are too many, or no memory. */
struct forward *forward_begin(struct gateway *gateway, const struct forward_setup *setup);

/* Nobody wants to know any more. */
void forward_forget(struct forward *forward);

/* --- whole requests --------------------------------------------------------------- */

/* False: it is to be answered here. request->freely says whether it may be repeated. */
CHECKED bool forward_request(struct request *request, struct slice saga_id);

/* Likewise for one that the store can answer, too, if less well: where the owner cannot
 * be asked, request->incomplete is set and the handler called again. */
CHECKED bool forward_read(struct request *request, struct slice saga_id);

/* Likewise for a stream of events: its handler is called again with request->relay
 * once it has begun. */
CHECKED bool forward_stream(struct request *request, struct slice saga_id);

/* The engine answered that it does not have the saga any more. */
bool answer_moved(const struct answer *answer);

/* Likewise, and the request, which was to be answered here, is asked of whoever has the
 * saga now, if it may be: always where the engine refused at once, as it did nothing. */
CHECKED bool forward_moved(struct request *request, const struct answer *answer);

/* The request was answered that it came to the wrong orchestrator. */
void forward_refuse(struct request *request);

/* --- all of them ------------------------------------------------------------------ */

/* What goes to another with every call, into headers[]; the number of them. */
enum { FORWARD_HEADERS = 6 };
size_t forward_headers(const struct request *request, const char *type,
		       struct call_header headers[FORWARD_HEADERS]);

void forwards_pump(struct gateway *gateway);
int64_t forwards_wake_ms(const struct gateway *gateway);

#endif
