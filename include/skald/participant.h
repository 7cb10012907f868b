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
 * Three outcomes: ok (it is done), refused (a business no: nothing was done and
 * asking again is no use) and failed (a technical problem: ask again later;
 * whatever the handler wrote is rolled back).
 */
#ifndef SKALD_PARTICIPANT_H
#define SKALD_PARTICIPANT_H

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
} skald_outcome;

typedef struct skald_command skald_command;
typedef struct skald_reply skald_reply;
typedef struct skald_participant skald_participant;

/* Called once per command; `context` is what the handler was registered with.
 * Command and reply are valid during the call. */
typedef skald_outcome skald_handler(const skald_command *command, skald_reply *reply,
				    void *context);

/* JSON text, terminated. */
const char *skald_command_args(const skald_command *command);

/* Undo: what the do answered, as JSON text; NULL where that is unknown (the
 * saga never heard whether it was done, but the library knows that it was). */
const char *skald_command_output(const skald_command *command);

/* The id of the command: the same for every attempt, unique for every command. */
const char *skald_command_id(const skald_command *command);
const char *skald_command_saga_id(const skald_command *command);
uint32_t skald_command_attempt(const skald_command *command); /* from 1 */

/* Each returns the outcome, for a `return` of the handler. The texts are copied:
 * of a code 64 bytes at most, of a text 1,024. `output` is JSON text of at most
 * 256 KiB, or NULL; anything else makes the outcome failed. */
skald_outcome skald_reply_ok(skald_reply *reply, const char *output);
skald_outcome skald_reply_refuse(skald_reply *reply, const char *code, const char *text);
skald_outcome skald_reply_fail(skald_reply *reply, const char *code, const char *text);

/* Register the handler of a command. A do and its undo are two commands. False:
 * out of memory, or the command has a handler already. */
bool skald_participant_on(skald_participant *participant, const char *command,
			  skald_handler *handler, void *context);

/* Answer the commands that are there now, and return how many were answered. */
size_t skald_participant_poll(skald_participant *participant);

void skald_participant_free(skald_participant *participant); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
