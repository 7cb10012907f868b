#include "orchestrator/core/timeline.h"

#include "base/pack.h"

#include <assert.h>
#include <inttypes.h>

/* Format 1. n: a number, s: a signed number, t: a text (see base/pack.h).
 *
 *	timeline = n:version n:n_folded s:origin_ms entry*
 *	entry    = n:head s:milliseconds after the origin [n:step] [n:attempt]
 *	           [t:detail] [t:actor]
 *
 * A head holds type and verb, and one bit for each part in brackets that is
 * there: a part that is zero, empty or NO_STEP must not be. */
enum entry_head {
	ENTRY_HEAD_TYPE = 0,
	ENTRY_HEAD_TYPE_BITS = 5,
	ENTRY_HEAD_STEP = 1 << 5,
	ENTRY_HEAD_ATTEMPT = 1 << 6,
	ENTRY_HEAD_VERB = 7,
	ENTRY_HEAD_VERB_BITS = 2,
	ENTRY_HEAD_DETAIL = 1 << 9,
	ENTRY_HEAD_ACTOR = 1 << 10,
	ENTRY_HEAD_MAX = (1 << 11) - 1,
};

_Static_assert(ENTRY_KILLED < 1 << ENTRY_HEAD_TYPE_BITS, "types have 5 bits");
_Static_assert(VERB_REVOKE < 1 << ENTRY_HEAD_VERB_BITS, "verbs have 2 bits");

/* --- writing ------------------------------------------------------------------- */

static void write_header(struct bytes *out, uint64_t n_folded, int64_t origin_ms)
{
	struct pack pack;

	pack_begin(&pack, out);
	pack_number(&pack, TIMELINE_FORMAT);
	pack_number(&pack, n_folded);
	pack_signed(&pack, origin_ms);
	pack_end(&pack);
}

void timeline_begin(struct bytes *out, int64_t origin_ms)
{
	write_header(out, 0, origin_ms);
}

/* As much of the text as fits, in whole characters. */
static struct slice cut(struct slice text, size_t max)
{
	if (text.len <= max)
		return text;
	text.len = max;
	while (text.len > 0 && ((unsigned char)text.at[text.len] & 0xc0) == 0x80)
		text.len--;
	return text;
}

void timeline_append(struct bytes *out, int64_t origin_ms, const struct entry *entry)
{
	struct slice detail = cut(entry->detail, ENTRY_DETAIL_MAX);
	struct slice actor = cut(entry->actor, ENTRY_ACTOR_MAX);
	uint32_t head = (uint32_t)entry->type << ENTRY_HEAD_TYPE | (uint32_t)entry->verb
									   << ENTRY_HEAD_VERB;
	struct pack pack;

	assert(entry->type <= ENTRY_KILLED && entry->verb <= VERB_REVOKE);
	assert(entry->step == NO_STEP || entry->step < INSTANCES_MAX);
	head |= entry->step != NO_STEP ? ENTRY_HEAD_STEP : 0;
	head |= entry->attempt ? ENTRY_HEAD_ATTEMPT : 0;
	head |= detail.len ? ENTRY_HEAD_DETAIL : 0;
	head |= actor.len ? ENTRY_HEAD_ACTOR : 0;
	pack_begin(&pack, out);
	pack_number(&pack, head);
	pack_time(&pack, entry->at_ms, origin_ms);
	if (entry->step != NO_STEP)
		pack_number(&pack, entry->step);
	if (entry->attempt)
		pack_number(&pack, entry->attempt);
	if (detail.len)
		pack_slice(&pack, detail);
	if (actor.len)
		pack_slice(&pack, actor);
	pack_end(&pack);
}

/* --- reading ------------------------------------------------------------------- */

static struct slice read_text(struct unpack *in, size_t max, const char *what)
{
	size_t where = in->at;
	struct slice text = unpack_slice(in, max, what);

	if (text.len == 0)
		unpack_reject(in, where, what, "is empty");
	return text;
}

