/* fault_point.h - places at which a test lets a process die.
 *
 *	FAULT_POINT("engine.stored");
 *
 * A point has a name and stands where a crash is interesting: between two things that
 * belong together. In a build with -DSKALD_FAULT_POINTS (`make faults`) a process that is
 * started with SKALD_FAULT=engine.stored:3 kills itself when it comes there for the third
 * time, and one that is started with SKALD_FAULT=list prints the names of all points that
 * it has and ends. In every other build there is nothing: that is why it is a macro.
 *
 * tests/e2e/test_faults.c goes through the list of each program, so that a new point is
 * tried without further ado, and one that nothing reaches is a failure. */
#ifndef SKALD_BASE_FAULT_POINT_H
#define SKALD_BASE_FAULT_POINT_H

#ifdef SKALD_FAULT_POINTS

/* The names of a program lie side by side, each in so many bytes. */
enum { FAULT_POINT_SIZE = 64 };

void fault_point_reach(const char *name);

#define FAULT_POINT(name)                                                                  \
	do {                                                                               \
		static const char point[FAULT_POINT_SIZE]                                  \
			__attribute__((section("skald_fault_points"), aligned(1), used)) = \
				name;                                                      \
                                                                                           \
		fault_point_reach(point);                                                  \
	} while (0)

#else

#define FAULT_POINT(name) ((void)0)

#endif

#endif
