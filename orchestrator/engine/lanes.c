#include "orchestrator/engine/lanes.h"

#include "orchestrator/engine/live.h"

#include <assert.h>
#include <stdlib.h>

/* --- lanes -------------------------------------------------------------------------- */

static uint16_t *bucket_of(struct lanes *lanes, struct slice name)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ (unsigned char)name.at[i]) * 16777619u;
	return &lanes->buckets[hash % (sizeof lanes->buckets / sizeof *lanes->buckets)];
}

static uint16_t find(const struct lanes *lanes, struct slice name)
{
	uint16_t i = *bucket_of((struct lanes *)lanes, name);

	while (i && !slice_is(name, lanes->list[i].name))
		i = lanes->list[i].next;
	return i;
}

struct lane *lanes_look(const struct lanes *lanes, struct slice participant)
{
	uint16_t i = find(lanes, participant);

	return i ? &lanes->list[i] : NULL;
}

static uint16_t give_up_idle(struct lanes *lanes, int64_t now_ms)
{
	for (uint16_t i = 1; i < lanes->n; i++) {
		const struct lane *lane = &lanes->list[i];
		uint16_t *link;

		if (lane->n_held || !limit_idle(&lane->limit, now_ms))
			continue;
		link = bucket_of(lanes, slice_of(lane->name));
		while (*link != i)
			link = &lanes->list[*link].next;
		*link = lane->next;
		return i;
	}
	return 0;
}

/* A place for one more; 0: there is none. */
static uint16_t make_place(struct lanes *lanes, int64_t now_ms)
{
	size_t capacity = lanes->capacity ? 2 * lanes->capacity : 16;
	struct lane *grown;

	if (!lanes->n)
		lanes->n = 1;
	if (lanes->n > LANES_MAX)
		return give_up_idle(lanes, now_ms);
	if (lanes->n >= lanes->capacity) {
		grown = realloc(lanes->list, capacity * sizeof *grown);
		if (!grown)
			return 0;
		lanes->list = grown;
		lanes->capacity = capacity;
	}
	return (uint16_t)lanes->n++;
}

uint16_t lanes_find(struct lanes *lanes, struct slice participant, int64_t now_ms)
{
	uint16_t *bucket, i = find(lanes, participant);
	struct lane *lane;

	assert(participant.len <= NAME_MAX_BYTES);
	if (i)
		return i;
	i = make_place(lanes, now_ms);
	if (!i)
		return 0;
	bucket = bucket_of(lanes, participant);
	lane = &lanes->list[i];
	*lane = (struct lane){.next = *bucket};
	memcpy(lane->name, participant.at, participant.len);
	limit_set(&lane->limit, limits_of(&lanes->limits, participant), now_ms);
	*bucket = i;
	return i;
}

void lanes_release(struct lanes *lanes)
{
	for (size_t i = 1; i < lanes->n; i++)
		for (int queue = 0; queue < LANE_QUEUES; queue++)
			while (lanes->list[i].queues[queue].first)
				lanes_drop(lanes, lanes->list[i].queues[queue].first);
	free(lanes->list);
	*lanes = (struct lanes){0};
}

/* --- the line ----------------------------------------------------------------------- */

bool lane_waits(const struct lane *lane, bool undo)
{
	return lane->queues[QUEUE_UNDO].first || (!undo && lane->queues[QUEUE_DO].first);
}

struct held *lane_first(const struct lane *lane)
{
	struct held *undo = lane->queues[QUEUE_UNDO].first;

	return undo ? undo : lane->queues[QUEUE_DO].first;
}

static void enqueue(struct lanes *lanes, struct held *held, enum lane_queue queue)
{
	struct held_list *list = &lanes->list[held->lane].queues[queue];

	held->queue = (uint8_t)queue;
	held->next = NULL;
	held->previous = list->last;
	if (list->last)
		list->last->next = held;
	else
		list->first = held;
	list->last = held;
	lanes->n_queued += queue != QUEUE_ASIDE;
}

static void dequeue(struct lanes *lanes, struct held *held)
{
	struct held_list *list = &lanes->list[held->lane].queues[held->queue];

	if (held->previous)
		held->previous->next = held->next;
	else
		list->first = held->next;
	if (held->next)
		held->next->previous = held->previous;
	else
		list->last = held->previous;
	lanes->n_queued -= held->queue != QUEUE_ASIDE;
}

bool lanes_hold(struct lanes *lanes, uint16_t lane, struct live *live, uint32_t step, bool undo)
{
	struct held *held = malloc(sizeof *held);

	assert(!live_held(live, step));
	if (!held)
		return false;
	*held = (struct held){
		.sibling = live->held, .live = live, .step = step, .lane = lane, .undo = undo};
	live->held = held;
	enqueue(lanes, held, undo ? QUEUE_UNDO : QUEUE_DO);
	lanes->list[lane].n_held++;
	return true;
}

void lanes_drop(struct lanes *lanes, struct held *held)
{
	struct held **link = &held->live->held;

	while (*link != held)
		link = &(*link)->sibling;
	*link = held->sibling;
	dequeue(lanes, held);
	lanes->list[held->lane].n_held--;
	free(held);
}

void lanes_step_aside(struct lanes *lanes, struct live *live)
{
	for (struct held *held = live->held; held; held = held->sibling) {
		dequeue(lanes, held);
		enqueue(lanes, held, QUEUE_ASIDE);
	}
}

/* Siblings are newest first; in line they stand oldest first, as they were sent. */
void lanes_line_up(struct lanes *lanes, struct live *live)
{
	struct held *list = NULL, *next;

	for (struct held *each = live->held; each; each = each->sibling) {
		if (each->queue != QUEUE_ASIDE)
			continue;
		dequeue(lanes, each);
		each->next = list;
		list = each;
	}
	for (; list; list = next) {
		next = list->next;
		enqueue(lanes, list, list->undo ? QUEUE_UNDO : QUEUE_DO);
	}
}

struct held *live_held(const struct live *live, uint32_t step)
{
	struct held *held = live->held;

	while (held && held->step != step)
		held = held->sibling;
	return held;
}

int64_t lanes_wake_ms(const struct lanes *lanes, int64_t now_ms)
{
	int64_t wake_ms = INT64_MAX;

	for (size_t i = 1; lanes->n_queued && i < lanes->n; i++) {
		const struct lane *lane = &lanes->list[i];
		struct limit_hold hold;

		if (!lane_first(lane))
			continue;
		hold = limit_ask(&lane->limit, now_ms);
		if (hold.why == LIMIT_FREE)
			return 0;
		if (hold.until_ms < wake_ms)
			wake_ms = hold.until_ms;
	}
	return wake_ms;
}
