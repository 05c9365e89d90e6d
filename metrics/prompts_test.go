package metrics

import (
	"encoding/json"
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
		{"the last positive one is the strongest", points([][2]int{on, off}, [][2]int{off}),
			PromptRecord{Truth: 2, Positive: 2, PositiveRight: 1, Negative: 1, NegativeRight: 1, First: Miss}},
		{"on the object", points([][2]int{off, off, on}, [][2]int{on, on}), PromptRecord{Truth: 2, Positive: 3,
			PositiveRight: 1, Negative: 2, First: Hit}},
		{"on void", points([][2]int{on, void}, [][2]int{void, off}), PromptRecord{Truth: 2, Positive: 1, PositiveRight: 1,
			Negative: 1, NegativeRight: 1, First: Skipped}},
		{"none", nil, PromptRecord{Truth: 2}},
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
		if _, err := PromptsAt([]Prompt{p}, mask, 3, 9, 0); err == nil ||
			!strings.Contains(err.Error(), "outside of image 9, 3 x 2") {
			t.Errorf("%v: %v", p, err)
		}
	}
	if _, err := PromptsAt(nil, mask, 4, 0, 0); err == nil {
		t.Error("6 pixels in rows of 4")
	}
}

// By hand: 3 of 4 positive and 1 of 2 negative points are right, one of two first ones. Chosen masks of class 0 have
// 1/2 and 3/4 (pooled 4/6), of class 1 0/1; the best of those after the first are 1/2, 3/4 and 1/1, the first ones 2/2,
// 0/4 and 1/1. A box has one mask, which is all three; the maps have 1/4, 2/4 and 0/1.
func TestPromptScores(t *testing.T) {
	masks := func(chosen int, o ...Overlap) *PromptMasks { return &PromptMasks{o, chosen} }
	records := []PromptRecord{
		{Class: 0, Positive: 3, PositiveRight: 3, Negative: 1, First: Hit, Map: &Overlap{1, 4},
			FromPoints: masks(2, Overlap{2, 2}, Overlap{0, 3}, Overlap{1, 2}), FromBox: masks(0, Overlap{1, 2})},
		{Class: 0, Positive: 1, Negative: 1, NegativeRight: 1, First: Miss, Map: &Overlap{2, 4},
			FromPoints: masks(1, Overlap{0, 4}, Overlap{3, 4})},
		{Class: 1, Map: &Overlap{0, 1}, FromPoints: masks(1, Overlap{1, 1}, Overlap{0, 1}, Overlap{1, 1})},
	}
	want := map[string]float64{
		"point-acc": 4. / 6, "point-acc+": 3. / 4, "point-acc-": 1. / 2, "hit@1": 1. / 2,
		"mask-IoU": 5. / 12, "mask-mIoU": 1. / 3, "mask-IoU-oracle": 9. / 12, "mask-mIoU-oracle": 5. / 6,
		"mask-IoU-single": 2. / 3, "mask-mIoU-single": 2. / 3,
		"box-IoU": 1. / 2, "box-mIoU": 1. / 2, "box-IoU-oracle": 1. / 2, "box-mIoU-oracle": 1. / 2, "box-IoU-single": 1. / 2,
		"box-mIoU-single": 1. / 2,
		"map-IoU":         1. / 4, "map-mIoU": 3. / 16,
	}
	var names []string
	for _, s := range PromptScores() {
		names = append(names, s.Name)
	}
	if diff := cmp.Diff(want,
		evaluate(t, 1, func(score string) (Statistic, error) { return PromptStatistic(records, 1, score) }, names...),
		cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
	if got := records[0].Main(); got != (Overlap{1, 2}) {
		t.Errorf("the mask for tables is %v", got)
	}
	for _, bad := range []PromptRecord{
		{Image: -1}, {Class: -1}, {Class: MaxClasses}, {PositiveRight: 1}, {Negative: -1}, {First: 2}, {Truth: -1},
		{Map: &Overlap{2, 1}}, {FromPoints: masks(0, Overlap{-1, 1})}, {FromBox: masks(1, Overlap{})}, {FromBox: masks(0)},
		{Positive: maxPixels + 1},
	} {
		if _, err := PromptStatistic([]PromptRecord{bad}, 1, "hit@1"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
	if _, err := PromptStatistic(nil, 1, "IoU"); err == nil {
		t.Error("an unknown score is taken")
	}
}

// A record is what it was when it comes back from a file.
func TestPromptRecordJSON(t *testing.T) {
	want := PromptRecord{Class: 3, Truth: 5, First: Hit, Map: &Overlap{1, 4},
		FromPoints: &PromptMasks{[]Overlap{{0, 3}, {1, 2}}, 1}}
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), `"from_points":{"masks":[[0,3],[1,2]],"chosen":1}`) {
		t.Errorf("%s", data)
	}
	var got PromptRecord
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for _, bad := range []string{`{"map":[1]}`, `{"map":[1,2,3]}`, `{"map":"x"}`} {
		if json.Unmarshal([]byte(bad), &got) == nil {
			t.Errorf("%s is read", bad)
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
