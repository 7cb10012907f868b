#include "cli/simulation.h"

#include "base/json_line.h"
#include "cli/columns.h"
#include "cli/spans.h"

#include <inttypes.h>
#include <stdio.h>

enum { CELL_SIZE = 80 };

/* --- tables ---------------------------------------------------------------------------- */

struct table {
	struct columns columns;
	struct cell_text cells[COLUMNS_MAX];
	size_t n; /* cells of the row that is being made */
};

static struct table table_of(const struct cli *cli, const char *const *titles, size_t n)
{
	return (struct table){
		.columns = {.arena = cli->arena, .titles = titles, .n_columns = n}};
}

/* The last cell of a row ends it. */
static void add_cell(struct table *table, struct slice text, enum tone tone)
{
	struct cell_text *cell = &table->cells[table->n++];

	cell->tone = tone;
	if (!arena_copy(table->columns.arena, text, &cell->text))
		table->columns.nomem = true;
	if (table->n < table->columns.n_columns)
		return;
	columns_add(&table->columns, table->cells);
	table->n = 0;
}

static void add_count(struct table *table, uint64_t number)
{
	char text[CELL_SIZE];

	(void)snprintf(text, sizeof text, "%" PRIu64, number);
	add_cell(table, slice_of(text), number ? TONE_PLAIN : TONE_DIM);
}

static void add_time(struct table *table, int64_t ms)
{
	char text[SPAN_TEXT_SIZE];

	span_format(ms, text);
	add_cell(table, slice_of(text), TONE_PLAIN);
}

static enum err write_table(struct table *table, const struct cli *cli, struct bytes *out)
{
	bytes_add(out, '\n');
	return columns_write(&table->columns, &cli->out, out);
}

/* --- the parts of the text ------------------------------------------------------------- */

static void write_head(const struct simulated *simulated, struct bytes *out)
{
	const struct definition *definition = simulated->setup->family.list[0];
	uint64_t last = simulated->first_seed + simulated->n_seeds - 1;

	bytes_text(out, simulated->path);
	bytes_format(out, ": %" PRIu64 " run%s of %.*s %.*s, seed%s %" PRIu64,
		     simulated->n_seeds, simulated->n_seeds == 1 ? "" : "s",
		     SLICE_ARG(definition->name), SLICE_ARG(definition->version),
		     simulated->n_seeds == 1 ? "" : "s", simulated->first_seed);
	if (simulated->n_seeds > 1)
		bytes_format(out, " to %" PRIu64, last);
	bytes_text(out, "\nfaults: ");
	faults_write(out, &simulated->setup->faults);
	bytes_add(out, '\n');
}

static enum tone end_tone(int end)
{
	switch (end) {
	case RUN_COMPLETED: return TONE_GREEN;
	case RUN_COMPENSATED: return TONE_YELLOW;
	case RESULTS_ALL: return TONE_PLAIN;
	default: return TONE_RED;
	}
}

static enum err write_outcomes(const struct results *results, const struct cli *cli,
			       struct bytes *out)
{
	static const char *const titles[] = {"OUTCOME", "RUNS", "SHARE", "P50",
					     "P90",     "P99",  "MAX"};
	static const uint32_t quantiles[] = {500, 900, 990, 1000};
	struct table table = table_of(cli, titles, 7);
	uint64_t all = results_runs(results, RESULTS_ALL);

	for (int end = 0; end <= RESULTS_ALL; end++) {
		uint64_t runs = results_runs(results, end);
		char share[CELL_SIZE];

		if (!runs)
			continue;
		(void)snprintf(share, sizeof share, "%" PRIu64 ".%" PRIu64 "%%",
			       runs * 1000 / all / 10, runs * 1000 / all % 10);
		add_cell(&table,
			 slice_of(end == RESULTS_ALL ? "all" : run_end_text((enum run_end)end)),
			 end_tone(end));
		add_count(&table, runs);
		add_cell(&table, slice_of(share), TONE_PLAIN);
		for (size_t i = 0; i < 4; i++)
			add_time(&table, results_quantile(results, end, quantiles[i]));
	}
	return write_table(&table, cli, out);
}

