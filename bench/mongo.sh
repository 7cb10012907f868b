#!/bin/sh
# What MongoDB has a part in, on the stand-in for it that this starts and removes, or on
# the server of the URI.
#
#	bench/mongo.sh FOLDER takeover [URI]   with bench/bench_takeover in it; make bench-takeover
#
# SAGAS=100000 are taken over. The URI is mongodb://HOST:PORT, and names no database.
programs=${1:?usage: bench/mongo.sh FOLDER takeover [URI]}
what=$2 uri=$3
folder=$(mktemp -d) || exit
engine=$folder/mongo
trap '[ ! -d "$engine" ] || tools/engines mongo down "$engine"; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

[ -n "$uri" ] || uri=$(tools/engines mongo up "$engine") || exit
echo "load before: $(cut -d' ' -f1-3 /proc/loadavg)"
case $what in
takeover) "$programs/bench/bench_takeover" "$uri" "${SAGAS:-100000}" || exit ;;
*) echo "mongo.sh: there is no $what" >&2; exit 2 ;;
esac
echo "load after: $(cut -d' ' -f1-3 /proc/loadavg)"
