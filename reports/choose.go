package reports

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"image"
	"math"
	"slices"
	"strings"

	xdraw "golang.org/x/image/draw"

	"ovbench/reports/results"
)

// Choice is a rule by which a report picks panels among the samples whose pictures a run kept. The zero Choice is all
// of them. Samples without pictures cannot be chosen: the rule ranks the kept ones, and says so.
type Choice struct {
	Rule     string   // "all", "best", "worst", "median", "random" or "id"
	IDs      []string // of "id"
	Count    int      // of a data set; 0 is all that qualify
	Method   string   // ranked by its score; "" is the mean over the methods
	Baseline string   // if set, ranked by the difference Method - Baseline
	Seed     uint64   // of "random"
}

// ParseChoice reads a rule as a flag spells it: a name, or id=ID,ID.
func ParseChoice(s string) (Choice, error) {
	if ids, ok := strings.CutPrefix(s, "id="); ok && ids != "" {
		return Choice{Rule: "id", IDs: strings.Split(ids, ",")}, nil
	}
	switch s {
	case "", "all":
		return Choice{Rule: "all"}, nil
	case "best", "worst", "median", "random":
		return Choice{Rule: s}, nil
	}
	return Choice{}, fmt.Errorf("panel rule %q is not known; use all, best, worst, median, random or id=ID,ID", s)
}

// Choose returns runs with those of their panels that c picks, in its order. The runs given are not changed.
func (c Choice) Choose(runs []*results.Run) ([]*results.Run, error) {
	if c.Rule == "" || c.Rule == "all" && c.Count == 0 {
		return runs, nil
	}
	if err := c.check(runs); err != nil {
		return nil, err
	}
	var out []*results.Run
	for _, r := range runs {
		chosen := *r
		chosen.Panels = nil
		kept := 0
		for _, d := range r.Datasets {
			panels := slices.DeleteFunc(slices.Clone(r.Panels),
				func(p results.Panel) bool { return p.Dataset != d.Name })
			kept += len(panels)
			panels, err := c.pick(r, panels)
			if err != nil {
				return nil, err
			}
			chosen.Panels = append(chosen.Panels, panels...)
		}
		chosen.Choice = c.text(kept)
		out = append(out, &chosen)
	}
	return out, nil
}

// check refuses names that no run has.
func (c Choice) check(runs []*results.Run) error {
	for _, m := range []string{c.Method, c.Baseline} {
		if m != "" && !slices.ContainsFunc(runs, func(r *results.Run) bool { return r.Method(m) != nil }) {
			return fmt.Errorf("no run has method %q, by which panels were to be chosen", m)
		}
	}
	if c.Baseline != "" && c.Method == "" {
		return fmt.Errorf("a difference to %q needs a method to set against it", c.Baseline)
	}
	for _, id := range c.IDs {
		if !slices.ContainsFunc(runs, func(r *results.Run) bool {
			return slices.ContainsFunc(r.Panels, func(p results.Panel) bool { return p.ID == id })
		}) {
			return fmt.Errorf("no run kept pictures of sample %q; panels: N of a suite keeps those of N samples, "+
				"and --only chooses which are measured", id)
		}
	}
	return nil
}

// text says what was chosen.
func (c Choice) text(kept int) string {
	by := ""
	switch {
	case c.Rule != "best" && c.Rule != "worst" && c.Rule != "median":
	case c.Baseline != "":
		by = fmt.Sprintf(" by the score of %s minus that of %s", c.Method, c.Baseline)
	case c.Method != "":
		by = " by the score of " + c.Method
	default:
		by = " by the mean score of the methods"
	}
	rule := c.Rule
	if c.Rule == "random" {
		rule = fmt.Sprintf("random (seed %d)", c.Seed)
	}
	return fmt.Sprintf("Chosen among the %d samples whose pictures were kept, not among all images: %s%s.", kept,
		rule, by)
}

