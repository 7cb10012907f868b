/* bench_store.c - what it costs to keep sagas in the SQLite store.
 *
 *	make bench-store
 *	build/release/bench/bench_store [DIR]
 *
 * Orders of three steps, each written four times as an engine writes them: at its
 * start and for each of three replies, the record growing from 250 to 500 bytes;
 * ids in the order of time. A quarter of every batch are starts. Then 100,000
 * sagas that have not ended are loaded, and lists are read. All of it is in a
 * folder of its own in DIR, or in TMPDIR or /tmp. README.md has figures.
 */
#include "base/clock.h"
#include "orchestrator/store/store_sqlite.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	WRITES = 4, /* of a saga */
	RECORD_MAX = 500,
	BATCH_MAX = 1000,
	WAITING = 100000,
	RUNS = 5,
	PATH_SIZE = 256,
	ID_SIZE = 40,
	SAGAS_PER_MS = 20,
};

static const size_t record_sizes[WRITES] = {250, 330, 420, RECORD_MAX};
static const int64_t start_ms = 1700000000000;

struct figures {
	double rows_per_s;
	double cpu_us; /* per row */
	double bytes;  /* of the file, per saga */
};

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static double seconds(void)
{
	return (double)clock_monotonic_ms(clock_system()) / 1e3;
}

static void must(enum err err, const char *what, const struct diag *diag)
{
	if (!err)
		return;
	fprintf(stderr, "bench_store: cannot %s: %s\n", what, diag->text);
	exit(EXIT_FAILURE);
}

/* --- the folder ------------------------------------------------------------------------- */

static void make_folder(const char *parent, char path[PATH_SIZE])
{
	const char *tmpdir = getenv("TMPDIR");

	if (!parent)
		parent = tmpdir && *tmpdir ? tmpdir : "/tmp";
	snprintf(path, PATH_SIZE, "%s/skald-store-XXXXXX", parent);
	if (!mkdtemp(path)) {
		fprintf(stderr, "bench_store: cannot make a folder in %s; give another one\n",
			parent);
		exit(EXIT_FAILURE);
	}
}

static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)) != NULL)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	rmdir(path);
}

static struct store *open_store(const char *path)
{
	struct store *store;
	struct diag diag = {""};

	must(store_sqlite_open(path, &store, &diag), "open the store", &diag);
	return store;
}

static double file_bytes(const char *path)
{
	char name[PATH_SIZE + 16];
	struct stat info = {.st_size = 0};

	snprintf(name, sizeof name, "%s/skald.db", path);
	stat(name, &info);
	return (double)info.st_size;
}

/* --- writing ------------------------------------------------------------------------------ */

struct batch {
	struct saga_write writes[BATCH_MAX];
	char ids[BATCH_MAX][ID_SIZE];
	char record[RECORD_MAX];
	size_t n;
};

/* The nth saga, as it is after that many writes. */
static void add_write(struct batch *batch, uint64_t saga, int written)
{
	char *id = batch->ids[batch->n];
	int64_t started_ms = start_ms + (int64_t)(saga / SAGAS_PER_MS);
	bool ended = written == WRITES;

	snprintf(id, ID_SIZE, "%012llx-%016llx", (unsigned long long)started_ms,
		 (unsigned long long)(saga * 0x9e3779b97f4a7c15u));
	batch->writes[batch->n++] = (struct saga_write){
		.row = {.id = slice_of(id),
			.key = slice_of(id),
			.saga = SLICE_LITERAL("order"),
			.version = SLICE_LITERAL("3.1.0"),
			.status = ended ? STATUS_COMPLETED : STATUS_RUNNING,
			.step = ended ? (struct slice){0} : SLICE_LITERAL("confirm"),
			.started_ms = started_ms,
			.updated_ms = started_ms + written,
			.ended_ms = ended ? started_ms + written : 0,
			.revision = (uint64_t)written},
		.record = {batch->record, record_sizes[written - 1]},
		.before = (uint64_t)written - 1};
}

static void commit(struct store *store, struct batch *batch)
{
	static struct store_batch numbers;

	numbers.sent = numbers.number++;
	must(store_commit(store, &numbers, batch->writes, batch->n, NULL, 0), "commit",
	     &store->trouble);
	for (size_t i = 0; i < batch->n; i++)
		if (batch->writes[i].result) {
			fputs("bench_store: a write met a conflict\n", stderr);
			exit(EXIT_FAILURE);
		}
	batch->n = 0;
}

