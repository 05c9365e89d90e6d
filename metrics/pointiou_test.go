package metrics

import (
	"math"
	"testing"
)

// Worked by hand. A map of 4x2, 0 to 1 in steps: over 0.5 are the right two columns.
func TestPointIoU(t *testing.T) {
	score := []float32{0, 1, 2, 3, 0, 1, 2, 3}
	a, err := PointIoUAt(score, 4, []JudgedPoint{{3.9, 1.9, true}, {0, 0, true}, {2, 0, false}, {1, 1, false},
		{1.5, 0, false}}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	if want := (PointIoURecord{0, 0, 1, 1, 1, 2}); a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
	b, err := PointIoUAt(score, 4, []JudgedPoint{{2, 1, true}, {3, 1, true}}, 1, 2) // no point off the class
	if err != nil {
		t.Fatal(err)
	}
	c, err := PointIoUAt(score, 4, []JudgedPoint{{0, 1, false}}, 1, 1) // nowhere: does not count
	if err != nil {
		t.Fatal(err)
	}
	records := []PointIoURecord{a, b, c}
	for name, want := range map[string]float64{"p-mIoU": (1.0/3 + 1) / 2, "p-mIoU-both": ((1.0/3+2.0/4)/2 + 1) / 2} {
		stat, err := PointIoUStatistic(records, 2, 4, name)
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := stat.Once(2); !ok || math.Abs(got-want) > 1e-15 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	flat, err := PointIoUAt(make([]float32, 8), 4, []JudgedPoint{{1, 1, true}}, 0, 0)
	if err != nil || flat.FN != 1 {
		t.Errorf("a constant map: %+v, %v", flat, err)
	}
	nan := []float32{0, 1, 2, float32(math.NaN())}
	if r, err := PointIoUAt(nan, 2, []JudgedPoint{{1, 0, true}}, 0, 0); err != nil || r.FN != 1 {
		t.Errorf("a map with NaN: %+v, %v", r, err)
	}
	for _, p := range []JudgedPoint{{-1, 0, true}, {4, 0, true}, {0, 2, true}, {math.NaN(), 0, true}} {
		if _, err := PointIoUAt(score, 4, []JudgedPoint{p}, 0, 0); err == nil {
			t.Errorf("%v lies in the map", p)
		}
	}
	if _, err := PointIoUStatistic([]PointIoURecord{{Class: 4}}, 1, 4, "p-mIoU"); err == nil {
		t.Error("a class that is none")
	}
}
