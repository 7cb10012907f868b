#include "bus/share.h"

#include <assert.h>
#include <stdlib.h>

/* Workers that are compared before a command is given to the least busy one. */
enum { COMPARED = 8 };

/* A command, from when it was added until it was answered or replaced. */
struct task {
	struct table_node by_step; /* first */
	struct task *next, *previous;
	struct flow *flow;
	struct worker *worker; /* who has it; NULL: it is held */
	uint64_t number;       /* in the order of arrival */
	uint64_t heard;        /* the worker's, when it got it */
	uint32_t attempt;
	struct slice id;
	struct slice frame;
	char texts[];
};

/* The commands of one saga for one participant. */
struct flow {
	struct table_node by_saga; /* first */
	struct flow *next, *previous;
	struct flow_list *queue; /* where it waits; NULL: nothing of it is held */
	struct crew *crew;
	struct worker *worker; /* who has some of them; NULL: nobody */
	uint32_t n_given;
	struct task_list held;
	struct slice saga_id;
	char texts[];
};

struct crew {
	struct table_node by_name; /* first */
	struct slice name;
	struct worker *workers; /* a ring; whom to ask next */
	uint32_t n_workers;
	uint32_t n_absent;
	uint32_t n_given;
	uint32_t n_held;
	size_t bytes;
	bool addressed;           /* a command came for it: it is known for good */
	struct flow_list waiting; /* sagas that any worker may take */
	char texts[];
};

struct share {
	struct share_setup setup;
	struct table tasks;
	struct table flows;
	struct table crews;
	uint64_t number;
};

/* --- lists ------------------------------------------------------------------------- */

static void task_append(struct task_list *list, struct task *task)
{
	task->next = NULL;
	task->previous = list->last;
	*(list->last ? &list->last->next : &list->first) = task;
	list->last = task;
}

static void task_prepend(struct task_list *list, struct task *task)
{
	task->previous = NULL;
	task->next = list->first;
	*(list->first ? &list->first->previous : &list->last) = task;
	list->first = task;
}

static void task_unlink(struct task_list *list, struct task *task)
{
	*(task->previous ? &task->previous->next : &list->first) = task->next;
	*(task->next ? &task->next->previous : &list->last) = task->previous;
}

static void leave_queue(struct flow *flow)
{
	if (!flow->queue)
		return;
	*(flow->previous ? &flow->previous->next : &flow->queue->first) = flow->next;
	*(flow->next ? &flow->next->previous : &flow->queue->last) = flow->previous;
	flow->queue = NULL;
}

static void queue_last(struct flow *flow, struct flow_list *queue)
{
	leave_queue(flow);
	flow->queue = queue;
	flow->next = NULL;
	flow->previous = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = flow;
	queue->last = flow;
}

static void queue_first(struct flow *flow, struct flow_list *queue)
{
	leave_queue(flow);
	flow->queue = queue;
	flow->previous = NULL;
	flow->next = queue->first;
	*(queue->first ? &queue->first->previous : &queue->last) = flow;
	queue->first = flow;
}

/* --- finding and making ------------------------------------------------------------ */

/* SAGA/STEP#ELEMENT of SAGA/STEP#ELEMENT/ROUND/VERB; an id of another form is a
 * step of its own. */
static struct slice step_of(struct slice id)
{
	size_t len = id.len, parts = 0;

	while (len && parts < 2)
		parts += id.at[--len] == '/';
	return parts == 2 && len ? (struct slice){id.at, len} : id;
}

static struct task *find_task(const struct share *share, struct slice id)
{
	struct slice step = step_of(id);
	struct table_node *node = table_first(&share->tasks, table_hash(step));

	while (node && !slice_equal(step_of(((struct task *)node)->id), step))
		node = table_next(node);
	return (struct task *)node;
}

static struct flow *find_flow(const struct share *share, const struct crew *crew,
			      struct slice saga_id)
{
	struct table_node *node = table_first(&share->flows, table_hash(saga_id));

	while (node && (((struct flow *)node)->crew != crew ||
			!slice_equal(((struct flow *)node)->saga_id, saga_id)))
		node = table_next(node);
	return (struct flow *)node;
}

