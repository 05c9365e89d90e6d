package analysis

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/metrics"
	"ovbench/reports"
	"ovbench/reports/results"
)

// CompareRequest is what a comparison is asked for.
type CompareRequest struct {
	A, B            string   // run folders; B may be A
	Methods         []string // none: those that both runs have; two: one of A with another of B
	Scores          []string // none: the headline of each cell
	AcrossProtocols bool     // compare what was measured under unlike protocols, data or class names
	Resamples       int      // of the bootstrap
	Flips           int      // random sign patterns, where there are more than 20 images
	Seed            uint64
	Moved           int // images listed for each cell
}

// Compare compares two run folders cell by cell, from their results and records alone. Sides that answered unlike
// questions are refused with the fields in which they differ; what a comparison may be about (the model, a method's
// parameters) is noted in it.
func Compare(r CompareRequest) (*reports.Comparison, error) {
	a, err := results.Read(r.A)
	if err != nil {
		return nil, err
	}
	b := a
	if filepath.Clean(r.B) != filepath.Clean(r.A) {
		if b, err = results.Read(r.B); err != nil {
			return nil, err
		}
	}
	pairs, err := methodPairs(a, b, r)
	if err != nil {
		return nil, err
	}
	recsA, recsB, err := r.load(a, b, pairs)
	if err != nil {
		return nil, err
	}
	noted, refused := unlike(a, b, pairs)
	refused = append(refused, otherData(a, b, recsA, recsB)...)
	if len(refused) > 0 && !r.AcrossProtocols {
		lines := []error{
			fmt.Errorf(
				"%s and %s answered unlike questions, so that a difference says nothing about the methods (--across-protocols "+
					"compares them all the same); they differ in", r.A, r.B),
		}
		for _, u := range refused {
			lines = append(lines, errors.New("  "+u.String()))
		}
		return nil, errors.Join(lines...)
	}
	c := &reports.Comparison{
		Schema: reports.ComparisonSchema,
		A:      comparedSide(r.A, a),
		B:      comparedSide(r.B, b),
		Unlike: append(refused, noted...),
		Level:  tasks.Level,
		Seed:   r.Seed,
	}
	if c.Cells, err = r.all(a, b, recsA, recsB, pairs); err != nil {
		return nil, err
	}
	if len(c.Cells) == 0 {
		return nil, fmt.Errorf("%s and %s have no data set and score in common", r.A, r.B)
	}
	return c, adjust(c.Cells)
}

// load reads the records of both runs, once where they are one, as far as they are of the methods compared.
func (r CompareRequest) load(a, b *results.Run,
	pairs [][2]string) (recsA, recsB map[string][]records.Record, err error) {
	var ofA, ofB []string
	for _, p := range pairs {
		ofA, ofB = append(ofA, p[0]), append(ofB, p[1])
	}
	if a == b {
		recsA, err = loadMethods(r.A, a, append(ofA, ofB...))
		return recsA, recsA, err
	}
	if recsA, err = loadMethods(r.A, a, ofA); err == nil {
		recsB, err = loadMethods(r.B, b, ofB)
	}
	return recsA, recsB, err
}

// loadMethods reads the records of some methods of a run by data set, as [Load] reads those of all: what comparing
// two of a dozen methods takes then depends on two.
func loadMethods(dir string, run *results.Run, methods []string) (map[string][]records.Record, error) {
	recs, err := load(dir, run, methods)
	out := map[string][]records.Record{}
	for _, r := range recs {
		out[r.Dataset] = append(out[r.Dataset], r)
	}
	return out, err
}

// all compares every pair of methods on every data set that both runs have, on all cores, in the order of A.
func (r CompareRequest) all(a, b *results.Run, recsA, recsB map[string][]records.Record,
	pairs [][2]string) ([]reports.ComparedCell, error) {
	cells, faults := make([][]reports.ComparedCell, len(a.Datasets)*len(pairs)), make([]error, len(a.Datasets)*len(pairs))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, d := range a.Datasets {
		if b.Dataset(d.Name) == nil {
			continue
		}
		for j, m := range pairs {
			at := i*len(pairs) + j
			group.Go(func() error {
				var err error
				if cells[at], err = r.cells(a, b, recsA[d.Name], recsB[d.Name], d, m); err != nil {
					faults[at] = fmt.Errorf("%s, %s: %w", d.Name, pairText(m), err)
				}
				return nil
			})
		}
	}
	if err := errors.Join(group.Wait(), errors.Join(faults...)); err != nil {
		return nil, err
	}
	return slices.Concat(cells...), nil
}

