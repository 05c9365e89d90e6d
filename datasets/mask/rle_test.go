package mask

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// maskGoldens is testdata/coco/masks.json, recorded by make.py there with pycocotools 2.0.11.
type maskGoldens struct {
	Runs []struct {
		H, W        int
		Counts      []uint32
		Raw, String string // Counts as pycocotools writes them, and after a round trip through pixels
		Area        int64
		Box         [4]int // x, y, width, height
	}
	Pairs []struct {
		H, W              int
		A, B, Union, Both string
	}
	Full []struct {
		Name     string
		Polygons [][]float64
		Rows     []string
	}
}

func readMaskGoldens(t *testing.T) (g maskGoldens) {
	t.Helper()
	data, err := os.ReadFile("../testdata/coco/masks.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Runs) == 0 || len(g.Pairs) == 0 || len(g.Full) == 0 {
		t.Fatal("no goldens")
	}
	return g
}

func decodeRLE(t testing.TB, s string, h, w int) RLE {
	t.Helper()
	r, err := Decode(s, h, w)
	if err != nil {
		t.Fatalf("%q: %v", s, err)
	}
	return r
}

// Numbers and strings of the format's description, checked with pycocotools 2.0.11.
func TestRLEExamples(t *testing.T) {
	for _, test := range []struct {
		counts []uint32
		h, w   int
		want   string
	}{
		{[]uint32{5, 20, 3, 2, 30}, 60, 1, "5d03^Ok0"},
		{[]uint32{0, 15}, 15, 1, "0?"},
		{[]uint32{0, 16}, 16, 1, "0`0"},
		{[]uint32{31}, 31, 1, "o0"},
		{[]uint32{32}, 8, 4, "P1"},
		{[]uint32{307200}, 480, 640, `PP\9`},
		{[]uint32{0, 6}, 2, 3, "06"},
	} {
		r, err := New(test.counts, test.h, test.w)
		if err != nil || r.Encode() != test.want {
			t.Errorf("%v: %q, %v, want %q", test.counts, r.Encode(), err, test.want)
		}
		if diff := cmp.Diff(RLE{test.h, test.w, test.counts}, decodeRLE(t, test.want, test.h, test.w)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.want, diff)
		}
	}
}

func TestRLEGoldens(t *testing.T) {
	g := readMaskGoldens(t)
	for i, c := range g.Runs {
		r, err := New(c.Counts, c.H, c.W)
		if err != nil {
			t.Errorf("runs %d: %v", i, err)
			continue
		}
		if !cmp.Equal(r, decodeRLE(t, c.Raw, c.H, c.W)) || !cmp.Equal(r, decodeRLE(t, c.String, c.H, c.W)) {
			t.Errorf("runs %d: read from numbers and strings they differ", i)
		}
		x0, y0, x1, y1 := r.Box()
		if s, box := r.Encode(), [4]int{x0, y0, x1 - x0, y1 - y0}; s != c.String || box != c.Box || r.Area() != c.Area {
			t.Errorf("runs %d: %q, box %v, area %d, want %q, %v, %d", i, s, box, r.Area(), c.String, c.Box, c.Area)
		}
	}
	for i, c := range g.Pairs {
		a, b := decodeRLE(t, c.A, c.H, c.W), decodeRLE(t, c.B, c.H, c.W)
		if got := a.Union(b).Encode(); got != c.Union {
			t.Errorf("pair %d: union %q, want %q", i, got, c.Union)
		}
	}
}

// cocoapi pull request 477: its box of these runs on 10x10 is 1, 0, 2, 10.
func TestRLEEmptyRunsInTheMiddle(t *testing.T) {
	r, err := New([]uint32{20, 0, 0, 10, 70}, 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]uint32{20, 10, 70}, r.Counts); diff != "" {
		t.Error(diff)
	}
	if x0, y0, x1, y1 := r.Box(); [4]int{x0, y0, x1, y1} != [4]int{2, 0, 3, 10} {
		t.Error(x0, y0, x1, y1)
	}
}

