#include "orchestrator/store/sqlite_statements.h"

#include "orchestrator/store/store.h"

/* Columns in the order in which read_row() of store_sqlite.c takes them. */
#define COLUMNS                                                                 \
	"number, id, ifnull(key, id), saga, version, status, paused, revision," \
	" updated_ms, ended_ms, step, reason"
#define IN_TIME   " number >= ?1 AND number < ?2"
#define OF_SAGA   " AND (?3 IS NULL OR saga = ?3)"
#define AT_STEP   " AND (?4 IS NULL OR step = ?4)"
#define IN_FILTER IN_TIME OF_SAGA AT_STEP
#define IN_STATUS(parameter)                                                            \
	"SELECT " COLUMNS " FROM saga INDEXED BY saga_status WHERE status = " parameter \
	" AND" IN_FILTER
/* Of one name. */
#define DONE_IN_STATUS(parameter)                                                 \
	"SELECT " COLUMNS                                                         \
	" FROM saga INDEXED BY saga_done WHERE saga = ?3 AND status = " parameter \
	" AND ended_ms IS NOT NULL AND" IN_TIME AT_STEP
#define UNFINISHED(status) \
	"SELECT number, record FROM saga INDEXED BY saga_status WHERE status = " status

#define DEAD_COLUMNS "id, at_ms, reason, text, source, partition, offset, size"

/* The branches of a UNION ALL are merged in the order of the number: none of them
 * is sorted or read further than somebody asks. */
