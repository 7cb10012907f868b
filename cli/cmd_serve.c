/* skald serve */
#include "cli/report.h"
#include "cli/settings_file.h"
#include "cli/settings_limits.h"
#include "orchestrator/server/server.h"

#include <stdio.h>

static const char manual[] =
	"Runs the orchestrator until SIGTERM or SIGINT, after which it finishes the\n"
	"batch at hand. It keeps everything that has to last in the folder of data,\n"
	"registers the definitions of the folder of sagas, listens for services on\n"
	"the bus and for people and programs on HTTP. One line on standard error says\n"
	"that it is ready. SIGHUP reads the definitions again, and the limits of\n"
	"participants.\n"
	"\n"
	"A definition that changed without a new version is reported, and the old one\n"
	"stays: sagas that run keep what they began with. A file with mistakes is\n"
	"reported, too, and keeps nothing else from running.\n"
	"\n"
	"Settings come from the file, which --config names and which is skald.yaml\n"
	"where there is one, then from the environment, then from flags.\n"
	"\n"
	"In the file alone are limits of how much a service is asked: a window of\n"
	"commands at once, a rate with a burst, and a breaker that asks nothing more\n"
	"after failures in a row until a probe works. Commands wait in order, undos\n"
	"first, and use up neither attempts nor their time. \"*\" is every service\n"
	"that does not say it otherwise.\n"
	"\n"
	"  participants:\n"
	"    \"*\": { window: 200 }\n"
	"    payment: { rate: 100/s, burst: 20, breaker: { failures: 5, pause: 30s } }\n"
	"\n"
	"Properties of librdkafka stand there under kafka, which is the place for\n"
	"those that are secret; --kafka wins over the file, property by property:\n"
	"\n"
	"  kafka:\n"
	"    security.protocol: sasl_ssl\n"
	"    sasl.username: shop\n"
	"\n"
	"  skald serve\n"
	"  skald serve --data /var/lib/skald --sagas /etc/skald/sagas --retention 30d\n"
	"  skald serve -n          check the settings and definitions, show them, stop";

static const struct option options[] = {
	{.name = "config",
	 .letter = 'c',
	 .type = OPTION_TEXT,
	 .flag_only = true,
	 .argument = "FILE",
	 .help = "read settings from this file; skald.yaml where there is one"},
	{.name = "check",
	 .letter = 'n',
	 .type = OPTION_BOOLEAN,
	 .flag_only = true,
	 .help = "check settings and definitions, print the settings in effect, and stop"},
	{.name = "data",
	 .type = OPTION_TEXT,
	 .initial = "./skald-data",
	 .min = 1,
	 .argument = "DIR",
	 .help = "folder of what has to last; it is made where it is not there"},
	{.name = "sagas",
	 .type = OPTION_TEXT,
	 .initial = "./sagas",
	 .min = 1,
	 .argument = "DIR",
	 .help = "folder of definitions, *.yaml and *.yml"},
	{.name = "listen",
	 .type = OPTION_TEXT,
	 .initial = "127.0.0.1:7420",
	 .min = 1,
	 .argument = "HOST:PORT",
	 .help = "where HTTP is served; port 0 is one that is free"},
	{.name = "advertise",
	 .type = OPTION_TEXT,
	 .initial = "",
	 .argument = "URL",
	 .help = "where other orchestrators reach this one, as http://HOST:PORT; without it "
		 "what --listen says, or the name of the machine where that is any address"},
	{.name = "bus",
	 .type = OPTION_TEXT,
	 .initial = "local",
	 .min = 1,
	 .argument = "BUS",
	 .help = "how services are reached: local is the socket bus.sock in the folder of "
		 "data, local:PATH another one, kafka:HOST:PORT,... goes over Apache Kafka"},
	{.name = "kafka",
	 .type = OPTION_LIST,
	 .secret = true,
	 .no_file = true,
	 .max = 65536,
	 .argument = "NAME=VALUE,...",
	 .help = "properties of librdkafka, such as security.protocol=sasl_ssl; may be "
		 "given repeatedly"},
	{.name = "kafka-prefix",
	 .type = OPTION_TEXT,
	 .initial = "skald",
	 .min = 1,
	 .max = KAFKA_PREFIX_MAX,
	 .argument = "PREFIX",
	 .help = "of the topics: PREFIX.inbox, PREFIX.cmd.PARTICIPANT and others"},
	{.name = "kafka-partitions",
	 .type = OPTION_INTEGER,
	 .initial = "12",
	 .min = 1,
	 .max = KAFKA_PARTITIONS_MAX,
	 .help = "of topics that are made; one that is there keeps its own"},
	{.name = "kafka-replication",
	 .type = OPTION_INTEGER,
	 .initial = "0",
	 .max = INT16_MAX,
	 .help = "copies of topics that are made; 0 is as the brokers say"},
	{.name = "kafka-message-max",
	 .type = OPTION_SIZE,
	 .initial = "2112KiB",
	 .min = 64 * 1024,
	 .max = 64 * 1024 * 1024,
	 .help = "largest message of topics that are made"},
	{.name = "store",
	 .type = OPTION_TEXT,
	 .initial = "sqlite",
	 .min = 1,
	 .uri = true,
	 .argument = "STORE",
	 .help = "where sagas are kept: sqlite is a file in the folder of data, "
		 "mongo:mongodb://HOST/DATABASE is MongoDB, memory forgets them when the "
		 "server ends"},
	{.name = "retention",
	 .type = OPTION_DURATION,
	 .initial = "7d",
	 .help = "how long sagas that ended are kept; 0s is for ever"},
	{.name = "log-level",
	 .type = OPTION_CHOICE,
	 .initial = "info",
	 .choices = "error|warn|info|debug",
	 .help = "what is logged, on standard error"},
};

