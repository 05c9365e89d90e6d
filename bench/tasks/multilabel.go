package tasks

import (
	"fmt"
	"slices"
	"strconv"

	"ovbench/bench/records"
	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
)

// multilabel ranks the images of each class by the class token: by cosine, by softmax over the classes, by feature
// surgery.
type multilabel struct{}

func (multilabel) Needs() Needs {
	return Needs{Whole: true, Surgery: true, Global: true, Compares: true}
}

func (multilabel) Check(s datasets.Sample) error {
	if s.Tags == nil && s.Labels.W == 0 {
		return fmt.Errorf("it says of no image which classes are in it, which task multilabel needs")
	}
	return nil
}

func (multilabel) Measure(v *View) (Measured, error) {
	m, err := v.each(func(s *Seen) (records.Evidence, error) {
		return records.Evidence{Cosines: slices.Clone(s.Global)}, nil
	})
	m.Tags = tagsOf(v.Info, v.Sample)
	return m, err
}

// tagsOf are a sample's own, or else the classes of its label map.
func tagsOf(info datasets.Info, s datasets.Sample) []int8 {
	out := make([]int8, len(info.Classes))
	if s.Tags == nil {
		for _, c := range present(s.Labels.Pix, info) {
			out[c] = int8(datasets.Present)
		}
		return out
	}
	for c, t := range s.Tags {
		out[c] = int8(t)
	}
	return out
}

// classScores are the ways to rank images by the cosines of the class token: one cell each, named as its convention.
var classScores = []struct {
	name string
	of   func(cos []float32, score methods.Score, form methods.FeatureSurgery) ([]float64, error)
}{
	{"cosine", func(cos []float32, _ methods.Score, _ methods.FeatureSurgery) ([]float64, error) {
		return Widen(cos), nil
	}},
	{ownScore, func(cos []float32, score methods.Score, _ methods.FeatureSurgery) ([]float64, error) {
		return score.Of(cos), nil
	}},
	{"surgery", func(cos []float32, score methods.Score, form methods.FeatureSurgery) ([]float64, error) {
		row := slices.Clone(cos)
		err := form.Apply(cos, row, len(row), nil, score)
		return Widen(row), err
	}},
}

func Widen(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// ownScore is the way of the model's own score, which has the name "sigmoid" where it is one.
const ownScore = "softmax"

// score is that of the run's model: a softmax at the protocol's scale, or the sigmoid that the model was trained for.
func (c Context) score() (methods.Score, error) {
	if m := &c.Run.Model; m.Sigmoid() {
		return methods.Score{Scale: m.LogitScale, Sigmoid: true, Bias: m.LogitBias}, nil
	}
	scale, err := strconv.ParseFloat(fmt.Sprint(c.field("scale")), 64)
	if err != nil {
		return methods.Score{}, fmt.Errorf("protocol scale: %w", err)
	}
	return methods.Score{Scale: scale}, nil
}

// tables are what the records of one data set and method say: a ranking by each of classScores.
func (c Context) tables(recs []records.Record) ([]*TagTable, error) {
	score, err := c.score()
	if err != nil {
		return nil, err
	}
	form := methods.Labels
	if asked := methods.FeatureSurgery(fmt.Sprint(c.field("redundant"))); asked == methods.Paper ||
		asked == methods.Sigmoid {
		form = asked
	}
	classes := len(c.Dataset.Classes)
	tags := make([]metrics.Tag, 0, len(recs)*classes)
	for _, r := range recs {
		if len(r.Tags) != classes {
			return nil, fmt.Errorf("the record of %s has %d tags for %d classes", r.ID, len(r.Tags), classes)
		}
		for _, t := range r.Tags {
			tags = append(tags, metrics.Tag(t))
		}
	}
	cosines := make([][]float32, len(recs))
	for i, r := range recs {
		e, err := r.Evidence(c.Method)
		if err != nil {
			return nil, err
		}
		cosines[i] = e.Cosines
	}
	out := make([]*TagTable, len(classScores))
	for w, way := range classScores {
		out[w] = &TagTable{Images: len(recs), Classes: classes, Tags: tags, Difficult: metrics.DifficultSkip}
		for i, r := range recs {
			row, err := way.of(cosines[i], score, form)
			if err == nil {
				row, err = BestQueries(row, c.Dataset.Queries)
			}
			if err != nil {
				return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
			}
			out[w].Values = append(out[w].Values, row...)
		}
	}
	return out, nil
}

func (multilabel) Cells(c Context, recs []records.Record) (cells []Cell, err error) {
	tables, err := c.tables(recs)
	for w, t := range tables {
		name := classScores[w].name
		if name == ownScore && c.Run.Model.Sigmoid() {
			name = "sigmoid"
		}
		cells = append(cells,
			Cell{name, t.Statistics(name), func(cell *results.Cell) error { return t.describe(cell, c.Dataset.Classes) }})
	}
	return cells, err
}

// BestQueries reduces scores by query to classes: the largest of a class's queries.
func BestQueries(row []float64, queries [][]string) ([]float64, error) {
	out := make([]float64, len(queries))
	at := 0
	for class, qs := range queries {
		if len(qs) == 0 || at+len(qs) > len(row) {
			return nil, fmt.Errorf("%d cosines do not fit the queries", len(row))
		}
		out[class] = row[at]
		for _, v := range row[at : at+len(qs)] {
			out[class] = max(out[class], v)
		}
		at += len(qs)
	}
	if at != len(row) {
		return nil, fmt.Errorf("%d cosines do not fit the queries", len(row))
	}
	return out, nil
}
