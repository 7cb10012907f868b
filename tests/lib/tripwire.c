#include "tests/lib/tripwire.h"

bool tripwire_pull(struct tripwire *wire)
{
	bool now = !wire->fired && wire->calls_left == 0;

	if (wire->calls_left > 0)
		wire->calls_left--;
	wire->fired |= now;
	return wire->effect == TRIPWIRE_DIES ? wire->fired : now;
}

/* Whether this call is made and its answer lost. To be asked before tripwire_pull(). */
static bool unanswered(struct tripwire *wire)
{
	return wire->effect == TRIPWIRE_NO_ANSWER && !wire->fired && wire->calls_left == 0;
}

/* --- store ----------------------------------------------------------------------- */

/* Some of its shards may be somebody else's. Those that it took, and was not told that it
 * did, are not among them. */
static void know_less(struct store_tripwire *wrapper)
{
	const struct shards *real = &wrapper->real->shards;
	struct shards *known = &wrapper->base.shards;

	if (real->n != known->n)
		*known = (struct shards){.n = real->n};
	for (uint32_t i = shards_next(known, 0); i < known->n; i = shards_next(known, i + 1))
		if (!shards_has(real, i))
			shards_remove(known, i);
	wrapper->base.stirred |= wrapper->real->stirred;
}

static enum err tripwire_commit(struct store *base, const struct store_batch *batch,
				struct saga_write *writes, size_t n,
				const struct audit_entry *audit, size_t n_audit)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;
	bool lost = unanswered(wrapper->wire);
	enum err err;

	if (tripwire_pull(wrapper->wire) && !lost)
		return ERR_UNAVAILABLE;
	err = store_commit(wrapper->real, batch, writes, n, audit, n_audit);
	know_less(wrapper);
	return lost && !err ? ERR_UNAVAILABLE : err;
}

static enum err tripwire_get(struct store *base, struct slice id, struct arena *arena,
			     struct saga_row *row, struct slice *record)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_get(wrapper->real, id, arena, row, record);
}

static enum err tripwire_find(struct store *base, struct slice saga, struct slice key,
			      struct arena *arena, struct slice *id)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_find(wrapper->real, saga, key, arena, id);
}

static enum err tripwire_load(struct store *base, const struct shards *which,
			      struct store_batch *newest,
			      enum err (*visit)(void *context, const struct loaded_saga *saga),
			      void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_load(wrapper->real, which, newest, visit, context);
}

static enum err tripwire_list(struct store *base, const struct saga_filter *filter,
			      struct slice after, size_t limit,
			      enum err (*visit)(void *context, const struct saga_row *row),
			      void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_list(wrapper->real, filter, after, limit, visit, context);
}

static enum err tripwire_counts(struct store *base, struct store_counts *out)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_counts(wrapper->real, out);
}

static enum err tripwire_audit(struct store *base, struct slice saga_id, size_t limit,
			       enum err (*visit)(void *context,
						 const struct audit_entry *entry),
			       void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_audit(wrapper->real, saga_id, limit, visit, context);
}

static enum err tripwire_put_definition(struct store *base,
					const struct stored_definition *definition)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_put_definition(wrapper->real, definition);
}

static enum err tripwire_definitions(
	struct store *base,
	enum err (*visit)(void *context, const struct stored_definition *definition),
	void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_definitions(wrapper->real, visit, context);
}

static enum err tripwire_put_dead(struct store *base, const struct dead_letter *letters,
				  size_t n, size_t *n_dropped)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_put_dead(wrapper->real, letters, n, n_dropped);
}

static enum err tripwire_list_dead(struct store *base, struct slice after, size_t limit,
				   enum err (*visit)(void *context,
						     const struct dead_letter *letter),
				   void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_list_dead(wrapper->real, after, limit, visit, context);
}

static enum err tripwire_get_dead(struct store *base, struct slice id, struct arena *arena,
				  struct dead_letter *out)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_get_dead(wrapper->real, id, arena, out);
}

static enum err tripwire_remove_dead(struct store *base, struct slice id)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_remove_dead(wrapper->real, id);
}

static enum err tripwire_prune(struct store *base, int64_t ended_before_ms, size_t limit,
			       size_t *n)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : store_prune(wrapper->real, ended_before_ms, limit, n);
}

static enum err tripwire_removed(struct store *base, int64_t *ended_ms)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_removed(wrapper->real, ended_ms);
}

static enum err tripwire_backup(struct store *base, const char *path, struct diag *diag)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_backup(wrapper->real, path, diag);
}

