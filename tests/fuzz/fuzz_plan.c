/* fuzz_plan.c - plans and faults that anybody may have written.
 *
 * Whatever the bytes are, reading a plan ends, says what is wrong if it fails and nothing
 * if it does not, and a plan that was read can be simulated. As faults they are refused,
 * or read back as what they were. */
#include "orchestrator/load/load.h"
#include "orchestrator/simulate/run.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

static struct definition *load(void)
{
	static const struct slice text = SLICE_LITERAL(
		"saga: order\nversion: 1.0.0\nsteps:\n"
		"  - reserve: { call: inventory.reserve, with: { sku: x }, undo: { call: "
		"inventory.release } }\n"
		"  - word: { await: { event: approved, timeout: 1h, then: compensate } }\n"
		"  - pay: { kind: pivot, call: payment.charge }\n");
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct definition *definition = NULL;

	require(!load_text("order.yaml", text, NULL, &problems, &definition));
	arena_release(&arena);
	return definition;
}

/* Whether or not an output can be evaluated, no promise is broken. */
static void simulate(const struct family *family, const struct plan *plan)
{
	const struct simulation_setup setup = {
		.family = *family, .plan = plan, .faults = faults_default, .events_max = 2000};
	struct simulation *simulation;
	struct diag diag = {""};
	struct run run;
	enum err err;

	require(!simulation_open(&setup, &simulation));
	err = simulation_run(simulation, 1, true, &run, &diag);
	require(!err || (err == ERR_INVALID && diag.text[0]));
	if (!err) {
		require(!run.broken);
		run_release(&run);
	}
	simulation_close(simulation);
}

static void try_plan(struct slice text)
{
	struct definition *definition = load();
	const struct definition *list[] = {definition};
	const struct family family = {list, 1};
	struct arena arena = {0};
	struct problems problems = {.arena = &arena};
	struct plan *plan = NULL;
	enum err err = plan_load("plan.yaml", text, &family, &problems, &plan);

	require(err == (problems.n_errors ? ERR_INVALID : OK));
	if (!err)
		simulate(&family, plan);
	plan_free(plan);
	arena_release(&arena);
	definition_free(definition);
}

static void try_faults(struct slice text)
{
	struct bytes written = BYTES(4096, NULL), again = BYTES(4096, NULL);
	struct faults faults;
	struct diag diag = {""};

	if (faults_parse(text, &faults, &diag)) {
		require(diag.text[0]);
		return;
	}
	faults_write(&written, &faults);
	require(!faults_parse(bytes_slice(&written), &faults, NULL));
	faults_write(&again, &faults);
	require(slice_equal(bytes_slice(&written), bytes_slice(&again)));
	bytes_release(&written);
	bytes_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct slice text = {(const char *)data, size};

	if (size > 16 * 1024)
		return 0;
	try_plan(text);
	try_faults(text);
	return 0;
}
