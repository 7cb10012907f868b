/* evaluate_failure.c - how an evaluation says that it failed, and the room that
 * it has for texts.
 */
#include "orchestrator/core/evaluate.h"

/* --- failures ----------------------------------------------------------------- */

static const char *type_with_article(enum json_type type)
{
	switch (type) {
	case JSON_NULL: return "null";
	case JSON_BOOL: return "a boolean";
	case JSON_NUMBER: return "a number";
	case JSON_TEXT: return "a text";
	case JSON_LIST: return "a list";
	case JSON_OBJECT: return "an object";
	}
	return "";
}

/* At most n bytes, and no character cut in half. */
static struct slice shorten(struct slice text, size_t n)
{
	if (text.len <= n)
		return text;
	while (n > 0 && ((unsigned char)text.at[n] & 0xc0) == 0x80)
		n--;
	return (struct slice){text.at, n};
}

enum err evaluation_fail(struct evaluation *evaluation, struct place place,
			 struct slice subject, const char *sentence)
{
	enum { SUBJECT_MAX = 100 };
	struct slice start = shorten(subject, SUBJECT_MAX);
	const char *gap = subject.len == 0 ? "" : start.len < subject.len ? "... " : " ";
	struct diag diag;
	enum err err = diag_set(&diag, ERR_INVALID, "%u:%u: %.*s%s%s", (unsigned)place.line,
				(unsigned)place.column, SLICE_ARG(start), gap, sentence);
	struct slice text;

	if (place.line == 0) /* a literal of its own: there is no expression to blame */
		err = diag_set(&diag, ERR_INVALID, "%s", sentence);

	if (!evaluation->failure)
		return err;
	text = shorten(slice_of(diag.text), sizeof evaluation->failure->text - 1);
	memcpy(evaluation->failure->text, text.at, text.len);
	evaluation->failure->text[text.len] = '\0';
	evaluation->failure->in = (struct slice){0};
	if (place.line && evaluation->expression)
		evaluation->failure->in = evaluation->expression->text;
	return err;
}

/* Where a missing value is all that there is, the text has it already. */
static bool says(struct slice text, struct slice expression)
{
	for (size_t i = 0; i + expression.len <= text.len; i++)
		if (memcmp(text.at + i, expression.at, expression.len) == 0)
			return true;
	return false;
}

bool failure_tell(const struct failure_text *failure, struct arena *arena, struct slice *out)
{
	enum { EXPRESSION_SHOWN_MAX = 200 };
	struct slice in = shorten(failure->in, EXPRESSION_SHOWN_MAX);
	struct bytes text = BYTES(sizeof failure->text + EXPRESSION_SHOWN_MAX + 16, arena);

	bytes_text(&text, failure->text);
	if (in.len && !says(slice_of(failure->text), failure->in)) {
		bytes_text(&text, ", in =");
		bytes_append(&text, in);
		bytes_text(&text, in.len < failure->in.len ? "..." : "");
	}
	bytes_add(&text, '\0');
	if (text.err)
		return false;
	*out = (struct slice){text.at, text.len - 1};
	return true;
}

static enum err fail(struct evaluation *evaluation, struct place place, const char *sentence)
{
	return evaluation_fail(evaluation, place, (struct slice){0}, sentence);
}

enum err evaluation_fail_type(struct evaluation *evaluation, struct place place,
			      const char *who, const char *wanted, enum json_type type)
{
	struct diag sentence;

	(void)!diag_set(&sentence, ERR_INVALID, "%s needs %s, not %s", who, wanted,
			type_with_article(type));
	return fail(evaluation, place, sentence.text);
}

enum err evaluation_fail_pair(struct evaluation *evaluation, struct place place,
			      const char *verb, enum json_type a, enum json_type b)
{
	struct diag sentence;

	(void)!diag_set(&sentence, ERR_INVALID, "cannot %s %s and %s", verb,
			type_with_article(a), type_with_article(b));
	return fail(evaluation, place, sentence.text);
}

enum err evaluation_fail_number(struct evaluation *evaluation, struct place place,
				enum decimal_result result)
{
	switch (result) {
	case DECIMAL_BY_ZERO: return fail(evaluation, place, "division by zero");
	case DECIMAL_INEXACT:
		return fail(evaluation, place,
			    "the quotient has no end, and numbers are never rounded");
	case DECIMAL_OK:
	case DECIMAL_OVERFLOW:
	case DECIMAL_NOT_A_NUMBER: break;
	}
	return fail(evaluation, place,
		    "overflow: a number has 64 bits and at most 18 digits behind the point");
}

enum err evaluation_fail_size(struct evaluation *evaluation, struct place place)
{
	return fail(evaluation, place, "result too large: a text is at most 256 KiB");
}

/* --- texts -------------------------------------------------------------------- */

enum err evaluation_text(struct evaluation *evaluation, struct place place,
			 const struct value *value, struct slice *out)
{
	const struct slice *source = &value->source.text;

	if (!value_text(value, evaluation->arena, out))
		return ERR_NOMEM;
	/* Only a text with escapes had to be made. */
	if (value->decoded || out->len + 2 == source->len)
		return OK;
	return evaluation_take(evaluation, place, out->len);
}

enum err evaluation_take(struct evaluation *evaluation, struct place place, size_t len)
{
	if (len > evaluation->room)
		return evaluation_fail_size(evaluation, place);
	evaluation->room -= len;
	return OK;
}

enum err evaluation_append(struct evaluation *evaluation, struct place place, struct bytes *out,
			   struct slice more)
{
	enum err err = evaluation_take(evaluation, place, more.len);

	if (err)
		return err;
	bytes_append(out, more);
	if (out->err == ERR_TOO_LARGE)
		return evaluation_fail_size(evaluation, place);
	return out->err;
}

struct value value_of_text(struct slice characters)
{
	return (struct value){.type = JSON_TEXT, .decoded = true, .text = characters};
}
