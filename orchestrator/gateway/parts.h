/* parts.h - the gateway from inside; private to the gateway. */
#ifndef SKALD_GATEWAY_PARTS_H
#define SKALD_GATEWAY_PARTS_H

#include "orchestrator/gateway/calls.h"
#include "orchestrator/gateway/request.h"
#include "orchestrator/gateway/saga_json.h"

struct ear;
struct inspection;
struct watcher;

struct gateway {
	struct gateway_parts parts;
	struct MHD_Daemon *daemon;
	int epoll_fd; /* of all that the gateway waits for */
	bool stopping;
	bool submitted;      /* something was asked of the engine since the last pump */
	const char *trouble; /* NULL: ready */

	size_t n_requests;       /* that are there, answered or not */
	struct request *waiting; /* for the engine; the oldest first */
	struct request *waiting_last;

	struct watcher *watchers;
	size_t n_watchers;
	int64_t heartbeat_ms;
	uint64_t watchers_dropped;
	uint64_t watched_bytes; /* that all of them have taken */

	struct inspection *inspections; /* reconciliations under way */
	size_t n_inspections;
	bool inspected; /* one of them has more to do at once */

	/* With owners; see forward.h. */
	struct calls *calls; /* NULL: no owners */
	bool stale;          /* what is known of the owners was wrong: read it anew */
	int64_t owners_ms;   /* monotonic: it was looked whose the streams are */
	struct forward *forwards, **forwards_end;
	size_t n_forwards;
	size_t n_calls;     /* of forwards that are asked right now */
	struct ear *ears;   /* see hear.h */
	uint64_t forwarded; /* calls that began */
	uint64_t forwards_failed;

	uint64_t answered[6]; /* requests by the first digit of their status */
};

/* --- gateway.c -------------------------------------------------------------------- */

/* Let MHD look at a request again that was set aside. */
void gateway_resume(struct request *request);

/* --- route_start.c ---------------------------------------------------------------- */

/* Start what the window of the request's batch has room for. */
void batch_continue(struct request *request);

/* The engine will not hear of the batch's starts any more. */
void batch_forget(struct request *request);

/* --- route_sagas.c ---------------------------------------------------------------- */

/* The saga as it is stored, in the request's memory; false: the request was
 * answered that there is none, or why it cannot be read. */
bool request_saga(struct request *request, struct slice id, struct saga_view *out);

/* The saga of the path; false: the request was answered, or its owner is asked, who
 * knows more of one that has not ended. */
bool request_live_saga(struct request *request, struct saga_view *out);

/* Likewise, with its definition. */
bool request_explicable(struct request *request, struct saga_view *out);

/* Also where another orchestrator deployed it. NULL: none. */
const struct definition *gateway_definition(const struct gateway_parts *parts,
					    const uint8_t hash[SHA256_SIZE]);

/* The saga as it is stored, in the arena. ERR_NOT_FOUND, ERR_CORRUPT, and what else a
 * store that is read says. */
CHECKED enum err gateway_read_saga(const struct gateway_parts *parts, struct slice id,
				   struct arena *arena, struct saga_view *out);

/* The parameter `status`: one or several, with commas between them, or none; false:
 * the request was answered that there is none of that name. */
bool request_statuses(struct request *request, enum status statuses[STATUSES], size_t *n);

/* The parameter, a time or how long ago it was; 0 where it is not there. False: the
 * request was answered that it is neither. */
bool request_time(struct request *request, const char *name, int64_t *out);

/* --- route_reconcile.c ------------------------------------------------------------ */

/* Answers that came over the bus, and a turn for each reconciliation. */
void inspections_pump(struct gateway *gateway);
int64_t inspections_wake_ms(const struct gateway *gateway);
void inspections_heartbeat(struct gateway *gateway);
void inspections_stop(struct gateway *gateway);

/* --- watch.c ---------------------------------------------------------------------- */

enum { WATCH_EVENT_MAX = 16 * 1024 * 1024 }; /* bytes: a snapshot with a whole timeline */

observed watch_observed;

/* A stream of another orchestrator began with this part: request->relay passes it on.
 * False: the request was answered that it cannot. */
bool watch_relay(struct request *request, struct call *call, struct slice part);

void watch_heartbeat(struct gateway *gateway);
void watch_stop(struct gateway *gateway);

/* Whether a stream wants to hear of all sagas, wherever they are. */
bool watch_wants_others(const struct gateway *gateway);

/* Something happened to a saga of another orchestrator: the event, and its data. */
void watch_heard(struct gateway *gateway, struct json data, struct slice event,
		 struct arena *arena);

/* An event for all who want others. */
void watch_tell(struct gateway *gateway, struct slice event);

/* End the streams of sagas that this orchestrator does not have any more. */
void watch_owners(struct gateway *gateway);

/* The request goes before its stream began. */
void watch_forget(struct watcher *watcher);

#endif
