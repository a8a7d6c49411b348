/* SPDX-License-Identifier: MIT */
/* test_check.c - planted damage is found, and nothing else is. */
#include "unit/volume/fixture.h"
#include "unit/volume/suites.h"

#include "volume/attr.h"
#include "volume/file.h"

#include <stdio.h>

#define ROOT VOLUME_ROOT

/* A volume with some of everything. */
struct planted {
	struct fixture f;
	uint64_t dir;
	uint64_t sub;
	uint64_t file;
	uint64_t link;
	char sql[INODE_IMAGE_MAX * 2 + 200];
};

static void planted_init(struct planted *p)
{
	struct fixture *f = &p->f;

	fixture_init(f);
	p->dir = make_dir(f, ROOT, "dir");
	p->sub = make_dir(f, p->dir, "sub");
	p->file = make_file(f, p->dir, "file");
	p->link = make_symlink(f, p->sub, "link", "a/b/c");
	ck_ok(file_write(f->v, p->file, 0, name_of("some data"), 0));
	ck_ok(try_link(f, p->file, p->sub, "second"));
	ck_ok(volume_setxattr(f->v, p->file, name_of("user.a"), name_of("1"),
			      0));
	ck_ok(volume_sync(f->v));
}

/* Runs `text` with '?' replaced by the number. */
static void sql(struct planted *p, const char *text, uint64_t ino)
{
	const char *mark = strchr(text, '?');

	(void)snprintf(p->sql, sizeof(p->sql), "%.*s%llu%s", (int)(mark - text),
		       text, (unsigned long long)ino, mark + 1);
	fixture_sql(&p->f, p->sql);
}

/* The findings hold `text`; removes the volume. */
static void expect(struct planted *p, const char *text)
{
	char findings[4000];

	ck_assert_uint_gt(fixture_findings(&p->f, findings, sizeof(findings)),
			  0);
	ck_assert_msg(strstr(findings, text), "'%s' is not in: %s", text,
		      findings);
	fixture_drop(&p->f);
}

/* Replaces an inode's row with a changed image. */
static void change_image(struct planted *p, uint64_t ino,
			 void (*change)(struct inode_image *image))
{
	struct inode_image image = { .attr = attr_of(&p->f, ino) };
	uint8_t bytes[INODE_IMAGE_MAX];
	size_t len;
	int n;

	if (S_ISDIR(image.attr.mode))
		image.parent = ino_of(&p->f, ino, "..");
	if (ino == p->file)
		image.flags = INODE_HAS_XATTRS;
	change(&image);
	len = inode_image_put(&image, bytes);
	n = snprintf(p->sql, sizeof(p->sql), "UPDATE inode SET image=x'");
	for (size_t i = 0; i < len; i++)
		n += snprintf(p->sql + n, sizeof(p->sql) - (size_t)n, "%02x",
			      bytes[i]);
	(void)snprintf(p->sql + n, sizeof(p->sql) - (size_t)n,
		       "' WHERE ino=%llu", (unsigned long long)ino);
	fixture_sql(&p->f, p->sql);
}

static void nothing(struct inode_image *image)
{
	(void)image;
}

static void more_links(struct inode_image *image)
{
	image->attr.nlink++;
}

static void no_links(struct inode_image *image)
{
	image->attr.nlink = 0;
}

static void other_parent(struct inode_image *image)
{
	image->parent = ROOT;
}

static void smaller(struct inode_image *image)
{
	image->attr.size--;
}

static void more_allocated(struct inode_image *image)
{
	image->attr.allocated++;
}

static void no_flags(struct inode_image *image)
{
	image->flags = 0;
}

static void is_fifo(struct inode_image *image)
{
	image->attr.mode = S_IFIFO | 0644;
}

START_TEST(nothing_is_wrong)
{
	struct planted p;

	planted_init(&p);
	change_image(&p, p.file, nothing);
	change_image(&p, p.sub, nothing);
	fixture_release(&p.f);
}
END_TEST

