#include "bench/floor_service.h"
#include "bench/floor_db.h"
#include "bench/floor_link.h"

/* Places in the list of prepared statements. */
enum { ADD_BARRIER, ADD_RESERVATION, SET_RESERVATION };
enum { ADD_CHARGE = ADD_BARRIER + 1 };

#define BARRIER_TABLE                                                     \
	"CREATE TABLE barrier (saga INTEGER, step INTEGER, verb INTEGER," \
	" outcome INTEGER NOT NULL, answer BLOB NOT NULL,"                \
	" PRIMARY KEY (saga, step, verb)) WITHOUT ROWID;"
#define ADD_BARRIER_SQL "INSERT INTO barrier VALUES (?1, ?2, ?3, ?4, ?5)"

static const struct {
	const char *name;
	const char *schema;
	const char *statements[FLOOR_STATEMENTS_MAX + 1];
} services[N_FLOOR_SERVICES] = {
	[FLOOR_INVENTORY] = {"inventory",
			     BARRIER_TABLE
			     "CREATE TABLE reservation (saga INTEGER PRIMARY KEY,"
			     " state INTEGER NOT NULL, quantity INTEGER NOT NULL)",
			     {ADD_BARRIER_SQL, "INSERT INTO reservation VALUES (?1, ?2, ?3)",
			      "UPDATE reservation SET state = ?2 WHERE saga = ?1"}},
	[FLOOR_PAYMENT] = {"payment",
			   BARRIER_TABLE "CREATE TABLE charge (saga INTEGER PRIMARY KEY,"
					 " state INTEGER NOT NULL, cents INTEGER NOT NULL)",
			   {ADD_BARRIER_SQL, "INSERT INTO charge VALUES (?1, ?2, ?3)"}},
};

const char *floor_service_name(enum floor_service service)
{
	return services[service].name;
}

static enum err write_barrier(struct floor_db *db, const struct floor_frame *frame,
			      struct diag *diag)
{
	sqlite3_stmt *add = db->statements[ADD_BARRIER];

	sqlite3_bind_int64(add, 1, (sqlite3_int64)frame->saga);
	sqlite3_bind_int(add, 2, frame->step);
	sqlite3_bind_int(add, 3, frame->verb);
	sqlite3_bind_int(add, 4, frame->outcome);
	sqlite3_bind_blob(add, 5, frame->payload, FLOOR_ANSWER_BYTES, SQLITE_STATIC);
	return floor_db_write(db, add, diag);
}

/* The business row: a new one with a number, or another state of an old one. */
static enum err write_row(struct floor_db *db, int statement, uint64_t saga, int state,
			  uint32_t number, struct diag *diag)
{
	sqlite3_stmt *write = db->statements[statement];

	sqlite3_bind_int64(write, 1, (sqlite3_int64)saga);
	sqlite3_bind_int(write, 2, state);
	if (statement != SET_RESERVATION)
		sqlite3_bind_int64(write, 3, number);
	return floor_db_write(db, write, diag);
}

static enum err reserve_or_settle(struct floor_db *db, struct floor_frame *frame,
				  struct diag *diag)
{
	frame->outcome = FLOOR_OK;
	if (frame->verb == FLOOR_UNDO)
		return write_row(db, SET_RESERVATION, frame->saga, FLOOR_RELEASED, 0, diag);
	if (frame->step == FLOOR_CONFIRM)
		return write_row(db, SET_RESERVATION, frame->saga, FLOOR_CONFIRMED, 0, diag);
	return write_row(db, ADD_RESERVATION, frame->saga, FLOOR_HELD, frame->order.quantity,
			 diag);
}

static enum err charge(struct floor_db *db, struct floor_frame *frame, struct diag *diag)
{
	bool declined = frame->order.decline;

	frame->outcome = declined ? FLOOR_REFUSED : FLOOR_OK;
	return write_row(db, ADD_CHARGE, frame->saga, declined ? FLOOR_DECLINED : FLOOR_CHARGED,
			 frame->order.amount_cents, diag);
}

/* One batch: all commands, one commit, all answers. */
static enum err handle(enum floor_service service, struct floor_db *db, struct floor_link *link,
		       size_t n, struct diag *diag)
{
	enum err err = floor_db_begin(db, diag);

	for (size_t i = 0; !err && i < n; i++) {
		struct floor_frame frame = floor_link_frame(link, i);

		err = service == FLOOR_INVENTORY ? reserve_or_settle(db, &frame, diag)
						 : charge(db, &frame, diag);
		err = err ? err : write_barrier(db, &frame, diag);
		floor_link_queue(link, &frame);
	}
	floor_link_consume(link, n);
	err = err ? err : floor_db_commit(db, diag);
	return err ? err : floor_link_flush(link, true, diag);
}

enum err floor_service_run(enum floor_service service, int fd, const char *path,
			   struct diag *diag)
{
	const struct floor_frame ready = {0};
	struct floor_link link = {.fd = -1};
	struct floor_db db = {0};
	size_t n = 1;
	enum err err;

	err = floor_link_init(&link, fd, "the orchestrator", FLOOR_LINK_FRAMES, diag);
	if (err)
		goto out;
	err = floor_db_create(&db, path, services[service].schema, services[service].statements,
			      diag);
	if (err)
		goto out;
	floor_link_queue(&link, &ready);
	err = floor_link_flush(&link, true, diag);
	while (!err && n > 0) {
		err = floor_link_receive(&link, &n, diag);
		if (!err && n > 0)
			err = handle(service, &db, &link, n, diag);
	}
	/* Whoever ended early says why; that is not this one. */
	if (err == ERR_UNAVAILABLE)
		err = OK;
out:
	floor_db_release(&db);
	floor_link_release(&link);
	return err;
}