static struct crew *find_crew(const struct share *share, struct slice name)
{
	struct table_node *node = table_first(&share->crews, table_hash(name));

	while (node && !slice_equal(((struct crew *)node)->name, name))
		node = table_next(node);
	return (struct crew *)node;
}

static struct slice put(char **at, struct slice text)
{
	struct slice copy = {*at, text.len};

	if (text.len)
		memcpy(*at, text.at, text.len);
	*at += text.len;
	return copy;
}

static enum err get_crew(struct share *share, struct slice name, struct crew **out)
{
	struct crew *crew = find_crew(share, name);
	char *at;

	if (!crew) {
		if (share->crews.n == share->setup.crews_max)
			return ERR_BUSY;
		crew = calloc(1, sizeof *crew + name.len);
		if (!crew)
			return ERR_NOMEM;
		at = crew->texts;
		crew->name = put(&at, name);
		table_add(&share->crews, &crew->by_name, table_hash(name));
	}
	*out = crew;
	return OK;
}

static void drop_crew_if_done(struct share *share, struct crew *crew)
{
	if (crew->addressed || crew->n_workers || crew->n_held)
		return;
	table_remove(&share->crews, &crew->by_name);
	free(crew);
}

static struct flow *get_flow(struct share *share, struct crew *crew, struct slice saga_id)
{
	struct flow *flow = find_flow(share, crew, saga_id);
	char *at;

	if (flow)
		return flow;
	flow = calloc(1, sizeof *flow + saga_id.len);
	if (!flow)
		return NULL;
	at = flow->texts;
	flow->crew = crew;
	flow->saga_id = put(&at, saga_id);
	table_add(&share->flows, &flow->by_saga, table_hash(saga_id));
	return flow;
}

static void drop_flow_if_done(struct share *share, struct flow *flow)
{
	if (flow->n_given || flow->held.first)
		return;
	leave_queue(flow);
	table_remove(&share->flows, &flow->by_saga);
	free(flow);
}

static struct task *make_task(const struct command_message *command, struct slice frame)
{
	struct task *task = malloc(sizeof *task + command->id.len + frame.len);
	char *at;

	if (!task)
		return NULL;
	*task = (struct task){.attempt = command->attempt};
	at = task->texts;
	task->id = put(&at, command->id);
	task->frame = put(&at, frame);
	return task;
}

static size_t task_size(const struct task *task)
{
	return sizeof *task + task->id.len + task->frame.len;
}

/* --- giving ------------------------------------------------------------------------ */

static bool has_room(const struct worker *worker)
{
	const struct crew *crew = worker->crew;

	return worker->n_given < worker->window && !worker->full &&
	       (!worker->absent || crew->n_absent == crew->n_workers);
}

/* The least busy of the next few that have room; NULL: nobody has. */
static struct worker *pick(struct crew *crew)
{
	struct worker *worker = crew->workers, *best = NULL;
	uint32_t asked;

	for (asked = 0; asked < crew->n_workers && !(best && asked >= COMPARED); asked++) {
		if (has_room(worker) && (!best || worker->n_given < best->n_given))
			best = worker;
		worker = worker->next;
	}
	if (best)
		crew->workers = best->next;
	return best;
}

static void give(struct share *share, struct worker *worker, struct task *task)
{
	task->worker = worker;
	task->heard = worker->heard;
	task->flow->worker = worker;
	task->flow->n_given++;
	worker->n_given++;
	worker->crew->n_given++;
	task_append(&worker->given, task);
	worker->full = !share->setup.give(share->setup.context, worker, task->frame);
}

static bool comes_first(const struct flow *a, const struct flow *b)
{
	return a && (!b || a->held.first->number < b->held.first->number);
}

/* The oldest that the worker may take; false: it has no room, or nothing waits. */
static bool give_next(struct share *share, struct worker *worker)
{
	struct crew *crew = worker->crew;
	struct flow *flow = worker->waiting.first;
	struct task *task;

	if (comes_first(crew->waiting.first, flow))
		flow = crew->waiting.first;
	if (!flow || !has_room(worker))
		return false;
	task = flow->held.first;
	task_unlink(&flow->held, task);
	crew->n_held--;
	if (flow->held.first)
		queue_last(flow, &worker->waiting);
	else
		leave_queue(flow);
	give(share, worker, task);
	return true;
}

