/* skald simulate */
#include "cli/file.h"
#include "cli/given.h"
#include "cli/report.h"
#include "cli/simulation.h"
#include "orchestrator/core/family.h"
#include "orchestrator/server/folder.h"

#include <inttypes.h>
#include <stdio.h>

enum { SEEDS_MAX = 10000000, FAMILY_MAX = 256, PROGRESS_RUNS = 500 };

static const char manual[] =
	"Runs the saga of FILE again and again, each time with another seed: with\n"
	"the real engine, on a clock that does not wait, and with participants,\n"
	"messages and people that are made up. Things go wrong on the way, and the\n"
	"effects at the participants are held to what Skald promises. What is\n"
	"printed is how the runs ended, how long they took (in simulated time), what\n"
	"each step took, the seeds that are worth a look, and every violation. The\n"
	"command fails if there is one.\n"
	"\n"
	"The same seed is the same run, byte for byte. With --seed alone one run is\n"
	"told from begin to end, as a sequence diagram; with --seeds, too, it is the\n"
	"first one of so many.\n"
	"\n"
	"Child sagas are taken from the other FILEs, or from the folder of FILE. Of\n"
	"several FILEs each is simulated for itself. With --json there is one object\n"
	"for each.\n"
	"\n"
	"The faults, each with a chance: drop, dup, delay (of messages), decline,\n"
	"fail, timeout, crash (of participants), restart (of the orchestrator),\n"
	"stall (of the store), clock and cancel. Behind delay, crash, restart, stall\n"
	"and clock may stand how long at most. With slow=50ms participants take so\n"
	"much longer. What is not named does not happen; none stands for no faults\n"
	"at all.\n"
	"\n"
	"A plan, in YAML, says how participants behave, what they answer and which\n"
	"events come when. Without one they take 20ms, and 500ms once in a hundred\n"
	"times, and values are made up so that they fit what is done with them.\n"
	"\n"
	"  skald simulate sagas/order.yaml\n"
	"  skald simulate --faults drop=5%,crash=1%:30s --seeds 10000 order.yaml\n"
	"  skald simulate --plan plans/order.yaml --seed 17 order.yaml";

static const struct option options[] = {
	{.name = "seeds",
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .initial = "1000",
	 .min = 1,
	 .max = SEEDS_MAX,
	 .argument = "N",
	 .help = "how many runs"},
	{.name = "seed",
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .argument = "S",
	 .help = "the first seed, 1 without it; alone: this run, and all that happens in it"},
	{.name = "faults",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "NAME=CHANCE,...",
	 .help = "what goes wrong, such as drop=1%,crash=0.1%:30s; or none"},
	{.name = "plan",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "FILE",
	 .help = "how participants behave, and which events come"},
	{.name = "input",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .max = 512 * 1024,
	 .argument = "JSON|@FILE",
	 .help = "the saga's input; made up without it"},
	{.name = "format",
	 .letter = 'f',
	 .type = OPTION_CHOICE,
	 .flag_only = true,
	 .initial = "text",
	 .choices = "text|mermaid",
	 .help = "of the run of --seed: text for the terminal, mermaid for Markdown pages"},
	{.name = "max-events",
	 .type = OPTION_INTEGER,
	 .flag_only = true,
	 .initial = "100000",
	 .min = 1,
	 .max = 100000000,
	 .argument = "N",
	 .help = "after so many events a run does not end"},
	{.name = "max-time",
	 .type = OPTION_DURATION,
	 .flag_only = true,
	 .initial = "730d",
	 .min = 1,
	 .help = "after so much simulated time likewise"},
};

/* --- definitions ----------------------------------------------------------------------- */

/* Those that were named, and those beside them. */
struct loaded {
	const struct cli *cli;
	struct definition *list[FAMILY_MAX];
	size_t n, n_named;
};

static enum exit_code load_named(struct loaded *loaded)
{
	const struct cli *cli = loaded->cli;
	enum exit_code worst = EXIT_DONE;

