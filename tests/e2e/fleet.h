/* fleet.h - the order saga over Apache Kafka as processes: one orchestrator or several, and
 * the three services, whose books say in the end what was done.
 *
 * All is in the folder at hand. Server N has its data in data-N and its log in
 * server-N.log. Every fifth order is declined. */
#ifndef SKALD_TESTS_E2E_FLEET_H
#define SKALD_TESTS_E2E_FLEET_H

#include "tests/lib/background.h"
#include "tests/lib/kafka_broker.h"

#include <signal.h>

enum { INVENTORY, PAYMENT, NOTIFICATION, N_SERVICES };
enum { FLEET_SERVERS = 3, FLEET_PATH_SIZE = 4096 };
enum { DECLINE_EVERY = 5, TURN_MS = 50, SAGAS_MS = 60000, SESSION_MS = 6000 };

struct fleet_server {
	struct background process;
	char url[SERVER_URL_SIZE];
	char env[SERVER_URL_SIZE + 16]; /* "SKALD_SERVER=..." */
	char log[32];
};

struct fleet {
	char bus[160], prefix[KAFKA_PREFIX_SIZE], store[600];
	struct fleet_server servers[FLEET_SERVERS];
	struct background services[N_SERVICES];
	int asked; /* the server that is asked */
};

extern struct fleet fleet; /* of one test */
extern struct arena fleet_arena;
extern const char *const fleet_names[N_SERVICES];

/* Where programs and definitions are; before Check starts. */
bool fleet_find(const char *argv0);
const char *fleet_program(void);

void fleet_enter(const char *brokers, const char *store);
void fleet_start(int n_servers); /* and all services; they are ready on return */
void fleet_start_server(int n);
void fleet_start_service(int service);
void fleet_leave(void);

/* What `skald` says, with these arguments, up to a NULL: all has to be well. */
struct process_result fleet_ask(const char *const *args);
#define FLEET_ASK(...) fleet_ask((const char *const[]){__VA_ARGS__, NULL})

/* Those from number `first` on, as lines of the file "orders"; and start them. */
void fleet_write_orders(int first, int n);
void fleet_start_sagas(int first, int n);

/* The number behind "name": in a text of JSON. */
long fleet_number(struct slice json, const char *name);

/* How many have ended, none of them parked; and wait until so many have. */
long fleet_ended(void);
void fleet_await(long n);

struct slice fleet_books(int service);

/* The books say what the first n orders are. */
void fleet_check_books(long n);

#endif
