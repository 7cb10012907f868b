/* impostor.h - something that speaks MongoDB's protocol and cannot be used as one: it is too
 * old, it is a secondary, it refuses a command.
 *
 * It is a process of its own, which ends with impostor_stop. */
#ifndef SKALD_TESTS_LIB_IMPOSTOR_H
#define SKALD_TESTS_LIB_IMPOSTOR_H

#include <stdbool.h>
#include <sys/types.h>

struct impostor_setup {
	int wire_version; /* the newest that it speaks; 0: that of MongoDB 5.0 */
	int version;      /* what it says it is; 0: 5 */
	bool secondary;   /* of a set of replicas */

	/* The command that is refused, with that code and text; NULL: none is. */
	const char *refused, *text;
	int code;
};

struct impostor {
	pid_t pid;
	int port; /* of 127.0.0.1 */
};

void impostor_start(struct impostor *impostor, const struct impostor_setup *setup);
void impostor_stop(struct impostor *impostor);

#endif