static void report(void *context, struct problems *problems)
{
	const struct cli *cli = context;
	enum err err = report_problems(cli, REPORT_TEXT, problems);

	if (err)
		complain(cli, "%s", err_text(err));
}

/* The options as set by flags and environment stay; the file comes below them. */
static enum exit_code read_settings(const struct cli *cli, const char *path,
				    struct options *settings, struct settings_beside *beside)
{
	struct diag diag = {""};
	enum err err = settings_read(cli, path ? path : "skald.yaml", settings, beside, &diag);

	if (!err || (err == ERR_NOT_FOUND && !path))
		return EXIT_DONE;
	if (diag.text[0])
		complain(cli, "%s", diag.text);
	return err == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
}

/* The file once more, for its limits alone, in memory of its own. */
static bool read_limits(void *context, struct limits *out)
{
	struct arena arena = {0};
	struct cli cli = *(const struct cli *)context;
	const char *path = options_text(cli.options, "config");
	struct settings_beside *beside;
	struct options settings;
	enum err err;
	bool good;

	cli.arena = &arena;
	*out = (struct limits){0};
	beside = arena_array(&arena, 1, sizeof *beside);
	if (!beside)
		return false;
	err = options_init(&settings, cli.options->usage, &arena);
	if (err)
		complain(&cli, "%s", err_text(err));
	good = !err && !read_settings(&cli, path, &settings, beside);
	*out = beside->limits;
	arena_release(&arena);
	return good;
}

static struct server_settings settings_of(struct cli *cli, const struct options *settings,
					  const struct settings_beside *beside)
{
	struct server_settings out = {
		.data = options_text(settings, "data"),
		.sagas = options_text(settings, "sagas"),
		.sagas_needed = options_given(settings, "sagas"),
		.listen = options_text(settings, "listen"),
		.advertise = options_text(settings, "advertise"),
		.bus = options_text(settings, "bus"),
		.kafka =
			{
				.prefix = options_text(settings, "kafka-prefix"),
				.partitions =
					(int32_t)options_number(settings, "kafka-partitions"),
				.replication =
					(int32_t)options_number(settings, "kafka-replication"),
				.message_max =
					(int32_t)options_number(settings, "kafka-message-max"),
				.properties = beside->kafka.list,
				.n_properties = beside->kafka.n,
			},
		.store = options_text(settings, "store"),
		.retention_ms = options_number(settings, "retention"),
		.limits = &beside->limits,
		.read_limits = read_limits,
		.report = report,
		.context = cli,
	};

	/* The option allows nothing else. */
	(void)log_level_parse(slice_of(options_text(settings, "log-level")), &out.log_level);
	return out;
}

static enum exit_code check_store(const struct cli *cli, const struct options *settings)
{
	const char *store = options_text(settings, "store");
	char where[OPTION_WHERE_SIZE];

	if (strcmp(store, "sqlite") == 0 || strcmp(store, "memory") == 0 ||
	    strncmp(store, "mongo:", 6) == 0)
		return EXIT_DONE;
	options_where(settings, "store", where);
	complain(cli, "%s: there is no such store; write sqlite, memory or mongo:URI", where);
	return EXIT_USAGE;
}

static enum exit_code print_settings(const struct cli *cli, const struct options *settings,
				     const struct settings_beside *beside)
{
	struct bytes out = BYTES(SIZE_MAX / 2, cli->arena);

	options_print(settings, &out);
	kafka_settings_print(&beside->kafka, &out);
	limits_print(&beside->limits, &out);
	if (out.err)
		return complain_err(cli, out.err);
	print_bytes(&out);
	return EXIT_DONE;
}

static enum exit_code run(struct cli *cli)
{
	struct options settings = *cli->options;
	struct settings_beside beside = {0};
	struct server_settings server;
	struct diag diag = {""};
	enum exit_code code =
		read_settings(cli, options_text(&settings, "config"), &settings, &beside);
	bool only_check = options_bool(&settings, "check");
	enum err err;

	if (!code)
		code = check_store(cli, &settings);
	if (code)
		return code;
	if (kafka_settings_add(&settings, &beside.kafka, &diag)) {
		complain(cli, "%s", diag.text[0] ? diag.text : err_text(ERR_NOMEM));
		return EXIT_USAGE;
	}
	server = settings_of(cli, &settings, &beside);
	err = server_check_form(&server, &diag);
	if (err) {
		complain(cli, "%s", diag.text);
		return err == ERR_INVALID ? EXIT_USAGE : EXIT_FAILED;
	}
	if (only_check)
		code = print_settings(cli, &settings, &beside);
	if (code)
		return code;
	err = only_check ? server_check(&server, &diag) : server_run(&server, &diag);
	if (!err)
		return EXIT_DONE;
	complain(cli, "%s", diag.text[0] ? diag.text : err_text(err));
	return EXIT_FAILED;
}

const struct subcommand subcommand_serve = {
	.name = "serve",
	.brief = "run the orchestrator",
	.usage =
		{
			.program = "skald serve",
			.summary = manual,
			.own = {options, sizeof options / sizeof *options},
			.common = {common_options, N_COMMON_OPTIONS},
		},
	.run = run,
};
