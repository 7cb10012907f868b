#include "tests/lib/host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS_MAX = 2000, ID_SIZE = 64, TEXT_SIZE = 64 };

struct row {
	char id[ID_SIZE];
	skald_record_state state;
	int64_t first_ms;
	char texts[3][TEXT_SIZE]; /* output, code, text */
};

struct data {
	struct row *rows;
	size_t n_rows;
	int book;
};

struct host {
	struct data now;
	struct data begun;  /* as it was when the transaction began */
	struct data marked; /* likewise, the mark */
	bool open;
	int calls_left;
	bool failed;
	char poison[ID_SIZE];
	bool poisoned;
	size_t commits;
};

static void drop(struct data *data)
{
	free(data->rows);
	*data = (struct data){0};
}

/* What was kept before is replaced. */
static bool keep_copy(struct data *to, const struct data *from)
{
	struct row *rows = malloc((from->n_rows + 1) * sizeof *rows);

	if (!rows)
		return false;
	if (from->n_rows)
		memcpy(rows, from->rows, from->n_rows * sizeof *rows);
	drop(to);
	*to = (struct data){rows, from->n_rows, from->book};
	return true;
}

static bool fails(struct host *host)
{
	if (host->calls_left < 0 || host->calls_left-- > 0)
		return false;
	host->failed = true;
	return true;
}

/* --- transactions ----------------------------------------------------------------- */

static void host_rollback(void *context)
{
	struct host *host = context;

	if (!host->open)
		abort();
	drop(&host->now);
	host->now = host->begun;
	host->begun = (struct data){0};
	drop(&host->marked);
	host->open = host->poisoned = false;
}

static int host_begin(void *context)
{
	struct host *host = context;

	if (host->open)
		abort();
	if (fails(host) || !keep_copy(&host->begun, &host->now))
		return 1;
	host->open = true;
	return 0;
}

static int host_commit(void *context)
{
	struct host *host = context;

	if (fails(host) || host->poisoned) {
		host_rollback(host);
		return 1;
	}
	drop(&host->begun);
	drop(&host->marked);
	host->open = false;
	host->commits++;
	return 0;
}

static int host_mark(void *context)
{
	struct host *host = context;

	return fails(host) || !keep_copy(&host->marked, &host->now);
}

static int host_back(void *context)
{
	struct host *host = context;

	return fails(host) || !keep_copy(&host->now, &host->marked);
}

/* --- records ------------------------------------------------------------------------- */

static struct row *find(struct host *host, const char *id)
{
	for (size_t i = 0; i < host->now.n_rows; i++)
		if (!strcmp(host->now.rows[i].id, id))
			return &host->now.rows[i];
	return NULL;
}

static int host_find(void *context, const char *id, skald_found *found)
{
	struct host *host = context;
	const struct row *row = find(host, id);
	skald_record record;

	if (fails(host))
		return 1;
	if (!row)
		return 0;
	record = (skald_record){row->state, row->first_ms, row->texts[0], row->texts[1],
				row->texts[2]};
	skald_found_set(found, &record);
	return 0;
}

static int host_keep(void *context, const char *id, const skald_record *record)
{
	const char *texts[3] = {record->output, record->code, record->text};
	struct host *host = context;
	struct row *row = find(host, id);

	if (!host->open)
		abort();
	if (fails(host) || host->now.n_rows == ROWS_MAX)
		return 1;
	if (!row) {
		struct row *rows = realloc(host->now.rows,
					   (host->now.n_rows + 1) * sizeof *host->now.rows);

		if (!rows)
			return 1;
		host->now.rows = rows;
		row = &rows[host->now.n_rows++];
	}
	snprintf(row->id, sizeof row->id, "%s", id);
	row->state = record->state;
	row->first_ms = record->first_ms;
	for (int i = 0; i < 3; i++)
		snprintf(row->texts[i], TEXT_SIZE, "%s", texts[i] ? texts[i] : "");
	host->poisoned = host->poisoned || (*host->poison && !strcmp(id, host->poison));
	return 0;
}

static int host_prune(void *context, int64_t before_ms, size_t limit)
{
	struct host *host = context;
	size_t n = 0, n_pruned = 0;

	if (fails(host))
		return 1;
	for (size_t i = 0; i < host->now.n_rows; i++)
		if (host->now.rows[i].first_ms < before_ms && n_pruned < limit)
			n_pruned++;
		else
			host->now.rows[n++] = host->now.rows[i];
	host->now.n_rows = n;
	return 0;
}

/* The rows are in no order: look for the next one each time. */
static int host_list(void *context, const char *after, size_t limit, skald_page *page)
{
	struct host *host = context;

	if (!host->open)
		abort();
	if (fails(host))
		return 1;
	for (size_t n = 0; n < limit; n++) {
		const struct row *next = NULL;

		for (size_t i = 0; i < host->now.n_rows; i++) {
			const struct row *row = &host->now.rows[i];

			if (strcmp(row->id, after) > 0 &&
			    (!next || strcmp(row->id, next->id) < 0))
				next = row;
		}
		if (!next)
			break;
		skald_page_add(page, next->id, next->state, next->first_ms);
		after = next->id;
	}
	return 0;
}

static const char *host_why(void *context)
{
	return "the host is out of order";
}

/* --- for the test ---------------------------------------------------------------------- */

struct host *host_new(void)
{
	struct host *host = calloc(1, sizeof *host);

	if (host)
		host->calls_left = -1;
	return host;
}

void host_free(struct host *host)
{
	drop(&host->now);
	drop(&host->begun);
	drop(&host->marked);
	free(host);
}

skald_barrier *host_barrier(struct host *host, bool marks)
{
	skald_barrier_callbacks callbacks = {
		.begin = host_begin,
		.commit = host_commit,
		.rollback = host_rollback,
		.mark = marks ? host_mark : NULL,
		.back = marks ? host_back : NULL,
		.find = host_find,
		.keep = host_keep,
		.prune = host_prune,
		.list = host_list,
		.why = host_why,
	};

	return skald_barrier_new(&callbacks, host);
}

void host_fail_at(struct host *host, int n)
{
	host->calls_left = n;
	host->failed = false;
}

bool host_has_failed(const struct host *host)
{
	return host->failed;
}

void host_poison(struct host *host, const char *id)
{
	snprintf(host->poison, sizeof host->poison, "%s", id);
}

int *host_book(struct host *host)
{
	return &host->now.book;
}

int host_committed(const struct host *host)
{
	return host->open ? host->begun.book : host->now.book;
}

size_t host_records(const struct host *host)
{
	return host->now.n_rows;
}

size_t host_commits(const struct host *host)
{
	return host->commits;
}
