/* remote_parts.h - what remote.c and remote_stream.c share. */
#ifndef SKALD_CLI_REMOTE_PARTS_H
#define SKALD_CLI_REMOTE_PARTS_H

#include "cli/remote.h"

#include <curl/curl.h>

/* Ask, with what was set before; `why` is empty or curl's words for what failed. */
CURLcode remote_perform(struct remote *remote, const struct remote_request *request,
			char why[CURL_ERROR_SIZE]);

/* What an answer means, and why there is none. */
void remote_read_answer(const struct remote *remote, long status, struct bytes *body,
			struct arena *arena, struct remote_answer *out);
void remote_read_failure(const struct remote *remote, CURLcode result, const char *why,
			 struct arena *arena, struct remote_answer *out);

#endif
