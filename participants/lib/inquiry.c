#include "participants/lib/inquiry.h"

#include "base/utf8.h"

enum { TROUBLE_MAX = 1000 };

/* The records of these commands, in their order. */
static enum err find_all(struct barrier *barrier, const struct inquiry_message *inquiry,
			 struct barrier_page *page, struct arena *arena)
{
	struct barrier_record record;
	enum err err = OK;

	for (size_t i = 0; i < inquiry->n_ids && !err; i++) {
		err = barrier->ops->find(barrier, inquiry->ids[i], arena, &record);
		if (!err)
			err = barrier_page_add(page, inquiry->ids[i], record.state,
					       record.first_ms, arena);
	}
	return err;
}

static enum err look(struct barrier *barrier, const struct inquiry_message *inquiry,
		     struct barrier_page *page, struct arena *arena, struct slice *next)
{
	if (inquiry->n_ids)
		return find_all(barrier, inquiry, page, arena);
	/* A page may be a little longer than was asked for. */
	return barrier->ops->list(barrier, inquiry->after, inquiry->limit - inquiry->limit / 4,
				  page, arena, next);
}

static struct slice trouble_of(struct barrier *barrier, enum err err, struct arena *arena)
{
	const char *why = barrier->ops->why && err != ERR_NOMEM && err != ERR_CORRUPT
				  ? barrier->ops->why(barrier)
				  : NULL;
	struct slice text = utf8_cut(slice_of(why ? why : err_text(err)), TROUBLE_MAX), copy;

	return arena_copy(arena, text, &copy) ? copy : slice_of(err_text(ERR_NOMEM));
}

void inquiry_answer(struct barrier *barrier, const struct inquiry_message *inquiry,
		    int64_t kept_ms, struct arena *arena, struct records_message *out)
{
	struct barrier_page page = {
		.records = arena_array(arena, RECORDS_MAX, sizeof *page.records),
		.max = RECORDS_MAX,
		.since_ms = inquiry->n_ids ? INT64_MIN : inquiry->since_ms};
	struct slice next = {0};
	enum err err = page.records ? OK : ERR_NOMEM;

	*out = (struct records_message){.request = inquiry->request, .kept_ms = kept_ms};
	if (!inquiry->n_ids && !barrier->ops->list) {
		out->trouble = SLICE_LITERAL("its barrier cannot be walked through: give its "
					     "callbacks a `list`");
		return;
	}
	if (!err)
		err = barrier->ops->begin(barrier);
	if (!err) {
		err = look(barrier, inquiry, &page, arena, &next);
		if (err)
			out->trouble = trouble_of(barrier, err, arena);
		/* There is nothing to keep, so that a failure loses nothing. */
		if (barrier->ops->commit(barrier))
			barrier->ops->rollback(barrier);
	}
	if (err) {
		if (!out->trouble.len)
			out->trouble = trouble_of(barrier, err, arena);
		return;
	}
	out->records = page.records;
	out->n = page.n;
	out->next = next;
}
