/* clock_shift.c - the wall clock of a program that is wrong: by TEST_CLOCK_AHEAD_S, seconds, of
 * its environment. For a program that is linked with it and --wrap=clock_gettime; its libraries
 * see the machine's. */
#include <stdlib.h>
#include <time.h>

/* The names are the linker's. */
int __real_clock_gettime(clockid_t id, struct timespec *time);
int __wrap_clock_gettime(clockid_t id, struct timespec *time);

int __wrap_clock_gettime(clockid_t id, struct timespec *time)
{
	const char *ahead = id == CLOCK_REALTIME ? getenv("TEST_CLOCK_AHEAD_S") : NULL;
	int result = __real_clock_gettime(id, time);

	if (!result && ahead)
		time->tv_sec += strtol(ahead, NULL, 10);
	return result;
}