func comparedSide(dir string, r *results.Run) reports.ComparedSide {
	return reports.ComparedSide{
		Run:         dir,
		Suite:       r.Suite.Name,
		Model:       r.Model.Name,
		Backbone:    r.Model.Architecture,
		Protocol:    r.Protocol.Name,
		Fingerprint: r.Protocol.Fingerprint,
		Results:     r,
	}
}

// methodPairs are the methods to compare: of A, of B.
func methodPairs(a, b *results.Run, r CompareRequest) ([][2]string, error) {
	switch len(r.Methods) {
	case 0:
		var out [][2]string
		for _, m := range a.Methods {
			if b.Method(m.Name) != nil {
				out = append(out, [2]string{m.Name, m.Name})
			}
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("%s (%s) and %s (%s) have no method in common; name one of each with --methods", r.A,
				strings.Join(names(a), ", "), r.B, strings.Join(names(b), ", "))
		}
		return out, nil
	case 2:
		for i, run := range []*results.Run{a, b} {
			if run.Method(r.Methods[i]) == nil {
				return nil, fmt.Errorf("%s: method %q is not in the run; it has %s", []string{r.A, r.B}[i], r.Methods[i],
					strings.Join(names(run), ", "))
			}
		}
		return [][2]string{{r.Methods[0], r.Methods[1]}}, nil
	}
	return nil, fmt.Errorf("%d methods; name two", len(r.Methods))
}

func names(r *results.Run) (out []string) {
	for _, m := range r.Methods {
		out = append(out, m.Name)
	}
	return out
}

func datasetNames(r *results.Run) (out []string) {
	for _, d := range r.Datasets {
		out = append(out, d.Name)
	}
	return out
}

func pairText(m [2]string) string {
	if m[0] == m[1] {
		return m[0]
	}
	return m[0] + " and " + m[1]
}

// differences collects fields in which two sides differ.
type differences []reports.Unlike

// note adds a field whose values, spelled as JSON, differ.
func (d *differences) note(field string, a, b any) {
	x, y := spelled(a), spelled(b)
	if x != y {
		x, y = apart(x, y)
		*d = append(*d, reports.Unlike{Field: field, A: x, B: y})
	}
}

