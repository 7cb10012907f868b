/* load_retry.c - RETRY: { first, factor, max, jitter, attempts, budget }. */
#include "orchestrator/load/loader.h"

static const char *const retry_names[] = {"first",  "factor",   "max",
					  "jitter", "attempts", "budget"};
static const struct keys retry_keys = {"in a retry", retry_names, 6};

static const char needs_retry[] =
	"`retry` needs the name of one under `use.retry`, or { first, factor, max, jitter, "
	"attempts, budget }";

static void read_factor(struct loader *loader, const struct yaml_node *node,
			struct decimal *out)
{
	struct decimal factor;

	if (node->kind != YAML_SCALAR || scalar_type(node) != SCALAR_NUMBER) {
		report_type(loader, node, "`factor` needs a number from 1 to 1000, such as 2");
		return;
	}
	if (decimal_parse(node->text, &factor) == DECIMAL_OK &&
	    decimal_compare(factor, (struct decimal){1, 0}) >= 0 &&
	    decimal_compare(factor, (struct decimal){1000, 0}) <= 0) {
		/* 2.0 is 2: one form for all spellings. */
		for (; factor.scale > 0 && factor.coefficient % 10 == 0; factor.scale--)
			factor.coefficient /= 10;
		*out = factor;
		return;
	}
	report(loader->problems, node->place, CODE_BAD_NUMBER,
	       "`factor` needs a number from 1 to 1000; here is %s",
	       shown(node->text, &(struct shown){""}));
}

static void read_pauses(struct loader *loader, const struct yaml_node *node, struct retry *out)
{
	static const char *const jitters[] = {"none", "full", NULL};
	const struct yaml_node *first = member(node, "first");
	const struct yaml_node *max = member(node, "max");
	const struct yaml_node *factor = member(node, "factor");
	const struct yaml_node *jitter = member(node, "jitter");
	bool right = true;
	int word;

	if (first)
		right &= read_duration(loader, first, "first", &out->first_ms);
	if (max)
		right &= read_duration(loader, max, "max", &out->max_ms);
	else if (out->max_ms < out->first_ms)
		out->max_ms = out->first_ms;
	if (right && out->max_ms < out->first_ms)
		report(loader->problems, max->place, CODE_BAD_DURATION,
		       "`max` is shorter than `first`; write at least what `first` is");
	if (factor)
		read_factor(loader, factor, &out->factor);
	if (jitter && read_word(loader, jitter, "jitter", jitters, &word))
		out->full_jitter = word == 1;
}

/* Where one of the two is given, the default of the other does not count. */
static void read_end(struct loader *loader, const struct yaml_node *node, struct retry *out)
{
	const struct yaml_node *attempts = member(node, "attempts");
	const struct yaml_node *budget = member(node, "budget");

	if (!attempts && !budget)
		return;
	out->attempts = 0;
	out->budget_ms = 0;
	if (attempts)
		(void)read_integer(loader, attempts, "attempts", 1, ATTEMPTS_MAX,
				   &out->attempts);
	if (budget)
		(void)read_duration(loader, budget, "budget", &out->budget_ms);
}

static void read_retry(struct loader *loader, const struct yaml_node *node, struct retry *out)
{
	(void)keys_check(loader, node, &retry_keys);
	read_pauses(loader, node, out);
	read_end(loader, node, out);
}

static bool find_retry(struct loader *loader, struct slice name, struct retry *out)
{
	for (size_t i = 0; i < loader->n_retries; i++) {
		if (!slice_equal(loader->retries[i].name, name))
			continue;
		loader->retry_used[i] = true;
		*out = loader->retries[i];
		return true;
	}
	return false;
}

static void report_unknown_retry(struct loader *loader, const struct yaml_node *node)
{
	const char *names[RETRIES_MAX];
	struct shown room = {""};
	const char *likely;

	for (size_t i = 0; i < loader->n_retries; i++)
		names[i] = loader->retries[i].name.at;
	likely = suggest(node->text, names, loader->n_retries);
	shown(node->text, &room);
	if (likely)
		report(loader->problems, node->place, CODE_UNKNOWN_RETRY,
		       "there is no retry `%s` under `use.retry`; did you mean `%s`?",
		       room.text, likely);
	else
		report(loader->problems, node->place, CODE_UNKNOWN_RETRY,
		       "there is no retry `%s` under `use.retry`; add it there, or write it "
		       "here "
		       "as { first: ..., attempts: ... }",
		       room.text);
}

void load_retry(struct loader *loader, const struct yaml_node *node,
		const struct retry *by_default, struct retry *out)
{
	struct slice name;

	*out = *by_default;
	if (!node)
		return;
	if (node->kind == YAML_MAPPING)
		read_retry(loader, node, out);
	else if (read_text(loader, node, needs_retry, &name) && !find_retry(loader, name, out))
		report_unknown_retry(loader, node);
}

void load_named_retries(struct loader *loader, const struct yaml_node *node)
{
	if (!mapping_check(loader, node,
			   "`retry` needs a mapping of names such as { std: { "
			   "first: 200ms, attempts: 6 } }"))
		return;
	if (node->n > RETRIES_MAX) {
		report(loader->problems, node->place, CODE_TOO_MANY_RETRIES,
		       "there are %zu retries; at most %d are allowed", node->n, RETRIES_MAX);
		return;
	}
	loader->retries = keep_alloc(loader, node->n, sizeof *loader->retries);
	loader->retry_used = scratch_alloc(loader, node->n, sizeof *loader->retry_used);
	if (!loader->retries || !loader->retry_used)
		return;
	for (const struct yaml_entry *entry = node->first; entry; entry = entry->next) {
		struct retry *retry = &loader->retries[loader->n_retries];

		*retry = retry_default_do;
		(void)check_name(loader, entry->name, entry->place, "a retry");
		if (!keep_text(loader, entry->name, &retry->name))
			return;
		loader->n_retries++;
		if (mapping_check(loader, entry->value,
				  "a retry needs { first, factor, max, jitter, attempts, "
				  "budget }, each with a default"))
			read_retry(loader, entry->value, retry);
	}
}
