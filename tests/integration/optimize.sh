# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# optimize.sh - what is stored becomes smaller and stays the same.

optimize()
{
	"$SIGMAFS" optimize "$@"
}

# number KEY: of the object on standard input.
number()
{
	sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# versions N: N versions of a file of some 300 KB, and a small one for each.
versions()
{
	awk -v n="$1" 'BEGIN {
		srand(1)
		for (i = 0; i < 6000; i++)
			line[i] = "static int function_" i "(struct thing *t, int a_" int(rand() * 50) ");"
		for (v = 1; v <= n; v++) {
			for (i = 0; i < 60; i++)
				line[int(rand() * 6000)] = "int changed_" v "_" int(rand() * 1000000) ";"
			for (i = 0; i < 6000; i++)
				print line[i] >("v" v ".c")
			print "version", v >("v" v ".txt")
			close("v" v ".c")
			close("v" v ".txt")
		}
	}'
}

sums()
{
	find . -type f -exec md5sum {} + | sort -k 2
}

# Frames take less, and all bytes are as they were.
gained()
{
	local freed made
	freed=$(number freed_bytes <"$1")
	made=$(number new_bytes <"$1")
	((freed > 0 && made * 10 < freed * 9)) || fail "freed $freed bytes for $made"
}

test_optimize_store()
{
	local before
	start
	versions 8
	sums >"$work/sums"
	cd "$work"
	unmount_at mnt
	before=$("$SIGMAFS" stat --json store | number frame_stored_bytes)
	optimize -n store | grep -q '^to gain' || fail 'no estimate'
	same 'bytes after an estimate' "$("$SIGMAFS" stat --json store | number frame_stored_bytes)" "$before"
	# What decodes fast enough is another thing on a busy machine each time.
	optimize --min-speed=1 --json -j 2 store >told
	gained told
	"$SIGMAFS" check store || fail 'not sound'
	# What is done is done.
	optimize --min-speed=1 --json store >told
	same 'frames of a second run' "$(number frames <told)" 0
	mount_at store mnt
	cd mnt
	sums | cmp - "$work/sums" || fail 'other bytes'
	again -o ro
	sums | cmp - "$work/sums" || fail 'other bytes, read-only'
	finish
}

# What is freed is given back, when it is more than it costs.
test_optimize_space()
{
	local before after
	start
	awk 'BEGIN {
		srand(2)
		for (i = 0; i < 900000; i++)
			printf "word%d%s", int(rand() * rand() * 5000), i % 12 ? " " : "\n"
	}' >words
	sums >"$work/sums"
	cd "$work"
	unmount_at mnt
	before=$(du -sb store | cut -f 1)
	# A sanitizer's decoder is slower than any bound that makes sense.
	optimize --min-speed=1 --json store >told
	gained told
	after=$(du -sb store | cut -f 1)
	((after < before)) || fail "$before bytes before, $after now"
	mount_at store mnt
	cd mnt
	sums | cmp - "$work/sums" || fail 'other bytes'
	finish
}

test_optimize_mounted()
{
	start
	versions 8
	sums >"$work/sums"
	"$SIGMAFS" sync .
	optimize --json . >"$work/told"
	gained "$work/told"
	sums | cmp - "$work/sums" || fail 'other bytes'
	# Goes on being written to.
	versions 9
	sums >"$work/sums"
	again
	sums | cmp - "$work/sums" || fail 'other bytes after it all'
	finish
}

test_optimize_paths()
{
	local all
	start
	mkdir a b
	(cd a && versions 4)
	(cd b && head -c 600000 /dev/urandom | base64 >noise)
	sums >"$work/sums"
	"$SIGMAFS" sync .
	if optimize . /etc/hostname 2>"$work/said"; then
		fail 'a file of another filesystem'
	fi
	grep -q "is not in '" "$work/said" || fail 'not told why'
	optimize --json . a >"$work/told"
	all=$(number looked_bytes <"$work/told")
	((all > 900000 && all < 1600000)) || fail "looked at $all bytes"
	finish
	cd "$work"
	optimize store b/noise nothing/here 2>said && fail 'a file that is not there'
	grep -q "'nothing/here': No such file" said || fail 'not told which'
	optimize --json store b >told
	(($(number looked_bytes <told) > 600000)) || fail 'not looked at'
	mount_at store mnt
	cd mnt
	sums | cmp - "$work/sums" || fail 'other bytes'
	finish
}

test_optimize_killed()
{
	local i
	start
	versions 12
	sums >"$work/sums"
	for i in 1 2 3; do
		"$SIGMAFS" sync .
		optimize . >/dev/null 2>&1 &
		sleep 0."$i"
		cd "$work"
		kill_daemon
		wait $! || true
		# The last of a dead daemon's threads may take its time.
		until_true flock -n store/lock true
		umount -l mnt
		mount_at store mnt
		cd mnt
		sums | cmp - "$work/sums" || fail "other bytes after $i"
	done
	optimize . >/dev/null
	sums | cmp - "$work/sums" || fail 'other bytes in the end'
	finish
}

test_optimize_interrupted()
{
	local status=0
	start
	versions 12
	sums >"$work/sums"
	"$SIGMAFS" sync .
	optimize -j 1 . >"$work/told" 2>&1 &
	sleep 0.3
	kill -INT $! || true
	wait $! || status=$?
	((status <= 1)) || fail "ended with $status"
	# The daemon goes on, without that job.
	optimize --json . >"$work/told" || fail 'cannot be begun again'
	sums | cmp - "$work/sums" || fail 'other bytes'
	finish
}

is_optimised()
{
	"$HELPER" say "$work/store/control" $'sigmafs 1 optimize poll\n' |
		grep -q '"running":true'
}

# The store is given back at once, and the command says why it ends.
test_optimize_unmounted()
{
	local status=0
	start
	versions 40
	"$SIGMAFS" sync .
	cd "$work"
	optimize -j 1 mnt >told 2>&1 &
	until_true is_optimised
	unmount_at mnt
	wait $! || status=$?
	same status "$status" 1
	# It may have asked when the job had ended, and the daemon not yet.
	grep -q 'was unmounted meanwhile\|ended before all was done' told ||
		fail "told: $(cat told)"
	mount_at store mnt
	cd mnt
	finish
}

test_optimize_usage()
{
	local bad
	for bad in --frame=1K --frame=5M --frame=x --min-speed=0 -j65; do
		optimize "$bad" "$work" 2>said && fail "$bad is taken"
		grep -q "$(sed 's/.*=//; s/^-j//' <<<"$bad")" said || fail "$bad: not told"
	done
	optimize 2>said && fail 'without a store'
	optimize "$work" 2>said && fail 'no store'
	grep -q 'sigmafs' said || fail 'not told'
}
