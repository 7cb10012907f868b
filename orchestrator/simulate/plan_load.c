/* plan_load.c - from YAML to a plan, with every mistake at its place. */
#include "orchestrator/load/loader.h"
#include "orchestrator/simulate/faults.h"
#include "orchestrator/simulate/plan.h"

struct plan_reader {
	struct loader loader;
	const struct family *family;
	struct plan *plan;
};

/* --- what the sagas have --------------------------------------------------------------- */

/* Names that may stand in a place, no name twice. */
struct names {
	const char **list;
	size_t n, capacity;
};

static void names_add(struct loader *loader, struct names *names, struct slice name)
{
	struct slice copy;

	for (size_t i = 0; i < names->n; i++)
		if (slice_is(name, names->list[i]))
			return;
	if (names->n == names->capacity) {
		size_t capacity = names->capacity ? names->capacity * 2 : 16;
		const char **list = scratch_alloc(loader, capacity, sizeof *list);

		if (!list)
			return;
		if (names->n)
			memcpy(list, names->list, names->n * sizeof *list);
		names->list = list;
		names->capacity = capacity;
	}
	if (arena_copy(&loader->scratch, name, &copy))
		names->list[names->n++] = copy.at;
	else
		loader->nomem = true;
}

static void add_call(struct plan_reader *reader, const struct call *call,
		     const struct slice *participant, struct names *names)
{
	if (!participant)
		names_add(&reader->loader, names, call->participant);
	else if (slice_equal(call->participant, *participant))
		names_add(&reader->loader, names, call->command);
}

/* All participants, or the commands of one of them. */
static struct names names_called(struct plan_reader *reader, const struct slice *participant)
{
	struct names names = {0};

	for (size_t i = 0; i < reader->family->n; i++) {
		const struct definition *definition = reader->family->list[i];

		for (uint32_t k = 0; k < definition->n_steps; k++) {
			const struct step_definition *step = &definition->steps[k];

			if (step->form == FORM_CALL)
				add_call(reader, &step->call, participant, &names);
			if (step->has_undo && step->form != FORM_SAGA)
				add_call(reader, &step->undo, participant, &names);
		}
	}
	return names;
}

static struct names names_awaited(struct plan_reader *reader)
{
	struct names names = {0};

	for (size_t i = 0; i < reader->family->n; i++) {
		const struct definition *definition = reader->family->list[i];

		for (uint32_t k = 0; k < definition->n_steps; k++)
			if (definition->steps[k].form == FORM_AWAIT)
				names_add(&reader->loader, &names, definition->steps[k].event);
	}
	return names;
}

static bool names_check(struct plan_reader *reader, const struct yaml_node *node,
			const char *where, const struct names *names)
{
	const struct keys keys = {where, names->list, names->n};

	return keys_check(&reader->loader, node, &keys);
}

/* --- values ---------------------------------------------------------------------------- */

static void read_chance(struct loader *loader, const struct yaml_node *node, const char *name,
			uint32_t *out)
{
	struct shown room = {""};

	if (node->broken)
		return;
	if (node->kind == YAML_SCALAR && chance_parse(node->text, out))
		return;
	report(loader->problems, node->place, CODE_BAD_NUMBER,
	       "`%s` needs a chance from 0%% to 100%%, such as 5%% or 0.25%%; here is %s", name,
	       node->kind == YAML_SCALAR ? shown(node->text, &room) : node_text(node));
}

/* Two durations, of which the second one is not the shorter. */
static bool read_two(struct loader *loader, const struct yaml_node *node,
		     const char *const *names, const char *where, int64_t *first_ms,
		     int64_t *second_ms)
{
	const struct keys keys = {where, names, 2};
	int64_t *const out[] = {first_ms, second_ms};
	bool right = keys_check(loader, node, &keys);

	for (size_t i = 0; i < 2; i++) {
		const struct yaml_node *value = member(node, names[i]);

		if (value)
			right &= read_duration(loader, value, names[i], out[i]);
		else if (is_missing(node, names[i], &keys))
			report(loader->problems, node->place, CODE_MISSING_KEY,
			       "`%s` is missing %s; give both %s and %s", names[i], where,
			       names[0], names[1]);
		right &= value != NULL;
	}
	if (right && *second_ms < *first_ms) {
		report(loader->problems, node->place, CODE_BAD_DURATION,
		       "`%s` is shorter than `%s`; exchange them", names[1], names[0]);
		return false;
	}
	return right;
}

