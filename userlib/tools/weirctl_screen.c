// SPDX-License-Identifier: LGPL-2.1 OR MIT
/*
 * The live view on a terminal: one view at a time, cut to the terminal's size,
 * and keys to go from one to another. It knows nothing of weir: its callers
 * pass a heading and a table.
 */
#include <errno.h>
#include <ncurses.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weirctl.h"
#include "weirctl_screen.h"
#include "weirctl_table.h"

#define WEIRCTL_KEYS_LINE	2	/* behind two lines of heading */
#define WEIRCTL_TOP_LINES	5	/* heading, keys, blank, titles */

static const char *const weirctl_views[WEIRCTL_VIEWS] = {
	[WEIRCTL_VIEW_STREAMS]	= "1 streams",
	[WEIRCTL_VIEW_CURSORS]	= "2 cursors",
	[WEIRCTL_VIEW_ROUTES]	= "3 routes",
	[WEIRCTL_VIEW_TARGETS]	= "4 targets",
};

/**
 * struct weirctl_screen - the terminal
 * @screen: the screen of ncurses.
 * @view: what is shown.
 * @first: row of the table that is shown first.
 * @left: column of the table that is shown first.
 * @rows: number of rows of the table.
 */
struct weirctl_screen {
	SCREEN			*screen;
	enum weirctl_view	view;
	int			first;
	int			left;
	int			rows;
};

/* NULL when this terminal has no screen. */
struct weirctl_screen *weirctl_screen_open(void)
{
	struct weirctl_screen *s = weirctl_must(calloc(1, sizeof(*s)));

	s->screen = newterm(NULL, stdout, stdin);
	if (!s->screen) {
		free(s);
		return NULL;
	}
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	return s;
}

void weirctl_screen_close(struct weirctl_screen *s)
{
	if (!s)
		return;
	endwin();
	delscreen(s->screen);
	free(s);
}

enum weirctl_view weirctl_screen_view(const struct weirctl_screen *s)
{
	return s->view;
}

/* A line of @text from column @left on, no longer than the terminal is wide. */
static void weirctl_screen_line(int y, const char *text, int left, attr_t how)
{
	int len = (int)strcspn(text, "\n") - left;

	if (y >= LINES)
		return;
	attrset(how);
	mvaddnstr(y, 0, len > 0 ? text + left : "", len < COLS ? len : COLS);
	attrset(A_NORMAL);
}

static const char *weirctl_screen_next(const char *text)
{
	text += strcspn(text, "\n");
	return text + (*text == '\n');
}

static void weirctl_screen_keys(const struct weirctl_screen *s)
{
	static const char help[] = "  Tab: next  arrows: scroll  q: quit";
	int i, x = 0;

	for (i = 0; i < WEIRCTL_VIEWS; i++) {
		int width = (int)strlen(weirctl_views[i]) + 2;

		if (x + width > COLS)
			return;
		attrset(i == (int)s->view ? A_REVERSE : A_NORMAL);
		mvprintw(WEIRCTL_KEYS_LINE, x, " %s ", weirctl_views[i]);
		x += width;
	}
	attrset(A_NORMAL);
	if (x + (int)strlen(help) <= COLS)
		mvaddstr(WEIRCTL_KEYS_LINE, x, help);
}

/* Draws two lines of heading and a table, whose first line is its titles. */
void weirctl_screen_draw(struct weirctl_screen *s, const char *heading,
			 const struct weirctl_table *t)
{
	char *text = weirctl_table_text(t);
	int room = LINES - WEIRCTL_TOP_LINES, row;
	const char *line = text;

	s->rows = (int)weirctl_table_rows(t);
	if (s->first > s->rows - room)
		s->first = s->rows - room;
	if (s->first < 0)
		s->first = 0;
	erase();
	weirctl_screen_line(0, heading, 0, A_BOLD);
	weirctl_screen_line(1, weirctl_screen_next(heading), 0, A_BOLD);
	weirctl_screen_keys(s);
	weirctl_screen_line(WEIRCTL_TOP_LINES - 1, line, s->left, A_UNDERLINE);
	for (row = 0; row < s->rows; row++) {
		line = weirctl_screen_next(line);
		if (row >= s->first)
			weirctl_screen_line(WEIRCTL_TOP_LINES + row - s->first,
					    line, s->left, A_NORMAL);
	}
	refresh();
	free(text);
}

static void weirctl_screen_show(struct weirctl_screen *s, int view)
{
	s->view = (enum weirctl_view)view;
	s->first = 0;
	s->left = 0;
}

/* Handles a key. Returns false if the key quits. */
static bool weirctl_screen_key(struct weirctl_screen *s, int key)
{
	int page = LINES - WEIRCTL_TOP_LINES;

	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case '1':
	case '2':
	case '3':
	case '4':
		weirctl_screen_show(s, key - '1');
		break;
	case '\t':
		weirctl_screen_show(s, (s->view + 1) % WEIRCTL_VIEWS);
		break;
	case KEY_BTAB:
		weirctl_screen_show(s, (s->view + WEIRCTL_VIEWS - 1) %
				    WEIRCTL_VIEWS);
		break;
	case KEY_DOWN:
	case 'j':
		s->first++;
		break;
	case KEY_UP:
	case 'k':
		s->first--;
		break;
	case KEY_NPAGE:
		s->first += page;
		break;
	case KEY_PPAGE:
		s->first -= page;
		break;
	case KEY_HOME:
		s->first = 0;
		break;
	case KEY_END:
		s->first = s->rows;
		break;
	case KEY_RIGHT:
		s->left += 8;
		break;
	case KEY_LEFT:
		s->left = s->left > 8 ? s->left - 8 : 0;
		break;
	default:
		/* a new size among others: draw again */
		break;
	}
	return true;
}

/* Waits for a key, a new size, a signal or the time to pass; false to quit. */
bool weirctl_screen_wait(struct weirctl_screen *s, double seconds)
{
	int key;

	timeout((int)(seconds * 1000) + 1);
	key = getch();
	return key == ERR || weirctl_screen_key(s, key);
}
