/* pace.h - how much goes on lately: what began and what ended in the last minute, and how
 * long that took.
 *
 * It holds counts in slots of ten seconds, and no times: those that a report gives are at
 * most an eighth too high. Arithmetic on the time it is given: no clock, no memory.
 */
#ifndef SKALD_ENGINE_PACE_H
#define SKALD_ENGINE_PACE_H

#include <stdint.h>

enum {
	PACE_SLOTS = 6,
	PACE_SLOT_MS = 10 * 1000,
	PACE_BUCKETS = 184, /* below 16 ms one for each, then 8 for each doubling: 9 hours */
};

/* All zero: nothing has been yet. */
struct pace {
	int64_t first_ms; /* when the first began or ended; 0: none did */
	struct pace_slot {
		int64_t number; /* since 1970 */
		uint32_t begun, ended;
		uint32_t took[PACE_BUCKETS];
	} slots[PACE_SLOTS];
};

void pace_begin(struct pace *pace, int64_t now_ms);
void pace_end(struct pace *pace, int64_t now_ms, int64_t took_ms);

/* Of the last minute, or since the first if that is less, one second at least. */
struct pace_report {
	int64_t span_ms;
	uint64_t begun, ended;
	int64_t p50_ms, p99_ms; /* -1: nothing ended */
};
struct pace_report pace_report(const struct pace *pace, int64_t now_ms);

#endif