static enum err tripwire_own(struct store *base, const struct shards *wanted, int64_t now_ms)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;
	bool lost = unanswered(wrapper->wire);
	enum err err;

	if (tripwire_pull(wrapper->wire) && !lost)
		return ERR_UNAVAILABLE;
	err = store_own(wrapper->real, wanted, now_ms);
	if (err || lost) {
		know_less(wrapper);
		return err ? err : ERR_UNAVAILABLE;
	}
	base->shards = wrapper->real->shards;
	base->stirred |= wrapper->real->stirred;
	return OK;
}

static enum err tripwire_check(struct store *base)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;
	enum err err;

	if (tripwire_pull(wrapper->wire))
		return ERR_UNAVAILABLE;
	err = store_check(wrapper->real);
	know_less(wrapper);
	return err;
}

static enum err tripwire_look(struct store *base,
			      enum err (*visit)(void *context, const struct loaded_saga *saga),
			      void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_look(wrapper->real, visit, context);
}

static enum err tripwire_told(struct store *base)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE : store_told(wrapper->real);
}

static enum err tripwire_definition_changes(struct store *base, uint64_t *n)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_definition_changes(wrapper->real, n);
}

static enum err tripwire_owners(struct store *base,
				enum err (*visit)(void *context,
						  const struct shard_owner *owner),
				void *context)
{
	struct store_tripwire *wrapper = (struct store_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : store_owners(wrapper->real, visit, context);
}

static void tripwire_close_store(struct store *base)
{
}

struct store *store_tripwire_init(struct store_tripwire *wrapper, struct store *real,
				  struct tripwire *wire)
{
	static const struct store_ops ops = {
		.commit = tripwire_commit,
		.get = tripwire_get,
		.find = tripwire_find,
		.load = tripwire_load,
		.list = tripwire_list,
		.counts = tripwire_counts,
		.audit = tripwire_audit,
		.put_definition = tripwire_put_definition,
		.definitions = tripwire_definitions,
		.put_dead = tripwire_put_dead,
		.list_dead = tripwire_list_dead,
		.get_dead = tripwire_get_dead,
		.remove_dead = tripwire_remove_dead,
		.prune = tripwire_prune,
		.removed = tripwire_removed,
		.backup = tripwire_backup,
		.own = tripwire_own,
		.check = tripwire_check,
		.look = tripwire_look,
		.told = tripwire_told,
		.definition_changes = tripwire_definition_changes,
		.owners = tripwire_owners,
		.close = tripwire_close_store,
	};

	*wrapper = (struct store_tripwire){{.ops = &ops, .shards = real->shards}, real, wire};
	return &wrapper->base;
}

/* --- bus ---------------------------------------------------------------------------- */

static enum err tripwire_send(struct bus *base, const struct command_message *command)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	bool lost = unanswered(wrapper->wire);
	enum err err;

	if (tripwire_pull(wrapper->wire) && !lost)
		return ERR_UNAVAILABLE;
	err = bus_send(wrapper->real, command);
	return lost ? ERR_UNAVAILABLE : err;
}

static bool tripwire_poll(struct bus *base, struct inbox_message *out)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	return !tripwire_pull(wrapper->wire) && bus_poll(wrapper->real, out);
}

static void tripwire_acknowledge(struct bus *base)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	if (!tripwire_pull(wrapper->wire))
		bus_acknowledge(wrapper->real);
}

static void tripwire_answer(struct bus *base, uint64_t origin,
			    const struct result_message *result)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	if (!tripwire_pull(wrapper->wire))
		bus_answer(wrapper->real, origin, result);
}

static void tripwire_ended(struct bus *base, uint64_t origin, struct slice saga_id,
			   struct slice status)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	if (!tripwire_pull(wrapper->wire))
		bus_ended(wrapper->real, origin, saga_id, status);
}

static void tripwire_pump(struct bus *base)
{
	struct bus_tripwire *wrapper = (struct bus_tripwire *)base;

	if (!tripwire_pull(wrapper->wire))
		bus_pump(wrapper->real);
}

static int tripwire_fd(struct bus *base)
{
	return bus_fd(((struct bus_tripwire *)base)->real);
}

static void tripwire_participants(struct bus *base,
				  void (*visit)(void *context,
						const struct bus_participant *participant),
				  void *context)
{
	bus_participants(((struct bus_tripwire *)base)->real, visit, context);
}

static void tripwire_close_bus(struct bus *base)
{
}

