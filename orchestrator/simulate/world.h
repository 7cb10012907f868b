/* world.h - what a run consists of; private to this folder.
 *
 * run.c lets it happen. letters.c is the bus, flaky.c the store that fails now and
 * then, services.c the participants, crowd.c those who start, signal and cancel. What
 * the engine stores comes to watch.c, what takes effect at participants to law.c, and
 * ending.c says how it ended.
 */
#ifndef SKALD_SIMULATE_WORLD_H
#define SKALD_SIMULATE_WORLD_H

#include "orchestrator/engine/address.h"
#include "orchestrator/simulate/agenda.h"
#include "orchestrator/simulate/run.h"

enum { TRANSIT_MS = 1 }; /* of a message */

struct simulation {
	struct simulation_setup setup;
	struct arena arena;
	struct shapes *shapes; /* by definition of the family */
	uint32_t *first_count; /* likewise: of its steps among all counts */
	uint32_t n_counts;
};

/* --- what took effect ------------------------------------------------------------------ */

/* Of one instance of a step. */
struct entry_book {
	uint32_t done, undone; /* effects */
	uint16_t done_round;
	bool barred; /* its do must not take effect any more */
};

/* Of one saga. */
struct book {
	struct book *next;
	struct slice id;
	size_t definition; /* of the family */
	uint64_t revision; /* the newest that was told of */
	enum status status;
	bool ended;
	int64_t ended_ms;
	bool cancelled;             /* somebody was told that it will turn back */
	struct entry_book *entries; /* by element, and therein by step */
	size_t n_entries;
};

/* --- who is there ---------------------------------------------------------------------- */

struct service {
	struct service *next;
	struct world *world;
	uint32_t actor; /* in notes */
	struct slice name;
	const struct planned_participant *plan; /* NULL: none */
	struct barrier *barrier;
	uint32_t life;         /* how often it has died */
	int64_t began_ms;      /* its present life */
	int64_t away_until_ms; /* since it died */

	/* While a command is being answered. */
	const struct behaviour *behaviour;
	bool ran; /* the handler */
};

/* A message that is under way, waits, or is being worked on. */
struct letter {
	struct letter *next, **link; /* among all */
	struct letter *queued;       /* behind it in the inbox, or among the polled */
	struct world *world;
	struct service *service; /* whose command, or reply, it is */
	struct command_message *command;
	struct reply_message *reply; /* owned; what the message says, or NULL */
	struct inbox_message message;
	uint32_t copy; /* 0, 1: it was sent twice */
	uint32_t life; /* of the service, when it began to work on it */
};

struct queue {
	struct letter *first, **end;
};

struct sim_clock {
	struct clock base; /* first, so that the two pointers are one */
	int64_t passed_ms;
	int64_t wrong_ms; /* how far the wall clock is off */
};

struct sim_bus {
	struct bus base; /* first, so that the two pointers are one */
	struct world *world;
};

struct flaky_store {
	struct store base; /* first, so that the two pointers are one */
	struct world *world;
	struct store *real;
};

struct world {
	struct simulation *simulation;
	struct run *run;
	uint64_t seed;
	bool transcript;
	struct diag *diag;
	enum err err; /* the run is of no use: memory, or what the diag says */

	struct agenda agenda;
	struct sim_clock clock;
	struct letter *letters;
	struct service *services;
	uint32_t n_services;
	struct book *books; /* the saga's own is the first */
	struct book **books_end;
	struct json input;

	struct vault *vault;
	struct store *archive; /* for those who look */
	struct flaky_store flaky;
	struct sim_bus bus;
	struct engine *engine; /* NULL: it is down */
	uint64_t lives;        /* of the orchestrator */
	bool behind;           /* it died behind a commit, not before one */
	bool dead;             /* it died in the present turn: what it does now is not done */
	int64_t stalled_until_ms;
	uint64_t n_commits, n_turns;
	struct queue inbox, polled;
	bool acknowledged; /* the start */
	size_t notes_capacity;
};

static inline const struct definition *world_definition(const struct world *world,
							const struct book *book)
{
	return world->simulation->setup.family.list[book->definition];
}

static inline int64_t world_now_ms(const struct world *world)
{
	return world->clock.passed_ms;
}

static inline struct dice world_dice(const struct world *world, const char *purpose,
				     struct slice who, uint64_t number)
{
	return dice_for(world->seed, purpose, who, number);
}

/* Whether the fault happens to this one, and for how long. */
bool world_fault(const struct world *world, enum fault fault, struct slice who, uint64_t number,
		 int64_t *for_ms);

/* Keep the first thing that ends the run as such. */
void world_fail(struct world *world, enum err err);

/* --- letters.c ------------------------------------------------------------------------- */

struct bus *letters_bus(struct world *world);

/* Hand a message to the orchestrator; the texts are the world's for ever. */
void letters_submit(struct world *world, const struct inbox_message *message);

/* From a participant, which is done with the letter. */
void letters_reply(struct letter *letter, const struct reply_message *reply);

void letter_free(struct letter *letter);
void letters_return(struct world *world); /* what was polled and not acknowledged */
void letters_release(struct world *world);

/* --- flaky.c --------------------------------------------------------------------------- */

/* False: no memory. */
bool flaky_open(struct world *world);
void flaky_close(struct world *world); /* also where it is not open */

/* --- services.c ------------------------------------------------------------------------ */

/* NULL: no memory. */
struct service *service_find(struct world *world, struct slice name);

/* A command has arrived. */
void service_arrive(void *letter, uint64_t argument);
void services_release(struct world *world);

/* --- crowd.c --------------------------------------------------------------------------- */

void crowd_start(struct world *world);
void crowd_told(struct world *world, const struct result_message *result);

/* A saga has begun to wait for an event. */
void crowd_signal(struct world *world, struct book *book, const struct saga *saga,
		  uint32_t instance);

/* --- watch.c --------------------------------------------------------------------------- */

/* What the engine has stored: an observer, whose context is the world. */
void watch_stored(void *world, const struct definition *definition, const struct saga_row *row,
		  const struct saga *saga, const struct entry *entries, size_t n_entries,
		  uint64_t first);

/* Of a saga that has begun; NULL: there is none. */
struct book *book_find(const struct world *world, struct slice id);

/* The saga as it is stored, in the arena. ERR_NOT_FOUND, ERR_NOMEM. */
CHECKED enum err book_read(const struct world *world, struct slice id, struct arena *arena,
			   struct saga *out);

/* One line of the transcript. Nothing happens where nobody wants one. */
void tell(struct world *world, uint32_t from, uint32_t to, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void tell_lost(struct world *world, uint32_t from, uint32_t to, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* "250ms", "4.2s", "3m12s": for notes. */
const char *time_text(int64_t ms, char text[DIAG_MAX]);

/* --- law.c ----------------------------------------------------------------------------- */

/* A do or undo has taken effect, or an undo or revoke was answered ok without. */
void law_effect(struct world *world, const struct command_message *command);
void law_barred(struct world *world, const struct command_message *command);

/* Nothing more happens: hold the sagas, as they are stored, to their effects. */
void law_books(struct world *world);

/* Only the first thing that is wrong is kept. */
void law_wrong(struct world *world, enum invariant invariant, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- ending.c -------------------------------------------------------------------------- */

/* Say in the run how it ended, and whether that is right; `bounded`: a bound did it. */
void conclude(struct world *world, bool bounded);

#endif