	for (size_t i = 0; i < cli->options->n_args; i++) {
		struct definition *definition;
		enum exit_code code =
			report_load(cli, REPORT_TEXT, cli->options->args[i], &definition);

		if (!code)
			loaded->list[loaded->n++] = definition;
		worst = code ? code : worst;
	}
	loaded->n_named = loaded->n;
	return worst;
}

static bool is_known(const struct loaded *loaded, const struct definition *definition)
{
	return family_find((const struct definition *const *)loaded->list, loaded->n,
			   definition->name, definition->version) != NULL;
}

static void take_beside(void *context, const char *path, struct definition *definition)
{
	struct loaded *loaded = context;

	if (loaded->n == FAMILY_MAX || is_known(loaded, definition))
		definition_free(definition);
	else
		loaded->list[loaded->n++] = definition;
}

/* A file with mistakes is nobody's child. */
static void leave_beside(void *context, struct problems *problems)
{
}

static bool wants(const struct step_definition *step, const struct definition *child)
{
	return step->form == FORM_SAGA && slice_equal(step->child, child->name) &&
	       (!step->child_version.len || slice_equal(step->child_version, child->version));
}

/* The saga of one file, and those that it starts, directly or not. */
struct relatives {
	const struct definition *list[FAMILY_MAX];
	size_t n;
};

static bool is_member(const struct relatives *relatives, const struct definition *definition)
{
	for (size_t i = 0; i < relatives->n; i++)
		if (relatives->list[i] == definition)
			return true;
	return false;
}

/* Those of step `step` are added; false: there are none at all. */
static bool add_children(const struct loaded *loaded, const struct step_definition *step,
			 struct relatives *relatives)
{
	bool found = step->form != FORM_SAGA;

	for (size_t i = 0; i < loaded->n; i++) {
		if (!wants(step, loaded->list[i]))
			continue;
		found = true;
		if (!is_member(relatives, loaded->list[i]))
			relatives->list[relatives->n++] = loaded->list[i];
	}
	return found;
}

static const struct step_definition *add_all(const struct loaded *loaded,
					     struct relatives *relatives)
{
	for (size_t i = 0; i < relatives->n; i++) {
		const struct definition *definition = relatives->list[i];

		for (uint32_t k = 0; k < definition->n_steps; k++)
			if (!add_children(loaded, &definition->steps[k], relatives))
				return &definition->steps[k];
	}
	return NULL;
}

static enum exit_code read_folder(struct loaded *loaded, const char *path)
{
	const struct folder_reader reader = {take_beside, leave_beside, loaded};
	const char *slash = strrchr(path, '/');
	struct slice folder = {slash ? path : ".", slash ? (size_t)(slash - path) + 1 : 1};
	struct diag diag = {""};
	size_t n_bad;
	enum err err;

	if (!arena_copy(loaded->cli->arena, folder, &folder))
		return complain_err(loaded->cli, ERR_NOMEM);
	err = folder_read_definitions(folder.at, &reader, &n_bad, &diag);
	if (!err)
		return EXIT_DONE;
	complain(loaded->cli, "%s", diag.text);
	return EXIT_FAILED;
}

/* Two sagas that cannot stand beside each other. */
static enum exit_code check_relatives(const struct cli *cli, const char *path,
				      const struct relatives *relatives)
{
	struct problems problems = {.arena = cli->arena, .file = report_name(path)};
	struct family_fault fault;
	struct diag diag;
	enum err err = family_check(relatives->list + 1, relatives->n - 1, relatives->list[0],
				    cli->arena, &fault, &diag);

	if (err == ERR_INVALID) {
		problem_add(&problems, SEVERITY_ERROR, fault.place, fault.code, "%s",
			    diag.text);
		err = report_problems(cli, REPORT_TEXT, &problems);
		return err ? complain_err(cli, err) : EXIT_FAILED;
	}
	return err ? complain_err(cli, err) : EXIT_DONE;
}

static enum exit_code find_relatives(struct loaded *loaded, size_t i,
				     struct relatives *relatives)
{
	const struct cli *cli = loaded->cli;
	const char *path = cli->options->args[i];
	const struct step_definition *orphan;
	enum exit_code code;

