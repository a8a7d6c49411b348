# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# cli.sh - command lines, and bad input: one clear line, the right status, and
# nothing made or changed.

test_cli_help()
{
	local command
	"$SIGMAFS" --help | grep -q 'mkfs .*mount\|Usage: sigmafs COMMAND'
	same version "$("$SIGMAFS" --version | wc -l)" 1
	for command in mkfs mount umount sync stat check encode decode; do
		"$SIGMAFS" help "$command" | grep -q "^Usage: sigmafs $command "
		"$SIGMAFS" "$command" --help | grep -q 'Exit status'
	done
	refuses 2 "unknown command 'nonsense'" "$SIGMAFS" help nonsense
}

test_cli_usage()
{
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	refuses 2 "unknown command 'nonsense'" "$SIGMAFS" nonsense
	refuses 2 "unknown option '--nonsense'" "$SIGMAFS" --nonsense
	refuses 1 "unknown option '--nonsense'" "$SIGMAFS" mkfs --nonsense new
	refuses 1 "unknown option '-Z'" "$SIGMAFS" mount -Z store mnt
	refuses 1 "unknown option '-Z'" "$SIGMAFS" umount -Z mnt
	refuses 2 "unknown option '-Z'" "$SIGMAFS" sync -Z mnt
	refuses 2 "unknown option '-Z'" "$SIGMAFS" stat -Z store
	refuses 16 "unknown option '-Z'" "$SIGMAFS" check -Z store
	refuses 1 'too few' "$SIGMAFS" mkfs
	refuses 1 'too few' "$SIGMAFS" mount store
	refuses 1 "too many: 'c'" "$SIGMAFS" mount store mnt c
	refuses 1 "'-o' needs a value" "$SIGMAFS" mount store mnt -o
	refuses 1 "'-L' needs a value" "$SIGMAFS" mkfs -L
	refuses 16 'too few' "$SIGMAFS" check
}

# A symbolic link is as good as the store.
test_cli_linked_store()
{
	"$SIGMAFS" mkfs -q store
	ln -s store link
	mount_at store mnt
	"$SIGMAFS" stat link | grep -q '^mounted on'
	"$SIGMAFS" sync link
	"$SIGMAFS" umount mnt
	"$SIGMAFS" stat link | grep -q '^files'
	"$SIGMAFS" mount link mnt
	"$SIGMAFS" stat link | grep -q '^mounted on'
	"$SIGMAFS" umount mnt
}

test_cli_mount_options()
{
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	refuses 1 "'nonsense': unknown" "$SIGMAFS" mount store mnt -o nonsense
	refuses 1 "'nonsense': unknown" \
		"$SIGMAFS" mount store mnt -o ro,nonsense=3
	refuses 1 "'cache': needs a size" "$SIGMAFS" mount store mnt -o cache=x
	refuses 1 "'dirty': needs a size" "$SIGMAFS" mount store mnt -o dirty
	refuses 1 "'workers': needs" "$SIGMAFS" mount store mnt -o workers=0
	refuses 1 "'effort': needs off, fastest" \
		"$SIGMAFS" mount store mnt -o effort=much
	refuses 1 "'ro': takes no value" "$SIGMAFS" mount store mnt -o ro=1
}

test_cli_no_store()
{
	mkdir mnt plain
	echo text >file
	for command in "mount %s mnt" "stat %s"; do
		status=$([[ $command == mount* ]] && echo 32 || echo 1)
		# shellcheck disable=SC2059,SC2046
		{
		refuses "$status" "plain' is not a sigmafs store" \
			"$SIGMAFS" $(printf "$command" plain)
		refuses "$status" "nothing' cannot be found: No such file" \
			"$SIGMAFS" $(printf "$command" nothing)
		refuses "$status" "file' is not a directory" \
			"$SIGMAFS" $(printf "$command" file)
		}
	done
	refuses 8 "plain' is not a sigmafs store" "$SIGMAFS" check plain
	refuses 8 "nothing' cannot be found" "$SIGMAFS" check nothing
	refuses 1 "plain' is not in a mounted store" "$SIGMAFS" sync plain
	refuses 32 "plain' is not mounted" "$SIGMAFS" umount plain
	refuses 32 "nothing' is not mounted" "$SIGMAFS" umount nothing
	refuses 32 "not a sigmafs mount, but of type proc" \
		"$SIGMAFS" umount /proc
}

