package reports

import (
	"image"
	"image/color"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/reports/draw"
	"ovbench/reports/results"
)

// By hand: of six pixels one is ignored; class 0 has 1 of 2, class 1 has 1 of 3, class 2 (predicted alone) 0 of 1.
func TestJudge(t *testing.T) {
	truth := &labels{w: 3, h: 2, at: []uint16{0, 0, 1, 1, draw.Void8, 1}, void: draw.Void8}
	pred := &labels{w: 3, h: 2, at: []uint16{0, 2, 1, 0, 0, draw.Void8}, void: draw.Void8}
	got := judge(truth, pred)
	// class 0: intersection 1, union 2 + 1 (the 1 taken for 0) = 3; class 1: 1 of 3; class 2: 0 of 1.
	if got.right != 2 || got.wrong != 3 || math.Abs(got.iou-(1./3+1./3+0)/3) > 1e-12 {
		t.Errorf("%+v", got)
	}
	want := []uint8{0, 1, 0, 1, 2, 1}
	if diff := cmp.Diff(want, errorMap(truth, pred).Pix); diff != "" {
		t.Errorf("error map (-want +got):\n%s", diff)
	}
	if got.wrongs() != "60.00 % wrong" || got.mIoU() != "mIoU 22.22 %" {
		t.Errorf("%q, %q", got.wrongs(), got.mIoU())
	}
	if none := judge(&labels{w: 1, h: 1, at: []uint16{draw.Void8}, void: draw.Void8},
		pred); none.wrongs()+none.mIoU() != "" {
		t.Errorf("of nothing: %q", none.wrongs())
	}
}

func TestMapScore(t *testing.T) {
	truth := &labels{w: 2, h: 2, at: []uint16{1, 1, 0, draw.Void8}, void: draw.Void8}
	saliency := image.NewGray(image.Rect(0, 0, 2, 2))
	for i, x := range []uint8{255, 51, 51, 255} {
		saliency.SetGray(i%2, i/2, color.Gray{x})
	}
	if got := mapScore(truth, 1, saliency); math.Abs(got-0.4) > 1e-9 { // (1 + 0.2) / 2 - 0.2
		t.Errorf("%v, want 0.4", got)
	}
	if got := mapScore(truth, 2, saliency); !math.IsNaN(got) {
		t.Errorf("of a class that is not there: %v", got)
	}
}

// shelf is a run of two methods and five samples of ten pixels, of which good[i] and bad[i] are right.
func shelf(t *testing.T) *results.Run {
	r := invent(plan{methods: 2, sets: 1, classes: 2})
	dir := t.TempDir()
	label := func(name string, right int) string {
		l := make([]uint16, 10)
		for i := right; i < 10; i++ {
			l[i] = 1
		}
		if err := WritePNG(filepath.Join(dir, name), draw.LabelImage(l, 10, 1, 2)); err != nil {
			t.Fatal(err)
		}
		return name
	}
	for i, id := range []string{"a", "b", "c", "d", "e"} {
		first, other := []int{9, 5, 7, 1, 3}[i], []int{8, 9, 7, 6, 2}[i]
		r.Panels = append(r.Panels, results.Panel{Dataset: "set0", ID: id, Image: label("i"+id+".png", 0),
			Truth: label("t"+id+".png", 10),
			Predictions: map[string]string{"clip": label("p"+id+".png", first),
				"clip_surgery": label("q"+id+".png", other)}})
	}
	if err := r.Write(dir); err != nil {
		t.Fatal(err)
	}
	return r
}

// The IoU of a sample with k of 10 right is k/10 for class 0 and 0 for class 1, which is predicted alone; k/20 in the
// mean.
func TestChoose(t *testing.T) {
	r := shelf(t)
	for _, tt := range []struct {
		name, want, text string
		choice           Choice
	}{
		{"all", "abcde", "", Choice{}},
		{"first", "ab", "all", Choice{Rule: "all", Count: 2}},
		{"best", "abc", "best by the mean score of the methods", Choice{Rule: "best", Count: 3}},
		{"best of one", "ac", "best by the score of clip", Choice{Rule: "best", Method: "clip", Count: 2}},
		{"worst", "ed", "worst by the mean", Choice{Rule: "worst", Count: 2}},
		{"gain", "db", "best by the score of clip_surgery minus that of clip",
			Choice{Rule: "best", Method: "clip_surgery", Baseline: "clip", Count: 2}},
		{"loss", "ae", "worst by the score of clip_surgery minus that of clip",
			Choice{Rule: "worst", Method: "clip_surgery", Baseline: "clip", Count: 2}},
		{"median", "b", "median by the score of clip.", Choice{Rule: "median", Method: "clip", Count: 1}},
		{"id", "bd", "id", Choice{Rule: "id", IDs: []string{"d", "b"}}},
	} {
		got, err := tt.choice.Choose([]*results.Run{r})
		if err != nil {
			t.Fatal(err)
		}
		ids := ""
		for _, p := range got[0].Panels {
			ids += p.ID
		}
		if ids != tt.want || !strings.Contains(got[0].Choice, tt.text) {
			t.Errorf("%s: %q, %q; want %q, %q", tt.name, ids, got[0].Choice, tt.want, tt.text)
		}
		if tt.choice.Rule != "" && !strings.Contains(got[0].Choice, "the 5 samples whose pictures were kept") {
			t.Errorf("%s: %q does not say among what", tt.name, got[0].Choice)
		}
	}
	if len(r.Panels) != 5 {
		t.Errorf("the run given was changed: %d panels", len(r.Panels))
	}
}

// Random is a matter of the seed and of nothing else.
func TestChooseRandom(t *testing.T) {
	r := shelf(t)
	seen := map[string]bool{}
	for seed := range uint64(12) {
		var ids [2]string
		for i := range ids {
			got, err := Choice{Rule: "random", Seed: seed, Count: 2}.Choose([]*results.Run{r})
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range got[0].Panels {
				ids[i] += p.ID
			}
		}
		if ids[0] != ids[1] || len(ids[0]) != 2 {
			t.Errorf("seed %d: %q", seed, ids)
		}
		seen[ids[0]] = true
	}
	if len(seen) < 4 {
		t.Errorf("12 seeds give %d choices", len(seen))
	}
}

func TestChooseRefuses(t *testing.T) {
	r := shelf(t)
	for want, c := range map[string]Choice{
		`no run has method "gem"`:              {Rule: "best", Method: "gem"},
		`needs a method to set against it`:     {Rule: "best", Baseline: "clip"},
		`no run kept pictures of sample "z"`:   {Rule: "id", IDs: []string{"a", "z"}},
		`ipa.png: no such file`:                {},
		`panel rule "nicest" is not known; us`: {},
	} {
		var err error
		switch {
		case strings.HasPrefix(want, "panel rule"):
			_, err = ParseChoice("nicest")
		case strings.HasPrefix(want, "ipa"):
			broken := *r
			broken.Panels = append([]results.Panel(nil), r.Panels...)
			broken.Panels[0].Truth = "ipa.png"
			_, err = Choice{Rule: "best"}.Choose([]*results.Run{&broken})
		default:
			_, err = c.Choose([]*results.Run{r})
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSuffix(want, ": no such file")) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	if c, err := ParseChoice("id=a,b"); err != nil || cmp.Diff(Choice{Rule: "id", IDs: []string{"a", "b"}}, c) != "" {
		t.Errorf("%+v, %v", c, err)
	}
}