// pick ranks the panels of one data set.
func (c Choice) pick(r *results.Run, panels []results.Panel) ([]results.Panel, error) {
	if c.Rule == "id" {
		panels = slices.DeleteFunc(panels, func(p results.Panel) bool { return !slices.Contains(c.IDs, p.ID) })
	}
	type ranked struct {
		panel results.Panel
		value float64
	}
	var all []ranked
	for _, p := range panels {
		x := ranked{panel: p}
		switch c.Rule {
		case "best", "worst", "median":
			var err error
			if x.value, err = c.value(r, &p); err != nil {
				return nil, err
			}
			if math.IsNaN(x.value) { // nothing to rank it by
				continue
			}
		case "random":
			h := fnv.New64a()
			fmt.Fprintf(h, "%d %s", c.Seed, p.ID)
			x.value = float64(h.Sum64() >> 11)
		}
		all = append(all, x)
	}
	middle := 0.0
	if c.Rule == "median" && len(all) > 0 {
		sorted := slices.Clone(all)
		slices.SortFunc(sorted, func(a, b ranked) int { return cmp.Compare(a.value, b.value) })
		middle = (sorted[(len(sorted)-1)/2].value + sorted[len(sorted)/2].value) / 2
	}
	slices.SortStableFunc(all, func(a, b ranked) int {
		switch c.Rule {
		case "best":
			return cmp.Compare(b.value, a.value)
		case "median":
			return cmp.Compare(math.Abs(a.value-middle), math.Abs(b.value-middle))
		case "worst", "random":
			return cmp.Compare(a.value, b.value)
		}
		return 0
	})
	var out []results.Panel
	for _, x := range all[:min(len(all), cmp.Or(c.Count, len(all)))] {
		out = append(out, x.panel)
	}
	return out, nil
}

// value is what a panel is ranked by; NaN if it has no truth or not the methods asked for.
func (c Choice) value(r *results.Run, p *results.Panel) (float64, error) {
	scores, err := panelScores(r, p)
	of := func(method string) float64 {
		if x, ok := scores[method]; ok {
			return x
		}
		return math.NaN()
	}
	switch {
	case err != nil:
		return 0, err
	case c.Baseline != "":
		return of(c.Method) - of(c.Baseline), nil
	case c.Method != "":
		return of(c.Method), nil
	}
	sum, n := 0.0, 0
	for _, m := range r.Methods { // in order: sums of floats depend on it
		if x, ok := scores[m.Name]; ok {
			sum, n = sum+x, n+1
		}
	}
	return sum / float64(n), nil
}

// panelScores are scores of one sample by method: the mean IoU of label maps, or the contrast of similarity maps
// where there are no label maps.
func panelScores(r *results.Run, p *results.Panel) (map[string]float64, error) {
	out := map[string]float64{}
	if p.Truth == "" {
		return out, nil
	}
	truth, err := loadLabels(r, p.Truth)
	if err != nil {
		return nil, err
	}
	for method, path := range p.Predictions {
		l, err := loadLabels(r, path)
		if err != nil {
			return nil, err
		}
		if l.w == truth.w && l.h == truth.h {
			out[method] = judge(truth, l).iou
		}
	}
	if len(p.Predictions) > 0 {
		return out, nil
	}
	d := r.Dataset(p.Dataset)
	for _, m := range chooseMaps(p.Maps) {
		class := slices.Index(d.Classes, m.Class)
		if class < 0 {
			continue
		}
		img, err := decodeImage(r, m.Path)
		if err != nil {
			return nil, err
		}
		saliency := image.NewGray(image.Rect(0, 0, truth.w, truth.h))
		xdraw.BiLinear.Scale(saliency, saliency.Rect, img, img.Bounds(), xdraw.Src, nil)
		if x := mapScore(truth, uint16(class), saliency); !math.IsNaN(x) {
			out[m.Method] = x
		}
	}
	return out, nil
}