	*relatives = (struct relatives){{loaded->list[i]}, 1};
	orphan = add_all(loaded, relatives);
	if (orphan) {
		code = read_folder(loaded, path);
		if (code)
			return code;
		relatives->n = 1;
		orphan = add_all(loaded, relatives);
	}
	if (orphan) {
		complain(cli,
			 "%s: the step %.*s starts the saga %.*s, which no file beside it "
			 "defines; name its file, too",
			 report_name(path), SLICE_ARG(orphan->name), SLICE_ARG(orphan->child));
		return EXIT_FAILED;
	}
	return check_relatives(cli, path, relatives);
}

/* --- what was given -------------------------------------------------------------------- */

static enum exit_code load_plan(const struct cli *cli, const struct family *family,
				struct plan **out)
{
	const char *path = options_text(cli->options, "plan");
	struct problems problems = {.arena = cli->arena};
	struct slice text;
	enum exit_code code;
	enum err err;

	*out = NULL;
	if (!path)
		return EXIT_DONE;
	code = given_text(cli, path, PLAN_TEXT_MAX, &text);
	if (code)
		return code;
	err = plan_load(report_name(path), text, family, &problems, out);
	if (problems.n && report_problems(cli, REPORT_TEXT, &problems))
		err = ERR_NOMEM;
	if (err && err != ERR_INVALID)
		return complain_err(cli, err);
	return err ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_code read_input(const struct cli *cli, const struct definition *definition,
				 struct json *out)
{
	const char *text = options_text(cli->options, "input");
	struct diag diag = {""};
	enum exit_code code;
	enum err err;

	if (!text)
		return EXIT_DONE;
	code = given_json(cli, "--input", text, out);
	if (code)
		return code;
	err = schema_validate(definition->input, *out, cli->arena, &diag);
	if (!err)
		return EXIT_DONE;
	complain(cli, "the schema of %.*s does not allow this input: %s",
		 SLICE_ARG(definition->name), err == ERR_INVALID ? diag.text : err_text(err));
	return EXIT_FAILED;
}

static enum exit_code read_faults(const struct cli *cli, struct faults *out)
{
	const char *text = options_text(cli->options, "faults");
	struct diag diag = {""};

	*out = faults_default;
	if (text && faults_parse(slice_of(text), out, &diag))
		return complain_usage(cli, "--faults: %s", diag.text);
	return EXIT_DONE;
}

/* --- running --------------------------------------------------------------------------- */

static enum exit_code complain_run(const struct cli *cli, enum err err, uint64_t seed,
				   const struct diag *diag)
{
	if (err == ERR_NOMEM || !diag->text[0])
		return complain_err(cli, err);
	complain(cli, "seed %" PRIu64 ": %s", seed, diag->text);
	return EXIT_FAILED;
}

static void show_progress(const struct cli *cli, uint64_t n, uint64_t of)
{
	if (cli->errs.is_terminal && !cli->quiet && n % PROGRESS_RUNS == 0)
		fprintf(stderr, "\r%" PRIu64 " of %" PRIu64 " runs\033[K", n, of);
	if (cli->errs.is_terminal && !cli->quiet && n == of)
		fputs("\r\033[K", stderr);
}

static enum err run_all(const struct cli *cli, const struct simulated *simulated,
			struct simulation *simulation, struct results *results, uint64_t *seed,
			struct diag *diag)
{
	enum err err = OK;

	for (uint64_t i = 0; i < simulated->n_seeds && !err; i++) {
		struct run run;

		*seed = simulated->first_seed + i;
		err = simulation_run(simulation, *seed, false, &run, diag);
		if (err)
			break;
		err = results_add(results, &run);
		run_release(&run);
		show_progress(cli, i + 1, simulated->n_seeds);
	}
	results_finish(results);
	return err;
}

static enum exit_code show_many(const struct cli *cli, const struct simulated *simulated,
				struct simulation *simulation)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	enum exit_code code = EXIT_DONE;
	struct diag diag = {""};
	struct results results;
	uint64_t seed = 0;
	enum err err = results_init(&results, simulation);

