#!/bin/sh
# Runs "$@" in this process group for as long as somebody holds the other end of standard input open, so that
# a build does not outlive the lvslab that wanted it, however that one ended.
umask 022
# A signal for the group is the build's to obey; this shell stays to tell the outcome.
trap : TERM
# Programs in the background have no standard input of their own; this is the name they know it by.
exec 3<&0
"$@" < /dev/null 3<&- &
build=$!
{
    # No other program here: it would keep the pipes and the lock that we hand on.
    while read -r _; do :; done
    trap '' TERM
    # The build cleans up when it is asked to end. Nothing of it may stay.
    kill -TERM 0
    for _ in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done
    kill -KILL 0
} <&3 3<&- > /dev/null 2>&1 &
watch=$!
wait "$build"
status=$?
if kill -0 "$build" 2> /dev/null; then
    wait "$build"
    status=$?
fi
kill -KILL "$watch" 2> /dev/null
exit "$status"
