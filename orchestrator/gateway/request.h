/* request.h - one request and its answer; private to the gateway.
 *
 * A handler of routes.c is called once, when the whole request is there. It
 * answers at once or leaves that to a callback of the engine; a request that is
 * not answered when its handler returns is set aside until it is.
 */
#ifndef SKALD_GATEWAY_REQUEST_H
#define SKALD_GATEWAY_REQUEST_H

#include "base/json.h"
#include "orchestrator/gateway/gateway.h"

#include <microhttpd.h>

enum {
	PARAMETERS_MAX = 2,             /* in one path */
	ANSWER_MAX = 128 * 1024 * 1024, /* bytes of an answer */
	QUERY_MAX = 16,                 /* parameters behind the ? */
};

struct batch;
struct forward;
struct telling;
struct watcher;

struct request {
	struct gateway *gateway;
	struct MHD_Connection *connection;
	const struct route *route;
	struct slice parameters[PARAMETERS_MAX]; /* of the path */
	struct slice path;                       /* all of it, decoded */
	struct slice actor;                      /* who asks */
	struct arena arena;                      /* as long as the request */
	struct bytes body;
	bool begun;           /* its handler was called */
	bool suspended;       /* MHD looks away until it is resumed */
	bool asked;           /* the engine may call back with the request */
	bool forwarded;       /* another orchestrator sent it here */
	struct slice saga_id; /* whom it is for, by forward_request(); empty: a new saga */
	bool freely;          /* arriving twice is as good as once */
	int64_t since_ms;

	unsigned status; /* 0: not answered */
	const char *type;
	const char *allow;     /* 405: what would be allowed; otherwise NULL */
	struct bytes out;      /* the answer */
	int64_t retry_after_s; /* 503; 0: a second */

	struct forward *forward; /* another orchestrator is asked; otherwise NULL */
	struct watcher *relay;   /* of a stream that came from there, to begin with */
	bool incomplete;         /* it could not be asked: say what is here */
	struct telling *telling; /* others hear of what was deployed; otherwise NULL */
	struct batch *batch;
	struct request *next; /* of those that wait, in the order in which they came */
};

/* --- answers ---------------------------------------------------------------------- */

/* request->out is the whole answer. */
void request_answer(struct request *request, unsigned status, const char *type);
void request_answer_json(struct request *request, unsigned status);

/* A problem; what was in request->out is dropped. */
void request_fail(struct request *request, unsigned status, const char *code,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A failure of the store or of memory. */
void request_fail_err(struct request *request, enum err err);

/* Answer with server-sent events: MHD asks `read` for them as long as the connection is
 * there, and then calls `free`; at once, where there is no memory for it. */
void request_stream(struct request *request, MHD_ContentReaderCallback read, void *context,
		    MHD_ContentReaderFreeCallback free);

/* What the engine did not do. */
void request_fail_answer(struct request *request, const struct answer *answer);

/* --- problems --------------------------------------------------------------------- */

unsigned problem_status(enum err err);

/* The members of a problem, into an open object. */
void problem_members(struct bytes *out, unsigned status, const char *code, struct slice detail);

/* --- what is asked ---------------------------------------------------------------- */

/* NULL: none. */
const char *request_header(const struct request *request, const char *name);

/* Path and query as they stand in a URL, in the request's memory; NULL: out of it. */
const char *request_target(struct request *request);

/* The value behind `?name=`; empty: none. */
struct slice request_query(const struct request *request, const char *name);

/* One member of an object in a body. */
struct field {
	const char *name;
	bool required;
	bool json;          /* any value, as JSON; otherwise a text, as characters */
	struct slice value; /* empty: not there, or null */
};

/* ERR_INVALID: no object, a member that none of the fields has, one of the wrong
 * type, or one that is missing. */
CHECKED enum err fields_read(struct json object, struct field *fields, size_t n,
			     struct arena *arena, struct diag *diag);

/* The body as JSON with these members; false: the request was answered. An empty
 * body is `{}`. */
bool request_fields(struct request *request, struct field *fields, size_t n);

#endif
