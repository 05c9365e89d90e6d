package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"ovbench/bench/records"
	"ovbench/reports/results"
)

// State is what became of a part.
type State string

// The states of a part.
const (
	Done    State = "done"    // all its samples were tried, and its results are there
	Running State = "running" // and heard of
	Stopped State = "stopped" // begun, and not heard of for a while, or told to stop
	Missing State = "missing" // never begun
)

// Progress is one part of a run as its folder shows it.
type Progress struct {
	Part  int                `json:"part"` // from 1; 0 for a run that is not in parts
	State State              `json:"state"`
	Dir   string             `json:"dir,omitempty"`
	Heard *records.Heartbeat `json:"heartbeat,omitempty"`
}

// Status is a run, in parts or not, as its folder shows it.
type Status struct {
	Dir     string        `json:"dir"`
	Shards  int           `json:"shards,omitempty"` // 0 for a run that is not in parts
	Parts   []Progress    `json:"parts"`
	Planned int           `json:"planned"` // samples of the parts that were begun
	Tried   int           `json:"done"`    // samples
	Failed  int           `json:"failed"`  // of these
	Rate    float64       `json:"rate"`    // samples a second, of the parts that run
	Left    time.Duration `json:"-"`       // until the parts that run are done; 0 where none runs
	Seconds float64       `json:"seconds_left,omitempty"`
	Merged  bool          `json:"merged"` // the parts were joined
}

// Runs lists the run folders with parts: dir itself, or those below it, two levels down.
func Runs(dir string) []string {
	if Has(dir) {
		return []string{dir}
	}
	var out []string
	for _, pattern := range []string{"*", "*/*"} {
		found, _ := filepath.Glob(filepath.Join(escaped(dir), pattern, shardsFolder))
		for _, f := range found {
			if run := filepath.Dir(f); Has(run) {
				out = append(out, run)
			}
		}
	}
	slices.Sort(out)
	return out
}

// escaped is a path whose special characters Glob reads as they are.
func escaped(path string) string {
	var b []byte
	for i := range len(path) {
		if slices.Contains([]byte(`*?[\`), path[i]) {
			b = append(b, '\\')
		}
		b = append(b, path[i])
	}
	return string(b)
}

// Survey looks at the parts of a run folder, as of now.
func Survey(dir string, now time.Time) (Status, error) {
	s := Status{Dir: dir}
	_, err := os.Stat(filepath.Join(dir, results.FileName))
	s.Merged = err == nil
	parts := Parts{Count: 0, Found: map[int]string{0: dir}}
	if Has(dir) {
		if parts, err = Find(dir); err != nil {
			return s, err
		}
		s.Shards = parts.Count
	}
	for i := min(1, parts.Count); i <= parts.Count; i++ {
		p, err := progress(i, parts.Found[i], now)
		if err != nil {
			return s, err
		}
		s.add(p)
	}
	if s.Rate > 0 {
		s.Left = time.Duration(float64(s.left()) / s.Rate * float64(time.Second))
		s.Seconds = s.Left.Seconds()
	}
	return s, nil
}

func progress(part int, dir string, now time.Time) (Progress, error) {
	p := Progress{Part: part, Dir: dir, State: Missing}
	if dir == "" {
		return p, nil
	}
	h, ok, err := records.ReadHeartbeat(dir)
	if err != nil || !ok {
		return p, err
	}
	p.Heard = &h
	_, noResults := os.Stat(filepath.Join(dir, results.FileName))
	switch {
	case h.Finished && noResults == nil:
		p.State = Done
	case h.Ended && !h.Finished || now.Sub(h.Updated).Abs() > records.Silence: // or by a clock that is wrong
		p.State = Stopped
	default: // or writing results
		p.State = Running
	}
	return p, nil
}

func (s *Status) add(p Progress) {
	s.Parts = append(s.Parts, p)
	h := p.Heard
	if h == nil {
		return
	}
	s.Planned += h.Planned
	s.Tried += h.Done
	s.Failed += h.Failed
	if d := h.Updated.Sub(h.Started).Seconds(); p.State == Running && d > 0 {
		s.Rate += float64(h.Done-h.Before) / d
	}
}

// left is the number of samples that the parts that run have before them.
func (s *Status) left() (n int) {
	for _, p := range s.Parts {
		if p.State == Running {
			n += p.Heard.Planned - p.Heard.Done
		}
	}
	return n
}

// Of lists the parts in a state.
func (s *Status) Of(state State) (parts []int) {
	for _, p := range s.Parts {
		if p.State == state {
			parts = append(parts, p.Part)
		}
	}
	return parts
}
