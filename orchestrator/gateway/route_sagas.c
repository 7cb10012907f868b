/* route_sagas.c - GET /v1/sagas and GET /v1/sagas/{id}. */
#include "base/duration.h"
#include "base/json_line.h"
#include "base/problems.h"
#include "base/rfc3339.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/page.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"
#include "orchestrator/gateway/saga_json.h"
#include "orchestrator/store/record.h"

#include <assert.h>

/* --- what is asked ---------------------------------------------------------------- */

static bool parse_status(struct slice word, enum status *out)
{
	for (int i = 0; i < STATUSES; i++) {
		if (slice_is(word, status_text((enum status)i))) {
			*out = (enum status)i;
			return true;
		}
	}
	return false;
}

static void complain_status(struct request *request, struct slice word)
{
	const char *names[STATUSES], *meant;

	for (int i = 0; i < STATUSES; i++)
		names[i] = status_text((enum status)i);
	meant = suggest(word, names, STATUSES);
	word = utf8_cut(word, NAME_MAX_BYTES);
	request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
		     "there is no status `%.*s`%s%s%s; it is one of running, compensating, "
		     "completed, compensated, parked, killed",
		     SLICE_ARG(word), meant ? " (did you mean `" : "", meant ? meant : "",
		     meant ? "`?)" : "");
}

bool request_statuses(struct request *request, enum status statuses[STATUSES], size_t *n)
{
	struct slice rest = request_query(request, "status");

	for (*n = 0; rest.len; ++*n) {
		const char *comma = memchr(rest.at, ',', rest.len);
		struct slice word = {rest.at, comma ? (size_t)(comma - rest.at) : rest.len};

		if (*n == STATUSES || !parse_status(word, &statuses[*n])) {
			complain_status(request, word);
			return false;
		}
		rest.at += word.len + (comma != NULL);
		rest.len -= word.len + (comma != NULL);
	}
	return true;
}

bool request_time(struct request *request, const char *name, int64_t *out)
{
	struct slice text = request_query(request, name);
	int64_t ms;

	*out = 0;
	if (!text.len)
		return true;
	if (!duration_parse(text, &ms, NULL)) {
		*out = clock_now_ms(request->gateway->parts.clock) - ms;
		return true;
	}
	if (!rfc3339_parse(text, out, NULL))
		return true;
	text = utf8_cut(text, NAME_MAX_BYTES);
	request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
		     "%s=%.*s is neither a time span such as 15m, 24h or 7d nor a time such as "
		     "2025-03-01T09:30:00Z",
		     name, SLICE_ARG(text));
	return false;
}

static bool read_cursor(struct request *request, struct slice *out)
{
	*out = request_query(request, "cursor");
	if (!out->len || saga_id_valid(*out))
		return true;
	request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
		     "this is no cursor; give the `next` of the page before");
	return false;
}

/* --- the list --------------------------------------------------------------------- */

static enum err add_row(void *context, const struct saga_row *row)
{
	struct page *page = context;

	if (!page_wants(page))
		return OK;
	row_members(&page->request->out, row);
	return page_add(page, row->id);
}

void route_list(struct request *request)
{
	struct saga_filter filter = {.saga = request_query(request, "saga"),
				     .key = request_query(request, "key"),
				     .step = request_query(request, "step")};
	struct page page;
	enum status statuses[STATUSES];
	struct slice cursor;
	enum err err;

	filter.statuses = statuses;
	if (!request_statuses(request, statuses, &filter.n_statuses) ||
	    !request_time(request, "since", &filter.since_ms) ||
	    !request_time(request, "older", &filter.until_ms) ||
	    !read_cursor(request, &cursor) || !page_begin(&page, request, "sagas"))
		return;
	err = store_list(request->gateway->parts.store, &filter, cursor, page.limit + 1,
			 add_row, &page);
	page_end(&page, err,
		 "the last saga of the page before was removed since; begin again without a "
		 "cursor");
}

/* --- one -------------------------------------------------------------------------- */

const struct definition *gateway_definition(const struct gateway_parts *parts,
					    const uint8_t hash[SHA256_SIZE])
{
	const struct definition *found = engine_definition_by_hash(parts->engine, hash);

	if (found)
		return found;
	engine_learn(parts->engine);
	return engine_definition_by_hash(parts->engine, hash);
}

enum err gateway_read_saga(const struct gateway_parts *parts, struct slice id,
			   struct arena *arena, struct saga_view *out)
{
	struct slice record, bytes, entries;
	enum err err = store_get(parts->store, id, arena, &out->row, &record);

	if (!err)
		err = record_split(record, &bytes, &entries);
	if (!err)
		err = saga_decode(bytes, arena, &out->saga, out->hash, NULL);
	if (!err)
		err = timeline_read(entries, &out->timeline, NULL);
	if (err)
		return err == ERR_INVALID ? ERR_CORRUPT : err; /* of a newer skald */
	out->engine = parts->engine;
	out->bus = parts->bus;
	out->shard = parts->store->shards.n ? shard_of(id, parts->store->shards.n) : 0;
	out->definition = gateway_definition(parts, out->hash);
	if (out->definition && !saga_fits(out->definition, &out->saga))
		return ERR_CORRUPT;
	return OK;
}

bool request_saga(struct request *request, struct slice id, struct saga_view *out)
{
	enum err err = ERR_NOT_FOUND;

	if (saga_id_valid(id))
		err = gateway_read_saga(&request->gateway->parts, id, &request->arena, out);
	if (!err)
		return true;
	id = utf8_cut(id, 2 * SAGA_ID_MAX);
	if (err == ERR_NOT_FOUND)
		request_fail(
			request, MHD_HTTP_NOT_FOUND, "unknown-saga",
			"there is no saga `%.*s`; those that ended are removed after a while",
			SLICE_ARG(id));
	else
		request_fail_err(request, err);
	return false;
}

bool request_live_saga(struct request *request, struct saga_view *out)
{
	struct slice id = request->parameters[0];

	if (!request_saga(request, id, out))
		return false;
	out->incomplete = request->incomplete;
	return status_ended(out->row.status) || !forward_read(request, id);
}

bool request_explicable(struct request *request, struct saga_view *out)
{
	if (!request_live_saga(request, out))
		return false;
	if (out->definition)
		return true;
	request_fail(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "damaged",
		     "the definition that the saga began with is not in the store, so that "
		     "nobody can tell what it would do");
	return false;
}

void route_show(struct request *request)
{
	struct saga_view view;

	if (!request_live_saga(request, &view))
		return;
	saga_json(&request->out, &view);
	request_answer_json(request, MHD_HTTP_OK);
}
