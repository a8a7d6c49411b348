# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# tar.sh - export and import: a store and a tar archive hold the same.

# One of everything, in the current directory.
tar_tree()
{
	local long
	mkdir -p dir/sub/below empty $'dir\xfe'
	seq 1 100000 >dir/numbers
	bytes 3000000 1 >dir/noise
	ln dir/numbers dir/sub/linked
	ln -s ../numbers dir/sub/link
	ln -s nowhere dangling
	ln -P dangling dangling-too
	truncate -s 9G big
	printf tail | dd of=big bs=1 seek=9000000000 conv=notrunc status=none
	truncate -s 1000000 hole
	truncate -s 5M mixed
	printf x | dd of=mixed bs=1 seek=2000000 conv=notrunc status=none
	: >nothing
	mkfifo pipe
	mknod null c 1 3
	mknod disk b 8 17
	echo odd >$'odd\xff\nname'
	echo inside >$'dir\xfe/inside'
	long=$(printf 'n%.0s' {1..200})
	mkdir -p "deep/$long/$long"
	echo long >"deep/$long/$long/file"
	setfattr -n user.one -v value dir/numbers
	setfattr -n trusted.two -v 0x0001ff dir
	setfattr -n user.eq=al%x -v 1 dir/sub
	setfattr -n security.capability \
		-v 0x0100000200200000000000000000000000000000 dir/noise
	"$SIGMAFS" policy set dir/sub effort=off
	echo listed >dir/listed
	setfacl -m u:1234:rw,g:4321:r,m:rw dir/listed
	setfacl -d -m u:1234:rwx dir/sub
	chown 1234:3000000 dir/sub
	chmod 4755 dir/noise
	chmod 1777 empty
	touch -d '1965-01-02 03:04:05' nothing
	touch -h -d '2003-03-03 03:03:03.5' dangling
	touch -d '2001-01-01 00:00:00.123456789' empty dir/sub/below dir/sub \
		dir "deep/$long" deep .
}

# same_trees A B [WINDOW]: all but times of change and birth; WINDOW as rsync has
# it for the others, -1 for the last digit.
same_trees()
{
	local difference
	# Nobody wants to read 9 GiB of nothing.
	difference=$(rsync -aHAXnc --delete -i --modify-window="${3:--1}" \
		--exclude=/big "$1/" "$2/")
	[[ -z $difference ]] || fail "$1 and $2 differ: $difference"
	same 'attributes of big' "$(stat -c '%s %a %u %g %Y' "$2/big")" \
		"$(stat -c '%s %a %u %g %Y' "$1/big")"
	cmp -i 8999990000 -n 20000 "$1/big" "$2/big"
	(($(stat -c %b "$2/big") < 1000)) || fail 'the hole is none'
}

# tar_extract TAR DIR
tar_extract()
{
	mkdir "$2"
	tar --xattrs --xattrs-include='*' --acls --sparse -C "$2" -xpf "$1" \
		2>tar.err
	# What GNU tar has to say of names that are not UTF-8, and of 1965.
	if grep -v 'hdrcharset\|implausibly old' tar.err; then
		fail 'tar complains'
	fi
}

# tar_complains PATTERN COMMAND...: it fails with status 1, saying that.
tar_complains()
{
	local status=0 pattern=$1
	shift
	"$@" >out 2>err || status=$?
	same "status of $*" "$status" 1
	grep -qE -- "$pattern" err ||
		fail "$* says: $(cat err); wanted: $pattern"
}

test_tar_export()
{
	start
	tar_tree
	finish
	"$SIGMAFS" export store >all.tar
	(($(stat -c %s all.tar) < 10000000)) || fail 'the holes are not'
	tar_extract all.tar tree
	(($(du -sm tree | cut -f 1) < 20)) || fail 'the holes are not'
	"$SIGMAFS" export store dir/sub/ >part.tar
	same 'part of it' "$(tar -tf part.tar | sort)" \
		"$(printf '%s\n' dir/sub/ dir/sub/below/ dir/sub/link \
			dir/sub/linked)"
	mount_at store mnt
	same_trees mnt tree
	unmount_at mnt
	tar_complains "'none': No such file" "$SIGMAFS" export store none
	tar_complains "no '..'" "$SIGMAFS" export store dir/../dir
	tar_complains 'cannot be written: No space' \
		sh -c "'$SIGMAFS' export store >/dev/full"
	refuses 2 'too few' "$SIGMAFS" export
}

