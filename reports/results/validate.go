package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"
)

// maxFaults is how many faults one error of Validate lists.
const maxFaults = 10

// What one run may name; the product bounds the tables made of it.
const (
	maxMethods = 256
	maxColumns = 256     // data sets, and combinations of data set, task and convention
	maxClasses = 1 << 15 // of a data set
	maxCurves  = 64      // of a cell
	maxPoints  = 1 << 14 // of a curve
)

// Validate reports what makes r no record of a run, every fault at once: names
// that are empty, doubled or point nowhere, numbers that are not finite, and
// paths that leave the run folder.
func (r *Run) Validate() error {
	var v faults
	for _, t := range []time.Time{r.Started.UTC(), r.Finished.UTC()} {
		v.check(t.Year() >= 0 && t.Year() <= 9999, "time %v has no spelling in RFC 3339", t)
	}
	v.check(len(r.Methods) <= maxMethods, "%d methods are more than %d; split the run", len(r.Methods), maxMethods)
	v.check(len(r.Datasets) <= maxColumns, "%d data sets are more than %d; split the run", len(r.Datasets), maxColumns)
	v.names("data set", len(r.Datasets), func(i int) string { return r.Datasets[i].Name })
	v.names("method", len(r.Methods), func(i int) string { return r.Methods[i].Name })
	for i := range r.Datasets {
		v.dataset(&r.Datasets[i])
		v.plain(fmt.Sprintf("data set %.60q: protocol: fields", r.Datasets[i].Name), r.Datasets[i].Protocol.Fields)
		for _, m := range slices.Sorted(maps.Keys(r.Datasets[i].Params)) {
			v.check(r.Method(m) != nil, "data set %.60q: params: method %.60q is not in methods", r.Datasets[i].Name, m)
			v.plain(fmt.Sprintf("data set %.60q: params of %.60q", r.Datasets[i].Name, m), r.Datasets[i].Params[m])
		}
	}
	for i := range r.Methods {
		v.plain(fmt.Sprintf("method %.60q: params", r.Methods[i].Name), r.Methods[i].Params)
	}
	v.plain("protocol: fields", r.Protocol.Fields)
	v.finite("model: logit_scale", &r.Model.LogitScale)
	v.finite("model: logit_bias", &r.Model.LogitBias)
	for i := range r.Networks {
		v.finite(fmt.Sprintf("network %.60q: logit_scale", r.Networks[i].Role), &r.Networks[i].Model.LogitScale)
	}
	v.finite("timing: wall", &r.Timing.Wall)
	v.finite("timing: cpu", &r.Timing.CPU)
	for _, k := range slices.Sorted(maps.Keys(r.Timing.Seconds)) {
		s := r.Timing.Seconds[k]
		v.finite(fmt.Sprintf("timing: seconds of %.60q", k), &s)
	}
	known := known{datasets: map[string]map[string]bool{}, classes: map[string]int{}, methods: map[string]bool{}}
	for _, d := range r.Datasets {
		classes := make(map[string]bool, len(d.Classes))
		for _, c := range d.Classes {
			classes[c] = true
		}
		known.datasets[d.Name], known.classes[d.Name] = classes, len(d.Classes)
	}
	for _, m := range r.Methods {
		known.methods[m.Name] = true
	}
	v.cells(r.Cells, known)
	for i, f := range r.Failures {
		v.check(known.datasets[f.Dataset] != nil, "failure %d: data set %.60q is not in datasets", i+1, f.Dataset)
	}
	for i := range r.Panels {
		v.panel(i+1, &r.Panels[i], known)
	}
	return v.err()
}

// known is what the rest of a run may refer to.
type known struct {
	datasets map[string]map[string]bool // name → classes
	classes  map[string]int             // name → how many, doubles too
	methods  map[string]bool
}

// faults collects; the zero value is ready.
type faults struct {
	list []error
	more int
}

func (v *faults) check(ok bool, format string, args ...any) {
	switch {
	case ok:
	case len(v.list) < maxFaults:
		v.list = append(v.list, fmt.Errorf(format, args...))
	default:
		v.more++
	}
}

func (v *faults) err() error {
	if v.more > 0 {
		return errors.Join(append(v.list, fmt.Errorf("and %d faults more", v.more))...)
	}
	return errors.Join(v.list...)
}

func (v *faults) finite(what string, x *float64) {
	v.check(x == nil || !math.IsNaN(*x) && !math.IsInf(*x, 0), "%s is not a number; leave undefined values out", what)
}

func (v *faults) names(what string, n int, name func(int) string) {
	seen := make(map[string]bool, n)
	for i := range n {
		s := name(i)
		v.check(s != "", "%s %d has no name", what, i+1)
		v.check(!seen[s], "%s %.60q occurs twice", what, s)
		seen[s] = true
	}
}

// plain checks that a free-form block can be spelled in JSON.
func (v *faults) plain(what string, block map[string]any) {
	_, err := json.Marshal(block)
	v.check(err == nil, "%s: %v", what, err)
}

func (v *faults) dataset(d *Dataset) {
	v.check(len(d.Classes) <= maxClasses, "data set %.60q: %d classes are more than %d", d.Name, len(d.Classes),
		maxClasses)
	v.check(d.Images >= 0 && d.Measured >= 0, "data set %.60q: %d images, %d measured", d.Name, d.Images, d.Measured)
	v.check(len(d.Queries) == 0 || len(d.Queries) == len(d.Classes), "data set %.60q: %d lists of queries for %d "+
		"classes", d.Name, len(d.Queries), len(d.Classes))
}

