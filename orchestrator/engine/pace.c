#include "orchestrator/engine/pace.h"

#include <stdbool.h>

enum { EXACT = 16, EACH_DOUBLING = 8 };

static uint32_t bucket_of(int64_t ms)
{
	uint32_t bucket = EXACT;

	if (ms < EXACT)
		return ms < 0 ? 0 : (uint32_t)ms;
	for (; ms >= 2 * EXACT; ms /= 2)
		bucket += EACH_DOUBLING;
	bucket += (uint32_t)(ms - EXACT) / 2;
	return bucket < PACE_BUCKETS ? bucket : PACE_BUCKETS - 1;
}

/* The longest time that counts there. */
static int64_t longest_in(uint32_t bucket)
{
	uint32_t doublings, at;

	if (bucket < EXACT)
		return bucket;
	doublings = (bucket - EXACT) / EACH_DOUBLING;
	at = (bucket - EXACT) % EACH_DOUBLING;
	return ((int64_t)(EXACT + 2 * at + 2) << doublings) - 1;
}

/* Where the clock was set back, what comes counts as of the slot that is there. */
static struct pace_slot *slot_at(struct pace *pace, int64_t now_ms)
{
	int64_t number = now_ms / PACE_SLOT_MS;
	struct pace_slot *slot = &pace->slots[number % PACE_SLOTS];

	if (slot->number < number)
		*slot = (struct pace_slot){.number = number};
	if (!pace->first_ms)
		pace->first_ms = now_ms;
	return slot;
}

void pace_begin(struct pace *pace, int64_t now_ms)
{
	slot_at(pace, now_ms)->begun++;
}

void pace_end(struct pace *pace, int64_t now_ms, int64_t took_ms)
{
	struct pace_slot *slot = slot_at(pace, now_ms);

	slot->ended++;
	slot->took[bucket_of(took_ms)]++;
}

static bool is_recent(const struct pace_slot *slot, int64_t now_ms)
{
	return slot->number && slot->number > now_ms / PACE_SLOT_MS - PACE_SLOTS;
}

/* The time that so many of a hundred did not take longer than. */
static int64_t quantile(const struct pace *pace, int64_t now_ms, uint64_t n, unsigned percent)
{
	uint64_t wanted = (n * percent + 99) / 100, seen = 0;

	for (uint32_t i = 0; i < PACE_BUCKETS; i++) {
		for (uint32_t k = 0; k < PACE_SLOTS; k++)
			if (is_recent(&pace->slots[k], now_ms))
				seen += pace->slots[k].took[i];
		if (n && seen >= wanted)
			return longest_in(i);
	}
	return -1;
}

struct pace_report pace_report(const struct pace *pace, int64_t now_ms)
{
	int64_t from_ms = (now_ms / PACE_SLOT_MS - PACE_SLOTS + 1) * PACE_SLOT_MS;
	struct pace_report out = {0};

	for (uint32_t i = 0; i < PACE_SLOTS; i++) {
		if (!is_recent(&pace->slots[i], now_ms))
			continue;
		out.begun += pace->slots[i].begun;
		out.ended += pace->slots[i].ended;
	}
	if (pace->first_ms > from_ms)
		from_ms = pace->first_ms;
	out.span_ms = now_ms - from_ms > 1000 ? now_ms - from_ms : 1000;
	out.p50_ms = quantile(pace, now_ms, out.ended, 50);
	out.p99_ms = quantile(pace, now_ms, out.ended, 99);
	return out;
}
