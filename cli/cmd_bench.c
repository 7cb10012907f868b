/* skald bench */
#include "base/clock.h"
#include "base/json_line.h"
#include "cli/bench_books.h"
#include "cli/bench_load.h"
#include "cli/bench_plant.h"
#include "cli/members.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const char manual[] =
	"Measures how many orders a second go through: reserve stock, charge, confirm. It\n"
	"starts a server and the services skald-inventory and skald-payment of its own, in\n"
	"a temporary folder with everything as durable as ever, keeps so many sagas in\n"
	"flight, and removes all of it at the end, also when it is interrupted.\n"
	"\n"
	"Every saga has to end as its order says, completed or compensated, and the books\n"
	"of both services have to say the same, saga by saga; otherwise the command fails\n"
	"(exit 1) and says what is wrong. A saga takes from the request that starts it to\n"
	"the event that it ended, as its client sees it.\n"
	"\n"
	"Over Kafka it makes topics of its own and removes them. 200 orders go in front,\n"
	"to see that the services have found them, and count for nothing but the books.\n"
	"In MongoDB it makes a database of its own and removes it, whatever the URI names.\n"
	"\n"
	"With --server the sagas run there, and stay there. That server needs the services\n"
	"connected already; their books are not looked at, since they are not at hand.\n"
	"\n"
	"  skald bench --sagas 50000 --inflight 1000 --decline 10%\n"
	"  skald bench --inflight 1 --sagas 2000     how long one saga takes by itself";