test_cli_mkfs()
{
	mkdir full locked
	echo text >full/file
	echo text >file
	"$SIGMAFS" mkfs -L 'a label' store | grep -q "store at 'store'"
	grep -q '^label: a label$' store/sigmafs.store
	refuses 1 "'store': there is a store already" "$SIGMAFS" mkfs store
	refuses 1 "'full': the directory is not empty" "$SIGMAFS" mkfs full
	refuses 1 "'file': not a directory" "$SIGMAFS" mkfs file
	refuses 1 "'no/where': the directory above" "$SIGMAFS" mkfs no/where
	refuses 1 'longer than 64 bytes' \
		"$SIGMAFS" mkfs -L "$(printf 'x%.0s' {1..65})" new
	refuses 1 'control characters' "$SIGMAFS" mkfs -L $'a\nb' new
	refuses 1 "'locked/new': Permission denied" \
		as_nobody "$SIGMAFS" mkfs locked/new
	mkdir empty
	[[ -z $("$SIGMAFS" mkfs -q empty) ]]
	"$SIGMAFS" check empty
}

# newer_superblock VERSION INCOMPAT CHECKSUM
newer_superblock()
{
	printf '%s\n' 'sigmafs store' "version: $1" \
		'uuid: 00000000-0000-4000-8000-000000000000' 'compat: 0' \
		'ro-compat: 0' "incompat: $2" 'created: 1' "checksum: $3"
}

test_cli_newer_format()
{
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	newer_superblock 2 0 39fd9bec095f95d8 >store/sigmafs.store
	refuses 32 "store' has a newer format" "$SIGMAFS" mount store mnt
	refuses 1 "store' has a newer format" "$SIGMAFS" stat store
	newer_superblock 1 8000 038361d77e9651e2 >store/sigmafs.store
	refuses 8 "store' has a newer format" "$SIGMAFS" check store
}

test_cli_damaged_superblock()
{
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	cp store/sigmafs.store good
	for length in 0 1 13 50 100 149; do
		head -c "$length" good >store/sigmafs.store
		refuses 32 "store' is damaged" "$SIGMAFS" mount store mnt
	done
	sed 's/^compat: 0/compat: 1/' good >store/sigmafs.store
	refuses 1 "store' is damaged" "$SIGMAFS" stat store
	refuses 4 "store' is damaged" "$SIGMAFS" check store
}

