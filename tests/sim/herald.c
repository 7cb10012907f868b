#include "tests/sim/herald.h"

#include "orchestrator/store/record.h"
#include "tests/sim/judge.h"
#include "tests/sim/orchestrator.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum { TRAVEL_MS = 30, AWAY_MAX = 200 };

struct posted {
	char saga_id[SAGA_ID_MAX + 1];
	struct event_message event; /* without data */
	int64_t there_ms;
};

void herald_init(struct herald *herald, struct world *world, uint32_t number)
{
	*herald = (struct herald){.world = world, .number = number};
}

void herald_release(struct herald *herald)
{
	free(herald->away);
}

/* Now and then it takes seconds, as long as there is trouble. */
static int64_t travel_ms(const struct world *world)
{
	bool slow = world->part == PART_TROUBLE && world_now_ms(world) / 1000 % 5 == 4;

	return slow ? 100 * TRAVEL_MS : TRAVEL_MS;
}

static void arrive(void *context, uint64_t argument)
{
	struct herald *herald = orchestrator_herald(context, (uint32_t)argument);

	if (herald)
		herald_arrive(herald);
}

static void make_room(struct herald *herald)
{
	if (herald->first + herald->n < herald->capacity)
		return;
	if (herald->n)
		memmove(herald->away, herald->away + herald->first,
			herald->n * sizeof *herald->away);
	herald->first = 0;
	if (herald->n < herald->capacity / 2)
		return;
	herald->capacity = herald->capacity ? 2 * herald->capacity : 64;
	herald->away = realloc(herald->away, herald->capacity * sizeof *herald->away);
	assert(herald->away);
}

void herald_publish(struct herald *herald, const struct event_message *event)
{
	int64_t there_ms = world_now_ms(herald->world) + travel_ms(herald->world), last_ms;
	struct posted *posted;

	if (herald->world->sabotage == SABOTAGE_FORGET_EVENTS &&
	    random_percent(&herald->world->random, 2))
		return;
	make_room(herald);
	posted = &herald->away[herald->first + herald->n];
	last_ms = herald->n ? posted[-1].there_ms : 0;
	*posted = (struct posted){.event = *event};
	posted->there_ms = there_ms > last_ms ? there_ms : last_ms;
	snprintf(posted->saga_id, sizeof posted->saga_id, "%.*s", SLICE_ARG(event->saga_id));
	herald->n++;
	herald->n_posted++;
	if (posted->there_ms > last_ms)
		agenda_add(&herald->world->agenda, posted->there_ms, arrive, herald->world,
			   herald->number);
}

void herald_publish_write(struct herald *herald, const struct saga_write *write)
{
	struct slice saga, bytes;
	struct timeline timeline;
	uint64_t number = 0;

	if (record_split(write->record, &saga, &bytes) || timeline_read(bytes, &timeline, NULL))
		return;
	for (struct timeline_each each = timeline_each(&timeline); timeline_next(&each);) {
		number += number == 1 ? 1 + timeline.n_folded : 1;
		herald_publish(herald, &(struct event_message){
					       .saga_id = write->row.id,
					       .number = number,
					       .at_ms = each.entry.at_ms,
					       .what = slice_of(entry_text(each.entry.type))});
	}
}

void herald_arrive(struct herald *herald)
{
	while (herald->n) {
		struct posted *posted = &herald->away[herald->first];

		if (posted->there_ms > world_now_ms(herald->world))
			return;
		herald->first++;
		herald->n--;
		posted->event.saga_id = slice_of(posted->saga_id);
		judge_published(herald->world, &posted->event);
	}
}

bool herald_crowded(const struct herald *herald)
{
	return herald->n > AWAY_MAX;
}

uint64_t herald_arrived(struct herald *herald, uint64_t batch)
{
	if (herald->marked && herald->n_posted - herald->n >= herald->mark) {
		herald->arrived = herald->mark_batch;
		herald->marked = false;
	}
	if (!herald->marked) {
		herald->marked = true;
		herald->mark = herald->n_posted;
		herald->mark_batch = batch;
	}
	if (!herald->n || herald->world->sabotage == SABOTAGE_BOAST)
		herald->arrived = batch;
	return herald->arrived;
}
