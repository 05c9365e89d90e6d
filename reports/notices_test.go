package reports

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/results"
)

// TestWarningsStandOnce: what several methods or runs warn of is one line, and thresholds are a note of the table.
func TestWarningsStandOnce(t *testing.T) {
	warned := func() *results.Run {
		r := invent(plan{methods: 3, sets: 1, classes: 3})
		r.Warnings = []string{"old weights"}
		for i, at := range []string{"0.50", "0.50", "0.61"} {
			r.Cells[i].Scores[0].Name = "fg-mIoU"
			r.Cells[i].Warnings = []string{"fg-mIoU is at threshold " + at +
				", searched on these images; 0.40 and 0.60 on their halves", "few images"}
		}
		r.Cells[0].Warnings = append(r.Cells[0].Warnings, "3 of 9 maps are empty")
		r.Cells[2].Warnings = append(r.Cells[2].Warnings, "4 of 9 maps are empty")
		return r
	}
	a, b := warned(), warned()
	b.Warnings = append(b.Warnings, "new weights")
	want := []string{"every run: old weights", "every run: set0, every method: few images",
		"every run: set0: maps are empty: clip 3 of 9, maskclip 4 of 9", "run 2: new weights"}
	got := notices([]*results.Run{a, b})
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	note := "fg-mIoU is at the threshold with the highest score on these images (on their halves): " +
		"clip, clip_surgery 0.50 (0.40 and 0.60); maskclip 0.61 (0.40 and 0.60)."
	v := newView([]*results.Run{a}, &Layout{})
	for name, x := range map[string]table{"summary": summaryOf(v), "scores": scoresOf(v, v.columns[0])} {
		if !slices.Contains(x.notes, note) {
			t.Errorf("%s: no threshold in\n%s", name, strings.Join(x.notes, "\n"))
		}
	}
}
