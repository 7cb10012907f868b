/* api.h - what all headers of Skald's libraries share. */
#ifndef SKALD_API_H
#define SKALD_API_H

/* Only what carries this leaves the libraries. */
#define SKALD_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* Room for a sentence: what is wrong, where, and what to do. Functions that take
 * one write it on failure only; NULL is fine. */
typedef struct {
	char text[512];
} skald_error;

/* What the library has to tell goes to its host; it never prints. A line is
 * `level=info event=connected ...`, terminated, valid during the call. */
typedef enum {
	SKALD_LOG_ERROR,
	SKALD_LOG_WARN,
	SKALD_LOG_INFO,
} skald_log_level;

typedef void skald_log(void *context, skald_log_level level, const char *line);

/* The library's version, "0.1.0". */
SKALD_API const char *skald_version(void);

#ifdef __cplusplus
}
#endif

#endif