static const struct option options[] = {
	{.name = "sagas",
	 .letter = 'n',
	 .type = OPTION_INTEGER,
	 .initial = "20000",
	 .min = 1,
	 .max = BENCH_SAGAS_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many sagas to run"},
	{.name = "inflight",
	 .type = OPTION_INTEGER,
	 .initial = "1000",
	 .min = 1,
	 .max = BENCH_INFLIGHT_MAX,
	 .flag_only = true,
	 .argument = "N",
	 .help = "how many of them at a time; 1 measures the latency of one"},
	{.name = "decline",
	 .type = OPTION_TEXT,
	 .initial = "0%",
	 .min = 1,
	 .flag_only = true,
	 .argument = "P",
	 .help = "the share of payments that are declined, and their orders compensated: 10%"},
	{.name = "bus",
	 .type = OPTION_TEXT,
	 .initial = "local",
	 .min = 1,
	 .flag_only = true,
	 .argument = "BUS",
	 .help = "how the server reaches the services, as of `skald serve`: local, "
		 "kafka:HOST:PORT,..., or kafka, which is what SKALD_BUS names, or a broker "
		 "that is started where `skald` lies in the tree of its source"},
	{.name = "store",
	 .type = OPTION_TEXT,
	 .initial = "sqlite",
	 .min = 1,
	 .flag_only = true,
	 .argument = "STORE",
	 .help = "where the server keeps the sagas, as of `skald serve`; or mongo, which is "
		 "what SKALD_STORE names, or a stand-in that is started where `skald` lies in "
		 "the tree of its source; in a MongoDB are payment's charges, too"},
	{.name = "dir",
	 .type = OPTION_TEXT,
	 .min = 1,
	 .flag_only = true,
	 .argument = "DIR",
	 .help = "make the temporary folder there instead of in $TMPDIR or /tmp, which may be "
		 "memory"},
	{.name = "patience",
	 .type = OPTION_DURATION,
	 .initial = "60s",
	 .min = 100,
	 .flag_only = true,
	 .help = "how long to wait for the services, and for a saga to end: after that those "
		 "that are left are lost"},
	{.name = "server",
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .min = 1,
	 .argument = "URL",
	 .help = "run the sagas there instead of starting a server"},
	{.name = "token",
	 .type = OPTION_TEXT,
	 .no_file = true,
	 .secret = true,
	 .help = "what to show to a server that wants to know who asks"},
};

/* Orders over Kafka in front of those that are measured. Nobody can say whether the
 * services have found their topics; but once these have ended, they have. */
enum { WARM_SAGAS = 200 };

enum books { BOOKS_UNCHECKED, BOOKS_AGREE, BOOKS_WRONG };

struct bench {
	struct cli *cli;
	struct bench_plant plant;
	bool own; /* the server is of the plant */
	struct bench_load load;
	uint32_t n_warm; /* orders behind those of the load */
	struct bench_tally tally;

	int64_t commits, events; /* of the server, while it was measured */
	double cpu_s[N_BENCH_PROCESSES];
	double client_cpu_s;
	long rss_kb;
	double disk_bytes_per_saga;
	enum books books;
	struct diag wrong_books;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	stop = number;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* What a shell expects of a program that a signal ended. */
static void end_by_signal(int number)
{
	struct sigaction action = {.sa_handler = SIG_DFL};

	sigaction(number, &action, NULL);
	raise(number);
}

/* --- progress --------------------------------------------------------------------- */

static void draw_progress(void *context, uint32_t n_ended, int64_t took_ms)
{
	enum { BAR = 30 };
	const struct bench *bench = context;
	const struct terminal *terminal = &bench->cli->errs;
	uint32_t n = bench->load.n_sagas;
	int full = (int)((uint64_t)n_ended * BAR / n);

	fprintf(stderr, "\r%s%.*s%s%.*s%s %3d %%  %u sagas, %.0f/s\033[K",
		terminal->colour ? tone_code(TONE_GREEN) : "", full,
		"##############################", terminal->colour ? tone_code(TONE_DIM) : "",
		BAR - full, "..............................",
		terminal->colour ? tone_code(TONE_PLAIN) : "",
		(int)((uint64_t)n_ended * 100 / n), n_ended,
		took_ms > 0 ? n_ended * 1e3 / (double)took_ms : 0.0);
}

static void clear_progress(const struct bench *bench)
{
	if (bench->load.progress)
		fputs("\r\033[K", stderr);
}

/* --- the server ------------------------------------------------------------------- */

static enum exit_code get_stats(struct remote *remote, struct json *stats)
{
	return remote_call(remote, "GET", "/v1/stats", (struct slice){0}, remote->cli->arena,
			   stats);
}

static bool is_connected(struct json stats, const char *participant)
{
	struct json found = member_json(member_json(stats, "participants"), participant);

	return json_type(found) == JSON_OBJECT && member_number(found, "connected") > 0;
}

static enum exit_code wait_for_services(struct remote *remote, int64_t patience_ms)
{
	const struct timespec step = {0, 5 * 1000 * 1000};
	int64_t end_ms = clock_monotonic_ms(clock_system()) + patience_ms;
	struct json stats;

	for (;;) {
		enum exit_code code = get_stats(remote, &stats);
		bool inventory = !code && is_connected(stats, "inventory");

		if (code || stop || (inventory && is_connected(stats, "payment")))
			return code;
		if (clock_monotonic_ms(clock_system()) > end_ms) {
			complain(remote->cli,
				 "no service %s is connected to the server; start skald-%s on "
				 "its bus",
				 inventory ? "payment" : "inventory",
				 inventory ? "payment" : "inventory");
			return EXIT_FAILED;
		}
		nanosleep(&step, NULL);
	}
}

static void note_stats(struct bench *bench, struct json stats, int sign)
{
	struct json engine = member_json(stats, "engine");

	bench->commits += sign * member_number(engine, "commits");
	bench->events += sign * member_number(engine, "events");
}

static double own_cpu_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void note_cpu(struct bench *bench, int sign)
{
	for (int i = 0; i < N_BENCH_PROCESSES; i++)
		bench->cpu_s[i] +=
			sign * bench_plant_cpu_s(&bench->plant, (enum bench_process)i);
	bench->client_cpu_s += sign * own_cpu_s();
}

/* Orders that only show that everything is there. */
static enum exit_code warm_up(struct bench *bench, struct remote *remote)
{
	struct bench_load load = bench->load;
	enum exit_code code;

	load.first = load.n_sagas;
	load.n_sagas = bench->n_warm;
	load.progress = NULL;
	code = bench_load_run(remote, &load);
	for (uint32_t i = 0; !code && !stop && i < load.n_sagas; i++) {
		if (load.fates[load.first + i].end != BENCH_NONE)
			continue;
		complain(bench->cli,
			 "in %lld s not even the first orders went through %s; see whether the "
			 "brokers can be reached at the addresses that they give themselves",
			 (long long)(load.patience_ms / 1000), bench->plant.beside.bus);
		code = EXIT_FAILED;
	}
	return code;
}

static enum exit_code measure(struct bench *bench, struct remote *remote)
{
	struct json answer;
	enum exit_code code = remote_call(remote, "POST", "/v1/definitions",
					  slice_of(bench_saga), bench->cli->arena, &answer);

	if (!code && bench->plant.beside.bus[0])
		code = warm_up(bench, remote);
	else if (!code)
		code = wait_for_services(remote, bench->load.patience_ms);
	code = code ? code : get_stats(remote, &answer);
	if (code || stop)
		return code;
	note_stats(bench, answer, -1);
	note_cpu(bench, -1);
	code = bench_load_run(remote, &bench->load);
	note_cpu(bench, 1);
	clear_progress(bench);
	code = code || stop ? code : get_stats(remote, &answer);
	if (code || stop)
		return code;
	note_stats(bench, answer, 1);
	bench->rss_kb = bench_plant_rss_kb(&bench->plant, BENCH_SERVER);
	return EXIT_DONE;
}

/* The program's options, but with this server. */
static enum exit_code measure_at(struct bench *bench, const char *url)
{
	struct options given = *bench->cli->options;
	struct cli cli = *bench->cli;
	const struct option_source source = {.origin = ORIGIN_FLAG};
	struct remote remote;
	struct diag diag;
	enum exit_code code;
	enum err err;

	err = options_set(&given, SLICE_LITERAL("server"), slice_of(url), source, &diag);
	if (err)
		return complain_err(bench->cli, err);
	cli.options = &given;
	code = remote_open(&cli, &remote);
	if (code)
		return code;
	code = measure(bench, &remote);
	remote_close(&remote);
	return code;
}

/* --- what came of it -------------------------------------------------------------- */

static enum exit_code check_books(struct bench *bench)
{
	const struct bench_books books = {bench->load.run, bench->load.fates,
					  bench->load.n_sagas + bench->n_warm,
					  bench->load.decline_percent};
	struct arena arena = {0};
	struct slice audit;
	enum err err;

	err = bench_plant_audit(&bench->plant, BENCH_INVENTORY, &arena, &audit,
				&bench->wrong_books);
	err = err ? err : bench_books_inventory(&books, audit, &bench->wrong_books);
	arena_reset(&arena);
	if (!err)
		err = bench_plant_audit(&bench->plant, BENCH_PAYMENT, &arena, &audit,
					&bench->wrong_books);
	err = err ? err : bench_books_payment(&books, audit, &bench->wrong_books);
	arena_release(&arena);
	bench->books = err ? BOOKS_WRONG : BOOKS_AGREE;
	if (!err || err == ERR_CORRUPT)
		return EXIT_DONE;
	complain(bench->cli, "%s", bench->wrong_books.text);
	return EXIT_FAILED;
}

static enum exit_code run_own(struct bench *bench)
{
	const struct options *given = bench->cli->options;
	const struct bench_plant_setup setup = {
		.parent = options_text(given, "dir"),
		.bus = options_text(given, "bus"),
		.store = options_text(given, "store"),
		.stop = &stop,
	};
	struct diag diag = {""};
	enum exit_code code = EXIT_DONE;
	enum err err = bench_plant_start(&bench->plant, &setup, &diag);

	if (!err) {
		code = measure_at(bench, bench->plant.url);
		if (!code && !stop)
			err = bench_plant_stop(&bench->plant, &diag);
	}
	if (err && !stop)
		complain(bench->cli, "%s", diag.text);
	if (err || code || stop)
		return code ? code : EXIT_FAILED;
	bench->disk_bytes_per_saga = (double)bench_plant_disk_bytes(&bench->plant) /
				     (bench->load.n_sagas + bench->n_warm);
	return check_books(bench);
}

static double per_second(const struct bench *bench)
{
	uint32_t n = bench->load.n_sagas - bench->tally.ended[BENCH_NONE];

	return bench->load.seconds > 0 ? n / bench->load.seconds : 0;
}

static void add_figure(struct bytes *out, const char *name, double figure, int places)
{
	json_add_name(out, name);
	bytes_format(out, "%.*f", places, figure);
}

static void print_json(const struct bench *bench, struct bytes *out)
{
	static const char *const books[] = {[BOOKS_UNCHECKED] = "unchecked",
					    [BOOKS_AGREE] = "agree",
					    [BOOKS_WRONG] = "wrong"};
	const struct bench_tally *tally = &bench->tally;

	json_begin(out);
	json_add_number(out, "sagas", bench->load.n_sagas);
	json_add_number(out, "inflight", bench->load.inflight_max);
	json_add_number(out, "decline_percent", bench->load.decline_percent);
	add_figure(out, "seconds", bench->load.seconds, 6);
	add_figure(out, "sagas_per_s", per_second(bench), 1);
	add_figure(out, "p50_ms", tally->p50_ms, 3);
	add_figure(out, "p99_ms", tally->p99_ms, 3);
	json_add_number(out, "completed", tally->ended[BENCH_COMPLETED]);
	json_add_number(out, "compensated", tally->ended[BENCH_COMPENSATED]);
	json_add_number(out, "parked", tally->ended[BENCH_PARKED]);
	json_add_number(out, "killed", tally->ended[BENCH_KILLED]);
	json_add_number(out, "lost", tally->ended[BENCH_NONE]);
	json_add_number(out, "wrong", tally->n_wrong);
	json_add_text(out, "books", slice_of(books[bench->books]));
	json_add_number(out, "commits", bench->commits);
	json_add_number(out, "events", bench->events);
	if (bench->own) {
		json_add_number(out, "server_rss_kb", bench->rss_kb);
		add_figure(out, "disk_bytes_per_saga", bench->disk_bytes_per_saga, 1);
		add_figure(out, "cpu_s", bench->cpu_s[BENCH_SERVER], 6);
		add_figure(out, "inventory_cpu_s", bench->cpu_s[BENCH_INVENTORY], 6);
		add_figure(out, "payment_cpu_s", bench->cpu_s[BENCH_PAYMENT], 6);
	} else {
		json_add_null(out, "server_rss_kb");
		json_add_null(out, "disk_bytes_per_saga");
		json_add_null(out, "cpu_s");
	}
	add_figure(out, "client_cpu_s", bench->client_cpu_s, 6);
	json_end_line(out);
}

static double per_saga_us(const struct bench *bench, double cpu_s)
{
	return cpu_s / bench->load.n_sagas * 1e6;
}

static void print_text(const struct bench *bench, struct bytes *out)
{
	const struct bench_tally *tally = &bench->tally;

	bytes_format(out, "skald bench: %u sagas, %u in flight, %u %% declined\n",
		     bench->load.n_sagas, bench->load.inflight_max,
		     bench->load.decline_percent);
	bytes_format(out, "  sagas/s       %.0f in %.2f s\n", per_second(bench),
		     bench->load.seconds);
	bytes_format(out, "  p50, p99      %.2f ms, %.2f ms\n", tally->p50_ms, tally->p99_ms);
	bytes_format(out,
		     "  outcomes      %u completed, %u compensated, %u parked, %u killed, %u "
		     "lost\n",
		     tally->ended[BENCH_COMPLETED], tally->ended[BENCH_COMPENSATED],
		     tally->ended[BENCH_PARKED], tally->ended[BENCH_KILLED],
		     tally->ended[BENCH_NONE]);
	if (bench->commits > 0)
		bytes_format(out, "  server        %lld commits of %.0f events\n",
			     (long long)bench->commits,
			     (double)bench->events / (double)bench->commits);
	if (bench->own) {
		bytes_format(out,
			     "                %ld KiB of memory, %.0f bytes of disk per saga\n",
			     bench->rss_kb, bench->disk_bytes_per_saga);
		bytes_format(out,
			     "  CPU per saga  server %.1f us, inventory %.1f us, payment %.1f "
			     "us, client %.1f us\n",
			     per_saga_us(bench, bench->cpu_s[BENCH_SERVER]),
			     per_saga_us(bench, bench->cpu_s[BENCH_INVENTORY]),
			     per_saga_us(bench, bench->cpu_s[BENCH_PAYMENT]),
			     per_saga_us(bench, bench->client_cpu_s));
	}
	bytes_format(out, "  books         %s\n",
		     bench->books == BOOKS_AGREE   ? "agree with every saga"
		     : bench->books == BOOKS_WRONG ? "do NOT agree"
						   : "were not looked at: the services are not "
						     "its own");
}

/* What keeps the figures from counting. */
static enum exit_code judge(const struct bench *bench)
{
	const struct bench_tally *tally = &bench->tally;
	char id[BENCH_ID_SIZE];
	bool bad = tally->ended[BENCH_NONE] || tally->n_wrong;

	bench_id(bench->load.run, tally->first_wrong, id);
	if (bad)
		complain(bench->cli,
			 "%u sagas were lost and %u ended otherwise than their orders say, "
			 "such as %s",
			 tally->ended[BENCH_NONE], tally->n_wrong, id);
	if (bench->books == BOOKS_WRONG)
		complain(bench->cli, "%s", bench->wrong_books.text);
	return bad || bench->books == BOOKS_WRONG ? EXIT_FAILED : EXIT_DONE;
}

static enum exit_code conclude(struct bench *bench)
{
	struct bytes out = BYTES(SIZE_MAX / 2, bench->cli->arena);
	enum err err = bench_tally(bench->load.fates, bench->load.n_sagas,
				   bench->load.decline_percent, &bench->tally);

	if (!err) {
		(bench->cli->json ? print_json : print_text)(bench, &out);
		err = out.err;
	}
	if (err)
		return complain_err(bench->cli, err);
	print_bytes(&out);
	return judge(bench);
}

/* --- the command ------------------------------------------------------------------ */

static enum exit_code check(const struct cli *cli, uint32_t *decline_percent)
{
	static const char *const of_own[] = {"bus", "store", "dir"};
	const struct options *given = cli->options;
	struct diag diag;

	for (size_t i = 0; options_text(given, "server") && i < sizeof of_own / sizeof *of_own;
	     i++) {
		if (options_given(given, of_own[i]))
			return complain_usage(cli,
					      "--%s is about a server of its own, and --server "
					      "names another one",
					      of_own[i]);
	}
	if (bench_percent(options_text(given, "decline"), decline_percent, &diag))
		return complain_usage(cli, "%s", diag.text);
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	const struct options *given = cli->options;
	const char *url = options_text(given, "server");
	struct bench bench = {.cli = cli, .own = !url};
	struct bench_load *load = &bench.load;
	struct diag diag = {""};
	enum exit_code code = check(cli, &load->decline_percent);

	if (code)
		return code;
	load->run = (uint64_t)clock_now_ms(clock_system());
	load->n_sagas = (uint32_t)options_number(given, "sagas");
	load->inflight_max = (uint32_t)options_number(given, "inflight");
	load->patience_ms = options_number(given, "patience");
	load->stop = &stop;
	load->progress = cli->errs.is_terminal && !cli->quiet ? draw_progress : NULL;
	load->context = &bench;
	bench.n_warm =
		!url && strncmp(options_text(given, "bus"), "kafka", 5) == 0 ? WARM_SAGAS : 0;
	load->fates = calloc(load->n_sagas + bench.n_warm, sizeof *load->fates);
	if (!load->fates)
		return complain_err(cli, ERR_NOMEM);
	catch_signals();
	code = url ? measure_at(&bench, url) : run_own(&bench);
	if (bench_plant_remove(&bench.plant, &diag)) {
		complain(cli, "%s", diag.text);
		code = code ? code : EXIT_FAILED;
	}
	if (!code && !stop)
		code = conclude(&bench);
	free(load->fates);
	if (stop)
		end_by_signal(stop);
	return code;
}

const struct subcommand subcommand_bench = {
	.name = "bench",
	.brief = "measure how many sagas a second go through",
	.usage =
		{
			.program = "skald bench",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_COMMON_OPTIONS},
		},
	.run = run,
};