static void read_entry(struct unpack *in, int64_t origin_ms, struct entry *entry)
{
	static const char what[] = "the head of an entry";
	static const char what_attempt[] = "the attempt of an entry";
	size_t where = in->at;
	uint64_t head = unpack_number(in, ENTRY_HEAD_MAX, what);
	unsigned type = head >> ENTRY_HEAD_TYPE & ((1u << ENTRY_HEAD_TYPE_BITS) - 1);
	unsigned verb = head >> ENTRY_HEAD_VERB & ((1u << ENTRY_HEAD_VERB_BITS) - 1);

	*entry = (struct entry){.step = NO_STEP};
	if (type > ENTRY_KILLED || verb > VERB_REVOKE) {
		unpack_reject(in, where, what, "is out of range");
		return;
	}
	entry->type = (enum entry_type)type;
	entry->verb = (enum verb)verb;
	entry->at_ms = unpack_time(in, origin_ms, "the time of an entry");
	if (head & ENTRY_HEAD_STEP)
		entry->step =
			(uint32_t)unpack_number(in, INSTANCES_MAX - 1, "the step of an entry");
	if (head & ENTRY_HEAD_ATTEMPT) {
		where = in->at;
		entry->attempt = (uint32_t)unpack_number(in, UINT32_MAX, what_attempt);
		if (entry->attempt == 0)
			unpack_reject(in, where, what_attempt, "is zero");
	}
	if (head & ENTRY_HEAD_DETAIL)
		entry->detail = read_text(in, ENTRY_DETAIL_MAX, "the detail of an entry");
	if (head & ENTRY_HEAD_ACTOR)
		entry->actor = read_text(in, ENTRY_ACTOR_MAX, "the actor of an entry");
}

enum err timeline_read(struct slice bytes, struct timeline *out, struct diag *diag)
{
	struct unpack in = unpack_begin(bytes);
	struct timeline timeline = {0};
	struct entry entry;
	uint64_t format;

	if (bytes.len > TIMELINE_BYTES_MAX)
		return diag_set(diag, ERR_CORRUPT,
				"the timeline has %zu bytes and can have %d at most: restore "
				"it from a backup",
				bytes.len, TIMELINE_BYTES_MAX);
	format = unpack_number(&in, UINT64_MAX, "the format");
	if (format > TIMELINE_FORMAT)
		return diag_set(diag, ERR_INVALID,
				"the timeline is in format %" PRIu64
				", of a newer skald; this one "
				"reads formats up to %d: run the newer one",
				format, TIMELINE_FORMAT);
	if (format == 0)
		unpack_reject(&in, 0, "the format", "is zero");
	timeline.n_folded = unpack_number(&in, INT64_MAX, "the number of folded entries");
	timeline.origin_ms = unpack_signed(&in, "the origin");
	timeline.entries =
		(struct slice){bytes.at ? bytes.at + in.at : NULL, bytes.len - in.at};
	while (!unpack_done(&in)) {
		read_entry(&in, timeline.origin_ms, &entry);
		timeline.n_entries++;
	}
	if (!in.what && timeline.n_folded > 0 && timeline.n_entries == 0)
		unpack_reject(&in, in.at, "the first entry", "is missing");
	if (in.what)
		return diag_set(diag, ERR_CORRUPT,
				"the timeline is damaged at byte %zu (%s %s): restore it from "
				"a backup",
				in.where, in.what, in.how);
	*out = timeline;
	return OK;
}

struct timeline_each timeline_each(const struct timeline *timeline)
{
	return (struct timeline_each){.rest = timeline->entries,
				      .origin_ms = timeline->origin_ms};
}

bool timeline_next(struct timeline_each *each)
{
	struct unpack in = unpack_begin(each->rest);

	if (unpack_done(&in))
		return false;
	read_entry(&in, each->origin_ms, &each->entry);
	assert(!in.what); /* timeline_read has seen it */
	each->rest.at += in.at;
	each->rest.len -= in.at;
	return true;
}

void timeline_fold(const struct timeline *timeline, uint32_t keep, struct bytes *out)
{
	struct timeline_each each = timeline_each(timeline);
	uint32_t n_dropped;
	struct slice first;

	assert(keep >= 1);
	n_dropped = timeline->n_entries > keep ? timeline->n_entries - keep : 0;
	write_header(out, timeline->n_folded + n_dropped, timeline->origin_ms);
	if (!timeline_next(&each))
		return;
	first = (struct slice){timeline->entries.at, timeline->entries.len - each.rest.len};
	for (uint32_t i = 0; i < n_dropped && timeline_next(&each); i++)
		;
	bytes_append(out, first);
	bytes_append(out, each.rest);
}