const char *const statement_texts[N_STATEMENTS] = {
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[LOOK_UP] = "SELECT number, revision, status FROM saga WHERE id = ?1",
	[TAKEN_KEY] = "SELECT 1 FROM saga WHERE key = ?1 AND saga = ?2",
	[TAKEN_ID] = "SELECT 1 FROM saga WHERE id = ?1 AND key IS NULL AND saga = ?2",
	[LAST_NUMBER] = "SELECT max(number) FROM saga WHERE number < ?1",
	[INSERT] = "INSERT INTO saga (status, ended_ms, paused, revision, updated_ms, step,"
		   " reason, record, number, id, key, saga, version)"
		   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
		   " ON CONFLICT (id) DO NOTHING",
	/* The indexes are not touched where status and end stay. */
	[UPDATE] = "UPDATE saga SET paused = ?3, revision = ?4, updated_ms = ?5, step = ?6,"
		   " reason = ?7, record = ?8 WHERE number = ?9",
	[UPDATE_STATUS] =
		"UPDATE saga SET status = ?1, ended_ms = ?2, paused = ?3, revision = ?4,"
		" updated_ms = ?5, step = ?6, reason = ?7, record = ?8"
		" WHERE number = ?9",
	[ADD_AUDIT] = "INSERT INTO audit (at_ms, saga_id, operation, actor, reason)"
		      " VALUES (?1, ?2, ?3, ?4, ?5)",
	/* One shard: 0. */
	[GET_BATCH] = "SELECT number, sent, unsent FROM batch WHERE shard = 0",
	[SET_BATCH] = "UPDATE batch SET number = ?1, sent = ?2, unsent = ?3 WHERE shard = 0",
	[GET] = "SELECT " COLUMNS ", record FROM saga WHERE id = ?1",
	[FIND] = "SELECT id FROM saga WHERE key = ?1 AND saga = ?2"
		 " UNION ALL SELECT id FROM saga WHERE id = ?1 AND key IS NULL AND saga = ?2",
	[LOAD] = UNFINISHED("0") " UNION ALL " UNFINISHED("1") " UNION ALL " UNFINISHED(
		"4") " ORDER BY number",
	[LOAD_ENDED] = "SELECT record FROM saga WHERE number = ?1 AND ended_ms IS NOT NULL",
	[LIST] = "SELECT " COLUMNS " FROM saga WHERE" IN_FILTER " ORDER BY number DESC",
	/* clang-format off */
	[LIST_STATUS] = IN_STATUS("?5") " UNION ALL " IN_STATUS("?6") " UNION ALL "
			IN_STATUS("?7") " UNION ALL " IN_STATUS("?8") " UNION ALL "
			IN_STATUS("?9") " UNION ALL " IN_STATUS("?10")
			" ORDER BY number DESC",
	[LIST_SAGA] = IN_STATUS("?5") " UNION ALL " IN_STATUS("?6") " UNION ALL "
		      DONE_IN_STATUS("?7") " UNION ALL " DONE_IN_STATUS("?8") " UNION ALL "
		      IN_STATUS("?9") " UNION ALL " DONE_IN_STATUS("?10")
		      " ORDER BY number DESC",
	[LIST_STEP] = IN_STATUS("?5") " UNION ALL " IN_STATUS("?6") " UNION ALL "
		      IN_STATUS("?9") " UNION ALL"
		      " SELECT " COLUMNS " FROM saga INDEXED BY saga_step WHERE step = ?4"
		      " AND ended_ms IS NOT NULL AND status IN (?7, ?8, ?10) AND" IN_TIME OF_SAGA
		      " ORDER BY number DESC",
	/* clang-format on */
	[LIST_KEY] = "SELECT " COLUMNS " FROM saga WHERE number IN"
		     " (SELECT number FROM saga WHERE key = ?5 UNION ALL"
		     " SELECT number FROM saga WHERE id = ?5 AND key IS NULL) AND" IN_FILTER
		     " ORDER BY number DESC",
	[COUNT] = "SELECT status, count(*) FROM saga GROUP BY status",
	[AUDIT] = "SELECT at_ms, saga_id, operation, actor, reason FROM audit"
		  " ORDER BY number DESC LIMIT ?1",
	[AUDIT_OF] = "SELECT at_ms, saga_id, operation, actor, reason FROM audit"
		     " WHERE saga_id = ?2 ORDER BY number DESC LIMIT ?1",
	[PUT_DEFINITION] = "INSERT INTO definition (hash, name, version, normal, deployed_ms)"
			   " VALUES (?1, ?2, ?3, ?4, ?5)",
	[SAME_DEFINITION] =
		"SELECT hash FROM definition WHERE hash = ?1"
		" UNION ALL SELECT hash FROM definition WHERE name = ?2 AND version = ?3",
	[DEFINITIONS] = "SELECT hash, name, version, normal, deployed_ms FROM definition"
			" ORDER BY number",
	[ENDED_BEFORE] = "SELECT number, status, ended_ms FROM saga INDEXED BY saga_ended"
			 " WHERE ended_ms < ?1 ORDER BY ended_ms, number LIMIT ?2",
	[REMOVE] = "DELETE FROM saga WHERE number = ?1",
	[GET_REMOVED] = "SELECT ended_ms FROM removed WHERE shard = 0",
	[SET_REMOVED] = "UPDATE removed SET ended_ms = max(ended_ms, ?1) WHERE shard = 0",
	[PUT_DEAD] = "INSERT OR REPLACE INTO dead (id, at_ms, reason, text, source, partition,"
		     " offset, size, bytes, key, headers, value)"
		     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[DEAD_TOTALS] = "SELECT count(*), ifnull(sum(bytes), 0) FROM dead",
	[DROP_DEAD] = "DELETE FROM dead WHERE number = (SELECT min(number) FROM dead)",
	[DEAD_NUMBER] = "SELECT number FROM dead WHERE id = ?1",
	[LIST_DEAD] = "SELECT " DEAD_COLUMNS " FROM dead WHERE number < ?1"
		      " ORDER BY number DESC LIMIT ?2",
	[GET_DEAD] = "SELECT " DEAD_COLUMNS ", key, headers, value FROM dead WHERE id = ?1",
	[REMOVE_DEAD] = "DELETE FROM dead WHERE id = ?1",
};

_Static_assert(STATUS_RUNNING == 0 && STATUS_COMPENSATING == 1 && STATUS_PARKED == 4,
	       "the numbers in LOAD, and what LIST_SAGA and LIST_STEP take from saga_status");
_Static_assert(STATUSES == 6, "LIST_STATUS and LIST_SAGA have a branch for each");
