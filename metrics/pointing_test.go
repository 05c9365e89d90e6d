package metrics

import (
	"math"
	"strings"
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
	p, err := NewPointing(20)
	if err != nil {
		t.Fatal(err)
	}
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
			if err := p.Add(PointRecord{Image: i, Class: e.Class, Outcome: got}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := byName(p.Scores())["pointing"]; math.Abs(got-g.Accuracy) > 1e-14 {
		t.Errorf("accuracy %v, want %v", got, g.Accuracy)
	}
	for c, k := range p.PerClass() {
		if float64(k.Hits) != g.Hits[c] || float64(k.Misses) != g.Misses[c] {
			t.Errorf("class %d: %+v, want %v hits and %v misses", c, k, g.Hits[c], g.Misses[c])
		}
	}
}

// Boxes are masks that need not be painted.
func TestBoxesAgreeWithMask(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(1, 40).Draw(t, "w"), rapid.IntRange(1, 40).Draw(t, "h")
		corner := rapid.IntRange(-5, 50)
		boxes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Box {
			return Box{XMin: corner.Draw(t, "x0"), YMin: corner.Draw(t, "y0"), XMax: corner.Draw(t, "x1"), YMax: corner.Draw(t, "y1")}
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
	p, err := NewPointing(3)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range []PointRecord{
		{Class: 0, Outcome: Hit}, {Class: 0, Outcome: Hit}, {Class: 0, Outcome: Miss, Tied: true},
		{Class: 1, Outcome: Hit}, {Class: 1, Outcome: Miss}, {Class: 1, Outcome: Hit},
		{Class: 2, Outcome: Skipped, Tied: true},
	} {
		r.Image = i
		if err := p.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]float64{"pointing": 4. / 9, "pointing-seen": 2. / 3, "pointing-micro": 4. / 6}
	if diff := cmp.Diff(want, byName(p.Scores()), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(PointingCounts{Hits: 4, Misses: 2, Skipped: 1, Tied: 1, Absent: 1}, p.Counts()); diff != "" {
		t.Error(diff)
	}
}

func TestPointingErrors(t *testing.T) {
	p, err := NewPointing(2)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []PointRecord{{Class: 2}, {Class: -1}, {Image: -1}, {Outcome: 2}, {Outcome: -2}} {
		if err := p.Add(bad); err == nil {
			t.Errorf("%+v was added", bad)
		}
	}
	if p.Counts() != (PointingCounts{Absent: 2}) || p.Scores() != nil {
		t.Errorf("%+v, %v after faulty records", p.Counts(), p.Scores())
	}
	q, err := NewPointing(3)
	if err != nil {
		t.Fatal(err)
	}
	if p.Merge(q) == nil {
		t.Error("points of 2 and 3 classes were merged")
	}
	nan, inf := math.NaN(), math.Inf(1)
	for _, v := range [][3]float64{{nan, 0, 1}, {0, nan, 1}, {0, 0, nan}, {0, 0, -1}, {inf, 0, 1}, {0, 0, inf}, {0, -inf, 15}} {
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
	var e Energy
	for _, r := range []EnergyRecord{r, {Image: 2, Class: 0, Inside: 1, Total: 4}, empty} {
		if err := e.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	// Shares 7/12, 1/4 and 0: over maps 5/18, over classes (5/12 + 0)/2.
	want := map[string]float64{"energy": 5. / 18, "energy-class": 5. / 24}
	if diff := cmp.Diff(want, byName(e.Scores()), cmpopts.EquateApprox(0, 1e-15)); diff != "" {
		t.Error(diff)
	}
	if e.Empty() != 1 {
		t.Errorf("%d empty maps, want 1", e.Empty())
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
	var e Energy
	for _, bad := range []EnergyRecord{{Inside: 2, Total: 1}, {Inside: -1, Total: 1}, {Total: math.NaN()}, {Total: math.Inf(1)}, {Image: -1}, {Class: -1}} {
		if err := e.Add(bad); err == nil {
			t.Errorf("%+v was added", bad)
		}
	}
}

func TestReadDifficult(t *testing.T) {
	d, err := ReadDifficult(strings.NewReader("000001\t0\t1\t1\r\n000002\t0\t0\t0\n\n000004\t1\t0\t0"), "list.txt", 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		image string
		class int
		want  bool
	}{
		{"000001", 0, false}, {"000001", 2, true}, {"000002", 1, false}, {"000004", 0, true},
		{"000003", 0, true}, // not listed: TorchRay scores it
		{"000001", 3, false}, {"000001", -1, false},
	} {
		if got := d.Keeps(test.image, test.class); got != test.want {
			t.Errorf("%s, class %d: %v", test.image, test.class, got)
		}
	}
	if images, pairs := d.Pairs(); images != 2 || pairs != 3 {
		t.Errorf("%d images with %d pairs, want 2 with 3", images, pairs)
	}
	for list, want := range map[string]string{
		"a\t0\t1\n":                "list.txt:1: 3 fields, want an image name and 3 flags",
		"a 0 0 0\nb 0 2 0":         `list.txt:2: flag "2" of class 1, want 0 or 1`,
		"a 0 0 0\na 0 1 0":         `list.txt:2: image "a" is listed twice`,
		strings.Repeat("0", 1<<17): "list.txt: after line 0: ",
	} {
		if _, err := ReadDifficult(strings.NewReader(list), "list.txt", 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: got %v, want %q", list, err, want)
		}
	}
	if _, err := ReadDifficult(strings.NewReader(""), "list.txt", 0); err == nil {
		t.Error("no classes")
	}
}

func FuzzReadDifficult(f *testing.F) {
	f.Add("000001\t0\t1\n", 2)
	f.Fuzz(func(t *testing.T, list string, classes int) {
		d, err := ReadDifficult(strings.NewReader(list), "list.txt", classes)
		if err != nil {
			return
		}
		if images, pairs := d.Pairs(); images > pairs || pairs > images*classes {
			t.Errorf("%d images with %d pairs of %d classes", images, pairs, classes)
		}
	})
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