# Parts that are missing, or that nobody writes to.
test_cli_odd_parts()
{
	local part status
	mkdir mnt
	for part in sigmafs.store lock log; do
		"$SIGMAFS" mkfs -q store
		rm -r "store/$part"
		[[ $part == log ]] || mkfifo "store/$part"
		refuses 32 "store' is damaged" timeout 20 "$SIGMAFS" mount \
			store mnt
		refuses 4 "store' is damaged" timeout 20 "$SIGMAFS" check store
		rm -r store
	done
	"$SIGMAFS" mkfs -q store
	rm store/index.db
	mkfifo store/index.db
	timeout 20 "$SIGMAFS" check store
	rm store/log/*
	mkfifo store/log/0000000001.seg
	status=0
	timeout 20 "$SIGMAFS" check store || status=$?
	same 'status of check' "$status" 4
}

test_cli_no_permission()
{
	"$SIGMAFS" mkfs -q store
	chmod 700 store
	mkdir -m 777 mnt
	refuses 32 "no permission to open the store '.*store'" \
		as_nobody "$SIGMAFS" mount store mnt
	refuses 1 'no permission' as_nobody "$SIGMAFS" stat store
	refuses 8 'no permission' as_nobody "$SIGMAFS" check store
}

test_cli_mount_point()
{
	"$SIGMAFS" mkfs -q store
	echo text >file
	refuses 32 "mount point 'nothing' does not exist" \
		"$SIGMAFS" mount store nothing
	refuses 32 "mount point 'file' is not a directory" \
		"$SIGMAFS" mount store file
	refuses 32 'is inside the store' "$SIGMAFS" mount store store/log
	refuses 32 'is inside the mount point' "$SIGMAFS" mount store .
}

test_cli_read_only_disk()
{
	mkdir disk mnt
	mount -t tmpfs -o size=300m none disk
	"$SIGMAFS" mkfs -q disk/store
	mount -o remount,ro disk
	refuses 1 "'disk/new': Read-only file system" \
		"$SIGMAFS" mkfs disk/new
	refuses 32 "disk/store' lies on a read-only filesystem; it can be mounted with -o ro" \
		"$SIGMAFS" mount disk/store mnt
	umount disk
}

test_cli_in_use()
{
	start
	cd "$work"
	mkdir other
	local by
	by="store' is in use by process $(daemon_pid), mounted on '$work/mnt'"
	refuses 32 "$by" "$SIGMAFS" mount store other
	refuses 8 "$by" "$SIGMAFS" check store
	finish
}

test_cli_stat()
{
	start
	bytes 100000 1 >one
	cp one two
	head -c 1000000 /dev/zero >zeros
	"$SIGMAFS" sync .
	same raw "$(value_of raw_bytes .)" 1200000
	same files "$(value_of files "$work/store")" 4
	(($(value_of stored_bytes .) < 300000)) || fail "stored too much"
	(($(value_of duplicates .) >= 1)) || fail "no duplicates"
	"$SIGMAFS" stat . | grep -q "^mounted on *$work/mnt (process"
	cd "$work"
	unmount_at mnt
	same 'raw, unmounted' "$(value_of raw_bytes store)" 1200000
	if "$SIGMAFS" stat store | grep -q mounted; then
		fail 'still mounted?'
	fi
}

test_cli_check()
{
	local status=0 segment
	start
	bytes 3000000 1 >file
	finish
	"$SIGMAFS" check store | grep -q "^'store': clean$"
	same json "$("$SIGMAFS" check --json store)" '{"store":"store",'\
'"findings":[],"n_findings":0,"complete":true,"clean":true}'
	# In the middle of the noise, where a frame is.
	segment=$(find store/log -name '*.seg' -size +1M | head -n 1)
	printf 'XXXX' | dd of="$segment" bs=1 seek=1000000 conv=notrunc \
		status=none
	"$SIGMAFS" check store >out 2>err || status=$?
	same status "$status" 4
	grep -q "error.* found$" out || fail "says: $(cat out err)"
	"$SIGMAFS" check --json store >out 2>/dev/null || true
	grep -q '"complete":true,"clean":false}$' out || fail "$(cat out)"
	mount_at store mnt
	fails 'Input/output error' cat mnt/file
	unmount_at mnt
}

test_cli_control_socket()
{
	start
	cd "$work"
	same mode "$(stat -c %a store/control)" 600
	"$HELPER" say store/control $'sigmafs 1 status\n' |
		grep -q "^{\"version\":1,\"pid\":$(daemon_pid),.*\"ok\":true}$"
	"$HELPER" say store/control $'sigmafs 1 nonsense\n' |
		grep -q '"ok":false,"errno":22,'
	"$HELPER" say store/control $'sigmafs 2 status\n' |
		grep -q '"ok":false,"errno":95,'
	"$HELPER" say store/control "$(head -c 3000 /dev/zero | tr '\0' x)" |
		grep -q '"ok":false'
	# One who says nothing keeps nobody waiting for long.
	"$HELPER" say store/control '' >/dev/null &
	timeout 60 "$SIGMAFS" sync mnt
	wait
	chmod 755 store
	refuses 1 'no permission' as_nobody "$SIGMAFS" sync store
	finish
	[[ ! -e store/control ]] || fail 'the socket is still there'
}

test_cli_policy()
{
	local plain small
	start
	mkdir plain off small
	same none "$("$SIGMAFS" policy get plain off)" \
		$'plain: none\noff: none'
	"$SIGMAFS" policy set off effort=off
	"$SIGMAFS" policy set small effort=small delta=off level=12
	mkdir small/below
	same inherited "$("$SIGMAFS" policy get small/below)" \
		'small/below: effort=small,level=12,delta=off'
	same xattr "$(getfattr --only-values -n user.sigmafs.policy off)" effort=off
	seq 1 300000 >plain/numbers
	"$SIGMAFS" sync .
	plain=$(value_of stored_bytes .)
	seq 300001 600000 >small/below/numbers
	"$SIGMAFS" sync .
	small=$(($(value_of stored_bytes .) - plain))
	((small < plain)) || fail "effort=small takes $small, not less than $plain"
	seq 600001 900000 >off/numbers
	"$SIGMAFS" sync .
	(($(value_of stored_bytes .) - plain - small > 2100000)) ||
		fail 'effort=off is smaller than it was'
	same numbers "$(cat plain/numbers small/below/numbers off/numbers |
		cksum)" "$(seq 1 900000 | cksum)"
	"$SIGMAFS" policy clear -R small
	same cleared "$("$SIGMAFS" policy get small/below/numbers)" \
		'small/below/numbers: none'
	"$SIGMAFS" policy set -R small delta=on
	same again "$("$SIGMAFS" policy get small/below/numbers)" \
		'small/below/numbers: delta=on'
	again
	same kept "$("$SIGMAFS" policy get off)" 'off: effort=off'
	cd "$work"
	mkdir elsewhere
	refuses 2 "'effort=all' is not a policy" \
		"$SIGMAFS" policy set mnt/off effort=all
	refuses 2 'KEY=VALUE is missing' "$SIGMAFS" policy set mnt/off
	refuses 2 "unknown action 'put'" "$SIGMAFS" policy put mnt/off
	refuses 1 'not in a mounted store' "$SIGMAFS" policy get elsewhere
	refuses 1 "'mnt/none': No such file" "$SIGMAFS" policy get mnt/none
	finish
}

# of_du PATH ARGUMENT...: its bytes, raw and stored.
of_du()
{
	local path=$1
	shift
	"$SIGMAFS" du --json "$@" |
		sed -n "s|^{\"path\":\"$path\",\"raw\":\([0-9]*\),\"stored\":\([0-9]*\),.*|\1 \2|p"
}

test_cli_du()
{
	local raw stored all half
	start
	mkdir -p one/two
	bytes 1000000 1 >one/noise
	bytes 500000 2 >one/two/noise
	seq 1 100000 >one/two/text
	ln one/noise one/two/linked
	truncate -s 1G one/hole
	ln -s noise one/link
	"$SIGMAFS" sync .
	read -r raw stored < <(of_du one one)
	same raw "$raw" $((512 * ($(stat -c %b one/noise) +
		$(stat -c %b one/two/noise) + $(stat -c %b one/two/text))))
	all=$(value_of frame_stored_bytes .)
	((stored >= all - 4 && stored <= all + 4)) ||
		fail "$stored of $all bytes"
	# What is shared counts in parts.
	cp one/two/noise one/two/copy
	"$SIGMAFS" sync .
	same 'a copy takes' "$(of_du one -s one | cut -d ' ' -f 2)" "$stored"
	half=$(getfattr --only-values -n user.sigmafs.stored one/two/copy)
	((half >= 250000 && half <= 260000)) || fail "half is $half"
	same listed "$(getfattr -d -m - one/two/copy)" ''
	fails 'not permitted' setfattr -n user.sigmafs.stored -v 1 one/two/copy
	fails 'No such attribute' getfattr -n user.sigmafs.stored one
	"$SIGMAFS" du one >"$work/told"
	same lines "$(wc -l <"$work/told")" 3
	same head "$(head -n 1 "$work/told" | tr -s ' ')" ' raw stored ratio'
	grep -qE '^ +[0-9.]+ [A-Za-z]+ +[0-9.]+ [A-Za-z]+ +[0-9]+\.[0-9]{2}  one/two$' \
		"$work/told" || fail "says: $(cat "$work/told")"
	same 'of here' "$("$SIGMAFS" du -s | tail -n 1 | sed 's/.* //')" .
	same total "$("$SIGMAFS" du -s one/noise one/hole | tail -n 1 |
		sed 's/.* //')" total
	"$SIGMAFS" du -s --json one/hole |
		grep -qx '{"path":"one/hole","raw":0,"stored":0,"ratio":0.*}' ||
		fail "says: $("$SIGMAFS" du -s --json one/hole)"
	cd "$work"
	refuses 1 'not in a mounted store' "$SIGMAFS" du told
	refuses 1 "'mnt/none': No such file" "$SIGMAFS" du mnt/none
	refuses 2 "" "$SIGMAFS" du --unknown
	finish
}

test_cli_explain()
{
	start
	seq 1 200000 >numbers
	truncate -s 2000000 numbers
	bytes 100000 3 >noise
	"$SIGMAFS" explain numbers >"$work/told"
	grep -qE '^ +0 +[0-9]+  chunk [0-9]+ \+0: [a-z0-9-]+.*, [0-9]+ bytes.*; frame [0-9]+, [0-9]+ to [0-9]+ bytes, [0-9]+ chunks, segment [0-9]+ @[0-9]+$' \
		"$work/told" || fail "says: $(cat "$work/told")"
	tail -n 1 "$work/told" | grep -q '  hole$' || fail 'no hole'
	same length "$(awk '{ n += $2 } END { print n }' "$work/told")" 2000000
	"$SIGMAFS" explain noise | grep -q ': store, ' || fail 'noise is not stored'
	"$SIGMAFS" explain --json noise | head -n 1 |
		grep -q '^{"offset":0,"length":[0-9]*,"kind":"chunk",' ||
		fail 'no JSON'
	: >empty
	same empty "$("$SIGMAFS" explain empty)" ''
	cd "$work"
	refuses 1 "'mnt' is not a regular file" "$SIGMAFS" explain mnt
	refuses 1 "'mnt/none': No such file" "$SIGMAFS" explain mnt/none
	refuses 1 'not in a mounted store' "$SIGMAFS" explain "$work/told"
	refuses 2 'too few arguments' "$SIGMAFS" explain
	finish
}
