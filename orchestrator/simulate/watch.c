/* watch.c - what the engine stores: counts, the transcript, and the list of sagas. */
#include "orchestrator/simulate/world.h"

#include "orchestrator/core/describe.h"
#include "orchestrator/store/record.h"

#include <stdarg.h>
#include <stdio.h>

/* --- notes ----------------------------------------------------------------------------- */

const char *time_text(int64_t ms, char text[DIAG_MAX])
{
	enum { SECOND_MS = 1000, MINUTE_MS = 60 * SECOND_MS };

	if (ms < SECOND_MS)
		(void)snprintf(text, DIAG_MAX, "%lldms", (long long)ms);
	else if (ms < MINUTE_MS)
		(void)snprintf(text, DIAG_MAX, "%lld.%llds", (long long)(ms / SECOND_MS),
			       (long long)(ms % SECOND_MS / 100));
	else
		(void)snprintf(text, DIAG_MAX, "%lldm%02llds", (long long)(ms / MINUTE_MS),
			       (long long)(ms % MINUTE_MS / SECOND_MS));
	return text;
}

static bool notes_grow(struct world *world)
{
	size_t capacity = world->notes_capacity ? world->notes_capacity * 2 : 64;
	struct note *notes = arena_array(&world->run->arena, capacity, sizeof *notes);

	if (!notes)
		return false;
	if (world->run->n_notes)
		memcpy(notes, world->run->notes, world->run->n_notes * sizeof *notes);
	world->run->notes = notes;
	world->notes_capacity = capacity;
	return true;
}

static void add_note(struct world *world, struct note note, struct slice text)
{
	struct run *run = world->run;

	if (run->n_notes == RUN_NOTES_MAX)
		return;
	if ((run->n_notes == world->notes_capacity && !notes_grow(world)) ||
	    !arena_copy(&run->arena, text, &note.text)) {
		world_fail(world, ERR_NOMEM);
		return;
	}
	note.at_ms = world_now_ms(world);
	run->notes[run->n_notes++] = note;
}

void tell(struct world *world, uint32_t from, uint32_t to, const char *format, ...)
{
	char text[DIAG_MAX];
	va_list args;

	if (!world->transcript)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add_note(world, (struct note){.from = from, .to = to}, slice_of(text));
}

void tell_lost(struct world *world, uint32_t from, uint32_t to, const char *format, ...)
{
	char text[DIAG_MAX];
	va_list args;

	if (!world->transcript)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add_note(world, (struct note){.from = from, .to = to, .lost = true}, slice_of(text));
}

/* --- books ----------------------------------------------------------------------------- */

struct book *book_find(const struct world *world, struct slice id)
{
	struct book *book = world->books;

	while (book && !slice_equal(book->id, id))
		book = book->next;
	return book;
}

static size_t definition_index(const struct world *world, const struct saga_row *row)
{
	const struct family *family = &world->simulation->setup.family;
	size_t i = family->n;

	while (i-- > 0)
		if (slice_equal(family->list[i]->name, row->saga) &&
		    slice_equal(family->list[i]->version, row->version))
			break;
	return i;
}

static struct book *book_add(struct world *world, const struct saga_row *row)
{
	struct book *book = arena_alloc(&world->run->arena, sizeof *book);

	if (!book || !arena_copy(&world->run->arena, row->id, &book->id)) {
		world_fail(world, ERR_NOMEM);
		return NULL;
	}
	book->definition = definition_index(world, row);
	*world->books_end = book;
	world->books_end = &book->next;
	return book;
}

enum err book_read(const struct world *world, struct slice id, struct arena *arena,
		   struct saga *out)
{
	struct slice record, bytes, timeline;
	uint8_t hash[SHA256_SIZE];
	enum err err = store_get(world->archive, id, arena, NULL, &record);

	if (!err)
		err = record_split(record, &bytes, &timeline);
	return err ? err : saga_decode(bytes, arena, out, hash, NULL);
}

/* --- what was stored ------------------------------------------------------------------- */

static void count_entry(struct world *world, const struct book *book, const struct saga *saga,
			const struct entry *entry)
{
	const struct definition *definition = world_definition(world, book);
	struct step_count *count;

	if (entry->step == NO_STEP)
		return;
	count = &world->run->steps[world->simulation->first_count[book->definition] +
				   saga_instance(definition, saga, entry->step).step];
	switch (entry->type) {
	case ENTRY_SENT:
		world->run->attempts++;
		count->attempts += entry->verb != VERB_UNDO;
		count->undos += entry->verb == VERB_UNDO;
		break;
	case ENTRY_TIMEOUT: count->timeouts++; break;
	case ENTRY_FAILED: count->failed++; break;
	case ENTRY_REFUSED: count->refused++; break;
	case ENTRY_PARKED: count->parked++; break;
	default: break; /* the others are for the transcript alone */
	}
}

/* Messages and who sent them are noted where they are sent. */
static bool is_noted(enum entry_type type)
{
	switch (type) {
	case ENTRY_STARTED:
	case ENTRY_SENT:
	case ENTRY_OK:
	case ENTRY_REFUSED:
	case ENTRY_FAILED:
	case ENTRY_EXPIRED:
	case ENTRY_SIGNAL:
	case ENTRY_OPERATION: return false;
	case ENTRY_TIMEOUT:
	case ENTRY_LATE_OK:
	case ENTRY_ENTERED:
	case ENTRY_LEFT:
	case ENTRY_SKIPPED:
	case ENTRY_IN_DOUBT:
	case ENTRY_PARKED:
	case ENTRY_ERROR:
	case ENTRY_TURNED:
	case ENTRY_WENT_ON:
	case ENTRY_DEADLINE:
	case ENTRY_ENDED:
	case ENTRY_KILLED: return true;
	}
	return false;
}

static void note_entry(struct world *world, const struct book *book, const struct saga *saga,
		       const struct entry *entry)
{
	struct bytes text = BYTES(DIAG_MAX - 1, NULL);

	if (!world->transcript || !is_noted(entry->type))
		return;
	if (book != world->books) {
		bytes_append(&text, book->id);
		bytes_text(&text, ": ");
	}
	describe_entry(world_definition(world, book), saga, entry, &text);
	tell(world, ACTOR_SKALD, ACTOR_SKALD, "%.*s", SLICE_ARG(bytes_slice(&text)));
	bytes_release(&text);
}

/* A child that is undone has ended before. */
static void follow_status(struct world *world, struct book *book, enum status status)
{
	bool ended = status_ended(status);

	book->status = status;
	if (ended && !book->ended)
		book->ended_ms = world_now_ms(world);
	book->ended = ended;
}

void watch_stored(void *context, const struct definition *definition,
		  const struct saga_row *row, const struct saga *saga,
		  const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct world *world = context;
	struct book *book;

	if (world->dead)
		return;
	book = book_find(world, row->id);
	if (!book)
		book = book_add(world, row);
	if (!book || row->revision <= book->revision)
		return;
	book->revision = row->revision;
	for (size_t i = 0; i < n_entries; i++) {
		const struct entry *entry = &entries[i];

		count_entry(world, book, saga, entry);
		note_entry(world, book, saga, entry);
		if (entry->type == ENTRY_ENTERED && entry->step != NO_STEP &&
		    saga_step_definition(definition, saga, entry->step)->form == FORM_AWAIT)
			crowd_signal(world, book, saga, entry->step);
	}
	follow_status(world, book, row->status);
}
