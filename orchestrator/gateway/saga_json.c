#include "orchestrator/gateway/saga_json.h"

#include "base/json_line.h"
#include "orchestrator/explain/entry_json.h"
#include "orchestrator/explain/masked.h"

#include <inttypes.h>
#include <stdio.h>

void row_members(struct bytes *out, const struct saga_row *row)
{
	json_add_text(out, "id", row->id);
	json_add_text(out, "saga", row->saga);
	json_add_text(out, "version", row->version);
	json_add_optional(out, "key", row->key);
	json_add_text(out, "status", slice_of(status_text(row->status)));
	json_add_bool(out, "paused", row->paused);
	json_add_optional(out, "step", row->step);
	json_add_optional(out, "reason", row->reason);
	json_add_time(out, "started_at", row->started_ms);
	json_add_time(out, "updated_at", row->updated_ms);
	json_add_time(out, "ended_at", row->ended_ms);
	json_add_number(out, "revision", (int64_t)row->revision);
}

/* --- steps ------------------------------------------------------------------------ */

/* What has no kind is told by its form: "await". */
static const char *kind_of(const struct step_definition *step)
{
	return step->kind == KIND_NONE ? form_text(step->form) : kind_text(step->kind);
}

/* The one that the step's present command goes to; NULL: none. */
static const struct call *call_of(const struct step_definition *definition,
				  const struct step *step)
{
	if (step->verb == VERB_UNDO && definition->has_undo)
		return &definition->undo;
	return definition->form == FORM_CALL ? &definition->call : NULL;
}

/* Which child saga the step starts, and the id of the one that it has. */
static void child_member(struct bytes *out, const struct definition *definition,
			 const struct saga *saga, uint32_t index)
{
	struct instance at = saga_instance(definition, saga, index);
	const struct step *step = &saga->steps[index];
	char id[SAGA_ID_MAX];
	struct slice child = {0};

	if (definition->steps[at.step].form != FORM_SAGA)
		return;
	if (step->started_ms)
		child = child_id(definition, saga->id, at, step->do_round, id);
	json_add_text(out, "child_saga", definition->steps[at.step].child);
	json_add_optional(out, "child", child);
}

static void step_definition_members(struct bytes *out, const struct definition *definition,
				    const struct saga *saga, uint32_t index)
{
	struct instance at = saga_instance(definition, saga, index);
	const struct step_definition *of = &definition->steps[at.step];
	const struct call *call = call_of(of, &saga->steps[index]);
	char room[INSTANCE_NAME_MAX];
	struct slice none = {0};

	json_add_text(out, "name", saga_step_name(definition, saga, index, room));
	if (of->each != NO_STEP && saga_expansion(saga, of->each))
		json_add_number(out, "element", at.element);
	json_add_text(out, "kind", slice_of(kind_of(of)));
	json_add_optional(out, "participant", call ? call->participant : none);
	json_add_optional(out, "command", call ? call->command : none);
	child_member(out, definition, saga, index);
}

static void attempts_members(struct bytes *out, const struct call *call, uint32_t attempt)
{
	json_add_number(out, "attempt", attempt);
	if (call && call->retry.attempts)
		json_add_number(out, "attempts_max", call->retry.attempts);
	else
		json_add_null(out, "attempts_max");
}

static void error_member(struct bytes *out, const struct error *error)
{
	if (!error) {
		json_add_null(out, "error");
		return;
	}
	json_add_name(out, "error");
	json_begin(out);
	json_add_text(out, "code", error->code);
	json_add_text(out, "message", error->message);
	json_end(out);
}

/* Why its command is not handed over yet. */
static void held_member(struct bytes *out, const struct saga_view *view, uint32_t index)
{
	struct engine_hold hold;

	if (!engine_hold(view->engine, view->saga.id, index, &hold)) {
		json_add_null(out, "held");
		return;
	}
	json_add_name(out, "held");
	json_begin(out);
	json_add_text(out, "by", slice_of(hold.by));
	json_add_time(out, "until", hold.until_ms);
	json_add_text(out, "text", slice_of(hold.text));
	json_end(out);
}

static void step_json(struct bytes *out, const struct saga_view *view, uint32_t index)
{
	const struct definition *definition = view->definition;
	const struct saga *saga = &view->saga;
	const struct step_definition *of =
		definition ? saga_step_definition(definition, saga, index) : NULL;
	const struct step *step = &saga->steps[index];
	char number[16];

	json_begin(out);
	if (of) {
		step_definition_members(out, definition, saga, index);
	} else {
		snprintf(number, sizeof number, "#%" PRIu32, index);
		json_add_text(out, "name", slice_of(number));
	}
	json_add_text(out, "state", slice_of(step_state_text((enum step_state)step->state)));
	json_add_optional(out, "why", slice_of(why_text((enum why)step->why)));
	json_add_text(out, "verb", slice_of(verb_text((enum verb)step->verb)));
	attempts_members(out, of ? call_of(of, step) : NULL, step->attempt);
	json_add_time(out, "started_at", step->started_ms);
	json_add_time(out, "ended_at", step->ended_ms);
	json_add_time(out, "due_at", step->due_ms);
	held_member(out, view, index);
	json_add_json(out, "output", step->output);
	error_member(out, step->error);
	json_end(out);
}

/* The steps of each element follow those of the one before. */
static void elements_json(struct bytes *out, const struct saga_view *view,
			  const struct expansion *expansion)
{
	uint32_t end = view->definition->steps[expansion->step].end;

	for (uint32_t n = 1; n < expansion->n; n++) {
		uint32_t shift = expansion_shift(view->definition, expansion, n);

		for (uint32_t i = expansion->step + 1; i < end; i++)
			step_json(out, view, i + shift);
	}
}

