/* routes.h - which request goes where; private to the gateway.
 *
 * docs/openapi.json describes the same; tests/unit/test_gateway.c compares them.
 */
#ifndef SKALD_GATEWAY_ROUTES_H
#define SKALD_GATEWAY_ROUTES_H

#include "orchestrator/gateway/request.h"

struct route {
	const char *method;
	const char *path; /* a part in braces is a parameter */
	void (*handle)(struct request *request);
	size_t body_max;
	const char *const *query;  /* names that may stand behind the ?; NULL ends them */
	enum event_type operation; /* of route_operate */
};

extern const struct route routes[];
extern const size_t n_routes;

/* NULL: there is none; *allow is then NULL, too, or the methods that this path
 * has ("GET, POST"; in the arena). */
const struct route *route_find(const char *method, struct slice path, struct arena *arena,
			       struct slice parameters[PARAMETERS_MAX], const char **allow);

/* route_start.c */
void route_start(struct request *request);
void route_batch(struct request *request);

/* route_sagas.c */
void route_list(struct request *request);
void route_show(struct request *request);

/* route_explain.c */
void route_explain(struct request *request);
void route_undo_plan(struct request *request);

/* route_operate.c */
void route_signal(struct request *request);
void route_operate(struct request *request);

/* route_dead.c */
void route_dead_list(struct request *request);
void route_dead_show(struct request *request);
void route_dead_replay(struct request *request);
void route_dead_drop(struct request *request);

/* route_definitions.c */
void route_definitions(struct request *request);
void route_definition(struct request *request);
void route_deploy(struct request *request);

/* route_state.c */
void route_stats(struct request *request);
void route_health(struct request *request);
void route_ready(struct request *request);
void route_metrics(struct request *request);
void route_openapi(struct request *request);

/* route_reconcile.c */
void route_reconcile(struct request *request);

/* watch.c */
void route_watch(struct request *request);
void route_watch_all(struct request *request);

#endif
