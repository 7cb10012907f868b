#include "tests/sim/transport.h"

int64_t transport_delay_ms(const struct transport *transport)
{
	const struct transport_setup *setup = &transport->setup;
	int64_t delay_ms = random_below(setup->random, setup->weather.latency_ms + 1);

	if (chance_take(setup->chance, CHANCE_LATE, setup->weather.late_percent))
		delay_ms += random_below(setup->random, setup->weather.late_ms + 1);
	return delay_ms;
}
