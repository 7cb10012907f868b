#include "tests/lib/shelf.h"

#include "orchestrator/store/mongo/store_mongo.h"
#include "orchestrator/store/store_memory.h"
#include "orchestrator/store/store_sqlite.h"
#include "tests/lib/engines.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const struct store_batch shelf_batch = {.number = 1, .sent = 1};

int shelf_kinds = SHELF_KINDS;

int shelf_find(void)
{
	shelf_kinds = mongo_find("mongo-memory") ? SHELF_KINDS : SHELF_MONGO;
	return shelf_kinds;
}

const char *shelf_name(enum shelf_kind kind)
{
	static const char *const names[] = {"memory", "sqlite", "mongo"};

	return names[kind];
}

static void remove_folder(const char *folder)
{
	DIR *files = opendir(folder);
	const struct dirent *entry;

	assert(files);
	while ((entry = readdir(files)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(files), entry->d_name, 0);
	closedir(files);
	rmdir(folder);
}

bool shelf_init(struct shelf *shelf, enum shelf_kind kind)
{
	*shelf = (struct shelf){.kind = kind};
	if (kind == SHELF_MONGO) {
		mongo_database(shelf->uri);
		return true;
	}
	if (kind == SHELF_MEMORY) {
		shelf->vault = vault_new();
		return shelf->vault;
	}
	/* In memory where there is such a folder: nothing waits for a disk. */
	snprintf(shelf->folder, sizeof shelf->folder, "%s/skald-test-XXXXXX",
		 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	return mkdtemp(shelf->folder);
}

enum err shelf_open_store(struct shelf *shelf)
{
	if (shelf->kind == SHELF_MONGO)
		return store_mongo_open(&(struct store_mongo_setup){.uri = shelf->uri,
								    .url = "http://a-test:1",
								    .instance = "a-test",
								    .alone = true},
					&shelf->store, NULL);
	if (shelf->kind == SHELF_SQLITE)
		return store_sqlite_open(shelf->folder, &shelf->store, NULL);
	shelf->store = store_memory_open(shelf->vault);
	return shelf->store ? OK : ERR_NOMEM;
}

void shelf_open(struct shelf *shelf, enum shelf_kind kind)
{
	bool right = shelf_init(shelf, kind) && !shelf_open_store(shelf);

	assert(right);
}

void shelf_reopen(struct shelf *shelf)
{
	enum err err;

	store_close(shelf->store);
	shelf->store = NULL;
	err = shelf_open_store(shelf);
	assert(!err);
}

void shelf_close(struct shelf *shelf)
{
	store_close(shelf->store);
	shelf->store = NULL;
	arena_release(&shelf->arena);
	if (shelf->kind == SHELF_MEMORY)
		vault_free(shelf->vault);
	else if (shelf->kind == SHELF_MONGO)
		mongo_drop(shelf->uri);
	else if (shelf->folder[0])
		remove_folder(shelf->folder);
}

struct saga_write shelf_write(struct shelf_saga saga)
{
	const char *id = saga.id;
	struct saga_write write = {
		.row = {.id = slice_of(id),
			.key = slice_of(saga.key ? saga.key : id),
			.saga = slice_of(saga.saga ? saga.saga : "order"),
			.version = SLICE_LITERAL("1.0.0"),
			.status = saga.status,
			.step = slice_of(saga.step),
			.started_ms = saga.started_ms ? saga.started_ms : SHELF_START_MS,
			.ended_ms = saga.ended_ms,
			.revision = saga.revision ? saga.revision : 1},
		.record = slice_of(saga.record ? saga.record : id),
		.result = ERR_CORRUPT};

	if (!saga.ended_ms && status_ended(saga.status))
		write.row.ended_ms = SHELF_END_MS;
	write.before = write.row.revision - 1;
	return write;
}

enum err shelf_put(struct shelf *shelf, struct shelf_saga saga)
{
	struct saga_write write = shelf_write(saga);
	enum err err = store_commit(shelf->store, &shelf_batch, &write, 1, NULL, 0);

	assert(!err);
	return write.result;
}

bool shelf_holds(struct shelf *shelf, const char *id, const char *record)
{
	struct slice stored;
	enum err err = store_get(shelf->store, slice_of(id), &shelf->arena, NULL, &stored);

	return record ? !err && slice_is(stored, record) : err == ERR_NOT_FOUND;
}

enum err shelf_note(struct shelf_walk *walk, struct slice text)
{
	size_t len = strlen(walk->text);

	snprintf(walk->text + len, sizeof walk->text - len, " %.*s", SLICE_ARG(text));
	return ++walk->n == walk->stop_after ? ERR_NOT_FOUND : OK;
}

enum err shelf_note_record(void *walk, const struct loaded_saga *saga)
{
	return shelf_note(walk, saga->record);
}

enum err shelf_note_row(void *walk, const struct saga_row *row)
{
	return shelf_note(walk, row->id);
}
