package tasks

import (
	"math"
	"slices"
	"testing"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/metrics"
)

// mPrecision is the function of CONTRIBUTING.md's example.
func mPrecision(_ metrics.Convention, a metrics.Areas) (float64, bool) {
	sum, n := 0.0, 0
	for c, predicted := range a.Pred {
		if predicted > 0 {
			sum += float64(a.Intersection[c]) / float64(predicted)
			n++
		}
	}
	return sum / float64(max(1, n)), n > 0
}

// One function and one row make a metric: scored, with an interval, comparable image by image, known to suites, listed.
func TestAddAMetric(t *testing.T) {
	before := segmentationMetrics
	t.Cleanup(func() { segmentationMetrics = before })
	segmentationMetrics = append(slices.Clone(before),
		pooled("mPrecision", "mean over predicted classes of precision", mPrecision),
	)
	run := two("m")
	var recs []records.Record
	for i, c := range []metrics.Sparse{{{Truth: 0, Pred: 0, Count: 3}, {Truth: 1, Pred: 0, Count: 1}},
		{{Truth: 1, Pred: 1, Count: 2}}} {
		recs = append(recs, records.Record{Dataset: "d", Index: i, Methods: map[string]records.Evidence{"m": {Confusion: c}}})
	}
	suite, err := configs.Parse("s.yaml",
		[]byte("datasets: [voc20]\nmethods: [clip]\nprotocol: clip-surgery\nmetrics: [mPrecision, mIoU]\nresamples: 50\n"),
		Known())
	if err != nil {
		t.Fatal(err)
	}
	cells, err := Score(run, suite, recs)
	if err != nil {
		t.Fatal(err)
	}
	// By hand: 3 of 4 pixels predicted as the first class are right, 2 of 2 as the second. The suite chooses and orders.
	scores := cells[0].Scores
	if len(scores) != 2 || scores[0].Name != "mPrecision" || scores[1].Name != "mIoU" ||
		math.Abs(scores[0].Value-0.875) > 1e-15 || scores[0].Low == nil {
		t.Errorf("scores %+v", scores)
	}
	made, err := segmentation{}.Cells(Context{Run: run, Dataset: run.Datasets[0], Method: "m"}, recs)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Find(Statistics(made), "", "mPrecision")
	if err != nil {
		t.Fatal(err)
	}
	if each, err := s.Each(); err != nil || !slices.Equal(each, []float64{0.75, 1}) {
		t.Errorf("single images %v, %v", each, err)
	}
	if !slices.ContainsFunc(Metrics(), func(m Metric) bool { return m.Name == "mPrecision" && m.Task == "segmentation" }) {
		t.Error("it is not listed")
	}
}

// Every score that a suite may name is one that its task's records can have: no name is twice in a task's list, and a
// name of another task or of none is a fault.
func TestMetricsOfSuites(t *testing.T) {
	parse := func(task, metrics string) error {
		_, err := configs.Parse("s.yaml",
			[]byte("datasets: [voc20]\nmethods: [clip]\nprotocol: clip-surgery\ntask: "+task+"\nmetrics: ["+metrics+"]\n"),
			Known())
		return err
	}
	for _, m := range Metrics() {
		if err := parse(m.Task, m.Name); err != nil {
			t.Errorf("%s of task %s: %v", m.Name, m.Task, err)
		}
	}
	for _, c := range [][2]string{{"segmentation", "nonsense"}, {"segmentation", "mAP"}, {"explain", "insertion"}} {
		if err := parse(c[0], c[1]); err == nil {
			t.Errorf("task %s may ask for %s", c[0], c[1])
		}
	}
}
