#include "cli/remote_parts.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_TIMEOUT_MS = 5000, HEADER_MAX = OPTION_TEXT_BYTES + 64 };

/* --- opening ---------------------------------------------------------------------- */

static bool begins_with(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0;
}

static enum exit_code set_url(struct remote *remote)
{
	const char *given = options_text(remote->cli->options, "server");
	const char *scheme = strstr(given, "://") ? "" : "http://";
	int len = snprintf(remote->url, sizeof remote->url, "%s%s", scheme, given);

	if (len < 0 || (size_t)len >= sizeof remote->url)
		return complain_usage(remote->cli, "--server is too long");
	while (len > 0 && remote->url[len - 1] == '/')
		remote->url[--len] = '\0';
	if (!begins_with(remote->url, "http://") && !begins_with(remote->url, "https://"))
		return complain_usage(remote->cli,
				      "--server %s: write a URL such as http://127.0.0.1:7420",
				      given);
	return EXIT_DONE;
}

static bool add_header(struct remote *remote, const char *name, const char *value)
{
	char header[HEADER_MAX];
	struct curl_slist *longer;
	int len = snprintf(header, sizeof header, "%s: %s", name, value);

	if (len < 0 || (size_t)len >= sizeof header)
		return false;
	longer = curl_slist_append(remote->headers, header);
	if (!longer)
		return false;
	remote->headers = longer;
	return true;
}

/* A name for the timeline; the server writes down what it is told. */
static const char *find_actor(void)
{
	const char *name = getenv("USER");
	const struct passwd *user = name && *name ? NULL : getpwuid(getuid());

	if (user)
		name = user->pw_name;
	return name && *name ? name : "unknown";
}

static bool set_headers(struct remote *remote)
{
	const char *token = options_text(remote->cli->options, "token");
	char bearer[HEADER_MAX];

	/* Without Expect a large body would wait for a second. */
	if (!add_header(remote, "Skald-Actor", find_actor()) ||
	    !add_header(remote, "Content-Type", "application/json") ||
	    !add_header(remote, "Expect", ""))
		return false;
	if (!token)
		return true;
	snprintf(bearer, sizeof bearer, "Bearer %s", token);
	return add_header(remote, "Authorization", bearer);
}

enum exit_code remote_open(const struct cli *cli, struct remote *out)
{
	enum exit_code code;

	*out = (struct remote){.cli = cli};
	code = set_url(out);
	if (code)
		return code;
	out->curl = curl_easy_init();
	if (out->curl && set_headers(out))
		return EXIT_DONE;
	remote_close(out);
	return complain_err(cli, ERR_NOMEM);
}

void remote_close(struct remote *remote)
{
	curl_slist_free_all(remote->headers);
	if (remote->curl)
		curl_easy_cleanup(remote->curl);
	*remote = (struct remote){0};
}

/* --- paths ------------------------------------------------------------------------ */

void remote_escape(struct bytes *out, struct slice text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.at[i];

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '~')
			bytes_add(out, (char)c);
		else
			bytes_format(out, "%%%02X", c);
	}
}

const char *remote_path(struct arena *arena, const char *before, const char *id,
			const char *behind)
{
	struct bytes path = BYTES(REMOTE_PATH_MAX, arena);

	bytes_text(&path, before);
	remote_escape(&path, slice_of(id));
	bytes_text(&path, behind);
	bytes_add(&path, '\0');
	return path.err ? NULL : path.at;
}

const char *remote_saga_path(struct arena *arena, const char *id, const char *behind)
{
	return remote_path(arena, "/v1/sagas/", id, behind);
}

/* --- answers ---------------------------------------------------------------------- */

static enum exit_code code_of(long status)
{
	switch (status) {
	case 401:
	case 403: return EXIT_NOT_ALLOWED;
	case 404:
	case 410: return EXIT_NOT_FOUND;
	case 409: return EXIT_REFUSED;
	default: return status >= 200 && status < 300 ? EXIT_DONE : EXIT_FAILED;
	}
}

static struct slice text_member(struct json object, const char *name, struct arena *arena)
{
	struct slice text = {0};
	struct json value;

	if (json_type(object) == JSON_OBJECT && json_get(object, slice_of(name), &value) &&
	    json_type(value) == JSON_TEXT && !json_text(value, arena, &text))
		text = (struct slice){0};
	return text;
}

static void set_sentence(struct remote_answer *answer, struct arena *arena, const char *format,
			 ...) __attribute__((format(printf, 3, 4)));

static void set_sentence(struct remote_answer *answer, struct arena *arena, const char *format,
			 ...)
{
	char text[2 * OPTION_TEXT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!arena_copy(arena, slice_of(text), &answer->text))
		answer->text = SLICE_LITERAL("out of memory");
}

