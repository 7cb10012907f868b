#include "participants/lib/deferral.h"

#include <stdlib.h>

struct waiting {
	struct waiting *next;
	struct job job;
};

struct deferral {
	struct deferral *next; /* in its bucket */
	skald_deferred *deferred;
	struct waiting *first, **end; /* first the command itself, then those held */
};

void deferrals_init(struct deferrals *deferrals)
{
	*deferrals = (struct deferrals){0};
	deferrals->end = deferrals->answers_end = &deferrals->first;
}

static struct deferral **find(struct deferrals *deferrals, struct slice id)
{
	uint64_t hash = 14695981039346656037u;
	struct deferral **link;

	for (size_t i = 0; i < id.len; i++)
		hash = (hash ^ (unsigned char)id.at[i]) * 1099511628211u;
	link = &deferrals->buckets[hash % DEFERRAL_BUCKETS];
	while (*link && !slice_equal((*link)->first->job.command.id, id))
		link = &(*link)->next;
	return link;
}

static struct waiting *make_waiting(const struct command_message *command)
{
	struct waiting *waiting = malloc(sizeof *waiting);

	if (waiting)
		*waiting = (struct waiting){.job.command = *command};
	return waiting;
}

bool deferrals_add(struct deferrals *deferrals, const struct command_message *command,
		   skald_deferred *deferred)
{
	struct deferral *deferral = malloc(sizeof *deferral);
	struct waiting *waiting = make_waiting(command);
	struct deferral **link;

	if (!deferral || !waiting) {
		free(deferral);
		free(waiting);
		return false;
	}
	link = find(deferrals, command->id);
	*deferral = (struct deferral){*link, deferred, waiting, &waiting->next};
	*link = deferral;
	deferrals->n++;
	later_set_owner(deferred, deferral);
	return true;
}

/* Itself, or a later attempt, with whose reply the bus forgets this one. */
static bool is_there(const struct deferral *deferral, const struct command_message *command)
{
	for (const struct waiting *waiting = deferral->first; waiting; waiting = waiting->next)
		if (waiting->job.command.attempt >= command->attempt &&
		    slice_equal(waiting->job.command.id, command->id))
			return true;
	return false;
}

enum err deferrals_hold(struct deferrals *deferrals, const struct command_message *command,
			bool *held)
{
	struct deferral *deferral;
	struct waiting *waiting;

	*held = false;
	if (!deferrals->n)
		return OK;
	deferral = *find(deferrals, command->id);
	if (!deferral && command->verb != MESSAGE_DO)
		deferral = *find(deferrals, command->do_id);
	if (!deferral)
		return OK;
	*held = true;
	if (is_there(deferral, command))
		return OK;
	waiting = make_waiting(command);
	if (!waiting)
		return ERR_NOMEM;
	*deferral->end = waiting;
	deferral->end = &waiting->next;
	return OK;
}

static void append(struct deferrals *deferrals, struct waiting *first, struct waiting **end)
{
	*deferrals->end = first;
	deferrals->end = end;
}

/* In front of all but what was put there since one was taken. */
static void insert(struct deferrals *deferrals, struct waiting *first, struct waiting **end)
{
	*end = *deferrals->answers_end;
	if (!*end)
		deferrals->end = end;
	*deferrals->answers_end = first;
	deferrals->answers_end = end;
}

void deferrals_answered(struct deferrals *deferrals, skald_deferred *answered)
{
	struct deferral *deferral = later_owner(answered), **link;

	if (!deferral) {
		later_free(answered);
		return;
	}
	link = find(deferrals, deferral->first->job.command.id);
	*link = deferral->next;
	deferrals->n--;
	deferral->first->job.answered = answered;
	insert(deferrals, deferral->first, deferral->end);
	free(deferral);
}

bool deferrals_take(struct deferrals *deferrals, struct job *out)
{
	struct waiting *waiting = deferrals->first;

	if (!waiting)
		return false;
	*out = waiting->job;
	deferrals->first = waiting->next;
	if (!deferrals->first)
		deferrals->end = &deferrals->first;
	deferrals->answers_end = &deferrals->first;
	free(waiting);
	return true;
}

void deferrals_release(struct deferrals *deferrals)
{
	struct job job;

	while (deferrals_take(deferrals, &job))
		if (job.answered)
			later_free(job.answered);
	for (size_t i = 0; i < DEFERRAL_BUCKETS; i++)
		while (deferrals->buckets[i]) {
			struct deferral *deferral = deferrals->buckets[i];

			deferrals->buckets[i] = deferral->next;
			append(deferrals, deferral->first, deferral->end);
			free(deferral);
		}
	while (deferrals_take(deferrals, &job))
		;
}
