# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# mounts.sh - the ways to mount and unmount, orderly ends and others.

# Nothing changes, whatever state the store is in; and nothing can be changed.
test_read_only_medium()
{
	local before pid
	start
	echo one >one
	bytes 3000000 1 >two
	"$SIGMAFS" sync .
	cd ..
	pid=$(holder_of store)
	kill -KILL "$pid"
	wait_gone "$pid"
	"$SIGMAFS" umount mnt
	rm -f store/control
	before=$(find store ! -name lock ! -name store -type f -exec md5sum {} + | sort)
	"$SIGMAFS" check store
	"$SIGMAFS" stat store
	mount_at store mnt -o ro
	same content "$(cat mnt/one)" one
	bytes 3000000 1 | cmp - mnt/two
	"$SIGMAFS" stat mnt
	(echo no >mnt/three) 2>/dev/null && fail 'it was written'
	"$SIGMAFS" umount mnt
	same 'the store' "$(find store ! -name lock -type f -exec md5sum {} + | sort)" "$before"
	mkdir frozen
	mount --bind store frozen
	mount -o remount,bind,ro frozen
	"$SIGMAFS" mount frozen mnt 2>err && fail 'mounted to write'
	grep -q 'can be mounted with -o ro' err || fail "says: $(cat err)"
	"$SIGMAFS" mount frozen mnt -o ro
	same content "$(cat mnt/one)" one
	"$SIGMAFS" umount mnt
	"$SIGMAFS" check frozen
	umount frozen
	same 'the store' "$(find store ! -name lock -type f -exec md5sum {} + | sort)" "$before"
}

test_mount_type()
{
	start
	cd "$work"
	same type "$(findmnt -n -o FSTYPE mnt)" fuse.sigmafs
	same source "$(findmnt -n -o SOURCE mnt)" "$work/store"
	[[ ,$(findmnt -n -o OPTIONS mnt), != *,nosuid,* ]] || fail nosuid
	again -o nosuid,nodev,noexec,noatime
	cd "$work"
	for option in nosuid nodev noexec noatime; do
		[[ ,$(findmnt -n -o OPTIONS mnt), == *,$option,* ]] ||
			fail "no $option"
	done
	finish
}

# As mount.fuse3 runs us, with the words of fstab. An installed program it finds
# by the type "fuse.sigmafs"; another one by its path.
test_mount_by_mount()
{
	"$SIGMAFS" mkfs -q 'a store'
	mkdir mnt
	mount -t fuse -o \
		defaults,nofail,allow_other,_netdev,x-systemd.automount,cache=32M \
		"$SIGMAFS#$work/a store" mnt
	pids+=("$(holder_of 'a store')")
	same type "$(findmnt -n -o FSTYPE mnt)" fuse.sigmafs
	echo text >mnt/file
	"$SIGMAFS" umount mnt
	wait_gone "$(daemon_pid)"
	printf '%s %s fuse defaults,noauto,nofail 0 0\n' \
		"$SIGMAFS#$work/a\\040store" "$work/mnt" >fstab
	mount -T fstab "$work/mnt"
	pids+=("$(holder_of 'a store')")
	same content "$(cat mnt/file)" text
	umount mnt
	wait_gone "$(daemon_pid)"
	"$SIGMAFS" check 'a store'
}

test_mount_helper_names()
{
	mkdir mnt
	for name in mkfs.sigmafs mount.fuse.sigmafs umount.sigmafs \
		fsck.sigmafs; do
		ln -s "$SIGMAFS" "$name"
	done
	./mkfs.sigmafs -q store
	./mount.fuse.sigmafs store mnt -f -o rw,suid,dev
	! mountpoint -q mnt || fail '-f of mount(8) is to do nothing'
	./mount.fuse.sigmafs store mnt -v -n -s -o rw,suid,dev
	pids+=("$(holder_of store)")
	mountpoint -q mnt
	./umount.sigmafs mnt
	./fsck.sigmafs -a -C0 store
}