static void serve_worker(struct share *share, struct worker *worker)
{
	while (give_next(share, worker))
		;
}

/* Afterwards nothing waits for anybody, or nobody has room. */
static void serve_crew(struct share *share, struct crew *crew)
{
	struct worker *worker;
	bool any = false;

	while (crew->waiting.first && (worker = pick(crew)))
		any |= give_next(share, worker);
	/* Who got the first of a saga may have room for more of it. */
	for (uint32_t n = 0; any && n < crew->n_workers; n++) {
		serve_worker(share, crew->workers);
		crew->workers = crew->workers->next;
	}
}

static void hold(struct task *task)
{
	struct flow *flow = task->flow;

	task_append(&flow->held, task);
	flow->crew->n_held++;
	if (!flow->queue)
		queue_last(flow, flow->worker ? &flow->worker->waiting : &flow->crew->waiting);
}

/* --- taking away ------------------------------------------------------------------- */

/* What is held of a saga that nobody has any more is for everybody. */
static void release_flow(struct flow *flow)
{
	if (flow->n_given)
		return;
	flow->worker = NULL;
	if (flow->held.first)
		queue_first(flow, &flow->crew->waiting);
}

/* Take a task away from whoever has it; it hangs nowhere then. */
static void detach(struct task *task)
{
	struct flow *flow = task->flow;
	struct worker *worker = task->worker;

	if (worker) {
		task_unlink(&worker->given, task);
		worker->n_given--;
		flow->crew->n_given--;
		flow->n_given--;
		task->worker = NULL;
		release_flow(flow);
		return;
	}
	task_unlink(&flow->held, task);
	flow->crew->n_held--;
	if (!flow->held.first)
		leave_queue(flow);
}

static void forget(struct share *share, struct task *task)
{
	task->flow->crew->bytes -= task_size(task);
	table_remove(&share->tasks, &task->by_step);
	free(task);
}

/* All that the worker has not answered is held again, in front of what came
 * later. */
static void take_back(struct worker *worker)
{
	while (worker->given.last) {
		struct task *task = worker->given.last;
		struct flow *flow = task->flow;

		detach(task);
		task_prepend(&flow->held, task);
		flow->crew->n_held++;
		queue_first(flow, &flow->crew->waiting);
	}
}

/* --- what happens ------------------------------------------------------------------ */

/* The worker has not even got to the older command: let its colleagues do its
 * work, until it says something. */
static void suspect(struct worker *worker)
{
	struct crew *crew = worker->crew;

	if (crew->n_absent + !worker->absent == crew->n_workers)
		return; /* there is nobody else */
	crew->n_absent += !worker->absent;
	worker->absent = true;
	take_back(worker);
}

/* The new command takes the older one's place; returns who had that. */
static struct worker *replace(struct share *share, struct task *old)
{
	struct flow *flow = old->flow;
	struct crew *crew = flow->crew;
	struct worker *worker;

	if (old->worker && old->worker->heard == old->heard)
		suspect(old->worker);
	worker = old->worker;
	detach(old);
	forget(share, old);
	drop_flow_if_done(share, flow);
	if (crew->waiting.first)
		serve_crew(share, crew);
	return worker;
}

/* Whether the new command may go out at once, and to whom. */
static struct worker *choose(const struct flow *flow, struct worker *before)
{
	struct worker *worker = flow->worker;

	if (flow->held.first)
		return NULL;
	if (!worker && before && before->crew == flow->crew && has_room(before))
		worker = before;
	if (worker)
		return has_room(worker) ? worker : NULL;
	return flow->crew->waiting.first ? NULL : pick(flow->crew);
}

enum err share_add(struct share *share, const struct command_message *command,
		   struct slice frame)
{
	struct task *old = find_task(share, command->id), *task;
	struct worker *before = NULL, *worker;
	struct crew *crew;
	struct flow *flow;
	enum err err = get_crew(share, command->participant, &crew);

