/* route_operate.c - signals, and what operators do. */
#include "base/json_line.h"
#include "orchestrator/gateway/answers.h"
#include "orchestrator/gateway/forward.h"
#include "orchestrator/gateway/parts.h"
#include "orchestrator/gateway/routes.h"

static void on_done(void *context, const struct answer *answer)
{
	struct request *request = context;

	request->asked = false;
	if (forward_moved(request, answer))
		return;
	if (answer->err) {
		request_fail_answer(request, answer);
		return;
	}
	json_begin(&request->out);
	answer_members(&request->out, answer);
	json_end_line(&request->out);
	request_answer_json(request, MHD_HTTP_OK);
}

void route_signal(struct request *request)
{
	enum { PAYLOAD, ID, N };
	struct field fields[N] = {{.name = "payload", .json = true}, {.name = "id"}};
	struct signal_message signal;

	if (!request_fields(request, fields, N))
		return;
	request->freely = fields[ID].value.len != 0;
	if (forward_request(request, request->parameters[0]))
		return;
	signal = (struct signal_message){.saga_id = request->parameters[0],
					 .event = request->parameters[1],
					 .id = fields[ID].value,
					 .payload = fields[PAYLOAD].value,
					 .actor = request->actor};
	request->asked = true;
	request->gateway->submitted = true;
	engine_signal(request->gateway->parts.engine, &signal, on_done, request);
}

/* What does not belong to the operation has to be left out. */
static bool check_operation(struct request *request, const struct operation *operation)
{
	bool is_skip = operation->type == EVENT_SKIP, is_retry = operation->type == EVENT_RETRY;
	const char *wrong = NULL;

	if (operation->step.len && !is_skip && !is_retry)
		wrong = "takes no `step`; it is about the whole saga";
	else if (operation->output.len && !is_skip)
		wrong = "takes no `output`; only a skip gives the step one";
	else if (is_skip && !operation->step.len)
		wrong = "needs the `step` that is to be skipped";
	else if (operation->type == EVENT_KILL && !operation->reason.len)
		wrong = "needs a `reason`: nothing is undone, and somebody will ask why";
	if (!wrong)
		return true;
	request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request", "%s %s",
		     event_text(operation->type), wrong);
	return false;
}

void route_operate(struct request *request)
{
	enum { STEP, OUTPUT, REASON, N };
	struct field fields[N] = {
		{.name = "step"}, {.name = "output", .json = true}, {.name = "reason"}};
	struct operation operation;

	if (!request_fields(request, fields, N))
		return;
	operation = (struct operation){.saga_id = request->parameters[0],
				       .type = request->route->operation,
				       .step = fields[STEP].value,
				       .output = fields[OUTPUT].value,
				       .actor = request->actor,
				       .reason = fields[REASON].value};
	if (!check_operation(request, &operation) ||
	    forward_request(request, operation.saga_id))
		return;
	request->asked = true;
	request->gateway->submitted = true;
	engine_operate(request->gateway->parts.engine, &operation, on_done, request);
}