static enum err write_reasons(const struct results *results, const struct cli *cli,
			      struct bytes *out)
{
	static const char *const titles[] = {"OUTCOME", "RUNS", "SEED", "WHY"};
	struct table table = table_of(cli, titles, 4);

	if (!results->n_reasons)
		return OK;
	for (size_t i = 0; i < results->n_reasons; i++) {
		const struct result_reason *reason = &results->reasons[i];

		add_cell(&table, slice_of(run_end_text(reason->end)), end_tone(reason->end));
		add_count(&table, reason->runs);
		add_count(&table, reason->seed);
		add_cell(&table, reason->text, TONE_PLAIN);
	}
	if (results->other_reasons) {
		add_cell(&table, SLICE_LITERAL("any"), TONE_PLAIN);
		add_count(&table, results->other_reasons);
		add_cell(&table, (struct slice){0}, TONE_PLAIN);
		add_cell(&table, SLICE_LITERAL("other reasons"), TONE_PLAIN);
	}
	return write_table(&table, cli, out);
}

/* Of a child saga with its name: "order/reserve". */
static void step_name(const struct simulated *simulated, size_t n, char text[2 * CELL_SIZE])
{
	const struct definition *definition;
	uint32_t step;

	(void)simulation_step(simulated->simulation, n, &definition, &step);
	if (definition == simulated->setup->family.list[0])
		(void)snprintf(text, (size_t)2 * CELL_SIZE, "%.*s",
			       SLICE_ARG(definition->steps[step].name));
	else
		(void)snprintf(text, (size_t)2 * CELL_SIZE, "%.*s/%.*s",
			       SLICE_ARG(definition->name),
			       SLICE_ARG(definition->steps[step].name));
}

static bool was_used(const struct step_count *count)
{
	return count->attempts || count->undos || count->parked;
}

static enum err write_steps(const struct simulated *simulated, const struct results *results,
			    const struct cli *cli, struct bytes *out)
{
	static const char *const titles[] = {"STEP",    "ATTEMPTS", "TIMEOUTS", "FAILED",
					     "REFUSED", "UNDOS",    "PARKED"};
	struct table table = table_of(cli, titles, 7);
	char name[2 * CELL_SIZE];

	for (size_t i = 0; i < results->n_steps; i++) {
		const struct step_count *count = &results->steps[i];

		if (!was_used(count))
			continue;
		step_name(simulated, i, name);
		add_cell(&table, slice_of(name), TONE_BOLD);
		add_count(&table, count->attempts);
		add_count(&table, count->timeouts);
		add_count(&table, count->failed);
		add_count(&table, count->refused);
		add_count(&table, count->undos);
		add_count(&table, count->parked);
	}
	return write_table(&table, cli, out);
}

static void write_worst(const struct results *results, struct bytes *out)
{
	uint64_t runs = results_runs(results, RESULTS_ALL);
	uint64_t tenths = results->messages * 10 / runs;
	char span[SPAN_TEXT_SIZE];

	bytes_format(out,
		     "\nmessages: %" PRIu64 ", %" PRIu64 ".%" PRIu64
		     " a run; the orchestrator was restarted %" PRIu64 " times\n",
		     results->messages, tenths / 10, tenths % 10, results->restarts);
	span_format(results->slowest.value, span);
	bytes_format(out, "slowest: seed %" PRIu64 ", %s after %s\n", results->slowest.seed,
		     run_end_text(results->slowest.end), span);
	bytes_format(out, "most attempts: seed %" PRIu64 ", %s after %" PRId64 " attempts\n",
		     results->busiest.seed, run_end_text(results->busiest.end),
		     results->busiest.value);
}

static void write_violation(enum invariant invariant, uint64_t seed, struct slice what,
			    struct bytes *out)
{
	bytes_format(out, "  seed %" PRIu64 ": %s: ", seed,
		     simulate_invariants[invariant].name);
	bytes_append(out, what);
	bytes_add(out, '\n');
}