func TestRLEErrors(t *testing.T) {
	for _, test := range []struct {
		counts string
		h, w   int
		want   string
	}{
		{"6", 2, 4, "run lengths add up to 6 pixels, the mask of 4x2 has 8"},
		{"", 2, 4, "add up to 0 pixels"},
		{"9", 2, 4, "add up to 9 pixels"},
		{"4 4", 2, 4, `byte 1: character ' ' does not occur`},
		{"4\xff", 2, 4, `byte 1: character 'ÿ'`},
		{"4P", 2, 4, `byte 1: number "P" does not end`},
		{"PPPPPPPPPPPPPPPPPPP1", 2, 4, `number "PPPPPPP" does not end`},
		{"O", 2, 4, "a run of -1 pixels"},
		{"111O1", 2, 4, ""},
		{"oooooo?", 2, 4, "a run of "},
		{"8", 0, 4, "a mask of 4x0 pixels"},
		{"8", -2, -4, "a mask of -4x-2 pixels"},
		{"8", 1 << 30, 1 << 30, "their product is at most"},
	} {
		_, err := Decode(test.counts, test.h, test.w)
		if test.want == "" {
			if err == nil || !strings.Contains(err.Error(), "add up") {
				t.Errorf("%q: %v", test.counts, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q of %dx%d: %v, want %q", test.counts, test.w, test.h, err, test.want)
		}
	}
	if _, err := New([]uint32{1 << 31, 1 << 31, 8}, 2, 4); err == nil {
		t.Error("run lengths that wrap around 32 bits are taken")
	}
}

func TestRLEWrongSizesPanic(t *testing.T) {
	r := RLE{2, 3, []uint32{6}}
	for name, f := range map[string]func(){
		"paint": func() { r.Paint(make([]uint16, 5), 1) },
		"union": func() { r.Union(RLE{3, 2, []uint32{6}}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func drawBits(t *rapid.T, h, w int, name string) []bool {
	return rapid.SliceOfN(rapid.Bool(), h*w, h*w).Draw(t, name)
}

// bitsRLE is a slow twin of everything: it walks over single pixels, bits[y*w+x].
func bitsRLE(bits []bool, h, w int) RLE {
	var counts []uint32
	one := false
	var n uint32
	for x := range w {
		for y := range h {
			if bits[y*w+x] != one {
				counts, n, one = append(counts, n), 0, !one
			}
			n++
		}
	}
	return RLE{h, w, append(counts, n)}
}

func TestRLELaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 9).Draw(t, "h"), rapid.IntRange(1, 9).Draw(t, "w")
		bits, other := drawBits(t, h, w, "bits"), drawBits(t, h, w, "other")
		r, s := bitsRLE(bits, h, w), bitsRLE(other, h, w)
		if back, err := Decode(r.Encode(), h, w); err != nil || !cmp.Equal(back, r) {
			t.Fatalf("%v through %q is %v, %v", r, r.Encode(), back, err)
		}
		either, both := make([]bool, h*w), make([]bool, h*w)
		painted := make([]uint16, h*w)
		r.Paint(painted, 7)
		var area int64
		x0, y0, x1, y1 := w, h, 0, 0
		for p, one := range bits {
			either[p], both[p] = one || other[p], one && other[p]
			if one != (painted[p] == 7) || !one && painted[p] != 0 {
				t.Fatalf("pixel %d is %v and painted %d", p, one, painted[p])
			}
			if one {
				area++
				x0, y0, x1, y1 = min(x0, p%w), min(y0, p/w), max(x1, p%w+1), max(y1, p/w+1)
			}
		}
		if area == 0 {
			x0, y0 = 0, 0
		}
		gx0, gy0, gx1, gy1 := r.Box()
		if r.Area() != area || [4]int{gx0, gy0, gx1, gy1} != [4]int{x0, y0, x1, y1} {
			t.Fatalf("area %d, box %d %d %d %d, want %d, %d %d %d %d", r.Area(), gx0, gy0, gx1, gy1, area, x0, y0, x1, y1)
		}
		if !cmp.Equal(r.Union(s), bitsRLE(either, h, w)) {
			t.Fatal("union or intersection is wrong")
		}
	})
}

// Empty runs anywhere change nothing.
func TestRLENormal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 9).Draw(t, "h"), rapid.IntRange(1, 9).Draw(t, "w")
		want := bitsRLE(drawBits(t, h, w, "bits"), h, w)
		counts := slices.Clone(want.Counts)
		for range rapid.IntRange(0, 5).Draw(t, "empty runs") {
			i := rapid.IntRange(0, len(counts)).Draw(t, "at")
			if i < len(counts) && rapid.Bool().Draw(t, "split") {
				n := rapid.Uint32Range(0, counts[i]).Draw(t, "first part")
				counts = slices.Replace(counts, i, i+1, n, 0, counts[i]-n)
			} else {
				counts = slices.Insert(counts, i, 0, 0)
			}
		}
		got, err := New(counts, h, w)
		if err != nil || !cmp.Equal(got, want) {
			t.Fatalf("%v is %v, %v, want %v", counts, got, err, want)
		}
	})
}

func FuzzDecodeRLE(f *testing.F) {
	f.Add("5d03^Ok0", 60, 1)
	f.Add(`PP\9`, 480, 640)
	f.Add("oooooooo", 1, 1)
	f.Add("06", 2, 3)
	f.Fuzz(func(t *testing.T, s string, h, w int) {
		r, err := Decode(s, h, w)
		if err != nil {
			return
		}
		again, err := Decode(r.Encode(), h, w)
		if err != nil || !cmp.Equal(r, again) {
			t.Fatalf("%q: %v, then %v, %v", s, r, again, err)
		}
		if h*w <= 1<<16 {
			r.Paint(make([]uint16, h*w), 1)
		}
		if x0, y0, x1, y1 := r.Box(); int64(x1-x0)*int64(y1-y0) < r.Area() {
			t.Fatalf("%q: box is smaller than the area", s)
		}
	})
}

func BenchmarkRLEDecodePaint(b *testing.B) {
	r, err := FillPolygons([][]float64{{20, 20, 600, 50, 560, 450, 300, 200, 30, 400}}, 480, 640)
	if err != nil {
		b.Fatal(err)
	}
	s, dst := r.Encode(), make([]uint16, 480*640)
	b.SetBytes(int64(len(dst)))
	for b.Loop() {
		decodeRLE(b, s, 480, 640).Paint(dst, 3)
	}
}
