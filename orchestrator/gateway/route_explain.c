/* route_explain.c - GET /v1/sagas/{id}/explain. */
#include "base/json_line.h"
#include "orchestrator/explain/explain.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

/* --- who is asked ----------------------------------------------------------------- */

/* The one who asks, and what about. */
struct asking {
	struct request *request;
	const struct saga_view *view;
};

static struct presence find_participant(void *context, struct slice name)
{
	const struct asking *asking = context;
	struct bus_participant found = participant_of(asking->view->bus, name);

	return (struct presence){found.processes, found.held};
}

/* The text lives as long as the request. */
static struct hold find_hold(void *context, uint32_t step)
{
	const struct asking *asking = context;
	struct engine_hold hold;
	struct hold out = {0};

	if (!engine_hold(asking->view->engine, asking->view->saga.id, step, &hold))
		return out;
	out = (struct hold){.by = hold.by, .until_ms = hold.until_ms};
	(void)arena_copy(&asking->request->arena, slice_of(hold.text), &out.text);
	return out;
}

/* The reason lives as long as the request. */
static struct kinship find_child(void *context, struct slice id)
{
	struct request *request = ((const struct asking *)context)->request;
	struct kinship found = {0};
	struct arena arena = {0};
	struct saga_row row;
	struct slice record;

	if (!store_get(request->gateway->parts.store, id, &arena, &row, &record))
		found = (struct kinship){true, row.status, row.paused, {0}};
	if (found.known)
		(void)arena_copy(&request->arena, row.reason, &found.reason);
	arena_release(&arena);
	return found;
}

/* --- waits ------------------------------------------------------------------------ */

static void step_member(struct bytes *out, const struct saga_view *view, uint32_t step)
{
	char room[INSTANCE_NAME_MAX];

	if (step == NO_STEP) /* the saga as a whole */
		json_add_null(out, "step");
	else
		json_add_text(out, "step",
			      saga_step_name(view->definition, &view->saga, step, room));
}

static void elements_member(struct bytes *out, const struct wait *wait)
{
	if (!wait || !wait->n_elements) {
		json_add_null(out, "elements");
		return;
	}
	json_add_name(out, "elements");
	json_begin_list(out);
	for (uint32_t n = 0; n < wait->n_elements; n++)
		json_add_value_number(out, wait->elements[n]);
	json_end_list(out);
}

/* What tells more of it, to be pasted. */
static void look_members(struct bytes *out, const struct wait *wait)
{
	json_add_optional(out, "child", wait->child);
	if (wait->child.len)
		look_member(out, "look", wait->child);
	else if (wait->hold.by || (wait->to && !wait->presence.processes))
		json_add_text(out, "look", SLICE_LITERAL("skald stats"));
	else
		json_add_null(out, "look");
}

static void held_member(struct bytes *out, const struct wait *wait)
{
	if (!wait->hold.by) {
		json_add_null(out, "held");
		return;
	}
	json_add_name(out, "held");
	json_begin(out);
	json_add_text(out, "by", slice_of(wait->hold.by));
	json_add_time(out, "until", wait->hold.until_ms);
	json_add_text(out, "text", wait->hold.text);
	json_add_text(out, "advice", slice_of(wait->advice));
	json_end(out);
}

static void presence_members(struct bytes *out, const struct wait *wait)
{
	if (!wait->to) {
		json_add_null(out, "participant");
		json_add_null(out, "command");
		json_add_null(out, "connected");
		return;
	}
	json_add_text(out, "participant", wait->to->participant);
	json_add_optional(out, "command",
			  wait->verb == VERB_REVOKE ? (struct slice){0} : wait->to->command);
	json_add_number(out, "connected", wait->presence.processes);
}

static void attempt_members(struct bytes *out, const struct wait *wait)
{
	if (!wait->attempt) {
		json_add_null(out, "verb");
		json_add_null(out, "attempt");
		json_add_null(out, "attempts_max");
		return;
	}
	json_add_text(out, "verb", slice_of(verb_text(wait->verb)));
	json_add_number(out, "attempt", wait->attempt);
	if (wait->attempts_max)
		json_add_number(out, "attempts_max", wait->attempts_max);
	else
		json_add_null(out, "attempts_max");
}

static void wait_json(struct bytes *out, const struct saga_view *view, const struct wait *wait)
{
	struct slice event = {0};

	if (wait->step != NO_STEP)
		event = saga_step_definition(view->definition, &view->saga, wait->step)->event;
	json_begin(out);
	json_add_text(out, "for", slice_of(wait_text(wait->kind)));
	step_member(out, view, wait->step);
	elements_member(out, wait);
	look_members(out, wait);
	presence_members(out, wait);
	attempt_members(out, wait);
	held_member(out, wait);
	json_add_optional(out, "event", event);
	json_add_time(out, "since", wait->since_ms);
	json_add_time(out, "until", wait->until_ms);
	json_add_text(out, "text", wait->text);
	json_add_optional(out, "next", wait->next);
	json_end(out);
}

static void progress_json(struct bytes *out, const struct saga_view *view,
			  const struct explanation *explanation)
{
	json_add_name(out, "progress");
	json_begin_list(out);
	for (uint32_t n = 0; n < explanation->n_progress; n++) {
		const struct progress *progress = &explanation->progress[n];

		json_begin(out);
		step_member(out, view, progress->step);
		json_add_number(out, "elements", progress->n);
		json_add_number(out, "settled", progress->n_settled);
		json_add_number(out, "parked", progress->n_parked);
		json_end(out);
	}
	json_end_list(out);
}

