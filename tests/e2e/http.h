/* http.h - one request to a server that may be gone at any moment. */
#ifndef SKALD_TESTS_E2E_HTTP_H
#define SKALD_TESTS_E2E_HTTP_H

#include "base/json.h"

struct http_answer {
	long status;       /* 0: no whole answer came; what was asked may be done or not */
	struct slice text; /* terminated, in the arena */
};

/* A body at NULL is a GET, any other a POST. */
struct http_answer http_ask(const char *url, const char *path, struct slice body,
			    struct arena *arena);

/* A GET whose answer has to be JSON; {} where none came. */
struct json http_get(const char *url, const char *path, struct arena *arena);

#endif
