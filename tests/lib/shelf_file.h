/* shelf_file.h - a shelf whose store is one file of SQLite, for tests that look at what
 * only a file can run into. Its sagas have numbers, and are written in batches. */
#ifndef SKALD_TESTS_LIB_SHELF_FILE_H
#define SKALD_TESTS_LIB_SHELF_FILE_H

#include "tests/lib/shelf.h"

#include <sys/types.h>

enum { PATH_SIZE = 128, RECORD_SIZE = 600, BATCH = 20, SAGAS = 200 };

/* The saga of that number; `id` is where its text goes. */
struct saga_write numbered_write(char id[16], int n, uint64_t revision);

/* A batch that writes the sagas from `first` on, all at that revision. */
enum err commit_numbered(struct store *store, int first, uint64_t revision);

/* SAGAS of them. */
void fill_shelf(struct store *store);

/* A new shelf with them, its store closed. */
void open_filled(struct shelf *shelf);

/* 0: it is not there. */
uint64_t stored_revision(struct shelf *shelf, int n);

void close_shelf_store(struct shelf *shelf);

/* Of a file in the shelf's folder. */
void shelf_path(const struct shelf *shelf, const char *name, char path[PATH_SIZE]);

/* Of skald.db. */
off_t file_size(const struct shelf *shelf);

/* For store_load, where only its result matters. */
enum err ignore_record(void *context, const struct loaded_saga *saga);

/* What somebody else does to the file. */
void run_sql(const struct shelf *shelf, const char *sql);

/* A sentence, with DIR for the folder, is the text; or what opening it says. */
void check_said(const struct shelf *shelf, const char *text, const char *said);
void check_open_fails(const struct shelf *shelf, enum err expected, const char *said);

#endif