	if (!err)
		err = run_all(cli, simulated, simulation, &results, &seed, &diag);
	if (!err && cli->json)
		err = simulation_json(simulated, &results, &out);
	else if (!err && (!cli->quiet || results.n_violations))
		err = simulation_text(simulated, &results, cli, &out);
	if (err)
		code = complain_run(cli, err, seed, &diag);
	else if (results.n_violations)
		code = EXIT_FAILED;
	results_release(&results);
	if (!err)
		print_bytes(&out);
	return code;
}

static enum exit_code show_one(const struct cli *cli, const struct simulated *simulated,
			       struct simulation *simulation)
{
	const char *format = options_text(cli->options, "format");
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);
	struct diag diag = {""};
	enum exit_code code;
	struct run run;
	enum err err = simulation_run(simulation, simulated->first_seed, true, &run, &diag);

	if (err)
		return complain_run(cli, err, simulated->first_seed, &diag);
	if (cli->json)
		err = run_json(simulated, &run, &out);
	else if (strcmp(format, "mermaid") == 0)
		err = run_mermaid(&run, &out);
	else
		err = run_text(simulated, &run, cli, &out);
	code = run.broken ? EXIT_FAILED : EXIT_DONE;
	run_release(&run);
	if (err)
		return complain_err(cli, err);
	print_bytes(&out);
	return code;
}

static bool wants_one(const struct cli *cli)
{
	return options_given(cli->options, "seed") && !options_given(cli->options, "seeds");
}

static enum exit_code simulate_family(const struct cli *cli, const char *path,
				      const struct simulation_setup *setup)
{
	struct simulated simulated = {
		.path = report_name(path),
		.setup = setup,
		.first_seed = options_given(cli->options, "seed")
				      ? (uint64_t)options_number(cli->options, "seed")
				      : 1,
		.n_seeds = (uint64_t)options_number(cli->options, "seeds"),
	};
	struct simulation *simulation;
	enum exit_code code;
	enum err err = simulation_open(setup, &simulation);

	if (err)
		return complain_err(cli, err);
	simulated.simulation = simulation;
	code = wants_one(cli) ? show_one(cli, &simulated, simulation)
			      : show_many(cli, &simulated, simulation);
	simulation_close(simulation);
	return code;
}

static enum exit_code simulate_file(struct loaded *loaded, size_t i,
				    const struct simulation_setup *common)
{
	const struct cli *cli = loaded->cli;
	struct simulation_setup setup = *common;
	struct relatives relatives;
	struct plan *plan = NULL;
	enum exit_code code = find_relatives(loaded, i, &relatives);

	if (code)
		return code;
	setup.family = (struct family){relatives.list, relatives.n};
	code = read_input(cli, relatives.list[0], &setup.input);
	if (!code)
		code = load_plan(cli, &setup.family, &plan);
	setup.plan = plan;
	if (!code)
		code = simulate_family(cli, cli->options->args[i], &setup);
	plan_free(plan);
	return code;
}

static enum exit_code run(struct cli *cli)
{
	struct simulation_setup setup = {
		.events_max = (uint32_t)options_number(cli->options, "max-events"),
		.time_max_ms = options_number(cli->options, "max-time"),
	};
	struct loaded loaded = {.cli = cli};
	enum exit_code worst;

	if (cli->options->n_args == 0)
		return complain_usage(cli, "give at least one FILE");
	if (cli->options->n_args > FAMILY_MAX)
		return complain_usage(cli, "give at most %d FILEs", FAMILY_MAX);
	if (options_given(cli->options, "format") && !wants_one(cli))
		return complain_usage(cli, "--format is for one run, which --seed names");
	worst = read_faults(cli, &setup.faults);
	if (!worst)
		worst = load_named(&loaded);
	for (size_t i = 0; !worst && i < loaded.n_named; i++) {
		worst = simulate_file(&loaded, i, &setup);
		fflush(stdout); /* before what the next file says on standard error */
	}
	while (loaded.n)
		definition_free(loaded.list[--loaded.n]);
	return worst;
}

const struct subcommand subcommand_simulate = {
	.name = "simulate",
	.brief = "run definitions in a simulated world, with faults",
	.usage =
		{
			.program = "skald simulate",
			.arguments = "FILE...",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_REMOTE_OPTIONS},
		},
	.run = run,
};