static void steps_json(struct bytes *out, const struct saga_view *view)
{
	const struct definition *definition = view->definition;
	uint32_t n = definition ? definition->n_steps : view->saga.n_steps;

	json_begin_list(out);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t each = definition ? definition->steps[i].each : NO_STEP;
		const struct expansion *expansion =
			each == NO_STEP ? NULL : saga_expansion(&view->saga, each);

		step_json(out, view, i);
		if (expansion && i + 1 == definition->steps[each].end)
			elements_json(out, view, expansion);
	}
	json_end_list(out);
}

/* --- the timeline ----------------------------------------------------------------- */

void timeline_json(struct bytes *out, const struct definition *definition,
		   const struct saga *saga, const struct timeline *timeline)
{
	struct timeline_each each = timeline_each(timeline);

	json_begin_list(out);
	while (timeline_next(&each))
		entry_json(out, definition, saga, &each.entry);
	json_end_list(out);
}

/* --- who is missing --------------------------------------------------------------- */

static void look_at(void *context, const struct bus_participant *participant)
{
	struct bus_participant *found = context;

	if (slice_equal(participant->name, found->name))
		*found = (struct bus_participant){.name = found->name,
						  .processes = participant->processes,
						  .inflight = participant->inflight,
						  .held = participant->held};
}

struct bus_participant participant_of(struct bus *bus, struct slice name)
{
	struct bus_participant found = {.name = name};

	bus_participants(bus, look_at, &found);
	return found;
}

/* Steps that call it, by the definition: an answer of it is waited for. */
static bool is_waited_for(const struct saga_view *view, uint32_t of, enum verb verb)
{
	const struct definition *definition = view->definition;

	for (uint32_t i = 0; i < view->saga.n_steps; i++) {
		const struct step *step = &view->saga.steps[i];

		if (saga_instance(definition, &view->saga, i).step == of &&
		    (step->verb == VERB_UNDO) == (verb == VERB_UNDO) &&
		    (step_in_flight(&definition->steps[of], step) ||
		     step->state == STEP_BACKOFF || step->state == STEP_UNDO_BACKOFF))
			return true;
	}
	return false;
}

static void add_absent(struct bytes *out, const struct saga_view *view, const struct call *call,
		       struct slice *told, size_t *n_told)
{
	for (size_t n = 0; n < *n_told; n++)
		if (slice_equal(told[n], call->participant))
			return;
	told[(*n_told)++] = call->participant;
	if (!participant_of(view->bus, call->participant).processes)
		json_add_value(out, call->participant);
}

/* Participants whose answers are waited for, and of which nothing is connected. */
static void absent_member(struct bytes *out, const struct saga_view *view)
{
	const struct definition *definition = view->definition;
	uint32_t n_steps = definition && !saga_ended(&view->saga) ? definition->n_steps : 0;
	struct slice told[2 * STEPS_MAX];
	size_t n_told = 0;

	json_add_name(out, "absent");
	json_begin_list(out);
	for (uint32_t i = 0; i < n_steps; i++) {
		const struct step_definition *step = &definition->steps[i];

		if (step->form == FORM_CALL && is_waited_for(view, i, VERB_DO))
			add_absent(out, view, &step->call, told, &n_told);
		if (step->form != FORM_SAGA && step->has_undo &&
		    is_waited_for(view, i, VERB_UNDO))
			add_absent(out, view, &step->undo, told, &n_told);
	}
	json_end_list(out);
}

/* --- the whole -------------------------------------------------------------------- */

void incomplete_member(struct bytes *out, const struct saga_view *view)
{
	if (view->incomplete)
		json_add_text(out, "incomplete",
			      SLICE_LITERAL("the orchestrator that has this saga could not be "
					    "asked: what it holds back, who is connected to "
					    "it and when attempts time out is not in this"));
}

void saga_head_members(struct bytes *out, const struct saga_view *view)
{
	json_add_text(out, "id", view->row.id);
	json_add_text(out, "saga", view->row.saga);
	json_add_text(out, "version", view->row.version);
	json_add_text(out, "status", slice_of(status_text(view->row.status)));
	json_add_bool(out, "paused", view->row.paused);
}

void look_member(struct bytes *out, const char *name, struct slice id)
{
	struct bytes text = BYTES(SAGA_ID_MAX + 32, NULL);

	bytes_text(&text, "skald explain ");
	bytes_append(&text, id);
	json_add_text(out, name, bytes_slice(&text));
	out->err = out->err ? out->err : text.err;
	bytes_release(&text);
}

void saga_json(struct bytes *out, const struct saga_view *view)
{
	const struct saga *saga = &view->saga;
	char hash[SHA256_HEX_SIZE];

	sha256_hex(view->hash, hash);
	json_begin(out);
	row_members(out, &view->row);
	json_add_text(out, "hash", slice_of(hash));
	if (saga->parent.len)
		json_add_text(out, "parent", saga->parent);
	json_add_number(out, "shard", view->shard);
	json_add_time(out, "deadline_at", saga->deadline_ms);
	json_add_name(out, "input");
	masked_json(out, view->definition, (struct json){saga->input});
	json_add_name(out, "output");
	masked_output(out, view->definition, (struct json){saga->output});
	absent_member(out, view);
	json_add_name(out, "steps");
	steps_json(out, view);
	json_add_number(out, "timeline_folded", (int64_t)view->timeline.n_folded);
	json_add_name(out, "timeline");
	timeline_json(out, view->definition, saga, &view->timeline);
	incomplete_member(out, view);
	json_end_line(out);
}
