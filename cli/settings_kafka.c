#include "cli/settings_kafka.h"

#include <stdio.h>

static const char prefix[] = "kafka.";

struct reading {
	struct problems *problems;
	struct kafka_settings *out;
};

static void add_problem(const struct reading *reading, struct place place, const char *text)
{
	problem_add(reading->problems, SEVERITY_ERROR, place, "bad-setting", "%s", text);
}

bool kafka_settings_own(struct slice name)
{
	return slice_is(name, "kafka") || (name.len >= sizeof prefix - 1 &&
					   memcmp(name.at, prefix, sizeof prefix - 1) == 0);
}

static struct kafka_property *find(struct kafka_settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->n; i++)
		if (strcmp(settings->list[i].name, name) == 0)
			return &settings->list[i];
	return NULL;
}

/* Both as texts of C. ERR_INVALID: one of them holds a zero byte. */
static enum err copy(struct slice name, struct slice value, struct arena *arena,
		     struct kafka_property *out)
{
	struct slice copied[2];

	if ((name.len && memchr(name.at, '\0', name.len)) ||
	    (value.len && memchr(value.at, '\0', value.len)))
		return ERR_INVALID;
	if (!arena_copy(arena, name, &copied[0]) || !arena_copy(arena, value, &copied[1]))
		return ERR_NOMEM;
	*out = (struct kafka_property){copied[0].at, copied[1].at};
	return OK;
}

static const char *write_where(const char *text, struct arena *arena)
{
	struct slice copied;

	return arena_copy(arena, slice_of(text), &copied) ? copied.at : NULL;
}

/* Append it, or take the place of the one that it wins over. */
static enum err keep(struct kafka_settings *settings, struct kafka_property property,
		     const char *where, struct arena *arena, struct diag *diag)
{
	struct kafka_property *to = find(settings, property.name);

	if (!to && settings->n == KAFKA_PROPERTIES_MAX)
		return diag_set(diag, ERR_INVALID, "more than %d properties of librdkafka",
				KAFKA_PROPERTIES_MAX);
	if (!to)
		to = &settings->list[settings->n++];
	*to = property;
	settings->where[to - settings->list] = write_where(where, arena);
	return settings->where[to - settings->list] ? OK : ERR_NOMEM;
}

/* --- the file --------------------------------------------------------------------- */

static void read_property(const struct reading *reading, struct slice name, struct slice value,
			  struct place place)
{
	struct problems *problems = reading->problems;
	struct kafka_property property;
	struct diag diag = {"a property of librdkafka holds no zero byte"};
	char where[200];
	enum err err = copy(name, value, problems->arena, &property);

	if (!err && find(reading->out, property.name))
		err = diag_set(&diag, ERR_INVALID,
			       "kafka.%.100s is given twice; the first is %s", property.name,
			       reading->out->where[find(reading->out, property.name) -
						   reading->out->list]);
	if (!err)
		err = kafka_property_check(&property, &diag);
	snprintf(where, sizeof where, "%.180s:%u", problems->file, (unsigned)place.line);
	if (!err)
		err = keep(reading->out, property, where, problems->arena, &diag);
	if (err == ERR_NOMEM)
		problems->nomem = true;
	else if (err)
		add_problem(reading, place, diag.text);
}

static void read_member(const struct reading *reading, struct slice name,
			const struct yaml_entry *entry)
{
	if (entry->value->broken)
		return;
	if (entry->value->kind != YAML_SCALAR)
		add_problem(reading, entry->value->place,
			    "a property of librdkafka has a value, and no settings below it; "
			    "write its whole name, as in `sasl.username: shop`");
	else
		read_property(reading, name, entry->value->text, entry->place);
}

/* "NAME=VALUE" */
static void read_item(const struct reading *reading, const struct yaml_node *item)
{
	struct slice text = item->text;
	const char *equals =
		item->kind == YAML_SCALAR && text.len ? memchr(text.at, '=', text.len) : NULL;
	size_t len = equals ? (size_t)(equals - text.at) : 0;

	if (item->broken)
		return;
	if (!len)
		add_problem(reading, item->place,
			    "a property has no name; write NAME=VALUE, or better a mapping: "
			    "`sasl.username: shop`");
	else
		read_property(reading, (struct slice){text.at, len},
			      (struct slice){equals + 1, text.len - len - 1}, item->place);
}