test_mount_read_only()
{
	start
	echo text >file
	again -o ro
	same content "$(cat file)" text
	fails 'Read-only file system' touch file
	fails 'Read-only file system' rm file
	cd "$work"
	refuses 32 'was mounted read-only' "$SIGMAFS" mount store mnt -o \
		remount,rw
	finish
}

test_mount_remount()
{
	start
	echo text >file
	"$SIGMAFS" mount "$work/store" "$work/mnt" -o remount,ro
	fails 'Read-only file system' touch file
	same content "$(cat file)" text
	"$SIGMAFS" mount "$work/store" "$work/mnt" -o remount,rw
	echo more >>file
	same content "$(cat file)" $'text\nmore'
	finish
}

test_mount_options()
{
	start -o cache=8M,dirty=4M,workers=1,commit=1,effort=fastest
	bytes 5000000 1 >random
	seq 1 300000 >text
	md5sum random text >"$work/sums"
	"$SIGMAFS" sync .
	(($(value_of frames_lz4 .) > 0)) || fail 'no lz4'
	again -o effort=small,sync
	md5sum -c --quiet "$work/sums"
	seq 1 300000 >text2
	cmp text text2
	finish
}

test_mount_foreground()
{
	local pid
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	"$SIGMAFS" mount -f store mnt &
	pid=$!
	pids+=("$pid")
	until_true mountpoint -q mnt
	echo text >mnt/file
	kill -INT "$pid"
	wait "$pid"
	! mountpoint -q mnt || fail 'still mounted'
	mount_at store mnt
	same content "$(cat mnt/file)" text
	finish
}

# Whatever is open when it is called, or is not.
test_mount_odd_descriptors()
{
	local status
	"$SIGMAFS" mkfs -q store
	mkdir mnt
	exec 9>lock
	flock -n 9
	"$SIGMAFS" mount store mnt <&- >&- 2>&-
	pids+=("$(holder_of store)")
	exec 9>&-
	flock -n lock true || fail 'the daemon keeps what it was given'
	bytes 3000000 1 >mnt/file
	"$SIGMAFS" umount mnt <&- >&- 2>&-
	"$SIGMAFS" stat store >&- 2>err && fail 'told nobody, and is content'
	grep -q 'cannot write to the standard output' err || fail "says: $(cat err)"
	status=0
	"$SIGMAFS" check store >/dev/full || status=$?
	same 'status of check' "$status" 8
	mount_at store mnt
	bytes 3000000 1 | cmp - mnt/file
	cd mnt
	finish
}

test_mount_busy()
{
	start
	echo text >file
	exec 9<file
	cd "$work"
	refuses 32 "'$work/mnt' is in use" "$SIGMAFS" umount mnt
	same 'still served' "$(cat mnt/file)" text
	exec 9<&-
	finish
}

# In two places: only the last one ends it, but a signal ends both.
test_mount_in_two_places()
{
	start
	mkdir dir "$work/other"
	echo text >dir/file
	cd "$work"
	mount --bind mnt/dir other
	"$SIGMAFS" umount mnt
	! mountpoint -q mnt || fail 'still mounted'
	same 'still served' "$(cat other/file)" text
	"$SIGMAFS" umount other
	same 'who holds the store' "$("$SIGMAFS" check store >/dev/null; echo $?)" 0
	mount_at store mnt
	mount --bind mnt other
	echo more >>other/dir/file
	kill -TERM "$(daemon_pid)"
	wait_gone "$(daemon_pid)"
	! mountpoint -q mnt || fail 'mnt is still mounted'
	! mountpoint -q other || fail 'other is still mounted'
	mount_at store mnt
	same content "$(cat mnt/dir/file)" $'text\nmore'
	finish
}

# A shared subtree has it in two places, and loses it in both.
test_mount_in_a_shared_subtree()
{
	"$SIGMAFS" mkfs -q store
	mkdir one two
	mount --bind one one
	mount --make-shared one
	mkdir one/mnt
	mount --rbind one two
	mount_at store one/mnt
	bytes 8000000 3 >two/mnt/file
	"$SIGMAFS" umount one/mnt
	! mountpoint -q two/mnt || fail 'two/mnt is still mounted'
	"$SIGMAFS" check store
	umount two
	umount one
}

