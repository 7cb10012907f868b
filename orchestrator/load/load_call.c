/* load_call.c - steps that send a command, and undos. */
#include "orchestrator/load/loader.h"

enum { TIMEOUT_DEFAULT_MS = 30 * 1000 };

/* PARTICIPANT.COMMAND */
static void read_call(struct loader *loader, const struct yaml_node *node, struct call *out)
{
	static const char needs[] =
		"`call` needs PARTICIPANT.COMMAND, such as inventory.reserve";
	struct shown room = {""};
	struct slice text, participant, command;
	const char *point;

	if (!read_text(loader, node, needs, &text))
		return;
	point = memchr(text.at, '.', text.len);
	participant = (struct slice){text.at, point ? (size_t)(point - text.at) : 0};
	command = (struct slice){text.at + participant.len + 1, text.len - participant.len - 1};
	if (!point || !name_valid(participant) || !name_valid(command)) {
		report(loader->problems, node->place, CODE_BAD_CALL,
		       "%s, each of a-z, 0-9, _ and - and beginning with a letter; here is %s",
		       needs, shown(text, &room));
		return;
	}
	if (keep_text(loader, participant, &out->participant))
		(void)keep_text(loader, command, &out->command);
}

static void read_timeout(struct loader *loader, const struct yaml_node *node, struct call *out)
{
	out->timeout_ms = TIMEOUT_DEFAULT_MS;
	if (node)
		(void)read_duration(loader, node, "timeout", &out->timeout_ms);
}

void load_undo(struct loader *loader, struct draft *draft, const struct yaml_node *undo)
{
	static const char *const names[] = {"call", "with", "timeout", "retry", "exhausted"};
	static const struct keys keys = {"in an undo", names, 5};
	static const char *const words[] = {"park", "skip", NULL};
	struct call *call = &draft->step.undo;
	const struct yaml_node *exhausted;
	int word = 0;

	draft->step.has_undo = true;
	draft->undo_place = undo->place;
	call->timeout_ms = TIMEOUT_DEFAULT_MS;
	call->retry = retry_default_undo;
	if (!mapping_check(loader, undo,
			   "`undo` needs a mapping such as { call: PARTICIPANT.COMMAND }"))
		return;
	(void)keys_check(loader, undo, &keys);
	if (member(undo, "call"))
		read_call(loader, member(undo, "call"), call);
	else if (is_missing(undo, "call", &keys))
		report(loader->problems, undo->place, CODE_MISSING_KEY,
		       "`call` is missing in this undo; say which command undoes the step");
	draft->undo_with = member(undo, "with");
	draft->step.undo_with_given = draft->undo_with != NULL;
	read_timeout(loader, member(undo, "timeout"), call);
	load_retry(loader, member(undo, "retry"), &retry_default_undo, &call->retry);
	exhausted = member(undo, "exhausted");
	if (exhausted && read_word(loader, exhausted, "exhausted", words, &word))
		draft->step.undo_skip = word == 1;
}

/* Without `kind`, an undo says that there is something to undo. */
static void read_kind(struct loader *loader, struct draft *draft, const struct yaml_node *node,
		      bool has_undo)
{
	static const char *const words[] = {"compensatable", "readonly", "pivot", "retriable",
					    NULL};
	static const enum kind kinds[] = {KIND_COMPENSATABLE, KIND_READONLY, KIND_PIVOT,
					  KIND_RETRIABLE};
	int word = 0;

	if (node) {
		draft->kind_place = node->place;
		draft->kind_given = true;
		draft->kind_known = read_word(loader, node, "kind", words, &word);
		draft->step.kind = kinds[word];
		return;
	}
	draft->kind_place = draft->step.place;
	draft->kind_known = has_undo;
	draft->step.kind = KIND_COMPENSATABLE;
	if (!has_undo)
		report(loader->problems, draft->step.place, CODE_MISSING_KIND,
		       "it is not said how to undo this step; add `undo`, or a kind: readonly "
		       "(changes nothing), pivot (point of no return), retriable (after the "
		       "pivot)");
}

static void read_on_failure(struct loader *loader, struct draft *draft,
			    const struct yaml_node *node)
{
	static const char *const words[] = {"compensate", "ignore", "park", NULL};
	static const enum on_failure values[] = {FAILURE_COMPENSATE, FAILURE_IGNORE,
						 FAILURE_PARK};
	int word;

	if (!node || !read_word(loader, node, "on_failure", words, &word))
		return;
	draft->on_failure = values[word];
	draft->on_failure_place = node->place;
	draft->step.ignore_failure = values[word] == FAILURE_IGNORE;
}

void load_call(struct loader *loader, struct draft *draft, const struct yaml_node *settings)
{
	const struct yaml_node *undo = member(settings, "undo");
	struct call *call = &draft->step.call;

	read_call(loader, member(settings, "call"), call);
	draft->with = member(settings, "with");
	read_kind(loader, draft, member(settings, "kind"), undo != NULL);
	read_timeout(loader, member(settings, "timeout"), call);
	load_retry(loader, member(settings, "retry"),
		   draft->step.kind == KIND_RETRIABLE ? &retry_default_undo : &retry_default_do,
		   &call->retry);
	read_on_failure(loader, draft, member(settings, "on_failure"));
	if (undo)
		load_undo(loader, draft, undo);
}
