package metrics

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// torchRay is testdata/pointing/torchray.json: what torchray/benchmark/pointing_game.py at 6a198ee of
// facebookresearch/TorchRay says, run with torch 2.15.0 on made masks and VOC annotations.
type torchRay struct {
	Masks []struct {
		Width, Height   int
		On              []int
		X, Y, Tolerance float64
		Want            Outcome
	}
	VOC []struct {
		Width, Height int
		Objects       []struct {
			Class     int
			Difficult bool
			Box       [4]int
		}
		Events []struct {
			Class int
			X, Y  float64
			Want  Outcome
		}
	}
	ClassAccuracies []float64 `json:"class_accuracies"`
	Accuracy        float64
	Hits, Misses    []float64
}

func TestPointAtIsTorchRays(t *testing.T) {
	var g torchRay
	readJSON(t, "pointing/torchray.json", &g)
	exact := 0
	for i, c := range g.Masks {
		mask := make([]uint8, c.Width*c.Height)
		for _, at := range c.On {
			mask[at] = Inside
			dx, dy := float64(at%c.Width)-c.X, float64(at/c.Width)-c.Y
			if len(c.On) == 1 && dx*dx+dy*dy == 225 && c.Tolerance == 15 {
				exact++
			}
		}
		got, err := PointAt(mask, c.Width, c.X, c.Y, c.Tolerance)
		if err != nil || got != c.Want {
			t.Errorf("case %d: (%v, %v) within %v of %v: %v, %v; want %v", i, c.X, c.Y, c.Tolerance, c.On, got, err, c.Want)
		}
	}
	if exact < 6 {
		t.Errorf("%d cases of exactly 15 pixels, too few", exact)
	}
}

func TestPointAtBoxesIsTorchRays(t *testing.T) {
	var g torchRay
	readJSON(t, "pointing/torchray.json", &g)
	const classes = 20
	var records []PointRecord
	hits, misses := make([]float64, classes), make([]float64, classes)
	for i, img := range g.VOC {
		for _, e := range img.Events {
			var boxes []Box
			for _, o := range img.Objects {
				if o.Class == e.Class {
					boxes = append(boxes, Box{o.Box[0], o.Box[1], o.Box[2], o.Box[3], o.Difficult})
				}
			}
			got, err := PointAtBoxes(boxes, img.Width, img.Height, e.X, e.Y, PointingTolerance)
			if err != nil || got != e.Want {
				t.Errorf("image %d, class %d: (%v, %v) in %v: %v, %v; want %v", i, e.Class, e.X, e.Y, boxes, got, err, e.Want)
			}
			records = append(records, PointRecord{Image: i, Class: e.Class, Outcome: got})
			switch got {
			case Hit:
				hits[e.Class]++
			case Miss:
				misses[e.Class]++
			}
		}
	}
	stat, err := PointingStatistic(records, len(g.VOC), classes, "pointing")
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := stat.Once(len(g.VOC)); math.Abs(got-g.Accuracy) > 1e-14 {
		t.Errorf("accuracy %v, want %v", got, g.Accuracy)
	}
	if !slices.Equal(hits, g.Hits) || !slices.Equal(misses, g.Misses) {
		t.Errorf("%v hits and %v misses by class, want %v and %v", hits, misses, g.Hits, g.Misses)
	}
}

// Boxes are masks that need not be painted.
func TestBoxesAgreeWithMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 40).Draw(t, "w"), rapid.IntRange(1, 40).Draw(t, "h")
		corner := rapid.IntRange(-5, 50)
		boxes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Box {
			return Box{XMin: corner.Draw(t, "x0"), YMin: corner.Draw(t, "y0"), XMax: corner.Draw(t, "x1"),
				YMax: corner.Draw(t, "y1")}
		}), 1, 3).Draw(t, "boxes")
		mask := make([]uint8, w*h)
		for _, b := range boxes {
			for y := range h {
				for x := range w {
					if x+1 >= b.XMin && x+1 <= b.XMax && y+1 >= b.YMin && y+1 <= b.YMax {
						mask[y*w+x] = Inside
					}
				}
			}
		}
		x, y := float64(rapid.IntRange(-20, 100).Draw(t, "2x"))/2, float64(rapid.IntRange(-20, 100).Draw(t, "2y"))/2
		tolerance := float64(rapid.IntRange(0, 20).Draw(t, "tolerance"))
		want, err := PointAt(mask, w, x, y, tolerance)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := PointAtBoxes(boxes, w, h, x, y, tolerance); err != nil || got != want {
			t.Fatalf("%v, %v; by mask %v", got, err, want)
		}
	})
}

func TestDifficultBoxes(t *testing.T) {
	easy, hard := Box{1, 1, 10, 10, false}, Box{51, 51, 60, 60, true}
	for _, test := range []struct {
		name  string
		boxes []Box
		at    float64
		want  Outcome
	}{
		{"no boxes", nil, 5, Skipped},
		{"all difficult", []Box{hard}, 55, Skipped},
		{"on the easy one", []Box{easy, hard}, 5, Hit},
		{"on the difficult one beside an easy one", []Box{easy, hard}, 55, Hit},
		{"on neither", []Box{easy, hard}, 30, Miss},
	} {
		if got, err := PointAtBoxes(test.boxes, 100, 100, test.at, test.at, 15); err != nil || got != test.want {
			t.Errorf("%s: %v, %v; want %v", test.name, got, err, test.want)
		}
	}
}

