package analysis

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"ovbench/bench/records"
	"ovbench/bench/tasks"
	"ovbench/configs"
	"ovbench/reports"
	"ovbench/reports/results"
)

// plainWords is the query set of plain class names.
const plainWords = "plain"

// ownDecision is the variant that decides as the run did.
const ownDecision = "own"

// AuditVariant is a way to decide pixels that an audit asks for.
type AuditVariant struct {
	Name     string
	Protocol configs.Protocol
}

// AuditVariants are the decisions that an audit compares on a data set under its protocol: the protocol's own, those
// at thresholds from 0 to 1 at a step, and other rules.
func AuditVariants(d *results.Dataset, p configs.Protocol, step float64) []AuditVariant {
	out := []AuditVariant{{ownDecision, p}}
	for _, at := range thresholds(d, step) {
		q := p
		q.Threshold = at
		out = append(out, AuditVariant{thresholdName(at), q})
	}
	several := slices.ContainsFunc(d.Queries, func(words []string) bool { return len(words) > 1 })
	for _, r := range rules {
		q := p
		if name, ok := r.change(&q, several); ok {
			out = append(out, AuditVariant{name, q})
		}
	}
	return out
}

// rules are decisions beside the protocol's own.
var rules = []struct {
	change func(p *configs.Protocol, several bool) (name string, ok bool)
}{
	{func(p *configs.Protocol, several bool) (string, bool) {
		return setAliases(p, configs.AliasesMean, several)
	}},
	{func(p *configs.Protocol, several bool) (string, bool) {
		return setAliases(p, configs.AliasesLSE, several)
	}},
	{func(p *configs.Protocol, _ bool) (string, bool) {
		ok := p.Threshold > 0 && p.BackgroundRule != configs.BackgroundMargin
		p.BackgroundRule = configs.BackgroundMargin
		return "background_rule=margin", ok
	}},
	{func(p *configs.Protocol, _ bool) (string, bool) {
		ok := !p.Oracle()
		p.Vocabulary = configs.VocabularyOracle
		return oracleName, ok
	}},
}

const oracleName = "vocabulary=oracle"

func setAliases(p *configs.Protocol, to string, several bool) (name string, ok bool) {
	ok = several && p.Aliases != to
	p.Aliases = to
	return "aliases=" + to, ok
}

// thresholds are those of a curve; a data set without background has none.
func thresholds(d *results.Dataset, step float64) (out []float64) {
	for i := 0; d.Background && float64(i)*step < 1-step/2; i++ {
		out = append(out, float64(i)*step)
	}
	return out
}

func thresholdName(x float64) string { return "threshold=" + strconv.FormatFloat(x, 'g', 6, 64) }

// Audited is a data set of a run whose maps were decided anew.
type Audited struct {
	Dir       string
	Source    *results.Run // as it was recorded
	Run       *results.Run // of this data set alone, with a method for each method and variant
	Records   []records.Record
	Set       string // which data set it is
	Protocol  configs.Protocol
	Missing   int
	Whole     bool
	Unrefined bool
	Step      float64
	Label     func(method, variant string) string
}

// side is a method under a variant as comparisons take it.
func (a *Audited) side(method, variant string) Side {
	return Side{a.Run, a.Records, a.Run.Datasets[0].Name, a.Label(method, variant), "mIoU"}
}

// Audit says what names, thresholds and decisions are worth. o is of the intervals.
func Audit(list []Audited, o PairOptions) (*reports.Audit, error) {
	out := &reports.Audit{Schema: reports.AuditSchema}
	if o.Resamples > 0 {
		out.Level = tasks.Level
	}
	o.Flips = 1 // no test is shown
	var of []*Audited
	for i := range list {
		a := &list[i]
		if !slices.Contains(out.Runs, a.Source) {
			out.Runs = append(out.Runs, a.Source)
		}
		for _, m := range a.Source.Methods {
			if a.Run.Method(a.Label(m.Name, ownDecision)) == nil {
				continue
			}
			e, err := a.entry(&m, o)
			if err != nil {
				return nil, err
			}
			out.Entries, of = append(out.Entries, e), append(of, a)
		}
	}
	for i := range out.Entries {
		for j := range out.Entries {
			if !namedAlike(&out.Entries[i], &out.Entries[j], of[i], of[j]) {
				continue
			}
			g, err := gap(out.Entries, i, j, of, o)
			if err != nil {
				return nil, err
			}
			out.Gaps = append(out.Gaps, g)
		}
	}
	return out, nil
}

