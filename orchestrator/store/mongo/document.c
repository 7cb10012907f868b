#include "orchestrator/store/mongo/document.h"

#include "base/utf8.h"
#include "orchestrator/core/describe.h"
#include "orchestrator/store/record.h"

#include <stdio.h>

void document_add_text(bson_t *out, const char *name, struct slice text)
{
	bson_append_utf8(out, name, -1, text.len ? text.at : "", (int)text.len);
}

/* null where there is none: so every document has every field. */
static void add_optional(bson_t *out, const char *name, struct slice text)
{
	if (text.len)
		document_add_text(out, name, text);
	else
		BSON_APPEND_NULL(out, name);
}

static void add_time(bson_t *out, const char *name, int64_t ms)
{
	if (ms)
		BSON_APPEND_DATE_TIME(out, name, ms);
	else
		BSON_APPEND_NULL(out, name);
}

/* --- for people --------------------------------------------------------------------- */

static void add_error(bson_t *out, const struct error *error)
{
	char text[2 * DOCUMENT_TEXT_MAX];
	struct slice message = utf8_cut(error->message, DOCUMENT_TEXT_MAX);
	struct slice code = utf8_cut(error->code, 64);

	snprintf(text, sizeof text, "%.*s: %.*s", SLICE_ARG(code), SLICE_ARG(message));
	BSON_APPEND_UTF8(out, "error", text);
}

static void add_step(bson_t *out, const struct saga_write *write, uint32_t index)
{
	const struct step *step = &write->saga->steps[index];
	char room[INSTANCE_NAME_MAX], name[INSTANCE_NAME_MAX];
	bson_t fields;

	snprintf(name, sizeof name, "%.*s",
		 SLICE_ARG(saga_step_name(write->definition, write->saga, index, room)));
	BSON_APPEND_DOCUMENT_BEGIN(out, name, &fields);
	BSON_APPEND_UTF8(&fields, "state", step_state_text((enum step_state)step->state));
	if (step->attempt) {
		BSON_APPEND_UTF8(&fields, "verb", verb_text((enum verb)step->verb));
		BSON_APPEND_INT64(&fields, "attempt", step->attempt);
	}
	if (step->started_ms)
		BSON_APPEND_DATE_TIME(&fields, "started_at", step->started_ms);
	if (step->ended_ms)
		BSON_APPEND_DATE_TIME(&fields, "ended_at", step->ended_ms);
	if (step->error)
		add_error(&fields, step->error);
	bson_append_document_end(out, &fields);
}

static void add_steps(bson_t *out, const struct saga_write *write)
{
	uint32_t n = write->saga->n_steps;
	bson_t steps;

	BSON_APPEND_DOCUMENT_BEGIN(out, "steps", &steps);
	for (uint32_t i = 0; i < n && i < DOCUMENT_STEPS_MAX; i++)
		add_step(&steps, write, i);
	bson_append_document_end(out, &steps);
}

static void add_entry(bson_t *list, uint32_t index, const struct saga_write *write,
		      const struct entry *entry)
{
	struct bytes text = BYTES(ENTRY_BYTES_MAX * 4, NULL);
	const char *key;
	char room[16];
	bson_t fields;

	bson_uint32_to_string(index, &key, room, sizeof room);
	describe_entry(write->definition, write->saga, entry, &text);
	BSON_APPEND_DOCUMENT_BEGIN(list, key, &fields);
	BSON_APPEND_DATE_TIME(&fields, "at", entry->at_ms);
	document_add_text(&fields, "what", bytes_slice(&text));
	bson_append_document_end(list, &fields);
	bytes_release(&text);
}

static void add_timeline(bson_t *out, const struct saga_write *write)
{
	struct slice saga, bytes;
	struct timeline timeline;
	uint32_t n = 0, skipped = 0;
	bson_t list;

	if (record_split(write->record, &saga, &bytes) || timeline_read(bytes, &timeline, NULL))
		return;
	if (timeline.n_entries > DOCUMENT_TIMELINE_MAX)
		skipped = timeline.n_entries - DOCUMENT_TIMELINE_MAX;
	BSON_APPEND_ARRAY_BEGIN(out, "timeline", &list);
	for (struct timeline_each each = timeline_each(&timeline); timeline_next(&each); n++)
		if (n >= skipped)
			add_entry(&list, n - skipped, write, &each.entry);
	bson_append_array_end(out, &list);
}

/* --- writing ------------------------------------------------------------------------ */

