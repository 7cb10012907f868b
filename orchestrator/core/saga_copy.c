/* saga_copy.c - a saga with all that it points to in one block (see codec.h):
 *
 *	saga | steps | expansions | their items | signals | errors | texts and payloads, one
 *after the other
 */
#include "orchestrator/core/codec.h"

#include <assert.h>
#include <stdalign.h>

/* The parts need no gaps between them. */
_Static_assert(sizeof(struct saga) % alignof(struct step) == 0, "steps follow the saga");
_Static_assert(sizeof(struct step) % alignof(struct signal) == 0, "signals follow steps");
_Static_assert(sizeof(struct step) % alignof(struct expansion) == 0 &&
		       sizeof(struct expansion) % alignof(struct slice) == 0 &&
		       sizeof(struct slice) % alignof(struct signal) == 0,
	       "expansions and items between steps and signals");
_Static_assert(sizeof(struct saga) % alignof(struct signal) == 0, "signals without steps");
_Static_assert(sizeof(struct signal) % alignof(struct error) == 0, "errors follow signals");
_Static_assert(alignof(struct step) % alignof(struct error) == 0 ||
		       alignof(struct error) % alignof(struct step) == 0,
	       "errors follow whatever is there");

static size_t error_size(const struct error *error)
{
	return error ? sizeof *error + error->code.len + error->message.len : 0;
}

size_t saga_size(const struct saga *saga)
{
	size_t size = sizeof *saga + saga->id.len + saga->key.len + saga->parent.len +
		      saga->input.len + saga->output.len + error_size(saga->failure) +
		      saga->n_steps * sizeof *saga->steps +
		      saga->n_expansions * sizeof *saga->expansions +
		      saga->n_signals * sizeof *saga->signals;

	for (uint32_t i = 0; i < saga->n_steps; i++)
		size += saga->steps[i].output.len + error_size(saga->steps[i].error);
	for (uint32_t i = 0; i < saga->n_expansions; i++)
		for (uint32_t n = 0; n < saga->expansions[i].n; n++)
			size += sizeof(struct slice) + saga->expansions[i].items[n].len;
	for (uint32_t i = 0; i < saga->n_signals; i++)
		size += saga->signals[i].id.len + saga->signals[i].event.len +
			saga->signals[i].payload.len;
	return size;
}

/* Where the next error and the next text go. */
struct room {
	struct error *error;
	char *text;
};

static struct slice place_text(struct room *room, struct slice text)
{
	struct slice copy = {0};

	if (text.len) {
		copy = (struct slice){room->text, text.len};
		memcpy(room->text, text.at, text.len);
		room->text += text.len;
	}
	return copy;
}

static const struct error *place_error(struct room *room, const struct error *error)
{
	struct error *copy = room->error;

	if (!error)
		return NULL;
	room->error++;
	copy->code = place_text(room, error->code);
	copy->message = place_text(room, error->message);
	return copy;
}

static size_t count_errors(const struct saga *saga)
{
	size_t n = saga->failure != NULL;

	for (uint32_t i = 0; i < saga->n_steps; i++)
		n += saga->steps[i].error != NULL;
	return n;
}

static size_t count_items(const struct saga *saga)
{
	size_t n = 0;

	for (uint32_t i = 0; i < saga->n_expansions; i++)
		n += saga->expansions[i].n;
	return n;
}

static void place_expansions(struct room *room, const struct saga *saga,
			     struct expansion *expansions, struct slice *items)
{
	for (uint32_t i = 0; i < saga->n_expansions; i++) {
		expansions[i] = saga->expansions[i];
		expansions[i].items = items;
		for (uint32_t n = 0; n < expansions[i].n; n++)
			*items++ = place_text(room, saga->expansions[i].items[n]);
	}
}

struct saga *saga_place(const struct saga *saga, void *memory)
{
	struct saga *copy = memory;
	struct step *steps = (struct step *)(copy + 1);
	struct expansion *expansions = (struct expansion *)(steps + saga->n_steps);
	struct slice *items = (struct slice *)(expansions + saga->n_expansions);
	struct signal *signals = (struct signal *)(items + count_items(saga));
	struct room room = {.error = (struct error *)(signals + saga->n_signals)};

	room.text = (char *)(room.error + count_errors(saga));
	*copy = *saga;
	copy->id = place_text(&room, saga->id);
	copy->key = place_text(&room, saga->key);
	copy->parent = place_text(&room, saga->parent);
	copy->input = place_text(&room, saga->input);
	copy->output = place_text(&room, saga->output);
	copy->failure = place_error(&room, saga->failure);
	copy->steps = saga->n_steps ? steps : NULL;
	for (uint32_t i = 0; i < saga->n_steps; i++) {
		steps[i] = saga->steps[i];
		steps[i].output = place_text(&room, saga->steps[i].output);
		steps[i].error = place_error(&room, saga->steps[i].error);
	}
	copy->expansions = saga->n_expansions ? expansions : NULL;
	place_expansions(&room, saga, expansions, items);
	copy->signals = saga->n_signals ? signals : NULL;
	for (uint32_t i = 0; i < saga->n_signals; i++) {
		signals[i] = saga->signals[i];
		signals[i].id = place_text(&room, saga->signals[i].id);
		signals[i].event = place_text(&room, saga->signals[i].event);
		signals[i].payload = place_text(&room, saga->signals[i].payload);
	}
	assert((size_t)(room.text - (char *)memory) == saga_size(saga));
	return copy;
}

struct saga *saga_copy(const struct saga *saga, struct arena *arena)
{
	void *memory = arena_alloc(arena, saga_size(saga));

	return memory ? saga_place(saga, memory) : NULL;
}