// Of three classes one has 2 of 3 events hit, one 2 of 3, one none: all classes (2/3 + 2/3 + 0)/3 =
// 0.4444, those seen 2/3, events 4/6.
func TestPointingByHand(t *testing.T) {
	var records []PointRecord
	for i, r := range []PointRecord{
		{Class: 0, Outcome: Hit}, {Class: 0, Outcome: Hit}, {Class: 0, Outcome: Miss, Tied: true},
		{Class: 1, Outcome: Hit}, {Class: 1, Outcome: Miss}, {Class: 1, Outcome: Hit},
		{Class: 2, Outcome: Skipped, Tied: true},
	} {
		r.Image = i
		records = append(records, r)
	}
	want := map[string]float64{"pointing": 4. / 9, "pointing-seen": 2. / 3, "pointing-micro": 4. / 6}
	if diff := cmp.Diff(want, evaluate(t, len(records), func(score string) (Statistic, error) {
		return PointingStatistic(records, len(records), 3, score)
	}, "pointing", "pointing-seen", "pointing-micro"), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
	counts, err := CountPoints(records, 3)
	if diff := cmp.Diff(PointingCounts{Hits: 4, Misses: 2, Skipped: 1, Tied: 1, Absent: 1}, counts); diff != "" ||
		err != nil {
		t.Error(diff)
	}
}

func TestPointingErrors(t *testing.T) {
	for _, bad := range []PointRecord{{Class: 2}, {Class: -1}, {Image: -1}, {Outcome: 2}, {Outcome: -2}} {
		if _, err := PointingStatistic([]PointRecord{bad}, 1, 2, "pointing"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
		if _, err := CountPoints([]PointRecord{bad}, 2); err == nil {
			t.Errorf("%+v was counted", bad)
		}
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, v := range [][3]float64{{nan, 0, 1}, {0, nan, 1}, {0, 0, nan}, {0, 0, -1}, {inf, 0, 1}, {0, 0, inf},
		{0, -inf, 15}} {
		if _, err := PointAt(make([]uint8, 4), 2, v[0], v[1], v[2]); err == nil {
			t.Errorf("PointAt%v", v)
		}
		if _, err := PointAtBoxes(nil, 2, 2, v[0], v[1], v[2]); err == nil {
			t.Errorf("PointAtBoxes%v", v)
		}
	}
	for _, width := range []int{0, -1, 3} {
		if _, err := PointAt(make([]uint8, 4), width, 0, 0, 1); err == nil {
			t.Errorf("rows of %d", width)
		}
	}
	if got, err := PointAt(make([]uint8, 4), 2, 1e300, -1e300, 1e300); err != nil || got != Miss {
		t.Errorf("far away: %v, %v", got, err)
	}
}

// By hand, on rows of 4: the box covers the 2 x 2 pixels from column 1, row 0; 14 of 33 lie in it.
func TestEnergyByHand(t *testing.T) {
	score := []float32{
		1, 2, 3, 4,
		0, 5, 4, -7,
		2, 0, 9, 3,
	}
	mask := []uint8{
		0, 1, 1, 0,
		0, 1, 1, 0,
		0, 0, 0, 0,
	}
	r, err := EnergyAt(score, mask, 0, 0)
	if err != nil || r.Inside != 14 || r.Total != 33 {
		t.Fatalf("%+v, %v; want 14 of 33", r, err)
	}
	mask[10] = Void
	if r, err = EnergyAt(score, mask, 0, 0); err != nil || r.Total != 24 {
		t.Errorf("%+v, %v; want 14 of 24 without the void pixel", r, err)
	}
	empty, err := EnergyAt(make([]float32, 12), mask, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	records := []EnergyRecord{r, {Image: 2, Class: 0, Inside: 1, Total: 4}, empty}
	// Shares 7/12, 1/4 and 0: over maps 5/18, over classes (5/12 + 0)/2.
	want := map[string]float64{"energy": 5. / 18, "energy-class": 5. / 24}
	if diff := cmp.Diff(want, evaluate(t, 3, func(score string) (Statistic, error) {
		return EnergyStatistic(records, 3, 2, score)
	}, "energy", "energy-class"), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
}

func TestEnergyErrors(t *testing.T) {
	nan := float32(math.NaN())
	if r, err := EnergyAt([]float32{nan, 1}, []uint8{1, 0}, 0, 0); err != nil || r.Inside != 0 || r.Total != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := EnergyAt([]float32{float32(math.Inf(1)), 1}, []uint8{1, 0}, 0, 0); err == nil {
		t.Error("an infinite map has an energy")
	}
	if _, err := EnergyAt([]float32{1}, nil, 0, 0); err == nil {
		t.Error("a mask of another size was accepted")
	}
	for _, bad := range []EnergyRecord{{Inside: 2, Total: 1}, {Inside: -1, Total: 1}, {Total: math.NaN()},
		{Total: math.Inf(1)}, {Image: -1}, {Class: -1}} {
		if _, err := EnergyStatistic([]EnergyRecord{bad}, 1, 1, "energy"); err == nil {
			t.Errorf("%+v was taken", bad)
		}
	}
}

func BenchmarkPointAt(b *testing.B) {
	_, mask := smoothMap(500, 375, 1)
	for i := range mask {
		mask[i] = Outside // the dearest case
	}
	for b.Loop() {
		if _, err := PointAt(mask, 500, 250, 187, PointingTolerance); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExtent(b *testing.B) {
	score, _ := smoothMap(500, 375, 1)
	for b.Loop() {
		ExtentOf(score)
	}
}

func BenchmarkEnergy(b *testing.B) {
	score, mask := smoothMap(500, 375, 1)
	for b.Loop() {
		if _, err := EnergyAt(score, mask, 0, 0); err != nil {
			b.Fatal(err)
		}
	}
}
