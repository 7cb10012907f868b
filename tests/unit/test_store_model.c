/* test_store_model.c - every store against a model that anybody can check: an array.
 * Random operations, closed and opened again now and then, by a crash in the middle of a
 * commit, too; whatever a store says must be what the model says. In MongoDB it is now the
 * orchestrator that is gone, now the server that is killed. SEED=n runs one seed. */
#include "tests/lib/proxy.h"
#include "tests/lib/random.h"
#include "tests/lib/shelf.h"
#include "tests/lib/suite.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	SEEDS = 60,
	SEEDS_MONGO = 12, /* each of its operations is a question over a socket */
	SEEDS_KILLED = 1, /* it takes its time to start a server */
	OPERATIONS = 400,
	IDS = 40,
	KEYS = 12,
	BATCH_MAX = 8,
	TIMES = 30,
	TEXT_SIZE = 24,
	LISTED_MAX = 100,
};

struct model_saga {
	bool there;
	char id[TEXT_SIZE], key[TEXT_SIZE], saga[TEXT_SIZE], step[TEXT_SIZE], record[200];
	struct saga_row row; /* its texts are above */
	uint64_t order;
	uint64_t batch;
	uint32_t n_news;
};

struct world {
	struct random random;
	struct shelf shelf;
	struct model_saga sagas[IDS];
	uint64_t inserted;
	struct store_batch batch;
	const char *engine; /* the folder of a server that can be killed; NULL: there is none */
	const char *name;   /* of the operation, for messages */
	uint64_t seed;
};

/* A server of our own, to kill: its URI, and its folder. Empty: there is none. */
static char own[MONGO_URI_SIZE];
static const char own_folder[] = "build/engines/mongo-own";

#define CHECK(world, condition)                                             \
	ck_assert_msg((condition), "%s, SEED=%" PRIu64 ": %s: " #condition, \
		      shelf_name((world)->shelf.kind), (world)->seed, (world)->name)

/* --- the model ---------------------------------------------------------------------------- */

static bool starts_before(const struct model_saga *a, const struct model_saga *b)
{
	if (a->row.started_ms != b->row.started_ms)
		return a->row.started_ms < b->row.started_ms;
	return a->order < b->order;
}

/* Those that are there, oldest start first; how many. */
static size_t in_order(struct world *world, const struct model_saga *out[IDS])
{
	size_t n = 0;

	for (int i = 0; i < IDS; i++) {
		const struct model_saga *saga = &world->sagas[i];
		size_t at = n;

		if (!saga->there)
			continue;
		for (; at > 0 && starts_before(saga, out[at - 1]); at--)
			out[at] = out[at - 1];
		out[at] = saga;
		n++;
	}
	return n;
}

static const struct model_saga *by_key(struct world *world, struct slice saga, struct slice key)
{
	for (int i = 0; i < IDS; i++)
		if (world->sagas[i].there && slice_equal(world->sagas[i].row.saga, saga) &&
		    slice_equal(world->sagas[i].row.key, key))
			return &world->sagas[i];
	return NULL;
}

static void adopt(struct world *world, struct model_saga *saga, const struct model_saga *from)
{
	uint64_t order = saga->there ? saga->order : world->inserted++;

	*saga = *from;
	saga->there = true;
	saga->order = order;
	saga->row.id = slice_of(saga->id);
	saga->row.key = slice_of(saga->key);
	saga->row.saga = slice_of(saga->saga);
	saga->row.step = slice_of(saga->step);
}

/* --- what is written ------------------------------------------------------------------------
 */

static void random_texts(struct world *world, struct model_saga *saga)
{
	static const char *const steps[] = {"", "reserve", "charge"};
	struct random *random = &world->random;
	size_t len = 1 + random_below(random, sizeof saga->record - 1);

	snprintf(saga->step, sizeof saga->step, "%s", steps[random_below(random, 3)]);
	memset(saga->record, 'a' + (int)random_below(random, 26), len);
	saga->record[len] = '\0';
	saga->row.step = slice_of(saga->step);
	saga->row.status = (enum status)random_below(random, STATUSES);
	saga->row.paused = random_percent(random, 20);
	saga->row.updated_ms = random_below(random, 1000);
	saga->row.ended_ms =
		status_ended(saga->row.status) ? 1 + (int64_t)random_below(random, TIMES) : 0;
}

