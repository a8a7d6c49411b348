# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# rebuild.sh - the index is a view: it can be made again, and so can the superblock.

# A store with a bit of everything, and `ref`, a copy of what is in it.
rebuild_store()
{
	"$SIGMAFS" mkfs -q -L words store
	mount_at store mnt
	mkdir -p mnt/text/sub mnt/data
	for ((i = 0; i < 40; i++)); do
		seq "$i" $((i * 40 + 3)) >"mnt/text/sub/file$i"
	done
	bytes 300000 1 >mnt/data/noise
	ln mnt/data/noise mnt/data/other
	setfattr -n user.key -v value mnt/data/noise
	truncate -s 3000000 mnt/data/holes
	echo tail >>mnt/data/holes
	mkfifo -m 640 mnt/data/pipe
	"$SIGMAFS" umount mnt
	mount_at store mnt
	mv mnt/text/sub/file8 mnt/text/moved
	rsync -aHAX mnt/ ref/
	"$SIGMAFS" umount mnt
}

# rebuild_status STATUS ARGUMENT...: what it prints lies in report and err.
rebuild_status()
{
	local wanted=$1 status=0
	shift
	"$SIGMAFS" rebuild "$@" >report 2>err || status=$?
	[[ $status == "$wanted" ]] ||
		fail "rebuild $*: $status; $(cat report err)"
}

# Mounted, it is what it was; and it is sound.
rebuild_same()
{
	mount_at store mnt
	rsync -aHAXnc --delete -i ref/ mnt/ >differ
	"$SIGMAFS" umount mnt
	[[ ! -s differ ]] || fail "differs: $(cat differ)"
	"$SIGMAFS" check store >check.log || fail "$(cat check.log)"
}

# All of the store, but for who holds it.
rebuild_picture()
{
	(cd store && find . -type f ! -name lock -exec sha256sum {} + | sort)
}

test_rebuild_index()
{
	local before
	rebuild_store
	before=$(rebuild_picture)
	rebuild_status 0 -n store
	grep -q "^'store': the log tells of 47 files, .*; nothing was changed" \
		report || fail "$(cat report)"
	same 'the store' "$(rebuild_picture)" "$before"
	# One that is there is kept, whatever it is.
	rebuild_status 0 store
	[[ -s store/index.db.bad-1 ]] || fail 'the old index is not kept'
	cmp store/index.db.bad-1 store/index.db && fail 'it is the old one'
	rebuild_same
	# A missing one leaves nothing to keep.
	rm store/index.db*
	rebuild_status 0 --json store
	grep -q '"new_superblock":false.*"files":47,' report ||
		fail "$(cat report)"
	same 'files' "$(cd store && echo index.db*)" index.db
	rebuild_same
}

test_rebuild_superblock()
{
	local before uuid
	rebuild_store
	uuid=$(grep '^uuid' store/sigmafs.store)
	cp store/sigmafs.store good
	rm store/sigmafs.store
	refuses 32 'sigmafs rebuild makes it again' "$SIGMAFS" mount store mnt
	before=$(rebuild_picture)
	rebuild_status 4 -n store
	grep -q 'the superblock can be made again' err || fail "$(cat err)"
	same 'the store' "$(rebuild_picture)" "$before"
	rebuild_status 1 store
	same 'uuid' "$(grep '^uuid' store/sigmafs.store)" "$uuid"
	rebuild_same
	# A damaged one is kept, and what another attempt has left is no obstacle.
	tr 'w' 'v' <good >store/sigmafs.store
	echo half >store/sigmafs.store.new
	rebuild_status 1 --json store
	grep -q '"new_superblock":true.*"files":47,' report ||
		fail "$(cat report)"
	same 'uuid' "$(grep '^uuid' store/sigmafs.store)" "$uuid"
	grep -q vords store/sigmafs.store.bad-1
	[[ ! -e store/sigmafs.store.new ]] || fail 'something is left'
	rebuild_same
}

# What the log has lost cannot be made again; what comes before it can.
test_rebuild_damage()
{
	local before
	rebuild_store
	mount_at store mnt
	echo new >mnt/late
	"$SIGMAFS" umount mnt
	"$SIGMAFS" inspect store segments >segments
	rm store/log/0000000002.seg
	# An index that is there knows more.
	before=$(rebuild_picture)
	rebuild_status 4 --json store
	grep -q 'the index is left as it is' err || fail "$(cat err)"
	grep -q '"rebuilt":false.*"read_only":' report || fail "$(cat report)"
	same 'the store' "$(rebuild_picture)" "$before"
	rm store/index.db
	rebuild_status 4 store
	grep -q "read-only, because " report || fail "$(cat report err segments)"
}

test_rebuild_refused()
{
	"$SIGMAFS" mkfs -q store
	mount_at store mnt
	refuses 8 "in use by process [0-9]+, mounted on" "$SIGMAFS" rebuild store
	"$SIGMAFS" umount mnt
	mkdir empty
	refuses 8 "'empty' is not a sigmafs store" "$SIGMAFS" rebuild empty
	refuses 8 "'nowhere' cannot be found" "$SIGMAFS" rebuild nowhere
	refuses 16 'STORE' "$SIGMAFS" rebuild
	refuses 16 'x' "$SIGMAFS" rebuild -x store
	# Segments of two stores under one roof belong to neither.
	"$SIGMAFS" mkfs -q two
	mount_at two mnt
	"$SIGMAFS" umount mnt
	cp two/log/0000000001.seg store/log/0000000009.seg
	rm store/sigmafs.store
	refuses 4 'is damaged' "$SIGMAFS" rebuild store
	rm store/log/*
	refuses 4 'is damaged' "$SIGMAFS" rebuild store
}