struct bus *bus_tripwire_init(struct bus_tripwire *wrapper, struct bus *real,
			      struct tripwire *wire)
{
	static const struct bus_ops ops = {
		.send = tripwire_send,
		.poll = tripwire_poll,
		.answer = tripwire_answer,
		.ended = tripwire_ended,
		.acknowledge = tripwire_acknowledge,
		.pump = tripwire_pump,
		.fd = tripwire_fd,
		.participants = tripwire_participants,
		.close = tripwire_close_bus,
	};

	*wrapper = (struct bus_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}

/* --- port ------------------------------------------------------------------------------ */

static bool tripwire_poll_command(struct port *base, struct command_message *out)
{
	struct port_tripwire *wrapper = (struct port_tripwire *)base;

	return !tripwire_pull(wrapper->wire) && port_poll(wrapper->real, out);
}

/* It does not fail alone: a port that takes no reply has to give the command again, and
 * this one would know nothing of it. */
static enum err tripwire_reply(struct port *base, const struct reply_message *reply)
{
	struct port_tripwire *wrapper = (struct port_tripwire *)base;
	bool lost = unanswered(wrapper->wire);
	enum err err;

	if (wrapper->wire->effect != TRIPWIRE_FAILS && tripwire_pull(wrapper->wire) && !lost)
		return ERR_UNAVAILABLE;
	err = port_reply(wrapper->real, reply);
	return lost ? ERR_UNAVAILABLE : err;
}

static void tripwire_pump_port(struct port *base, int timeout_ms)
{
	struct port_tripwire *wrapper = (struct port_tripwire *)base;

	if (!tripwire_pull(wrapper->wire))
		port_pump(wrapper->real, timeout_ms);
}

static void tripwire_close_port(struct port *base)
{
}

struct port *port_tripwire_init(struct port_tripwire *wrapper, struct port *real,
				struct tripwire *wire)
{
	static const struct port_ops ops = {
		.poll = tripwire_poll_command,
		.reply = tripwire_reply,
		.pump = tripwire_pump_port,
		.close = tripwire_close_port,
	};

	*wrapper = (struct port_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}

/* --- barrier ---------------------------------------------------------------------------- */

static enum err tripwire_begin(struct barrier *base)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : wrapper->real->ops->begin(wrapper->real);
}

static enum err tripwire_commit_barrier(struct barrier *base)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;
	struct barrier *real = wrapper->real;
	bool lost = unanswered(wrapper->wire);
	enum err err;

	if (tripwire_pull(wrapper->wire) && !lost) {
		if (wrapper->wire->effect != TRIPWIRE_DIES)
			real->ops->rollback(real);
		return ERR_UNAVAILABLE;
	}
	err = real->ops->commit(real);
	return lost ? ERR_UNAVAILABLE : err;
}

/* Not counted: nothing depends on whether it is done. */
static void tripwire_rollback(struct barrier *base)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	if (!wrapper->wire->fired || wrapper->wire->effect != TRIPWIRE_DIES)
		wrapper->real->ops->rollback(wrapper->real);
}

static enum err tripwire_mark(struct barrier *base)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : wrapper->real->ops->mark(wrapper->real);
}

static enum err tripwire_back(struct barrier *base)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire) ? ERR_UNAVAILABLE
					    : wrapper->real->ops->back(wrapper->real);
}

static enum err tripwire_find_record(struct barrier *base, struct slice id, struct arena *arena,
				     struct barrier_record *out)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : wrapper->real->ops->find(wrapper->real, id, arena, out);
}

static enum err tripwire_keep(struct barrier *base, struct slice id,
			      const struct barrier_record *record)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : wrapper->real->ops->keep(wrapper->real, id, record);
}

static enum err tripwire_prune_records(struct barrier *base, int64_t before_ms, size_t limit)
{
	struct barrier_tripwire *wrapper = (struct barrier_tripwire *)base;

	return tripwire_pull(wrapper->wire)
		       ? ERR_UNAVAILABLE
		       : wrapper->real->ops->prune(wrapper->real, before_ms, limit);
}

static void tripwire_close_barrier(struct barrier *base)
{
}

struct barrier *barrier_tripwire_init(struct barrier_tripwire *wrapper, struct barrier *real,
				      struct tripwire *wire)
{
	static const struct barrier_ops ops = {
		.begin = tripwire_begin,
		.commit = tripwire_commit_barrier,
		.rollback = tripwire_rollback,
		.mark = tripwire_mark,
		.back = tripwire_back,
		.find = tripwire_find_record,
		.keep = tripwire_keep,
		.prune = tripwire_prune_records,
		.close = tripwire_close_barrier,
	};

	*wrapper = (struct barrier_tripwire){{&ops}, real, wire};
	return &wrapper->base;
}