/* A saga as it could be written next, in memory of its own. */
static struct model_saga random_write(struct world *world, const struct model_saga *saga, int i)
{
	static const char *const names[] = {"order", "trip"};
	struct random *random = &world->random;
	struct model_saga write = *saga;

	if (!saga->there) {
		snprintf(write.id, sizeof write.id, "k%d", i);
		/* Keys that are ids of others, too. */
		snprintf(write.key, sizeof write.key, "k%d",
			 random_percent(random, 50) ? i : (int)random_below(random, KEYS));
		snprintf(write.saga, sizeof write.saga, "%s", names[random_below(random, 2)]);
		write.row = (struct saga_row){.version = SLICE_LITERAL("1.0.0"),
					      .started_ms = random_below(random, TIMES)};
	}
	random_texts(world, &write);
	write.row.revision += 1 + random_below(random, 3);
	write.n_news = random_below(random, 300);
	return write;
}

static struct saga_write to_store(const struct model_saga *from)
{
	struct saga_write write = {
		.row = from->row, .record = slice_of(from->record), .n_news = from->n_news};

	write.row.id = slice_of(from->id);
	write.row.key = slice_of(from->key);
	write.row.saga = slice_of(from->saga);
	write.row.step = slice_of(from->step);
	return write;
}

/* A batch, and the saga of the model that each of its writes is about. */
struct batch {
	struct model_saga after[BATCH_MAX];
	struct saga_write writes[BATCH_MAX];
	struct model_saga *sagas[BATCH_MAX];
	size_t n;
};

static void make_batch(struct world *world, struct batch *batch)
{
	int first = (int)random_below(&world->random, IDS);

	batch->n = 1 + random_below(&world->random, BATCH_MAX);
	world->batch.number++;
	if (random_percent(&world->random, 50)) /* up to two are not sent, or many */
		world->batch.sent = world->batch.number - 1 -
				    random_below(&world->random, 2) *
					    (world->batch.number - 1 - world->batch.sent > 0);

	for (size_t i = 0; i < batch->n; i++) {
		int at = (first + (int)i * 3) % IDS;
		struct model_saga *saga = &world->sagas[at];
		struct saga_write *write = &batch->writes[i];

		batch->sagas[i] = saga;
		batch->after[i] = random_write(world, saga, at);
		batch->after[i].batch = world->batch.number;
		*write = to_store(&batch->after[i]);
		write->before = saga->there ? saga->row.revision : 0;
		if (random_percent(&world->random, 10)) /* somebody else's */
			write->before = random_below(&world->random, 3);
		if (write->row.revision <= write->before)
			write->row.revision = write->before + 1;
		batch->after[i].row.revision = write->row.revision;
	}
}

/* Whether the model takes it. */
static bool fits(struct world *world, const struct batch *batch, size_t i)
{
	const struct saga_write *write = &batch->writes[i];
	const struct model_saga *saga = batch->sagas[i];

	return write->before == (saga->there ? saga->row.revision : 0) &&
	       (saga->there || !by_key(world, write->row.saga, write->row.key));
}

static enum err try_batch(struct world *world, struct batch *batch)
{
	return store_commit(world->shelf.store, &world->batch, batch->writes, batch->n, NULL,
			    0);
}

/* It was committed, at the first attempt. */
static void take_batch(struct world *world, struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++) {
		bool taken = fits(world, batch, i);

		CHECK(world, batch->writes[i].result == (taken ? OK : ERR_CONFLICT));
		if (taken)
			adopt(world, batch->sagas[i], &batch->after[i]);
	}
}

static void commit(struct world *world)
{
	struct batch batch;

	make_batch(world, &batch);
	CHECK(world, try_batch(world, &batch) == OK);
	take_batch(world, &batch);
}

/* --- a crash -------------------------------------------------------------------------- */

