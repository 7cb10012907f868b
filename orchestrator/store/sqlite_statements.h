/* sqlite_statements.h - what store_sqlite.c asks its file. Private to the store. */
#ifndef SKALD_STORE_SQLITE_STATEMENTS_H
#define SKALD_STORE_SQLITE_STATEMENTS_H

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	LOOK_UP,
	TAKEN_KEY,
	TAKEN_ID,
	LAST_NUMBER,
	INSERT,
	UPDATE,
	UPDATE_STATUS,
	ADD_AUDIT,
	GET_BATCH,
	SET_BATCH,
	GET,
	FIND,
	LOAD,
	LOAD_ENDED,
	LIST,
	LIST_STATUS,
	LIST_KEY,
	COUNT,
	AUDIT,
	AUDIT_OF,
	PUT_DEFINITION,
	SAME_DEFINITION,
	DEFINITIONS,
	ENDED_BEFORE,
	REMOVE,
	N_STATEMENTS,
};

extern const char *const statement_texts[N_STATEMENTS];

#endif