# Another program's umount: the daemon goes on until all is written.
test_mount_umount_by_others()
{
	start
	bytes 20000000 7 >file
	cd "$work"
	umount mnt
	wait_gone "$(daemon_pid)"
	mount_at store mnt
	bytes 20000000 7 | cmp - mnt/file
	finish
}

# Dirty pages that the kernel still holds are not lost.
test_mount_sigterm()
{
	local signal
	start
	for signal in TERM INT HUP; do
		bytes 8000000 "$(daemon_pid)" >file
		"$HELPER" hold held 'not closed yet' \
			"kill -$signal $(daemon_pid)" || true
		cd "$work"
		wait_gone "$(daemon_pid)"
		! mountpoint -q mnt || fail 'still mounted'
		bytes 8000000 "$(daemon_pid)" >wanted
		mount_at store mnt
		cd mnt
		cmp file "$work/wanted"
		same held "$(cat held)" 'not closed yet'
		rm held
	done
	finish
}

# Where only root may open /dev/fuse, a namespace of our own has another one.
test_mount_user()
{
	mkdir -m 777 home
	if as_nobody test -w /dev/fuse; then
		user_mounts
	else
		export -f user_mounts as_nobody same fail fails is_gone \
			until_true wait_gone
		work=$work unshare -m bash -ec '
			mkdir dev
			mount -t tmpfs none dev
			mknod -m 666 dev/fuse c 10 229
			mount --bind dev/fuse /dev/fuse
			user_mounts'
	fi
}

user_mounts()
{
	local pid
	cd home
	as_nobody "$SIGMAFS" mkfs -q store
	as_nobody mkdir mnt
	as_nobody "$SIGMAFS" mount store mnt
	same type "$(findmnt -n -o FSTYPE mnt)" fuse.sigmafs
	as_nobody sh -c 'echo text >mnt/file'
	same content "$(as_nobody cat mnt/file)" text
	fails 'Permission denied' ls mnt
	as_nobody "$SIGMAFS" sync mnt
	same raw "$(as_nobody "$SIGMAFS" stat --json mnt |
		sed -n 's/.*"raw_bytes":\([0-9]*\).*/\1/p')" 5
	as_nobody "$SIGMAFS" umount mnt
	as_nobody "$SIGMAFS" check store
	# And by a signal.
	as_nobody "$SIGMAFS" mount store mnt
	pid=$(sed -n 's/^process \([0-9]*\).*/\1/p' store/lock)
	as_nobody sh -c 'echo more >>mnt/file'
	as_nobody kill -TERM "$pid"
	wait_gone "$pid"
	if mountpoint -q mnt; then
		fail 'still mounted'
	fi
	as_nobody "$SIGMAFS" mount store mnt
	same content "$(as_nobody cat mnt/file)" $'text\nmore'
	as_nobody fusermount3 -u mnt
	cd "$work"
}

test_mount_long_path()
{
	local long
	long=$(printf 'd%.0s' {1..100})
	mkdir -p "$long/$long" mnt
	"$SIGMAFS" mkfs -q "$long/$long/store"
	mount_at "$long/$long/store" mnt
	echo text >mnt/file
	"$SIGMAFS" sync mnt
	"$SIGMAFS" stat mnt | grep -q '^mounted on'
	"$SIGMAFS" umount mnt
}

test_mount_odd_names()
{
	local store="st,or e\\" dir=$'m n\tt'
	"$SIGMAFS" mkfs -q "$store"
	mount_at "$store" "$dir"
	echo text >"$dir/file"
	"$SIGMAFS" sync "$dir"
	"$SIGMAFS" stat --json "$dir" | grep -qF "m n\\u0009t"
	"$SIGMAFS" stat "$dir" | grep -qF "st,or e\\"
	"$SIGMAFS" umount "$dir"
	"$SIGMAFS" check "$store"
}
