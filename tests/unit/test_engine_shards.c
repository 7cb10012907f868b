/* test_engine_shards.c - engines that share a store: shards that come and go while sagas
 * are under way, one that lost some and does not know it, children, definitions */
#include "orchestrator/core/timeline.h"
#include "orchestrator/engine/owners.h"
#include "orchestrator/store/record.h"
#include "tests/lib/desk.h"
#include "tests/lib/sites.h"
#include "tests/lib/suite.h"

#include <stdio.h>

/* --- whose ---------------------------------------------------------------------------- */

START_TEST(test_each_begins_what_is_its_own)
{
	struct slice url;

	sites_enter(NULL);
	ck_assert_int_eq(site_start(0, "waits", "x"), ERR_BUSY); /* nothing is ours yet */
	site_own(0, "01", SITE_SHARDS);
	site_own(1, "23", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	ck_assert_int_eq(site_start(0, "waits", sites_id(2, 1)), ERR_BUSY);
	ck_assert_int_eq(site_start(1, "waits", sites_id(2, 1)), OK);
	ck_assert_int_eq(site_cancel(0, sites_id(2, 1)), ERR_BUSY);
	ck_assert_int_eq(site_cancel(1, sites_id(2, 1)), OK);
	for (int n = 0; n < 20; n++) /* the ids are made so that they are */
		ck_assert_int_eq(site_start(n % 2, "waits", ""), OK);
	ck_assert_uint_eq(site_live(0), 11);
	ck_assert_int_eq(engine_read_owners(sites.all[0].engine), OK);
	ck_assert_int_eq(engine_owner(sites.all[0].engine, slice_of(sites_id(0, 1)), &url),
			 OWNER_OURS);
	ck_assert_int_eq(engine_owner(sites.all[0].engine, slice_of(sites_id(3, 1)), &url),
			 OWNER_OTHER);
	ck_assert(slice_is(url, "http://host:1"));
	sites_leave();
}
END_TEST

START_TEST(test_what_comes_is_loaded_and_what_goes_is_dropped)
{
	const char *id = sites_id(1, 1), *stays = sites_id(0, 1);
	char sent[64];

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", id), OK);
	ck_assert_int_eq(site_start(0, "waits", stays), OK);
	site_commands(0, NULL);
	site_own(0, "0", SITE_SHARDS);
	ck_assert_uint_eq(site_live(0), 1);
	site_own(1, "1", SITE_SHARDS);
	ck_assert_uint_eq(site_live(1), 1);
	snprintf(sent, sizeof sent, "%s/take#0/0/do#1 ", id);
	ck_assert_str_eq(site_commands(1, "{}"), sent);
	site_run(1);
	ck_assert_int_eq(site_cancel(1, id), OK);
	site_commands(1, "{}");
	site_run(1);
	ck_assert_int_eq(sites_status(id), STATUS_COMPENSATED);
	ck_assert_str_eq(site_commands(0, NULL), ""); /* what stays is not sent once more */
	sites_leave();
}
END_TEST

/* A batch that is not stored when its shard goes. */
START_TEST(test_what_is_under_way_is_finished_first)
{
	const char *id = sites_id(1, 1);
	const struct start_message message = {.saga = SLICE_LITERAL("waits"),
					      .id = slice_of(id),
					      .input = SLICE_LITERAL("{}")};

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	engine_start(sites.all[0].engine, &message, NULL, NULL);
	site_own(0, "0", SITE_SHARDS);
	ck_assert_uint_eq(site_live(0), 0);
	site_own(1, "1", SITE_SHARDS);
	ck_assert_uint_eq(site_live(1), 1);
	sites_leave();
}
END_TEST

/* --- a zombie ------------------------------------------------------------------------- */

START_TEST(test_who_was_held_drops_what_others_have)
{
	const char *lost = sites_id(1, 1), *kept = sites_id(0, 1);

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "sleeps", lost), OK);
	ck_assert_int_eq(site_start(0, "sleeps", kept), OK);
	site_own(1, "1", SITE_SHARDS); /* and nobody tells the first one */
	ck_assert_uint_eq(site_live(0), 2);
	sites_advance(60001);
	site_run(1);
	ck_assert_int_eq(sites_status(lost), STATUS_COMPLETED);
	site_run(0);
	ck_assert_int_eq(sites_status(kept), STATUS_COMPLETED);
	ck_assert_uint_eq(site_live(0), 0);
	ck_assert_int_eq(site_start(0, "sleeps", sites_id(1, 2)), ERR_BUSY);
	ck_assert_int_eq(site_start(0, "sleeps", sites_id(0, 2)), OK);
	sites_leave();
}
END_TEST

