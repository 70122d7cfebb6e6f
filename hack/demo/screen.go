package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/utils/clock"
)

const (
	// pageWidth is how wide running text is at most, and how wide everything is where there is no terminal.
	pageWidth = 110
	// eraseBelow clears from the cursor to the end of the screen (ECMA-48, section 8.3.39).
	eraseBelow = "\x1b[J"
)

// screen tells a story in lines. On a terminal, a live part stands below them and is rewritten in place; elsewhere it is left out.
type screen struct {
	out   io.Writer
	clock clock.WithTicker
	began time.Time
	size  func() (width, height int, isTerminal bool)
	color bool

	live    []string // as it stands on the terminal
	passing bool     // the live part is a line that tells what goes on
}

// newScreen writes to a file. The environment variable NO_COLOR, when set, does what it says.
func newScreen(file *os.File, c clock.WithTicker) *screen {
	s := &screen{out: file, clock: c, began: c.Now(), size: func() (int, int, bool) {
		width, height, err := term.GetSize(int(file.Fd()))
		return width, height, err == nil && width > 0
	}}
	_, _, isTerminal := s.size()
	s.color = isTerminal && os.Getenv("NO_COLOR") == ""
	return s
}

// restart counts time from now on.
func (s *screen) restart() { s.began = s.clock.Now() }

// heading starts a part of the story.
func (s *screen) heading(text string) { s.say("\n" + s.paint(bold, text)) }

// line is a line that stands alone.
func (s *screen) line(text string) { s.say("\n" + text) }

// done tells of something that happened as it should.
func (s *screen) done(text string) { s.marked(s.paint(green, "✓"), text) }

// doing tells of something that the demo does to the world.
func (s *screen) doing(text string) { s.marked(s.paint(yellow, "▸"), text) }

// failed tells why the demo fails.
func (s *screen) failed(err error) { s.marked(s.paint(red, "✗"), err.Error()) }

// note adds to the line before.
func (s *screen) note(text string) {
	if text == "" {
		return
	}
	for _, line := range wrap(text, s.textWidth()-6) {
		s.say("      " + s.paint(dim, line))
	}
}

// step does something that takes a while, and tells how long it took.
func (s *screen) step(what string, do func() error) error {
	s.working(what)
	began := s.clock.Now()
	if err := do(); err != nil {
		return err
	}
	took := s.clock.Since(began)
	if took >= 100*time.Millisecond {
		what += " " + s.paint(dim, "("+seconds(took)+")")
	}
	s.done(what)
	return nil
}

// working tells, on a terminal, what is going on until the next line.
func (s *screen) working(what string) {
	s.show([]string{"  " + s.paint(dim, clip("… "+what, s.width()-2))})
	s.passing = true
}

// settle makes the live part a part of the story.
func (s *screen) settle() {
	if s.passing {
		s.show(nil)
	}
	s.live = nil
}

// change is a line about a change, where there is no live part that shows it.
func (s *screen) change(text string) {
	if !s.isLive() {
		s.say(fmt.Sprintf("    %5.1f s  %s", s.clock.Since(s.began).Seconds(), text))
	}
}

// show puts lines, none wider than width, in the place of the live part. What does not fit on the terminal is left out.
func (s *screen) show(lines []string) {
	_, height, isTerminal := s.size()
	if !isTerminal {
		return
	}
	lines = lines[:min(len(lines), max(height-2, 0))]
	if slices.Equal(lines, s.live) {
		return
	}
	s.write(s.rewind() + joined(lines))
	s.live, s.passing = lines, false
}

// isLive tells whether there is a live part.
func (s *screen) isLive() bool {
	_, _, isTerminal := s.size()
	return isTerminal
}

// width of the live part's lines. The last column is spared: some terminals break the line there.
func (s *screen) width() int {
	width, _, isTerminal := s.size()
	if !isTerminal {
		return pageWidth
	}
	return max(width-1, 1)
}

func (s *screen) textWidth() int { return min(s.width(), pageWidth) }

func (s *screen) marked(mark, text string) {
	lines := wrap(text, s.textWidth()-4)
	s.say("  " + mark + " " + strings.Join(lines, "\n    "))
}

// say puts lines above the live part.
func (s *screen) say(text string) {
	s.write(s.rewind() + text + "\n" + joined(s.live))
}

// rewind goes to the first line of the live part and clears it.
func (s *screen) rewind() string {
	if len(s.live) == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r%s", len(s.live), eraseBelow)
}

// write ignores errors: where nobody reads any more, SIGPIPE ends the demo.
func (s *screen) write(text string) { _, _ = io.WriteString(s.out, text) }

func (s *screen) paint(how style, text string) string {
	if !s.color {
		return text
	}
	return how.paint(text)
}

func joined(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// seconds writes how long something took.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", max(d.Seconds(), 0)) }

// briefly writes a duration in whole seconds.
func briefly(d time.Duration) string { return fmt.Sprintf("%d s", d/time.Second) }