/* SQLite: another process commits, and is killed meanwhile or soon after. */
static void commit_and_die(struct world *world, struct batch *batch)
{
	struct timespec meanwhile = {0, random_below(&world->random, 6000000)};
	int ends[2], status;
	char opened;
	pid_t pid;

	CHECK(world, pipe(ends) == 0);
	pid = fork();
	CHECK(world, pid >= 0);
	if (pid == 0) {
		if (shelf_open_store(&world->shelf) != OK || write(ends[1], "o", 1) != 1 ||
		    try_batch(world, batch) != OK)
			_exit(1);
		for (;;)
			pause();
	}
	close(ends[1]);
	CHECK(world, read(ends[0], &opened, 1) == 1);
	close(ends[0]);
	nanosleep(&meanwhile, NULL);
	CHECK(world, kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
	CHECK(world, WIFSIGNALED(status));
}

/* MongoDB: nothing comes after one of its messages, or after its answer. */
static void commit_until_cut(struct world *world, struct batch *batch)
{
	char direct[MONGO_URI_SIZE];
	struct proxy proxy;
	enum err err;

	memcpy(direct, world->shelf.uri, sizeof direct);
	proxy_start(&proxy, direct, world->shelf.uri);
	CHECK(world, shelf_open_store(&world->shelf) == OK);
	proxy_lose(&proxy, (int)random_below(&world->random, 4),
		   random_percent(&world->random, 50));
	err = try_batch(world, batch);
	CHECK(world, err == (proxy_lost(&proxy) ? ERR_UNAVAILABLE : OK));
	store_close(world->shelf.store);
	world->shelf.store = NULL;
	proxy_stop(&proxy);
	memcpy(world->shelf.uri, direct, sizeof direct);
}

static enum err visit_nothing(void *context, const struct loaded_saga *saga)
{
	return OK;
}

/* Nobody knows what became of the batch, and the store is opened again. Each saga is as it
 * was before, or as it was to be; in SQLite all are the one or all the other. What is known
 * of batches is not less than it was. */
static void settle(struct world *world, struct batch *batch, const struct store_batch *before)
{
	size_t n_fit = 0, n_written = 0;
	struct store_batch newest;

	CHECK(world, shelf_open_store(&world->shelf) == OK);
	for (size_t i = 0; i < batch->n; i++) {
		struct slice record = {0}, id = slice_of(batch->after[i].id);
		struct saga_row row = {.revision = 0};
		bool taken = fits(world, batch, i);
		enum err err =
			store_get(world->shelf.store, id, &world->shelf.arena, &row, &record);
		bool written = taken && !err && row.revision == batch->after[i].row.revision;

		CHECK(world, !err || err == ERR_NOT_FOUND);
		if (written) {
			CHECK(world, slice_is(record, batch->after[i].record));
			adopt(world, batch->sagas[i], &batch->after[i]);
		}
		n_fit += taken;
		n_written += written;
	}
	CHECK(world, world->shelf.kind != SHELF_SQLITE || n_written == 0 || n_written == n_fit);
	CHECK(world, store_load(world->shelf.store, NULL, &newest, visit_nothing, NULL) == OK);
	CHECK(world, newest.number >= before->number && newest.number <= world->batch.number);
	CHECK(world, newest.sent >= before->sent && newest.sent <= world->batch.sent);
	CHECK(world, n_written == 0 || newest.number == world->batch.number);
	world->batch = newest;
}

static void close_store(struct world *world)
{
	store_close(world->shelf.store);
	world->shelf.store = NULL;
}

/* The orchestrator is gone, or nothing of it arrives any more. */
static void crash(struct world *world)
{
	struct store_batch before = world->batch;
	struct batch batch;

	/* A process has a memory of its own, and the proxy is for servers of this machine. */
	if (world->shelf.kind == SHELF_MEMORY ||
	    (world->shelf.kind == SHELF_MONGO && getenv("SKALD_TEST_MONGO")))
		return;
	if (world->shelf.kind == SHELF_SQLITE && random_percent(&world->random, 75))
		return; /* a process takes its time */
	make_batch(world, &batch);
	close_store(world);
	if (world->shelf.kind == SHELF_SQLITE)
		commit_and_die(world, &batch);
	else
		commit_until_cut(world, &batch);
	settle(world, &batch, &before);
}

/* --- a server that is killed ---------------------------------------------------------------
 */

static pid_t kill_soon(struct world *world)
{
	struct timespec meanwhile = {0, random_below(&world->random, 40000000)};
	char name[4200];
	long server = 0;
	FILE *file;
	pid_t pid;
	int n;

	snprintf(name, sizeof name, "%s/pid", world->engine);
	file = fopen(name, "r");
	CHECK(world, file);
	n = fscanf(file, "%ld", &server);
	CHECK(world, n == 1 && server > 1);
	fclose(file);
	pid = fork();
	CHECK(world, pid >= 0);
	if (pid == 0) {
		nanosleep(&meanwhile, NULL);
		_exit(kill((pid_t)server, SIGKILL) != 0);
	}
	return pid;
}

/* What was written at the first attempt is a conflict with itself. */
static void try_batch_again(struct world *world, struct batch *batch)
{
	CHECK(world, try_batch(world, batch) == OK);
	for (size_t i = 0; i < batch->n; i++) {
		struct slice record = {0}, id = slice_of(batch->after[i].id);
		bool taken = fits(world, batch, i);

		CHECK(world, taken || batch->writes[i].result == ERR_CONFLICT);
		if (!taken)
			continue;
		CHECK(world, store_get(world->shelf.store, id, &world->shelf.arena, NULL,
				       &record) == OK);
		CHECK(world, slice_is(record, batch->after[i].record));
		adopt(world, batch->sagas[i], &batch->after[i]);
	}
}

/* All that was committed is there when it is up again; of what was under way nobody knows.
 * Either the same orchestrator goes on, or another one. */
static void kill_server(struct world *world)
{
	bool goes_on = random_percent(&world->random, 50);
	struct store_batch before;
	struct batch batch;
	int status;
	pid_t killer;
	enum err err;

	if (!world->engine)
		return;
	killer = kill_soon(world);
	do {
		before = world->batch;
		make_batch(world, &batch);
		err = try_batch(world, &batch);
		CHECK(world, !err || err == ERR_UNAVAILABLE);
		if (!err)
			take_batch(world, &batch);
	} while (!err);
	CHECK(world, waitpid(killer, &status, 0) == killer && status == 0);
	if (!goes_on)
		close_store(world);
	CHECK(world, engine_ask("mongo", "up", world->engine) != NULL);
	if (goes_on)
		try_batch_again(world, &batch);
	else
		settle(world, &batch, &before);
}

/* --- what is read
 * ----------------------------------------------------------------------------- */

static bool same_row(const struct saga_row *a, const struct saga_row *b)
{
	return slice_equal(a->id, b->id) && slice_equal(a->key, b->key) &&
	       slice_equal(a->saga, b->saga) && slice_equal(a->version, b->version) &&
	       slice_equal(a->step, b->step) && slice_equal(a->reason, b->reason) &&
	       a->status == b->status && a->paused == b->paused &&
	       a->started_ms == b->started_ms && a->updated_ms == b->updated_ms &&
	       a->ended_ms == b->ended_ms && a->revision == b->revision;
}

static void get(struct world *world)
{
	int i = (int)random_below(&world->random, IDS);
	const struct model_saga *saga = &world->sagas[i];
	struct slice record = {0};
	struct saga_row row;
	char id[TEXT_SIZE];
	enum err err;

	snprintf(id, sizeof id, "k%d", i);
	err = store_get(world->shelf.store, slice_of(id), &world->shelf.arena, &row, &record);
	CHECK(world, err == (saga->there ? OK : ERR_NOT_FOUND));
	CHECK(world, err || slice_is(record, saga->record));
	CHECK(world, err || same_row(&row, &saga->row));
}

static void find(struct world *world)
{
	struct slice saga = random_percent(&world->random, 50) ? SLICE_LITERAL("order")
							       : SLICE_LITERAL("trip");
	const struct model_saga *found;
	struct slice id = {0};
	char key[TEXT_SIZE];
	enum err err;

	snprintf(key, sizeof key, "k%u", random_below(&world->random, IDS));
	found = by_key(world, saga, slice_of(key));
	err = store_find(world->shelf.store, saga, slice_of(key), &world->shelf.arena, &id);
	CHECK(world, err == (found ? OK : ERR_NOT_FOUND));
	CHECK(world, err || slice_equal(id, found->row.id));
}

/* What is expected of a walk, and how far it is. */
struct walk {
	struct world *world;
	const struct model_saga *expected[LISTED_MAX];
	size_t n, at;
};

static bool is_sent(const struct world *world, const struct model_saga *saga)
{
	return saga->batch <= world->batch.sent;
}

static enum err visit_loaded(void *context, const struct loaded_saga *saga)
{
	struct walk *walk = context;
	const struct model_saga *expected = walk->expected[walk->at];

	CHECK(walk->world, walk->at < walk->n);
	CHECK(walk->world, slice_is(saga->record, expected->record));
	CHECK(walk->world, saga->sent == is_sent(walk->world, expected));
	CHECK(walk->world, saga->n_news == (saga->sent ? 0 : expected->n_news));
	walk->at++;
	return OK;
}

static enum err visit_row(void *context, const struct saga_row *row)
{
	struct walk *walk = context;

	CHECK(walk->world, walk->at < walk->n);
	CHECK(walk->world, same_row(row, &walk->expected[walk->at]->row));
	walk->at++;
	return OK;
}

static void load(struct world *world)
{
	const struct model_saga *sagas[IDS];
	size_t n = in_order(world, sagas);
	struct walk walk = {.world = world};
	struct store_batch newest;

	for (size_t i = 0; i < n; i++)
		if (!status_ended(sagas[i]->row.status))
			walk.expected[walk.n++] = sagas[i];
	for (size_t i = 0; i < n; i++)
		if (status_ended(sagas[i]->row.status) && !is_sent(world, sagas[i]))
			walk.expected[walk.n++] = sagas[i];
	CHECK(world, store_load(world->shelf.store, NULL, &newest, visit_loaded, &walk) == OK);
	CHECK(world, newest.number == world->batch.number && newest.sent == world->batch.sent);
	CHECK(world, walk.at == walk.n);
}

static struct slice random_text(struct world *world, const char *a, const char *b)
{
	switch (random_below(&world->random, 4)) {
	case 0: return slice_of(a);
	case 1: return slice_of(b);
	default: return (struct slice){0};
	}
}

static void list(struct world *world)
{
	struct random *random = &world->random;
	const struct model_saga *sagas[IDS];
	size_t n = in_order(world, sagas), limit = random_below(random, IDS);
	struct walk walk = {.world = world};
	enum status statuses[STATUSES];
	struct slice after = {0};
	struct saga_filter filter = {
		.saga = random_text(world, "order", "trip"),
		.key = random_percent(random, 30) ? random_text(world, "k3", "k7")
						  : (struct slice){0},
		.step = random_text(world, "reserve", "charge"),
		.statuses = statuses,
		.n_statuses = random_percent(random, 50) ? random_below(random, STATUSES) : 0,
		.since_ms = random_percent(random, 30) ? random_below(random, TIMES) : 0,
		.until_ms = random_percent(random, 30) ? random_below(random, TIMES) : 0};

	for (size_t i = 0; i < filter.n_statuses; i++)
		statuses[i] = (enum status)random_below(random, STATUSES);
	if (n > 0 && random_percent(random, 50)) {
		n = random_below(random, (uint32_t)n);
		after = sagas[n]->row.id;
	}
	for (; n > 0 && walk.n < limit; n--)
		if (saga_filter_fits(&filter, &sagas[n - 1]->row))
			walk.expected[walk.n++] = sagas[n - 1];
	CHECK(world,
	      store_list(world->shelf.store, &filter, after, limit, visit_row, &walk) == OK);
	CHECK(world, walk.at == walk.n);
}

static void count(struct world *world)
{
	struct store_counts counts, expected = {{0}};

	for (int i = 0; i < IDS; i++)
		expected.by_status[world->sagas[i].row.status] += world->sagas[i].there;
	CHECK(world, store_counts(world->shelf.store, &counts) == OK);
	CHECK(world, !memcmp(&counts, &expected, sizeof counts));
}

/* Of those that ended at the same time any may go first. */
static void prune(struct world *world)
{
	int64_t before_ms = random_below(&world->random, TIMES);
	size_t limit = random_below(&world->random, 6), old = 0, n = 0, removed = 0;
	int64_t newest_removed = 0;

	for (int i = 0; i < IDS; i++)
		old += world->sagas[i].there && world->sagas[i].row.ended_ms &&
		       world->sagas[i].row.ended_ms < before_ms;
	CHECK(world, store_prune(world->shelf.store, before_ms, limit, &n) == OK);
	CHECK(world, n == (old < limit ? old : limit));
	for (int i = 0; i < IDS; i++) {
		struct model_saga *saga = &world->sagas[i];
		struct slice record;

		if (!saga->there || store_get(world->shelf.store, saga->row.id,
					      &world->shelf.arena, NULL, &record) == OK)
			continue;
		CHECK(world, saga->row.ended_ms && saga->row.ended_ms < before_ms);
		if (saga->row.ended_ms > newest_removed)
			newest_removed = saga->row.ended_ms;
		*saga = (struct model_saga){0};
		removed++;
	}
	CHECK(world, removed == n);
	for (int i = 0; i < IDS && n > 0; i++)
		CHECK(world, !world->sagas[i].there || !world->sagas[i].row.ended_ms ||
				     world->sagas[i].row.ended_ms >= newest_removed);
}

static void reopen(struct world *world)
{
	shelf_reopen(&world->shelf);
}

static const struct operation {
	const char *name;
	void (*run)(struct world *world);
	uint32_t weight;
} operations[] = {
	{"commit", commit, 30},   {"get", get, 15},      {"find", find, 15},
	{"load", load, 5},        {"list", list, 30},    {"count", count, 5},
	{"prune", prune, 5},      {"reopen", reopen, 2}, {"crash", crash, 1},
	{"kill", kill_server, 1},
};

static void step(struct world *world)
{
	uint32_t total = 0, at;

	for (int i = 0; i < ROWS(operations); i++)
		total += operations[i].weight;
	at = random_below(&world->random, total);
	for (int i = 0; i < ROWS(operations); i++) {
		if (at < operations[i].weight) {
			world->name = operations[i].name;
			operations[i].run(world);
			return;
		}
		at -= operations[i].weight;
	}
}

static void find_own(void)
{
	const char *up =
		shelf_kinds > SHELF_MONGO ? engine_ask("mongo", "up", own_folder) : NULL;

	snprintf(own, sizeof own, "%s", up ? up : "");
}

/* The database is of the server that can be killed, where there is one. */
static void run_seed(enum shelf_kind kind, uint64_t seed, const char *engine)
{
	struct world *world = calloc(1, sizeof *world);

	ck_assert_ptr_nonnull(world);
	world->seed = seed;
	world->random.state = seed;
	world->engine = engine;
	ck_assert(shelf_init(&world->shelf, kind));
	if (engine)
		snprintf(world->shelf.uri, sizeof world->shelf.uri, "%.400s/model-%" PRIu64,
			 own, seed);
	ck_assert_int_eq(shelf_open_store(&world->shelf), OK);
	for (int i = 0; i < OPERATIONS; i++) {
		step(world);
		arena_reset(&world->shelf.arena);
	}
	shelf_close(&world->shelf);
	free(world);
}

static void run_seeds(enum shelf_kind kind, uint64_t n, const char *engine)
{
	const char *given = getenv("SEED");
	uint64_t first = given ? strtoull(given, NULL, 10) : 1;

	for (uint64_t seed = first; seed < first + (given ? 1 : n); seed++)
		run_seed(kind, seed, engine);
}

START_TEST(test_random_operations)
{
	run_seeds((enum shelf_kind)_i, _i == SHELF_MONGO ? SEEDS_MONGO : SEEDS, NULL);
}
END_TEST

START_TEST(test_random_operations_while_the_server_is_killed)
{
	run_seeds(SHELF_MONGO, SEEDS_KILLED, own_folder);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_set_timeout(tcase, 240);
	tcase_add_loop_test(tcase, test_random_operations, 0, shelf_kinds);
	if (own[0])
		tcase_add_test(tcase, test_random_operations_while_the_server_is_killed);
}

int main(void)
{
	shelf_find();
	find_own();
	return suite_run("store_model", add);
}
