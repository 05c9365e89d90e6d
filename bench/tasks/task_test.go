package tasks

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/metrics"
	"ovbench/runners/resample"
)

// A class is the best of its queries, in maps and in rankings alike.
func TestClassesAreTheirBestQuery(t *testing.T) {
	j := &Target{Texts: []string{"a", "b", "c"}, Rule: resample.Rule{Classes: []int{0, 1, 1}}}
	cos := []float32{0.1, 0.2, 0.3, 0.6, 0.5, 0.4} // two tokens
	for class, want := range [][]float32{{0.1, 0.6}, {0.3, 0.5}} {
		if diff := cmp.Diff(want, j.classColumns(cos, class)); diff != "" {
			t.Errorf("class %d (-want +got)\n%s", class, diff)
		}
	}
	queries := [][]string{{"a"}, {"b", "c"}}
	for _, c := range []struct{ row, want []float64 }{{[]float64{1, 2, 3}, []float64{1, 3}},
		{[]float64{1, 3, 2}, []float64{1, 3}}} {
		got, err := BestQueries(c.row, queries)
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%v: %v (-want +got)\n%s", c.row, err, diff)
		}
	}
	for _, row := range [][]float64{{1, 2}, {1, 2, 3, 4}} {
		if _, err := BestQueries(row, queries); err == nil {
			t.Errorf("%d scores for 3 queries are accepted", len(row))
		}
	}
}

// Background is a class to segment, and none to explain or to rank.
func TestBackgroundIsNotPresent(t *testing.T) {
	labels := []uint16{0, 2, labelmap.Ignore, 2, 7}
	info := datasets.Info{Classes: []string{"background", "x", "y"}, Background: true}
	if diff := cmp.Diff([]int{2}, present(labels, info)); diff != "" {
		t.Errorf("with background (-want +got)\n%s", diff)
	}
	info.Background = false
	if diff := cmp.Diff([]int{0, 2}, present(labels, info)); diff != "" {
		t.Errorf("without (-want +got)\n%s", diff)
	}
	s := datasets.Sample{Tags: []datasets.Tag{datasets.Present, datasets.Absent, datasets.Difficult}}
	want := []int8{int8(metrics.TagPresent), int8(metrics.TagAbsent), int8(metrics.TagDifficult)}
	if diff := cmp.Diff(want, tagsOf(info, s)); diff != "" {
		t.Errorf("tags (-want +got)\n%s", diff)
	}
}
