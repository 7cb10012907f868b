/* waiting.h - sagas that wait, with the server and the service that they need: the patient
 * for a signal, within a day; the stubborn, who were refused once, for their next attempt in
 * an hour.
 *
 * One such world at a time, in the folder at hand. */
#ifndef SKALD_TESTS_E2E_WAITING_H
#define SKALD_TESTS_E2E_WAITING_H

#include "base/slice.h"

enum { N_PATIENT = 1000, N_STUBBORN = 100 };

struct waiting_setup {
	const char *bus;    /* "kafka:HOST:PORT"; NULL: the local one */
	const char *prefix; /* of topics; NULL: there are none */
	const char *store;  /* NULL: SQLite */
};

void waiting_find(const char *argv0);

/* The server, and the service, which fails whatever it is asked for. The setup's texts stay
 * valid. */
void waiting_enter(const struct waiting_setup *setup);
void waiting_leave(void);

/* So many more of them. */
void waiting_start(int n_patient, int n_stubborn);

/* What the server says of itself, as JSON; valid until the next call. */
const char *waiting_stats(void);

#endif
