package mask

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// splitmix is splitmix64 (Steele et al., "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), as make.py has
// it.
type splitmix uint64

func (s *splitmix) u(n int) int {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int((z ^ z>>31) % uint64(n))
}

func (s *splitmix) over(n, d int) float64 { return float64(s.u(n)) / float64(d) }

// polygonCase is polygons(i) of testdata/coco/make.py, number for number.
func polygonCase(i int) (h, w int, parts [][]float64) {
	s := splitmix(i)
	r, kind := &s, i%12
	h, w = 1+r.u(60), 1+r.u(60)
	count := 1
	if kind == 1 || kind == 11 {
		count = 1 + r.u(3)
	}
	for range count {
		n := 8
		if kind == 6 {
			n = 60
		}
		n = 3 + r.u(n)
		cx, cy := r.u(w), r.u(h)
		var xy []float64
		for k := range n {
			var x, y float64
			repeat := 1
			switch kind {
			case 0:
				x, y = r.over(w+1, 1), r.over(h+1, 1)
			case 1, 6, 11:
				x, y = r.over(100*w+1, 100), r.over(100*h+1, 100)
			case 2:
				x, y = float64(r.u(200*w)-50*w)/100, float64(r.u(200*h)-50*h)/100
			case 3:
				x, y = float64(r.u(2*w+5)-2)/2, float64(r.u(2*h+5)-2)/2
			case 4:
				x, y = float64(100*cx+r.u(200))/100, float64(100*cy+r.u(200))/100
			case 5:
				x, y = r.over(10*w, 10), r.over(10*h, 10)
				repeat += r.u(3)
			case 7:
				x, y = float64(r.u(4000000)-2000000)/100, float64(r.u(4000000)-2000000)/100
			case 8:
				x, y = r.over(1<<53, 1<<47), r.over(1<<53, 1<<47)
			case 9:
				x, y = float64(10*r.u(w+1)+5)/50, float64(10*r.u(h+1)+5)/50
			case 10:
				x, y = float64(100*k*w+r.u(30))/float64(100*n), float64(100*k*h+r.u(30))/float64(100*n)
			}
			for range repeat {
				xy = append(xy, x, y)
			}
		}
		parts = append(parts, xy)
	}
	return h, w, parts
}

// Every case of testdata/coco/polygons.txt equals pycocotools 2.0.11.
func TestFillPolygonsEqualsPycocotools(t *testing.T) {
	data, err := os.ReadFile("../testdata/coco/polygons.txt")
	if err != nil {
		t.Fatal(err)
	}
	wrong, filled := 0, 0
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	for i, want := range lines {
		h, w, parts := polygonCase(i)
		r, err := FillPolygons(parts, h, w)
		got := fmt.Sprintf("%08x %d", crc32.ChecksumIEEE([]byte(r.Encode())), r.Area())
		if err != nil || got != want {
			if wrong++; wrong <= 5 {
				t.Errorf("case %d, %dx%d %v: %s, %v, want %s", i, w, h, parts, got, err, want)
			}
		}
		if r.Area() > 0 {
			filled++
		}
	}
	if wrong > 0 || len(lines) < 1000 || filled < len(lines)/2 {
		t.Errorf("%d of %d cases differ, %d are not empty", wrong, len(lines), filled)
	}
}

func TestFillPolygonsInFull(t *testing.T) {
	for _, c := range readMaskGoldens(t).Full {
		h, w := len(c.Rows), len(c.Rows[0])
		r, err := FillPolygons(c.Polygons, h, w)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		pix := make([]uint16, h*w)
		r.Paint(pix, 1)
		var rows []string
		for y := range h {
			row := make([]byte, w)
			for x := range w {
				row[x] = ".#"[pix[y*w+x]]
			}
			rows = append(rows, string(row))
		}
		if diff := cmp.Diff(c.Rows, rows); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Name, diff)
		}
	}
}

func TestFillPolygonsErrors(t *testing.T) {
	for _, test := range []struct {
		polygons [][]float64
		h, w     int
		want     string
	}{
		{[][]float64{{0, 0, 9, 0, 9, 9}, {1, 2, 3, 4, 5, 6, 7}}, 9, 9,
			"polygon 1: odd number of polygon coordinates: 7 numbers"},
		{[][]float64{{0, 0, 9, 0, math.NaN(), 9}}, 9, 9, "polygon 0: coordinate NaN"},
		{[][]float64{{0, 0, 9, 0, 9, math.Inf(-1)}}, 9, 9, "polygon 0: coordinate -Inf"},
		{[][]float64{{0, 0, 9, 0, 9, 1e7}}, 9, 9, "coordinate 1e+07, more than 1e+06 pixels away"},
		{nil, 0, 9, "a mask of 9x0 pixels"},
		{nil, 1 << 20, 1 << 20, "their product is at most"},
	} {
		if _, err := FillPolygons(test.polygons, test.h, test.w); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.polygons, err, test.want)
		}
	}
	if _, err := FillPolygons([][]float64{{1}}, 9, 9); !errors.Is(err, ErrOddCoordinates) {
		t.Errorf("%v is not ErrOddCoordinates", err)
	}
}

