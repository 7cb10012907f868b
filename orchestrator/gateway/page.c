#include "orchestrator/gateway/page.h"

#include "base/json_line.h"

enum { LIMIT_DEFAULT = 100 };

static bool read_limit(struct request *request, size_t *out)
{
	struct slice text = request_query(request, "limit");
	size_t n = 0;

	*out = LIMIT_DEFAULT;
	if (!text.len)
		return true;
	for (size_t i = 0; i < text.len && n <= GATEWAY_PAGE_MAX; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			n = GATEWAY_PAGE_MAX;
		n = n * 10 + (size_t)(text.at[i] - '0');
	}
	*out = n;
	if (n >= 1 && n <= GATEWAY_PAGE_MAX)
		return true;
	request_fail(request, MHD_HTTP_BAD_REQUEST, "bad-request",
		     "limit has to be a number from 1 to %d; ask for the next page with the "
		     "cursor that `next` gives",
		     GATEWAY_PAGE_MAX);
	return false;
}

bool page_begin(struct page *page, struct request *request, const char *name)
{
	*page = (struct page){.request = request};
	if (!read_limit(request, &page->limit))
		return false;
	json_begin(&request->out);
	json_add_name(&request->out, name);
	json_begin_list(&request->out);
	return true;
}

bool page_wants(struct page *page)
{
	page->more = page->n == page->limit; /* one more was asked for, to know */
	if (page->more)
		return false;
	json_begin(&page->request->out);
	return true;
}

enum err page_add(struct page *page, struct slice id)
{
	struct request *request = page->request;

	json_end(&request->out);
	if (++page->n == page->limit && !arena_copy(&request->arena, id, &page->last))
		return ERR_NOMEM;
	return request->out.err;
}

void page_end(struct page *page, enum err err, const char *gone)
{
	struct request *request = page->request;
	struct bytes *out = &request->out;

	if (err == ERR_NOT_FOUND) {
		request_fail(request, MHD_HTTP_GONE, "cursor-gone", "%s", gone);
		return;
	}
	if (err) {
		request_fail_err(request, err);
		return;
	}
	json_end_list(out);
	json_add_optional(out, "next", page->more ? page->last : (struct slice){0});
	json_end_line(out);
	request_answer_json(request, MHD_HTTP_OK);
}
