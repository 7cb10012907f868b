/* page.h - a part of a long list as JSON, and where the next one begins; private to the
 * gateway.
 *
 *	{"sagas":[...],"next":"order-17"}
 */
#ifndef SKALD_GATEWAY_PAGE_H
#define SKALD_GATEWAY_PAGE_H

#include "orchestrator/gateway/request.h"

struct page {
	struct request *request;
	size_t n, limit;
	struct slice last; /* the id of the last one that is on it */
	bool more;
};

/* With the parameter `limit` of the request, whose list has this name. False: the request
 * was answered that it is none. */
bool page_begin(struct page *page, struct request *request, const char *name);

/* One is to come, of limit + 1 that were asked for: its members are written next. False: it
 * is on the next page. */
bool page_wants(struct page *page);

/* It is written. An error ends the list. */
CHECKED enum err page_add(struct page *page, struct slice id);

/* Answer with it, or with what went wrong: `gone` is said where the cursor is of no use. */
void page_end(struct page *page, enum err err, const char *gone);

#endif
