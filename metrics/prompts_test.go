package metrics

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestPromptsByHand(t *testing.T) {
	mask := []uint8{
		1, 1, 0,
		0, 2, 0,
	}
	on, off, void := [2]int{1, 0}, [2]int{2, 1}, [2]int{1, 1}
	points := func(positive, negative [][2]int) (out []Prompt) {
		for _, p := range positive {
			out = append(out, Prompt{p[0], p[1], true})
		}
		for _, p := range negative {
			out = append(out, Prompt{p[0], p[1], false})
		}
		return out
	}
	for _, test := range []struct {
		name   string
		points []Prompt
		want   PromptRecord
	}{
		{"the last positive one is the strongest", points([][2]int{on, off}, [][2]int{off}), PromptRecord{Positive: 2, PositiveRight: 1, Negative: 1, NegativeRight: 1, First: Miss}},
		{"on the object", points([][2]int{off, off, on}, [][2]int{on, on}), PromptRecord{Positive: 3, PositiveRight: 1, Negative: 2, First: Hit}},
		{"on void", points([][2]int{on, void}, [][2]int{void, off}), PromptRecord{Positive: 1, PositiveRight: 1, Negative: 1, NegativeRight: 1, First: Skipped}},
		{"none", nil, PromptRecord{}},
	} {
		got, err := PromptsAt(test.points, mask, 3, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
	for _, p := range []Prompt{{3, 0, true}, {0, 2, true}, {-1, 0, false}, {0, -1, false}} {
		if _, err := PromptsAt([]Prompt{p}, mask, 3, 9, 0); err == nil || !strings.Contains(err.Error(), "outside of image 9, 3 x 2") {
			t.Errorf("%v: %v", p, err)
		}
	}
	if _, err := PromptsAt(nil, mask, 4, 0, 0); err == nil {
		t.Error("6 pixels in rows of 4")
	}
}

// By hand: 3 of 4 positive and 1 of 2 negative points are right, one of two first ones. Masks of
// class 0 have 1/2 and 3/4 (pooled 4/6), of class 1 0/1; oracle masks only class 1, of 1/1.
func TestPromptingScores(t *testing.T) {
	records := []PromptRecord{
		{Class: 0, Positive: 3, PositiveRight: 3, Negative: 1, First: Hit, Chosen: &Overlap{1, 2}},
		{Class: 0, Positive: 1, Negative: 1, NegativeRight: 1, First: Miss, Chosen: &Overlap{3, 4}},
		{Class: 1, Chosen: &Overlap{0, 1}, Oracle: &Overlap{1, 1}},
	}
	want := map[string]float64{
		"point-acc": 4. / 6, "point-acc+": 3. / 4, "point-acc-": 1. / 2, "hit@1": 1. / 2,
		"mask-IoU": 5. / 12, "mask-mIoU": 1. / 3, "mask-IoU-oracle": 1, "mask-mIoU-oracle": 1,
	}
	if diff := cmp.Diff(want, evaluate(t, 1, func(score string) (Statistic, error) { return PromptStatistic(records, 1, score) }, PromptScores...), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []PromptRecord{
		{Image: -1}, {Class: -1}, {Class: MaxClasses}, {PositiveRight: 1}, {Negative: -1}, {First: 2},
		{Chosen: &Overlap{2, 1}}, {Oracle: &Overlap{-1, 1}}, {Positive: maxPixels + 1},
	} {
		if _, err := PromptStatistic([]PromptRecord{bad}, 1, "hit@1"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func TestOverlap(t *testing.T) {
	o, err := OverlapOf([]uint8{1, 1, 1, 0, 0, 2}, []uint8{1, 0, 2, 1, 0, 1})
	if err != nil || o != (Overlap{1, 4}) {
		t.Errorf("%v, %v; want 1 of 4", o, err)
	}
	if _, err := OverlapOf(nil, []uint8{1}); err == nil {
		t.Error("masks of 0 and 1 pixels")
	}
	if got := (Overlap{}).IoU(); got != 0 {
		t.Errorf("two empty masks: %v", got)
	}
	if got := BestOverlap([]Overlap{{0, 0}, {1, 3}, {2, 6}, {1, 4}}); got != 1 {
		t.Errorf("best mask %d, want 1, the first of the best", got)
	}
	if got := BestOverlap(nil); got != -1 {
		t.Errorf("best of no masks: %d", got)
	}
}

// RITM, compute_noc_metric: the first click at or above the target; 20 if there is none; samples of
// 20 clicks are counted as over.
func TestClicks(t *testing.T) {
	late := make([]float64, 25)
	late[19], late[22] = 0.95, 0.95
	for _, test := range []struct {
		name   string
		ious   []float64
		clicks int
		over   bool
	}{
		{"at once", []float64{0.9, 0.1}, 1, false},
		{"third", []float64{0.5, 0.89, 0.9}, 3, false},
		{"never", []float64{0.5, 0.89}, 20, true},
		{"exactly 20", late[:20], 20, true},
		{"too late", append(make([]float64, 22), 0.95), 20, true},
		{"none", nil, 20, true},
	} {
		if clicks, over := Clicks(test.ious, 0.9, 20); clicks != test.clicks || over != test.over {
			t.Errorf("%s: %d, %v; want %d, %v", test.name, clicks, over, test.clicks, test.over)
		}
	}
}