START_TEST(wrong_images)
{
	static const struct {
		void (*change)(struct inode_image *image);
		const char *of_file; /* what is found; NULL: do not try */
		const char *of_sub;
		const char *of_link;
	} cases[] = {
		{ more_links, "3 links, 2 names", "3 links, should be 2",
		  "2 links, 1 names" },
		{ no_links, "0 links, 2 names", "0 links, but not among",
		  "0 links, but not among" },
		{ other_parent, NULL, "but it lies in", NULL },
		{ smaller, "data up to 9, size 8", NULL, "size 4, target 5" },
		{ more_allocated, "9 bytes are mapped, 10 allocated", NULL,
		  NULL },
		{ no_flags, "attributes, but says otherwise", NULL, NULL },
		{ is_fifo, "has type 8, inode", "has type 4, inode",
		  "a target of a symbolic link" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *texts[] = { cases[i].of_file, cases[i].of_sub,
					cases[i].of_link };

		for (size_t k = 0; k < ARRAY_LEN(texts); k++) {
			struct planted p;
			uint64_t inos[3];

			if (!texts[k])
				continue;
			planted_init(&p);
			inos[0] = p.file;
			inos[1] = p.sub;
			inos[2] = p.link;
			change_image(&p, inos[k], cases[i].change);
			expect(&p, texts[k]);
		}
	}
}
END_TEST

START_TEST(wrong_rows)
{
	static const struct {
		const char *sql; /* ?: the number of `of` */
		char of;         /* f: file, s: sub, l: link, r: root */
		const char *found;
	} cases[] = {
		{ "DELETE FROM inode WHERE ino=?", 'f', "which is not there" },
		{ "DELETE FROM inode WHERE ino=?", 's', "is no directory" },
		{ "DELETE FROM inode WHERE ino=?", 'r', "no root" },
		{ "DELETE FROM inode WHERE ino=?", 'l',
		  "an attribute of inode" },
		{ "UPDATE inode SET image=x'01' WHERE ino=?", 'f',
		  "the row is damaged" },
		{ "DELETE FROM inode WHERE ino=?", 'f', "the total says" },
		{ "DELETE FROM dirent WHERE ino=?", 'f', "has no name" },
		{ "DELETE FROM dirent WHERE ino=?", 's', "has no name" },
		{ "UPDATE dirent SET parent=? WHERE parent<>1", 'f',
		  "is no directory" },
		{ "UPDATE dirent SET cookie=cookie+100 WHERE ino=?", 'l',
		  "cannot be found by its name" },
		{ "UPDATE dirent SET name=x'2f' WHERE ino=?", 'l',
		  "has a bad name" },
		{ "UPDATE dirent SET type=2 WHERE ino=?", 'l',
		  "has type 2, inode" },
		{ "INSERT INTO orphan VALUES(?)", 'f', "among the orphans" },
		{ "INSERT INTO orphan VALUES(?+1000)", 'f',
		  "there is no such inode" },
		{ "DELETE FROM xattr WHERE ino=?", 'f',
		  "has no attributes, but says" },
		{ "DELETE FROM xattr WHERE ino=?", 'l',
		  "no target of a symbolic link" },
		{ "UPDATE extent SET ino=?", 's', "which is no file" },
		{ "INSERT INTO dirent SELECT ?, cookie, name, 1, 4 FROM"
		  " dirent WHERE parent=1",
		  's', "has 1 names" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct planted p;
		uint64_t ino = ROOT;

		planted_init(&p);
		if (cases[i].of == 'f')
			ino = p.file;
		if (cases[i].of == 's')
			ino = p.sub;
		if (cases[i].of == 'l')
			ino = p.link;
		sql(&p, cases[i].sql, ino);
		expect(&p, cases[i].found);
	}
}
END_TEST

START_TEST(a_circle)
{
	struct planted p;

	planted_init(&p);
	/* `dir` lies in `sub`, which lies in `dir`. */
	sql(&p, "UPDATE dirent SET parent=? WHERE parent=1", p.sub);
	expect(&p, "cannot be reached from the root");
}
END_TEST

START_TEST(a_removed_directory_with_content)
{
	struct planted p;

	planted_init(&p);
	change_image(&p, p.dir, no_links);
	expect(&p, "removed, but not empty");
}
END_TEST

START_TEST(overlapping_extents)
{
	struct planted p;

	planted_init(&p);
	sql(&p,
	    "INSERT INTO extent SELECT ino, off+5, leaf FROM extent"
	    " WHERE ino=?",
	    p.file);
	expect(&p, "extents overlap at 5");
}
END_TEST

START_TEST(a_lost_map)
{
	struct planted p;

	planted_init(&p);
	sql(&p, "DELETE FROM extent WHERE ino=?", p.file);
	expect(&p, "0 bytes are mapped, 9 allocated");
}
END_TEST

Suite *suite_check(void)
{
	const TTest *const tests[] = {
		nothing_is_wrong,    wrong_images,
		wrong_rows,          a_circle,
		a_lost_map,          a_removed_directory_with_content,
		overlapping_extents,
	};

	return suite_of("volume/check", tests, ARRAY_LEN(tests), 120);
}