/* Whoever has nothing to do sees it within a minute. */
START_TEST(test_who_is_idle_sees_it_too)
{
	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", sites_id(1, 1)), OK);
	site_own(1, "1", SITE_SHARDS);
	site_run(0);
	ck_assert_uint_eq(site_live(0), 1);
	ck_assert_int_le(engine_wake_ms(sites.all[0].engine), sites.clock.now_ms + 60000);
	sites_advance(60000);
	site_run(0);
	ck_assert_uint_eq(site_live(0), 0);
	/* It is ours again, as the bus says: what the other one did is read. */
	ck_assert_int_eq(site_cancel(1, sites_id(1, 1)), OK);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_uint_eq(site_live(0), 1);
	for (int n = 0; n < 2; n++) { /* what was under way, and its undo */
		site_commands(0, "{}");
		site_run(0);
	}
	ck_assert_int_eq(sites_status(sites_id(1, 1)), STATUS_COMPENSATED);
	sites_leave();
}
END_TEST

/* --- others ---------------------------------------------------------------------------- */

START_TEST(test_a_child_goes_with_its_parent)
{
	const char *id = sites_id(2, 1);
	const struct signal_message go = {.event = SLICE_LITERAL("go")};
	char sent[96];
	struct signal_message signal = go;
	const char *end;

	sites_enter(NULL);
	site_own(0, "0123", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "family", id), OK);
	site_run(0);
	ck_assert_uint_eq(site_live(0), 2);
	site_own(0, "013", SITE_SHARDS);
	ck_assert_uint_eq(site_live(0), 0);
	site_own(1, "2", SITE_SHARDS);
	ck_assert_uint_eq(site_live(1), 2);
	snprintf(sent, sizeof sent, "%s", site_commands(1, "{}"));
	ck_assert_msg(strncmp(sent, id, strlen(id)) == 0 && sent[strlen(id)] == ':', "%s",
		      sent);
	site_run(1);
	end = strchr(sent, '/');
	signal.saga_id = (struct slice){sent, (size_t)(end - sent)};
	engine_signal(sites.all[1].engine, &signal, NULL, NULL);
	site_run(1);
	ck_assert_int_eq(sites_status(id), STATUS_COMPLETED);
	sites_leave();
}
END_TEST

/* Nothing is left behind, whoever has it then. */
START_TEST(test_another_number_of_shards)
{
	enum { SAGAS = 24 };

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	site_own(1, "23", SITE_SHARDS);
	for (int n = 0; n < SAGAS; n++)
		ck_assert_int_eq(site_start(n % 2, "sleeps", ""), OK);
	site_own(1, "4567", 2 * SITE_SHARDS);
	site_run(0);
	site_own(0, "0123", 2 * SITE_SHARDS);
	ck_assert_uint_eq(site_live(0) + site_live(1), SAGAS);
	sites_advance(60001);
	site_run(0);
	site_run(1);
	ck_assert_uint_eq(site_live(0) + site_live(1), 0);
	sites_leave();
}
END_TEST

/* What was deployed at another one. */
START_TEST(test_definitions_of_others_are_known)
{
	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	site_own(1, "23", SITE_SHARDS);
	ck_assert_int_eq(desk_deploy_text(sites.all[1].engine,
					  "saga: sleeps\nversion: 2.0.0\nsteps:\n"
					  "  - nap: { sleep: 1s }\n"),
			 OK);
	sites_advance(1000);
	ck_assert_int_eq(site_start(0, "sleeps", sites_id(0, 1)), OK);
	sites_advance(1001);
	site_run(0);
	ck_assert_int_eq(sites_status(sites_id(0, 1)), STATUS_COMPLETED);
	sites_leave();
}
END_TEST

