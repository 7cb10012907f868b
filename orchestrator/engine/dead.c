#include "orchestrator/engine/inside.h"
#include "proto/wire.h"

#include <inttypes.h>
#include <stdio.h>

static void log_dead(const struct engine *engine, const struct dead_letter *letter)
{
	struct log_line line;

	log_begin(&line, engine->parts.log, LOG_LEVEL_WARN, "dead-letter-kept");
	log_text(&line, "id", letter->id);
	log_text(&line, "source", letter->source);
	log_text(&line, "reason", letter->reason);
	log_text(&line, "text", letter->text);
	log_end(&line);
}

enum err keep_dead(struct engine *engine, const struct dead_letter *letter)
{
	struct dead_note *note = arena_alloc(&engine->batch, sizeof *note);
	char id[48];

	if (!note)
		return ERR_NOMEM;
	*note = (struct dead_note){.letter = *letter};
	if (!note->letter.at_ms)
		note->letter.at_ms = clock_now_ms(engine->parts.clock);
	snprintf(id, sizeof id, "%" PRId64 "-%" PRIu64, note->letter.at_ms,
		 engine->stats.dead + engine->n_dead);
	if (!letter->id.len && !arena_copy(&engine->batch, slice_of(id), &note->letter.id))
		return ERR_NOMEM;
	*engine->dead_end = note;
	engine->dead_end = &note->next;
	engine->n_dead++;
	return OK;
}

enum err bury_reply(struct engine *engine, const struct inbox_message *message,
		    const char *reason, const char *text)
{
	const struct frame frame = {.type = FRAME_REPLY, .reply = message->reply};
	struct bytes bytes = BYTES(WIRE_LENGTH_SIZE + WIRE_FRAME_MAX, &engine->batch);
	struct dead_letter letter = {.reason = slice_of(reason),
				     .text = slice_of(text),
				     .source = SLICE_LITERAL("a service"),
				     .partition = -1,
				     .offset = -1};
	enum err err;

	if (bus_bury(engine->parts.bus, message, letter.reason, letter.text))
		return OK;
	err = wire_write(&frame, &bytes, NULL);
	if (err)
		return err == ERR_NOMEM ? err : OK; /* it was read, so it can be written */
	letter.value =
		(struct slice){bytes.at + WIRE_LENGTH_SIZE, bytes.len - WIRE_LENGTH_SIZE};
	letter.size = letter.value.len;
	return keep_dead(engine, &letter);
}

static void log_dropped(const struct engine *engine, size_t n)
{
	struct log_line line;

	log_begin(&line, engine->parts.log, LOG_LEVEL_WARN, "dead-letters-dropped");
	log_number(&line, "n", (int64_t)n);
	log_text(&line, "what",
		 SLICE_LITERAL("there are more than are kept, and the oldest went; look at "
			       "`skald dead ls`"));
	log_end(&line);
}

enum err store_dead(struct engine *engine)
{
	struct dead_letter *letters;
	size_t n = 0, n_dropped = 0;
	enum err err;

	if (!engine->n_dead)
		return OK;
	letters = arena_array(&engine->batch, engine->n_dead, sizeof *letters);
	if (!letters)
		return ERR_NOMEM;
	for (const struct dead_note *note = engine->dead; note; note = note->next)
		letters[n++] = note->letter;
	err = store_put_dead(engine->parts.store, letters, n, &n_dropped);
	if (err)
		return err;
	engine->stats.dead += n;
	for (size_t i = 0; i < n; i++)
		log_dead(engine, &letters[i]);
	engine->dead = NULL;
	engine->dead_end = &engine->dead;
	engine->n_dead = 0;
	if (n_dropped)
		log_dropped(engine, n_dropped);
	return OK;
}
