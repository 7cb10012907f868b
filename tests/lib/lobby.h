/* lobby.h - a gateway in front of a real engine, in one process, and a client
 * that asks it over HTTP.
 *
 * Memory store and memory bus under a simulated clock; every call to the store
 * passes a tripwire, but where it is shared. One definition, "visit":
 *
 *	book         desk.book, undone by desk.unbook
 *	talk         awaits the event "talked" for an hour
 *	pay          desk.pay, the pivot
 *	thank        desk.thank, retriable; a failure is ignored
 *
 * whose input is {no, card: {number, name}, guests: [{name, pin}]} with the key
 * input.no, and card.number and guests.pin masked. Nobody has a thread: asking
 * turns the loop until the answer is there.
 */
#ifndef SKALD_TESTS_LIB_LOBBY_H
#define SKALD_TESTS_LIB_LOBBY_H

#include "bus/bus_memory.h"
#include "orchestrator/gateway/gateway.h"
#include "orchestrator/gateway/peers_engine.h"
#include "orchestrator/store/store_memory.h"
#include "tests/lib/clock_sim.h"
#include "tests/lib/tripwire.h"

extern const char lobby_definition[];

struct lobby {
	struct clock_sim clock;
	struct vault *vault;
	bool vault_lent; /* it is another lobby's */
	struct post *post;
	struct port *desk;
	struct tripwire wire;
	struct store *store; /* the real one */
	struct store_tripwire store_wire;
	struct peers_engine peers; /* of one whose store is shared */
	struct bus *bus;
	struct engine *engine;
	struct gateway *gateway; /* NULL once it is closed */
	void *curl;              /* all requests under way */
	char url[64];
	bool frozen;          /* the engine has no turn */
	int64_t passed_ms;    /* of the real clock: lobby_pass() was called */
	struct lobby *beside; /* has its turns with this one; otherwise NULL */
	struct arena arena;
};

/* Whatever is opened begins with the clock at 2023-11-14T22:13:20Z. */
#define LOBBY_NOW_MS INT64_C(1700000000000)

void lobby_open(struct lobby *lobby);

/* One of several orchestrators, with the vault of another one. */
void lobby_open_beside(struct lobby *lobby, struct vault *vault, struct peers *peers);

/* One of several whose engines know whose the sagas are: a vault of its own where NULL is
 * given. It has no shards before lobby_own(). */
void lobby_open_shared(struct lobby *lobby, struct vault *vault);

/* From now on it has the shards from `first` on, as many as `count`, of n. */
void lobby_own(struct lobby *lobby, uint32_t n, uint32_t first, uint32_t count);

/* Its sockets hold little of what a client does not read. */
void lobby_open_narrow(struct lobby *lobby);
void lobby_close(struct lobby *lobby);

/* Everybody's turn once, also that of the client. */
void lobby_turn(struct lobby *lobby);

/* Time passes, and everybody has turns. */
void lobby_advance(struct lobby *lobby, int64_t ms);

/* A turn, and what passed since the last one, so many times as fast: for what waits for
 * the simulated time and for the real time of sockets, too. */
void lobby_pass(struct lobby *lobby, unsigned speed);

/* --- asking ----------------------------------------------------------------------- */

enum { LOBBY_HEADERS_MAX = 4 };

struct lobby_request {
	const char *method;
	const char *path;
	struct slice body;
	const char *headers[LOBBY_HEADERS_MAX]; /* "Name: value" */
};

/* One that is under way or was answered. */
struct visitor {
	struct lobby *lobby;
	void *curl;
	struct curl_slist *headers;
	struct bytes head; /* of the answer */
	struct bytes body;
	bool done;
	bool failed; /* the connection broke */
	long status; /* once done, or once the head came */
};

void visitor_begin(struct visitor *visitor, struct lobby *lobby,
		   const struct lobby_request *request);

/* Until it is done; or until its body holds the text. It must be within ten
 * seconds. */
void visitor_finish(struct visitor *visitor);
void visitor_until(struct visitor *visitor, const char *text);
bool visitor_has(const struct visitor *visitor, const char *text);
void visitor_end(struct visitor *visitor);

struct lobby_answer {
	long status;
	struct slice head; /* both are terminated, and live as long as the lobby */
	struct slice body;
};

struct lobby_answer lobby_ask(struct lobby *lobby, const char *method, const char *path,
			      const char *body);
struct lobby_answer lobby_ask_with(struct lobby *lobby, const struct lobby_request *request);

/* --- the desk --------------------------------------------------------------------- */

/* Start a visit with this id and number; its answer must be 201. */
void lobby_start(struct lobby *lobby, const char *id, const char *no);

/* Answer every command that is there; {"seat":"<id of the saga>"} is the output. */
void lobby_serve(struct lobby *lobby, enum message_outcome outcome);

/* Lead a visit over the pivot to its end. */
void lobby_complete(struct lobby *lobby, const char *id);

#endif
