#include "bench/floor_frame.h"

/* splitmix64: neighbours get orders that have nothing in common. */
static uint64_t scatter(uint64_t number)
{
	uint64_t z = number * 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct floor_order floor_order_of(uint64_t saga, uint32_t decline_percent)
{
	uint64_t dice = scatter(saga);

	return (struct floor_order){
		.quantity = 1 + (uint32_t)(dice % 5),
		.amount_cents = 100 + (uint32_t)(dice >> 8) % 100000,
		.decline = (dice >> 40) % 100 < decline_percent,
	};
}
