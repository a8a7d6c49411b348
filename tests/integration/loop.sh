# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# loop.sh - the threads that serve requests: more slow requests than threads,
# none at all, and requests that are given up.

# One of a crowd: slow requests of all kinds, on a file of its own.
one_of_crowd()
{
	local i=$1 round
	for round in 1 2 3; do
		bytes 300000 "$((i * 10 + round))" >"file$i"
		same data "$("$HELPER" seek "file$i" data 0)" 0
		same hole "$("$HELPER" seek "file$i" hole 0)" 300000
		sync "file$i"
		mv "file$i" "moved$i"
		cmp "moved$i" <(bytes 300000 "$((i * 10 + round))")
	done
}

test_loop_crowd()
{
	local i pid crowd=()
	start
	for ((i = 0; i < 40; i++)); do
		one_of_crowd "$i" &
		crowd+=($!)
	done
	for pid in "${crowd[@]}"; do
		wait "$pid"
	done
	again
	for ((i = 0; i < 40; i++)); do
		cmp "moved$i" <(bytes 300000 "$((i * 10 + 3))")
	done
	finish
}

# Clock ticks that the daemon has used.
ticks()
{
	awk '{ print $14 + $15 }' "/proc/$(daemon_pid)/stat"
}

# Three seconds in which the daemon does nothing.
rests()
{
	local before
	before=$(ticks)
	sleep 3
	(($(ticks) - before <= 3))
}

test_loop_idle()
{
	start
	bytes 3000000 1 >file
	sync file
	cat file >copy
	# The kernel writes when it likes to.
	sync copy
	until_true rests
	finish
}

# Who is killed in the middle of a request gives it up.
test_loop_given_up()
{
	local i j crowd
	start
	bytes 20000000 1 >file
	for ((i = 0; i < 10; i++)); do
		crowd=()
		for ((j = 0; j < 8; j++)); do
			"$HELPER" direct "own$j" $((4 << 20)) >/dev/null &
			crowd+=($!)
		done
		cat file >/dev/null &
		crowd+=($!)
		sleep "0.0$i"
		kill -KILL "${crowd[@]}" 2>/dev/null || true
		wait "${crowd[@]}" 2>/dev/null || true
		echo 1 >/proc/sys/vm/drop_caches 2>/dev/null || true
	done
	cmp file <(bytes 20000000 1)
	finish
}
