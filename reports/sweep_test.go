package reports

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/results"
)

// namesOf are the names of figures that begin with prefix.
func namesOf(t *testing.T, prefix string, runs ...*results.Run) (out []string) {
	t.Helper()
	figures, err := figuresOf(newView(runs, &Layout{}))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range figures {
		if strings.HasPrefix(f.Name, prefix) {
			out = append(out, f.Name)
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
	v := newView([]*results.Run{runs[2], runs[0], runs[1]}, &Layout{})
	sweeps := runSweeps(v)
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