func spelled(v any) string {
	if s, ok := v.(string); ok {
		return cmp.Or(s, "none")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// apart shortens two texts to what is around their first difference.
func apart(a, b string) (string, string) {
	const most, before = 80, 20
	x, y := []rune(a), []rune(b)
	same := 0
	for same < len(x) && same < len(y) && x[same] == y[same] {
		same++
	}
	from := max(0, same-before)
	short := func(s []rune) string {
		out := string(s[min(from, len(s)):min(from+most, len(s))])
		if from > 0 {
			out = "…" + out
		}
		if from+most < len(s) {
			out += "…"
		}
		return out
	}
	if len(x) <= most && len(y) <= most {
		return a, b
	}
	return short(x), short(y)
}

// networks are those beside the image-text model, by role.
func networks(r *results.Run) string {
	var out []string
	for _, n := range r.Networks {
		out = append(out, n.Role+" "+n.Model.Architecture)
	}
	return strings.Join(out, ", ")
}

// unlike are the fields in which two runs differ: those that a comparison may be about, and those that make one
// meaningless.
func unlike(a, b *results.Run, pairs [][2]string) (noted, refused differences) {
	if a == b {
		return nil, nil
	}
	if pairs[0][0] == pairs[0][1] {
		noted.note("methods", strings.Join(names(a), " "), strings.Join(names(b), " "))
	}
	noted.note("datasets", strings.Join(datasetNames(a), " "), strings.Join(datasetNames(b), " "))
	noted.note("model", a.Model.Name, b.Model.Name)
	noted.note("model.architecture", a.Model.Architecture, b.Model.Architecture)
	noted.note("model.activation", a.Model.Activation, b.Model.Activation)
	noted.note("model.weights", strings.TrimSpace(strings.Join(a.Hashes(), " ")),
		strings.TrimSpace(strings.Join(b.Hashes(), " ")))
	noted.note("networks", networks(a), networks(b))
	for _, p := range pairs {
		x, y := a.Method(p[0]), b.Method(p[1])
		if p[0] == p[1] {
			noted.note(p[0]+".kind", x.Kind, y.Kind)
			noted.note(p[0]+".params", x.Params, y.Params)
			noted.note(p[0]+".positions", x.Positions, y.Positions)
		}
	}
	refused.note("runtime.computed", a.Runtime.Computed(), b.Runtime.Computed())
	noted.note("runtime.version", a.Runtime.Version, b.Runtime.Version)
	noted.note("runtime.jpeg", a.Runtime.JPEG, b.Runtime.JPEG)
	noted.note("tool.version", a.Tool.Version, b.Tool.Version)
	for _, x := range a.Datasets {
		y := b.Dataset(x.Name)
		if y == nil {
			continue
		}
		for _, u := range unlikeProtocols(a, b, &x, y) {
			if !slices.Contains(refused, u) { // runs with one protocol for all data sets name a field once
				refused = append(refused, u)
			}
		}
		refused.note(x.Name+".split", x.Split, y.Split)
		refused.note(x.Name+".list_sha256", x.ListSHA256, y.ListSHA256)
		refused.note(x.Name+".classes", x.Classes, y.Classes)
		refused.note(x.Name+".queries", x.Queries, y.Queries)
		refused.note(x.Name+".templates", x.Templates, y.Templates)
		refused.note(x.Name+".experts", x.Experts.Hash(), y.Experts.Hash())
		noted.note(x.Name+".samples", x.Samples, y.Samples)
		for _, p := range pairs {
			if p[0] == p[1] {
				noted.note(x.Name+"."+p[0]+".params", x.Params[p[0]], y.Params[p[1]])
			}
		}
	}
	return noted, refused
}

// otherData are the data sets whose pictures or truth differ under the same ids. Pictures of unlike decoders are not
// compared, nor records from before there were digests.
func otherData(a, b *results.Run, recsA, recsB map[string][]records.Record) (out differences) {
	if a == b {
		return nil
	}
	for _, d := range a.Datasets {
		of := map[string]records.Record{}
		for _, rec := range recsB[d.Name] {
			of[rec.ID] = rec
		}
		both := 0
		var pictures, truth []string
		for _, x := range recsA[d.Name] {
			y, ok := of[x.ID]
			if !ok || x.Picture == "" || y.Picture == "" {
				continue
			}
			both++
			if x.Picture != y.Picture && a.Runtime.JPEG == b.Runtime.JPEG {
				pictures = append(pictures, x.ID)
			}
			if x.Truth != y.Truth {
				truth = append(truth, x.ID)
			}
		}
		for _, o := range []struct {
			what string
			ids  []string
		}{{".pictures", pictures}, {".truth", truth}} {
			if len(o.ids) > 0 {
				out.note(d.Name+o.what, fmt.Sprintf("%d images of both", both),
					fmt.Sprintf("%d of them differ, such as %s", len(o.ids), o.ids[0]))
			}
		}
	}
	return out
}

// unlikeProtocols are the settings in which two runs differ on a data set: those of the protocol as it holds on it,
// where both runs say, else those of the runs.
func unlikeProtocols(a, b *results.Run, x, y *results.Dataset) (out differences) {
	at, p, q := "protocol", a.Protocol, b.Protocol
	if x.Protocol.Fingerprint != "" && y.Protocol.Fingerprint != "" {
		at, p, q = x.Name+".protocol", x.Protocol, y.Protocol
	}
	if p.Fingerprint == q.Fingerprint {
		return nil
	}
	all := maps.Clone(p.Fields)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, q.Fields)
	for _, k := range slices.Sorted(maps.Keys(all)) {
		u, inP := p.Fields[k]
		v, inQ := q.Fields[k]
		if !inP {
			u = "none"
		}
		if !inQ {
			v = "none"
		}
		out.note(at+"."+k, u, v)
	}
	if len(out) == 0 {
		out.note(at+".fingerprint", p.Fingerprint, q.Fingerprint)
	}
	return out
}

// cells compares one method of each side on one data set: a cell for every task and convention that both have, and
// every score asked for.
func (r CompareRequest) cells(a, b *results.Run, recsA, recsB []records.Record, d results.Dataset,
	m [2]string) ([]reports.ComparedCell, error) {
	if n := len(b.Dataset(d.Name).Classes); n != len(d.Classes) {
		return nil, fmt.Errorf("%d and %d classes cannot be compared", len(d.Classes), n)
	}
	var out []reports.ComparedCell
	for i := range a.Cells {
		cell := &a.Cells[i]
		if cell.Dataset != d.Name || cell.Method != m[0] || !slices.ContainsFunc(b.Cells, func(o results.Cell) bool {
			return o.Dataset == d.Name && o.Method == m[1] && o.Task == cell.Task && o.Convention == cell.Convention
		}) {
			continue
		}
		scores := r.Scores
		if len(scores) == 0 {
			scores = []string{a.Headline(cell)}
		}
		for _, score := range scores {
			if cell.Score(score) == nil {
				continue
			}
			name := cell.Convention + ":" + score
			// A comparison says how much B gains over A: B is the first side of the pair.
			p, err := Paired(Side{b, recsB, d.Name, m[1], name}, Side{a, recsA, d.Name, m[0], name},
				PairOptions{Resamples: r.Resamples, Flips: r.Flips, Seed: r.Seed})
			if err != nil {
				return nil, err
			}
			c := r.compared(cell, d, m, p)
			c.NeedsA, c.NeedsB = a.Method(m[0]).League(), b.Method(m[1]).League()
			c.OracleA, c.OracleB = a.Dataset(d.Name).Oracle(), b.Dataset(d.Name).Oracle()
			out = append(out, c)
		}
	}
	return out, nil
}

// compared is a pair as comparisons show it.
func (r CompareRequest) compared(cell *results.Cell, d results.Dataset, m [2]string, p *Pair) reports.ComparedCell {
	c := reports.ComparedCell{
		Dataset: d.Name, Title: d.Title, Task: cell.Task, Convention: cell.Convention, MethodA: m[0], MethodB: m[1],
		Score:  p.Score,
		Images: p.Images, OnlyA: len(p.OnlyB), OnlyB: len(p.OnlyA), A: p.B, B: p.A, Difference: p.Difference,
	}
	if p.Resamples > 0 {
		c.Low, c.High, c.Resamples = &p.Low, &p.High, p.Resamples
	}
	if t := p.SignFlip; t != nil {
		c.Test, c.Exact, c.P, c.MeanA, c.MeanB = "sign-flip", t.Exact, &t.P, t.MeanB, t.MeanA
		c.Wins, c.Ties, c.Losses = t.Wins, t.Ties, t.Images-t.Wins-t.Ties
	}
	if t := p.McNemar; t != nil {
		c.Test, c.Exact, c.P = "McNemar", true, &t.P
		c.Events = &reports.Events{Both: t.Both, OnlyA: t.OnlyB, OnlyB: t.OnlyA, Neither: t.Neither, P: t.P}
	}
	for _, e := range p.Each {
		c.Each = append(c.Each, reports.MovedImage{ID: e.ID, A: e.B, B: e.A, Difference: e.A - e.B})
	}
	c.Moved = movedMost(c.Each, r.Moved)
	return c
}

// movedMost are the n images with the largest differences, the farthest first; those that did not move are left out.
func movedMost(each []reports.MovedImage, n int) []reports.MovedImage {
	out := slices.DeleteFunc(slices.Clone(each), func(m reports.MovedImage) bool { return m.Difference == 0 })
	slices.SortStableFunc(out, func(a, b reports.MovedImage) int {
		return cmp.Compare(math.Abs(b.Difference), math.Abs(a.Difference))
	})
	return out[:min(n, len(out))]
}

// adjust makes the p-values of all cells those of one family.
func adjust(cells []reports.ComparedCell) error {
	var p []float64
	var of []int
	for i := range cells {
		if cells[i].P != nil {
			p, of = append(p, *cells[i].P), append(of, i)
		}
	}
	adjusted, err := metrics.Holm(p)
	if err != nil {
		return err
	}
	for i, at := range of {
		cells[at].Adjusted = &adjusted[i]
	}
	return nil
}
