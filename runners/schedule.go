package runners

import (
	"context"

	"ovbench/runners/ort"
)

// Schedule lets networks take turns on what computes them, as one run uses all of it, and tells what a picture's time
// goes into: "wait" for the turn, "network", [Segmenting], and "middle", a method's own step between two graphs, which
// takes no turn.
// Any goroutine may use it. A nil Schedule does neither.
type Schedule struct {
	turns chan struct{}
	part  func(name string) (ended func())
}

// NewSchedule lets so many networks run at a time. part is called as a part begins, and what it returns as it ends.
func NewSchedule(atOnce int, part func(name string) (ended func())) *Schedule {
	return &Schedule{turns: make(chan struct{}, atOnce), part: part}
}

// run runs a session in turn.
func (s *Schedule) run(ctx context.Context, session *ort.Session, in, out []ort.Value) error {
	return s.do(ctx, "network", func() error { return session.Run(ctx, in, out) })
}

// Segmenting is the part of a segmenter, which sees a picture once, however many windows it has.
const Segmenting = "segmenter"

// Segment lets a segmenter run its networks in turn.
func (s *Schedule) Segment(ctx context.Context, work func() error) error {
	return s.do(ctx, Segmenting, work)
}

func (s *Schedule) do(ctx context.Context, part string, work func() error) error {
	if s == nil {
		return work()
	}
	ended := s.part("wait")
	select {
	case s.turns <- struct{}{}:
		ended()
	case <-ctx.Done():
		ended()
		return ctx.Err()
	}
	defer func() { <-s.turns }()
	defer s.part(part)()
	return work()
}

// begin begins a part.
func (s *Schedule) begin(part string) (ended func()) {
	if s == nil {
		return func() {}
	}
	return s.part(part)
}
