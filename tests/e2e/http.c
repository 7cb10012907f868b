#include "tests/e2e/http.h"

#include <check.h>
#include <curl/curl.h>
#include <stdio.h>

enum { ANSWER_MAX = 64 * 1024 * 1024, TIMEOUT_MS = 60000, URL_SIZE = 512 };

static size_t take(char *data, size_t size, size_t n, void *bytes)
{
	bytes_append(bytes, (struct slice){data, size * n});
	return size * n;
}

struct http_answer http_ask(const char *url, const char *path, struct slice body,
			    struct arena *arena)
{
	struct bytes text = BYTES(ANSWER_MAX, arena);
	struct http_answer answer = {0};
	CURL *curl = curl_easy_init();
	char place[URL_SIZE];
	int len = snprintf(place, sizeof place, "%s%s", url, path);

	ck_assert(curl && len > 0 && (size_t)len < sizeof place);
	curl_easy_setopt(curl, CURLOPT_URL, place);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, &text);
	if (body.at) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.at);
	}
	if (curl_easy_perform(curl) == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer.status);
	curl_easy_cleanup(curl);
	bytes_add(&text, '\0');
	ck_assert_int_eq(text.err, OK);
	answer.text = (struct slice){text.at, text.len - 1};
	return answer;
}

struct json http_get(const char *url, const char *path, struct arena *arena)
{
	struct http_answer answer = http_ask(url, path, (struct slice){0}, arena);
	struct json json = JSON_OF("{}");

	if (answer.status == 200)
		ck_assert_int_eq(json_parse(answer.text, ANSWER_MAX, arena, &json, NULL), OK);
	return json;
}
