/* remote.h - asking the server: HTTP, as docs/openapi.json describes it.
 *
 *	code = remote_open(cli, &remote);
 *	if (code)
 *		return code;
 *	code = remote_call(&remote, "GET", "/v1/stats", (struct slice){0}, cli->arena, &json);
 *	...
 *	remote_close(&remote);
 *
 * What fails gives the exit code that scripts rely on, and a sentence that says
 * what to do.
 */
#ifndef SKALD_CLI_REMOTE_H
#define SKALD_CLI_REMOTE_H

#include "base/json.h"
#include "cli/subcommand.h"

enum {
	REMOTE_ANSWER_MAX = 128 * 1024 * 1024, /* bytes of an answer */
	REMOTE_PATH_MAX = 8 * 1024,
	REMOTE_TIMEOUT_MS = 60000, /* of one request */
};

struct remote {
	const struct cli *cli;
	void *curl;
	struct curl_slist *headers;
	char url[OPTION_TEXT_BYTES]; /* of the server, without a slash at its end */
};

/* What is asked. The path is "/v1/..." and escaped: remote_path(). */
struct remote_request {
	const char *method;
	const char *path;
	struct slice body; /* JSON */
	struct arena *arena;
};

struct remote_answer {
	enum exit_code code; /* EXIT_DONE: an answer of 2xx */
	struct slice text;   /* of it */
	struct json json;    /* the same, checked; empty where it is none */

	/* Otherwise: for programs, and for people. Both are empty where the server
	 * was not reached or the answer is none of ours, and `text` is the sentence. */
	struct slice problem;
	struct slice detail;
};

/* Uses --server and --token. */
enum exit_code remote_open(const struct cli *cli, struct remote *out);
void remote_close(struct remote *remote);

void remote_ask(struct remote *remote, const struct remote_request *request,
		struct remote_answer *out);

/* Say what went wrong, of `about` where it is not NULL. */
void remote_complain(const struct remote *remote, const struct remote_answer *answer,
		     const char *about);

/* Both; an answer that is no JSON is a failure. The body may be empty. */
enum exit_code remote_call(struct remote *remote, const char *method, const char *path,
			   struct slice body, struct arena *arena, struct json *out);

/* --- paths ------------------------------------------------------------------------ */

/* Append a part of a path, or the value of a parameter, escaped. */
void remote_escape(struct bytes *out, struct slice text);

/* "/v1/dead/" and an id, and what comes behind it; NULL: out of memory or too long. */
const char *remote_path(struct arena *arena, const char *before, const char *id,
			const char *behind);

/* The same of a saga. */
const char *remote_saga_path(struct arena *arena, const char *id, const char *behind);

/* --- streams ---------------------------------------------------------------------- */

struct remote_stream {
	const char *path;
	int64_t timeout_ms; /* 0: none */

	/* One event; false: enough. The texts are valid during the call. */
	bool (*event)(void *context, struct slice name, struct json data);

	/* Now and then, whether or not anything comes; may be NULL. */
	void (*tick)(void *context);
	void *context;
};

enum stream_end {
	STREAM_ENOUGH, /* `event` said so */
	STREAM_OVER,   /* the server ended it, or it was cut off */
	STREAM_TIMED_OUT,
	STREAM_BROKEN,  /* it did not begin: the server cannot be reached */
	STREAM_REFUSED, /* answer->code and the rest say why */
};

/* Read server-sent events until one of these happens. */
enum stream_end remote_stream(struct remote *remote, const struct remote_stream *stream,
			      struct arena *arena, struct remote_answer *answer);

#endif
