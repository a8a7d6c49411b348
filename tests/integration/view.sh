# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# view.sh - looking into a store without mounting it: ls, cat.

# What lies in a store, but who has it open now.
store_sum()
{
	find "$1" -type f ! -name lock -print0 | sort -z | xargs -0 cksum
}

# complains PATTERN COMMAND...: it fails with status 1 and one line that matches.
# As refuses, of commands that open the store: its lock then has another time.
complains()
{
	local status=0 pattern=$1
	shift
	"$@" >out 2>err || status=$?
	same "status of $*" "$status" 1
	same "lines that '$*' says" \
		"$(grep -cv '^sigmafs: damage: ' err)" 1
	grep -qE -- "$pattern" err ||
		fail "$* says: $(cat err); wanted: $pattern"
}

test_view_ls()
{
	local before
	start
	mkdir -p dir/sub .hidden
	echo text >dir/file
	chmod 4711 dir/file
	touch -d '2001-02-03 04:05:06' dir/file
	ln -s dir/file link
	ln -s /dir below
	mkfifo pipe
	printf x >$'odd\n\e\xff'
	finish
	before=$(store_sum store)
	same names "$("$SIGMAFS" ls store | cat -v)" \
		$'below\ndir\nlink\nodd\n^[M-^?\npipe'
	same all "$("$SIGMAFS" ls -a store / | head -n 3)" $'.\n..\n.hidden'
	same 'a directory by a link' "$("$SIGMAFS" ls store below)" $'file\nsub'
	same 'the link itself' "$("$SIGMAFS" ls -l store link |
		sed 's/.* link/link/')" 'link -> dir/file'
	same long "$("$SIGMAFS" ls -l store dir | head -n 1)" \
		"-rws--x--x 1 $(id -u) $(id -g)    5 2001-02-03 04:05 file"
	same all-below "$("$SIGMAFS" ls -R store dir)" \
		$'dir:\nfile\nsub\n\ndir/sub:'
	"$SIGMAFS" ls --json -R store >out
	grep -q '^{"path":"/dir/file","type":"file",.*"mode":"4711","links":1,.*"size":5,.*"mtime":981173106,' \
		out || fail "$(cat out)"
	grep -q '^{"path":"/odd\\u000a\\u001b\\ufffd","path_hex":"2f6f64640a1bff",' \
		out || fail "$(cat out)"
	script -qec "$SIGMAFS ls store" /dev/null </dev/null >out
	grep -q '^odd\\n\\033\\377' out || fail "on a terminal: $(cat -v out)"
	rm out
	same store "$(store_sum store)" "$before"
	complains "'none': No such file" "$SIGMAFS" ls store none
	refuses 1 "nothing' cannot be found" "$SIGMAFS" ls nothing
	refuses 2 'too few' "$SIGMAFS" ls
	refuses 2 "too many: 'c'" "$SIGMAFS" ls store b c
}

test_view_cat()
{
	start
	bytes 3000000 1 >noise
	seq 1 1000 >numbers
	truncate -s 5000000 holes
	printf end >>holes
	mkdir dir
	ln -s ../numbers dir/link
	ln -s round round
	mkfifo pipe
	finish
	same 'all of them' "$("$SIGMAFS" cat store noise dir/link /holes |
		cksum)" "$({
		bytes 3000000 1
		seq 1 1000
		head -c 5000000 /dev/zero
		printf end
	} | cksum)"
	complains "'dir': Is a directory" "$SIGMAFS" cat store dir
	complains "'round': Too many levels" "$SIGMAFS" cat store round
	complains "'pipe' is not a regular file" "$SIGMAFS" cat store pipe
	complains "'numbers/': Not a directory" "$SIGMAFS" cat store numbers/
	refuses 2 'too few' "$SIGMAFS" cat store
	if "$SIGMAFS" cat store none numbers >out 2>err; then
		fail 'no failure'
	fi
	same 'the second file' "$(cksum <out)" "$(seq 1 1000 | cksum)"
	fails 'cannot write to the standard output: No space' \
		sh -c "'$SIGMAFS' cat store noise >/dev/full"
}

# Damage costs the file that it is in.
test_view_cat_damage()
{
	local segment
	start
	bytes 3000000 1 >noise
	echo good >small
	"$SIGMAFS" sync .
	finish
	segment=$(find store/log -name '*.seg' -size +1M | head -n 1)
	printf 'XXXX' | dd of="$segment" bs=1 seek=1000000 conv=notrunc \
		status=none
	if "$SIGMAFS" cat store noise small >out 2>err; then
		fail 'no failure'
	fi
	grep -q "^sigmafs: 'noise' at byte [0-9]*: " err || fail "$(cat err)"
	same small "$(tail -c 5 out)" good
	same 'what came before' "$(head -c -5 out | cksum)" \
		"$(bytes 3000000 1 >all && head -c "$(($(stat -c %s out) - 5))" all |
			cksum)"
}

# Mounted, it says where; after a crash it replays, and changes nothing.
test_view_in_use_and_crashed()
{
	local before
	start
	seq 1 100000 >numbers
	"$SIGMAFS" sync .
	cd "$work"
	refuses 1 "store' is in use by process $(daemon_pid), mounted on '$work/mnt'" \
		"$SIGMAFS" ls mnt
	refuses 1 "in use by .*, mounted on '$work/mnt'" \
		"$SIGMAFS" cat store numbers
	kill_daemon
	umount -l mnt
	before=$(store_sum store)
	same names "$("$SIGMAFS" ls store)" numbers
	same content "$("$SIGMAFS" cat store numbers | cksum)" \
		"$(seq 1 100000 | cksum)"
	same store "$(store_sum store)" "$before"
	rm store/index.db*
	same 'without the index' "$("$SIGMAFS" ls store)" numbers
	[[ ! -e store/index.db ]] || fail 'an index was made'
}
