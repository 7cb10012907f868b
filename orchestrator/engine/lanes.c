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

int64_t send_retry_ms(int64_t now_ms, uint8_t *n_retries)
{
	int64_t at_ms = now_ms + ((int64_t)SEND_RETRY_MS << *n_retries);

	if (*n_retries < SEND_RETRY_DOUBLINGS)
		++*n_retries;
	return at_ms;
}

void lane_bus_full(struct lane *lane, int64_t now_ms)
{
	lane->retry_ms = send_retry_ms(now_ms, &lane->n_retries);
}

void lane_bus_takes(struct lane *lane)
{
	lane->retry_ms = 0;
	lane->n_retries = 0;
}

struct limit_hold lane_ask(const struct lane *lane, int64_t now_ms)
{
	struct limit_hold hold = limit_ask(&lane->limit, now_ms);

	if (hold.why == LIMIT_FREE && lane->retry_ms > now_ms)
		hold = (struct limit_hold){LIMIT_BUS, lane->retry_ms};
	return hold;
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

static enum lane_queue queue_of(const struct held *held)
{
	return held->undo ? QUEUE_UNDO : QUEUE_DO;
}

/* Dos or undos of one saga for one participant: the oldest stands in line, the others
 * behind it. */
static bool same_group(const struct held *a, const struct held *b)
{
	return a->lane == b->lane && a->undo == b->undo;
}

/* Where nothing of the group stands in line, the oldest one does from now on. */
static void promote(struct lanes *lanes, const struct held *of, struct held *siblings)
{
	struct held *oldest = NULL;

	for (struct held *each = siblings; each; each = each->sibling) {
		if (!same_group(each, of) || each->queue == QUEUE_ASIDE)
			continue;
		if (each->queue != BEHIND)
			return;
		oldest = each;
	}
	if (oldest)
		enqueue(lanes, oldest, queue_of(oldest));
}

bool lanes_hold(struct lanes *lanes, uint16_t lane, struct live *live, uint32_t step, bool undo,
		bool aside)
{
	struct held *held = malloc(sizeof *held), *other = live->held;

	assert(!live_held(live, step));
	if (!held)
		return false;
	*held = (struct held){.sibling = live->held,
			      .live = live,
			      .step = step,
			      .lane = lane,
			      .undo = undo,
			      .queue = BEHIND};
	live->held = held;
	lanes->list[lane].n_held++;
	while (other && (other->queue == QUEUE_ASIDE || !same_group(other, held)))
		other = other->sibling;
	if (aside)
		enqueue(lanes, held, QUEUE_ASIDE);
	else if (!other)
		enqueue(lanes, held, queue_of(held));
	return true;
}

void lanes_drop(struct lanes *lanes, struct held *held)
{
	struct held **link = &held->live->held;

	while (*link != held)
		link = &(*link)->sibling;
	*link = held->sibling;
	if (held->queue != BEHIND)
		dequeue(lanes, held);
	promote(lanes, held, held->live->held);
	lanes->list[held->lane].n_held--;
	free(held);
}

void lanes_pause(struct lanes *lanes, struct live *live, bool aside)
{
	for (struct held *held = live->held; held; held = held->sibling) {
		if ((held->queue == QUEUE_ASIDE) == aside)
			continue;
		if (held->queue != BEHIND)
			dequeue(lanes, held);
		held->queue = BEHIND;
		if (aside)
			enqueue(lanes, held, QUEUE_ASIDE);
	}
	for (struct held *held = live->held; held && !aside; held = held->sibling)
		if (held->queue == BEHIND)
			promote(lanes, held, live->held);
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
		hold = lane_ask(lane, now_ms);
		if (hold.why == LIMIT_FREE)
			return 0;
		if (hold.until_ms < wake_ms)
			wake_ms = hold.until_ms;
	}
	return wake_ms;
}