/* Sagas run in waves of a quarter of a batch; each batch starts one wave and
 * takes the three before it a step further. One at a time a batch is one write. */
static struct figures run(const char *parent, uint64_t n_sagas, uint64_t batch_size)
{
	struct batch *batch = calloc(1, sizeof *batch);
	uint64_t wave = batch_size >= WRITES ? batch_size / WRITES : 1, rows = 0;
	uint64_t n_waves = n_sagas / wave;
	struct figures figures;
	double began_s, began_cpu_s;
	char path[PATH_SIZE];
	struct store *store;

	if (!batch)
		exit(EXIT_FAILURE);
	for (size_t i = 0; i < RECORD_MAX; i++)
		batch->record[i] = (char)(i * 31);
	make_folder(parent, path);
	store = open_store(path);
	began_s = seconds();
	began_cpu_s = cpu_s();
	for (uint64_t turn = 0; turn < n_waves + WRITES - 1; turn++) {
		for (int written = WRITES; written >= 1; written--) {
			uint64_t behind = (uint64_t)written - 1;

			for (uint64_t i = 0;
			     turn >= behind && turn - behind < n_waves && i < wave; i++, rows++)
				add_write(batch, (turn - behind) * wave + i, written);
			if (batch_size < WRITES)
				commit(store, batch);
		}
		commit(store, batch);
	}
	figures.rows_per_s = (double)rows / (seconds() - began_s);
	figures.cpu_us = (cpu_s() - began_cpu_s) * 1e6 / (double)rows;
	store_close(store);
	figures.bytes = file_bytes(path) / (double)(n_waves * wave);
	remove_folder(path);
	free(batch);
	return figures;
}

static void measure_commits(const char *parent)
{
	static const struct {
		uint64_t batch, sagas;
	} sizes[] = {{1000, 100000}, {100, 50000}, {10, 5000}, {1, 1000}};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct figures best = {0};

		for (int n = 0; n < RUNS; n++) {
			struct figures figures = run(parent, sizes[i].sagas, sizes[i].batch);

			if (figures.rows_per_s > best.rows_per_s)
				best = figures;
		}
		printf("batches of %4d  %7.0f rows/s  %6.2f us CPU a row  %4.0f bytes a saga\n",
		       (int)sizes[i].batch, best.rows_per_s, best.cpu_us, best.bytes);
	}
}

/* --- reading ------------------------------------------------------------------------------ */

static enum err count_record(void *context, const struct loaded_saga *saga)
{
	++*(int *)context;
	return OK;
}

static enum err count_row(void *context, const struct saga_row *row)
{
	++*(int *)context;
	return OK;
}

static void fill_waiting(struct store *store)
{
	struct batch *batch = calloc(1, sizeof *batch);

	if (!batch)
		exit(EXIT_FAILURE);
	for (uint64_t saga = 0; saga < WAITING; saga++) {
		add_write(batch, saga, 1);
		if (batch->n == BATCH_MAX)
			commit(store, batch);
	}
	free(batch);
}

static void measure_reads(const char *parent)
{
	static const enum status running[] = {STATUS_RUNNING};
	struct saga_filter all = {.n_statuses = 0},
			   some = {.statuses = running, .n_statuses = 1};
	char path[PATH_SIZE];
	struct store *store;
	struct store_batch newest;
	int loaded = 0, listed = 0;
	double began_s, opened_s, loaded_s, listed_s;
	int lists = 200;

	make_folder(parent, path);
	store = open_store(path);
	fill_waiting(store);
	store_close(store);
	began_s = seconds();
	store = open_store(path);
	opened_s = seconds();
	must(store_load(store, NULL, &newest, count_record, &loaded), "load", &store->trouble);
	loaded_s = seconds();
	for (int i = 0; i < lists; i++)
		must(store_list(store, i % 2 ? &some : &all, (struct slice){0}, 100, count_row,
				&listed),
		     "list", &store->trouble);
	listed_s = seconds();
	printf("%d sagas that have not ended: opened in %.0f ms, loaded in %.0f ms; a page of "
	       "100 in %.2f ms\n",
	       loaded, (opened_s - began_s) * 1e3, (loaded_s - opened_s) * 1e3,
	       (listed_s - loaded_s) * 1e3 / lists);
	store_close(store);
	remove_folder(path);
}

int main(int argc, char **argv)
{
	const char *parent = argc > 1 ? argv[1] : NULL;

	measure_commits(parent);
	measure_reads(parent);
	return EXIT_SUCCESS;
}
