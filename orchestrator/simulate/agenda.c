#include "orchestrator/simulate/agenda.h"

#include <stdlib.h>

static bool before(const struct agenda_item *a, const struct agenda_item *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->number < b->number;
}

static bool grow(struct agenda *agenda)
{
	size_t capacity = agenda->capacity ? agenda->capacity * 2 : 64;
	struct agenda_item *items = realloc(agenda->items, capacity * sizeof *items);

	if (!items)
		return false;
	agenda->items = items;
	agenda->capacity = capacity;
	return true;
}

void agenda_add(struct agenda *agenda, int64_t at_ms, happening *happen, void *context,
		uint64_t argument)
{
	struct agenda_item item = {at_ms, agenda->number++, happen, context, argument};
	size_t at = agenda->n;

	if (at == agenda->capacity && !grow(agenda)) {
		agenda->nomem = true;
		return;
	}
	agenda->n++;
	for (; at > 0 && before(&item, &agenda->items[(at - 1) / 2]); at = (at - 1) / 2)
		agenda->items[at] = agenda->items[(at - 1) / 2];
	agenda->items[at] = item;
}

bool agenda_next(struct agenda *agenda, struct agenda_item *out)
{
	struct agenda_item last;
	size_t at = 0, child;

	if (!agenda->n || agenda->nomem)
		return false;
	*out = agenda->items[0];
	last = agenda->items[--agenda->n];
	while ((child = 2 * at + 1) < agenda->n) {
		if (child + 1 < agenda->n &&
		    before(&agenda->items[child + 1], &agenda->items[child]))
			child++;
		if (!before(&agenda->items[child], &last))
			break;
		agenda->items[at] = agenda->items[child];
		at = child;
	}
	agenda->items[at] = last;
	return true;
}

void agenda_release(struct agenda *agenda)
{
	free(agenda->items);
	*agenda = (struct agenda){0};
}
