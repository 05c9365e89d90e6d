package reports

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/plot/vg"

	"ovbench/reports/results"
)

// namesOf are the names of figures that begin with prefix.
func namesOf(t *testing.T, prefix string, runs ...*results.Run) (out []string) {
	t.Helper()
	figures, err := newView(runs).figures()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if strings.HasPrefix(f.name, prefix) {
			out = append(out, f.name)
		}
	}
	return out
}

// A sweep is drawn over the one thing that differs, and over nothing where two do.
func TestSweepsOverOneSetting(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(runs []*results.Run)
		want   []string
	}{
		"size":          {func([]*results.Run) {}, []string{"sweep-size-PASCAL-VOC-21"}},
		"other weights": {func(runs []*results.Run) { runs[1].Model.Files[0].SHA256 = "other" }, nil},
		"other images":  {func(runs []*results.Run) { runs[1].Datasets[0].ListSHA256 = "other" }, nil},
		"two fields":    {func(runs []*results.Run) { runs[1].Protocol.Fields["window"] = 336.0 }, nil},
		"prompts": {func(runs []*results.Run) {
			for i, r := range runs {
				r.Protocol.Fields["size"], r.Protocol.Fields["templates"] = "224", fmt.Sprint("set ", i)
				r.Datasets[0].Templates = 1 + 40*i
			}
		}, []string{"sweep-prompts-per-query-PASCAL-VOC-21"}},
	} {
		runs := resized()
		tt.change(runs)
		if diff := cmp.Diff(tt.want, namesOf(t, "sweep", runs...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	two := deeper()
	two.Methods[1].Params["heads"] = 3.0
	if got := namesOf(t, "sweep", two); got != nil {
		t.Errorf("two parameters: %q", got)
	}
}

// The points of a sweep are the scores at the values of the setting, in its order.
func TestSweepPoints(t *testing.T) {
	runs := resized()
	v := newView([]*results.Run{runs[2], runs[0], runs[1]})
	sweeps := v.runSweeps()
	if len(sweeps) != 1 || sweeps[0].what != "size" {
		t.Fatalf("%+v", sweeps)
	}
	lines := sweeps[0].lines[v.columns[0]]
	spots, _ := axisOf(lines)
	for i, m := range runs[0].Methods {
		if lines[i].name != m.Name || len(lines[i].points) != 3 {
			t.Fatalf("line %d: %+v", i, lines[i])
		}
		for _, p := range lines[i].points {
			var side float64
			fmt.Sscanf(p.x, "%f", &side)
			k := map[float64]int{224: 0, 336: 1, 512: 2}[side]
			if want := runs[k].Cell("set0", m.Name).Score("mIoU"); p.score != want || spots[p.x] != side {
				t.Errorf("%s at %s: %v at %v, want %v at %v", m.Name, p.x, p.score.Value, spots[p.x], want.Value, side)
			}
		}
	}
}

// Arcs become cubic curves that stay on the circle to 0.03 %, wherever a canvas is moved, turned and scaled to.
func TestArcsAreRound(t *testing.T) {
	c := &drawState{}
	c.now.to = affine{1, 0, 0, -1, 0, 100}
	c.Translate(vg.Point{X: 10, Y: 20})
	c.Rotate(0.7)
	c.Scale(2, 2)
	var p vg.Path
	p.Arc(vg.Point{X: 3, Y: 4}, 5, 0.3, 1.9*math.Pi)
	x0, y0 := c.now.to.at(vg.Point{X: 3, Y: 4})
	var x, y float64
	curves := 0
	c.segments(p, func(kind byte, at ...float64) {
		n := len(at)
		if kind == 'C' {
			curves++
			mid := func(k int, from float64) float64 { return (from + 3*at[k] + 3*at[k+2] + at[k+4]) / 8 }
			if r := math.Hypot(mid(0, x)-x0, mid(1, y)-y0); math.Abs(r-10) > 0.003 {
				t.Errorf("radius %v in the middle of a curve, want 10", r)
			}
		}
		x, y = at[n-2], at[n-1]
		if r := math.Hypot(x-x0, y-y0); math.Abs(r-10) > 1e-9 {
			t.Errorf("radius %v at an end, want 10", r)
		}
	})
	if curves != 4 {
		t.Errorf("%d curves, want 4", curves)
	}
	// The end lies 0.3 + 1.9π further, turned by 0.7.
	angle := 0.3 + 1.9*math.Pi + 0.7
	if wx, wy := x0+10*math.Cos(angle), y0-10*math.Sin(angle); math.Hypot(x-wx, y-wy) > 1e-9 {
		t.Errorf("ends at (%v, %v), want (%v, %v)", x, y, wx, wy)
	}
}
