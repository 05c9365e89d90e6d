package tasks

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ovbench/bench/records"
	"ovbench/configs"
	"ovbench/datasets"
	"ovbench/datasets/labelmap"
	"ovbench/datasets/mask"
	"ovbench/metrics"
)

// Three images of two classes, by hand: IoU of x is 1, 1/2 and none; of y none, 0 (predicted, absent) and 1/4.
func TestScoresOfSingleImages(t *testing.T) {
	run := two("m")
	var recs []records.Record
	for i, c := range []metrics.Sparse{{{Truth: 0, Pred: 0, Count: 4}}, {{Truth: 0, Pred: 0, Count: 2},
		{Truth: 0, Pred: 1, Count: 2}}, {{Truth: 1, Pred: 1, Count: 1}, {Truth: 1, Pred: 2, Count: 3}}, nil} {
		recs = append(recs, records.Record{Dataset: "d", Index: i, ID: fmt.Sprint(i),
			Methods: map[string]records.Evidence{"m": {Confusion: c}}})
	}
	for convention, want := range map[string][2]float64{
		"mmseg":     {(1 + 0.25 + 0.25) / 3, (0.75 + 0.125) / 2},
		"ade20k":    {(1 + 0.25 + 0.25) / 3, (0.75 + 0.125) / 2}, // absent classes are not 0 in a single image
		"cocostuff": {(1 + 0.5 + 0.25) / 3, (0.75 + 0.25) / 2},
	} {
		run.Protocol.Fields["convention"] = convention
		cells, err := Score(run, &configs.Suite{Task: "segmentation", Resamples: 100, Seed: 1}, recs)
		if err != nil {
			t.Fatal(err)
		}
		c := cells[0]
		for i, name := range []string{"mIoU-image", "mIoU-image-class"} {
			if s := c.Score(name); s == nil || math.Abs(s.Value-want[i]) > 1e-12 || s.Low == nil {
				t.Errorf("%s %s: %+v, want %v", convention, name, s, want[i])
			}
		}
		if diff := cmp.Diff(map[string]int{"undefined_classes": 0, "void_images": 1}, c.Counts); diff != "" {
			t.Errorf("%s: counts (-want +got)\n%s", convention, diff)
		}
		if c.Score("mBIoU") != nil {
			t.Error("boundaries that no record has are scored")
		}
	}
}

// Truth and boxes are judged in TorchRay's form: filled boxes, difficult ones part of them unless all are.
func TestPointingOnBoxes(t *testing.T) {
	easy := datasets.Object{Class: 0, X0: 0, Y0: 0, X1: 2, Y1: 2}
	hard := datasets.Object{Class: 0, X0: 30, Y0: 30, X1: 40, Y1: 40, Difficult: true}
	for _, c := range []struct {
		objects []datasets.Object
		want    metrics.Outcome
	}{
		{[]datasets.Object{easy, hard}, metrics.Hit},
		{[]datasets.Object{easy}, metrics.Miss},
		{[]datasets.Object{hard}, metrics.Skipped},
		{[]datasets.Object{{Class: 0, X0: 50, Y0: 35, X1: 60, Y1: 36}}, metrics.Miss}, // pixels 50 to 59: 15 away
		{[]datasets.Object{{Class: 0, X0: 49, Y0: 35, X1: 60, Y1: 36}}, metrics.Hit},
		{[]datasets.Object{{Class: 0, X0: 10, Y0: 35, X1: 21.9, Y1: 36}}, metrics.Miss}, // its last pixel is 20: 15 away
		{[]datasets.Object{{Class: 0, X0: 10, Y0: 35, X1: 22, Y1: 36}}, metrics.Hit},
	} {
		var e records.Evidence
		p := pointed{image: 3, class: 0, w: 64, h: 64, extent: metrics.Extent{Peak: 35*64 + 35, Peaks: 2}}
		if err := addObjects(&e, p, c.objects); err != nil {
			t.Fatal(err)
		}
		want := []metrics.PointRecord{{Image: 3, Class: 0, Outcome: c.want, Tied: true}}
		if diff := cmp.Diff(want, e.Boxes); diff != "" {
			t.Errorf("%v (-want +got)\n%s", c.objects, diff)
		}
	}
	if got := withObjects([]datasets.Object{{Class: 4}, {Class: 1}, {Class: 4}}); !slices.Equal(got, []int{1, 4}) {
		t.Errorf("classes %v", got)
	}
}

// Where things have masks, their union is what is pointed at: here pixels 14 and 15 to the right of the point.
func TestPointingOnMasks(t *testing.T) {
	const side, x, y = 64, 35, 35
	pixel := func(at int) datasets.Object { // runs go down the columns
		before := uint32(at*side + y)
		m, err := mask.New([]uint32{before, 1, side*side - before - 1}, side, side)
		if err != nil {
			t.Fatal(err)
		}
		return datasets.Object{Class: 1, X0: float64(at), Y0: y, X1: float64(at + 1), Y1: y + 1, Mask: m}
	}
	for _, c := range []struct {
		objects []datasets.Object
		want    metrics.Outcome
	}{
		{[]datasets.Object{pixel(x + 15)}, metrics.Miss},
		{[]datasets.Object{pixel(x + 15), pixel(x + 14)}, metrics.Hit},
		{[]datasets.Object{pixel(x + 14), pixel(x + 15)}, metrics.Hit},
	} {
		var e records.Evidence
		p := pointed{image: 3, class: 1, w: side, h: side, extent: metrics.Extent{Peak: y*side + x, Peaks: 1}}
		if err := addObjects(&e, p, append(c.objects, datasets.Object{Class: 0, X1: side, Y1: side})); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]metrics.PointRecord{{Image: 3, Class: 1, Outcome: c.want}}, e.Masks); diff != "" ||
			e.Boxes != nil {
			t.Errorf("%v (-want +got)\n%s", c.objects, diff)
		}
	}
}

// What cannot be refined is an error, not a map that is not.
func TestTooLargeToRefine(t *testing.T) {
	t10 := &Target{Protocol: configs.Protocol{PAMR: 10}}
	if _, err := Decode(t10, labelmap.Map{W: 1 << 13, H: 1 << 13}, &Similarity{}); err == nil ||
		!strings.Contains(err.Error(), "too large to be refined") {
		t.Errorf("error %v", err)
	}
}
