/* load_call.c - steps that send a command or start a child saga, and undos. */
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

static void read_kind(struct loader *loader, struct draft *draft, const struct yaml_node *node,
		      const char *const *words, const enum kind *kinds)
{
	int word = 0;

	draft->kind_place = node->place;
	draft->kind_given = true;
	draft->kind_known = read_word(loader, node, "kind", words, &word);
	draft->step.kind = kinds[word];
}

/* Without `kind`, an undo says that there is something to undo. */
static void read_call_kind(struct loader *loader, struct draft *draft,
			   const struct yaml_node *node, bool has_undo)
{
	static const char *const words[] = {"compensatable", "readonly", "pivot", "retriable",
					    NULL};
	static const enum kind kinds[] = {KIND_COMPENSATABLE, KIND_READONLY, KIND_PIVOT,
					  KIND_RETRIABLE};

	if (node) {
		read_kind(loader, draft, node, words, kinds);
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
	read_call_kind(loader, draft, member(settings, "kind"), undo != NULL);
	read_timeout(loader, member(settings, "timeout"), call);
	load_retry(loader, member(settings, "retry"),
		   draft->step.kind == KIND_RETRIABLE ? &retry_default_undo : &retry_default_do,
		   &call->retry);
	read_on_failure(loader, draft, member(settings, "on_failure"));
	if (undo)
		load_undo(loader, draft, undo);
}

/* NAME or NAME@VERSION */
static void read_child(struct loader *loader, const struct yaml_node *node,
		       struct step_definition *step)
{
	static const char needs[] =
		"`saga` needs the name of another saga, such as shipment or "
		"shipment@1.0.0";
	struct slice text, name, version = {0};
	struct shown room = {""};
	const char *at;

	if (!read_text(loader, node, needs, &text))
		return;
	at = memchr(text.at, '@', text.len);
	name = (struct slice){text.at, at ? (size_t)(at - text.at) : text.len};
	if (at)
		version = (struct slice){at + 1, text.len - name.len - 1};
	if (!name_valid(name) ||
	    (at && (!version_valid(version) || version.len > VERSION_MAX_BYTES)))
		report(loader->problems, node->place, CODE_BAD_CHILD, "%s; here is %s", needs,
		       shown(text, &room));
	else if (slice_equal(name, loader->definition->name))
		report(loader->problems, node->place, CODE_CHILD_CYCLE,
		       "a saga that is its own child would never end; name another one");
	else if (keep_text(loader, name, &step->child))
		(void)keep_text(loader, version, &step->child_version);
}

/* Without `kind` a child saga is what may stand where it stands: see rules.c. */
void load_child(struct loader *loader, struct draft *draft, const struct yaml_node *settings)
{
	static const char *const words[] = {"compensatable", "pivot", "retriable", NULL};
	static const enum kind kinds[] = {KIND_COMPENSATABLE, KIND_PIVOT, KIND_RETRIABLE};

	read_child(loader, member(settings, "saga"), &draft->step);
	draft->with = member(settings, "with");
	draft->child_key = member(settings, "key");
	draft->step.call.retry = retry_default_undo;
	draft->step.undo.retry = retry_default_undo;
	draft->kind_known = true;
	draft->kind_place = draft->step.place;
	draft->step.kind = KIND_COMPENSATABLE;
	if (member(settings, "kind"))
		read_kind(loader, draft, member(settings, "kind"), words, kinds);
}
