#include "tests/sim/case.h"

#include "orchestrator/core/timeline.h"
#include "orchestrator/load/load.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* --- definitions -------------------------------------------------------------------- */

static const char *const files[] = {
	"sagas/order.yaml",        "sagas/order-bench.yaml",  "sagas/transfer.yaml",
	"sagas/travel.yaml",       "sagas/trial.yaml",        "sagas/fulfilment.yaml",
	"sagas/subscription.yaml", "tests/sim/rollback.yaml", "tests/sim/brisk.yaml",
	"tests/sim/family.yaml",   "tests/sim/clan.yaml",
};
enum { FILES = sizeof files / sizeof *files, OWN = 4, WEEK_MS = 7 * 24 * 3600 * 1000 };
_Static_assert((int)FILES <= (int)CATALOGUE_MAX, "there is room for all of them");

/* So that nobody adds a saga that is not simulated. */
static size_t count_shipped(void)
{
	DIR *folder = opendir("sagas");
	const struct dirent *file;
	size_t n = 0;

	while (folder && (file = readdir(folder))) {
		size_t len = strlen(file->d_name);

		n += len > 5 && !strcmp(file->d_name + len - 5, ".yaml");
	}
	if (folder)
		closedir(folder);
	return n;
}

static bool load(const char *path, struct definition **out)
{
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	enum err err = load_file(path, &problems, out);

	if (err)
		fprintf(stderr, "%s: %s\n", path,
			problems.n ? problems.list[0].text : err_text(err));
	arena_release(&arena);
	return !err;
}

bool catalogue_load(struct catalogue *catalogue)
{
	*catalogue = (struct catalogue){{NULL}, 0};
	for (; catalogue->n < FILES; catalogue->n++)
		if (!load(files[catalogue->n], &catalogue->list[catalogue->n]))
			return false;
	if (count_shipped() == FILES - OWN)
		return true;
	fprintf(stderr, "not all of sagas/*.yaml are named in tests/sim/case.c, or the "
			"simulator was not started in the root of the tree\n");
	return false;
}

void catalogue_release(struct catalogue *catalogue)
{
	while (catalogue->n)
		definition_free(catalogue->list[--catalogue->n]);
}

const struct definition *catalogue_find(const struct catalogue *catalogue, struct slice name)
{
	for (size_t i = 0; i < catalogue->n; i++)
		if (slice_equal(catalogue->list[i]->name, name))
			return catalogue->list[i];
	return NULL;
}

/* --- inputs ------------------------------------------------------------------------- */

static void write_order(struct bytes *out, const struct sim_case *sim_case,
			struct random *random)
{
	bytes_format(out,
		     "{\"order_id\":\"o-%u\",\"sku\":\"book\",\"qty\":%d,\"total\":19.99,"
		     "\"email\":\"ann@example.com\",\"card\":\"4111\"%s}",
		     (unsigned)sim_case->number, random_percent(random, 10) ? 2000 : 2,
		     random_percent(random, 15) ? ",\"decline\":true" : "");
}

static void write_bench(struct bytes *out, const struct sim_case *sim_case,
			struct random *random)
{
	bytes_format(out, "{\"sku\":\"book\",\"qty\":%d,\"total\":19.99,\"decline\":%s}",
		     random_percent(random, 10) ? 2000 : 2,
		     random_percent(random, 15) ? "true" : "false");
}

static void write_transfer(struct bytes *out, const struct sim_case *sim_case,
			   struct random *random)
{
	bytes_format(out,
		     "{\"transfer_id\":\"t-%u\",\"from\":\"CH9300762011623852957\","
		     "\"to\":\"DE89370400440532013000\",\"amount\":12.50,"
		     "\"currency\":\"CHF\"}",
		     (unsigned)sim_case->number);
}

/* A trip for which nobody asks, or one that somebody has to approve. */
static void write_travel(struct bytes *out, const struct sim_case *sim_case,
			 struct random *random)
{
	bytes_format(out,
		     "{\"trip_id\":\"j-%u\",\"traveller\":{\"name\":\"Ann\",\"email\":"
		     "\"ann@example.com\",\"passport\":\"X1\"},\"flight\":\"LX1\","
		     "\"hotel\":\"Ritz\",%s\"limit\":%d,\"card\":\"4111\"}",
		     (unsigned)sim_case->number,
		     random_percent(random, 50) ? "\"car\":\"T\"," : "",
		     random_percent(random, 50) ? 100 : 100000);
}

static void write_trial(struct bytes *out, const struct sim_case *sim_case,
			struct random *random)
{
	bytes_format(out, "{\"email\":\"A%u@example.com\",\"plan\":\"basic\"}",
		     (unsigned)sim_case->number);
}

