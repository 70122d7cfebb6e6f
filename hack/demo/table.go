package main

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// style is how a text looks on a terminal: an SGR parameter (ECMA-48, section 8.3.117); empty: as it is.
type style string

// The styles.
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
)

// paint puts the style around a text.
func (s style) paint(text string) string {
	if s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// hidden stands for every value of a Secret.
const hidden = "•••"

// none stands for what is not there.
const none = "–"

// gap is the space between two columns.
const gap = 2

// cell is a text in a table.
type cell struct {
	text  string
	style style
}

// tokenHeader names what matters most first, since a narrow terminal cuts the last columns off.
func tokenHeader() []cell {
	return header("OAUTHTOKEN", "READY", "REASON", "EXPIRES", "RENEWED", "VENDOR", "GRANT")
}

func secretHeader() []cell { return header("SECRET", "KEYS") }

func header(names ...string) []cell {
	cells := make([]cell, 0, len(names))
	for _, name := range names {
		cells = append(cells, cell{name, dim})
	}
	return cells
}

// tokenRow is an OAuthToken as a row.
func tokenRow(t tokenView, now time.Time) []cell {
	expires, renewed := none, none
	if !t.expiresAt.IsZero() {
		expires, renewed = until(t.expiresAt, now), fmt.Sprintf("%d×", t.renewals)
	}
	return []cell{
		{t.name, bold}, readyCell(t), reasonCell(t), {expires, plain}, {renewed, plain}, {t.vendor, plain}, {t.grant, plain},
	}
}

func readyCell(t tokenView) cell {
	switch {
	case t.ready.isTrue():
		return cell{"True", green}
	case t.ready.status == "":
		return cell{none, dim}
	case interactive(t):
		return cell{string(t.ready.status), yellow}
	default:
		return cell{string(t.ready.status), red}
	}
}

// reasonCell is the reason of Ready; while that is True and renewal fails, the other condition counts.
func reasonCell(t tokenView) cell {
	if t.failing.isTrue() {
		return cell{"RenewalFailing", yellow}
	}
	return cell{t.ready.reason, plain}
}

// secretRow is a Secret as a row: its keys, and no value.
func secretRow(s secretView) []cell {
	keys := make([]string, 0, len(s.keys))
	for _, key := range s.keys {
		keys = append(keys, key+"="+hidden)
	}
	return []cell{{s.name, bold}, {strings.Join(keys, "  "), plain}}
}

// until says how far away a time is.
func until(t, now time.Time) string {
	left := t.Sub(now).Round(time.Second)
	switch {
	case left < 0:
		return "expired"
	case left >= 48*time.Hour:
		return fmt.Sprintf("in %d d", left/(24*time.Hour))
	default:
		return fmt.Sprintf("in %d s", left/time.Second)
	}
}

// widths are those of a table's columns. They only grow, so that a live table stays calm.
type widths []int

// fit widens the columns to what rows need.
func (w *widths) fit(rows ...[]cell) {
	for _, row := range rows {
		for i, c := range row {
			if i == len(*w) {
				*w = append(*w, 0)
			}
			(*w)[i] = max((*w)[i], utf8.RuneCountInString(c.text))
		}
	}
}

// line lays a row out in at most limit columns of the terminal. paint gives a text its looks, and takes no room.
func (w widths) line(row []cell, limit int, paint func(style, string) string) string {
	var line strings.Builder
	used := 0
	for i, c := range row {
		text := clip(c.text, limit-used)
		line.WriteString(paint(c.style, text))
		used += utf8.RuneCountInString(text)
		if text != c.text || i == len(row)-1 {
			break
		}
		padding := min(w[i]-utf8.RuneCountInString(text)+gap, limit-used)
		line.WriteString(strings.Repeat(" ", padding))
		used += padding
	}
	return strings.TrimRight(line.String(), " ")
}

// clip shortens a text to a number of characters; the last one tells that something is missing.
func clip(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	if limit <= 0 {
		return ""
	}
	return string([]rune(text)[:limit-1]) + "…"
}

// wrap breaks a text into lines of at most limit characters, between words.
func wrap(text string, limit int) []string {
	var lines []string
	for paragraph := range strings.SplitSeq(text, "\n") {
		line := ""
		for word := range strings.FieldsSeq(paragraph) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= limit:
				line += " " + word
			default:
				lines = append(lines, line)
				line = word
			}
		}
		lines = append(lines, line)
	}
	return lines
}