static void read_spread(struct loader *loader, const struct yaml_node *node, const char *name,
			struct spread *out)
{
	static const char *const range[] = {"from", "to"};
	static const char *const quantiles[] = {"p50", "p99"};
	struct spread spread = {.kind = SPREAD_FIXED};
	bool right;

	if (node->broken)
		return;
	if (node->kind == YAML_MAPPING && yaml_get(node, "from")) {
		spread.kind = SPREAD_RANGE;
		right = read_two(loader, node, range, "in a range of times", &spread.low_ms,
				 &spread.high_ms);
	} else if (node->kind == YAML_MAPPING) {
		spread.kind = SPREAD_QUANTILES;
		right = read_two(loader, node, quantiles, "in a spread of times",
				 &spread.low_ms, &spread.high_ms);
	} else {
		right = read_duration(loader, node, name, &spread.low_ms);
	}
	if (right)
		*out = spread;
}

/* Names: what the command was called with, or the saga's input, and the saga. */
static const struct template *read_template(struct loader *loader, const struct yaml_node *node)
{
	const struct scope scope = {.input = &schema_any};

	return load_template(loader, node, &scope);
}

/* Both are what somebody gives: `name` is how it is called. */
static void read_value(struct loader *loader, const struct yaml_node *mapping, const char *name,
		       const struct template **value, const struct schema **schema)
{
	const struct yaml_node *given = member(mapping, name), *by = member(mapping, "schema");

	if (given && by)
		report(loader->problems, by->place, CODE_TWO_FORMS,
		       "there is `%s` and `schema`; leave one of them out", name);
	if (given)
		*value = read_template(loader, given);
	if (by &&
	    mapping_check(loader, by, "`schema` needs a JSON Schema such as { type: object }"))
		*schema = load_schema(loader, by);
}

/* --- behaviour ------------------------------------------------------------------------- */

static void read_decline(struct loader *loader, const struct yaml_node *node,
			 struct behaviour *out)
{
	static const char *const names[] = {"chance", "code"};
	static const struct keys keys = {"in `decline`", names, 2};
	struct slice code;

	out->decline_given = true;
	if (node->kind != YAML_MAPPING) {
		read_chance(loader, node, "decline", &out->decline);
		return;
	}
	(void)keys_check(loader, node, &keys);
	if (member(node, "chance"))
		read_chance(loader, member(node, "chance"), "chance", &out->decline);
	else if (is_missing(node, "chance", &keys))
		report(loader->problems, node->place, CODE_MISSING_KEY,
		       "`chance` is missing in `decline`; say how often, such as 5%%");
	if (member(node, "code") &&
	    read_text(loader, member(node, "code"),
		      "`code` needs the word with which it is refused, such as out_of_stock",
		      &code))
		(void)keep_text(loader, code, &out->decline_code);
}

static void read_slow(struct loader *loader, const struct yaml_node *node,
		      struct behaviour *out)
{
	static const char *const names[] = {"for", "latency"};
	static const struct keys keys = {"in `slow_start`", names, 2};

	if (!mapping_check(loader, node,
			   "`slow_start` needs a mapping such as { for: 30s, latency: 2s }"))
		return;
	(void)keys_check(loader, node, &keys);
	if (member(node, "for"))
		(void)read_duration(loader, member(node, "for"), "for", &out->slow_ms);
	if (member(node, "latency"))
		read_spread(loader, member(node, "latency"), "latency", &out->slow);
	for (size_t i = 0; i < 2; i++)
		if (is_missing(node, names[i], &keys))
			report(loader->problems, node->place, CODE_MISSING_KEY,
			       "`%s` is missing in `slow_start`; write { for: 30s, latency: 2s "
			       "}",
			       names[i]);
}