func TestFillPolygonsWithoutInside(t *testing.T) {
	square := []float64{1, 1, 4, 1, 4, 4, 1, 4}
	want, err := FillPolygons([][]float64{square}, 6, 6)
	if err != nil || want.Area() != 9 {
		t.Fatal(want, err)
	}
	got, err := FillPolygons([][]float64{{}, {2, 2}, {0, 0, 6, 6}, square, {0, 0, 6, 6}}, 6, 6)
	if err != nil || !cmp.Equal(got, want) {
		t.Errorf("points and lines change %v to %v, %v", want, got, err)
	}
	if empty, err := FillPolygons(nil, 6, 6); err != nil || empty.Area() != 0 || len(empty.Counts) != 1 {
		t.Errorf("no polygon: %v, %v", empty, err)
	}
}

// Where a polygon begins and which way round it goes changes nothing; going round twice leaves nothing.
func TestFillPolygonsLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, w := rapid.IntRange(1, 30).Draw(t, "h"), rapid.IntRange(1, 30).Draw(t, "w")
		xy := rapid.SliceOfN(rapid.Float64Range(-10, 40), 6, 20).Draw(t, "xy")
		xy = xy[:len(xy)/2*2]
		mask := func(xy []float64) RLE {
			r, err := FillPolygons([][]float64{xy}, h, w)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		var back []float64
		for i := len(xy) - 2; i >= 0; i -= 2 {
			back = append(back, xy[i], xy[i+1])
		}
		want := mask(xy)
		if !cmp.Equal(mask(back), want) {
			t.Error("backwards it differs")
		}
		if !cmp.Equal(mask(append(xy[2:len(xy):len(xy)], xy[:2]...)), want) {
			t.Error("from the second point it differs")
		}
		if twice := mask(append(xy[:len(xy):len(xy)], xy...)); twice.Area() != 0 {
			t.Errorf("twice round leaves %d pixels", twice.Area())
		}
	})
}

// FuzzFillPolygons compares with the definition of the walk, point by point.
func FuzzFillPolygons(f *testing.F) {
	for i := range 36 {
		h, w, parts := polygonCase(i)
		var data []byte
		for _, v := range parts[0] {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
		}
		f.Add(data, h, w)
	}
	f.Fuzz(func(t *testing.T, data []byte, h, w int) {
		if h > 1<<10 || w > 1<<10 || len(data) > 1<<12 {
			return
		}
		var xy []float64
		long := 0.0
		for ; len(data) >= 8; data = data[8:] {
			v := math.Float64frombits(binary.LittleEndian.Uint64(data))
			xy, long = append(xy, v), max(long, math.Abs(v))
		}
		r, err := FillPolygons([][]float64{xy}, h, w)
		if err != nil || long > 1e4 || len(xy) < 6 {
			return
		}
		if want := walkedPolygon(xy, h, w); !cmp.Equal(r, want) {
			t.Fatalf("%v on %dx%d: %v, want %v", xy, w, h, r, want)
		}
	})
}

// walkedPolygon takes every step of the walk and then asks which of them change columns.
func walkedPolygon(xy []float64, h, w int) RLE {
	var us, vs []int
	n := len(xy) / 2
	for i := range n {
		k := (i + 1) % n
		x0, y0, x1, y1 := toFine(xy[2*i]), toFine(xy[2*i+1]), toFine(xy[2*k]), toFine(xy[2*k+1])
		dx, dy := max(x1-x0, x0-x1), max(y1-y0, y0-y1)
		flat := dx >= dy
		if steps := max(dx, dy); steps == 0 {
			us, vs = append(us, x0), append(vs, y0)
		} else {
			swap := flat && x0 > x1 || !flat && y0 > y1
			if swap {
				x0, y0, x1, y1 = x1, y1, x0, y0
			}
			for d := range steps + 1 {
				step := d
				if swap {
					step = steps - d
				}
				if flat {
					slope := float64(y1-y0) / float64(dx)
					us, vs = append(us, x0+step), append(vs, int(float64(y0)+float64(slope*float64(step))+0.5))
				} else {
					slope := float64(x1-x0) / float64(dy)
					us, vs = append(us, int(float64(x0)+float64(slope*float64(step))+0.5)), append(vs, y0+step)
				}
			}
		}
	}
	inside := make([]bool, h*w)
	for i := 1; i < len(us); i++ {
		if us[i] == us[i-1] {
			continue
		}
		u := us[i-1]
		if us[i] < u {
			u = us[i]
		} else {
			u = us[i] - 1
		}
		x := (float64(u)+0.5)/5 - 0.5
		if x != math.Floor(x) || x < 0 || x > float64(w-1) {
			continue
		}
		y := math.Ceil(min(max((float64(min(vs[i], vs[i-1]))+0.5)/5-0.5, 0), float64(h)))
		for p := int(x)*h + int(y); p < h*w; p++ {
			q := p%h*w + p/h
			inside[q] = !inside[q]
		}
	}
	return bitsRLE(inside, h, w)
}

func BenchmarkFillPolygons(b *testing.B) {
	var xy []float64
	for i := range 200 { // a star of 200 corners on a picture of usual size
		a, r := float64(i)*math.Pi/100, 100+80*float64(i%2)
		xy = append(xy, 320+r*math.Cos(a), 240+r*math.Sin(a))
	}
	for b.Loop() {
		if _, err := FillPolygons([][]float64{xy}, 480, 640); err != nil {
			b.Fatal(err)
		}
	}
}
