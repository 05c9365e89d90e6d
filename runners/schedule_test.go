package runners_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"ovbench/runners"
	"ovbench/runners/methods"
	"ovbench/runners/tensor"
	"ovbench/runners/vit"
)

// parts notes what is going on.
type parts struct {
	mu    sync.Mutex
	now   map[string]int
	most  map[string]int // of each part at a time
	ended map[string]int
}

func (p *parts) begin(name string) func() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now[name]++
	p.most[name] = max(p.most[name], p.now[name])
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.now[name]--
		p.ended[name]++
	}
}

// Networks run one at a time; a method's step between its graphs does not hold them up, and maps are those without a
// schedule.
func TestSchedule(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	p := &parts{now: map[string]int{}, most: map[string]int{}, ended: map[string]int{}}
	resclip, err := methods.New("resclip", map[string]any{"from": 4, "to": 5})
	if err != nil {
		t.Fatal(err)
	}
	ms := append(named(t, "clip"), runners.Named{Name: "resclip", Method: resclip})
	o := runners.ImageOptions{Positions: vit.Bilinear, Similarities: true}
	free := images(t, m, ms, o)
	o.Schedule = runners.NewSchedule(1, p.begin)
	r := images(t, m, ms, o)
	texts := tensor.New(3, m.Embed)
	for i := range texts.Data {
		texts.Data[i] = float32(i%7) - 3
	}
	want, err := free.Similarities(t.Context(), random(1, 64, 64), texts)
	if err != nil {
		t.Fatal(err)
	}
	const pictures = 6
	var wait sync.WaitGroup
	for range pictures {
		wait.Go(func() {
			got, err := r.Similarities(t.Context(), random(1, 64, 64), texts)
			if err != nil {
				t.Error(err)
				return
			}
			for i := range want {
				if !slices.Equal(got[i].Values.Data, want[i].Values.Data) {
					t.Errorf("method %d differs", i)
				}
			}
		})
	}
	wait.Wait()
	if p.most["network"] != 1 || p.ended["network"] != 2*pictures || p.ended["wait"] != 2*pictures ||
		p.ended["middle"] != pictures {
		t.Errorf("%d networks at a time; ended %v", p.most["network"], p.ended)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Similarities(ctx, random(1, 64, 64), texts); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// Pictures that wait while the network is taken go through it together, and get what they would get alone.
func TestTogether(t *testing.T) {
	micro := filepath.Join("clip", "testdata", "micro", "hf")
	m, _ := open(t, micro, micro)
	resclip, err := methods.New("resclip", map[string]any{"from": 4, "to": 5})
	if err != nil {
		t.Fatal(err)
	}
	ms := append(named(t, "clip", "clip_surgery"), runners.Named{Name: "resclip", Method: resclip})
	o := runners.ImageOptions{Positions: vit.Bilinear, Similarities: true}
	alone := images(t, m, ms, o)
	p := &parts{now: map[string]int{}, most: map[string]int{}, ended: map[string]int{}}
	o.Schedule, o.Together = runners.NewSchedule(1, p.begin), 4
	r := images(t, m, ms, o)
	texts := tensor.New(3, m.Embed)
	for i := range texts.Data {
		texts.Data[i] = float32(i%7) - 3
	}
	sizes := []int{64, 64, 48, 64, 48, 64, 64, 64}
	taken, free := make(chan bool), make(chan bool)
	var (
		wait     sync.WaitGroup
		followed atomic.Int64
	)
	wait.Go(func() {
		if err := o.Schedule.Segment(t.Context(), func() error { close(taken); <-free; return nil }); err != nil {
			t.Error(err)
		}
	})
	<-taken
	for i, n := range sizes {
		wait.Go(func() {
			pixels := random(1, n, n)
			for k := range pixels.Data {
				pixels.Data[k] = float32(int(100*pixels.Data[k]) * (i + 1) % 256)
			}
			got, err := r.Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Error(err)
				return
			}
			want, err := alone.Similarities(t.Context(), pixels, texts)
			if err != nil {
				t.Error(err)
				return
			}
			for k := range want {
				if d := difference(got[k].Values.Data, want[k].Values.Data); d > 1e-5 {
					t.Errorf("picture %d, method %s differs by %g", i, ms[k].Name, d)
				}
			}
			if v := got[0].Values.Data; cap(v) > len(v) { // others' values follow in one memory
				followed.Add(1)
			}
		})
	}
	for r.Waiting() < len(sizes) {
		runtime.Gosched()
	}
	close(free)
	wait.Wait()
	if got := followed.Load(); got != 5 { // of groups of four, two and two
		t.Errorf("%d pictures have others behind them, want 5", got)
	}
}
