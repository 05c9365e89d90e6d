package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"ovbench/bench/tasks"
	"ovbench/reports/results"
	"ovbench/runners/ort"
)

// auditSamples is how many samples of each data set an audit measures unless a limit says.
const auditSamples = 20

// Audit measures the first samples of each data set twice, as the request says and in f32 on the CPU, and says how many
// pixels get another label and how far scores lie apart. Nothing is kept.
func Audit(ctx context.Context, r Request, progress tasks.Progress) (lines []string, err error) {
	exact := r
	exact.Device, exact.Precision = ort.Device{}, ort.F32
	if r.Device == exact.Device && r.Precision == exact.Precision {
		return nil, errors.New("an audit compares with f32 on the CPU, which is what was asked for: name another --device " +
			"or --precision")
	}
	if r.Limit == 0 {
		r.Limit, exact.Limit = auditSamples, auditSamples
	}
	if _, err := ort.LoadFor(r.Runtime, r.Device.Provider); err != nil { // which computes f32 on the CPU as well
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ovbench-audit-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	flips := labelFlips{known: map[labelled][]uint16{}, differ: map[[2]string]share{}}
	want, err := measureInto(ctx, exact, filepath.Join(dir, "exact"), flips.remember, progress)
	if err != nil {
		return nil, err
	}
	got, err := measureInto(ctx, r, filepath.Join(dir, "asked"), flips.compare, progress)
	if err != nil {
		return nil, err
	}
	lines = append(lines, fmt.Sprintf("%s against %s, %d samples of each data set at most:", got.Runtime.Computed(),
		want.Runtime.Computed(), r.Limit))
	return append(lines, flips.lines(got, want)...), nil
}

// measureInto runs a request into a folder; see is shown every label map.
func measureInto(ctx context.Context, r Request, out string, see func(labelled, []uint16),
	progress tasks.Progress) (*results.Run, error) {
	r.Out = out
	p, err := NewPlan(r)
	if err != nil {
		return nil, err
	}
	p.see = see
	run, err := p.Run(ctx, progress)
	if err == nil && len(run.Failures) > 0 {
		f := run.Failures[0]
		err = fmt.Errorf("%s of %s: %s: %s", f.ID, f.Dataset, f.Stage, f.Error)
	}
	return run, err
}

// labelled names a label map.
type labelled struct {
	dataset string
	index   int
	method  string
}

// share is how many of all.
type share struct{ some, all int }

// labelFlips counts pixels whose label is another one, by data set and method.
type labelFlips struct {
	mu     sync.Mutex
	known  map[labelled][]uint16
	differ map[[2]string]share
}

func (f *labelFlips) remember(at labelled, labels []uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known[at] = labels
}

func (f *labelFlips) compare(at labelled, labels []uint16) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := [2]string{at.dataset, at.method}
	s := f.differ[key]
	for i, v := range f.known[at] {
		if v != labels[i] {
			s.some++
		}
	}
	s.all += len(labels)
	f.differ[key] = s
	delete(f.known, at)
}

// lines are one for each score that a table would lead with.
func (f *labelFlips) lines(got, want *results.Run) (lines []string) {
	for i := range got.Cells {
		c := &got.Cells[i]
		line := fmt.Sprintf("  %s, %s:", c.Dataset, c.Method)
		if s := f.differ[[2]string{c.Dataset, c.Method}]; s.all > 0 {
			line += fmt.Sprintf(" %.3f %% of %d labels differ;", 100*float64(s.some)/float64(s.all), s.all)
		}
		name := got.Headline(c)
		a, b := c.Score(name), want.Cells[i].Score(name)
		if a == nil || b == nil {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s %.3f, not %.3f: %+.3f", line, name, 100*a.Value, 100*b.Value,
			100*(a.Value-b.Value)))
	}
	return lines
}
