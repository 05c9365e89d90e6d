package runners_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"sync"
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