static void read_behaviour(struct loader *loader, const struct yaml_node *node,
			   struct behaviour *out)
{
	if (member(node, "latency"))
		read_spread(loader, member(node, "latency"), "latency", &out->latency);
	if (member(node, "decline"))
		read_decline(loader, member(node, "decline"), out);
	if (member(node, "fail")) {
		out->fail_given = true;
		read_chance(loader, member(node, "fail"), "fail", &out->fail);
	}
	if (member(node, "unknown"))
		read_chance(loader, member(node, "unknown"), "unknown", &out->unknown);
	if (member(node, "slow_start"))
		read_slow(loader, member(node, "slow_start"), out);
}

/* --- participants ---------------------------------------------------------------------- */

static void read_command(struct plan_reader *reader, const struct yaml_entry *entry,
			 struct planned_command *out)
{
	static const char *const names[] = {"latency",    "decline", "fail",  "unknown",
					    "slow_start", "output",  "schema"};
	static const struct keys keys = {"in a command's plan", names, 7};
	struct loader *loader = &reader->loader;

	if (!keep_text(loader, entry->name, &out->name) ||
	    !mapping_check(loader, entry->value,
			   "a command needs a mapping such as { latency: 20ms }"))
		return;
	(void)keys_check(loader, entry->value, &keys);
	read_behaviour(loader, entry->value, &out->behaviour);
	read_value(loader, entry->value, "output", &out->behaviour.output,
		   &out->behaviour.schema);
}

static void read_commands(struct plan_reader *reader, const struct yaml_node *node,
			  struct planned_participant *participant)
{
	struct names names = names_called(reader, &participant->name);
	struct planned_command *commands;

	if (!mapping_check(&reader->loader, node,
			   "`commands` needs a mapping such as { reserve: { decline: 5% } }") ||
	    !names_check(reader, node, "among the commands of this participant", &names))
		return;
	commands = keep_alloc(&reader->loader, node->n, sizeof *commands);
	participant->commands = commands;
	for (const struct yaml_entry *entry = node->first; commands && entry;
	     entry = entry->next) {
		struct planned_command *command = &commands[participant->n_commands++];

		command->behaviour = participant->behaviour;
		read_command(reader, entry, command);
	}
}

static void read_outage(struct loader *loader, const struct yaml_node *node, struct outage *out)
{
	static const char *const names[] = {"from", "to"};
	static const char needs[] = "an outage needs a mapping such as { from: 2m, to: 5m }";

	if (mapping_check(loader, node, needs))
		(void)read_two(loader, node, names, "in `outage`", &out->from_ms, &out->to_ms);
}

static void read_outages(struct loader *loader, const struct yaml_node *node,
			 struct planned_participant *participant)
{
	bool is_list = node->kind == YAML_LIST;
	size_t n = is_list ? node->n : 1;
	struct outage *outages;

	if (n > OUTAGES_MAX) {
		report(loader->problems, node->place, CODE_TOO_MANY_VALUES,
		       "there are more than %d outages; leave some out", OUTAGES_MAX);
		return;
	}
	outages = keep_alloc(loader, n, sizeof *outages);
	if (!outages)
		return;
	participant->outages = outages;
	participant->n_outages = n;
	if (!is_list)
		read_outage(loader, node, outages);
	else
		for (const struct yaml_entry *entry = node->first; entry; entry = entry->next)
			read_outage(loader, entry->value, outages++);
}

static void read_participant(struct plan_reader *reader, const struct yaml_entry *entry,
			     struct planned_participant *out)
{
	static const char *const names[] = {"latency",    "decline", "fail",    "unknown",
					    "slow_start", "outage",  "commands"};
	static const struct keys keys = {"in a participant's plan", names, 7};
	struct loader *loader = &reader->loader;
	const struct yaml_node *node = entry->value;

	out->behaviour = behaviour_default;
	if (!keep_text(loader, entry->name, &out->name) ||
	    !mapping_check(loader, node,
			   "a participant needs a mapping such as { latency: 20ms }"))
		return;
	(void)keys_check(loader, node, &keys);
	read_behaviour(loader, node, &out->behaviour);
	if (member(node, "outage"))
		read_outages(loader, member(node, "outage"), out);
	if (member(node, "commands"))
		read_commands(reader, member(node, "commands"), out);
}

