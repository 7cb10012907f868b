#!/bin/sh
# What `make install` leaves is all that somebody else needs to write a service.
#
#   run.sh MAKE...   how to call make with the build that is to be installed
#
# The service of docs/participants.md is built against the installed headers and
# libraries, shared and static, and started.
passed=0 failed=0
root=$(mktemp -d /tmp/skald-install-XXXXXX) || exit 1
trap 'rm -rf "$root"' EXIT
trap 'exit 130' INT TERM

ok()
{
	what=$1
	shift
	if "$@" >"$root/out" 2>&1; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
		echo "failed: $what"
		cat "$root/out"
	fi
}

# Every symbol that leaves a library begins with skald_, and there are some.
only_skald()
{
	nm "$@" --defined-only 2>/dev/null | awk '
	NF == 3 && $2 ~ /[A-Z]/ { n++; if ($3 !~ /^skald_/) { print $3 " leaves the library"; bad = 1 } }
	END { if (n < 1) print "nothing leaves it"; exit bad || n < 1 }'
}

# It runs until it is asked to stop. Nobody is on its bus.
starts()
{
	(cd "$root" && exec env LD_LIBRARY_PATH="$lib" "$1" local:nobody.sock) &
	pid=$!
	tries=0
	while [ ! -e "$root/stock.guard" ]; do
		tries=$((tries + 1))
		[ $tries -lt 200 ] && kill -0 $pid 2>/dev/null || return 1
		sleep 0.05
	done
	# The file is there a moment before the handler of the signal is.
	while kill -TERM $pid 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 400 ] || return 1
		sleep 0.05
	done
	wait $pid
	status=$?
	rm -f "$root"/stock.db* "$root/stock.guard"
	[ $status -eq 0 ] || [ $status -eq 143 ]
}

# What base/fault_point.h makes is for tests alone.
no_fault_points()
{
	! grep -l -a -e SKALD_FAULT -e 'participant\.committed' -e 'engine\.stored' "$@"
}

build()
{
	# shellcheck disable=SC2086 # lists of flags
	${CC:-cc} $CFLAGS -o "$1" "$root/stock.c" $2
}

flags()
{
	PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root" \
		${PKG_CONFIG:-pkg-config} "$@"
}

ok "make install" "$@" install DESTDIR="$root" PREFIX=/usr
lib=$root/usr/lib
awk '/^```c$/ && !seen { on = seen = 1; next } /^```$/ { on = 0 } on' docs/participants.md >"$root/stock.c"

for header in "$root"/usr/include/skald/*.h; do
	echo "#include <skald/${header##*/}>" >"$root/header.c"
	ok "${header##*/} in C" ${CC:-cc} -std=c99 -pedantic -Wall -Wextra -Werror \
		-I"$root/usr/include" -fsyntax-only "$root/header.c"
	ok "${header##*/} in C++" ${CXX:-c++} -std=c++11 -pedantic -Wall -Wextra -Werror \
		-I"$root/usr/include" -fsyntax-only -xc++ "$root/header.c"
done
for name in skald skald-sqlite skald-kafka skald-mongo; do
	ok "symbols of lib$name.so" only_skald -D "$lib/lib$name.so"
	ok "symbols of lib$name.a" only_skald -g "$lib/lib$name.a"
	ok "soname of lib$name.so" test -e "$lib/lib$name.so.0"
	ok "version of $name.pc" test "$(flags --modversion $name)" = "$(flags --variable=version $name)"
done
ok "no fault points" no_fault_points "$root"/usr/bin/skald* "$lib"/libskald*
ok "build it shared" build "$root/shared" "$(flags --cflags --libs skald-sqlite sqlite3)"
ok "start it" starts ./shared
ok "build it static" build "$root/static" \
	"$(flags --cflags skald-sqlite) $lib/libskald-sqlite.a $lib/libskald.a $(pkg-config --libs libprotobuf-c sqlite3)"
rm -f "$lib"/lib*.so*
ok "start it" starts ./static
for program in skald skald-inventory skald-payment skald-notification; do
	ok "$program" test -x "$root/usr/bin/$program"
done
ok "the sagas to copy from" "$root/usr/bin/skald" check "$root"/usr/share/skald/sagas/*.yaml
for page in skald skald-inventory skald-payment skald-notification; do
	ok "$page(1)" test -e "$root/usr/share/man/man1/$page.1"
done

# Every option that --help names is on the page.
documented()
{
	sed 's/\\-/-/g' "$root/usr/share/man/man1/$1.1" >"$root/page"
	"$root/usr/bin/$1" --help | grep -o -e '--[a-z][a-z-]*' | sort -u >"$root/options"
	while read -r option; do
		grep -q -F -e "Fl ${option#-}" "$root/page" || echo "$option is not on the page"
	done <"$root/options" >"$root/undocumented"
	cat "$root/undocumented"
	[ -s "$root/options" ] && [ ! -s "$root/undocumented" ]
}
for program in skald-inventory skald-payment skald-notification; do
	ok "options of $program(1)" documented $program
done

echo "$passed passed, $failed failed, 0 skipped"
[ $failed -eq 0 ]
