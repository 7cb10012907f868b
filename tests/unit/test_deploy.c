/* test_deploy.c - deploy/compose.yaml, as far as it can be looked at without containers: it
 * parses, and says the same as the rest of the tree */
#include "orchestrator/load/yaml_tree.h"
#include "tests/lib/folder.h"
#include "tests/lib/suite.h"

#include <stdio.h>
#include <stdlib.h>

static struct arena arena;
static struct slice text;
static const struct yaml_node *root;

static void enter(void)
{
	struct problems problems = {.arena = &arena, .file = "deploy/compose.yaml"};
	struct yaml_node *node = NULL;

	text = folder_read("deploy/compose.yaml", &arena);
	ck_assert_int_eq(yaml_tree(text, &arena, &problems, &node), OK);
	ck_assert_msg(!problems.n, "%u:%u: %s", (unsigned)problems.list[0].place.line,
		      (unsigned)problems.list[0].place.column, problems.list[0].text);
	root = node;
}

static void leave(void)
{
	arena_release(&arena);
}

static const struct yaml_node *member(const struct yaml_node *node, const char *name)
{
	const struct yaml_entry *entry =
		node->kind == YAML_MAPPING ? yaml_get(node, name) : NULL;

	ck_assert_msg(entry != NULL, "there is no %s", name);
	return entry->value;
}

/* The text of services.SERVICE.NAME, or of its first item. */
static const char *value_of(const char *service, const char *name)
{
	const struct yaml_node *node = member(member(member(root, "services"), service), name);
	struct slice copy;

	if (node->kind == YAML_LIST)
		node = node->first->value;
	ck_assert_int_eq(node->kind, YAML_SCALAR);
	ck_assert(arena_copy(&arena, node->text, &copy));
	return copy.at;
}

static const char *environment(const char *name)
{
	const struct yaml_node *all =
		member(member(member(root, "services"), "kafka"), "environment");
	struct slice copy;

	ck_assert(arena_copy(&arena, member(all, name)->text, &copy));
	return copy.at;
}

static void check_has(const char *where, const char *part)
{
	ck_assert_msg(strstr(folder_read(where, &arena).at, part) != NULL, "%s has no `%s`",
		      where, part);
}

/* The Kafka that all tests run on. */
START_TEST(test_the_image_is_of_the_version_that_is_tested)
{
	static const char name[] = "apache/kafka:";
	const char *image = value_of("kafka", "image");
	char line[128];

	ck_assert_msg(strncmp(image, name, sizeof name - 1) == 0, "%s", image);
	snprintf(line, sizeof line, "\nkafka_version=%s\n", image + sizeof name - 1);
	check_has("tools/engines", line);
	ck_assert(strncmp(value_of("mongo", "image"), "mongo:", strlen("mongo:")) == 0);
	ck_assert_int_ge(strtol(value_of("mongo", "image") + strlen("mongo:"), NULL, 10), 5);
	check_has("docs/operations.md", "MongoDB 5.0 or later");
}
END_TEST

/* One port: published, listened at, advertised, and what the pages tell people to type. */
START_TEST(test_the_port_is_that_of_the_pages)
{
	const char *advertised = environment("KAFKA_ADVERTISED_LISTENERS"), *address;
	char ports[64], listener[64], bus[64];

	address = strstr(advertised, "://") + strlen("://");
	snprintf(ports, sizeof ports, "%s%s", address, strrchr(address, ':'));
	ck_assert_str_eq(value_of("kafka", "ports"), ports);
	snprintf(listener, sizeof listener, "PLAINTEXT://%s,", strrchr(address, ':'));
	ck_assert_ptr_nonnull(strstr(environment("KAFKA_LISTENERS"), listener));
	snprintf(bus, sizeof bus, "--bus kafka:%s", address);
	ck_assert_ptr_nonnull(strstr(text.at, bus));
	check_has("README.md", bus);
	ck_assert_str_eq(value_of("mongo", "ports"), "127.0.0.1:27017:27017");
	ck_assert_ptr_nonnull(strstr(text.at, "--store mongo:mongodb://127.0.0.1:27017/skald"));
}
END_TEST

/* NAME:PATH, where the data is, in a volume that is there. */
START_TEST(test_data_outlives_its_container)
{
	static const char *const services[] = {"kafka", "mongo"};

	for (int i = 0; i < ROWS(services); i++) {
		const char *volume = value_of(services[i], "volumes");

		ck_assert(strncmp(volume, services[i], strlen(services[i])) == 0);
		member(member(root, "volumes"), services[i]);
	}
	ck_assert_str_eq(strchr(value_of("kafka", "volumes"), ':') + 1,
			 environment("KAFKA_LOG_DIRS"));
}
END_TEST

/* What one broker alone needs, as tools/engines has it. */
static const char *const single[] = {"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR",
				     "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
				     "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR"};

START_TEST(test_one_broker_is_enough)
{
	char property[128];

	for (int i = 0; i < ROWS(single); i++) {
		size_t len = 0;

		ck_assert_str_eq(environment(single[i]), "1");
		for (const char *c = single[i] + strlen("KAFKA_"); *c; c++)
			property[len++] = *c == '_' ? '.' : (char)(*c - 'A' + 'a');
		snprintf(property + len, sizeof property - len, "=1\n");
		check_has("tools/engines", property);
	}
	ck_assert_str_eq(environment("KAFKA_AUTO_CREATE_TOPICS_ENABLE"), "false");
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_checked_fixture(tcase, enter, leave);
	tcase_add_test(tcase, test_the_image_is_of_the_version_that_is_tested);
	tcase_add_test(tcase, test_the_port_is_that_of_the_pages);
	tcase_add_test(tcase, test_data_outlives_its_container);
	tcase_add_test(tcase, test_one_broker_is_enough);
}

int main(void)
{
	return suite_run("deploy", add);
}