# Of a socket there is nothing to archive.
test_tar_export_socket()
{
	start
	"$HELPER" socket sock
	echo text >file
	finish
	"$SIGMAFS" export store >all.tar 2>err
	grep -q "'./sock': a socket, left out" err || fail "$(cat err)"
	same names "$(tar -tf all.tar | sort)" $'./\n./file'
}

test_tar_export_damage()
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
	if "$SIGMAFS" export store >all.tar 2>err; then
		fail 'no failure'
	fi
	grep -q "'./noise': bytes [0-9]* to [0-9]* cannot be read: .* zeros there" \
		err || fail "$(cat err)"
	tar_extract all.tar tree
	same small "$(cat tree/small)" good
	bytes 3000000 1 >noise
	same length "$(stat -c %s tree/noise)" 3000000
	(($(cmp -l noise tree/noise | wc -l) < 600000)) ||
		fail 'more than the damage is lost'
	# Each byte is the right one, or zero.
	[[ -z $(cmp -l noise tree/noise | awk '$3 != 0') ]] || fail 'wrong bytes'
}

test_tar_import()
{
	local format
	start
	tar_tree
	cd "$work"
	# What GNU tar writes of times before 1970 is not right.
	touch -d '2000-01-01 00:00:00.25' mnt/nothing
	touch -d '2001-01-01' mnt
	for format in gnu posix; do
		tar --format=$format --xattrs --xattrs-include='*' --acls --sparse \
			-C mnt -cf $format.tar .
		"$SIGMAFS" mkfs -q new
		"$SIGMAFS" import new <$format.tar
		"$SIGMAFS" check new
		mount_at new other
		# A GNU archive has but seconds.
		same_trees mnt other "$([[ $format == gnu ]] && echo 0)"
		unmount_at other
		rm -r new
	done
	finish
}

# A tree as its own archive; again into itself, it stays as it is.
test_tar_there_and_back()
{
	start
	tar_tree
	finish
	"$SIGMAFS" mkfs -q new
	"$SIGMAFS" export store | "$SIGMAFS" import new
	"$SIGMAFS" export new >new.tar
	"$SIGMAFS" import new <new.tar
	"$SIGMAFS" check new
	mount_at store mnt
	mount_at new other
	same_trees mnt other
	unmount_at other
	unmount_at mnt
}

test_tar_import_merges()
{
	mkdir -p tree/both tree/file tree/gets
	echo new >tree/both/replaced
	echo new >tree/link
	echo new >tree/gets/a
	ln tree/gets/a tree/gets/b
	chmod 711 tree/both
	touch -d 2001-01-01 tree/both
	tar -C tree -cf all.tar .
	start
	mkdir -p both gets file link2 full
	echo old >both/replaced
	echo old >both/stays
	ln -s nowhere link
	echo old >gets/b
	echo old >full/file
	rmdir file
	echo old >file
	finish
	"$SIGMAFS" import store <all.tar
	mount_at store mnt
	same replaced "$(cat mnt/both/replaced)" new
	same stays "$(cat mnt/both/stays)" old
	same link "$(cat mnt/link) $(stat -c %F mnt/link)" 'new regular file'
	same linked "$(stat -c %i mnt/gets/a)" "$(stat -c %i mnt/gets/b)"
	same both "$(stat -c '%a %Y' mnt/both)" "711 $(date -d 2001-01-01 +%s)"
	same file "$(stat -c %F mnt/file)" directory
	unmount_at mnt
	# A directory that holds something goes for nothing else.
	rm -r tree
	mkdir tree
	echo new >tree/full
	echo new >tree/last
	tar -C tree -cf full.tar full last
	tar_complains "'full': there is a directory of this name, and it is not empty" \
		"$SIGMAFS" import store <full.tar
	same last "$("$SIGMAFS" cat store last full/file)" $'new\nold'
	"$SIGMAFS" check store
}

