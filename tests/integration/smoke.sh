# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2164
#
# smoke.sh - every operation once, and that it is still so after a mount.

describe()
{
	find . -printf '%p %i %M %n %U %G %s %t %l\n' | sort
}

test_smoke_files()
{
	start
	echo hello >file
	bytes 3000000 1 >big
	mkdir -p a/b/c
	ln -s "../file" a/link
	ln file a/hard
	mkfifo fifo
	mknod null c 1 3
	mknod disk b 7 200
	same socket "$("$HELPER" socket socket)" 0
	chmod 4751 big
	chown 12:34 file
	touch -d '2001-02-03 04:05:06.123456789' big
	touch -h -d '1931-02-03 04:05:06.5' a/link
	describe >"$work/before"
	md5sum file big >"$work/sums"
	again
	describe | diff "$work/before" -
	md5sum -c --quiet "$work/sums"
	same 'links of file' "$(stat -c %h file)" 2
	same 'links of .' "$(stat -c %h .)" 3
	same target "$(readlink a/link)" ../file
	same null "$(stat -c %t:%T null)" 1:3
	cat null
	finish
}

test_smoke_remove()
{
	start
	mkdir -p a/b
	echo 1 >a/b/one
	fails 'Directory not empty' rmdir a
	fails 'Not a directory' rmdir a/b/one
	fails 'Is a directory' unlink a
	fails 'File exists' mkdir a
	fails 'No such file' cat nothing
	rm a/b/one
	rmdir a/b
	rmdir a
	same left "$(ls -A)" ''
	finish
}

test_smoke_names()
{
	local long
	start
	long=$(printf 'n%.0s' {1..255})
	echo 1 >"$long"
	fails 'File name too long' touch "${long}x"
	echo 2 >$'with \n newline'
	echo 3 >$'\xff\xfe'
	again
	same long "$(cat "$long")" 1
	same newline "$(cat $'with \n newline')" 2
	same bytes "$(cat $'\xff\xfe')" 3
	finish
}

test_smoke_rename()
{
	start
	echo a >a
	echo b >b
	mkdir d full
	echo c >full/c
	mv a d/a
	mv -f b d/a
	same replaced "$(cat d/a)" b
	fails 'subdirectory of itself' mv d d/below
	same 'over a full one' "$("$HELPER" rename 0 d full)" ENOTEMPTY
	same 'file over directory' "$("$HELPER" rename 0 d/a full)" EISDIR
	same 'directory over file' "$("$HELPER" rename 0 full d/a)" ENOTDIR
	same NOREPLACE "$("$HELPER" rename 1 d full)" EEXIST
	same NOREPLACE "$("$HELPER" rename 1 d new)" 0
	same EXCHANGE "$("$HELPER" rename 2 new full)" 0
	same exchanged "$(cat full/a new/c)" $'b\nc'
	same WHITEOUT "$("$HELPER" rename 4 new/c new/d)" 0
	same 'what stays behind' "$(stat -c '%F %t,%T' new/c)" \
		'character special file 0,0'
	rm new/c
	mv new/d full/moved
	same '..' "$(stat -c %i full/..)" "$(stat -c %i .)"
	again
	same 'after all' "$(cat full/a full/moved)" $'b\nc'
	finish
}

test_smoke_listing()
{
	local i
	start
	mkdir many
	for ((i = 0; i < 3000; i++)); do
		: >"many/file-$i"
	done
	same count "$(find many -type f | wc -l)" 3000
	same 'once each' "$(find many -type f | sort -u | wc -l)" 3000
	# Removing while reading skips nothing.
	same removed "$(find many -type f -print -delete | wc -l)" 3000
	same left "$(find many -type f | wc -l)" 0
	finish
}

test_smoke_statfs()
{
	start
	same 'name length' "$(stat -f -c %l .)" 255
	(($(stat -f -c %a .) > 1000)) || fail 'no space'
	df -P . | grep -q "^$work/store "
	finish
}

test_smoke_xattr()
{
	start
	touch file
	mkdir dir
	setfattr -n user.one -v 1 file
	setfattr -n user.two -v "$(printf 'x%.0s' {1..10000})" file
	setfattr -n trusted.three -v 3 dir
	setfattr -n user.empty file
	same list "$(getfattr --absolute-names -m - file | tail -n +2)" \
		$'user.empty\nuser.one\nuser.two'
	fails 'not supported' setfattr -n nonsense.name -v 1 file
	setfacl -m u:1:r,m:rw dir
	fails 'No such attribute' getfattr -n user.none file
	setfattr -x user.one file
	fails 'No such attribute' setfattr -x user.one file
	again
	same value "$(getfattr --only-values -n user.two file | wc -c)" 10000
	same trusted "$(getfattr --only-values -n trusted.three dir)" 3
	same acl "$(getfacl -cp dir | grep -c '^user:[^:]*:r--$')" 1
	same mode "$(stat -c %a dir)" 765
	same list "$(getfattr --absolute-names -m - file | tail -n +2)" \
		$'user.empty\nuser.two'
	finish
}
