#include "tests/lib/sites.h"

#include "tests/lib/desk.h"

#include <assert.h>
#include <check.h>
#include <stdio.h>

static const char waits[] =
	"saga: waits\nversion: 1.0.0\nsteps:\n"
	"  - take: { call: desk.take, timeout: 1h, undo: { call: desk.back } }\n"
	"  - go: { await: { event: go, timeout: 2h, then: compensate } }\n";
static const char family[] = "saga: family\nversion: 1.0.0\nsteps:\n"
			     "  - part: { saga: waits }\n";
static const char sleeps[] = "saga: sleeps\nversion: 1.0.0\nsteps:\n  - nap: { sleep: 1m }\n";

struct sites sites;

static void observe(void *context, const struct definition *definition,
		    const struct saga_row *row, const struct saga *saga,
		    const struct entry *entries, size_t n_entries, uint64_t first)
{
	struct site *site = context;

	assert(site->n_told < SITE_TOLD_MAX); /* Check would allocate */
	snprintf(site->told[site->n_told++], sizeof site->told[0], "%.*s %llu",
		 SLICE_ARG(row->id), (unsigned long long)row->revision);
}

static void keep_log(void *sink, enum log_level level, struct slice line)
{
	struct site *site = sink;
	size_t len = strlen(site->logged);

	if (len + line.len + 1 < sizeof site->logged)
		snprintf(site->logged + len, sizeof site->logged - len, "%.*s\n",
			 SLICE_ARG(line));
}

void site_open(int i)
{
	struct site *site = &sites.all[i];
	struct engine_parts parts = {
		.clock = &sites.clock.base, .seed = (uint64_t)i, .limits = sites.limits};
	char url[32];

	*site = (struct site){.log = {LOG_LEVEL_INFO, keep_log, site}};
	snprintf(url, sizeof url, "http://host:%d", i);
	site->store = parts.store = store_memory_share(sites.vault, url);
	site->bus = parts.bus = bus_memory_open(sites.posts[i]);
	parts.log = &site->log;
	sites.real = site->store->ops;
	site->store_ops = *site->store->ops;
	site->store->ops = &site->store_ops;
	site->bus_ops = *site->bus->ops;
	site->bus->ops = &site->bus_ops;
	ck_assert_int_eq(desk_open(&parts, &site->engine, NULL), OK);
	engine_observe(site->engine, observe, site);
}

void site_close(int i)
{
	struct site *site = &sites.all[i];

	engine_close(site->engine);
	bus_close(site->bus);
	store_close(site->store);
}

void sites_enter(const struct limits *limits)
{
	sites = (struct sites){.vault = vault_new(), .limits = limits};
	clock_sim_init(&sites.clock, 1700000000000);
	for (int i = 0; i < SITES; i++) {
		sites.posts[i] = post_new();
		sites.ports[i] = port_memory_open(sites.posts[i], "desk");
		site_open(i);
	}
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, waits), OK);
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, family), OK);
	ck_assert_int_eq(desk_deploy_text(sites.all[0].engine, sleeps), OK);
}

void sites_leave(void)
{
	for (int i = 0; i < SITES; i++) {
		site_close(i);
		port_close(sites.ports[i]);
		post_free(sites.posts[i]);
	}
	vault_free(sites.vault);
	arena_release(&sites.arena);
}

enum err site_turn(int i)
{
	size_t n;

	return engine_turn(sites.all[i].engine, &n);
}

void site_run(int i)
{
	for (int n = 0; n < 10; n++)
		ck_assert_int_eq(site_turn(i), OK);
}

void sites_advance(int64_t ms)
{
	sites.clock.now_ms += ms;
}

enum err site_claim(int i, const char *names, uint32_t n)
{
	struct shards shards = {.n = n};

	for (; *names; names++)
		shards_add(&shards, (uint32_t)(*names - '0'));
	return engine_own(sites.all[i].engine, &shards);
}

void site_own(int i, const char *names, uint32_t n)
{
	ck_assert_int_eq(site_claim(i, names, n), OK);
	ck_assert_int_eq(site_turn(i), OK);
}

const char *sites_id(uint32_t shard, int number)
{
	static char ids[8][16];
	static int at;
	char *id = ids[at++ % 8];

	for (int i = 0;; i++) {
		snprintf(id, 16, "s%d-%d", number, i);
		if (shard_of(slice_of(id), SITE_SHARDS) == shard)
			return id;
	}
}

enum err site_start(int i, const char *saga, const char *id)
{
	return desk_start(sites.all[i].engine, saga, id, "{}", NULL);
}

size_t site_live(int i)
{
	return desk_live(sites.all[i].engine);
}

enum err site_cancel(int i, const char *id)
{
	const struct event event = {.type = EVENT_CANCEL, .step = NO_STEP};

	return desk_operate(sites.all[i].engine, slice_of(id), (struct slice){0}, &event, NULL);
}

enum status sites_status(const char *id)
{
	struct saga_row row;
	struct slice record;

	ck_assert_int_eq(
		store_get(sites.all[0].store, slice_of(id), &sites.arena, &row, &record), OK);
	return row.status;
}

const char *site_commands(int i, const char *output)
{
	static char text[512];
	struct command_message command;

	text[0] = '\0';
	while (port_poll(sites.ports[i], &command)) {
		size_t len = strlen(text);
		struct reply_message reply = {.id = command.id,
					      .attempt = command.attempt,
					      .outcome = MESSAGE_OK,
					      .output = slice_of(output)};

		snprintf(text + len, sizeof text - len, "%.*s#%u ", SLICE_ARG(command.id),
			 (unsigned)command.attempt);
		if (output)
			ck_assert_int_eq(port_reply(sites.ports[i], &reply), OK);
	}
	return text;
}

bool site_was_told(int i, const char *id, int revision)
{
	char text[96];

	snprintf(text, sizeof text, "%s %d", id, revision);
	for (int n = 0; n < sites.all[i].n_told; n++)
		if (strcmp(sites.all[i].told[n], text) == 0)
			return true;
	return false;
}