/* --- news ------------------------------------------------------------------------------ */

/* Of a saga that has ended, too; and nobody tells it a third time. */
START_TEST(test_what_one_did_not_tell_is_told_by_the_next)
{
	const char *ended = sites_id(1, 1), *next = sites_id(1, 2), *own_one = sites_id(1, 3);

	sites_enter(NULL);
	site_own(0, "01", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "sleeps", ended), OK);
	ck_assert_int_eq(site_start(0, "sleeps", next), OK);
	sites_advance(60001);
	ck_assert_int_eq(site_turn(0), OK); /* both have ended, and that is the newest batch */
	site_close(0);
	site_open(0);
	site_own(1, "1", SITE_SHARDS);
	site_run(1);
	ck_assert(site_was_told(1, ended, 2) && site_was_told(1, next, 2));
	for (int n = 0; n < 3; n++) { /* it has arrived with batches of our own */
		sites_advance(6000);
		ck_assert_int_eq(site_start(1, "sleeps", n ? "" : own_one), OK);
		site_run(1);
	}
	site_own(0, "1", SITE_SHARDS);
	site_run(0);
	ck_assert(!site_was_told(0, ended, 2) && !site_was_told(0, next, 2));
	sites_leave();
}
END_TEST

/* What comes before the one in front of it is not heard. */
static enum err hear(struct bus *bus, const struct event_message *event)
{
	for (int i = 0; i < SITES; i++)
		if (sites.all[i].bus == bus &&
		    (event->number == 1 || sites.all[i].heard >> (event->number - 1) & 1))
			sites.all[i].heard |= UINT64_C(1) << event->number;
	return OK;
}

/* All that are stored. */
static bool heard_all(int i, const char *id)
{
	struct slice record, saga, bytes;
	struct timeline timeline;

	ck_assert_int_eq(
		store_get(sites.all[i].store, slice_of(id), &sites.arena, NULL, &record), OK);
	ck_assert_int_eq(record_split(record, &saga, &bytes), OK);
	ck_assert_int_eq(timeline_read(bytes, &timeline, NULL), OK);
	return sites.all[i].heard >> timeline.n_entries & 1;
}

static bool never_crowded(const struct bus *bus)
{
	return false;
}

static uint64_t arrives_max; /* 0: nothing ever does */

static uint64_t arrives(struct bus *bus, uint64_t batch)
{
	return batch < arrives_max ? batch : arrives_max;
}

static void listen(int i)
{
	struct site *site = &sites.all[i];

	site->bus_ops.publish = hear;
	site->bus_ops.crowded = never_crowded;
	site->bus_ops.arrived = arrives;
	site->heard = 0;
	arrives_max = 0;
}

/* Each dies with what it published on its way, so that the next one begins with the first
 * entry again, also of sagas that the one before has loaded and changed. */
START_TEST(test_what_never_arrives_is_published_by_each)
{
	const char *id = sites_id(1, 1);

	sites_enter(NULL);
	for (int i = 0; i < SITES; i++)
		listen(i);
	site_own(0, "1", SITE_SHARDS);
	ck_assert_int_eq(site_start(0, "waits", id), OK);
	ck_assert(heard_all(0, id));
	/* Where batches have numbers of their own, and arrived until now: */
	arrives_max = 3;
	site_own(1, "0", SITE_SHARDS);
	for (int n = 1; n < 4; n++)
		ck_assert_int_eq(site_start(1, "waits", sites_id(0, n)), OK);
	site_run(1);
	sites.all[1].heard = 0;
	site_own(1, "01", SITE_SHARDS);
	ck_assert(heard_all(1, id));
	ck_assert_int_eq(site_cancel(1, id), OK); /* the first that it stores */
	site_close(0);
	site_open(0);
	listen(0);
	site_own(0, "1", SITE_SHARDS);
	ck_assert(heard_all(0, id));
	sites_leave();
}
END_TEST