func (v *faults) cells(cells []Cell, k known) {
	type key struct{ dataset, method, task, convention string }
	seen, columns := make(map[key]bool, len(cells)), map[key]bool{}
	for i := range cells {
		c := &cells[i]
		at := fmt.Sprintf("cell of data set %.60q, method %.60q", c.Dataset, c.Method)
		v.check(k.datasets[c.Dataset] != nil, "%s: the data set is not in datasets", at)
		v.check(k.methods[c.Method], "%s: the method is not in methods", at)
		id := key{c.Dataset, c.Method, c.Task, c.Convention}
		v.check(!seen[id], "%s: occurs twice with task %.60q, convention %.60q", at, c.Task, c.Convention)
		seen[id] = true
		columns[key{c.Dataset, "", c.Task, c.Convention}] = true
		v.check(c.Images >= 0, "%s: %d images", at, c.Images)
		for _, name := range slices.Sorted(maps.Keys(c.Counts)) {
			v.check(name != "" && c.Counts[name] >= 0, "%s: count %.60q is %d", at, name, c.Counts[name])
		}
		v.names(at+": score", len(c.Scores), func(i int) string { return c.Scores[i].Name })
		for j := range c.Scores {
			v.score(fmt.Sprintf("%s: score %.60q", at, c.Scores[j].Name), &c.Scores[j])
		}
		classes := k.datasets[c.Dataset]
		v.check(len(c.Classes) <= k.classes[c.Dataset], "%s: %d classes, the data set has %d", at, len(c.Classes),
			k.classes[c.Dataset])
		for j := range c.Classes {
			s := &c.Classes[j]
			v.check(classes[s.Class], "%s: class %.60q is not in the classes of the data set", at, s.Class)
			for _, x := range []*float64{s.IoU, s.Acc, s.Precision, s.Dice, s.AP} {
				v.finite(fmt.Sprintf("%s: a score of class %.60q", at, s.Class), x)
			}
		}
	}
	for i := range cells {
		c := &cells[i]
		at := fmt.Sprintf("cell of data set %.60q, method %.60q", c.Dataset, c.Method)
		v.curves(at, c.Curves)
		v.confusions(at, c.Confusions, k.classes[c.Dataset])
	}
	v.check(len(columns) <= maxColumns, "%d combinations of data set, task and convention are more than %d; "+
		"split the run", len(columns), maxColumns)
}

func (v *faults) score(at string, s *Score) {
	v.finite(at, &s.Value)
	v.finite(at+": low", s.Low)
	v.finite(at+": high", s.High)
	v.finite(at+": level", &s.Level)
	v.check((s.Low == nil) == (s.High == nil), "%s has one bound of an interval", at)
	if s.Low != nil && s.High != nil {
		v.check(*s.Low <= *s.High, "%s: interval from %v to %v", at, *s.Low, *s.High)
		v.check(s.Level > 0 && s.Level < 1, "%s: confidence level %v of an interval is not between 0 and 1", at,
			s.Level)
	}
}

func (v *faults) curves(at string, curves []Curve) {
	v.check(len(curves) <= maxCurves, "%s: %d curves are more than %d", at, len(curves), maxCurves)
	v.names(at+": curve", len(curves), func(i int) string { return curves[i].Name })
	for _, c := range curves {
		at := fmt.Sprintf("%s: curve %.60q", at, c.Name)
		v.check(len(c.X) == len(c.Y) && len(c.X) > 0 && len(c.X) <= maxPoints,
			"%s has %d x and %d y; as many of both, 1 to %d", at, len(c.X), len(c.Y), maxPoints)
		for i := range min(len(c.X), len(c.Y)) {
			v.finite(at, &c.X[i])
			v.finite(at, &c.Y[i])
			v.check(i == 0 || c.X[i] >= c.X[i-1], "%s: x falls from %v to %v", at, c.X[max(i-1, 0)], c.X[i])
		}
	}
}

func (v *faults) confusions(at string, cells [][3]int64, classes int) {
	for i, c := range cells {
		v.check(min(c[0], c[1]) >= 0 && max(c[0], c[1]) < int64(classes) && c[0] != c[1] && c[2] > 0,
			"%s: confusion %v is not of two of %d classes with a count", at, c, classes)
		v.check(i == 0 || c[2] <= cells[max(i-1, 0)][2], "%s: confusion %v follows a smaller one", at, c)
	}
}

func (v *faults) panel(n int, p *Panel, k known) {
	at := fmt.Sprintf("panel %d", n)
	v.check(k.datasets[p.Dataset] != nil, "%s: data set %.60q is not in datasets", at, p.Dataset)
	v.path(at+": image", p.Image, true)
	v.path(at+": truth", p.Truth, false)
	for _, m := range slices.Sorted(maps.Keys(p.Predictions)) {
		v.check(k.methods[m], "%s: method %.60q is not in methods", at, m)
		v.path(at+": prediction", p.Predictions[m], true)
	}
	for _, m := range p.Maps {
		v.check(k.methods[m.Method], "%s: method %.60q of a map is not in methods", at, m.Method)
		v.path(at+": map", m.Path, true)
	}
}

func (v *faults) path(at, path string, required bool) {
	if path == "" {
		v.check(!required, "%s has no path", at)
		return
	}
	v.check(filepath.IsLocal(filepath.FromSlash(path)), "%s: path %.100q leaves the run folder; only files "+
		"inside it are opened", at, path)
}