# What an enemy may write.
test_tar_import_hostile()
{
	mkdir -p in/below
	echo text >in/file
	ln -s /etc in/out
	ln in/file in/hard
	"$SIGMAFS" mkfs -q store
	tar -P -C in/below -cf up.tar ../file
	tar_complains "'../file': its name has '..' in it: left out" \
		"$SIGMAFS" import store <up.tar
	tar -P -cf abs.tar "$work/in/file"
	"$SIGMAFS" import store <abs.tar 2>err
	grep -q "names that begin with '/' begin at the root of the store" err ||
		fail "$(cat err)"
	same absolute "$("$SIGMAFS" cat store "$work/in/file")" text
	tar -P -C in --transform 's,^file$,../../file,hRS' -cf link.tar file hard
	tar_complains "'hard': a link to '../../file', which is not in the store" \
		"$SIGMAFS" import store <link.tar
	tar -C in -cf link.tar file hard
	tar --delete -f link.tar file
	rm -r store
	"$SIGMAFS" mkfs -q store
	tar_complains "'hard': a link to 'file', which is not in the store" \
		"$SIGMAFS" import store <link.tar
	# Nothing comes to lie behind a symbolic link.
	tar -C in -cf through.tar out
	tar -C in --transform 's,^file,out/file,' -rf through.tar file
	tar_complains "'out/file': what should be its directory is none" \
		"$SIGMAFS" import store <through.tar
	same link "$("$SIGMAFS" ls -l store out | sed 's/.* out/out/')" \
		'out -> /etc'
	tar_complains 'the input is empty' "$SIGMAFS" import store </dev/null
	bytes 100000 1 >noise
	tar_complains 'not a tar archive' "$SIGMAFS" import store <noise
	"$SIGMAFS" check store
}

# What came before the end is there, what it ended in is not.
test_tar_import_cut_off()
{
	mkdir in
	echo text >in/a
	truncate -s 1T in/huge
	bytes 3000000 1 >in/noise
	"$SIGMAFS" mkfs -q store
	tar -C in -cf - a noise | head -c 1000000 >cut.tar || true
	tar_complains "'noise': the archive ends, or is damaged, in the middle" \
		"$SIGMAFS" import store <cut.tar
	same names "$("$SIGMAFS" ls store)" a
	{ tar -C in -cf - huge || true; } 2>/dev/null | head -c 1000000 >cut.tar
	tar_complains "'huge': the archive ends" "$SIGMAFS" import store <cut.tar
	same names "$("$SIGMAFS" ls store)" a
	tar -C in -cf - a | head -c 1024 >cut.tar || true
	tar_complains "no end mark behind 'a'" "$SIGMAFS" import store <cut.tar
	same names "$("$SIGMAFS" cat store a)" text
	"$SIGMAFS" check store
}

# The disk is full: it says so, and what came before is there.
test_tar_import_full_disk()
{
	mkdir in disk
	echo text >in/a
	bytes 100000000 1 >in/noise
	mount -t tmpfs -o size=60m none disk
	"$SIGMAFS" mkfs -q disk/store
	tar -C in -cf all.tar a noise
	tar_complains "'noise': No space left on device; nothing behind it" \
		"$SIGMAFS" import disk/store <all.tar
	same names "$("$SIGMAFS" ls disk/store)" a
	"$SIGMAFS" check disk/store
	umount disk
}

test_tar_in_use()
{
	start
	cd "$work"
	refuses 1 "in use by process .*, mounted on '$work/mnt'" \
		"$SIGMAFS" export mnt
	refuses 1 "in use by process .*, mounted on '$work/mnt'" \
		"$SIGMAFS" import store
	finish
}

# What it takes does not grow with what there is.
test_tar_memory()
{
	local mb few=() many=()
	for mb in 100 250; do
		rm -rf store new all.tar
		start
		bytes ${mb}000000 1 >noise
		finish
		peak_into peak "$SIGMAFS" export store >all.tar
		many=("$(cat peak)")
		"$SIGMAFS" mkfs -q new
		peak_into peak "$SIGMAFS" import new <all.tar
		many+=("$(cat peak)")
		((mb > 100)) || few=("${many[@]}")
	done
	((many[0] < few[0] + 20000 && many[1] < few[1] + 20000)) ||
		fail "KiB: ${few[*]}, then ${many[*]}"
}
