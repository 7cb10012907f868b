/* test_serve_kafka.c - properties of librdkafka in skald.yaml, the environment and flags:
 * what may stand there, what is in effect, and that no secret is ever shown */
#include "tests/lib/folder.h"
#include "tests/lib/process.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static char skald[4096], payment[4096];
static struct arena arena;

#define SECRET "open-sesame"

static void check_has(const char *name, struct slice text, const char *part)
{
	ck_assert_msg(strstr(text.at, part) != NULL, "%s: no `%s` in: %s", name, part, text.at);
}

static void check_secret(const char *name, const struct process_result *result)
{
	ck_assert_msg(!strstr(result->out.at, SECRET) && !strstr(result->errs.at, SECRET),
		      "%s: %s%s", name, result->out.at, result->errs.at);
}

/* `skald serve -n` in a folder with that file; NULL: there is none. */
static struct process_result check(const char *file, const char *env,
				   const char *const flags[4])
{
	struct process_setup setup = {.argv = {skald, "serve", "-n"}, .env = {env}};
	struct process_result result;

	folder_enter();
	ck_assert_int_eq(mkdir("sagas", 0700), 0);
	if (file)
		folder_write("skald.yaml", file);
	for (size_t i = 0; i < 4 && flags[i]; i++)
		setup.argv[3 + i] = flags[i];
	result = process_run(&setup, &arena);
	folder_leave();
	return result;
}

/* --- mistakes ----------------------------------------------------------------------- */

static const struct mistake {
	const char *name, *file, *env, *flags[4];
	const char *says;
} mistakes[] = {
	{"a property that there is not",
	 "kafka:\n  no.such.thing: 1\n",
	 NULL,
	 {NULL},
	 "skald.yaml:2:3: error: librdkafka "},
	{"one that is nearly a property",
	 "kafka:\n  sasl.usrname: shop\n",
	 NULL,
	 {NULL},
	 "has no property sasl.usrname; did you mean sasl.username?"},
	{"the same as a setting of its own",
	 "bus: local\nkafka.sasl.usrname: shop\n",
	 NULL,
	 {NULL},
	 "skald.yaml:2:1: error: librdkafka "},
	{"the same in a list",
	 "kafka:\n  - client.id=shop\n  - sasl.usrname=shop\n",
	 NULL,
	 {NULL},
	 "skald.yaml:3:5: error: librdkafka "},
	{"the same in the environment",
	 NULL,
	 "SKALD_KAFKA=sasl.usrname=shop",
	 {NULL},
	 "environment SKALD_KAFKA: librdkafka "},
	{"the same as a flag",
	 NULL,
	 NULL,
	 {"--kafka", "sasl.usrname=shop"},
	 "flag --kafka: librdkafka "},
	{"a property that is ours",
	 "kafka: { acks: 1 }\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:10: error: kafka.acks cannot be set: a command that one broker"},
	{"a property that is ours, as a flag",
	 NULL,
	 NULL,
	 {"--kafka", "group.id=shop"},
	 "flag --kafka: kafka.group.id cannot be set: it follows from"},
	{"the brokers",
	 "kafka:\n  bootstrap.servers: h:1\n",
	 NULL,
	 {NULL},
	 "the brokers stand behind kafka: of the bus"},
	{"what nobody would be told of",
	 "kafka.delivery.report.only.error: true\n",
	 NULL,
	 {NULL},
	 "kafka.delivery.report.only.error cannot be set"},
	{"a value that is none",
	 "kafka: { security.protocol: tsl }\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:10: error: kafka.security.protocol: Invalid value"},
	{"a number that is too large",
	 "kafka: { linger.ms: 99999999 }\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:10: error: kafka.linger.ms: "},
	{"settings in settings",
	 "kafka:\n  sasl:\n    username: shop\n",
	 NULL,
	 {NULL},
	 "skald.yaml:3:5: error: a property of librdkafka has a value"},
	{"one property twice",
	 "kafka: { client.id: a }\nkafka.client.id: b\n",
	 NULL,
	 {NULL},
	 "skald.yaml:2:1: error: kafka.client.id is given twice; the first is skald.yaml:1"},
	{"a mapping that says one twice",
	 "kafka:\n  client.id: a\n  client.id: b\n",
	 NULL,
	 {NULL},
	 "skald.yaml:3:3: error: "},
	{"a text",
	 "kafka: 10.0.0.1:9092\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:8: error: `kafka` is a mapping of properties"},
	{"an item without a value",
	 "kafka: [ " SECRET " ]\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:10: error: a property has no name; write NAME=VALUE"},
	{"a flag without a name",
	 NULL,
	 NULL,
	 {"--kafka", "=" SECRET},
	 "flag --kafka: a property has no name; write NAME=VALUE"},
	{"a flag without a value",
	 NULL,
	 NULL,
	 {"--kafka", SECRET},
	 "flag --kafka: a property has no name; write NAME=VALUE"},
	{"a secret that stands twice",
	 "kafka: { sasl.password: " SECRET " }\nkafka.sasl.password: " SECRET "\n",
	 NULL,
	 {NULL},
	 "kafka.sasl.password is given twice"},
	{"a zero byte",
	 "kafka: { client.id: \"a\\0b\" }\n",
	 NULL,
	 {NULL},
	 "skald.yaml:1:10: error: a property of librdkafka holds no zero byte"},
};