static void write_rollback(struct bytes *out, const struct sim_case *sim_case,
			   struct random *random)
{
	bytes_format(out, "{\"n\":%u,\"all\":%s}", (unsigned)sim_case->number,
		     random_percent(random, 70) ? "true" : "false");
}

static void write_brisk(struct bytes *out, const struct sim_case *sim_case,
			struct random *random)
{
	bytes_format(out, "{\"n\":%u}", (unsigned)sim_case->number);
}

static void write_fulfilment(struct bytes *out, const struct sim_case *sim_case,
			     struct random *random)
{
	bytes_format(out,
		     "{\"order_id\":\"f-%u\",\"total\":40,\"email\":\"ann@example.com\","
		     "\"card\":\"4111\",\"lines\":[",
		     (unsigned)sim_case->number);
	for (uint32_t i = 0; i < sim_case->n_elements; i++)
		bytes_format(out, "%s{\"sku\":\"book-%u\",\"qty\":%d}", i ? "," : "",
			     (unsigned)i, random_percent(random, 5) ? 2000 : 2);
	bytes_text(out, "]}");
}

static void write_subscription(struct bytes *out, const struct sim_case *sim_case,
			       struct random *random)
{
	bytes_format(out,
		     "{\"subscription_id\":\"s-%u\",\"sku\":\"book\",\"price\":9.50,"
		     "\"email\":\"ann@example.com\",\"card\":\"4111\"}",
		     (unsigned)sim_case->number);
}

/* One of the members does more than the others. */
static void write_members(struct bytes *out, const struct sim_case *sim_case, const char *name,
			  struct random *random)
{
	bytes_format(out, "{\"n\":%u,\"%s\":[", (unsigned)sim_case->number, name);
	for (uint32_t i = 0; i < sim_case->n_elements; i++)
		bytes_format(out, "%s%u", i ? "," : "", (unsigned)random_below(random, 150));
	bytes_text(out, "]}");
}

static void write_family(struct bytes *out, const struct sim_case *sim_case,
			 struct random *random)
{
	write_members(out, sim_case, "members", random);
}

static void write_clan(struct bytes *out, const struct sim_case *sim_case,
		       struct random *random)
{
	write_members(out, sim_case, "ways", random);
}

/* The input with one text in it replaced. */
static void write_other(struct sim_case *sim_case, const char *from, const char *to)
{
	const char *input = sim_case->input, *at = strstr(input, from);

	assert(at);
	snprintf(sim_case->other_input, sizeof sim_case->other_input, "%.*s%s%s",
		 (int)(at - input), input, to, at + strlen(from));
}

static void write_input(struct sim_case *sim_case, struct random *random)
{
	static const struct {
		const char *saga;
		void (*write)(struct bytes *out, const struct sim_case *sim_case,
			      struct random *random);
		const char *from, *to; /* what another input has */
		uint32_t elements;     /* of its list, at most */
	} writers[] = {
		{"order", write_order, "4111", "4112", 1},
		{"order-bench", write_bench, "19.99", "19.98", 1},
		{"transfer", write_transfer, "12.50", "12.60", 1},
		{"travel", write_travel, "Ritz", "Hilton", 1},
		{"trial", write_trial, "basic", "team", 1},
		{"fulfilment", write_fulfilment, "4111", "4112", ELEMENTS_MAX},
		{"subscription", write_subscription, "4111", "4112", 1},
		{"family", write_family, "{", "{\"other\":1,", 3},
		{"clan", write_clan, "{", "{\"other\":1,", 2},
		{"rollback", write_rollback, "{", "{\"other\":1,", 1},
		{"brisk", write_brisk, "{", "{\"other\":1,", 1},
	};
	struct bytes input = {.at = sim_case->input,
			      .capacity = CASE_INPUT_SIZE - 1,
			      .max = CASE_INPUT_SIZE - 1};
	size_t i = 0;

	while (!slice_is(sim_case->definition->name, writers[i].saga))
		i++;
	sim_case->n_elements = 1 + random_below(random, writers[i].elements);
	writers[i].write(&input, sim_case, random);
	assert(!input.err && input.at == sim_case->input);
	sim_case->input[input.len] = '\0';
	write_other(sim_case, writers[i].from, writers[i].to);
}

/* --- a case ------------------------------------------------------------------------- */

/* The key that the definition gives it; false: it gives none. */
static bool find_key(struct sim_case *sim_case)
{
	struct arena arena = {0};
	struct failure_text failure;
	struct slice key;
	enum err err;

	if (!sim_case->definition->key)
		return false;
	err = saga_key(sim_case->definition, SLICE_LITERAL("id"), slice_of(sim_case->input),
		       &arena, &key, &failure);
	assert(!err);
	snprintf(sim_case->key, sizeof sim_case->key, "%.*s", SLICE_ARG(key));
	arena_release(&arena);
	return true;
}