/* Somebody wrote it before he could know that his shard is lost, as two do that ask a
 * store over a network. */
static struct store *archive;

static enum err commit_late(struct store *store, const struct store_batch *batch,
			    struct saga_write *writes, size_t n,
			    const struct audit_entry *audit, size_t n_audit)
{
	return store_commit(archive, batch, writes, n, audit, n_audit);
}

static enum err look_at_all(struct store *store,
			    enum err (*visit)(void *context, const struct loaded_saga *saga),
			    void *context)
{
	struct store_batch newest;

	return store_load(archive, &store->shards, &newest, visit, context);
}

/* How whoever has the shard now comes upon it. */
enum { LOOKS, CHANGES, BEGINS, ASKS };
static const char *const ways[] = {"it looks", "it wants to change it, too",
				   "it wants to begin it, too", "it is asked for it"};

static void come_upon(int way, const char *id)
{
	if (way == ASKS) {
		ck_assert_int_eq(site_start(0, "waits", id), OK);
		ck_assert_int_eq(site_cancel(1, id), OK);
		return;
	}
	if (way == BEGINS) {
		ck_assert_int_eq(site_start(0, "waits", id), OK);
		sites_advance(1); /* or it is the same record, and taken for its own */
		ck_assert_int_eq(site_start(1, "waits", id), OK);
		ck_assert_int_eq(site_cancel(1, id), OK);
		return;
	}
	ck_assert_int_eq(site_cancel(0, id), OK);
	sites_advance(1);
	if (way == CHANGES)
		ck_assert_int_eq(site_cancel(1, id), ERR_BUSY);
	else
		sites.all[1].store->stirred = true;
}

/* Nobody else publishes it, and it counts as news as long as it may be on its way. */
START_TEST(test_what_came_too_late_is_published_by_each)
{
	const char *id = sites_id(1, 1);

	sites_enter(NULL);
	archive = store_memory_open(sites.vault);
	for (int i = 0; i < SITES; i++)
		listen(i);
	sites.all[0].store_ops.commit = commit_late;
	sites.all[1].store_ops.look = look_at_all;
	site_own(0, "1", SITE_SHARDS);
	if (_i == LOOKS || _i == CHANGES)
		ck_assert_int_eq(site_start(0, "waits", id), OK);
	site_own(1, "1", SITE_SHARDS);
	come_upon(_i, id);
	for (int n = 0; n < 3; n++) {
		site_run(1);
		site_commands(1, "{}");
	}
	ck_assert_int_eq(sites_status(id), STATUS_COMPENSATED);
	ck_assert_msg(heard_all(1, id), "%s", ways[_i]);
	site_close(0);
	site_open(0);
	listen(0);
	site_own(0, "1", SITE_SHARDS);
	ck_assert_msg(heard_all(0, id), "%s", ways[_i]);
	store_close(archive);
	sites_leave();
}
END_TEST

static void add(TCase *tcase)
{
	tcase_add_test(tcase, test_each_begins_what_is_its_own);
	tcase_add_test(tcase, test_what_comes_is_loaded_and_what_goes_is_dropped);
	tcase_add_test(tcase, test_what_is_under_way_is_finished_first);
	tcase_add_test(tcase, test_who_was_held_drops_what_others_have);
	tcase_add_test(tcase, test_who_is_idle_sees_it_too);
	tcase_add_test(tcase, test_a_child_goes_with_its_parent);
	tcase_add_test(tcase, test_another_number_of_shards);
	tcase_add_test(tcase, test_definitions_of_others_are_known);
	tcase_add_test(tcase, test_what_one_did_not_tell_is_told_by_the_next);
	tcase_add_test(tcase, test_what_never_arrives_is_published_by_each);
	tcase_add_loop_test(tcase, test_what_came_too_late_is_published_by_each, 0, ROWS(ways));
}

int main(void)
{
	return suite_run("engine_shards", add);
}