START_TEST(test_mistakes)
{
	const struct mistake *row = &mistakes[_i];
	struct process_result result = check(row->file, row->env, row->flags);

	ck_assert_msg(result.exit_code == 2, "%s: exit %d", row->name, result.exit_code);
	check_has(row->name, result.errs, row->says);
	check_secret(row->name, &result);
	arena_release(&arena);
}
END_TEST

/* --- what is in effect -------------------------------------------------------------- */

static const struct effect {
	const char *name, *file, *env, *flags[4];
	const char *says[2];
} effects[] = {
	{"a mapping",
	 "kafka:\n  client.id: shop\n  linger.ms: 5\n",
	 NULL,
	 {NULL},
	 {"kafka.client.id: \"shop\"  # skald.yaml:2\n",
	  "kafka.linger.ms: \"5\"  # skald.yaml:3\n"}},
	{"settings of their own",
	 "kafka.client.id: shop\nkafka.linger.ms: 5\n",
	 NULL,
	 {NULL},
	 {"kafka.client.id: \"shop\"  # skald.yaml:1\n",
	  "kafka.linger.ms: \"5\"  # skald.yaml:2\n"}},
	{"a list",
	 "kafka:\n  - client.id=shop\n  - linger.ms=5\n",
	 NULL,
	 {NULL},
	 {"kafka.client.id: \"shop\"  # skald.yaml:2\n",
	  "kafka.linger.ms: \"5\"  # skald.yaml:3\n"}},
	{"a property of topics",
	 "kafka: { compression.type: lz4 }\n",
	 NULL,
	 {NULL},
	 {"kafka.compression.type: \"lz4\"", ""}},
	{"a value with commas, quotes and an =",
	 "kafka: { client.id: 'a,b=c\"\\' }\n",
	 NULL,
	 {NULL},
	 {"kafka.client.id: \"a,b=c\\\"\\\\\"  # skald.yaml:1\n", ""}},
	{"a flag wins over the environment, and both over the file, one by one",
	 "kafka: { client.id: a, linger.ms: 5 }\n",
	 "SKALD_KAFKA=client.id=b",
	 {"--kafka", "client.id=c"},
	 {"kafka.client.id: \"c\"  # flag --kafka\n",
	  "kafka.linger.ms: \"5\"  # skald.yaml:1\n"}},
	{"several in the environment",
	 NULL,
	 "SKALD_KAFKA=client.id=b,linger.ms=6",
	 {NULL},
	 {"kafka.client.id: \"b\"  # environment SKALD_KAFKA\n",
	  "kafka.linger.ms: \"6\"  # environment SKALD_KAFKA\n"}},
	{"several flags",
	 NULL,
	 NULL,
	 {"--kafka", "client.id=b", "--kafka", "linger.ms=6"},
	 {"kafka.client.id: \"b\"  # flag", "kafka.linger.ms: \"6\"  # flag"}},
	{"a flag whose value has commas",
	 NULL,
	 NULL,
	 {"--kafka", "debug=broker,security,linger.ms=6"},
	 {"kafka.debug: \"broker,security\"", "kafka.linger.ms: \"6\""}},
	{"a password is not shown",
	 "kafka: { sasl.password: " SECRET " }\n",
	 NULL,
	 {NULL},
	 {"kafka.sasl.password: \"********\"  # skald.yaml:1\n", ""}},
	{"nor one of a flag",
	 NULL,
	 NULL,
	 {"--kafka", "ssl.key.password=" SECRET},
	 {"kafka.ssl.key.password: \"********\"  # flag --kafka\n", ""}},
	{"nor a key",
	 "kafka:\n  ssl.key.pem: " SECRET "\n",
	 NULL,
	 {NULL},
	 {"kafka.ssl.key.pem: \"********\"", ""}},
	{"none at all", "kafka: {}\n", NULL, {NULL}, {"log_level: info", ""}},
};