/* Ids of which each is the beginning of the next; some sagas have none of their
 * own, and some are asked for under two. */
static void name_case(struct sim_case *sim_case, struct random *random)
{
	static const char chain[] = "s17042.x-9_0Zk8";
	uint32_t n = sim_case->number;
	bool keyed = find_key(sim_case);

	if (!keyed && random_percent(random, 50)) {
		snprintf(sim_case->key, sizeof sim_case->key, "k-%u",
			 (unsigned)sim_case->number);
		keyed = sim_case->names_key = true;
	}
	if (!keyed || random_percent(random, 80))
		snprintf(sim_case->ids[0], sizeof sim_case->ids[0], "%.*s", (int)n + 1, chain);
	if (!keyed || random_percent(random, 70))
		memcpy(sim_case->ids[1], sim_case->ids[0], sizeof sim_case->ids[0]);
	else if (random_percent(random, 50))
		snprintf(sim_case->ids[1], sizeof sim_case->ids[1], "again-%u",
			 (unsigned)sim_case->number);
}

static struct fate make_fate(const struct plan *plan, struct chance *chance)
{
	struct fate fate = {FATE_OK, 1 + random_below(chance->random, 3)};
	uint32_t kind = random_below(chance->random, 10);

	if (!chance_take(chance, CHANCE_FATE, plan->fates_percent))
		return fate;
	if (kind < 3)
		fate.kind = FATE_REFUSED;
	else if (kind < 6)
		fate.kind = FATE_FAILED;
	else if (kind < 8)
		fate.kind = FATE_FAILING;
	else if (kind < 9)
		fate.kind = FATE_DEADLY;
	else
		fate.kind = FATE_THOUGHTLESS;
	return fate;
}

static void make(struct sim_case *sim_case, uint32_t number, const struct plan *plan,
		 const struct definition *definition, struct chance *chance)
{
	uint32_t n = definition->n_steps * ELEMENTS_MAX;

	*sim_case =
		(struct sim_case){.number = number, .definition = definition, .n_elements = 1};
	sim_case->timeline = BYTES(TIMELINE_BYTES_MAX, NULL);
	sim_case->steps = calloc(n, sizeof *sim_case->steps);
	assert(sim_case->steps);
	for (uint32_t i = 0; i < n; i++) {
		sim_case->steps[i].fates[0] = make_fate(plan, chance);
		sim_case->steps[i].fates[1] = make_fate(plan, chance);
	}
}

/* It sleeps for weeks. */
static bool is_slow(const struct definition *definition)
{
	for (uint32_t i = 0; i < definition->n_steps; i++)
		if (definition->steps[i].sleep_ms > WEEK_MS)
			return true;
	return false;
}

/* Where a bus that is full is asked again every few seconds, or a store every minute, nobody
 * waits for weeks. */
static const struct definition *pick(const struct plan *plan, const struct catalogue *catalogue,
				     struct random *random)
{
	const struct definition *definition;
	size_t room = plan->hub ? plan->limits.held : plan->queue;

	do
		definition = catalogue->list[random_below(random, (uint32_t)catalogue->n)];
	while (((plan->mute && room < PLAN_CASES_MAX) || plan->members) && is_slow(definition));
	return definition;
}

void case_make(struct sim_case *sim_case, uint32_t number, const struct plan *plan,
	       const struct catalogue *catalogue, struct chance *chance)
{
	make(sim_case, number, plan, pick(plan, catalogue, chance->random), chance);
	write_input(sim_case, chance->random);
	name_case(sim_case, chance->random);
}

void case_make_child(struct sim_case *sim_case, uint32_t number, const struct plan *plan,
		     const struct definition *definition, struct chance *chance)
{
	make(sim_case, number, plan, definition, chance);
	sim_case->n_elements = ELEMENTS_MAX;
}

void case_release(struct sim_case *sim_case)
{
	free(sim_case->steps);
	free(sim_case->entries);
	bytes_release(&sim_case->timeline);
}

static bool is_in(const struct definition *definition, uint32_t step, uint32_t container)
{
	return step >= container && step < definition->steps[container].end;
}

bool case_depends(const struct definition *definition, struct instance first,
		  struct instance second)
{
	const struct step_definition *steps = definition->steps;

	/* Elements of one list have nothing to do with each other. */
	if (steps[first.step].each != NO_STEP &&
	    steps[first.step].each == steps[second.step].each &&
	    first.element != second.element)
		return false;
	for (uint32_t i = first.step; i != NO_STEP; i = steps[i].parent)
		for (uint32_t next = steps[i].next; next != NO_STEP; next = steps[next].next)
			if (is_in(definition, second.step, next))
				return true;
	return false;
}
