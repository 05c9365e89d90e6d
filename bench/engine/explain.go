package engine

import (
	"fmt"

	"ovbench/datasets"
	"ovbench/metrics"
	"ovbench/reports/results"
	"ovbench/runners/methods"
)

// explain scores the map of each class that is present, each for itself: foreground IoU at a searched threshold, contrast, pixel
// precision, the pointing game. The background of a data set is no class here.
type explain struct{}

func (explain) check(s datasets.Sample) error {
	if s.Labels.W == 0 {
		return fmt.Errorf("it has no label maps, which task explain needs")
	}
	return nil
}

func (explain) heat(j *job, m *methodOf, class int, sim similarity) ([]float32, error) {
	cos, err := j.surgery(m.form, sim)
	if err != nil {
		return nil, err
	}
	return j.classColumns(cos, class)[1:], nil
}

func (e explain) read(j *job, m *methodOf, index int, s datasets.Sample, sim similarity) (reading, error) {
	var out Evidence
	for _, class := range present(s.Labels.Pix, j) {
		cells, err := e.heat(j, m, class, sim)
		if err != nil {
			return reading{}, err
		}
		heat, _ := methods.SimilarityMap(cells, sim.rows, sim.cols, s.Labels.H, s.Labels.W)
		mask := metrics.ClassMask(s.Labels.Pix, uint16(class), datasets.Ignore)
		record, err := metrics.Explain(heat, mask, index, class)
		if err != nil {
			return reading{}, err
		}
		out.Explain = append(out.Explain, record)
		energy, err := metrics.EnergyAt(heat, mask, index, class)
		if err != nil {
			return reading{}, err
		}
		out.Energy = append(out.Energy, energy)
		extent := metrics.ExtentOf(heat)
		x, y := float64(extent.Peak%s.Labels.W), float64(extent.Peak/s.Labels.W)
		for tolerance, list := range map[float64]*[]metrics.PointRecord{metrics.PointingTolerance: &out.Points, 1: &out.PointsIn} {
			outcome, err := metrics.PointAt(mask, s.Labels.W, x, y, tolerance)
			if err != nil {
				return reading{}, err
			}
			*list = append(*list, metrics.PointRecord{Image: index, Class: class, Outcome: outcome, Tied: extent.Peaks > 1})
		}
	}
	return reading{evidence: out}, nil
}

// present lists the classes of a label map, without the background.
func present(labels []uint16, j *job) []int {
	seen := make([]bool, len(j.info.Classes))
	for _, v := range labels {
		if int(v) < len(seen) {
			seen[v] = true
		}
	}
	var out []int
	for c, ok := range seen {
		if ok && !(c == 0 && j.info.Background) {
			out = append(out, c)
		}
	}
	return out
}

func (explain) score(c cellContext, recs []Record) ([]results.Cell, error) {
	classes := len(c.dataset.Classes)
	maps, err := metrics.NewExplainability(classes)
	if err != nil {
		return nil, err
	}
	points, _ := metrics.NewPointing(classes) // the same classes: no error is left
	inside, _ := metrics.NewPointing(classes)
	var (
		energy  metrics.Energy
		explain []metrics.ExplainRecord
		events  []metrics.PointRecord
	)
	for i, r := range recs {
		e := r.Methods[c.method]
		err := addAll(maps.Add, e.Explain)
		if err == nil {
			err = addAll(points.Add, e.Points)
		}
		if err == nil {
			err = addAll(inside.Add, e.PointsIn)
		}
		if err == nil {
			err = addAll(energy.Add, e.Energy)
		}
		if err != nil {
			return nil, fmt.Errorf("the record of %s: %w", r.ID, err)
		}
		for _, x := range e.Explain { // resamples count images from 0
			x.Image = i
			explain = append(explain, x)
		}
		for _, x := range e.Points {
			x.Image = i
			events = append(events, x)
		}
	}
	summary := maps.Summary()
	cell := results.Cell{Convention: "foreground", Images: len(recs), Warnings: c.few(len(recs))}
	for _, s := range summary.Scores {
		score := results.Score{Name: s.Name, Value: s.Value}
		if s.Name == "fg-mIoU" {
			if stat, err := metrics.BestThresholdStatistic(explain, len(recs), classes); err == nil {
				c.interval(&score, len(recs), stat)
			}
		}
		cell.Scores = append(cell.Scores, score)
	}
	for _, s := range points.Scores() {
		score := results.Score{Name: s.Name, Value: s.Value}
		if s.Name == "pointing-seen" {
			if stat, err := metrics.PointingStatistic(events, len(recs), classes); err == nil {
				c.interval(&score, len(recs), stat)
			}
		}
		cell.Scores = append(cell.Scores, score)
	}
	for _, s := range inside.Scores() {
		cell.Scores = append(cell.Scores, results.Score{Name: s.Name + "-in-mask", Value: s.Value})
	}
	for _, s := range energy.Scores() {
		cell.Scores = append(cell.Scores, results.Score{Name: s.Name, Value: s.Value})
	}
	cell.Warnings = append(cell.Warnings, fmt.Sprintf("fg-mIoU is at threshold %.2f, searched on these images; %.2f and %.2f on their halves", summary.Best, summary.BestOfEven, summary.BestOfOdd))
	for _, n := range []struct {
		count int
		what  string
	}{{summary.NaN, "with pixels that are not numbers"}, {summary.Constant, "constant"}, {summary.Tied, "with several highest pixels"}} {
		if n.count > 0 {
			cell.Warnings = append(cell.Warnings, fmt.Sprintf("%d of %d maps are %s", n.count, summary.Maps, n.what))
		}
	}
	return []results.Cell{cell}, nil
}

func addAll[R any](add func(R) error, records []R) error {
	for _, r := range records {
		if err := add(r); err != nil {
			return err
		}
	}
	return nil
}
