/* participant.h - be a participant: answer commands of sagas, each once.
 *
 * A participant is a service that sagas ask to do things and, when a saga
 * fails, to undo them. You write one handler per command; the library takes
 * care that a command which arrives twice, late, or after its own undo has its
 * effect exactly once or not at all.
 *
 *     static skald_outcome reserve(const skald_command *command,
 *                                  skald_reply *reply, void *stock)
 *     {
 *             if (!stock_take(stock, skald_command_args(command)))
 *                     return skald_reply_refuse(reply, "out_of_stock", "none left");
 *             return skald_reply_ok(reply, "{\"id\":17}");
 *     }
 *
 *     skald_options options = {.bus = "local:skald-data/bus.sock",
 *                              .barrier = skald_sqlite_barrier(db, &error),
 *                              .error = &error};
 *     skald_participant *inventory = skald_participant_new("inventory", &options);
 *
 *     skald_participant_on(inventory, "reserve", reserve, stock);
 *     skald_participant_run(inventory);
 *
 * Three outcomes: ok (it is done), refused (a business no: nothing was done and
 * asking again is no use) and failed (a technical problem: ask again later;
 * whatever the handler wrote is rolled back).
 *
 * Many commands share one transaction of the barrier's database, and all are
 * answered once it is durable. So a handler may run again for a command that was
 * never answered: when the transaction could not be committed, or the process
 * died. What it wrote in that database is gone then; anything else that it did
 * (a mail, a call of another service) is not, and has to stand being done again.
 *
 * A participant belongs to one thread. Other threads may call
 * skald_participant_stop and skald_deferred_*, nothing else.
 */
#ifndef SKALD_PARTICIPANT_H
#define SKALD_PARTICIPANT_H

#include "skald/api.h"
#include "skald/barrier.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
	SKALD_OK,
	SKALD_REFUSED,
	SKALD_FAILED,
	SKALD_LATER, /* only after skald_command_defer */
} skald_outcome;

typedef struct skald_command skald_command;
typedef struct skald_reply skald_reply;
typedef struct skald_participant skald_participant;
typedef struct skald_transport skald_transport;

/* Called once per command; `context` is what the handler was registered with.
 * Command and reply are valid during the call. */
typedef skald_outcome skald_handler(const skald_command *command, skald_reply *reply,
				    void *context);

/* --- what a handler sees ------------------------------------------------------ */

/* JSON text, terminated; json.h reads it. */
SKALD_API const char *skald_command_args(const skald_command *command);

/* Undo: what the do answered, as JSON text; NULL where it answered nothing. Where
 * the saga never heard it, it comes from the barrier's record. */
SKALD_API const char *skald_command_output(const skald_command *command);

/* What the handler is registered for. */
SKALD_API const char *skald_command_name(const skald_command *command);

/* The id of the command: the same for every attempt, unique for every command. */
SKALD_API const char *skald_command_id(const skald_command *command);
SKALD_API const char *skald_command_saga_id(const skald_command *command);
SKALD_API uint32_t skald_command_attempt(const skald_command *command); /* from 1 */

/* --- what it answers ------------------------------------------------------------- */

/* Each returns the outcome, for a `return` of the handler. The texts are copied:
 * of a code 64 bytes at most, of a text 1,024. `output` is JSON text of at most
 * 256 KiB, or NULL; anything else makes the outcome failed. */
SKALD_API skald_outcome skald_reply_ok(skald_reply *reply, const char *output);
SKALD_API skald_outcome skald_reply_refuse(skald_reply *reply, const char *code,
					   const char *text);
SKALD_API skald_outcome skald_reply_fail(skald_reply *reply, const char *code,
					 const char *text);

/* --- answering later --------------------------------------------------------------- */

/* A command whose answer comes later, from any thread. */
typedef struct skald_deferred skald_deferred;