/* --- what time brings, and what can be done --------------------------------------- */

static void prospect_json(struct bytes *out, int64_t at_ms, struct slice text)
{
	json_begin(out);
	json_add_time(out, "at", at_ms);
	json_add_text(out, "text", text);
	json_end(out);
}

/* How many attempts were left out stands where they would. */
static void silence_json(struct bytes *out, const struct forecast *silence)
{
	bool told = false;

	json_add_name(out, "silence");
	json_begin_list(out);
	for (uint32_t n = 0; n <= silence->n; n++) {
		struct bytes more = BYTES(256, NULL);

		if (!told && silence->n_untold && n >= FORECAST_ATTEMPTS_TOLD) {
			told = true;
			bytes_format(&more, "... %u more attempts and timeouts%s",
				     silence->n_untold, silence->goes_on ? ", and so on" : "");
			prospect_json(out, silence->untold_until_ms, bytes_slice(&more));
			out->err = out->err ? out->err : more.err;
		}
		if (n < silence->n)
			prospect_json(out, silence->list[n].at_ms, silence->list[n].text);
		bytes_release(&more);
	}
	json_end_list(out);
}

/* "skald retry order-17 confirm", to be pasted: no part of it needs quotes. */
static void command_member(struct bytes *out, const struct saga_view *view,
			   const struct action *action)
{
	struct bytes text = BYTES(1024, NULL);
	char room[INSTANCE_NAME_MAX];

	bytes_format(&text, "skald %s ", event_text(action->type));
	bytes_append(&text, view->row.id);
	if (action->step != NO_STEP)
		bytes_add(&text, ' ');
	if (action->type == EVENT_SIGNAL)
		bytes_append(&text,
			     saga_step_definition(view->definition, &view->saga, action->step)
				     ->event);
	else if (action->step != NO_STEP)
		bytes_append(&text,
			     saga_step_name(view->definition, &view->saga, action->step, room));
	if (action->type == EVENT_KILL)
		bytes_text(&text, " --reason 'say why'");
	json_add_text(out, "command", bytes_slice(&text));
	out->err = out->err ? out->err : text.err;
	bytes_release(&text);
}

static void actions_json(struct bytes *out, const struct saga_view *view,
			 const struct explanation *explanation)
{
	json_add_name(out, "actions");
	json_begin_list(out);
	for (uint32_t n = 0; n < explanation->n_actions; n++) {
		const struct action *action = &explanation->actions[n];

		json_begin(out);
		json_add_text(out, "operation", slice_of(event_text(action->type)));
		step_member(out, view, action->step);
		elements_member(out, action->wait == NO_WAIT
					     ? NULL
					     : &explanation->waits[action->wait]);
		command_member(out, view, action);
		json_add_text(out, "text", slice_of(action->text));
		json_end(out);
	}
	json_end_list(out);
}

/* --- all of it -------------------------------------------------------------------- */

static void parent_members(struct bytes *out, const struct saga *saga)
{
	json_add_optional(out, "parent", saga->parent);
	if (saga->parent.len)
		look_member(out, "parent_look", saga->parent);
	else
		json_add_null(out, "parent_look");
}

static void explanation_json(struct bytes *out, const struct saga_view *view,
			     const struct explanation *explanation)
{
	bool is_awaited =
		view->saga.phase == PHASE_FORWARD && !(view->saga.flags & SAGA_OVERDUE);

	json_begin(out);
	saga_head_members(out, view);
	parent_members(out, &view->saga);
	json_add_time(out, "started_at", view->row.started_ms);
	json_add_time(out, "deadline_at", is_awaited ? view->saga.deadline_ms : 0);
	json_add_text(out, "cause", explanation->cause);
	json_add_name(out, "waits");
	json_begin_list(out);
	for (uint32_t n = 0; n < explanation->n_waits; n++)
		wait_json(out, view, &explanation->waits[n]);
	json_end_list(out);
	progress_json(out, view, explanation);
	silence_json(out, &explanation->silence);
	actions_json(out, view, explanation);
	json_add_optional(out, "no_cancel", slice_of(explanation->no_cancel));
}

void route_explain(struct request *request)
{
	struct saga_view view;
	struct asking asking = {request, &view};
	struct circumstances circumstances = {.find = find_participant,
					      .find_hold = find_hold,
					      .find_child = find_child,
					      .context = &asking};
	struct explanation explanation;
	int64_t *due_ms;
	enum err err;

	if (!request_explicable(request, &view))
		return;
	due_ms = arena_array(&request->arena, view.saga.n_steps, sizeof *due_ms);
	if (!due_ms) {
		request_fail_err(request, ERR_NOMEM);
		return;
	}
	engine_attempts(request->gateway->parts.engine, view.row.id, due_ms, view.saga.n_steps);
	circumstances.now_ms = clock_now_ms(request->gateway->parts.clock);
	circumstances.timeline = &view.timeline;
	circumstances.due_ms = due_ms;
	err = explain(view.definition, &evaluator_values, &view.saga, &circumstances,
		      &request->arena, &explanation);
	if (err) {
		request_fail_err(request, err);
		return;
	}
	explanation_json(&request->out, &view, &explanation);
	incomplete_member(&request->out, &view);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}