static void write_violations(const struct results *results, struct bytes *out)
{
	if (!results->n_violations) {
		bytes_text(out, "no violation\n");
		return;
	}
	bytes_format(out, "%" PRIu64 " violation%s; see one with --seed\n",
		     results->n_violations, results->n_violations == 1 ? "" : "s");
	for (size_t i = 0; i < results->n_violations && i < RESULTS_VIOLATIONS_MAX; i++)
		write_violation(results->violations[i].invariant, results->violations[i].seed,
				results->violations[i].what, out);
	if (results->n_violations > RESULTS_VIOLATIONS_MAX)
		bytes_text(out, "  and more of them\n");
}

enum err simulation_text(const struct simulated *simulated, const struct results *results,
			 const struct cli *cli, struct bytes *out)
{
	enum err err;

	write_head(simulated, out);
	err = write_outcomes(results, cli, out);
	if (!err)
		err = write_reasons(results, cli, out);
	if (!err)
		err = write_steps(simulated, results, cli, out);
	write_worst(results, out);
	write_violations(results, out);
	return err ? err : out->err;
}

/* --- JSON ------------------------------------------------------------------------------ */

/* A name with underlines: "does_not_end". */
static void add_end_name(struct bytes *out, int end)
{
	const char *text = end == RESULTS_ALL ? "all" : run_end_text((enum run_end)end);
	char name[CELL_SIZE];
	size_t i = 0;

	for (; text[i]; i++)
		name[i] = text[i] == ' ' ? '_' : text[i];
	name[i] = '\0';
	json_add_name(out, name);
}

static void json_head(const struct simulated *simulated, struct bytes *out)
{
	const struct definition *definition = simulated->setup->family.list[0];
	struct bytes faults = BYTES(SIZE_MAX / 4, NULL);
	char hash[SHA256_HEX_SIZE];

	faults_write(&faults, &simulated->setup->faults);
	sha256_hex(definition->hash, hash);
	json_begin(out);
	json_add_text(out, "file", slice_of(simulated->path));
	json_add_text(out, "saga", definition->name);
	json_add_text(out, "version", definition->version);
	json_add_text(out, "hash", slice_of(hash));
	json_add_text(out, "faults", bytes_slice(&faults));
	if (faults.err && !out->err)
		out->err = faults.err;
	bytes_release(&faults);
}

static void json_times(const struct results *results, struct bytes *out)
{
	json_add_name(out, "latency_ms");
	json_begin(out);
	for (int end = 0; end <= RESULTS_ALL; end++) {
		if (!results_runs(results, end))
			continue;
		add_end_name(out, end);
		json_begin(out);
		json_add_number(out, "p50", results_quantile(results, end, 500));
		json_add_number(out, "p90", results_quantile(results, end, 900));
		json_add_number(out, "p99", results_quantile(results, end, 990));
		json_add_number(out, "max", results_quantile(results, end, 1000));
		json_end(out);
	}
	json_end(out);
}

static void json_outcomes(const struct results *results, struct bytes *out)
{
	json_add_name(out, "outcomes");
	json_begin(out);
	for (int end = 0; end < RUN_ENDS; end++) {
		add_end_name(out, end);
		bytes_format(out, "%" PRIu64, results_runs(results, end));
	}
	json_end(out);
}

static void json_reasons(const struct results *results, struct bytes *out)
{
	json_add_name(out, "reasons");
	json_begin_list(out);
	for (size_t i = 0; i < results->n_reasons; i++) {
		const struct result_reason *reason = &results->reasons[i];

		json_begin(out);
		json_add_text(out, "outcome", slice_of(run_end_text(reason->end)));
		json_add_text(out, "reason", reason->text);
		json_add_number(out, "runs", (int64_t)reason->runs);
		json_add_number(out, "seed", (int64_t)reason->seed);
		json_end(out);
	}
	json_end_list(out);
}

static void json_steps(const struct simulated *simulated, const struct step_count *steps,
		       struct bytes *out)
{
	const struct definition *definition;
	uint32_t step;

