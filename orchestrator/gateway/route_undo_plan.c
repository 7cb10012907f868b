/* route_undo_plan.c - GET /v1/sagas/{id}/undo-plan: the plan of a saga, and within it the
 * plans of the child sagas that it would turn back. */
#include "base/json_line.h"
#include "orchestrator/explain/undo_plan.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

enum {
	CHILDREN_MAX = 1000, /* whose plans are in one answer; of others only the id is */
	DEPTH_MAX = 8,       /* children of children */
};

/* One saga of the answer. */
struct level {
	const struct gateway_parts *parts;
	struct arena *arena; /* as long as the plan of this saga */
	unsigned depth;
	unsigned *n_children; /* in the whole answer */
	struct undo_wish wish;
	struct saga_view view;
	struct undo_plan plan;
	bool parks; /* it, or a child saga of its */
};

static bool is_held(const void *context, uint32_t step)
{
	const struct level *level = context;
	struct engine_hold hold;

	return engine_hold(level->view.engine, level->view.saga.id, step, &hold);
}

static enum err plan_level(struct level *level)
{
	level->wish.is_held = is_held;
	level->wish.context = level;
	return undo_plan(level->view.definition, &evaluator_values, &level->view.saga,
			 &level->wish, level->arena, &level->plan);
}

static void level_members(struct bytes *out, struct level *level);

/* --- children --------------------------------------------------------------------- */

/* The child is there, and what it would do can be told. */
static bool open_child(const struct level *parent, struct slice id, struct level *child,
		       struct arena *arena)
{
	*child = (struct level){.parts = parent->parts,
				.arena = arena,
				.depth = parent->depth + 1,
				.n_children = parent->n_children,
				.wish = {.reason = SLICE_LITERAL("its parent turns back"),
					 .by_parent = true,
					 .at_ms = parent->wish.at_ms}};
	if (child->depth > DEPTH_MAX || *parent->n_children == CHILDREN_MAX)
		return false;
	++*parent->n_children;
	return !gateway_read_saga(parent->parts, id, arena, &child->view) &&
	       child->view.definition != NULL;
}

static void child_json(struct bytes *out, struct level *parent, struct slice id, bool is_undo)
{
	struct arena arena = {0};
	struct level child;
	enum err err = OK;

	json_begin(out);
	if (!open_child(parent, id, &child, &arena)) {
		json_add_text(out, "id", id);
		look_member(out, "look", id);
		json_end(out);
		arena_release(&arena);
		return;
	}
	saga_head_members(out, &child.view);
	/* One that is compensated is undone already, and says so. */
	if (child.view.saga.phase == PHASE_COMPENSATED)
		child.plan = (struct undo_plan){.operation = EVENT_UNDO};
	else
		err = plan_level(&child);
	level_members(out, &child);
	json_end(out);
	parent->parks |= child.parks || (is_undo && child.plan.refusal);
	out->err = out->err ? out->err : err;
	arena_release(&arena);
}

/* Null: the step starts none. */
static void child_member(struct bytes *out, struct level *level, const struct planned *planned)
{
	struct instance at =
		saga_instance(level->view.definition, &level->view.saga, planned->step);
	char id[SAGA_ID_MAX];

	if (level->view.definition->steps[at.step].form != FORM_SAGA) {
		json_add_null(out, "child");
		return;
	}
	json_add_name(out, "child");
	child_json(out, level,
		   child_id(level->view.definition, level->view.saga.id, at,
			    level->view.saga.steps[planned->step].do_round, id),
		   planned->kind == PLANNED_UNDO);
}

/* --- one saga --------------------------------------------------------------------- */

static void step_members(struct bytes *out, const struct level *level, uint32_t i)
{
	struct instance at = saga_instance(level->view.definition, &level->view.saga, i);
	char room[INSTANCE_NAME_MAX];

	json_add_text(out, "step",
		      saga_step_name(level->view.definition, &level->view.saga, i, room));
	if (level->view.definition->steps[at.step].each != NO_STEP)
		json_add_number(out, "element", at.element);
	else
		json_add_null(out, "element");
}

static void planned_json(struct bytes *out, struct level *level, const struct planned *planned)
{
	const struct step_definition *step =
		saga_step_definition(level->view.definition, &level->view.saga, planned->step);
	bool is_undo = planned->kind != PLANNED_ANSWER && planned->kind != PLANNED_REVOKE;
	const struct call *call = is_undo ? &step->undo : &step->call;

	json_begin(out);
	json_add_number(out, "wave", planned->wave);
	json_add_text(out, "what", slice_of(planned_text(planned->kind)));
	step_members(out, level, planned->step);
	json_add_optional(out, "participant", call->participant);
	json_add_optional(out, "command",
			  planned->kind == PLANNED_REVOKE ? (struct slice){0} : call->command);
	json_add_number(out, "round", planned->round);
	json_add_bool(out, "sent", planned->sent);
	json_add_json(out, "args", planned->args);
	json_add_bool(out, "args_open", planned->args_open);
	child_member(out, level, planned);
	json_end(out);
}

static void left_json(struct bytes *out, const struct level *level, const struct left *left)
{
	json_begin(out);
	step_members(out, level, left->step);
	json_add_text(out, "why", slice_of(left->why));
	json_end(out);
}

static void level_members(struct bytes *out, struct level *level)
{
	const struct undo_plan *plan = &level->plan;

	json_add_text(out, "operation", slice_of(event_text(plan->operation)));
	json_add_optional(out, "refused", slice_of(plan->refusal));
	json_add_bool(out, "turning", plan->turning);
	json_add_name(out, "plan");
	json_begin_list(out);
	for (uint32_t n = 0; n < plan->n && !out->err; n++)
		planned_json(out, level, &plan->list[n]);
	json_end_list(out);
	json_add_name(out, "left");
	json_begin_list(out);
	for (uint32_t n = 0; n < plan->n_left; n++)
		left_json(out, level, &plan->left[n]);
	json_end_list(out);
	level->parks |= plan->parks;
	json_add_bool(out, "parks", level->parks);
}

void route_undo_plan(struct request *request)
{
	unsigned n_children = 0;
	struct level level = {.parts = &request->gateway->parts,
			      .arena = &request->arena,
			      .n_children = &n_children,
			      .wish = {.reason = request_query(request, "reason"),
				       .at_ms = clock_now_ms(request->gateway->parts.clock)}};
	enum err err;

	if (!request_explicable(request, &level.view))
		return;
	err = plan_level(&level);
	if (err) {
		request_fail_err(request, err);
		return;
	}
	json_begin(&request->out);
	saga_head_members(&request->out, &level.view);
	level_members(&request->out, &level);
	incomplete_member(&request->out, &level.view);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}
