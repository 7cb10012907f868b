/* wait.h - staying with a saga until it has ended or needs a person. */
#ifndef SKALD_CLI_WAIT_H
#define SKALD_CLI_WAIT_H

#include "cli/remote.h"

struct wait_result {
	struct slice status; /* in the arena of cli */
	struct slice reason; /* may be empty */
	int64_t took_ms;     /* from its start */
};

/* EXIT_DONE: completed. EXIT_NOT_COMPLETED: it ended otherwise, or is parked.
 * EXIT_TIMED_OUT; or it could not be watched any more, which was said. On a
 * terminal a line on standard error tells how far it is. Where nothing happens for a
 * while and a service that it waits for is not connected, that is said. A server that goes away
 * is waited for, as long as the timeout allows and for half a minute without one.
 * timeout_ms of 0: none. */
enum exit_code wait_for_end(struct remote *remote, const char *id, int64_t timeout_ms,
			    struct wait_result *out);

#endif
