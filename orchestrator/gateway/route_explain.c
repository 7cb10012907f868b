/* route_explain.c - GET /v1/sagas/{id}/explain and GET /v1/sagas/{id}/undo-plan. */
#include "base/json_line.h"
#include "orchestrator/explain/explain.h"
#include "orchestrator/explain/undo_plan.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

/* --- what both begin with --------------------------------------------------------- */

/* The saga with its definition; false: the request was answered. */
static bool find_explicable(struct request *request, struct saga_view *out)
{
	if (!request_saga(request, request->parameters[0], out))
		return false;
	if (out->definition)
		return true;
	request_fail(request, MHD_HTTP_INTERNAL_SERVER_ERROR, "damaged",
		     "the definition that the saga began with is not in the store, so that "
		     "nobody can tell what it would do");
	return false;
}

static void head_members(struct bytes *out, const struct saga_view *view)
{
	json_add_text(out, "id", view->row.id);
	json_add_text(out, "saga", view->row.saga);
	json_add_text(out, "version", view->row.version);
	json_add_text(out, "status", slice_of(status_text(view->row.status)));
	json_add_bool(out, "paused", view->row.paused);
}

/* Null: the saga as a whole. */
static void step_member(struct bytes *out, const struct definition *definition, uint32_t step)
{
	if (step == NO_STEP)
		json_add_null(out, "step");
	else
		json_add_text(out, "step", definition->steps[step].name);
}

static void finish(struct request *request)
{
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}

/* --- explain ---------------------------------------------------------------------- */

struct search {
	struct slice name;
	struct presence found;
};

static void look_at(void *context, const struct bus_participant *participant)
{
	struct search *search = context;

	if (slice_equal(participant->name, search->name))
		search->found = (struct presence){true, participant->processes,
						  participant->inflight, participant->held};
}

static struct presence find_participant(void *context, struct slice name)
{
	const struct request *request = context;
	struct search search = {.name = name};

	bus_participants(request->gateway->parts.bus, look_at, &search);
	return search.found;
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

static void wait_json(struct bytes *out, const struct definition *definition,
		      const struct wait *wait)
{
	struct slice event = {0};

	if (wait->step != NO_STEP)
		event = definition->steps[wait->step].event;
	json_begin(out);
	json_add_text(out, "for", slice_of(wait_text(wait->kind)));
	step_member(out, definition, wait->step);
	presence_members(out, wait);
	attempt_members(out, wait);
	json_add_optional(out, "event", event);
	json_add_time(out, "since", wait->since_ms);
	json_add_time(out, "until", wait->until_ms);
	json_add_text(out, "text", wait->text);
	json_add_optional(out, "next", wait->next);
	json_end(out);
}

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
static void command_member(struct bytes *out, const struct definition *definition,
			   struct slice id, const struct action *action)
{
	struct bytes text = BYTES(1024, NULL);
	const struct step_definition *step =
		action->step == NO_STEP ? NULL : &definition->steps[action->step];

	bytes_format(&text, "skald %s ", event_text(action->type));
	bytes_append(&text, id);
	if (step) {
		bytes_add(&text, ' ');
		bytes_append(&text, action->type == EVENT_SIGNAL ? step->event : step->name);
	}
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
		step_member(out, view->definition, action->step);
		command_member(out, view->definition, view->row.id, action);
		json_add_text(out, "text", slice_of(action->text));
		json_end(out);
	}
	json_end_list(out);
}

static void explanation_json(struct bytes *out, const struct saga_view *view,
			     const struct explanation *explanation)
{
	bool is_awaited =
		view->saga.phase == PHASE_FORWARD && !(view->saga.flags & SAGA_OVERDUE);

	json_begin(out);
	head_members(out, view);
	json_add_time(out, "started_at", view->row.started_ms);
	json_add_time(out, "deadline_at", is_awaited ? view->saga.deadline_ms : 0);
	json_add_text(out, "cause", explanation->cause);
	json_add_name(out, "waits");
	json_begin_list(out);
	for (uint32_t n = 0; n < explanation->n_waits; n++)
		wait_json(out, view->definition, &explanation->waits[n]);
	json_end_list(out);
	silence_json(out, &explanation->silence);
	actions_json(out, view, explanation);
	json_add_optional(out, "no_cancel", slice_of(explanation->no_cancel));
}

void route_explain(struct request *request)
{
	struct circumstances circumstances = {.find = find_participant, .context = request};
	struct explanation explanation;
	struct saga_view view;
	int64_t *due_ms;
	enum err err;

	if (!find_explicable(request, &view))
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
	finish(request);
}

/* --- the plan --------------------------------------------------------------------- */

static void planned_json(struct bytes *out, const struct saga_view *view,
			 const struct planned *planned)
{
	const struct step_definition *step = &view->definition->steps[planned->step];
	bool is_undo = planned->kind != PLANNED_ANSWER && planned->kind != PLANNED_REVOKE;
	const struct call *call = is_undo ? &step->undo : &step->call;

	json_begin(out);
	json_add_number(out, "wave", planned->wave);
	json_add_text(out, "what", slice_of(planned_text(planned->kind)));
	json_add_text(out, "step", step->name);
	json_add_text(out, "participant", call->participant);
	json_add_optional(out, "command",
			  planned->kind == PLANNED_REVOKE ? (struct slice){0} : call->command);
	json_add_number(out, "round", planned->round);
	json_add_bool(out, "sent", planned->sent);
	json_add_json(out, "args", planned->args);
	json_add_bool(out, "args_open", planned->args_open);
	json_end(out);
}

static void left_json(struct bytes *out, const struct saga_view *view, const struct left *left)
{
	json_begin(out);
	json_add_text(out, "step", view->definition->steps[left->step].name);
	json_add_text(out, "why", slice_of(left->why));
	json_end(out);
}

static void plan_json(struct bytes *out, const struct saga_view *view,
		      const struct undo_plan *plan)
{
	json_begin(out);
	head_members(out, view);
	json_add_text(out, "operation", slice_of(event_text(plan->operation)));
	json_add_optional(out, "refused", slice_of(plan->refusal));
	json_add_bool(out, "turning", plan->turning);
	json_add_bool(out, "parks", plan->parks);
	json_add_name(out, "plan");
	json_begin_list(out);
	for (uint32_t n = 0; n < plan->n; n++)
		planned_json(out, view, &plan->list[n]);
	json_end_list(out);
	json_add_name(out, "left");
	json_begin_list(out);
	for (uint32_t n = 0; n < plan->n_left; n++)
		left_json(out, view, &plan->left[n]);
	json_end_list(out);
}

void route_undo_plan(struct request *request)
{
	struct slice reason = request_query(request, "reason");
	struct undo_plan plan;
	struct saga_view view;
	enum err err;

	if (!find_explicable(request, &view))
		return;
	err = undo_plan(view.definition, &evaluator_values, &view.saga, reason,
			clock_now_ms(request->gateway->parts.clock), &request->arena, &plan);
	if (err) {
		request_fail_err(request, err);
		return;
	}
	plan_json(&request->out, &view, &plan);
	finish(request);
}
