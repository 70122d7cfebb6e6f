package main

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"
)

// plain keeps what others wrote into a cluster, or a vendor answered, from steering the terminal.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' {
			return r
		}
		return ' '
	}, text)
}

// oneLine is plain text without line breaks, for a column.
func oneLine(text string) string { return strings.Join(strings.Fields(plain(text)), " ") }

// clip shortens a text to a number of characters.
func clip(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}

// awayFrom tells how far a time is away, as kubectl's columns do.
func awayFrom(now time.Time, at time.Time) string {
	if at.After(now) {
		return "in " + duration.HumanDuration(at.Sub(now))
	}
	return duration.HumanDuration(now.Sub(at)) + " ago"
}

// moment is a time and how far it is away.
func moment(now time.Time, at *metav1.Time) string {
	return fmt.Sprintf("%s (%s)", at.UTC().Format(time.RFC3339), awayFrom(now, at.Time))
}

// counted is a number of things.
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
