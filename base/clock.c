#include "base/clock.h"

#include <assert.h>
#include <time.h>

int64_t clock_now_ms(const struct clock *clock)
{
	return clock->ops->now_ms(clock);
}

int64_t clock_monotonic_ms(const struct clock *clock)
{
	return clock->ops->monotonic_ms(clock);
}

static int64_t read_ms(clockid_t id)
{
	struct timespec time;
	int result = clock_gettime(id, &time);

	assert(result == 0);
	return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static int64_t system_now_ms(const struct clock *clock)
{
	return read_ms(CLOCK_REALTIME);
}

static int64_t system_monotonic_ms(const struct clock *clock)
{
	return read_ms(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void)
{
	static const struct clock_ops ops = {system_now_ms, system_monotonic_ms};
	static const struct clock machine = {&ops};

	return &machine;
}