	json_add_name(out, "steps");
	json_begin_list(out);
	for (size_t i = 0; simulation_step(simulated->simulation, i, &definition, &step); i++) {
		const struct step_count *count = &steps[i];

		if (!was_used(count))
			continue;
		json_begin(out);
		json_add_text(out, "saga", definition->name);
		json_add_text(out, "name", definition->steps[step].name);
		json_add_number(out, "attempts", (int64_t)count->attempts);
		json_add_number(out, "timeouts", (int64_t)count->timeouts);
		json_add_number(out, "failed", (int64_t)count->failed);
		json_add_number(out, "refused", (int64_t)count->refused);
		json_add_number(out, "undos", (int64_t)count->undos);
		json_add_number(out, "parked", (int64_t)count->parked);
		json_end(out);
	}
	json_end_list(out);
}

static void json_violation(enum invariant invariant, uint64_t seed, struct slice what,
			   struct bytes *out)
{
	json_begin(out);
	json_add_number(out, "seed", (int64_t)seed);
	json_add_text(out, "invariant", slice_of(simulate_invariants[invariant].name));
	json_add_text(out, "what", what);
	json_end(out);
}

static void json_worst(const struct result_worst *worst, const char *name, const char *unit,
		       struct bytes *out)
{
	json_add_name(out, name);
	json_begin(out);
	json_add_number(out, "seed", (int64_t)worst->seed);
	json_add_text(out, "outcome", slice_of(run_end_text(worst->end)));
	json_add_number(out, unit, worst->value);
	json_end(out);
}

enum err simulation_json(const struct simulated *simulated, const struct results *results,
			 struct bytes *out)
{
	json_head(simulated, out);
	json_add_number(out, "first_seed", (int64_t)simulated->first_seed);
	json_add_number(out, "seeds", (int64_t)simulated->n_seeds);
	json_outcomes(results, out);
	json_times(results, out);
	json_reasons(results, out);
	json_steps(simulated, results->steps, out);
	json_add_number(out, "attempts", (int64_t)results->attempts);
	json_add_number(out, "messages", (int64_t)results->messages);
	json_add_number(out, "restarts", (int64_t)results->restarts);
	json_worst(&results->slowest, "slowest", "latency_ms", out);
	json_worst(&results->busiest, "most_attempts", "attempts", out);
	json_add_number(out, "violations", (int64_t)results->n_violations);
	json_add_name(out, "first_violations");
	json_begin_list(out);
	for (size_t i = 0; i < results->n_violations && i < RESULTS_VIOLATIONS_MAX; i++)
		json_violation(results->violations[i].invariant, results->violations[i].seed,
			       results->violations[i].what, out);
	json_end_list(out);
	json_end_line(out);
	return out->err;
}

/* --- one run --------------------------------------------------------------------------- */

static void json_notes(const struct run *run, struct bytes *out)
{
	json_add_name(out, "transcript");
	json_begin_list(out);
	for (size_t i = 0; i < run->n_notes; i++) {
		const struct note *note = &run->notes[i];

		json_begin(out);
		json_add_number(out, "at_ms", note->at_ms);
		json_add_text(out, "from", run->actors[note->from]);
		json_add_text(out, "to", run->actors[note->to]);
		json_add_bool(out, "lost", note->lost);
		json_add_text(out, "text", note->text);
		json_end(out);
	}
	json_end_list(out);
}

enum err run_json(const struct simulated *simulated, const struct run *run, struct bytes *out)
{
	json_head(simulated, out);
	json_add_number(out, "seed", (int64_t)run->seed);
	json_add_text(out, "id", run->id);
	/* What was given may hold what must not be shown. */
	json_add_json(out, "input",
		      simulated->setup->input.text.len ? (struct slice){0} : run->input);
	json_add_text(out, "outcome", slice_of(run_end_text(run->end)));
	json_add_optional(out, "reason", run->reason);
	json_add_number(out, "latency_ms", run->took_ms);
	json_steps(simulated, run->steps, out);
	json_add_number(out, "attempts", (int64_t)run->attempts);
	json_add_number(out, "messages", (int64_t)run->messages);
	json_add_number(out, "restarts", (int64_t)run->restarts);
	if (run->broken) {
		json_add_name(out, "violation");
		json_violation(run->broken, run->seed, slice_of(run->what), out);
	} else {
		json_add_null(out, "violation");
	}
	json_notes(run, out);
	json_end_line(out);
	return out->err;
}