START_TEST(test_what_is_in_effect_is_printed)
{
	const struct effect *row = &effects[_i];
	struct process_result result = check(row->file, row->env, row->flags);

	ck_assert_msg(result.exit_code == 0, "%s: %s", row->name, result.errs.at);
	for (int i = 0; i < 2; i++)
		check_has(row->name, result.out, row->says[i]);
	check_secret(row->name, &result);
	/* What was printed is a settings file that says the same. */
	result = check(result.out.at, NULL, (const char *const[4]){NULL});
	ck_assert_msg(result.exit_code == 0, "%s: %s", row->name, result.errs.at);
	arena_release(&arena);
}
END_TEST

/* --- services ----------------------------------------------------------------------- */

static const struct service_row {
	const char *name, *file; /* kafka.properties */
	const char *flag;
	const char *says;
} service_rows[] = {
	{"a property that is nearly one", NULL, "sasl.usrname=shop",
	 "has no property sasl.usrname; did you mean sasl.username?"},
	{"a property that is ours", NULL, "acks=1", "kafka.acks cannot be set: "},
	{"a value that is none", NULL, "security.protocol=tsl",
	 "kafka.security.protocol: Invalid value"},
	{"no value", NULL, SECRET, "write NAME=VALUE"},
	{"a file that is not there", NULL, "@none", "--kafka @none: No such file"},
	{"a line that is none", "client.id=shop\n\n# " SECRET "\nsasl.password\n",
	 "@kafka.properties", "--kafka @kafka.properties: line 4 is no NAME=VALUE"},
	{"a mistake in a file", "client.id=shop\r\n  sasl.password=" SECRET "\nacks=1\n",
	 "@kafka.properties", "kafka.acks cannot be set: "},
	{"the end of a file without a line break",
	 "sasl.password=" SECRET "\nssl.ca.location=none", "@kafka.properties",
	 "no connection to Kafka can be made: ssl.ca.location failed"},
};

START_TEST(test_services_refuse)
{
	const struct service_row *row = &service_rows[_i];
	const struct process_setup setup = {.argv = {payment, "--data", ".", "--bus",
						     "kafka:127.0.0.1:1", "--kafka", row->flag,
						     "--kafka", "security.protocol=ssl"}};
	struct process_result result;

	folder_enter();
	if (row->file)
		folder_write("kafka.properties", row->file);
	result = process_run(&setup, &arena);
	ck_assert_msg(result.exit_code == 1, "%s: exit %d: %s", row->name, result.exit_code,
		      result.errs.at);
	check_has(row->name, result.errs, row->says);
	check_secret(row->name, &result);
	folder_leave();
	arena_release(&arena);
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_loop_test(tcase, test_mistakes, 0, ROWS(mistakes));
	tcase_add_loop_test(tcase, test_what_is_in_effect_is_printed, 0, ROWS(effects));
	tcase_add_loop_test(tcase, test_services_refuse, 0, ROWS(service_rows));
}

int main(int argc, char **argv)
{
	process_find(argv[0], "skald", skald, sizeof skald);
	process_find(argv[0], "skald-payment", payment, sizeof payment);
	return suite_run("serve_kafka", add);
}