/* What every write says anew. */
static void add_changing(bson_t *out, const struct saga_write *write,
			 const struct document_marks *marks)
{
	const struct saga_row *row = &write->row;

	BSON_APPEND_UTF8(out, "status", status_text(row->status));
	BSON_APPEND_BOOL(out, "paused", row->paused);
	add_optional(out, "step", row->step);
	add_optional(out, "reason", row->reason);
	BSON_APPEND_DATE_TIME(out, "updated_at", row->updated_ms);
	add_time(out, "ended_at", row->ended_ms);
	BSON_APPEND_INT64(out, "revision", (int64_t)row->revision);
	BSON_APPEND_INT64(out, "epoch", marks->epoch);
	BSON_APPEND_INT64(out, "write", marks->write);
	BSON_APPEND_INT64(out, "member", marks->member);
	BSON_APPEND_INT64(out, "batch", (int64_t)marks->batch);
	BSON_APPEND_INT64(out, "news", write->n_news);
	if (write->saga) {
		add_steps(out, write);
		add_timeline(out, write);
	}
	BSON_APPEND_BINARY(out, "record", BSON_SUBTYPE_BINARY,
			   (const uint8_t *)write->record.at, (uint32_t)write->record.len);
}

void document_insert(bson_t *out, const struct saga_write *write,
		     const struct document_marks *marks)
{
	const struct saga_row *row = &write->row;

	document_add_text(out, "_id", row->id);
	document_add_text(out, "saga", row->saga);
	document_add_text(out, "version", row->version);
	document_add_text(out, "key", row->key);
	BSON_APPEND_INT32(out, "hash", (int32_t)shard_hash(shard_key(row->id)));
	BSON_APPEND_DATE_TIME(out, "started_at", row->started_ms);
	BSON_APPEND_INT64(out, "order", marks->order);
	add_changing(out, write, marks);
}

void document_update(bson_t *out, const struct saga_write *write,
		     const struct document_marks *marks)
{
	bson_t set;

	BSON_APPEND_DOCUMENT_BEGIN(out, "$set", &set);
	add_changing(&set, write, marks);
	bson_append_document_end(out, &set);
}

/* --- reading ------------------------------------------------------------------------ */

struct slice document_text(const bson_t *document, const char *name)
{
	bson_iter_t iter;
	uint32_t len = 0;
	const char *text;

	if (!bson_iter_init_find(&iter, document, name) || !BSON_ITER_HOLDS_UTF8(&iter))
		return (struct slice){0};
	text = bson_iter_utf8(&iter, &len);
	return (struct slice){text, len};
}

struct slice document_bytes(const bson_t *document, const char *name)
{
	const uint8_t *bytes = NULL;
	bson_iter_t iter;
	uint32_t len = 0;

	if (!bson_iter_init_find(&iter, document, name) || !BSON_ITER_HOLDS_BINARY(&iter))
		return (struct slice){0};
	bson_iter_binary(&iter, NULL, &len, &bytes);
	return (struct slice){(const char *)bytes, len};
}

int64_t document_number(const bson_t *document, const char *name)
{
	bson_iter_t iter;

	if (!bson_iter_init_find(&iter, document, name))
		return 0;
	return BSON_ITER_HOLDS_DATE_TIME(&iter) ? bson_iter_date_time(&iter)
						: bson_iter_as_int64(&iter);
}

void document_row_fields(bson_t *projection)
{
	static const char *const names[] = {"saga",     "version",    "key",     "status",
					    "paused",   "step",       "reason",  "started_at",
					    "ended_at", "updated_at", "revision"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		BSON_APPEND_INT32(projection, names[i], 1);
}

enum err document_row(const bson_t *document, struct saga_row *out)
{
	struct slice status = document_text(document, "status");
	int found = 0;

	while (found < STATUSES && !slice_is(status, status_text((enum status)found)))
		found++;
	*out = (struct saga_row){
		.id = document_text(document, "_id"),
		.key = document_text(document, "key"),
		.saga = document_text(document, "saga"),
		.version = document_text(document, "version"),
		.status = (enum status)found,
		.paused = document_number(document, "paused"),
		.step = document_text(document, "step"),
		.reason = document_text(document, "reason"),
		.started_ms = document_number(document, "started_at"),
		.updated_ms = document_number(document, "updated_at"),
		.ended_ms = document_number(document, "ended_at"),
		.revision = (uint64_t)document_number(document, "revision"),
	};
	return found < STATUSES && out->id.len && out->key.len && out->saga.len ? OK
										: ERR_CORRUPT;
}