void kafka_settings_read(struct problems *problems, const struct yaml_entry *entry,
			 struct kafka_settings *out)
{
	const struct reading reading = {problems, out};
	const struct yaml_node *value = entry->value;
	const size_t len = sizeof prefix - 1;

	if (!slice_is(entry->name, "kafka")) {
		read_member(&reading,
			    (struct slice){entry->name.at + len, entry->name.len - len}, entry);
		return;
	}
	if (value->kind == YAML_SCALAR)
		add_problem(&reading, value->place,
			    "`kafka` is a mapping of properties of librdkafka, such as { "
			    "sasl.username: shop }; the brokers stand in `bus`");
	for (const struct yaml_entry *member = value->first; member; member = member->next)
		if (value->kind == YAML_MAPPING)
			read_member(&reading, member->name, member);
		else
			read_item(&reading, member->value);
}

/* --- flags and environment ---------------------------------------------------------- */

/* One of NAME=VALUE,NAME=VALUE: the items of the list from `*i` on that are not the next
 * one. False: there is none. */
static bool next_property(const struct options *options, size_t *i, struct bytes *out)
{
	struct slice item;

	bytes_clear(out);
	if (!options_item(options, "kafka", *i, &item))
		return false;
	do {
		if (out->len)
			bytes_add(out, ',');
		bytes_append(out, item);
		(*i)++;
	} while (options_item(options, "kafka", *i, &item) &&
		 !(item.len && memchr(item.at, '=', item.len)));
	return true;
}

static enum err add_one(struct slice text, const char *where, struct arena *arena,
			struct kafka_settings *out, struct diag *diag)
{
	const char *equals = text.len ? memchr(text.at, '=', text.len) : NULL;
	size_t len = equals ? (size_t)(equals - text.at) : 0;
	struct kafka_property property;
	enum err err;

	if (!len)
		return diag_set(diag, ERR_INVALID, "a property has no name; write NAME=VALUE");
	err = copy((struct slice){text.at, len}, (struct slice){equals + 1, text.len - len - 1},
		   arena, &property);
	if (!err)
		err = kafka_property_check(&property, diag);
	return err ? err : keep(out, property, where, arena, diag);
}

enum err kafka_settings_add(const struct options *options, struct kafka_settings *out,
			    struct diag *diag)
{
	struct bytes text = BYTES(OPTION_TEXT_BYTES * 16, options->arena);
	char where[OPTION_WHERE_SIZE];
	struct diag why = {""};
	size_t i = 0;
	enum err err = OK;

	options_where(options, "kafka", where);
	while (!err && next_property(options, &i, &text))
		err = text.err ? text.err
			       : add_one(bytes_slice(&text), where, options->arena, out, &why);
	return err == ERR_INVALID ? diag_set(diag, err, "%s: %s", where, why.text) : err;
}

/* --- what is in effect ------------------------------------------------------------- */

/* In double quotes, as YAML has them. */
static void print_value(const char *value, struct bytes *out)
{
	bytes_add(out, '"');
	for (const char *c = value; *c; c++)
		if (*c == '"' || *c == '\\')
			bytes_format(out, "\\%c", *c);
		else if ((unsigned char)*c < 0x20 || *c == 0x7f)
			bytes_format(out, "\\x%02x", (unsigned)(unsigned char)*c);
		else
			bytes_add(out, *c);
	bytes_add(out, '"');
}

void kafka_settings_print(const struct kafka_settings *settings, struct bytes *out)
{
	for (size_t i = 0; i < settings->n; i++) {
		const struct kafka_property *property = &settings->list[i];

		bytes_format(out, "kafka.%s: ", property->name);
		print_value(kafka_property_secret(property->name) ? "********"
								  : property->value,
			    out);
		bytes_format(out, "  # %s\n", settings->where[i]);
	}
}
