#!/bin/sh
# What Skald does so far, as a list of commands that you can type yourself.
# `./run demo` builds first and then runs this.
cd "$(dirname "$0")/.." || exit 1

# show WHY COMMAND
show()
{
	printf '\n# %s\n$ %s\n' "$1" "$2"
	sh -c "$2" || { echo "demo: that command failed" >&2; exit 1; }
}

show "Every mistake in the sagas we ship would be listed here with its line." \
	"build/skald check sagas/*.yaml"
show "An order as a picture: what is undone by what, and where the point of no return is." \
	"build/skald graph sagas/order.yaml"
show "Explore the order against every failure, crash and lost message, up to the bounds printed." \
	"build/skald check --exhaustive sagas/order.yaml"
show "Run it in memory with handlers in C: once to its end, once turned back." \
	"build/demo-order"