	if (err)
		return err;
	crew->addressed = true;
	if (!old &&
	    (crew->n_held >= share->setup.held_max || crew->bytes >= share->setup.bytes_max))
		return ERR_BUSY;
	task = make_task(command, frame);
	if (!task)
		return ERR_NOMEM;
	if (old)
		before = replace(share, old);
	flow = get_flow(share, crew, command->saga_id);
	if (!flow) {
		free(task);
		return ERR_NOMEM;
	}
	task->flow = flow;
	task->number = share->number++;
	crew->bytes += task_size(task);
	table_add(&share->tasks, &task->by_step, table_hash(step_of(task->id)));
	worker = choose(flow, before);
	if (worker)
		give(share, worker, task);
	else
		hold(task);
	if (before && before != worker)
		serve_worker(share, before);
	return OK;
}

enum err share_join(struct share *share, struct worker *worker, struct slice participant,
		    uint32_t window)
{
	struct crew *crew;
	enum err err = get_crew(share, participant, &crew);

	assert(!worker->crew && window);
	if (err)
		return err;
	worker->crew = crew;
	worker->window = window;
	worker->full = false;
	if (crew->workers) {
		worker->next = crew->workers;
		worker->previous = crew->workers->previous;
		worker->next->previous = worker;
		worker->previous->next = worker;
	} else {
		worker->next = worker->previous = worker;
	}
	crew->workers = worker;
	crew->n_workers++;
	serve_crew(share, crew);
	return OK;
}

void share_leave(struct share *share, struct worker *worker)
{
	struct crew *crew = worker->crew;

	if (!crew)
		return;
	take_back(worker);
	assert(!worker->waiting.first && !worker->n_given);
	crew->n_workers--;
	crew->n_absent -= worker->absent;
	worker->next->previous = worker->previous;
	worker->previous->next = worker->next;
	if (crew->workers == worker)
		crew->workers = crew->n_workers ? worker->next : NULL;
	worker->crew = NULL;
	worker->absent = false;
	serve_crew(share, crew);
	drop_crew_if_done(share, crew);
}

void share_heard(struct share *share, struct worker *worker)
{
	worker->heard++;
	if (!worker->absent)
		return;
	worker->absent = false;
	worker->crew->n_absent--;
	serve_worker(share, worker);
}

void share_answered(struct share *share, struct worker *worker, struct slice id,
		    uint32_t attempt)
{
	struct task *task = find_task(share, id);
	struct crew *crew;
	struct flow *flow;

	if (!task || !slice_equal(task->id, id) || attempt < task->attempt ||
	    (task->worker && task->worker != worker))
		return;
	flow = task->flow;
	crew = flow->crew;
	detach(task);
	forget(share, task);
	drop_flow_if_done(share, flow);
	serve_worker(share, worker);
	serve_crew(share, crew);
}

void share_ready(struct share *share, struct worker *worker)
{
	worker->full = false;
	serve_worker(share, worker);
}

/* --- all of it --------------------------------------------------------------------- */

struct visiting {
	void (*visit)(void *context, const struct bus_participant *participant);
	void *context;
};

static void visit_crew(void *context, struct table_node *node)
{
	const struct visiting *visiting = context;
	const struct crew *crew = (const struct crew *)node;
	struct bus_participant participant = {.name = crew->name,
					      .processes = crew->n_workers,
					      .inflight = crew->n_given,
					      .held = crew->n_held};

	visiting->visit(visiting->context, &participant);
}

void share_visit(const struct share *share,
		 void (*visit)(void *context, const struct bus_participant *participant),
		 void *context)
{
	struct visiting visiting = {visit, context};

	table_visit(&share->crews, visit_crew, &visiting);
}

struct share *share_new(const struct share_setup *setup)
{
	struct share *share = calloc(1, sizeof *share);

	if (!share)
		return NULL;
	share->setup = *setup;
	if (!table_init(&share->tasks) || !table_init(&share->flows) ||
	    !table_init(&share->crews)) {
		share_free(share);
		return NULL;
	}
	return share;
}

static void free_node(void *context, struct table_node *node)
{
	free(node);
}

void share_free(struct share *share)
{
	if (!share)
		return;
	table_visit(&share->tasks, free_node, NULL);
	table_visit(&share->flows, free_node, NULL);
	table_visit(&share->crews, free_node, NULL);
	table_release(&share->tasks);
	table_release(&share->flows);
	table_release(&share->crews);
	free(share);
}
