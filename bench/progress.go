package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"ovbench/reports/plain"
)

// progress shows stages with the time that is left: as bars on a terminal, elsewhere as a line now and then.
type progress struct {
	out   io.Writer // nil if not a terminal
	bar   *progressbar.ProgressBar
	stage string
	total int
	begun time.Time

	log   io.Writer     // of lines, in place of bars
	next  time.Time     // not before then
	pause time.Duration // until the line after that; it grows
}

// A line is written first after a while in which nobody wonders, and at least every so often.
const (
	firstLine = 15 * time.Second
	longPause = 10 * time.Minute
)

// newProgress shows bars on w, if it is a terminal that can draw over a line.
func newProgress(w io.Writer) *progress {
	if !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return &progress{log: w, next: time.Now().Add(firstLine), pause: firstLine}
	}
	return &progress{out: ungated(w)}
}

// Start begins a stage.
func (p *progress) Start(stage string, total int) {
	p.stage, p.total, p.begun = stage, total, time.Now()
	p.draw(stage, int64(total), progressbar.OptionShowCount(), progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetPredictTime(false))
}

// StartBytes begins a stage that counts bytes. A negative total is unknown.
func (p *progress) StartBytes(stage string, total int64) {
	p.stage = stage
	p.draw(stage, total, progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true))
}

// draw puts a new bar in place of the last.
func (p *progress) draw(stage string, total int64, options ...progressbar.Option) {
	p.finish()
	if p.out == nil || total == 0 {
		return
	}
	p.bar = progressbar.NewOptions64(total, append(options,
		progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(stage),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish(),
	)...)
}

// line writes how far the stage is, if it is time to.
func (p *progress) line(done string) {
	if now := time.Now(); p.log != nil && !now.Before(p.next) {
		fmt.Fprintf(p.log, "ovbench: %s: %s\n", p.stage, done)
		p.next, p.pause = now.Add(p.pause), min(2*p.pause, longPause)
	}
}

// At64 says how many bytes of the stage are done.
func (p *progress) At64(done int64) {
	p.line(fmt.Sprintf("%d MB", done/1e6))
	if p.bar != nil {
		_ = p.bar.Set64(done)
	}
}

// At says how much of the stage is done.
func (p *progress) At(done int) {
	rest := left(time.Since(p.begun), done, p.total)
	p.line(fmt.Sprintf("%d of %d%s", done, p.total, rest))
	if p.bar != nil {
		p.bar.Describe(p.stage + rest)
		_ = p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
	}
}

// left is how long the rest of a stage takes if it goes on as it began, in words; nothing in the first second, which
// says little.
func left(elapsed time.Duration, done, total int) string {
	if done < 1 || done >= total || elapsed < time.Second {
		return ""
	}
	rest := time.Duration(float64(elapsed) * float64(total-done) / float64(done))
	if rest >= time.Minute {
		return fmt.Sprintf(", %s left", strings.TrimSuffix(rest.Round(time.Minute).String(), "0s"))
	}
	return fmt.Sprintf(", %v left", max(rest.Round(time.Second), time.Second))
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Clear()
		p.bar = nil
	}
}

// ungated is w for those who write what a terminal is to obey.
func ungated(w io.Writer) io.Writer {
	if gate, ok := w.(plain.Writer); ok {
		return gate.To
	}
	return w
}

func isTerminal(w io.Writer) bool {
	f, ok := ungated(w).(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// terminal is w for tables that paint themselves, its width in columns, and whether colours are welcome. Where there is
// no terminal to ask, COLUMNS says the width, or it is 80.
func terminal(w io.Writer) (out io.Writer, width int, colour bool) {
	if width, _ = strconv.Atoi(os.Getenv("COLUMNS")); width < 1 {
		width = 80
	}
	if !isTerminal(w) {
		return w, width, false
	}
	f := ungated(w).(*os.File)
	if columns, _, err := term.GetSize(int(f.Fd())); err == nil {
		width = columns
	}
	return f, width, os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
