/* client.h - start sagas and signal them, from a service on the same machine.
 *
 *     skald_client *client = skald_client_new("local:skald-data/bus.sock", &error);
 *     skald_start start = {.saga = "order", .key = "17", .input = input};
 *     skald_saga saga;
 *
 *     if (skald_client_start(client, &start, 5000, &saga) == SKALD_CLIENT_OK)
 *             printf("%s is %s\n", saga.id, saga.status);
 *
 * Starting and signalling can be repeated: a start with the same id, or the same key,
 * finds the saga that is there; a signal with the same id counts once. So whoever did
 * not hear an answer asks again.
 *
 * A client belongs to one thread. From other machines, and from a shell, use HTTP.
 */
#ifndef SKALD_CLIENT_H
#define SKALD_CLIENT_H

#include "skald/api.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct skald_client skald_client;

typedef enum {
	SKALD_CLIENT_OK,
	SKALD_CLIENT_REFUSED,     /* the orchestrator said no: saga.code, saga.text */
	SKALD_CLIENT_UNREACHABLE, /* nothing was asked: saga.text says why */
	SKALD_CLIENT_UNKNOWN,     /* it was asked, and the answer did not come */
	SKALD_CLIENT_RUNNING,     /* skald_client_run: it has not ended in time */
} skald_client_result;

/* What is known of a saga after a call; what is not is empty. */
typedef struct {
	char id[257];
	char status[32]; /* running, compensating, completed, compensated, parked, killed */
	bool created;    /* false: it was there already */
	char code[257];  /* for programs: why not */
	char text[1024]; /* for people */
} skald_saga;

typedef struct {
	const char *saga;    /* the name of its definition */
	const char *version; /* NULL: the newest */
	const char *id;      /* NULL: the orchestrator makes one */
	const char *key;     /* NULL: as the definition says */
	const char *input;   /* JSON; NULL: {} */
	const char *actor;   /* who starts it, for its timeline; NULL: nobody in particular */
} skald_start;

typedef struct {
	const char *saga_id;
	const char *event;
	const char *id;      /* NULL: it counts every time */
	const char *payload; /* JSON; NULL: null */
	const char *actor;   /* NULL: nobody in particular */
} skald_signal;

/* Connects when something is asked, and again after the connection was lost. The bus
 * is copied. NULL: *error says why. */
SKALD_API skald_client *skald_client_new(const char *bus, skald_error *error);
SKALD_API void skald_client_free(skald_client *client); /* NULL is fine */

/* Start a saga. OK: it is stored, and will be brought to its end. */
SKALD_API skald_client_result skald_client_start(skald_client *client, const skald_start *start,
						 int timeout_ms, skald_saga *saga);

/* Start a saga, or find it, and wait until it has ended or is parked; saga.status
 * says how. Where the connection is lost meanwhile it goes on with the next one,
 * except that before it heard of the saga it needs an id or a key for that. */
SKALD_API skald_client_result skald_client_run(skald_client *client, const skald_start *start,
					       int timeout_ms, skald_saga *saga);

/* Deliver an event. OK: it is stored; one that comes before the saga waits for it is
 * kept. */
SKALD_API skald_client_result skald_client_signal(skald_client *client,
						  const skald_signal *signal, int timeout_ms,
						  skald_saga *saga);

#ifdef __cplusplus
}
#endif

#endif