/* Called by a handler, which then returns SKALD_LATER. NULL: out of memory, or
 * called before; then answer at once. What the thread needs of the command it must
 * copy before the handler returns.
 *
 * The barrier cannot hold what happens outside its transactions: whatever the
 * handler wrote in its database during the call is rolled back, and what is done
 * for the command elsewhere is the handler's own. Only the answer is recorded, when
 * it comes, and is sent once the record is durable. Until then the command does not
 * run again, and an undo of it waits. But if the process dies first, the command
 * comes again to the next one, so what is done must stand being done twice: give
 * it the command's id to be known by. An undo then finds no record and bars the
 * command, although half of it may have happened.
 */
SKALD_API skald_deferred *skald_command_defer(const skald_command *command);

/* Answer: one of these, once, from any thread, also after the participant was
 * freed. It ends the skald_deferred. */
SKALD_API void skald_deferred_ok(skald_deferred *deferred, const char *output);
SKALD_API void skald_deferred_refuse(skald_deferred *deferred, const char *code,
				     const char *text);
SKALD_API void skald_deferred_fail(skald_deferred *deferred, const char *code,
				   const char *text);

/* --- the participant ------------------------------------------------------------------ */

#define SKALD_FOR_EVER INT64_MAX

/* Everything may be zero but barrier and one of bus and transport. Texts are copied. */
typedef struct {
	const char *bus;        /* "local:PATH": the socket of the orchestrator */
	skald_barrier *barrier; /* borrowed; outlives the participant */

	/* Another bus than the local one, as of skald/kafka.h; borrowed likewise. */
	const skald_transport *transport;

	/* How long a record is kept after its command was first sent; 0: 30 days. A
	 * command older than that without a record is answered expired, which a
	 * person has to settle: keep records for longer than the longest saga lives. */
	int64_t horizon_ms;

	uint32_t window; /* most commands on their way here; 0: 1,000; up to 10,000 */
	uint32_t batch;  /* most commands in a transaction; 0: 1,000; up to 10,000 */

	/* A file that tells which command was running when a process died (the crash
	 * of a machine may go unseen). From its first death on such a command has a
	 * transaction of its own; when three processes have died of it, it is
	 * answered failed, with the code crash-loop, and runs no more. NULL: nobody
	 * tells. A second process of the participant uses FILE.2, and so on. */
	const char *guard;

	skald_log *log; /* NULL: nobody reads it */
	void *log_context;
	skald_error *error; /* why skald_participant_new failed */
} skald_options;

/* Names are as in a saga: [a-z][a-z0-9_-]{0,62}. It connects while it runs, and
 * again whenever the connection is lost; an orchestrator that is not there yet is
 * no error. NULL: options.error says why. */
SKALD_API skald_participant *skald_participant_new(const char *name,
						   const skald_options *options);

/* Register the handler of a command. A do and its undo are two commands. False:
 * out of memory, or the command has a handler already. */
SKALD_API bool skald_participant_on(skald_participant *participant, const char *command,
				    skald_handler *handler, void *context);

/* Answer commands until skald_participant_stop. What was begun is finished. */
SKALD_API void skald_participant_run(skald_participant *participant);

/* Let _run return, or the next one at once. May be called by signal handlers. */
SKALD_API void skald_participant_stop(skald_participant *participant);

/* For a loop of your own: wait until there may be something to do, for at most so
 * long, then answer the commands that are there now. Poll returns how many it has
 * answered, and never waits for more to come. */
SKALD_API void skald_participant_wait(skald_participant *participant, int timeout_ms);
SKALD_API size_t skald_participant_poll(skald_participant *participant);

/* Why nothing comes: the orchestrator is not there, or refuses us; one sentence.
 * NULL: there is a connection. */
SKALD_API const char *skald_participant_trouble(const skald_participant *participant);

/* NULL is fine. Commands that were deferred and not answered come again to the
 * next process. */
SKALD_API void skald_participant_free(skald_participant *participant);

#ifdef __cplusplus
}
#endif

#endif
