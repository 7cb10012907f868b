/* faults.h - faults that a service makes on purpose, for tests and demos.
 *
 *     decline=10%,fail=1%,slow=50ms,crash=0.1%,deadly=order-17
 *
 * decline refuses a command, the same one again whenever it comes; fail lets an
 * attempt fail; crash kills the process while a handler runs; slow makes whoever
 * asks wait that long for every answer; deadly is the id of a saga, every command of
 * which kills the process.
 */
#ifndef SKALD_PARTICIPANTS_FAULTS_H
#define SKALD_PARTICIPANTS_FAULTS_H

#include "skald/api.h"

#include <stdbool.h>
#include <stdint.h>

enum { FAULTS_SAGA_SIZE = 65 };

/* Chances are in millionths. */
struct faults {
	uint32_t decline, fail, crash;
	int64_t slow_ms;
	char deadly[FAULTS_SAGA_SIZE]; /* empty: none */
	uint64_t seed;                 /* differs from run to run */
};

/* False: *error says what is wrong with the text. */
bool faults_parse(const char *text, struct faults *out, skald_error *error);

bool faults_decline(const struct faults *faults, const char *command_id);
bool faults_fail(const struct faults *faults, const char *command_id, uint32_t attempt);
bool faults_crash(const struct faults *faults, const char *command_id, uint32_t attempt);

#endif
