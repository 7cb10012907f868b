#include "orchestrator/gateway/routes.h"

static const char *const no_query[] = {NULL};
static const char *const list_query[] = {"saga",  "status", "key",    "step", "since",
					 "older", "limit",  "cursor", NULL};
static const char *const undo_plan_query[] = {"reason", NULL};
static const char *const reconcile_query[] = {"saga", "since", NULL};
static const char *const dead_query[] = {"limit", "cursor", NULL};
static const char *const watch_query[] = {"saga", "status", NULL};

enum { NOTHING = 0, BODY = GATEWAY_BODY_MAX, DEFINITION = DEFINITION_TEXT_MAX };

#define OPERATION(name, type)                                                       \
	{                                                                           \
		"POST", "/v1/sagas/{id}/" name, route_operate, BODY, no_query, type \
	}

const struct route routes[] = {
	{"POST", "/v1/sagas", route_start, BODY, no_query, 0},
	{"POST", "/v1/sagas:batch", route_batch, GATEWAY_BATCH_MAX, no_query, 0},
	{"GET", "/v1/sagas", route_list, NOTHING, list_query, 0},
	{"GET", "/v1/sagas/{id}", route_show, NOTHING, no_query, 0},
	{"GET", "/v1/sagas/{id}/explain", route_explain, NOTHING, no_query, 0},
	{"GET", "/v1/sagas/{id}/undo-plan", route_undo_plan, NOTHING, undo_plan_query, 0},
	{"GET", "/v1/sagas/{id}/events", route_watch, NOTHING, no_query, 0},
	{"GET", "/v1/events", route_watch_all, NOTHING, watch_query, 0},
	{"POST", "/v1/sagas/{id}/signals/{event}", route_signal, BODY, no_query, 0},
	OPERATION("cancel", EVENT_CANCEL),
	OPERATION("undo", EVENT_UNDO),
	OPERATION("pause", EVENT_PAUSE),
	OPERATION("resume", EVENT_RESUME),
	OPERATION("retry", EVENT_RETRY),
	OPERATION("skip", EVENT_SKIP),
	OPERATION("kill", EVENT_KILL),
	{"GET", "/v1/definitions", route_definitions, NOTHING, no_query, 0},
	{"POST", "/v1/definitions", route_deploy, DEFINITION, no_query, 0},
	{"GET", "/v1/definitions/{hash}", route_definition, NOTHING, no_query, 0},
	{"GET", "/v1/reconcile", route_reconcile, NOTHING, reconcile_query, 0},
	{"GET", "/v1/dead", route_dead_list, NOTHING, dead_query, 0},
	{"GET", "/v1/dead/{id}", route_dead_show, NOTHING, no_query, 0},
	{"POST", "/v1/dead/{id}/replay", route_dead_replay, NOTHING, no_query, 0},
	{"DELETE", "/v1/dead/{id}", route_dead_drop, NOTHING, no_query, 0},
	{"GET", "/v1/stats", route_stats, NOTHING, no_query, 0},
	{"GET", "/healthz", route_health, NOTHING, no_query, 0},
	{"GET", "/readyz", route_ready, NOTHING, no_query, 0},
	{"GET", "/metrics", route_metrics, NOTHING, no_query, 0},
	{"GET", "/openapi.json", route_openapi, NOTHING, no_query, 0},
};

const size_t n_routes = sizeof routes / sizeof *routes;

/* Take the part up to the next slash. */
static struct slice next_part(struct slice *rest)
{
	const char *slash = rest->len ? memchr(rest->at, '/', rest->len) : NULL;
	struct slice part = {rest->at, slash ? (size_t)(slash - rest->at) : rest->len};

	rest->at += part.len + (slash != NULL);
	rest->len -= part.len + (slash != NULL);
	return part;
}

static bool matches(const char *pattern, struct slice path,
		    struct slice parameters[PARAMETERS_MAX])
{
	struct slice rest = slice_of(pattern);
	size_t n = 0;

	while (rest.len && path.len) {
		struct slice wanted = next_part(&rest), part = next_part(&path);

		if (wanted.len && wanted.at[0] == '{') {
			if (!part.len)
				return false;
			parameters[n++] = part;
		} else if (!slice_equal(wanted, part)) {
			return false;
		}
	}
	return !rest.len && !path.len;
}

/* A path without the slash at its end, which says nothing. */
static struct slice trimmed(struct slice path)
{
	if (path.len > 1 && path.at[path.len - 1] == '/')
		path.len--;
	return path;
}

const struct route *route_find(const char *method, struct slice path, struct arena *arena,
			       struct slice parameters[PARAMETERS_MAX], const char **allow)
{
	const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
	struct bytes methods = BYTES(64, arena);

	path = trimmed(path);
	for (size_t i = 0; i < n_routes; i++) {
		if (!matches(routes[i].path, path, parameters))
			continue;
		if (strcmp(routes[i].method, wanted) == 0)
			return &routes[i];
		bytes_text(&methods, methods.len ? ", " : "");
		bytes_text(&methods, routes[i].method);
	}
	bytes_add(&methods, '\0');
	*allow = methods.len > 1 && !methods.err ? methods.at : NULL;
	return NULL;
}