static void read_participants(struct plan_reader *reader, const struct yaml_node *node)
{
	struct names names = names_called(reader, NULL);
	struct planned_participant *list;

	if (!mapping_check(&reader->loader, node,
			   "`participants` needs a mapping such as { inventory: { latency: "
			   "20ms } }") ||
	    !names_check(reader, node, "among the participants of these sagas", &names))
		return;
	list = keep_alloc(&reader->loader, node->n, sizeof *list);
	reader->plan->participants = list;
	for (const struct yaml_entry *entry = node->first; list && entry; entry = entry->next)
		read_participant(reader, entry, &list[reader->plan->n_participants++]);
}

/* --- signals --------------------------------------------------------------------------- */

static void read_signal(struct plan_reader *reader, const struct yaml_entry *entry,
			struct planned_signal *out)
{
	static const char *const names[] = {"after", "chance", "payload", "schema"};
	static const struct keys keys = {"in a signal's plan", names, 4};
	struct loader *loader = &reader->loader;
	const struct yaml_node *node = entry->value;

	*out = signal_default;
	out->chance = CHANCE_ALWAYS;
	if (!keep_text(loader, entry->name, &out->event) ||
	    !mapping_check(loader, node,
			   "a signal needs a mapping such as { after: 1h, chance: 95% }"))
		return;
	(void)keys_check(loader, node, &keys);
	if (member(node, "after"))
		read_spread(loader, member(node, "after"), "after", &out->after);
	if (member(node, "chance"))
		read_chance(loader, member(node, "chance"), "chance", &out->chance);
	read_value(loader, node, "payload", &out->payload, &out->schema);
}

static void read_signals(struct plan_reader *reader, const struct yaml_node *node)
{
	struct names names = names_awaited(reader);
	struct planned_signal *list;

	if (!mapping_check(&reader->loader, node,
			   "`signals` needs a mapping such as { approved: { after: 1h } }") ||
	    !names_check(reader, node, "among the events that these sagas await", &names))
		return;
	list = keep_alloc(&reader->loader, node->n, sizeof *list);
	reader->plan->signals = list;
	for (const struct yaml_entry *entry = node->first; list && entry; entry = entry->next)
		read_signal(reader, entry, &list[reader->plan->n_signals++]);
}

/* --- the whole ------------------------------------------------------------------------- */

static void read_plan(struct plan_reader *reader, const struct yaml_node *root)
{
	static const char *const names[] = {"participants", "signals"};
	static const struct keys keys = {"at the top level of a plan", names, 2};

	if (!mapping_check(&reader->loader, root,
			   "a plan is a mapping that begins with `participants:`"))
		return;
	(void)keys_check(&reader->loader, root, &keys);
	if (member(root, "participants"))
		read_participants(reader, member(root, "participants"));
	if (member(root, "signals"))
		read_signals(reader, member(root, "signals"));
}

enum err plan_load(const char *file, struct slice text, const struct family *family,
		   struct problems *problems, struct plan **out)
{
	struct arena arena = {0};
	struct plan_reader reader = {.loader = {.arena = &arena, .problems = problems},
				     .family = family};
	size_t n_errors = problems->n_errors;
	struct yaml_node *root;
	enum err err;

	problems->file = file;
	reader.plan = keep_alloc(&reader.loader, 1, sizeof *reader.plan);
	err = reader.plan ? yaml_tree(text, &reader.loader.scratch, problems, &root)
			  : ERR_NOMEM;
	if (!err)
		read_plan(&reader, root);
	if (!err && problems->n_errors > n_errors)
		err = ERR_INVALID;
	if (reader.loader.nomem || problems->nomem)
		err = ERR_NOMEM;
	arena_release(&reader.loader.scratch);
	problems_sort(problems);
	if (err) {
		arena_release(&arena);
		return err;
	}
	reader.plan->arena = arena;
	*out = reader.plan;
	return OK;
}
