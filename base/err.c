#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_text(enum err err)
{
	switch (err) {
#define X(name, text, retriable) \
	case name: return text;
		ERR_MAP(X)
#undef X
	}
	return "unknown error";
}

bool err_retriable(enum err err)
{
	switch (err) {
#define X(name, text, retriable) \
	case name: return retriable;
		ERR_MAP(X)
#undef X
	}
	return false;
}

enum err diag_set(struct diag *diag, enum err err, const char *format, ...)
{
	va_list args;

	if (diag) {
		va_start(args, format);
		vsnprintf(diag->text, sizeof diag->text, format, args);
		va_end(args);
	}
	return err;
}
