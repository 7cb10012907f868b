#include "orchestrator/simulate/results.h"

#include <assert.h>
#include <stdlib.h>

enum err results_init(struct results *results, const struct simulation *simulation)
{
	const struct definition *definition;
	uint32_t step;

	*results = (struct results){.n_steps = 0};
	while (simulation_step(simulation, results->n_steps, &definition, &step))
		results->n_steps++;
	results->steps =
		arena_array(&results->arena, results->n_steps + 1, sizeof *results->steps);
	return results->steps ? OK : ERR_NOMEM;
}

void results_release(struct results *results)
{
	for (int i = 0; i <= RESULTS_ALL; i++)
		free(results->times[i].list);
	arena_release(&results->arena);
}

/* --- adding ---------------------------------------------------------------------------- */

static bool add_time(struct result_times *times, int64_t ms)
{
	if (times->n == times->capacity) {
		size_t capacity = times->capacity ? times->capacity * 2 : 256;
		int64_t *list = realloc(times->list, capacity * sizeof *list);

		if (!list)
			return false;
		times->list = list;
		times->capacity = capacity;
	}
	times->list[times->n++] = ms;
	return true;
}

static enum err add_reason(struct results *results, const struct run *run)
{
	struct result_reason *reason = results->reasons;
	size_t i = 0;

	if (!run->reason.len)
		return OK;
	for (; i < results->n_reasons; i++, reason++)
		if (reason->end == run->end && slice_equal(reason->text, run->reason))
			break;
	if (i == RESULTS_REASONS_MAX) {
		results->other_reasons++;
		return OK;
	}
	if (i == results->n_reasons) {
		*reason = (struct result_reason){.end = run->end, .seed = run->seed};
		if (!arena_copy(&results->arena, run->reason, &reason->text))
			return ERR_NOMEM;
		results->n_reasons++;
	}
	reason->runs++;
	return OK;
}

static enum err add_violation(struct results *results, const struct run *run)
{
	struct result_violation *violation;

	if (!run->broken || results->n_violations++ >= RESULTS_VIOLATIONS_MAX)
		return OK;
	violation = &results->violations[results->n_violations - 1];
	*violation = (struct result_violation){.seed = run->seed, .invariant = run->broken};
	return arena_copy(&results->arena, slice_of(run->what), &violation->what) ? OK
										  : ERR_NOMEM;
}

static void add_steps(struct results *results, const struct run *run)
{
	for (size_t i = 0; i < results->n_steps; i++) {
		struct step_count *to = &results->steps[i];
		const struct step_count *from = &run->steps[i];

		to->attempts += from->attempts;
		to->timeouts += from->timeouts;
		to->failed += from->failed;
		to->refused += from->refused;
		to->undos += from->undos;
		to->parked += from->parked;
	}
}

static void look_for_worst(struct result_worst *worst, const struct run *run, int64_t value)
{
	if (value > worst->value)
		*worst = (struct result_worst){run->seed, value, run->end};
}

enum err results_add(struct results *results, const struct run *run)
{
	enum err err = OK;

	if (!add_time(&results->times[run->end], run->took_ms) ||
	    !add_time(&results->times[RESULTS_ALL], run->took_ms))
		return ERR_NOMEM;
	add_steps(results, run);
	results->attempts += run->attempts;
	results->messages += run->messages;
	results->events += run->events;
	results->restarts += run->restarts;
	look_for_worst(&results->slowest, run, run->took_ms);
	look_for_worst(&results->busiest, run, (int64_t)run->attempts);
	err = add_reason(results, run);
	return err ? err : add_violation(results, run);
}

/* --- looking --------------------------------------------------------------------------- */

static int compare_times(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* By end, the most frequent first, then as they came. */
static int compare_reasons(const void *a, const void *b)
{
	const struct result_reason *x = a, *y = b;

	if (x->end != y->end)
		return x->end < y->end ? -1 : 1;
	if (x->runs != y->runs)
		return x->runs > y->runs ? -1 : 1;
	return (x->seed > y->seed) - (x->seed < y->seed);
}

void results_finish(struct results *results)
{
	for (int i = 0; i <= RESULTS_ALL; i++)
		if (results->times[i].n)
			qsort(results->times[i].list, results->times[i].n,
			      sizeof *results->times[i].list, compare_times);
	if (results->n_reasons)
		qsort(results->reasons, results->n_reasons, sizeof *results->reasons,
		      compare_reasons);
}

int64_t results_quantile(const struct results *results, int end, uint32_t thousandths)
{
	const struct result_times *times = &results->times[end];

	assert(times->n && thousandths <= 1000);
	return times->list[(times->n * thousandths + 999) / 1000 - (thousandths > 0)];
}
