#include "base/fault_point.h"

#ifdef SKALD_FAULT_POINTS

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The linker's names for where the names of the points begin and end. */
extern const char __start_skald_fault_points[], __stop_skald_fault_points[];

static const char *fault; /* "engine.stored:3"; NULL: none */
static unsigned long left;

static void list(void)
{
	const char *name = __start_skald_fault_points;

	for (; name < __stop_skald_fault_points; name += FAULT_POINT_SIZE)
		printf("%s\n", name);
	exit(fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* Before main, so that no program has to know of it. */
__attribute__((constructor)) static void begin(void)
{
	const char *colon;

	fault = getenv("SKALD_FAULT");
	if (!fault)
		return;
	if (strcmp(fault, "list") == 0)
		list();
	colon = strchr(fault, ':');
	left = colon ? strtoul(colon + 1, NULL, 10) : 1;
}

void fault_point_reach(const char *name)
{
	size_t len = fault ? strcspn(fault, ":") : 0;

	if (!len || strlen(name) != len || memcmp(name, fault, len) != 0 || --left)
		return;
	raise(SIGKILL);
}

#endif