void remote_read_answer(const struct remote *remote, long status, struct bytes *body,
			struct arena *arena, struct remote_answer *out)
{
	struct json json = {{0}};

	*out = (struct remote_answer){.code = code_of(status), .text = bytes_slice(body)};
	if (!json_parse(out->text, REMOTE_ANSWER_MAX, arena, &json, NULL))
		out->json = json;
	if (out->code == EXIT_DONE)
		return;
	if (out->json.text.len) {
		out->problem = text_member(json, "code", arena);
		out->detail = text_member(json, "detail", arena);
	}
	if (out->detail.len)
		return;
	out->code = out->code == EXIT_NOT_FOUND ? EXIT_FAILED : out->code;
	set_sentence(out, arena,
		     "%s answered with the status %ld, and with nothing that a skald "
		     "server says; is --server right?",
		     remote->url, status);
}

/* Why curl has no answer. */
void remote_read_failure(const struct remote *remote, CURLcode result, const char *why,
			 struct arena *arena, struct remote_answer *out)
{
	*out = (struct remote_answer){.code = EXIT_UNREACHABLE};
	if (!why[0])
		why = curl_easy_strerror(result);
	if (result == CURLE_OUT_OF_MEMORY || result == CURLE_WRITE_ERROR)
		*out = (struct remote_answer){.code = EXIT_FAILED};
	if (result == CURLE_WRITE_ERROR)
		set_sentence(out, arena,
			     "the answer of the server is over %d MiB, or memory "
			     "ran out",
			     REMOTE_ANSWER_MAX / 1024 / 1024);
	else if (result == CURLE_OPERATION_TIMEDOUT)
		set_sentence(
			out, arena,
			"the server at %s does not answer (%s); it may be busy or stopped: "
			"look at its log",
			remote->url, why);
	else
		set_sentence(
			out, arena,
			"the server at %s cannot be reached (%s); is `skald serve` running "
			"there?",
			remote->url, why);
}

void remote_complain(const struct remote *remote, const struct remote_answer *answer,
		     const char *about)
{
	struct slice text = answer->detail.len ? answer->detail : answer->text;

	if (about)
		complain(remote->cli, "%s: %.*s", about, SLICE_ARG(text));
	else
		complain(remote->cli, "%.*s", SLICE_ARG(text));
}

/* --- asking ----------------------------------------------------------------------- */

static size_t take_body(char *data, size_t size, size_t n, void *context)
{
	struct bytes *body = context;

	bytes_append(body, (struct slice){data, size * n});
	return body->err ? 0 : size * n;
}

/* curl_easy_setopt fails for want of memory alone; then perform fails, too. */
CURLcode remote_perform(struct remote *remote, const struct remote_request *request,
			char why[CURL_ERROR_SIZE])
{
	char url[OPTION_TEXT_BYTES + REMOTE_PATH_MAX];
	CURL *curl = remote->curl;

	snprintf(url, sizeof url, "%s%s", remote->url, request->path);
	why[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, remote->headers);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
	if (strcmp(request->method, "POST") == 0) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
				 request->body.len ? request->body.at : "");
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)request->body.len);
	}
	return curl_easy_perform(curl);
}

void remote_ask(struct remote *remote, const struct remote_request *request,
		struct remote_answer *out)
{
	struct bytes body = BYTES(REMOTE_ANSWER_MAX, request->arena);
	char why[CURL_ERROR_SIZE];
	CURLcode result;
	long status = 0;

	curl_easy_reset(remote->curl);
	curl_easy_setopt(remote->curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(remote->curl, CURLOPT_WRITEDATA, &body);
	curl_easy_setopt(remote->curl, CURLOPT_TIMEOUT_MS, (long)REMOTE_TIMEOUT_MS);
	result = remote_perform(remote, request, why);
	if (result == CURLE_OK) {
		curl_easy_getinfo(remote->curl, CURLINFO_RESPONSE_CODE, &status);
		remote_read_answer(remote, status, &body, request->arena, out);
	} else {
		remote_read_failure(remote, result, why, request->arena, out);
	}
}

enum exit_code remote_call(struct remote *remote, const char *method, const char *path,
			   struct slice body, struct arena *arena, struct json *out)
{
	const struct remote_request request = {method, path, body, arena};
	struct remote_answer answer;

	remote_ask(remote, &request, &answer);
	if (answer.code) {
		remote_complain(remote, &answer, NULL);
		return answer.code;
	}
	if (!answer.json.text.len) {
		complain(remote->cli,
			 "%s answered with something that is no JSON; is --server "
			 "right?",
			 remote->url);
		return EXIT_FAILED;
	}
	*out = answer.json;
	return EXIT_DONE;
}