// entry is a method of a data set.
func (a *Audited) entry(m *results.Method, o PairOptions) (e reports.AuditEntry, err error) {
	d := a.Run.Datasets[0]
	e = reports.AuditEntry{Run: a.Dir, Dataset: d.Name, Set: a.Set, Title: d.Title, Model: a.Source.Model.Name,
		Method: m.Name,
		Needs:  m.League(), Protocol: a.Source.Protocol.Name, QuerySet: d.QuerySet, Images: len(a.Records),
		Missing: a.Missing,
		Exact:   a.Whole, Refined: a.Unrefined, Threshold: a.Protocol.Threshold}
	for _, words := range d.Queries {
		e.Queries += len(words)
	}
	if s := a.Source.Cell(d.Name, m.Name).Score("mIoU"); s != nil {
		e.Recorded = &s.Value
	}
	score := func(variant string, at float64) reports.AuditScore {
		s := a.Run.Cell(d.Name, a.Label(m.Name, variant)).Score("mIoU")
		if s == nil {
			return reports.AuditScore{Threshold: at}
		}
		return reports.AuditScore{Threshold: at, Value: s.Value, Low: s.Low, High: s.High}
	}
	e.Own = score(ownDecision, a.Protocol.Threshold)
	for _, at := range thresholds(&d, a.Step) {
		e.Curve = append(e.Curve, score(thresholdName(at), at))
	}
	for i := range e.Curve {
		if e.Best == nil || e.Curve[i].Value > e.Best.Value {
			e.Best = &e.Curve[i]
		}
	}
	for _, v := range AuditVariants(&d, a.Protocol, a.Step) {
		if v.Name == ownDecision || strings.HasPrefix(v.Name, "threshold=") || a.Run.Method(a.Label(m.Name, v.Name)) == nil {
			continue
		}
		c, err := change(v.Name, a.side(m.Name, ownDecision), a.side(m.Name, v.Name), o)
		if err != nil {
			return e, err
		}
		e.Decisions = append(e.Decisions, c)
	}
	return e, nil
}

// change is what a side gains over another on the images of both.
func change(name string, from, to Side, o PairOptions) (reports.AuditChange, error) {
	p, err := Paired(to, from, o)
	if err != nil {
		return reports.AuditChange{}, err
	}
	c := reports.AuditChange{Name: name, Oracle: name == oracleName, Value: p.A, Difference: p.Difference}
	if p.Resamples > 0 {
		c.Low, c.High = &p.Low, &p.High
	}
	return c, nil
}

// namedAlike reports whether two entries are one method on one data set, decided alike, the first by plain class names
// and the second by others.
func namedAlike(plain, named *reports.AuditEntry, a, b *Audited) bool {
	if plain.QuerySet != plainWords || named.QuerySet == plainWords || plain.Set != named.Set {
		return false
	}
	p, q := a.Protocol, b.Protocol
	for _, x := range []*configs.Protocol{&p, &q} { // what belongs to the words
		x.Name, x.Queries, x.Scale, x.Threshold, x.AreaThreshold = "", "", 0, 0, 0
	}
	m, n := *a.Source.Method(plain.Method), *b.Source.Method(named.Method)
	return p.Fingerprint() == q.Fingerprint() && slices.Equal(a.Source.Hashes(), b.Source.Hashes()) &&
		a.Run.Datasets[0].ListSHA256 == b.Run.Datasets[0].ListSHA256 && same(m, n)
}

// same reports whether two methods are one, spelled alike.
func same(a, b results.Method) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// gap is what the words of entry named gain over the plain ones.
func gap(all []reports.AuditEntry, plain, named int, of []*Audited, o PairOptions) (g reports.AuditGap, err error) {
	p, n := &all[plain], &all[named]
	g = reports.AuditGap{Set: n.Set, Title: n.Title, Method: n.Method, QuerySet: n.QuerySet, Plain: plain, Named: named}
	from, to := of[plain], of[named]
	pair := func(name, a, b string) (reports.AuditChange, error) {
		return change(name, from.side(p.Method, a), to.side(n.Method, b), o)
	}
	if g.Own, err = pair("own thresholds", ownDecision, ownDecision); err != nil {
		return g, err
	}
	if p.Best != nil && n.Best != nil {
		best, err := pair("best thresholds", thresholdName(p.Best.Threshold), thresholdName(n.Best.Threshold))
		if err != nil {
			return g, err
		}
		g.Best = &best
	}
	_, _, m := match(from.Records, to.Records)
	g.Images = m.Images
	return g, nil
}
