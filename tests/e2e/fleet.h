/* fleet.h - the order saga over Apache Kafka as processes: one orchestrator or several, and
 * one or two of each of the three services, whose books say in the end what was done.
 *
 * All is in the folder at hand. Server N has its data in data-N and its log in
 * server-N.log. The two of a service share their books, as two of a service do. Of the
 * orders that the fleet writes itself every fifth is declined. */
#ifndef SKALD_TESTS_E2E_FLEET_H
#define SKALD_TESTS_E2E_FLEET_H

#include "tests/e2e/works.h"
#include "tests/lib/kafka_broker.h"

#include <signal.h>

enum { N_SERVICES = N_WORKS - INVENTORY };
enum { FLEET_SERVERS = 3, FLEET_TWINS = 2, FLEET_SHARDS = 12 };
enum { DECLINE_EVERY = 5, TURN_MS = 50, SAGAS_MS = 60000, SESSION_MS = 6000 };

struct fleet_server {
	struct background process;
	char url[SERVER_URL_SIZE];
	char env[SERVER_URL_SIZE + 16]; /* "SKALD_SERVER=..." */
	char log[32];
	int ahead_s; /* so wrong is its clock */
};

struct fleet_service {
	struct background process;
	char log[32];
};

struct fleet {
	char bus[160], prefix[KAFKA_PREFIX_SIZE], store[600];
	struct fleet_server servers[FLEET_SERVERS];
	struct fleet_service services[N_WORKS][FLEET_TWINS]; /* by enum work */
	int asked;                                           /* the server that is asked */

	/* What services are given besides, and who is asked for their books and for the
	 * record; it has no processes. */
	struct works works;
};

extern struct fleet fleet; /* of one test */
extern struct arena fleet_arena;

/* Where programs and definitions are; before Check starts. */
bool fleet_find(const char *argv0);
const char *fleet_program(void);

void fleet_enter(const char *brokers, const char *store);
void fleet_start(int n_servers, int n_twins); /* they are ready on return */
void fleet_start_server(int n);
void fleet_start_service(enum work service, int twin);
void fleet_leave(void);

/* At once; a process that is not there has the number 0. */
void fleet_kill_server(int n);
void fleet_kill_service(enum work service, int twin);

/* From now on it is the one that is asked. */
void fleet_ask_server(int n);

/* What `skald` says, with these arguments, up to a NULL: all has to be well. */
struct process_result fleet_ask(const char *const *args);
#define FLEET_ASK(...) fleet_ask((const char *const[]){__VA_ARGS__, NULL})

/* How many shards the server said last that it has; and wait until these are so many, or
 * those of all that are there. */
int fleet_shards_of(int server);
void fleet_await_shards_of(int server, int n);
void fleet_await_shards(int n);

/* Those from number `first` on, as lines of the file "orders"; and start them. */
void fleet_write_orders(int first, int n);
void fleet_start_sagas(int first, int n);

/* The number behind "name": in a text of JSON. */
long fleet_number(struct slice json, const char *name);

/* How many have ended, none of them parked; and wait until so many have. */
long fleet_ended(void);
void fleet_await(long n);

struct slice fleet_books(enum work service);

/* The books say what the first n orders are. */
void fleet_check_books(long n);

#endif
