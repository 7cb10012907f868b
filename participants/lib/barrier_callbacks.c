#include "participants/lib/barrier.h"

#include <assert.h>
#include <stdlib.h>

struct barrier_callbacks {
	struct barrier base;    /* first, so that the two pointers are one */
	struct barrier_ops ops; /* without those that the host has not */
	skald_barrier_callbacks host;
	void *context;
	struct arena texts; /* terminated, for the host */
	bool open;          /* in a transaction */
};

struct skald_found {
	struct arena *arena;
	struct barrier_record *record;
	enum err err;
};

/* The host knows no more of its failures than that they are some. */
static enum err err_of(int failed)
{
	return failed ? ERR_UNAVAILABLE : OK;
}

/* --- transactions ------------------------------------------------------------------ */

static enum err callbacks_begin(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;
	enum err err;

	assert(!barrier->open);
	err = err_of(barrier->host.begin(barrier->context));
	barrier->open = !err;
	return err;
}

static enum err callbacks_commit(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	assert(barrier->open);
	barrier->open = false;
	return err_of(barrier->host.commit(barrier->context));
}

static void callbacks_rollback(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	if (barrier->open)
		barrier->host.rollback(barrier->context);
	barrier->open = false;
}

static enum err callbacks_mark(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	return err_of(barrier->host.mark(barrier->context));
}

static enum err callbacks_back(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	return err_of(barrier->host.back(barrier->context));
}

/* --- records ------------------------------------------------------------------------ */

static bool terminated(struct barrier_callbacks *barrier, struct slice text, const char **out)
{
	struct slice copy = {0};

	if (text.len && !arena_copy(&barrier->texts, text, &copy))
		return false;
	*out = copy.at;
	return true;
}

_Static_assert((int)BARRIER_OK == (int)SKALD_RECORD_OK &&
		       (int)BARRIER_REFUSED == (int)SKALD_RECORD_REFUSED &&
		       (int)BARRIER_BARRED == (int)SKALD_RECORD_BARRED &&
		       (int)BARRIER_UNDONE == (int)SKALD_RECORD_UNDONE,
	       "a host keeps the numbers of the states");

static bool is_state(skald_record_state state)
{
	return state >= SKALD_RECORD_OK && state <= SKALD_RECORD_UNDONE;
}

void skald_found_set(skald_found *found, const skald_record *record)
{
	struct barrier_record *out = found->record;

	if (!is_state(record->state)) {
		found->err = ERR_CORRUPT;
		return;
	}
	out->state = (enum barrier_state)record->state;
	out->first_ms = record->first_ms;
	if (!arena_copy(found->arena, slice_of(record->output), &out->output) ||
	    !arena_copy(found->arena, slice_of(record->code), &out->code) ||
	    !arena_copy(found->arena, slice_of(record->text), &out->text))
		found->err = ERR_NOMEM;
}

static enum err callbacks_find(struct barrier *base, struct slice id, struct arena *arena,
			       struct barrier_record *out)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;
	struct skald_found found = {arena, out, OK};
	const char *name;

	*out = (struct barrier_record){0};
	arena_reset(&barrier->texts);
	if (!terminated(barrier, id, &name))
		return ERR_NOMEM;
	if (barrier->host.find(barrier->context, name ? name : "", &found))
		return ERR_UNAVAILABLE;
	return found.err;
}

static enum err callbacks_keep(struct barrier *base, struct slice id,
			       const struct barrier_record *record)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;
	skald_record row = {.state = (skald_record_state)record->state,
			    .first_ms = record->first_ms};
	const char *name;

	assert(barrier->open && is_state(row.state));
	arena_reset(&barrier->texts);
	if (!terminated(barrier, id, &name) ||
	    !terminated(barrier, record->output, &row.output) ||
	    !terminated(barrier, record->code, &row.code) ||
	    !terminated(barrier, record->text, &row.text))
		return ERR_NOMEM;
	return err_of(barrier->host.keep(barrier->context, name ? name : "", &row));
}

static enum err callbacks_prune(struct barrier *base, int64_t before_ms, size_t limit)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	return err_of(barrier->host.prune(barrier->context, before_ms, limit));
}

struct skald_page {
	struct barrier_page *page;
	struct arena *arena;
	struct slice last; /* id of the last one, in the arena */
	size_t n;          /* that were looked at */
	enum err err;
};

void skald_page_add(skald_page *page, const char *id, skald_record_state state,
		    int64_t first_ms)
{
	page->n++;
	if (page->err)
		return;
	if (!is_state(state))
		page->err = ERR_CORRUPT;
	else if (!arena_copy(page->arena, slice_of(id), &page->last))
		page->err = ERR_NOMEM;
	else
		page->err = barrier_page_add(page->page, page->last, (enum barrier_state)state,
					     first_ms, page->arena);
}

static enum err callbacks_list(struct barrier *base, struct slice after, size_t limit,
			       struct barrier_page *page, struct arena *arena,
			       struct slice *next)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;
	struct skald_page of = {.page = page, .arena = arena};
	const char *name;

	arena_reset(&barrier->texts);
	if (!terminated(barrier, after, &name))
		return ERR_NOMEM;
	if (barrier->host.list(barrier->context, name ? name : "", limit, &of))
		return ERR_UNAVAILABLE;
	*next = of.n >= limit ? of.last : (struct slice){0};
	return of.err;
}

static const char *callbacks_why(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	return barrier->host.why(barrier->context);
}

/* --- making one ------------------------------------------------------------------------ */

static void callbacks_close(struct barrier *base)
{
	struct barrier_callbacks *barrier = (struct barrier_callbacks *)base;

	callbacks_rollback(base);
	if (barrier->host.close)
		barrier->host.close(barrier->context);
	arena_release(&barrier->texts);
	free(barrier);
}

skald_barrier *skald_barrier_new(const skald_barrier_callbacks *callbacks, void *context)
{
	struct barrier_callbacks *barrier = calloc(1, sizeof *barrier);
	bool marks = callbacks->mark && callbacks->back;

	if (!barrier)
		return NULL;
	barrier->host = *callbacks;
	barrier->context = context;
	barrier->ops = (struct barrier_ops){
		.begin = callbacks_begin,
		.commit = callbacks_commit,
		.rollback = callbacks_rollback,
		.mark = marks ? callbacks_mark : NULL,
		.back = marks ? callbacks_back : NULL,
		.find = callbacks_find,
		.keep = callbacks_keep,
		.prune = callbacks->prune ? callbacks_prune : NULL,
		.list = callbacks->list ? callbacks_list : NULL,
		.why = callbacks->why ? callbacks_why : NULL,
		.close = callbacks_close,
	};
	barrier->base.ops = &barrier->ops;
	return (skald_barrier *)&barrier->base;
}

void skald_barrier_free(skald_barrier *barrier)
{
	barrier_close(barrier_of(barrier));
}
